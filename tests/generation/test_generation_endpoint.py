"""A model at an endpoint, and servers that behave badly: it ends, loses nothing, and says what happened."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile import Hostile, answer, completion, endless, gone, half, late, raw, say, status
from waiting import PATIENCE, comes

from wellread.errors import ModelError, RunError
from wellread.generation.calling import Limits
from wellread.generation.endpoint import EndpointModel, address
from wellread.generation.pace import asked_to_wait, duration, used_up
from wellread.types import Sampling

QUICK = Limits(seconds=20.0, tries=3, backoff=0.01, wait=1.0, concurrency=2, size=20_000)
HASTY = replace(QUICK, seconds=1.0)
GREEDY = Sampling(max_tokens=5, temperature=0.0, top_p=1.0)


def test_a_chat_and_every_setting_are_sent_as_servers_expect_them() -> None:
    sampling = Sampling(9, 0.5, 0.9, 40, 0.1, 1.2, 3, 2)
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}]
    with Hostile(otherwise=answer(lambda body: f"seed {body['seed']}")) as fake:
        samples = EndpointModel(fake.name).generate([chat, "Once"], sampling, schema={"type": "object"})
    assert [sample.completion for sample in samples] == ["seed 3", "seed 4"] * 2
    assert [(sample.prompt, sample.seed) for sample in samples] == [
        ("Hello?", 3),
        ("Hello?", 4),
        ("Once", 3),
        ("Once", 4),
    ]
    bodies = sorted(fake.asked, key=lambda body: (len(body["messages"]), body["seed"]))
    assert bodies[0]["messages"] == [{"role": "user", "content": "Once"}]
    assert bodies[2]["messages"] == chat
    assert {key: bodies[0][key] for key in ("model", "max_tokens", "temperature", "top_p", "top_k", "min_p")} == {
        "model": "tiny", "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.1,
    }  # fmt: skip
    assert bodies[0]["repetition_penalty"] == bodies[0]["repeat_penalty"] == 1.2
    assert bodies[0]["stream"] is False
    assert bodies[0]["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_what_is_switched_off_is_not_sent() -> None:
    with Hostile() as fake:
        EndpointModel(fake.name).generate(["Once"], GREEDY)
    assert set(fake.asked[0]) == {"model", "messages", "max_tokens", "temperature", "seed", "stream"}


def test_a_reply_that_reached_its_limit_says_so() -> None:
    with Hostile(say("and then", finish="length")) as fake:
        [sample] = EndpointModel(fake.name).generate(["Once"], GREEDY)
    assert (sample.tokens_read, sample.tokens_written) == (7, 3)  # as its `usage` has it
    assert (sample.completion, sample.finish) == ("and then", "length")


TROUBLES = {
    "500": (status(500, "on fire"), "on fire"),
    "half a JSON": (half, "not a whole JSON object"),
    "wrong schema": (raw(b'{"answer": "yes"}'), "not a chat completion"),
    "no text": (raw(completion(None)), "without text"),
    "late": (late(5.0), "no answer within 1 s"),
    "endless and fast": (endless(0.0), "more than 20,000 bytes"),
    "endless and slow": (endless(0.02, b" "), "had not ended after 1 s"),
    "gone": (gone, "connection broke"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_tried_again(name: str) -> None:
    trouble, told = TROUBLES[name]
    limits = replace(HASTY if " 1 s" in told else QUICK, tries=9)  # a machine that is at work may be late itself
    with Hostile(trouble, otherwise=say("yes")) as fake:
        [sample] = EndpointModel(fake.name, limits=limits).generate(["Once"], GREEDY)
    assert sample.completion == "yes"
    assert len(fake.asked) >= 2


@pytest.mark.parametrize("name", [name for name in TROUBLES if name != "late"])
def test_trouble_that_stays_ends_and_is_told(name: str) -> None:
    trouble, told = TROUBLES[name]
    with Hostile(otherwise=trouble) as fake, pytest.raises(RunError, match=told):
        EndpointModel(fake.name, limits=HASTY if " 1 s" in told else QUICK).generate(["Once"], GREEDY)
    assert len(fake.asked) == QUICK.tries


def test_a_server_that_only_ever_fails_is_left_alone() -> None:
    with Hostile(otherwise=status(500)) as fake:
        found = EndpointModel(fake.name, limits=QUICK).replies([f"Question {n}" for n in range(40)], GREEDY)
    assert all(isinstance(each, RunError) for each in found)
    assert len(fake.asked) <= (3 + QUICK.concurrency) * QUICK.tries
    assert any("one after another" in str(each) for each in found)


def test_retry_after_is_obeyed_by_every_call() -> None:
    with Hostile(status(429, Retry_After="0.4"), otherwise=say("yes")) as fake:
        model = EndpointModel(fake.name, limits=replace(QUICK, concurrency=1))
        began = time.monotonic()
        model.generate(["Once", "Twice"], GREEDY)
    assert time.monotonic() - began >= 0.4
    assert len(fake.asked) == 3


def test_a_limit_that_is_used_up_is_waited_for_before_it_is_hit() -> None:
    spent = say("yes", x_ratelimit_remaining_requests="0", x_ratelimit_reset_requests="300ms")
    with Hostile(spent) as fake:
        model = EndpointModel(fake.name, limits=QUICK)
        began = time.monotonic()
        model.generate(["Once"], GREEDY)
        model.generate(["Twice"], GREEDY)
    assert time.monotonic() - began >= 0.3


def test_a_server_that_asks_for_an_hour_is_not_waited_for() -> None:
    with Hostile(otherwise=status(429, Retry_After="3600")) as fake:
        began = time.monotonic()
        found = EndpointModel(fake.name, limits=QUICK).replies([f"Question {n}" for n in range(9)], GREEDY)
    assert time.monotonic() - began < 600
    assert "3,600 seconds" in str(found[0])
    assert len(fake.asked) <= QUICK.concurrency


def test_an_account_with_nothing_left_is_not_asked_again() -> None:
    with Hostile(otherwise=status(429, "You exceeded your quota: insufficient_quota")) as fake:
        [found] = EndpointModel(fake.name, limits=QUICK).replies(["Once"], GREEDY)
    assert "nothing left" in str(found)
    assert len(fake.asked) == 1


@pytest.mark.parametrize(("code", "told"), [(401, "--key-file"), (404, "URL/v1#model"), (301, "leads elsewhere")])
def test_what_no_call_can_mend_is_one_line_at_once(code: int, told: str) -> None:
    with Hostile(otherwise=status(code, "tiny is not here")) as fake, pytest.raises(ModelError, match=told) as caught:
        EndpointModel(fake.name, limits=QUICK).replies([f"Question {n}" for n in range(9)], GREEDY)
    assert len(fake.asked) <= QUICK.concurrency
    assert "\n" not in str(caught.value)


def test_what_a_server_says_stands_within_our_sentence() -> None:
    body = json.dumps(
        {"error": {"message": "the key is wrong: send `Bearer KEY`.", "code": "invalid_api_key"}}
    ).encode()
    with Hostile(otherwise=lambda handler, _: handler.send(401, body)) as fake, pytest.raises(ModelError) as caught:
        EndpointModel(fake.name, limits=QUICK).replies(["Once"], GREEDY)
    assert "(401: the key is wrong: send `Bearer KEY`, invalid_api_key); give one" in str(caught.value)


def test_no_server_is_one_line() -> None:
    with pytest.raises(ModelError, match="is the server running"):
        EndpointModel("http://127.0.0.1:9/v1#tiny", limits=QUICK).generate(["Once"], GREEDY)


def test_a_request_that_the_server_does_not_take_fails_alone() -> None:
    def picky(body: dict[str, Any]) -> str:
        return body["messages"][0]["content"]

    with Hostile(status(400, "prompt is too long"), otherwise=answer(picky)) as fake:
        limits = replace(QUICK, concurrency=1)
        first, second = EndpointModel(fake.name, limits=limits).replies(["Once", "Twice"], GREEDY)
    assert "prompt is too long" in str(first)
    assert second == "Twice"
    assert len(fake.asked) == 2


@pytest.mark.parametrize(
    ("complaint", "gone_then"),
    [("response_format is not supported", "response_format"), ("unknown field: seed", "seed"),
     ("Use 'max_completion_tokens' instead of 'max_tokens'.", "max_tokens")],
)  # fmt: skip
def test_a_setting_that_the_server_refuses_is_left_out_and_told(complaint: str, gone_then: str) -> None:
    with Hostile(status(400, complaint)) as fake:
        model = EndpointModel(fake.name, limits=QUICK)
        model.generate(["Once"], GREEDY, schema={"type": "object"})
        model.generate(["Twice"], GREEDY, schema={"type": "object"})
    assert [gone_then in body for body in fake.asked] == [True, False, False]
    assert gone_then in model.note
    if gone_then == "max_tokens":
        assert fake.asked[1]["max_completion_tokens"] == 5


def test_replies_are_kept_by_what_was_asked(tmp_path: Path) -> None:
    with Hostile(otherwise=answer(lambda body: f"seed {body['seed']}")) as fake:
        for _ in range(2):
            model = EndpointModel(fake.name, key="secret", cache=tmp_path)
            assert model.generate(["Once"], GREEDY)[0].completion == "seed 0"
        assert len(fake.asked) == 1
        assert model.foreseen(["Once", "Twice"], GREEDY).calls == 1
        assert model.foreseen(["Once", "Twice"], GREEDY).kept == 1
        model.generate(["Once"], Sampling(max_tokens=5, temperature=0.0, top_p=1.0, seed=1))
        assert len(fake.asked) == 2
    assert fake.headers[0]["authorization"] == "Bearer secret"
    assert not any("secret" in path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.json"))


def test_what_came_before_a_failure_is_not_asked_for_again(tmp_path: Path) -> None:
    def moody(handler: Any, body: dict[str, Any]) -> None:
        bad = body["messages"][0]["content"] == "Twice"
        (status(500) if bad else say("yes"))(handler, body)

    limits = replace(QUICK, concurrency=1)
    with Hostile(otherwise=moody) as fake:
        with pytest.raises(RunError, match="1 of 3 calls failed"):
            EndpointModel(fake.name, cache=tmp_path, limits=limits).generate(["Once", "Twice", "Thrice"], GREEDY)
        fake.asked.clear()
        fake.otherwise = say("now")
        samples = EndpointModel(fake.name, cache=tmp_path, limits=limits).generate(["Once", "Twice", "Thrice"], GREEDY)
    assert [sample.completion for sample in samples] == ["yes", "now", "yes"]
    assert len(fake.asked) == 1


def test_a_damaged_reply_is_asked_for_again(tmp_path: Path) -> None:
    with Hostile() as fake:
        EndpointModel(fake.name, cache=tmp_path).generate(["Once"], GREEDY)
        [kept] = tmp_path.rglob("*.json")
        kept.write_text('{"reply": {"te', encoding="utf-8")
        EndpointModel(fake.name, cache=tmp_path).generate(["Once"], GREEDY)
    assert len(fake.asked) == 2


def test_a_reply_that_is_no_use_is_asked_for_otherwise_and_not_kept(tmp_path: Path) -> None:
    with Hostile(say("no"), otherwise=say("7")) as fake:
        model = EndpointModel(fake.name, cache=tmp_path, limits=QUICK)
        assert model.replies(["A number?"], GREEDY, accept=int) == ["7"]
        assert EndpointModel(fake.name, cache=tmp_path).replies(["A number?"], GREEDY, accept=int) == ["7"]
    first, second = fake.asked
    assert first["seed"] != second["seed"]


def test_replies_that_stay_no_use_are_a_reason_and_never_a_reply(tmp_path: Path) -> None:
    with Hostile(otherwise=say("no", finish="length")) as fake:
        [found] = EndpointModel(fake.name, cache=tmp_path, limits=QUICK).replies(["A number?"], GREEDY, accept=int)
    assert "invalid literal" in str(found)
    assert "cut off" in str(found)
    assert len(fake.asked) == 1 + QUICK.rewrites
    assert list(tmp_path.rglob("*.json")) == []


def test_so_many_calls_at_a_time_and_no_more() -> None:
    def sociable(handler: Any, body: dict[str, Any]) -> None:
        comes(lambda: fake.most_inside >= 2)
        late(0.1)(handler, body)

    with Hostile(otherwise=sociable) as fake:
        limits = replace(QUICK, seconds=PATIENCE)
        EndpointModel(fake.name, limits=limits).generate([f"Question {n}" for n in range(6)], GREEDY)
    assert fake.most_inside == 2


def test_an_endpoint_cannot_score() -> None:
    with pytest.raises(ModelError, match="cannot score"):
        EndpointModel("http://localhost:1/v1#tiny").score(["Once"])


def test_names_of_endpoints() -> None:
    assert address("https://host/api#org/model:7b") == ("https://host/api", "org/model:7b")
    assert address("http://[::1]:8080/v1/chat/completions#m") == ("http://[::1]:8080/v1", "m")
    for wrong in ("http://host/v1", "http://host/v1#", "http://#m", "http://host:port/v1#m"):
        with pytest.raises(ModelError, match="spelt"):
            address(wrong)
    with pytest.raises(ModelError, match="does not go into an address") as caught:
        address("https://user:secret@host/v1#m")
    assert "secret" not in str(caught.value)


def test_what_headers_ask_for() -> None:
    assert asked_to_wait({"Retry-After": "7"}) == 7
    assert asked_to_wait({"retry-after-ms": "250", "Retry-After": "9"}) == 0.25
    assert asked_to_wait({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert asked_to_wait({"Retry-After": "soon"}) is None
    assert used_up({"X-RateLimit-Remaining-Tokens": "0", "X-RateLimit-Reset-Tokens": "6m0s"}) == 360
    assert used_up({"X-RateLimit-Remaining-Tokens": "12", "X-RateLimit-Reset-Tokens": "6m0s"}) is None
    assert duration("1h2m3.5s") == 3723.5
    assert 20 < duration(str(time.time() + 50)) <= 50
    assert duration("never") is None
