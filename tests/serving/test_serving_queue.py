"""The queue: bounded, fair, and left at once by whoever leaves; with models whose every step is in the test's hands."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from serving_fakes import OTHER, PASSAGE, Clockwork, Letters
from waiting import PATIENCE, comes

from wellread.errors import ModelError, RunError
from wellread.indexing import index_texts
from wellread.retrieval.rag import with_retrieval
from wellread.serving.app import build
from wellread.serving.failures import Failure, failure_of
from wellread.serving.listening import served
from wellread.serving.schemas import Trial
from wellread.serving.settings import Admission, Limits
from wellread.serving.shapes import citations
from wellread.serving.shelf import Served, Shelf
from wellread.streaming import Token
from wellread.types import Chunk

http = httpx.Client(verify=False, timeout=PATIENCE)
LIMITS = Limits(places=6, max_tokens=500, seconds=PATIENCE)


@pytest.fixture
def clockwork() -> Iterator[Clockwork]:
    one = Clockwork()
    yield one
    one.run_down()


@pytest.fixture
def base(clockwork: Clockwork) -> Iterator[str]:
    with served(build(Shelf({"clockwork": Served("clockwork", clockwork)}), Admission(), LIMITS), LIMITS) as url:
        yield url
        clockwork.run_down()


def gauge(base: str, name: str) -> float:
    text = http.get(base.removesuffix("/v1") + "/metrics").text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"wellread_{name} "))


def asked(seed: int, tokens: int = 3, **changed: Any) -> dict[str, Any]:
    return {"prompt": "wind it up", "seed": seed, "max_tokens": tokens, **changed}


def unread(base: str, body: dict[str, Any]) -> socket.socket:
    """A connection with little room, on which this is asked and nothing is read; closed, the client has gone."""
    content, line = json.dumps(body).encode(), socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(PATIENCE)
    line.connect((urlsplit(base).hostname, urlsplit(base).port))
    line.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                 + f"Content-Length: {len(content)}\r\n\r\n".encode() + content)  # fmt: skip
    return line


def test_above_the_bound_clients_are_told_to_come_again_and_below_it_none_is_lost(
    base: str, clockwork: Clockwork
) -> None:
    with ThreadPoolExecutor(6) as pool:
        waiting = [pool.submit(http.post, f"{base}/completions", json=asked(seed)) for seed in range(6)]
        assert comes(lambda: gauge(base, "texts_writing") + gauge(base, "texts_waiting") == 6)
        refused = http.post(f"{base}/completions", json=asked(9))
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["type"] == "rate_limit_error"
        clockwork.free = True
        clockwork.go.release(100)
        assert [each.result().json()["choices"][0]["text"] for each in waiting] == ["tick tick tick "] * 6
    assert http.post(f"{base}/completions", json=asked(9)).status_code == 200


def test_a_request_for_more_texts_than_there_are_places_takes_none(base: str) -> None:
    assert http.post(f"{base}/completions", json=asked(0, n=7)).status_code == 400
    assert gauge(base, "texts_waiting") == 0


@pytest.mark.parametrize("stream", [False, True])
def test_who_disconnects_frees_the_place_and_the_writing_stops(base: str, clockwork: Clockwork, stream: bool) -> None:
    with unread(base, asked(1, 400, n=6, stream=stream)):
        assert comes(lambda: gauge(base, "texts_writing") + gauge(base, "texts_waiting") == 6)
    assert comes(lambda: gauge(base, "texts_waiting") == 0)
    clockwork.go.release(1)
    assert comes(lambda: gauge(base, "texts_writing") == 0)
    clockwork.free = True
    clockwork.go.release(100)
    assert http.post(f"{base}/completions", json=asked(50, n=6)).status_code == 200
    assert all(clockwork.steps.get(seed, 0) <= 2 for seed in range(1, 7))
    text = http.get(base.removesuffix("/v1") + "/metrics").text
    assert "wellread_clients_left_total 1" in text


def test_who_leaves_in_the_middle_of_a_stream_frees_the_place(base: str, clockwork: Clockwork) -> None:
    clockwork.go.release(3)
    with http.stream("POST", f"{base}/completions", json=asked(1, 400, stream=True)) as response:
        lines = response.iter_lines()
        assert "tick" in next(lines)
        assert gauge(base, "texts_writing") == 1
    clockwork.go.release(2)
    assert comes(lambda: gauge(base, "texts_writing") == 0)
    assert clockwork.steps[1] <= 5


def test_texts_that_end_early_make_room_while_others_go_on(base: str, clockwork: Clockwork) -> None:
    clockwork.free = True
    clockwork.go.release(500)
    with ThreadPoolExecutor(6) as pool:
        long = [pool.submit(http.post, f"{base}/completions", json=asked(seed, 400)) for seed in range(3)]
        short = [pool.submit(http.post, f"{base}/completions", json=asked(10 + seed, 2)) for seed in range(3)]
        assert [each.result().status_code for each in short + long] == [200] * 6


def test_texts_that_wait_are_written_side_by_side(base: str, clockwork: Clockwork) -> None:
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(http.post, f"{base}/completions", json=asked(0, 1))
        assert comes(lambda: clockwork.batches == [[0]])
        others = [pool.submit(http.post, f"{base}/completions", json=asked(seed, 2)) for seed in (1, 2, 3)]
        assert comes(lambda: gauge(base, "texts_waiting") == 3)
        clockwork.free = True
        clockwork.go.release(10)
        assert {each.result().status_code for each in [first, *others]} == {200}
    assert sorted(seed for batch in clockwork.batches[1:] for seed in batch) == [1, 2, 3]
    assert len(clockwork.batches) < 4


def test_a_model_that_breaks_is_a_500_and_the_next_request_is_answered(base: str, clockwork: Clockwork) -> None:
    clockwork.free = True
    clockwork.go.release(10)
    broken = http.post(f"{base}/completions", json=asked(1, prompt="break"))
    assert broken.status_code == 500
    assert "wire" not in broken.text  # what went wrong inside is for the log
    assert http.post(f"{base}/completions", json=asked(2)).status_code == 200
    assert http.get(base.removesuffix("/v1") + "/healthz").json() == {"status": "ok"}


def test_the_time_limit_ends_a_text_and_says_when_there_was_none(clockwork: Clockwork) -> None:
    limits = Limits(places=6, seconds=2)
    with served(build(Shelf({"clockwork": Served("clockwork", clockwork)}), Admission(), limits), limits) as base:
        late = http.post(f"{base}/completions", json=asked(1))
        assert (late.status_code, late.headers["retry-after"]) == (503, "10")
        clockwork.go.release(3)
        cut = http.post(f"{base}/completions", json=asked(2, 50)).json()["choices"][0]
        assert cut["finish_reason"] == "length"
        assert 1 <= cut["text"].count("tick") <= 3
        clockwork.free = True
        clockwork.go.release(500)
        assert comes(lambda: gauge(base, "texts_writing") == 0)


class Maps:
    """A Retriever that finds ten passages of a hundred words for everything."""

    name = "maps"

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return [Chunk(f"map {n}", 0, 0, "coast " * 100) for n in range(10)][:k]


def test_sources_leave_room_for_a_short_answer_where_no_length_is_named(clockwork: Clockwork) -> None:
    clockwork.free = True
    sourced = Served("maps", with_retrieval(clockwork, Maps(), k=10))
    with served(build(Shelf({"maps": sourced}), Admission())) as base:

        def answered(**named: int) -> tuple[int, int]:
            chat = {"messages": [{"role": "user", "content": "Where is the coast?"}], **named}
            found = http.post(f"{base}/chat/completions", json=chat).json()
            return len(found["choices"][0]["sources"]), found["usage"]["completion_tokens"]

        (laid, written), (fewer, _), (most, _) = answered(), answered(max_tokens=1000), answered(max_tokens=20)
    assert fewer < laid < most
    assert 100 < written <= 1000 - 100 * laid  # an answer goes on as far as there is room


def test_no_client_is_told_where_the_files_of_a_store_lie(clockwork: Clockwork, tmp_path: Path) -> None:
    from wellread.retrieval.store import open_store

    clockwork.free = True
    folder = tmp_path / "annabel" / "private"
    folder.mkdir(parents=True)
    (folder / "hand book.md").write_text("Stoves are lit in the last week of May.", encoding="utf-8")
    index_texts([folder.resolve()], tmp_path / "store", embedder="none")
    sourced = Served("stoves", with_retrieval(clockwork, open_store(tmp_path / "store")))
    asked = {"max_tokens": 2, "stream": False}
    chat = {"messages": [{"role": "user", "content": "When are stoves lit?"}], **asked}
    with served(build(Shelf({"stoves": sourced}), Admission())) as base:
        said = [
            http.post(f"{base}/chat/completions", json=chat),
            http.post(f"{base}/chat/completions", json={**chat, "stream": True}),
            http.post(f"{base}/completions", json={"prompt": "Stoves are lit", **asked}),
        ]
    assert [each.status_code for each in said] == [200] * 3
    assert all("private/hand book.md" in each.text for each in said)
    assert not any(name in each.text for each in said for name in ("annabel", str(tmp_path)))
    whole = replace(PASSAGE, source="C:\\Users\\ann\\plan.pdf", document="/home/ann/plan.pdf", section="")
    [cited] = citations("In May [1].", [whole])
    assert cited["by_words"] is False
    assert (cited["url_citation"]["title"], cited["url_citation"]["url"]) == ("plan.pdf", "plan.pdf#char=120,158")


def test_a_sentence_that_names_no_source_is_cited_by_its_words() -> None:
    text = "Well. The stoves are lit in May. Boats fly [1]."
    found = citations(text, [PASSAGE, OTHER], "When are stoves lit?")
    assert [(each["by_words"], text[each["url_citation"]["start_index"] : each["url_citation"]["end_index"]]) for each in found] == [
        (True, "The stoves are lit in May."), (True, "Boats fly [1]."), (False, "[1]")
    ]  # fmt: skip
    assert [each["url_citation"]["title"] for each in found] == ["Heating › Stoves", "Boats", "Heating › Stoves"]
    assert citations("The sources do not say.", [replace(PASSAGE, text="The sources do not say.")]) == []


class Halting(Letters):
    """An embedder that makes vectors as often as it is let, however few the texts are."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.made: list[int] = []

    def embed(self, texts: Sequence[str]) -> Any:
        self.go.acquire(timeout=PATIENCE)
        self.made.append(len(texts))
        return super().embed(texts)


def test_vectors_are_made_a_few_texts_at_a_time_and_not_beyond_the_time_limit() -> None:
    limits, halting = Limits(places=6, seconds=2), Halting()
    with served(build(Shelf({"halting": Served("halting", embedder=halting)}), Admission(), limits), limits) as base:
        halting.go.release(2)
        few = http.post(f"{base}/embeddings", json={"input": ["a", "bb"] * 9}).json()
        assert [each["embedding"][:2] for each in few["data"]] == [[1.0, 0.0], [0.0, 2.0]] * 9
        assert halting.made == [16, 2]
        halting.go.release(2)
        late = http.post(f"{base}/embeddings", json={"input": ["a"] * 200})
        assert (late.status_code, late.headers["retry-after"]) == (503, "10")
        assert "fewer texts" in late.json()["error"]["message"]
        halting.go.release(100)
        assert http.post(f"{base}/embeddings", json={"input": "a"}).status_code == 200
        assert halting.made[-1] == 1
        assert sum(halting.made[2:-1]) <= 3 * 16  # nobody waits for the others any more
        assert gauge(base, "texts_waiting") == 0


def test_a_schema_that_takes_too_long_is_ended_and_one_that_passed_is_not_tried_again() -> None:
    tried: list[str] = []

    class Counted(Trial):
        def _in_time(self, text: str) -> bool:
            tried.append(text)
            return super()._in_time(text)

    async def asked(trial: Trial, *schemas: dict[str, Any]) -> None:
        for each in schemas:
            await trial.check(each)

    patterns = {"allOf": [{"type": "string", "pattern": "a.*"}]}
    with pytest.raises(Failure, match=r"more than 0\.2 s to compile") as told:
        asyncio.run(asked(slow := Counted(0.2, "while True: pass"), patterns))
    assert told.value.status == 400
    with pytest.raises(Failure, match=r"more than 0\.2 s to compile"):
        asyncio.run(asked(slow, patterns))
    assert len(tried) == 1
    tried.clear()
    asyncio.run(asked(Counted(20, "import sys; sys.stdin.read()"), {"type": "object"}, patterns, patterns))
    assert len(tried) == 1


@pytest.mark.slow
@pytest.mark.skipif(find_spec("llguidance") is None, reason="needs the extra structured")
@pytest.mark.parametrize(
    "schema",
    [
        {"allOf": [{"type": "string", "pattern": f".*{chr(97 + at)}.{{12}}{chr(97 + at)}.*"} for at in range(20)]},
        {"properties": {f"p{at}": {"type": "integer", "multipleOf": 999_983 - at} for at in range(20)}},
    ],
    ids=["patterns", "multiples"],
)
def test_what_twenty_costly_values_ask_for_keeps_nobody_waiting(schema: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="takes more than 5 s"):
        asyncio.run(Trial(5).check(schema))


@pytest.mark.parametrize("message", ["cannot open {place}: no space", "{place} has ended", "'{place}' is torn"])
def test_no_client_is_told_where_things_lie(message: str, clockwork: Clockwork) -> None:
    served_from = {"runs/mine-1a2b": "mine"}
    for place in ("/home/someone/models/mine", "runs/mine-1a2b", "C:\\Users\\someone\\mine", "~/models/mine"):
        for kind in (ModelError, RunError):
            failure = failure_of(kind(message.format(place=place)), served_from)
            assert failure.message == message.format(place="mine")
    plain = "no more than 3 tokens/s and/or 1/2; see http://127.0.0.1:8080/v1 or /v1/models"
    assert failure_of(ModelError(plain)).message == plain.replace("/v1/models", "models")


def test_every_event_is_one_line_however_lines_are_told_apart() -> None:
    """httpx, and whoever builds on it, ends lines where Python does: at U+2028 too, which JSON lets stand."""
    said = "one\u2028two\u2029three\x85four\x0bfive"

    class Parted(Clockwork):
        def stream(self, asked: Any, **how: Any) -> Iterator[list[Token | None]]:
            yield [Token(said.encode(), finish="stop")]

    shelf = Shelf({"parted": Served("parted", Parted())})
    with (
        served(build(shelf, Admission(), LIMITS), LIMITS) as url,
        http.stream("POST", f"{url}/completions", json=asked(1, stream=True)) as response,
    ):
        lines = [line for line in response.iter_lines() if line]
    assert [line.partition(" ")[0] for line in lines] == ["data:", "data:"]
    assert json.loads(lines[0].removeprefix("data: "))["choices"][0]["text"] == said
    assert lines[1] == "data: [DONE]"


@pytest.mark.slow
def test_who_reads_nothing_is_cut_off(clockwork: Clockwork) -> None:
    """More is written than socket buffers hold, and less than all; the connection is given up, and the place is free."""
    clockwork.go.release(600)
    limits = Limits(places=40, max_tokens=3000, slow=2)
    with served(build(Shelf({"clockwork": Served("clockwork", clockwork)}), Admission(), limits), limits) as base:
        with unread(base, {"prompt": "loud", "seed": 1, "max_tokens": 900, "stream": True}):
            assert comes(
                lambda: "wellread_clients_left_total 1" in http.get(base.removesuffix("/v1") + "/metrics").text
            )
        clockwork.free = True
        clockwork.go.release(10)
        assert comes(lambda: gauge(base, "texts_writing") == 0)
        assert threading.active_count() < 20
