"""Who may come in: keys on every path, hosts and pages, sizes and times; and what the log and the counts say of it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from waiting import PATIENCE, comes

from wellread.errors import UsageError
from wellread.serving.app import build
from wellread.serving.gate import PATHS
from wellread.serving.listening import address_of, listen, served
from wellread.serving.settings import Admission, Limits, admission, host_of, is_loopback, read_keys
from wellread.serving.shelf import Shelf

KEY = "k" * 20
ASKED = {"model": "tiny", "prompt": "the cat", "max_tokens": 2}
PAGE = "https://chat.example"
http = httpx.Client(verify=False, timeout=PATIENCE)


@pytest.fixture(scope="module")
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture(scope="module")
def locked(shelf: Shelf, told: list[dict[str, Any]]) -> Iterator[str]:
    """A server with two keys and one page that may ask; its base without `/v1`."""
    limits = Limits(body=5000)
    admitted = Admission((KEY, "another-key-of-theirs"), frozenset({"studio.lan"}), frozenset({PAGE}))
    with served(build(shelf, admitted, limits, log=lambda row: told.append(dict(row))), limits) as base:
        yield base.removesuffix("/v1")


def ask(base: str, path: str = "/v1/completions", method: str = "POST", **headers: str) -> httpx.Response:
    given = {"authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return http.request(method, base + path, json=ASKED if method == "POST" else None, headers=given)


@pytest.mark.parametrize(
    "brought", ["", f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", "Bearer", f"Basic {KEY}", KEY, "Bearer é"]
)
def test_a_wrong_or_missing_key_is_401_on_every_path(locked: str, brought: str) -> None:
    headers = [(b"authorization", brought.encode())] if brought else []
    with httpx.Client(headers=headers, verify=False, timeout=PATIENCE) as client:
        for path in (*PATHS, "/", "/nowhere", "/v1/models/tiny"):
            for method in ("GET", "POST", "PUT", "OPTIONS"):
                answer = client.request(
                    method, locked + path, json={"prompt": "x" * 6000} if method == "POST" else None
                )
                assert answer.status_code == 401, (method, path)
                assert answer.json()["error"]["code"] == "invalid_api_key"
                assert answer.headers["www-authenticate"] == "Bearer"


def test_any_of_the_keys_opens(locked: str) -> None:
    assert ask(locked).status_code == 200
    assert ask(locked, authorization="bearer another-key-of-theirs").status_code == 200


def test_a_page_whose_name_was_led_here_is_turned_away(locked: str) -> None:
    """DNS rebinding: the browser believes to ask evil.example, and says so in Host."""
    for name in ("evil.example", "evil.example:8080", "localhost.evil.example", "", "127.0.0.1.evil.example"):
        assert ask(locked, host=name).status_code == 403, name
    for name in ("localhost:9999", "127.0.0.1", "[::1]:80", "studio.lan", "STUDIO.lan:80", "192.168.1.5:8080"):
        assert ask(locked, host=name).status_code == 200, name


def test_foreign_pages_are_turned_away_and_named_ones_are_told_so(locked: str) -> None:
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        answer = ask(locked, origin=origin)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    answer = ask(locked, origin=PAGE)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
    assert ask(locked, origin=locked).status_code == 200  # its own


def test_a_browser_may_ask_for_leave_without_a_key_from_a_named_page_alone(locked: str) -> None:
    wish = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, x-stainless-os"}
    given = http.options(f"{locked}/v1/completions", headers={"origin": PAGE, **wish})
    assert given.status_code == 204
    assert given.headers["access-control-allow-headers"] == "authorization, x-stainless-os"
    assert given.headers["access-control-allow-origin"] == PAGE
    assert (
        http.options(f"{locked}/v1/completions", headers={"origin": "https://evil.example", **wish}).status_code == 401
    )


def test_too_large_a_request_hears_so_announced_or_not(locked: str) -> None:
    def parts(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield b"x" * 1000

    begun = time.monotonic()
    for content in (b"x" * 5001, b"x" * 30_000, parts(6), parts(30)):
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        answer = http.post(f"{locked}/v1/completions", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert time.monotonic() - begun < Limits().slow  # no more of it was waited for


@pytest.fixture(scope="module")
def hasty(shelf: Shelf) -> Iterator[str]:
    """A server that waits half a second for what a client sends; its base without `/v1`."""
    limits = Limits(slow=0.5)
    with served(build(shelf, Admission(), limits), limits) as base:
        yield base.removesuffix("/v1")


def raw(base: str, sent: bytes) -> tuple[bytes, float]:
    """What comes back before the connection is closed, and after how long."""
    begun = time.monotonic()
    with socket.create_connection((urlsplit(base).hostname or "", urlsplit(base).port or 0), timeout=PATIENCE) as line:
        line.sendall(sent)
        back = b""
        try:
            while data := line.recv(65536):
                back += data
        except ConnectionResetError:
            pass
    return back, time.monotonic() - begun


@pytest.mark.slow
def test_slow_senders_are_not_waited_for(hasty: str) -> None:
    head = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
    body = b"Content-Type: application/json\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{"
    for part, heard in ((b"", b""), (b"POST /v1/compl", b""), (head, b""), (head + body, b"HTTP/1.1 408")):
        back, seconds = raw(hasty, part)
        assert back[:12] == heard
        assert 0.3 < seconds < Limits().slow


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"3", b'"a"', b"\xff\xfe", b"{" * 3000, b"[" * 4000, b'{"prompt": NaN}', b"1" * 4800,
     b'{"prompt": "\\ud800"}', b'{"prompt": ["\\udfff", "a"], "stop": "\\ud800"}', b'{"prompt": "a", "temperature": 1e999}',
     b'{"prompt": "a", "model": "\\ud800"}', b'{"prompt": {"a": 1}}', b'{"prompt": "a", "seed": 1e400}'],
)  # fmt: skip
def test_what_is_no_request_is_told_so(locked: str, content: bytes) -> None:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    answer = http.post(f"{locked}/v1/completions", content=content, headers=headers)
    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("completions", '"prompt": "a \\ud83d"'),
        ("completions", '"prompt": ["a", "\\udfff"]'),
        ("completions", '"prompt": "a", "stop": "\\ud83d"'),
        ("chat/completions", '"messages": [{"role": "user", "content": "a \\ud83d"}]'),
        ("chat/completions", '"messages": [{"role": "user", "content": [{"type": "text", "text": "\\ud83d"}]}]'),
        ("embeddings", '"input": ["a \\ud83d"]'),
        (
            "completions",
            '"prompt": "a", "response_format": {"type": "json_schema", "json_schema": {"schema": {"const": "\\ud83d"}}}',
        ),
    ],
)
def test_half_a_character_is_told_so(locked: str, path: str, body: str) -> None:
    """As a client sends that cuts a text in the middle of an emoji. The model is named, or it would not come so far."""
    content = f'{{"model": "tiny", "max_tokens": 2, {body}}}'.encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    answer = http.post(f"{locked}/v1/{path}", content=content, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


def test_other_failures_have_the_same_shape(locked: str) -> None:
    assert ask(locked, "/nowhere", "GET").json()["error"]["type"] == "not_found_error"
    assert ask(locked, "/v1/completions", "GET").status_code == 405


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "text/plain", "nonsense", "application/json; x", None]
)
def test_a_body_that_is_json_is_read_whatever_it_is_called(locked: str, kind: str | None) -> None:
    """`curl -d` calls it a form. A page that may not ask is turned away all the same."""
    headers = {"authorization": f"Bearer {KEY}"} | ({} if kind is None else {"content-type": kind})
    answer = http.post(f"{locked}/v1/completions", content=json.dumps(ASKED), headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["finish_reason"] in ("length", "stop")  # the tiny model draws what it says
    foreign = {**headers, "origin": "https://evil.example"}
    assert http.post(f"{locked}/v1/completions", content=json.dumps(ASKED), headers=foreign).status_code == 403


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"model=tiny&prompt=the+cat", "the body is no JSON (Expecting value, at character 1): send one JSON object"),
     (b'{"prompt": "the cat",}', "the body is no JSON ("), (b"", "the body is empty: send one JSON object"),
     (b'["the cat"]', "the body is JSON, but no object: send one JSON object"), (b"null", "send one JSON object")],
)  # fmt: skip
def test_what_is_no_json_object_hears_what_is_wanted(locked: str, content: bytes, says: str) -> None:
    for path in ("completions", "chat/completions", "embeddings"):
        for kind in ("application/json", "application/x-www-form-urlencoded"):
            headers = {"authorization": f"Bearer {KEY}", "content-type": kind}
            answer = http.post(f"{locked}/v1/{path}", content=content, headers=headers)
            assert answer.status_code == 400
            assert says in answer.json()["error"]["message"]
            assert "send one JSON object" in answer.json()["error"]["message"]


def test_the_log_counts_and_does_not_quote(locked: str, told: list[dict[str, Any]], shelf: Shelf) -> None:
    told.clear()
    assert ask(locked).status_code == 200
    assert comes(lambda: told)  # written once the answer is sent
    row = told[-1]
    assert {name: row[name] for name in ("method", "path", "status", "model", "prompt_tokens", "completion_tokens")} == {
        "method": "POST", "path": "/v1/completions", "status": 200, "model": "tiny", "prompt_tokens": 3, "completion_tokens": 2,
    }  # fmt: skip
    assert "the cat" not in json.dumps(row)
    quoted: list[Any] = []
    with served(build(shelf, Admission(), log=quoted.append, log_prompts=True)) as base:
        http.post(f"{base}/completions", json=ASKED)
        deep = {"type": "json_schema", "json_schema": {"schema": json.loads('{"items": ' * 900 + "{}" + "}" * 900)}}
        assert http.post(f"{base}/completions", json={**ASKED, "response_format": deep}).status_code == 400
    assert quoted[-2]["asked"]["prompt"] == "the cat"


def test_the_counts_are_prometheus_own_words(locked: str) -> None:
    before = ask(locked, "/metrics", "GET").text
    assert ask(locked).status_code == 200
    text = ask(locked, "/metrics", "GET").text
    assert 'wellread_tokens_total{model="tiny",kind="completion"}' in text
    assert "wellread_places 64" in text
    assert 'wellread_request_seconds_bucket{le="+Inf"}' in text
    name = 'wellread_requests_total{path="/v1/completions",status="200"} '
    counts = [int(each.partition(name)[2].split()[0]) for each in (before, text)]
    assert counts[1] == counts[0] + 1
    for line in text.splitlines():
        assert line.startswith(("# HELP ", "# TYPE ")) or float(line.rpartition(" ")[2]) >= 0


def test_beyond_this_machine_keys_are_required(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.0.4", "example.org", ""):
        with pytest.raises(UsageError, match="--key-file"):
            admission(host, None)
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        assert is_loopback(host)
        assert admission(host, None).keys == ()
    file = tmp_path / "keys"
    file.write_text(f"# ours\n\n{KEY}\n  abcdefghijklmnop \n", encoding="utf-8")
    assert admission("0.0.0.0", file).keys == (KEY, "abcdefghijklmnop")


@pytest.mark.parametrize("text", ["", "# nothing\n", "short\n", "a key with spaces in it\n", "schlüsselschlüssel\n"])
def test_a_file_without_good_keys_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match="key"):
        read_keys(tmp_path / "keys")
    with pytest.raises(UsageError, match="cannot be read"):
        read_keys(tmp_path / "none")


def test_names_in_a_host_header() -> None:
    assert [host_of(each) for each in ("A.b:80", "a.b", "[::1]:80", "[::1]", "::1")] == [
        "a.b",
        "a.b",
        "::1",
        "::1",
        "::1",
    ]


def test_a_port_that_is_taken_is_told(locked: str) -> None:
    port = urlsplit(locked).port or 0
    with pytest.raises(UsageError, match="taken"):
        listen("127.0.0.1", port)
    with listen("127.0.0.1", 0) as opened:
        assert address_of(opened).startswith("http://127.0.0.1:")
