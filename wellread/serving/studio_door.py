"""A request for the studio in, the same request out if it may come in: its password, host and page; and nothing leaves.

The browser asks for the password itself (HTTP Basic, any user name): so it holds for every page, frame, upload and stream
of the studio alike. On its way out every answer says what the page may load: what this server gives, and nothing else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from wellread.errors import UsageError
from wellread.serving.settings import Admission, is_loopback

SHORTEST = 8
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'self'; form-action 'self'"
)
"""Of the studio's own page, whose scripts are put together in the browser."""


def door_admission(host: str, password: str, hosts: Sequence[str] = ()) -> Admission:
    """Who is let in at `host`, asking under its name or one of `hosts`. Raises UsageError where others can reach it, as they
    can under a further name, and there is no password, or a short one. Spaces around it do not count: no browser's would."""
    password = password.strip()
    if not password and (hosts or not is_loopback(host)):
        reached = f"as {hosts[0]}" if hosts else "from other machines"
        raise UsageError(
            f"{host} can be reached {reached}: give a password with --password-file or in WELLREAD_STUDIO_PASSWORD"
            + (", or leave --allow-host away." if hosts else ", or listen on 127.0.0.1.")
        )
    if password and len(password) < SHORTEST:
        raise UsageError(f"the password has {len(password)} letters; give one of at least {SHORTEST}.")
    return Admission((password,) if password else (), frozenset(each.lower() for each in (host, *hosts)))


def read_password(file: Path) -> str:
    """The first line of a file. Raises UsageError where it cannot be read, or is empty."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file}: the password cannot be read ({getattr(error, 'strerror', None) or 'not text'})."
        ) from None
    if not lines or not lines[0].strip():
        raise UsageError(f"{file}: its first line is empty; write the password there.")
    return lines[0].strip()


class Door:
    """The outermost layer of the studio."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app, self._admission = app, admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refused(headers) if scope["type"] == "http" else PlainTextResponse("not here", 403)
        if refusal is not None:
            await refusal(scope, receive, send)
            return

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                further = {b"x-content-type-options": b"nosniff", b"referrer-policy": b"same-origin"}
                if b"content-security-policy" not in given:
                    further[b"content-security-policy"] = POLICY.encode()
                message["headers"] = [*message["headers"], *further.items()]
            await send(message)

        await self._app(scope, receive, told)

    def _refused(self, headers: dict[str, str]) -> PlainTextResponse | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._admission.knows(f"Bearer {_password(headers.get('authorization', ''))}"):
            asks = {"WWW-Authenticate": 'Basic realm="wellread studio", charset="UTF-8"'}
            return PlainTextResponse("The studio asks for its password; any user name will do.", 401, asks)
        if not self._admission.names(host):
            return PlainTextResponse("The studio does not go by this name: start it with --allow-host NAME.", 403)
        if origin is not None and not self._admission.allows(origin, host):
            return PlainTextResponse("Other pages may not ask here.", 403)
        return None


def _password(header: str) -> str:
    """What a Basic header brings as password; empty for anything else."""
    scheme, _, packed = header.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(packed, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
