"""GGUF files as a base: they open, train every way, and the embedded one is unpacked once."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from weights_toy import logits, needs_bitsandbytes, needs_embedded, stage, teach, tiny_gguf

from wellread import weights
from wellread.errors import ModelError
from wellread.testing import byte_tokenizer
from wellread.weights.gguf import embedded_file, read_gguf, unpacked


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gguf")
    return tiny_gguf(folder / "tiny.gguf", byte_tokenizer(folder / "tokenizer", ["the thing"] * 9, vocabulary=260))


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "full"},
        {"kind": "lora", "rank": 2},
        pytest.param({"kind": "qlora", "rank": 2}, marks=needs_bitsandbytes),
    ],
)
def test_every_method_trains_on_a_gguf_file_and_finds_it_after_a_move(
    base: Path, tmp_path: Path, method: dict[str, Any]
) -> None:
    from transformers import AutoModelForCausalLM

    home = tmp_path / "home"
    home.mkdir()
    own = home / "own.gguf"
    own.write_bytes(base.read_bytes())
    before = logits(weights.open_base(str(own)).model)
    trainee = weights.open_to_train(stage(method), str(own), folder=home, text_bytes=0, seed=1)
    said = logits(teach(trainee.model))
    assert not torch.allclose(said, before, atol=0.1)
    assert any("second time" in note for note in trainee.notes) == (method["kind"] == "qlora")
    weights.save(trainee.model, trainee.tokenizer, home / "c", method=str(method["kind"]), base=trainee.base)
    home.rename(tmp_path / "moved")
    checkpoint = tmp_path / "moved" / "c"
    found = weights.open_base(str(checkpoint))
    torch.testing.assert_close(logits(found.model), said, rtol=0, atol=1e-5)
    merged = weights.save(weights.merge(found.model), found.tokenizer, tmp_path / "merged", method="full").path
    torch.testing.assert_close(logits(AutoModelForCausalLM.from_pretrained(merged)), said, rtol=0, atol=1e-5)
    assert "quantization_config" not in json.loads((merged / "config.json").read_text())


def test_a_gguf_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ModelError, match="cannot be opened"):
        weights.open_base(str(path))


def test_an_unpacked_copy_is_the_same_model_and_made_once(base: Path, tmp_path: Path) -> None:
    copy = unpacked(base, tmp_path)
    assert copy is not None
    model, tokenizer = read_gguf(base)
    found = weights.open_base(str(copy))
    assert torch.equal(logits(found.model), logits(model))
    assert found.tokenizer.encode("naïve <|endoftext|>") == tokenizer.encode("naïve <|endoftext|>")
    assert found.tokenizer.eos_token_id == tokenizer.eos_token_id
    stamp = (copy / "model.safetensors").stat().st_mtime_ns
    assert unpacked(base, tmp_path) == copy
    assert (copy / "model.safetensors").stat().st_mtime_ns == stamp
    other = base.with_name("other.gguf")
    other.write_bytes(base.read_bytes() + bytes(32))
    assert unpacked(other, tmp_path) not in {copy, None}
    assert copy.is_dir()


def test_only_copies_that_nobody_opened_for_a_month_are_removed(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    def opened(version: str) -> Path:
        monkeypatch.setattr(transformers, "__version__", version)
        copy = unpacked(base, tmp_path)
        assert copy is not None
        return copy

    copies = {version: opened(version) for version in ("5.0", "5.1", "5.2")}
    for version, days in (("5.0", 31), ("5.1", 40), ("5.2", 29)):
        os.utime(copies[version], (time.time() - days * 86_400,) * 2)
    assert opened("5.1") == copies["5.1"]  # counts from today again
    copies["5.3"] = opened("5.3")
    assert {version for version, copy in copies.items() if copy.is_dir()} == {"5.1", "5.2", "5.3"}


def test_without_room_for_a_copy_the_file_itself_is_read(base: Path, tmp_path: Path) -> None:
    (tmp_path / "wellread").write_text("a file where the cache would be")
    assert unpacked(base, tmp_path) is None


# the embedded base


@needs_embedded
@pytest.mark.slow
def test_the_embedded_base_opens_quietly_trains_and_saves(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    opened = weights.open_base("embedded")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert opened.model.num_parameters() == 134_515_008
    assert weights.document_start(opened.tokenizer) == opened.tokenizer.convert_tokens_to_ids("<|endoftext|>")
    text = "It was the best of times, it was the worst of times, it was the age of wisdom"
    ids = torch.tensor([[weights.document_start(opened.tokenizer), *opened.tokenizer.encode(text)]])
    assert opened.model(ids, labels=ids).loss.item() < 3
    model, tokenizer = read_gguf(embedded_file())
    capfd.readouterr()
    state = opened.model.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert tokenizer.encode(text) == opened.tokenizer.encode(text)
    assert tokenizer.chat_template == opened.tokenizer.chat_template
    trainee = weights.open_to_train(stage({"kind": "lora"}), "embedded", folder=tmp_path, text_bytes=600_000, seed=0)
    assert trainee.model.active_peft_config.r == 8
    saved = weights.save(
        teach(trainee.model, 1), trainee.tokenizer, tmp_path / "adapter", method="lora", base="embedded"
    )
    assert json.loads((saved.path / "adapter_config.json").read_text())["base_model_name_or_path"] == "embedded"
    assert torch.equal(logits(weights.open_base(str(saved.path)).model), logits(trainee.model))
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
