"""The server's socket: a host and a port in, requests answered until it is told to stop; slow connections are cut."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from wellread.errors import RunError, UsageError
from wellread.serving.settings import Limits

BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free. Raises UsageError where the address or the port cannot be had."""
    try:
        [family, kind, protocol, _, address] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(f"{host}: no address of this machine ({error.strerror}).") from None
    if os.name == "posix":  # elsewhere it would let two servers share a port
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind(address)
    except (OSError, OverflowError) as error:
        opened.close()
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        raise UsageError(f"cannot listen on {host}, port {port}: "
                         + ("it is taken; name another with --port." if taken else f"{error}.")) from None  # fmt: skip
    opened.listen(BACKLOG)
    return opened


def address_of(opened: socket.socket) -> str:
    """The base URL that clients give."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def server(app: ASGIApp, limits: Limits) -> uvicorn.Server:
    """The server, ready to `run(sockets=[…])`; it logs no line of its own but what failed."""
    config = uvicorn.Config(
        app, http=_protocol(limits.slow), ws="none", lifespan="on", access_log=False, log_level="error", log_config=None,
        limit_concurrency=limits.connections, timeout_keep_alive=5, timeout_graceful_shutdown=3, server_header=False,
        proxy_headers=False, backlog=BACKLOG,
    )  # fmt: skip
    return uvicorn.Server(config)


@contextmanager
def served(app: ASGIApp, limits: Limits | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """The app, served from a thread of this process for as long as the block lasts: its base URL. For tests, notebooks and
    benchmarks. Raises RunError where it does not begin."""
    opened = listen(host, port)
    running = server(app, limits or Limits())
    thread = threading.Thread(target=running.run, kwargs={"sockets": [opened]}, name="serving", daemon=True)
    thread.start()
    try:
        while not running.started:
            if not thread.is_alive():
                raise RunError("the server ended before it had begun; its log says why.")
            thread.join(0.01)
        yield address_of(opened)
    finally:
        running.should_exit = True
        thread.join(10)
        opened.close()


def _protocol(slow: float) -> type[asyncio.Protocol]:
    """HTTP/1.1 that cuts whoever sends no whole head, or takes nothing of what it was sent, for `slow` seconds.

    uvicorn waits for both without end; what comes after the head is the gate's affair.
    """

    class Impatient(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            self._timers: dict[str, asyncio.TimerHandle] = {}
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._expect_head()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._cut_later("stuck")

        def resume_writing(self) -> None:
            super().resume_writing()
            self._spare("stuck")

        def timeout_keep_alive_handler(self) -> None:
            super().timeout_keep_alive_handler()
            self._cut_later("closing")  # whoever takes nothing is not waited for

        def connection_lost(self, exc: Exception | None) -> None:
            for name in list(self._timers):
                self._spare(name)
            super().connection_lost(exc)

        def _expect_head(self) -> None:
            if self.cycle is None or self.cycle.response_complete:
                self._cut_later("head")
            else:
                self._spare("head")

        def _cut_later(self, name: str) -> None:
            if name not in self._timers:
                self._timers[name] = self.loop.call_later(slow, self.transport.abort)

        def _spare(self, name: str) -> None:
            if name in self._timers:
                self._timers.pop(name).cancel()

    return Impatient
