"""A model.bin in, what run.c or runq.c computes from it out: how an export is checked. For matrices in int8 what is
multiplied with them is rounded by the same groups, as runq.c does."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellread.exporters.llama2c import ATTENTION, EPSILON, FEED_FORWARD, HEADER, MAGIC, NORMS, THETA
from wellread.exporters.llama2c_tokens import BYTES

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Read:
    """What stands in a model.bin."""

    layers: int
    heads: int
    key_value_heads: int
    tensors: dict[str, Floats]
    """[layers, …] by the names of transformers without the layer; matrices in int8 multiplied out."""
    group: int
    """Of a file in int8; 0 for float32."""


def read_llama2c(path: Path) -> Read:
    """Maps the file; a file in int8 is unpacked to float32."""
    data: Any = np.memmap(path, np.uint8, "r")
    packed = struct.unpack("<I", data[:4].tobytes())[0] == MAGIC
    numbers = struct.unpack("<7i", data[8:36].tobytes() if packed else data[:28].tobytes())
    width, inner, layers, heads, kv_heads, vocabulary, positions = numbers
    tied, group = struct.unpack("<Bi", data[36:41].tobytes()) if packed else (vocabulary > 0, 0)
    vocabulary, narrow = abs(vocabulary), width // heads * kv_heads
    shapes = {
        "embed": (1, vocabulary, width), "norm": (1, width), "input_layernorm": (layers, width),
        "post_attention_layernorm": (layers, width), "self_attn.q_proj": (layers, width, width),
        "self_attn.k_proj": (layers, narrow, width), "self_attn.v_proj": (layers, narrow, width),
        "self_attn.o_proj": (layers, width, width), "mlp.gate_proj": (layers, inner, width),
        "mlp.down_proj": (layers, width, inner), "mlp.up_proj": (layers, inner, width),
        "angles": (2, positions, width // heads // 2), "head": (1, vocabulary, width),
    }  # fmt: skip
    before = (NORMS[0], *ATTENTION, NORMS[1], *FEED_FORWARD, "norm")
    order = (*NORMS, "norm", "embed", *ATTENTION, *FEED_FORWARD) if packed else ("embed", *before, "angles")
    at, tensors = HEADER if packed else 28, {}
    for name in order if tied else (*order, "head"):
        tensors[name], at = _tensor(data, at, shapes[name], 0 if name in (*NORMS, "norm") else group)
    return Read(layers, heads, kv_heads, tensors, group)


def _tensor(data: Any, at: int, shape: tuple[int, ...], group: int) -> tuple[Floats, int]:
    """One tensor of every layer, and where the next begins. In int8, each layer's numbers stand before its scales."""
    count = int(np.prod(shape))
    if not group:
        return data[at : at + 4 * count].view("<f4").reshape(shape), at + 4 * count
    each, found = count // shape[0], []
    for _ in range(shape[0]):
        whole = data[at : at + each].view(np.int8).reshape(-1, group)
        at += each
        scales = data[at : at + 4 * (each // group)].tobytes()
        at += 4 * (each // group)
        found.append((whole * np.frombuffer(scales, "<f4")[:, None]).reshape(shape[1:]))
    return np.stack(found), at


def logprobs(read: Read, ids: Sequence[int]) -> Floats:
    """[tokens, vocabulary]: after each of the ids, by the file's own, the logarithm of what comes next."""
    tensors, length = read.tensors, len(ids)
    x = tensors["embed"][0][list(ids)]
    size = x.shape[1] // read.heads
    angles = np.outer(np.arange(length), THETA ** -(np.arange(0, size, 2, dtype=np.float32) / size)).astype(np.float32)
    turn = np.cos(angles) + 1j * np.sin(angles)
    hidden = np.triu(np.full((length, length), -np.inf, np.float32), 1)
    shared = read.heads // read.key_value_heads
    for layer in range(read.layers):
        near = _normed(x, tensors["input_layernorm"][layer])
        query, key, value = (
            _product(near, tensors[name][layer], read.group).reshape(length, -1, size).swapaxes(0, 1)
            for name in ATTENTION[:3]
        )
        query, key = _turned(query, turn), np.repeat(_turned(key, turn), shared, 0)
        weight = _softmax(query @ key.swapaxes(1, 2) / np.float32(size**0.5) + hidden)
        mixed = (weight @ np.repeat(value, shared, 0)).swapaxes(0, 1).reshape(length, -1)
        x = x + _product(mixed, tensors[ATTENTION[3]][layer], read.group)
        near = _normed(x, tensors["post_attention_layernorm"][layer])
        gate, up = (_product(near, tensors[name][layer], read.group) for name in (FEED_FORWARD[0], FEED_FORWARD[2]))
        x = x + _product(gate / (1 + np.exp(-gate)) * up, tensors[FEED_FORWARD[1]][layer], read.group)
    logits = _product(_normed(x, tensors["norm"][0]), tensors.get("head", tensors["embed"])[0], read.group)
    peak = logits.max(-1, keepdims=True)
    found: Floats = logits - peak - np.log(np.exp(logits - peak).sum(-1, keepdims=True))
    return found


def _normed(x: Floats, weight: Floats) -> Floats:
    found: Floats = x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(EPSILON)) * weight
    return found


def _turned(rows: Floats, turn: NDArray[Any]) -> Floats:
    """Neighbouring numbers of each head as a complex one, turned by the position's angle."""
    pairs = rows[..., 0::2] + 1j * rows[..., 1::2]
    turned = pairs * turn
    return np.stack([turned.real, turned.imag], -1).reshape(rows.shape).astype(np.float32)


def _product(x: Floats, matrix: Floats, group: int) -> Floats:
    if group:
        blocks = x.reshape(-1, group)
        scales = np.abs(blocks).max(1, keepdims=True) / 127
        x = (np.rint(blocks / np.where(scales > 0, scales, 1)) * scales).reshape(x.shape)
    found: Floats = x @ matrix.T
    return found


def _softmax(scores: Floats) -> Floats:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    found: Floats = weights / weights.sum(-1, keepdims=True)
    return found


def spell(path: Path, text: str, vocabulary: int) -> list[int]:
    """The ids, by a tokenizer.bin of so many tokens, that run.c reads a text as: a space first, then every character that
    has a token or its bytes, then the best two neighbours merged for as long as any two make a token."""
    data, at = path.read_bytes(), 4
    ids: dict[bytes, int] = {}
    scores, strings = [], []
    for index in range(vocabulary):
        score, length = struct.unpack_from("<fI", data, at)
        at += 8 + length
        strings.append(data[at - length : at].split(b"\0")[0])
        scores.append(score)
        ids.setdefault(strings[-1], index)
    found = [ids[b" "]]
    for letter in text:
        known = ids.get(letter.encode())
        found += [known] if known is not None else [BYTES + value for value in letter.encode()]
    while True:
        pairs = [ids.get(strings[one] + strings[other]) for one, other in itertools.pairwise(found)]
        best = max(
            (each for each in enumerate(pairs) if each[1] is not None),
            key=lambda each: scores[each[1] or 0],
            default=None,
        )
        if best is None:
            return found
        found[best[0] : best[0] + 2] = [best[1] or 0]
