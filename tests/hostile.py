"""A server of chat completions in this process that behaves as badly as it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Behaviour = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        fake = self.server.fake
        with fake.lock:
            fake.asked.append(body)
            fake.headers.append(self.headers)
            fake.inside += 1
            fake.most_inside = max(fake.most_inside, fake.inside)
            behave = fake.script.pop(0) if fake.script else fake.otherwise
        try:
            behave(self, body)
        except OSError:
            pass  # whoever asked has gone
        finally:
            with fake.lock:
                fake.inside -= 1

    def send(self, status: int, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: Hostile

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class Hostile:
    """`with Hostile(say("yes"), status(500)) as fake`: each call is met by the next behaviour, then by `otherwise`."""

    def __init__(self, *script: Behaviour, otherwise: Behaviour | None = None) -> None:
        self.script = list(script)
        self.otherwise = otherwise or say("as you say")
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Any] = []
        self.inside = self.most_inside = 0
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.fake = self
        self.name = f"http://127.0.0.1:{self._server.server_port}/v1#tiny"

    def __enter__(self) -> Hostile:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion(text: Any, finish: str = "stop") -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    return json.dumps({"choices": [choice], "usage": usage}).encode()


def say(text: Any, finish: str = "stop", **headers: str) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, body: handler.send(200, completion(text, finish), named)


def answer(write: Callable[[dict[str, Any]], str]) -> Behaviour:
    return lambda handler, body: handler.send(200, completion(write(body)))


def status(code: int, message: str = "no", **headers: str) -> Behaviour:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, body: handler.send(code, json.dumps({"error": {"message": message}}).encode(), named)


def raw(data: bytes) -> Behaviour:
    return lambda handler, body: handler.send(200, data)


def half(handler: Handler, body: dict[str, Any]) -> None:
    handler.send(200, completion("a long answer")[:40])


def gone(handler: Handler, body: dict[str, Any]) -> None:
    handler.connection.close()


def late(seconds: float) -> Behaviour:
    def wait(handler: Handler, body: dict[str, Any]) -> None:
        time.sleep(seconds)
        handler.send(200, completion("at last"))

    return wait


def endless(pause: float, piece: bytes = b" " * 1024) -> Behaviour:
    """A body that never ends; whoever asked must go."""

    def stream(handler: Handler, body: dict[str, Any]) -> None:
        handler.send(200, b"{")
        for _ in range(100_000):
            handler.wfile.write(piece)
            time.sleep(pause)

    return stream
