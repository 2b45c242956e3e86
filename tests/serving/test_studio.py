"""The studio's work without its page: uploads, runs, what is shown, who is let in."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil
import pytest
from typer.testing import CliRunner
from waiting import PATIENCE, comes

from wellread.cli import app
from wellread.errors import RunError, UsageError
from wellread.recipe import load_recipe
from wellread.replying import Told
from wellread.retrieval.citing import cite
from wellread.runs import Run
from wellread.serving import studio_runs
from wellread.serving.studio_door import Door, door_admission, read_password
from wellread.serving.studio_files import keep_upload, keep_uploads, safe_name
from wellread.serving.studio_runs import (
    Point,
    Status,
    duration_left,
    resume_run,
    run_named,
    runs_in,
    start_run,
    status,
    stop_run,
)
from wellread.serving.studio_shown import answered, curve, followed, framed, marked, written
from wellread.serving.studio_stores import store_named, stores_in
from wellread.serving.studio_tabs import page_of
from wellread.types import Chunk, Sample, Sampling


@pytest.mark.parametrize(
    ("given", "safe"),
    [("My Book, Été (draft).md", "my-book-ete-draft"), ("../../etc/passwd", "passwd"), ("C:\\a\\b.txt", "b"), ("...", "text"),
     ("con.txt", "con-"), ("字.txt", "text"), ("x" * 300 + ".md", "x" * 48), (".md", "md")],
)  # fmt: skip
def test_names_of_uploads_are_safe(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_an_upload_lies_once_below_the_folder(tmp_path: Path) -> None:
    given = tmp_path / "A b.TXT"
    given.write_text("once")
    first, second = (keep_upload(given, tmp_path / "uploads") for _ in range(2))
    assert first == second
    assert first.name == "a-b.txt"
    assert first.read_text() == "once"
    given.write_text("other")
    assert keep_upload(given, tmp_path / "uploads") != first
    assert len(list((tmp_path / "uploads").iterdir())) == 2


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [("a.exe", 5, "found .exe"), ("a", 5, "no ending"), ("a.txt", 0, "0 bytes"), ("a.txt", 11, "11 bytes")],
)
def test_uploads_of_other_kinds_and_sizes_are_refused(tmp_path: Path, name: str, size: int, said: str) -> None:
    (tmp_path / name).write_bytes(b"x" * size)
    with pytest.raises(UsageError, match=said):
        keep_upload(tmp_path / name, tmp_path / "uploads", largest=10)


def test_nothing_uploaded_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="upload one"):
        keep_uploads(None, tmp_path)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text("a short book")
    return path


@pytest.fixture
def sleeper(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of wellread's own command: a process that says its words and waits to be interrupted, as `_MAIN` lets it be
    where whoever started the tests had them ignore that."""
    heard = "import signal, sys, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    monkeypatch.setattr(studio_runs, "_MAIN", heard + f"print(*sys.argv[1:], flush=True)\ntime.sleep({PATIENCE})")


@pytest.mark.usefixtures("sleeper")
def test_a_run_is_started_stopped_and_resumed_in_a_process_of_its_own(tmp_path: Path, book: Path) -> None:
    runs = tmp_path / "runs"
    this = start_run("novel", [book], runs, minutes=2)
    other = start_run("novel", [book], runs, minutes=2)
    assert (this.name, other.name) == ("novel-book", "novel-book-2")
    assert set(runs_in(runs)) == {"novel-book", "novel-book-2"}
    words = json.loads((this.path / "studio.json").read_text())["words"]
    assert words == [
        "run",
        "novel",
        str(book.resolve()),
        "--minutes",
        "2",
        "--quick",
        "--out",
        str(this.path.resolve()),
    ]
    assert comes(lambda: status(this).said)
    assert status(this).state == "working"
    assert (status(this).may_stop, status(this).may_resume) == (True, False)
    with pytest.raises(RunError, match="already"):
        resume_run(this)
    stop_run(this)
    assert not status(this).may_stop
    assert comes(lambda: status(this).state == "stopped")
    assert (status(this).may_stop, status(this).may_resume) == (False, True)
    assert status(other).state == "working"
    with pytest.raises(RunError, match="nothing works"):
        stop_run(this)
    resume_run(this)
    assert status(this).state == "working"
    log = this.path / "studio.log"
    assert comes(lambda: log.read_text().count("run novel") == 2)  # before it has said so it may be deaf yet
    for each in (this, other):
        stop_run(each)
        assert comes(lambda each=each: status(each).state != "working")


def test_another_process_of_the_same_number_is_not_taken_for_the_run(tmp_path: Path) -> None:
    born = psutil.Process().create_time()
    (tmp_path / "studio.json").write_text(json.dumps({"words": [], "process": os.getpid(), "born": born - 100}))
    assert not studio_runs.is_working(Run(tmp_path))
    (tmp_path / "studio.json").write_text(json.dumps({"words": [], "process": os.getpid(), "born": born}))
    assert studio_runs.is_working(Run(tmp_path))


def test_a_run_that_fails_says_why(tmp_path: Path, book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio_runs, "_MAIN", "import sys; sys.exit(f'wellread: {sys.argv[3]}: it is too short.')")
    this = start_run("novel", [book], tmp_path / "runs", minutes=1)
    assert comes(lambda: status(this).state != "working")
    assert (status(this).state, status(this).doing) == ("failed", "book.txt: it is too short.")
    assert status(this).may_resume


def test_a_run_of_the_command_line_cannot_be_resumed_here(tmp_path: Path) -> None:
    found = status(Run(tmp_path))
    assert "command line" in found.doing
    assert not found.may_resume


@pytest.mark.parametrize(
    ("recipe", "minutes"), [("../novel", 1.0), ("novel", 0.0), ("novel", 1e9), ("novel", float("nan"))]
)
def test_what_is_no_run_is_not_started(tmp_path: Path, book: Path, recipe: str, minutes: float) -> None:
    with pytest.raises(UsageError):
        start_run(recipe, [book], tmp_path / "runs", minutes=minutes)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["..", "../x", "", None, "a/b", "nothing"])
def test_only_runs_that_are_there_have_names(tmp_path: Path, name: str | None) -> None:
    with pytest.raises(UsageError, match="choose one"):
        run_named(name, tmp_path)
    with pytest.raises(UsageError, match="no such store" if name else "A store holds texts of yours"):
        store_named(name, tmp_path)
    assert stores_in(tmp_path) == []


def test_bits_and_time_left_are_read_from_the_folder(tmp_path: Path) -> None:
    stage = tmp_path / "stages" / "01-imprint"
    stage.mkdir(parents=True)
    counts = tmp_path / "tokens" / "imprint" / "validation"
    counts.mkdir(parents=True)
    (counts / "counts.json").write_text(json.dumps({"tokens": 100, "bytes": 400}))
    rows = [{"step": 0, "elapsed_seconds": 0.0, "validation_loss": 2 * 0.6931471805599453, "weights": "current"},
            {"step": 8, "elapsed_seconds": 30.0, "loss": 3.5}]  # fmt: skip
    (stage / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second = status(Run(tmp_path)).points
    assert first.bits == pytest.approx(0.5)
    assert (second.step, second.minutes, second.loss) == (8, 0.5, 3.5)
    assert duration_left(load_recipe("novel"), "imprint", rows[1], now=30.0) == (
        pytest.approx(0.25),
        pytest.approx(180.0),
    )
    steps = load_recipe("novel", ["stages.imprint.budget={steps: 32}"])
    assert duration_left(steps, "imprint", rows[1], now=0.0) == (pytest.approx(0.25), pytest.approx(90.0))
    assert duration_left(steps, "another", rows[1], now=0.0) is None
    least = load_recipe("novel", ["stages.imprint.budget={epochs: 2, least_steps: 32}"])
    for epochs, share in ((3.0, 0.25), (0.2, 0.1)):  # more passes are taken where two are not so many steps
        found = duration_left(least, "imprint", {**rows[1], "epochs": epochs}, now=0.0)
        assert found == (pytest.approx(share), pytest.approx(30 * (1 / share - 1)))


def test_matches_are_coloured_and_everything_is_escaped() -> None:
    shown = marked("<b>a cat sat down", [(5, 10, 'ch. "1"')], own=7)
    assert shown.count("<mark") == 1
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert '<mark title="ch. &quot;1&quot;"><span class="wr-prompt">ca</span>t s</mark>' in shown
    match = {"start": 2, "end": 9, "words": 8, "section": "One", "document": "d", "offset": 1200}
    assert "8 words from One, character 1,200" in written(
        "T", {"prompt": "a ", "completion": "cat sat down", "matches": [match]}
    )
    alone = written("T", {"prompt": "a ", "completion": "b", "matches": [], "longest": {**match, "words": 3}})
    assert "longest has 3" in alone
    assert "<mark" not in alone
    assert "No word" in written("T", {"prompt": "a ", "completion": "b", "matches": [], "longest": None})


def test_citations_open_the_passage_in_its_place() -> None:
    text = "x" * 600 + "Stoves are lit in May. <i>" + "y" * 600
    chunk = Chunk("d", 600, 622, "Stoves are lit in May.", "house.md", "Heating")
    sample = Sample("When?", "Stoves are lit in May [1].", Sampling(), 0, sources=(chunk,))
    told = Told("When?", sample, cite(sample.completion, [chunk]))
    shown = answered("From it", told, lambda document: text)
    assert "<details" in shown
    assert ">Stoves are lit in May.</mark>" in shown
    assert "&lt;i&gt;" in shown
    assert shown.count("… ") >= 1
    assert "[1]" in shown
    assert ", cited" in shown


def test_a_run_is_told_with_its_curves() -> None:
    points = tuple(
        Point("s", step, step / 60, loss=3 - step / 10, bits=2.0 - step / 100 if step % 5 == 0 else None)
        for step in range(11)
    )
    shown = followed(Status("run-1", "working", "training", points, 0.5, 30.0, (("base", "It ", "<was>"),)))
    assert "50%" in shown
    assert "30 s of training left" in shown
    assert "&lt;was&gt;" in shown
    assert shown.count("<svg") == 2
    assert "2.00 at step 0, 1.90 at step 10" in shown
    assert "not measured yet" in curve("Loss", "nats", [])
    assert "<svg" not in curve("Loss", "nats", [(1, 2.0)])
    assert "<svg" in curve("Loss", "nats", [(1, 2.0), (2, 2.0)])


def test_frames_reach_nothing_else() -> None:
    assert 'sandbox="allow-scripts"' in framed('/a"b', "t")
    assert framed('/a"b', "t").count("/a&quot;b") == 2
    assert 'rel="noopener"' in framed("/a", "t")


def test_a_run_may_be_called_anything() -> None:
    """Names that the command line gave: signs that mean something in an address are not read as such."""
    for name in ("my run #1", "50%25 & more", "a?b=c", "été"):
        place = urlsplit(page_of(name, "reading"))
        assert (place.query, place.fragment) == ("", "")
        assert [unquote(part) for part in place.path.split("/")] == ["", "pages", name, "reading.html"]


def test_a_password_is_asked_for_beyond_this_machine(tmp_path: Path) -> None:
    assert door_admission("127.0.0.1", "").keys == ()
    with pytest.raises(UsageError, match="--password-file"):
        door_admission("0.0.0.0", "")
    with pytest.raises(UsageError, match="at least 8"):
        door_admission("127.0.0.1", "short")
    assert door_admission("0.0.0.0", " a long secret\n").keys == ("a long secret",)  # as a shell's variable may hold it
    with pytest.raises(UsageError, match="has 5 letters"):
        door_admission("0.0.0.0", "short     ")
    (tmp_path / "p").write_text("a long secret\nrest\n")
    assert read_password(tmp_path / "p") == "a long secret"
    (tmp_path / "p").write_text("\n")
    with pytest.raises(UsageError, match="empty"):
        read_password(tmp_path / "p")


@pytest.mark.parametrize(
    ("headers", "code"),
    [({}, 401), ({"authorization": "Basic !!!"}, 401), ({"authorization": "Bearer a long secret"}, 401),
     ({"authorization": "basic:wrong"}, 401), ({"authorization": "basic:a long secret"}, 200),
     ({"authorization": "basic:a long secret", "host": "evil.example"}, 403),
     ({"authorization": "basic:a long secret", "origin": "http://evil.example"}, 403),
     ({"authorization": "basic:a long secret", "origin": "null"}, 403),
     ({"authorization": "basic:a long secret", "origin": "http://127.0.0.1:7860"}, 200)],
)  # fmt: skip
def test_the_door_opens_to_the_password_host_and_page(headers: dict[str, str], code: int) -> None:
    from starlette.responses import PlainTextResponse
    from starlette.testclient import TestClient

    kind, _, password = headers.get("authorization", "").partition(":")
    if kind == "basic":
        headers = {**headers, "authorization": "Basic " + base64.b64encode(f"me:{password}".encode()).decode()}
    door = Door(PlainTextResponse("in"), door_admission("127.0.0.1", "a long secret"))
    answer = TestClient(door, base_url="http://127.0.0.1:7860").get("/", headers=headers)
    assert answer.status_code == code
    assert ("content-security-policy" in answer.headers) == (code == 200)


def test_a_further_name_lets_in_and_wants_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    from starlette.responses import PlainTextResponse
    from starlette.testclient import TestClient

    with pytest.raises(UsageError, match=r"as studio\.example\.org: give a password"):
        door_admission("127.0.0.1", "", ["studio.example.org"])
    for hosts, code in (((), 403), (("Studio.example.org",), 200)):
        door = Door(PlainTextResponse("in"), door_admission("127.0.0.1", "a long secret", hosts))
        asks = TestClient(door, base_url="https://studio.example.org")
        origin = {"origin": "https://studio.example.org"}
        answer = asks.get("/", auth=("me", "a long secret"), headers=origin)
        assert answer.status_code == code
        assert ("--allow-host" in answer.text) == (code == 403)
    monkeypatch.delenv("WELLREAD_STUDIO_PASSWORD", raising=False)
    pytest.importorskip("gradio")
    refused = CliRunner().invoke(app, ["studio", "--allow-host", "studio.example.org"], env=dict(os.environ))
    assert "studio.example.org" in str(refused.exception)


@pytest.mark.slow
def test_the_flags_of_the_studio_are_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gradio")
    from starlette.testclient import TestClient

    this = tmp_path / "elsewhere" / "mine"
    (this / "corpus").mkdir(parents=True)
    (this / "recipe.yaml").write_text("name: mine\n", encoding="utf-8")
    (this / "report.html").write_text("<p>mine</p>", encoding="utf-8")
    (tmp_path / "password").write_text("a long secret\n", encoding="utf-8")
    found = []

    def server(served: Any, limits: Any) -> Any:
        def run(sockets: list[Any]) -> None:
            found.append(sockets[0].getsockname()[0])
            client = TestClient(served, base_url="http://studio.lan")
            for auth in (None, ("me", "a long secret")):
                answer = client.get("/pages/mine/report.html", auth=auth)
                found.append((answer.status_code, answer.text if auth else ""))

        return SimpleNamespace(run=run)

    monkeypatch.setattr("wellread.serving.listening.server", server)
    words = ["--runs", str(this.parent), "--password-file", str(tmp_path / "password"), "--allow-host", "studio.lan"]
    done = CliRunner().invoke(app, ["studio", *words, "--port", "0", "--host", "127.0.0.2"])
    assert done.exit_code == 0, done.output
    assert found == ["127.0.0.2", (401, ""), (200, "<p>mine</p>")]


@pytest.mark.slow
def test_the_studio_is_served_and_starts_a_run(tmp_path: Path, book: Path, sleeper: None) -> None:
    pytest.importorskip("gradio")
    import httpx
    from gradio_client import Client, handle_file

    from wellread.serving.listening import served
    from wellread.serving.studio import build_studio

    runs = tmp_path / "runs"
    with served(build_studio(runs, door_admission("127.0.0.1", ""))) as base, httpx.Client(timeout=PATIENCE) as http:
        url = base.removesuffix("/v1")
        front = http.get(f"{url}/")
        assert front.status_code == 200
        assert "connect-src 'self'" in front.headers["content-security-policy"]
        assert http.get(f"{url}/", headers={"Origin": "http://evil.example"}).status_code == 403
        assert http.get(f"{url}/pages/..%2f/report.html").status_code == 404
        odd = runs / "odd & 50% #1"
        (odd / "corpus").mkdir(parents=True)
        (odd / "recipe.yaml").write_text("name: odd\n", encoding="utf-8")
        (odd / "report.html").write_text("<p>odd</p>", encoding="utf-8")
        assert http.get(url + page_of(odd.name, "report")).text == "<p>odd</p>"
        client = Client(url, verbose=False, httpx_kwargs={"timeout": PATIENCE})
        with pytest.raises(Exception, match="4294967295"):
            client.predict(None, "It was", 1, 0, True, 10, 0.8, 0.9, 1, 2**32, api_name="/write")
        client.predict([handle_file(str(book))], "novel", 1, api_name="/start")
        this = run_named("novel-book", runs)
        page = http.get(f"{url}/pages/novel-book/report.html")
        assert page.status_code == 404
        assert "sandbox" in page.headers["content-security-policy"]
        assert comes(lambda: status(this).said)  # before it has said so it may be deaf yet
        client.predict("novel-book", api_name="/stop")
        assert comes(lambda: status(this).state == "stopped")
        with pytest.raises(Exception, match="list of choices"):
            client.predict("../novel-book", api_name="/stop")
