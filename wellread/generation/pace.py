"""A server's headers in, how long it wants to be left alone out; and the clock that all calls to one server wait by."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|h|m|s)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
EPOCH = 1_000_000_000
"""A reset above this is a time of day, in seconds since 1970, and no duration."""


def asked_to_wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, by `retry-after-ms` or `Retry-After`; None where it asks nothing.

    `headers` are looked up without regard to case. A date is a time of day; one that is past asks for 0.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    milliseconds = _number(lower.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    wish = lower.get("retry-after")
    if wish is None:
        return None
    seconds = _number(wish)
    if seconds is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(wish).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def used_up(headers: Mapping[str, str]) -> float | None:
    """Seconds until a limit is reset that these headers say is used up; None where something is left, or none is named.

    Read are `x-ratelimit-remaining-requests` and `-tokens` with their `reset`, and the same without a kind.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    waits = []
    for prefix in ("x-ratelimit-", "ratelimit-"):
        for kind in ("-requests", "-tokens", ""):
            left, reset = lower.get(f"{prefix}remaining{kind}"), lower.get(f"{prefix}reset{kind}")
            wait = duration(reset) if reset and _number(left) == 0 else None
            if wait is not None:
                waits.append(wait)
    return max(waits, default=None)


def duration(text: str) -> float | None:
    """Seconds of `6m0s`, `20ms`, `1.5`, or of a time of day in seconds since 1970; None for anything else."""
    number = _number(text)
    if number is not None:
        return max(0.0, number - time.time()) if number > EPOCH else number
    found = _SPAN.findall(text)
    return sum(float(value) * _SECONDS[unit] for value, unit in found) if found else None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


class Pace:
    """When the next call may go out; shared by all threads that call one server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._from = 0.0

    def hold(self, seconds: float) -> None:
        """No call goes out for so long."""
        with self._lock:
            self._from = max(self._from, time.monotonic() + seconds)

    def wait(self, stop: threading.Event) -> None:
        """Return when a call may go out, or `stop` is set."""
        while not stop.is_set():
            with self._lock:
                left = self._from - time.monotonic()
            if left <= 0:
                return
            stop.wait(left)
