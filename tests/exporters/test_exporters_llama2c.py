"""llama2.c's files, read here as its description has them: by code that shares nothing with the exporter's."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exporters_toy import TEXT, gpt2, scratch

from wellread.errors import ModelError
from wellread.exporters import Leaving
from wellread.exporters.llama2c import group_size, write_llama2c
from wellread.exporters.llama2c_reading import logprobs, read_llama2c, spell
from wellread.exporters.llama2c_tokens import places


def vocabulary(path: Path, count: int) -> list[tuple[float, bytes]]:
    """tokenizer.bin: an int, the longest length; then for each token a float and an int and so many bytes."""
    file = path.open("rb")
    longest = struct.unpack("i", file.read(4))[0]
    rows = []
    for _ in range(count):
        score, length = struct.unpack("fi", file.read(8))
        rows.append((score, file.read(length)))
    assert file.read() == b""
    assert longest == max(len(row[1]) for row in rows)
    assert all(row[1] for row in rows)  # run.c takes an empty string for the end of the file
    return rows


def spelled(text: str, rows: list[tuple[float, bytes]]) -> list[int]:
    """run.c's `encode`, without the tokens of beginning and end."""
    known = {string.split(b"\0")[0]: index for index, (_, string) in reversed(list(enumerate(rows)))}
    ids = [known[b" "]]
    for letter in text:
        raw = letter.encode()
        ids += [known[raw]] if raw in known else [byte + 3 for byte in raw]
    while True:
        best, at = -1e10, -1
        for place in range(len(ids) - 1):
            joined = known.get(rows[ids[place]][1] + rows[ids[place + 1]][1])
            if joined is not None and rows[joined][0] > best:
                best, at, token = rows[joined][0], place, joined
        if at < 0:
            return ids
        ids[at : at + 2] = [token]


class Reader:
    """A version 0 file, one token at a time as run.c goes."""

    def __init__(self, path: Path) -> None:
        raw = path.read_bytes()
        self.dim, hidden, self.layers, self.heads, self.kv, size, positions = struct.unpack("7i", raw[:28])
        self.vocabulary = abs(size)
        data, at = np.frombuffer(raw, np.float32, offset=28), 0

        def take(*shape: int) -> Any:
            nonlocal at
            count = int(np.prod(shape))
            at += count
            return data[at - count : at].reshape(shape).astype(np.float64)

        d, n, narrow = self.dim, self.layers, self.dim * self.kv // self.heads
        self.table, self.att = take(self.vocabulary, d), take(n, d)
        self.wq, self.wk, self.wv, self.wo = take(n, d, d), take(n, narrow, d), take(n, narrow, d), take(n, d, d)
        self.ffn, self.w1, self.w2, self.w3 = take(n, d), take(n, hidden, d), take(n, d, hidden), take(n, hidden, d)
        self.last = take(d)
        self.cosines, _ = take(positions, d // self.heads // 2), take(positions, d // self.heads // 2)
        self.head = self.table if size > 0 else take(self.vocabulary, d)
        assert at == len(data)
        self.keys: list[list[Any]] = [[] for _ in range(n)]
        self.values: list[list[Any]] = [[] for _ in range(n)]

    def step(self, token: int, position: int) -> Any:
        size = self.dim // self.heads
        x = self.table[token]
        for layer in range(self.layers):
            near = self.norm(x, self.att[layer])
            q, k, v = (m[layer] @ near for m in (self.wq, self.wk, self.wv))
            for vector in (q, k):
                for i in range(0, len(vector), 2):
                    angle = position * 10000.0 ** (-(i % size) / size)
                    a, b = vector[i], vector[i + 1]
                    vector[i] = a * np.cos(angle) - b * np.sin(angle)
                    vector[i + 1] = a * np.sin(angle) + b * np.cos(angle)
            self.keys[layer].append(k)
            self.values[layer].append(v)
            parts = []
            for head in range(self.heads):
                at = head // (self.heads // self.kv) * size
                mine = q[head * size : (head + 1) * size]
                scores = np.array([mine @ key[at : at + size] for key in self.keys[layer]]) / size**0.5
                share = np.exp(scores - scores.max())
                share /= share.sum()
                parts.append(sum(w * value[at : at + size] for w, value in zip(share, self.values[layer], strict=True)))
            x = x + self.wo[layer] @ np.concatenate(parts)
            near = self.norm(x, self.ffn[layer])
            gate = self.w1[layer] @ near
            x = x + self.w2[layer] @ (gate / (1 + np.exp(-gate)) * (self.w3[layer] @ near))
        return self.head @ self.norm(x, self.last)

    @staticmethod
    def norm(x: Any, weight: Any) -> Any:
        return weight * x / np.sqrt((x @ x) / len(x) + 1e-5)


def leaving(model: Any, tokenizer: Any, rounding: str = "float32") -> Leaving:
    return Leaving(model, tokenizer, "toy", rounding)


def transformers_logits(model: Any, ids: list[int]) -> Any:
    with torch.inference_mode():
        return model(torch.tensor([ids])).logits[0].numpy()


@pytest.mark.parametrize("tied", [True, False])
def test_logits_are_those_of_transformers(tmp_path: Path, tied: bool) -> None:
    model, tokenizer = scratch(tmp_path, tied=tied)
    write_llama2c(leaving(model, tokenizer), tmp_path)
    place = places(tokenizer, model.config.vocab_size, "toy")
    ids = [1, *tokenizer(TEXT[-90:], add_special_tokens=False)["input_ids"]][:40]
    expected = transformers_logits(model, ids)
    reader = Reader(tmp_path / "model.bin")
    found = np.stack([reader.step(place[token], at) for at, token in enumerate(ids)])[:, place]
    assert np.abs(found - expected).max() < 1e-4
    own = logprobs(read_llama2c(tmp_path / "model.bin"), [place[token] for token in ids])[:, place]
    assert np.abs(own - torch.log_softmax(torch.tensor(expected), -1).numpy()).max() < 1e-4


def test_int8_is_the_same_within_its_rounding(tmp_path: Path) -> None:
    model, tokenizer = scratch(tmp_path)
    write_llama2c(leaving(model, tokenizer, "int8"), tmp_path)
    raw = (tmp_path / "model.bin").read_bytes()
    assert struct.unpack("<Ii", raw[:8]) == (0x616B3432, 2)
    assert struct.unpack("<7i", raw[8:36]) == (64, 96, 2, 4, 2, 340, 96)
    assert struct.unpack("<Bi", raw[36:41]) == (0, 32)  # the largest group that divides 64 and 96
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    at = 256 + 4 * 5 * 64  # two norms a layer, and the last
    assert np.frombuffer(raw, "<f4", 64, 256).tolist() == state["model.layers.0.input_layernorm.weight"].tolist()
    whole = np.frombuffer(raw, np.int8, 340 * 64, at).reshape(-1, 32)
    scales = np.frombuffer(raw, "<f4", 340 * 2, at + 340 * 64)
    found = (whole * scales[:, None]).reshape(340, 64)[places(tokenizer, 340, "toy")]
    wanted = state["model.embed_tokens.weight"]
    assert np.abs(found - wanted).max() <= np.abs(wanted).max() / 127 / 2 * 1.01
    ids = [1, *tokenizer(TEXT[:200], add_special_tokens=False)["input_ids"]][:60]
    place = places(tokenizer, 340, "toy")
    expected = torch.log_softmax(torch.tensor(transformers_logits(model, ids)), -1).numpy()
    own = logprobs(read_llama2c(tmp_path / "model.bin"), [place[token] for token in ids])[:, place]
    far = np.abs(own - expected)
    assert 1e-4 < far.mean() < 0.1


def test_token_ids_are_run_cs_own(tmp_path: Path) -> None:
    model, tokenizer = scratch(tmp_path)
    write_llama2c(leaving(model, tokenizer), tmp_path)
    rows = vocabulary(tmp_path / "tokenizer.bin", 340)
    place = places(tokenizer, 340, "toy")
    assert sorted(place) == list(range(340))
    assert (place[1], place[2]) == (1, 2)
    assert [rows[3 + value][1] for value in range(256)] == [bytes([value]) for value in range(256)]
    held_out = "the dog’s naïve song\nran on; Ünder 12 trees, and “so it went”.\n" + TEXT[:300]
    ours = [place[token] for token in tokenizer(" " + held_out, add_special_tokens=False)["input_ids"]]
    assert spelled(held_out, rows) == ours == spell(tmp_path / "tokenizer.bin", held_out, 340)
    assert b"".join(rows[index][1] for index in spelled(held_out, rows)) == (" " + held_out).encode()


def test_what_run_c_does_not_compute_is_one_line(tmp_path: Path) -> None:
    model, tokenizer = gpt2(tmp_path / "gpt2")
    with pytest.raises(ModelError, match=r"the Llama architecture only, and this is gpt2; --to gguf"):
        write_llama2c(leaving(model, tokenizer), tmp_path)
    llama, own = scratch(tmp_path)
    with pytest.raises(ModelError, match="one token for both"):
        write_llama2c(leaving(llama, tokenizer), tmp_path)
    llama.config.rope_parameters = {"rope_type": "default", "rope_theta": 100_000.0}
    with pytest.raises(ModelError, match=r"run\.c knows rope_theta 10000\.0 only"):
        write_llama2c(leaving(llama, own), tmp_path)


def test_groups_divide_every_row() -> None:
    assert [group_size(192, 576), group_size(64, 96), group_size(64, 100)] == [64, 32, 4]
