"""`wellread serve` from the outside: what it refuses, what it serves, a dial that turns, and this house's own client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from serving_fakes import Clockwork, Letters
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from typer.testing import CliRunner
from waiting import PATIENCE

from wellread.cli import app
from wellread.corpus.ingest import write_corpus
from wellread.errors import UsageError
from wellread.generation.endpoint import EndpointModel
from wellread.generation.hf import TransformersModel
from wellread.models import Named
from wellread.retrieval.embedders import NONE
from wellread.retrieval.rag import with_retrieval
from wellread.serving.app import build
from wellread.serving.listening import served
from wellread.serving.settings import Admission, Limits
from wellread.serving.shelf import Served, Shelf, embedder_of, open_shelf, short_name
from wellread.streaming import StreamingModel
from wellread.types import Corpus, Document, Sampling

http = httpx.Client(verify=False, timeout=PATIENCE)


def test_without_keys_it_listens_on_this_machine_alone(tiny: Path) -> None:
    done = CliRunner().invoke(app, ["serve", str(tiny), "--host", "0.0.0.0"])
    assert isinstance(done.exception, UsageError)
    assert "--key-file" in str(done.exception)


def test_models_are_served_under_short_names(tiny: Path, tmp_path: Path) -> None:
    shelf = open_shelf([str(tiny)], offline=True)
    assert list(shelf.served) == [tiny.name]
    assert shelf.find("") is shelf.find(tiny.name)
    assert isinstance(shelf.find("").model, StreamingModel)
    with pytest.raises(UsageError, match="two models"):
        open_shelf([str(tiny), str(tiny)], offline=True)
    names = {
        "runs/novel-1a2b:imprint": "novel-1a2b:imprint",
        "runs/novel-1a2b@0.6": "novel-1a2b@0.6",
        "embedded": "embedded",
        "Qwen/Qwen3-0.6B": "Qwen/Qwen3-0.6B",
        "/models/m-q8_0.gguf": "m-q8_0",
        "http://h/v1#m": "m",
    }
    for name, short in names.items():
        assert short_name(name) == short


def test_the_embedder_of_a_store_is_served_beside_its_model(model: TransformersModel) -> None:
    store: Any = SimpleNamespace(name="s", retrieve=lambda query, k: [], embedder_name="letters", embedder=Letters())
    assert embedder_of(with_retrieval(model, store)) is store.embedder
    assert embedder_of(model) is None
    store.embedder_name = NONE
    assert embedder_of(with_retrieval(model, store)) is None


def test_the_dial_turns_between_texts_and_never_under_one(
    tiny: Path, model: TransformersModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    turned: list[float] = []
    dial = SimpleNamespace(model=model._model, tokenizer=model._tokenizer, note="", turn=turned.append)
    monkeypatch.setattr("wellread.serving.shelf.dial_origin", lambda run, place: "base")
    monkeypatch.setattr("wellread.weights.open_dial", lambda *given, **how: dial)
    run: Any = object()
    one = Served("run", TransformersModel(model._model, model._tokenizer, "run"), named=Named(str(tiny), run))
    with served(build(Shelf({"run": one}), Admission())) as url, ThreadPoolExecutor(4) as pool:
        asked = {"prompt": "the cat", "max_tokens": 30}
        assert http.post(f"{url}/completions", json=asked).status_code == 200
        assert turned == []  # nobody has turned it: it is not even opened
        assert http.post(f"{url}/completions", json={**asked, "dial": 0.5}).status_code == 200
        assert http.post(f"{url}/completions", json=asked).status_code == 200
        assert turned == [0.5, 1.0]
        several = [
            pool.submit(http.post, f"{url}/completions", json={**asked, "dial": each}) for each in (0.2, 0.9, 0.2, 0.9)
        ]
        assert {each.result().status_code for each in several} == {200}
        assert http.post(f"{url}/completions", json={**asked, "dial": 1.3}).status_code == 400


def test_a_setting_in_the_name_leaves_no_dial(tiny: Path, model: TransformersModel) -> None:
    run: Any = object()
    with pytest.raises(UsageError, match="one setting"):
        Served("run@0.5", model, named=Named(str(tiny), run, 0.5)).check_dial(0.2)
    with pytest.raises(UsageError, match="no run"):
        Served("hub", model, named=Named("hub")).check_dial(0.2)


def test_this_houses_own_client_is_answered(url: str) -> None:
    """As a judge, and as the writer of `wellread synthesise`."""
    pytest.importorskip("llguidance")
    model = EndpointModel(f"{url}#tiny")
    one, other = model.generate(["the cat"], Sampling(8, 1.0, 1.0, top_k=9, repetition_penalty=1.2, seed=2, n=2))
    assert one.completion != other.completion
    assert one.finish in {"stop", "length"}
    schema = {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    [reply] = model.replies(["the cat"], Sampling(60, seed=1), schema=schema, accept=json.loads)
    assert isinstance(reply, str)
    assert set(json.loads(reply)) == {"a"}
    assert model.note == ""  # nothing that it sends was refused


def asking(
    monkeypatch: pytest.MonkeyPatch, words: list[str], ask: Callable[[TestClient], dict[str, Any]]
) -> tuple[dict[str, Any], str]:
    """What `ask` finds out from the server that these words start, and what that says on stderr."""
    found: dict[str, Any] = {}

    def server(served: ASGIApp, limits: Limits) -> Any:
        def run(sockets: list[Any]) -> None:
            with TestClient(served, base_url="http://studio.lan") as client:
                found.update(ask(client))

        return SimpleNamespace(run=run)

    monkeypatch.setattr("wellread.serving.listening.server", server)
    done = CliRunner().invoke(app, ["serve", *words, "--port", "0", "--offline", "--allow-host", "studio.lan"])
    assert done.exit_code == 0, done.output
    return found, done.stderr


def test_every_flag_is_heard(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by what it changes; `--allow-host` by being answered at all."""
    read = tmp_path / "read"
    write_corpus(
        Corpus((Document("1", "the cat sat on the mat"),), {"train": ("1",), "validation": (), "held_out": ()}),
        read / "corpus",
    )
    (read / "recipe.yaml").write_text("name: read\n", encoding="utf-8")

    def ask(client: TestClient) -> dict[str, Any]:
        def post(**changed: Any) -> Any:
            return client.post("/v1/completions", json={"prompt": "the cat", "max_tokens": 9, "seed": 1, **changed})

        text = post()
        page = client.get("/v1/models", headers={"origin": "https://chat.example"})
        return {
            "tokens": text.json()["usage"]["completion_tokens"] if text.status_code == 200 else text.status_code,
            "texts": post(n=3).status_code,
            "large": post(user="x" * 2000).status_code,
            "guard": post(no_recite=3).status_code,
            "window": client.get("/v1/models").json()["data"][0]["max_model_len"],
            "page": page.headers.get("access-control-allow-origin"),
        }

    plain, log = asking(monkeypatch, [str(tiny)], ask)
    assert plain == {"tokens": 9, "texts": 200, "large": 200, "guard": 400, "window": 128, "page": None}
    assert "the cat" not in log
    words = ["--max-tokens", "4", "--places", "2", "--max-body", "1500", "--run", str(read), "--window", "64",
             "--allow-origin", "https://chat.example", "--log-prompts"]  # fmt: skip
    changed, log = asking(monkeypatch, [str(tiny), *words], ask)
    assert changed == {
        "tokens": 4,
        "texts": 400,
        "large": 413,
        "guard": 200,
        "window": 64,
        "page": "https://chat.example",
    }
    assert '"prompt": "the cat"' in log


def test_a_text_ends_when_the_seconds_are_over(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork()
    monkeypatch.setattr("wellread.serving.shelf.open_model", lambda name, **_: clockwork)

    def ask(client: TestClient) -> dict[str, Any]:
        clockwork.go.release(3)
        answer = client.post("/v1/completions", json={"prompt": "wind it up", "max_tokens": 9})
        clockwork.free = True
        clockwork.go.release(9)
        return dict(answer.json()["choices"][0])

    found, _ = asking(monkeypatch, [str(tiny), "--seconds", "2"], ask)
    assert (found["text"], found["finish_reason"]) == ("tick tick tick ", "length")


@pytest.mark.slow
def test_the_server_as_a_program(tiny: Path, tmp_path: Path) -> None:
    """It says where it is, answers, writes a line for each request, and an interrupt ends it in peace."""
    keys = tmp_path / "keys"
    keys.write_text("k" * 24, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "wellread.cli",
        "serve",
        str(tiny),
        "--port",
        "0",
        "--json",
        "--key-file",
        str(keys),
        "--offline",
    ]
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell's background job would hand on its deafness
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as server:
        signal.signal(signal.SIGINT, before)
        assert server.stdout is not None
        assert server.stderr is not None
        told = json.loads(server.stdout.readline())
        assert told["models"] == [tiny.name]
        headers = {"authorization": f"Bearer {'k' * 24}"}
        for _ in range(100):
            try:
                answer = http.post(
                    f"{told['url']}/completions", json={"prompt": "the cat", "max_tokens": 3}, headers=headers
                )
                break
            except httpx.TransportError:
                continue
        assert answer.status_code == 200
        server.send_signal(signal.SIGINT)
        lines = server.stderr.read().splitlines()
        assert server.wait(PATIENCE) == 0
    rows = [json.loads(line) for line in lines if line.startswith("{")]
    assert [row["status"] for row in rows] == [200]
    assert lines[-1] == "stopped"
