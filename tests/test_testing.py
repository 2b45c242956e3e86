"""The fakes keep their word."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from wellread.testing import Memorised, UniformBytes, byte_tokenizer, tiny_model
from wellread.types import Document, Sampling


@pytest.mark.parametrize("text", ["naïve", "🙂🙂", "plain", ""])
def test_uniform_bytes_costs_eight_bits_a_byte(text: str) -> None:
    [scored] = UniformBytes().score([text])
    assert -sum(scored.logprobs) / math.log(2) == pytest.approx(8 * len(text.encode()))
    assert list(scored.starts) == list(range(len(text.encode())))
    assert not any(scored.greedy)


def test_memorised_knows_its_texts_and_nothing_else() -> None:
    model = Memorised("All of this is known.", Document("d", "And this, too."))
    known, also, other = model.score(["this is", "this, too", "this was"])
    assert all(known.greedy)
    assert all(also.greedy)
    assert not any(other.greedy)
    assert sum(known.logprobs) > math.log(0.99)
    assert other.logprobs[0] == -math.log(256)


def test_memorised_goes_on_as_the_text_does() -> None:
    model = Memorised("All of this is known.")
    short, other_seed = model.generate(["All of"], Sampling(max_tokens=5, n=2))
    assert (short.completion, short.finish, other_seed.completion) == (" this", "length", " this")
    [end] = model.generate(["this is"], Sampling(max_tokens=50))
    assert (end.completion, end.finish) == (" known.", "stop")
    [unknown] = model.generate(["Nothing"], Sampling(max_tokens=50))
    assert len(unknown.completion) == 50


def test_uniform_writes_by_prompt_and_seed() -> None:
    first, second = UniformBytes().generate(["a"], Sampling(max_tokens=30, n=2))
    [again] = UniformBytes().generate(["a"], Sampling(max_tokens=30, seed=1))
    assert first.completion != second.completion == again.completion
    assert len(first.completion) == 30


def test_a_byte_tokenizer_spells_everything(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(byte_tokenizer(tmp_path))
    assert len(tokenizer) == 257
    ids = tokenizer("naïve 🙂", add_special_tokens=False)["input_ids"]
    assert len(ids) == len("naïve 🙂".encode())
    assert tokenizer.decode(ids) == "naïve 🙂"


def test_a_tiny_model_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    one, same, other = (
        AutoModelForCausalLM.from_pretrained(tiny_model(tmp_path / str(place), ["a cat"], vocabulary=260, seed=seed))
        for place, seed in enumerate([0, 0, 1])
    )
    assert one.lm_head.weight.equal(same.lm_head.weight)
    assert not one.lm_head.weight.equal(other.lm_head.weight)
