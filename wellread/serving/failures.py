"""What goes wrong, in OpenAI's shape: a status, and one line that says what, found, next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fastapi.responses import JSONResponse

from wellread.errors import MissingPackage, UsageError, WellreadError

_PATH = re.compile(r"(?<![\w:/.\\~-])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\:'\"]+[/\\])*([^\s/\\:'\"]+)")
"""A path from a root; its last part is kept."""


@dataclass(eq=False)
class Failure(Exception):
    """An answer that is none; raised by whoever finds it, sent as it is."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """OpenAI's word for it."""
        known = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
        return known.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")

    @property
    def body(self) -> dict[str, object]:
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        return JSONResponse(self.body, self.status, self.headers)


def busy(message: str, seconds: int, *, status: int = 429) -> Failure:
    """Come again in so many seconds."""
    return Failure(status, message, "too_many_requests", headers={"Retry-After": str(seconds)})


def failure_of(error: BaseException, hidden: Mapping[str, str] | None = None) -> Failure:
    """What a client is told: of what it can mend the house's own line, of anything else no more than that it happened.

    Where things lie on this machine is nobody's business: `hidden` has names of places with what to say instead.
    """
    if isinstance(error, Failure):
        return error
    if isinstance(error, UsageError | MissingPackage):
        return Failure(400, without_places(str(error), hidden or {}), "not_possible")
    if isinstance(error, WellreadError):
        return Failure(500, without_places(str(error), hidden or {}), "model_failed")
    return Failure(500, "the model failed; the server's log says how.", "model_failed")


def without_places(text: str, hidden: Mapping[str, str]) -> str:
    """The text with the hidden names replaced, the longest first, and of every path from a root no more than its last part."""
    for name in sorted(hidden, key=len, reverse=True):
        text = text.replace(name, hidden[name])
    text = text.replace(str(Path.home()), "~")  # a user's name may have a blank in it
    return _PATH.sub(r"\1", text)
