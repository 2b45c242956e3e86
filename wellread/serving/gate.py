"""A request in, the same request out if it may come in: its key, host, page and size, before anything else reads it.

Whatever passes is counted and told to the log, a line for each request; what people wrote is no part of that.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wellread.serving.failures import Failure
from wellread.serving.metering import Meter
from wellread.serving.settings import Admission, Limits

Log = Callable[[Mapping[str, Any]], None]
PATHS = (
    "/v1/models",
    "/v1/completions",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/healthz",
    "/metrics",
    "/openapi.json",
)
DRAINED = 8
"""How many times the largest body is read away, so that a client that sends more can still hear why it is refused."""


class Gate:
    """The outermost layer. `scope["state"]["told"]` is a dictionary in which the routes note what the log is to say."""

    def __init__(self, app: ASGIApp, admission: Admission, limits: Limits, meter: Meter, log: Log) -> None:
        self._app, self._admission, self._limits = app, admission, limits
        self._meter, self._log = meter, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(send)
        told = scope.setdefault("state", {}).setdefault("told", {})
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            allowed = self._cross_origin(headers)
            visit.headers = allowed
            await self._pass(scope, headers, receive, visit)
        except Failure as failure:
            told["error"] = failure.code
            await failure.response()(scope, receive, visit.send)
        finally:
            path = next((each for each in PATHS if scope["path"].startswith(each)), "other")
            self._meter.request(path, visit.status, visit.seconds)
            self._log({"request": uuid.uuid4().hex[:12], "method": scope["method"], "path": path, "status": visit.status,
                       "ms": round(1000 * visit.seconds), **told})  # fmt: skip

    async def _pass(self, scope: Scope, headers: Mapping[str, str], receive: Receive, visit: _Visit) -> None:
        asks_leave = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if asks_leave and visit.headers:  # a browser asks before it sends, and sends no key with that
            self._check_place(headers)
            await _leave_given(headers, visit)
            return
        try:
            self._check_key(headers)
            self._check_place(headers)
        except Failure:
            await self._drain(receive)
            raise
        body = await self._body(receive)
        await self._app(_as_json(scope), _replayed(body, receive), visit.send)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        if not self._admission.knows(headers.get("authorization", "")):
            raise Failure(401, "the key is missing or wrong: send `Authorization: Bearer KEY`.", "invalid_api_key",
                          headers={"WWW-Authenticate": "Bearer"})  # fmt: skip

    def _check_place(self, headers: Mapping[str, str]) -> None:
        """Raises Failure for a host that is not this one, or a page that has no business here."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._admission.names(host):
            raise Failure(
                403, f"this server does not go by the name {host[:100]!r}: name it with --allow-host.", "wrong_host"
            )
        if origin is not None and not self._admission.allows(origin, host):
            raise Failure(
                403, f"pages from {origin[:100]!r} may not ask here: name it with --allow-origin.", "wrong_origin"
            )

    def _cross_origin(self, headers: Mapping[str, str]) -> dict[str, str]:
        origin = headers.get("origin", "")
        if origin not in self._admission.origins:
            return {}
        return {"access-control-allow-origin": origin, "vary": "Origin", "access-control-expose-headers": "Retry-After"}

    async def _body(self, receive: Receive) -> bytes:
        """The whole body. Raises Failure (413, 408) for one that is too large or too slow."""
        try:
            async with asyncio.timeout(self._limits.slow):
                data, size = await self._read(receive)
        except TimeoutError:
            raise Failure(408, f"the request was not there within {self._limits.slow:g} s.", "too_slow") from None
        if size > self._limits.body:
            raise Failure(413, f"a request may have {self._limits.body:,} bytes.", "too_large")
        return data

    async def _drain(self, receive: Receive) -> None:
        """Read away what is still being sent, within bounds."""
        try:
            async with asyncio.timeout(self._limits.slow):
                await self._read(receive)
        except TimeoutError:
            return

    async def _read(self, receive: Receive) -> tuple[bytes, int]:
        """As much of a body as may be, and how many bytes were read: a client that sends more has some of it read away."""
        data, size = bytearray(), 0
        while size <= DRAINED * self._limits.body:
            message = await receive()
            part = message.get("body", b"")
            size += len(part)
            data += part[: max(0, self._limits.body - len(data))]
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                break
        return bytes(data), size


class _Visit:
    """One request's answer on its way out."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, time.monotonic()
        self.status = 0
        self.headers: dict[str, str] = {}

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            further = {"x-content-type-options": "nosniff", "cache-control": "no-store", **self.headers}
            message["headers"] = [*message["headers"], *((n.encode(), v.encode("latin-1")) for n, v in further.items())]
        await self._send(message)


def _as_json(scope: Scope) -> Scope:
    """The request with its body called JSON, which alone is read here: `curl -d` calls it a form, and other clients nothing. A page
    that may not ask has been turned away by its Origin before, whatever it calls what it sends."""
    kept = [(name, value) for name, value in scope["headers"] if name.lower() != b"content-type"]
    return {**scope, "headers": [*kept, (b"content-type", b"application/json")]}


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body at once, then whatever the connection says, which is that the client has gone."""
    first = True

    async def replay() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return replay


async def _leave_given(headers: Mapping[str, str], visit: _Visit) -> None:
    asked = headers.get("access-control-request-headers", "authorization, content-type")
    given = {
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": asked[:500],
        "access-control-max-age": "600",
    }
    head = [(name.encode(), value.encode("latin-1")) for name, value in given.items()]
    await visit.send({"type": "http.response.start", "status": 204, "headers": head})
    await visit.send({"type": "http.response.body", "body": b""})
