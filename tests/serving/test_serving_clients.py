"""What the openai client, and callers of its kind, get: models, completions, chats, streams, schemas, probabilities, vectors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from serving_fakes import OTHER, PASSAGE
from waiting import PATIENCE

from wellread.generation.hf import TransformersModel
from wellread.types import Sampling

http = httpx.Client(verify=False, timeout=PATIENCE)
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer"}},
    "required": ["count"],
    "additionalProperties": False,
}
ASKED: dict[str, Any] = {"model": "tiny", "max_tokens": 12, "temperature": 1, "top_p": 1, "seed": 3}
CHAT: list[Any] = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "the cat"}]


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=PATIENCE) as made:
        yield made


def own(model: TransformersModel, prompt: Any = "the cat", seed: int = 3, most: int = 12) -> str:
    return model.generate([prompt], Sampling(most, 1, 1, seed=seed))[0].completion


def test_models_are_listed_and_found(client: OpenAI) -> None:
    assert [each.id for each in client.models.list()] == ["tiny", "letters", "tiny+handbook", "tiny+store"]
    assert client.models.retrieve("tiny+handbook").owned_by == "wellread"
    with pytest.raises(NotFoundError, match="there are: tiny"):
        client.models.retrieve("tidy")
    with pytest.raises(NotFoundError):
        client.completions.create(**{**ASKED, "model": "tidy"}, prompt="a")


def test_a_completion_is_what_the_model_writes(client: OpenAI, model: TransformersModel) -> None:
    found = client.completions.create(prompt="the cat", **ASKED)
    assert found.choices[0].text == own(model)
    assert found.choices[0].finish_reason == "length"
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (model.count("the cat"), 12)


def test_several_prompts_have_several_choices_each(client: OpenAI, model: TransformersModel) -> None:
    found = client.completions.create(prompt=["the cat", "a dog"], n=2, **ASKED)
    wanted = [own(model, prompt, seed) for prompt in ("the cat", "a dog") for seed in (3, 4)]
    assert [(choice.index, choice.text) for choice in found.choices] == list(enumerate(wanted))
    assert found.usage is not None
    assert found.usage.prompt_tokens == model.count("the cat") + model.count("a dog")


def test_a_stream_is_the_same_text_bit_by_bit(client: OpenAI, model: TransformersModel) -> None:
    parts = list(
        client.completions.create(prompt="the cat", stream=True, stream_options={"include_usage": True}, **ASKED)
    )
    assert "".join(choice.text for part in parts for choice in part.choices) == own(model)
    assert [choice.finish_reason for part in parts for choice in part.choices][-1] == "length"
    assert len(parts) > 4
    assert parts[-1].usage is not None
    assert parts[-1].usage.completion_tokens == 12


def test_a_chat_is_answered_whole_and_in_parts(client: OpenAI, model: TransformersModel) -> None:
    found = client.chat.completions.create(messages=CHAT, **ASKED)
    assert found.choices[0].message.content == own(model, CHAT)
    assert found.choices[0].message.role == "assistant"
    several = client.chat.completions.create(messages=CHAT, stream=True, n=2, **ASKED)
    said, roles = {0: "", 1: ""}, []
    for part in several:
        for choice in part.choices:
            said[choice.index] += choice.delta.content or ""
            roles += [choice.delta.role] if choice.delta.role else []
    assert said == {0: own(model, CHAT, 3), 1: own(model, CHAT, 4)}
    assert roles == ["assistant"] * 2


def test_parts_of_a_message_and_newer_names_are_understood(client: OpenAI, model: TransformersModel) -> None:
    parts: list[Any] = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "the "}, {"type": "text", "text": "cat"}]},
    ]
    asked = {name: value for name, value in ASKED.items() if name != "max_tokens"}
    found = client.chat.completions.create(
        messages=parts, max_completion_tokens=12, user="someone", metadata={"a": "b"}, **asked
    )
    assert found.choices[0].message.content == own(model, CHAT)
    image: list[Any] = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    with pytest.raises(BadRequestError):
        client.chat.completions.create(messages=image, **asked)


def test_a_stop_sequence_ends_the_text_whole_or_streamed(client: OpenAI, model: TransformersModel) -> None:
    text = own(model)
    stop = text[4:7]
    wanted = text[: text.index(stop)]
    whole = client.completions.create(prompt="the cat", stop=["never there", stop], **ASKED).choices[0]
    assert (whole.text, whole.finish_reason) == (wanted, "stop")
    parts = list(client.completions.create(prompt="the cat", stop=stop, stream=True, **ASKED))
    assert "".join(part.choices[0].text for part in parts) == wanted
    assert parts[-1].choices[0].finish_reason == "stop"


def test_seeds_decide_and_without_one_no_two_are_alike(client: OpenAI) -> None:
    free = {name: value for name, value in ASKED.items() if name != "seed"}
    assert len({client.completions.create(prompt="the cat", **free).choices[0].text for _ in range(3)}) == 3
    greedy = {**free, "temperature": 0}
    assert len({client.completions.create(prompt="the cat", **greedy).choices[0].text for _ in range(2)}) == 1
    assert client.completions.create(prompt="the cat", **free, seed=-1).choices


def test_an_answer_follows_its_schema(client: OpenAI) -> None:
    pytest.importorskip("llguidance")
    form: Any = {"type": "json_schema", "json_schema": {"name": "c", "schema": SCHEMA, "strict": True}}
    asked = {**ASKED, "max_tokens": 60}
    found = client.chat.completions.create(messages=CHAT, response_format=form, **asked).choices[0]
    assert set(json.loads(found.message.content or "")) == {"count"}
    assert found.finish_reason == "stop"
    several = client.chat.completions.create(messages=CHAT, response_format=form, stream=True, **asked)
    assert set(json.loads("".join(part.choices[0].delta.content or "" for part in several))) == {"count"}
    anything = client.chat.completions.create(messages=CHAT, response_format={"type": "json_object"}, **asked).choices[
        0
    ]
    assert isinstance(json.loads(anything.message.content or ""), dict)
    impossible: Any = {"type": "json_schema", "json_schema": {"name": "c", "schema": {"type": "nonsense"}}}
    with pytest.raises(BadRequestError, match="cannot be followed"):
        client.chat.completions.create(messages=CHAT, response_format=impossible, **asked)


def test_probabilities_go_with_the_tokens(client: OpenAI) -> None:
    found = client.chat.completions.create(messages=CHAT, logprobs=True, top_logprobs=2, **ASKED).choices[0]
    assert found.logprobs is not None
    assert found.logprobs.content is not None
    assert b"".join(bytes(each.bytes or []) for each in found.logprobs.content).decode("utf-8", "replace").startswith(
        (found.message.content or "").rstrip("\ufffd"))  # fmt: skip
    assert len(found.logprobs.content) == 12
    for each in found.logprobs.content:
        assert each.logprob <= 0
        assert len(each.top_logprobs) == 2
        assert each.top_logprobs[0].logprob >= max(each.logprob, each.top_logprobs[1].logprob)
        assert math.exp(each.top_logprobs[0].logprob) <= 1
    legacy = client.completions.create(prompt="the cat", logprobs=1, **ASKED).choices[0].logprobs
    assert legacy is not None
    assert len(legacy.tokens or []) == len(legacy.token_logprobs or []) == 12
    parts = client.chat.completions.create(messages=CHAT, logprobs=True, top_logprobs=2, stream=True, **ASKED)
    streamed = [each.logprob for part in parts for choice in part.choices if choice.logprobs
                for each in choice.logprobs.content or []]  # fmt: skip
    assert streamed == [each.logprob for each in found.logprobs.content]


def test_tokens_of_a_stop_sequence_are_not_told(client: OpenAI, model: TransformersModel) -> None:
    text = own(model)
    stop = text[3:6]
    legacy = client.completions.create(prompt="the cat", logprobs=0, stop=stop, **ASKED).choices[0]
    assert legacy.logprobs is not None
    assert all(offset < max(1, len(legacy.text)) for offset in legacy.logprobs.text_offset or [])


def test_vectors_come_as_numbers_and_packed(client: OpenAI, url: str) -> None:
    found = client.embeddings.create(model="letters", input=["cab", "zz"])  # the client asks for base64 and unpacks it
    assert [each.embedding[:3] for each in found.data] == [[1, 1, 1], [0, 0, 0]]
    plain = client.embeddings.create(model="tiny+handbook", input="aab", encoding_format="float")
    assert plain.data[0].embedding[:3] == [2, 1, 0]
    for wrong in ({"model": "tiny", "input": "a"}, {"model": "letters", "input": ""}, {"model": "letters", "input": [[1, 2]]},
                  {"model": "letters", "input": "a", "dimensions": 5}):  # fmt: skip
        assert http.post(f"{url}/embeddings", json=wrong).status_code == 400
    assert http.post(f"{url}/completions", json={"model": "letters", "prompt": "a"}).status_code == 400


@pytest.mark.parametrize("ids", [[64, 65], [[64, 65], [1]], ["a", [64]], ["a", 64]])
def test_token_ids_are_refused_in_one_clear_line(client: OpenAI, ids: Any) -> None:
    said = "texts are wanted, found token ids, which mean other words to every tokenizer; send the texts themselves"
    with pytest.raises(BadRequestError) as refused:
        client.embeddings.create(model="letters", input=ids)
    assert refused.value.body == {
        "message": f"input: {said}",
        "type": "invalid_request_error",
        "param": "input",
        "code": "invalid_value",
    }
    with pytest.raises(BadRequestError) as refused:
        client.completions.create(model="tiny", prompt=ids)
    assert f"prompt: {said}" in str(refused.value)


def test_what_an_answer_rests_on_goes_with_it(client: OpenAI) -> None:
    asked: dict[str, Any] = {
        "model": "tiny+handbook",
        "messages": [{"role": "user", "content": "When are stoves lit?"}],
    }
    found = client.chat.completions.create(**asked).choices[0]
    [cited] = found.message.annotations or []  # [7] names no source
    assert (found.message.content or "")[cited.url_citation.start_index : cited.url_citation.end_index] == "[1]"
    assert cited.url_citation.title == "Heating › Stoves"
    assert cited.url_citation.url == "hand%20book.md#char=120,158"
    assert [each["page"] for each in found.model_dump()["sources"]] == [7, None]
    *_, last = client.chat.completions.create(stream=True, **asked)
    assert last.choices[0].delta.model_dump()["annotations"][0]["url_citation"]["title"] == "Heating › Stoves"
    with pytest.raises(BadRequestError, match="logprobs"):
        client.chat.completions.create(logprobs=True, **asked)


def test_a_model_with_a_store_streams_what_it_writes_from_what_was_found(client: OpenAI) -> None:
    asked: dict[str, Any] = {"model": "tiny+store", "messages": [{"role": "user", "content": "When are stoves lit?"}],
                             "max_tokens": 8, "seed": 1}  # fmt: skip
    whole = client.chat.completions.create(**asked)
    assert [each["text"] for each in whole.choices[0].model_dump()["sources"]] == [PASSAGE.text, OTHER.text]
    assert whole.usage is not None
    assert whole.usage.prompt_tokens > 100  # the sources are counted
    parts = list(client.chat.completions.create(stream=True, **asked))
    assert "".join(part.choices[0].delta.content or "" for part in parts) == whole.choices[0].message.content
    assert len(parts) > 4
    assert len(parts[-1].choices[0].model_dump()["sources"]) == 2
    nothing = client.chat.completions.create(**{**asked, "messages": [{"role": "user", "content": "zzz"}]}).choices[0]
    assert "do not say" in (nothing.message.content or "")
    assert nothing.finish_reason == "stop"


def test_the_guard_is_a_field(client: OpenAI, model: TransformersModel) -> None:
    guarded = (
        client.completions.create(prompt="the cat", extra_body={"no_recite": 1, "top_k": 5}, **ASKED).choices[0].text
    )
    assert guarded == model.generate(["the cat"], Sampling(12, 1, 1, top_k=5, seed=3, no_recite=1))[0].completion
    with pytest.raises(BadRequestError, match="no book"):
        client.chat.completions.create(model="tiny+handbook", messages=CHAT, extra_body={"no_recite": 8})


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def schema_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "any", "schema": schema}}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dial": 0.5}, "no dial"),
        ({"dial": 3}, "dial"),
        ({"presence_penalty": 1.0}, "repetition_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"tool_choice": "required"}, "tools"),
        ({"top_logprobs": 3}, "logprobs: true"),
        ({"temperature": -1}, "temperature"),
        ({"n": 33}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": "the cat " * 100}]}, "sees 128"),
        ({"response_format": {"type": "json_schema"}}, "json_schema is missing"),
        ({"response_format": schema_of(nested(40))}, "32 values deep"),
        ({"response_format": schema_of(nested(400))}, "32 values deep"),
        ({"response_format": schema_of({"enum": list(range(2001))})}, "2,000 values"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(url: str, changed: dict[str, Any], said: str) -> None:
    answer = http.post(f"{url}/chat/completions", json={"messages": CHAT, **ASKED, **changed})
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_what_changes_nothing_is_let_pass(url: str) -> None:
    """As LiteLLM and Open WebUI send it: fields of theirs, and settings at their idle values."""
    idle = {"presence_penalty": 0, "frequency_penalty": 0, "logit_bias": {}, "tools": [{"type": "function"}], "tool_choice": "auto",
            "parallel_tool_calls": True, "store": False, "chat_id": "c", "stop": None, "stream": False, "top_logprobs": None}  # fmt: skip
    assert http.post(f"{url}/chat/completions", json={"messages": CHAT, **ASKED, **idle}).status_code == 200


def test_a_text_may_be_longer_than_the_window_and_no_longer_than_the_server_lets_it(
    url: str, model: TransformersModel
) -> None:
    asked = {**ASKED, "max_tokens": 100_000, "prompt": "the cat", "temperature": 0}
    found = http.post(f"{url}/completions", json=asked).json()
    assert found["usage"]["completion_tokens"] <= 200
    [sample] = model.generate(["the cat"], Sampling(200, 0, 1, seed=3))
    assert found["choices"][0]["text"] == sample.completion
    chat = http.post(f"{url}/chat/completions", json={"model": "tiny", "messages": CHAT, "seed": 3}).json()
    assert chat["usage"]["total_tokens"] <= 128
