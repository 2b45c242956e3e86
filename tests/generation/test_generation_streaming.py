"""Token by token: what `stream` gives is what `generate` writes, and what is shown is never half a character or a stop."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from wellread.errors import ModelError
from wellread.generation.hf import TransformersModel
from wellread.matching import Index
from wellread.streaming import Shown, StreamingModel, Token, texts
from wellread.testing import Memorised
from wellread.types import Document, Prompt, Sampling

FREE = Sampling(max_tokens=20, temperature=1, top_p=1)
GREEDY = Sampling(max_tokens=20, temperature=0)
PROMPTS = ["the cat", "a dog sat on the", "the log and the end", "naïve", "the mat"]


@pytest.fixture(scope="module")
def model(opened: tuple[Any, Any]) -> TransformersModel:
    return TransformersModel(*opened, "tiny", index=Index([Document("d", "the cat sat on the mat and the dog")]))


def gathered(steps: Iterator[list[Token | None]], count: int) -> list[tuple[str, str]]:
    """The texts of a stream, and why each ended."""
    shown, ends, said = [Shown() for _ in range(count)], [""] * count, [""] * count
    for tokens in steps:
        for place, token in enumerate(tokens):
            if token is not None:
                said[place] += shown[place].add(token.piece)
                ends[place] = token.finish or ends[place]
    return list(zip(said, ends, strict=True))


def asked(sampling: Sampling) -> list[tuple[Prompt, Sampling]]:
    return [(prompt, replace(sampling, seed=place)) for place, prompt in enumerate(PROMPTS)]


@pytest.mark.parametrize(
    "sampling", [FREE, replace(FREE, repetition_penalty=1.3, top_k=40), replace(FREE, no_recite=2)]
)
def test_a_stream_is_what_generate_writes(model: TransformersModel, sampling: Sampling) -> None:
    wanted = asked(sampling)
    alone = [model.generate([prompt], each)[0] for prompt, each in wanted]
    assert gathered(model.stream(wanted), 5) == [(each.completion, each.finish) for each in alone]


def test_texts_of_unlike_length_are_each_as_if_alone_though_some_end_before(model: TransformersModel) -> None:
    lengths = [3, 20, 4, 2, 12]
    wanted = [(prompt, replace(FREE, seed=7, max_tokens=most)) for prompt, most in zip(PROMPTS, lengths, strict=True)]
    alone = [model.generate([prompt], each)[0].completion for prompt, each in wanted]
    assert [text for text, _ in gathered(model.stream(wanted), 5)] == alone


def test_a_text_that_is_not_wanted_ends_and_the_others_go_on_as_before(model: TransformersModel) -> None:
    wanted = asked(FREE)
    alone = [model.generate([prompt], each)[0].completion for prompt, each in wanted]
    steps: list[list[Token | None]] = []
    gone = {0, 2, 4}  # more than half: the rows left are cut out of the cache
    stream = model.stream(wanted, wanted=lambda place: len(steps) < 5 or place not in gone)
    for tokens in stream:
        steps.append(tokens)
    said = [text for text, _ in gathered(iter(steps), 5)]
    assert [said[1], said[3]] == [alone[1], alone[3]]
    assert all(sum(step[place] is not None for step in steps) == 5 for place in gone)


def test_a_stream_that_nobody_wants_ends(model: TransformersModel) -> None:
    assert list(model.stream(asked(FREE), wanted=lambda place: False)) == []


def test_writing_goes_on_beyond_the_window(model: TransformersModel) -> None:
    long = replace(FREE, max_tokens=150)
    [sample] = model.generate(["the cat"], long)
    assert gathered(model.stream([("the cat", long)]), 1) == [(sample.completion, sample.finish)]


def test_texts_drawn_in_different_ways_are_not_written_together(model: TransformersModel) -> None:
    with pytest.raises(ValueError, match="one way"):
        model.stream([("a", FREE), ("b", GREEDY)])


def test_logarithms_are_the_models_own(model: TransformersModel, opened: tuple[Any, Any]) -> None:
    network, tokenizer = opened
    ids = [tokenizer.bos_token_id, *tokenizer("the cat", add_special_tokens=False)["input_ids"]]
    with torch.no_grad():
        logprobs = network(torch.tensor([ids], device=network.device)).logits[0, -1].float().cpu().log_softmax(-1)
    cold = replace(FREE, temperature=0.1, repetition_penalty=2.0, max_tokens=1)
    [[token]] = list(model.stream([("the cat", cold)], likeliest=3))
    assert token is not None
    assert token.finish == "length"
    assert [value for _, value in token.likeliest] == pytest.approx(logprobs.topk(3).values.tolist(), abs=1e-4)
    assert any(token.logprob == pytest.approx(value, abs=1e-4) for value in logprobs.tolist())
    [[plain]] = list(model.stream([("the cat", cold)]))
    assert plain is not None
    assert (plain.logprob, plain.likeliest, plain.piece) == (None, (), token.piece)


def test_a_schema_holds_a_stream_too(model: TransformersModel) -> None:
    pytest.importorskip("llguidance")
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    [sample] = model.generate_json(["the"], replace(FREE, max_tokens=16), schema)
    [(text, finish)] = gathered(model.stream([("the", replace(FREE, max_tokens=16))], schema=schema), 1)
    assert (text, finish) == (sample.completion, "stop")


def test_what_a_prompt_takes(model: TransformersModel) -> None:
    assert isinstance(model, StreamingModel)
    assert model.count("") == 1
    assert model.count("the cat") == len(model._asked("the cat"))


def test_a_template_that_refuses_a_chat_says_so(opened: tuple[Any, Any], tiny: Any) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    strict = TransformersModel(opened[0], tokenizer, "strict")
    with pytest.raises(ModelError, match="roles must alternate"):
        strict.count([{"role": "user", "content": "a"}])


def test_a_text_for_whoever_reads_along(model: TransformersModel) -> None:
    [sample] = model.generate(["the cat"], FREE)
    parts = list(texts(model, "the cat", FREE))
    assert "".join(parts) == sample.completion
    assert len(parts) > 3
    stop = sample.completion[5:8]
    cut = "".join(texts(model, "the cat", FREE, stops=[stop]))
    assert cut == sample.completion[: sample.completion.index(stop)]
    assert list(texts(Memorised("abc def"), "abc", FREE)) == [" def"]


def shown_by(pieces: list[bytes], stops: list[str]) -> tuple[str, bool, list[str]]:
    shown = Shown(stops)
    parts = [shown.add(piece) for piece in pieces]
    return "".join(parts) + shown.end(), shown.stopped, parts


def cut_by_hand(text: str, stops: list[str]) -> str:
    """From the definition: letter by letter, until one of the stops is there."""
    for end in range(1, len(text) + 1):
        places = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if places:
            return text[: min(places)]
    return text


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_stops_work_across_any_borders_and_characters_stay_whole(size: int) -> None:
    draw = random.Random(size)
    make: Callable[[int], str] = lambda length: "".join(draw.choices("ab\né😀", k=length))  # noqa: E731
    for _ in range(300):
        text, stops = make(30), [make(draw.randint(1, 4)) for _ in range(draw.randint(0, 3))]
        data = text.encode()
        pieces = [data[start : start + size] for start in range(0, len(data), size)]
        said, stopped, parts = shown_by(pieces, stops)
        assert said == cut_by_hand(text, stops)
        assert stopped == (said != text)
        assert "\ufffd" not in "".join(parts)


def test_what_may_become_a_stop_waits_until_it_is_settled() -> None:
    said, stopped, parts = shown_by([b"one\n", b"\ntwo\n", b"\n", b"\nthree"], ["\n\n\n"])
    assert (said, stopped) == ("one\n\ntwo", True)
    assert parts == ["one", "\n\ntwo", "", ""]


def test_half_a_character_at_the_end_is_left_out_and_what_is_none_is_replaced() -> None:
    assert shown_by(["é".encode()[:1]], [])[0] == ""
    assert shown_by([b"a\xff", b"b"], [])[0] == "a\ufffdb"


def test_a_tokenizer_that_tells_no_bytes_streams_the_same_text(model: TransformersModel, monkeypatch: Any) -> None:
    expected = gathered(model.stream([("the cat", GREEDY)]), 1)
    monkeypatch.setattr(model._spelling, "_bytes", None)
    assert gathered(model.stream([("the cat", GREEDY)]), 1)[0][0].replace("\ufffd", "") == expected[0][0].replace(
        "\ufffd", ""
    )
