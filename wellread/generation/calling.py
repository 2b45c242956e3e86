"""One chat request in, one completion out: over HTTP, within a time limit, tried again where that can help.

httpx and not the openai client: a body that never ends must end here, and waiting is for all calls together.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wellread.errors import MissingPackage, ModelError, RunError, WellreadError, first_line
from wellread.generation.pace import Pace, asked_to_wait, used_up

AGAIN = frozenset({408, 409, 425, 429})
"""Beside every status from 500 on: what another try may mend."""
BARREN = 3
"""Calls one after another that gave nothing with all their tries; then the server is left alone."""
QUOTA = ("insufficient_quota", "billing")
SHOWN = 160
"""Characters of what a server says that a message repeats."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one server is granted; nothing here changes what is asked, or what a reply is kept under."""

    seconds: float = 180.0
    """For one call. A body that is still coming then is given up; with the last read it may take twice as long."""
    tries: int = 5
    """Calls at most for one reply: of time-outs, 429 and 5xx, broken or wrong bodies."""
    backoff: float = 1.0
    """Seconds before the second try, doubled before each further one, where the server names no time."""
    wait: float = 120.0
    """Seconds that a server may ask to wait. Who asks for more is not called again."""
    concurrency: int = 4
    """Calls at the same time."""
    size: int = 4 << 20
    """Bytes of one reply."""
    rewrites: int = 2
    """Replies asked for in place of one that is no use to whoever asked."""


class Halted(RunError):
    """The server wants no further calls for now."""


class Refused(RunError):
    """A request that this server does not take, whoever sends it again."""

    def __init__(self, reason: str, said: str) -> None:
        super().__init__(reason)
        self.said = said


class _Trouble(Exception):
    """What another try may mend."""


class Line:
    """A connection to the chat completions of one server. Its `post` may be called from several threads."""

    def __init__(self, base: str, key: str, limits: Limits) -> None:
        try:
            import httpx
        except ImportError:
            raise MissingPackage("endpoints need a package more: pip install 'wellread[endpoint]'") from None
        self._httpx = httpx
        self.url, self.limits, self.pace = f"{base}/chat/completions", limits, Pace()
        headers = {"accept-encoding": "identity"} | ({"authorization": f"Bearer {key}"} if key else {})
        timeout = httpx.Timeout(limits.seconds, connect=min(limits.seconds, 15.0), pool=None)
        most = httpx.Limits(max_connections=limits.concurrency)
        try:
            self._client = httpx.Client(headers=headers, timeout=timeout, limits=most)
        except UnicodeEncodeError:
            raise ModelError("the key holds characters that no key has; look into its file.") from None
        self._answered = False
        self._barren = 0

    def post(self, body: Mapping[str, Any], stop: threading.Event) -> dict[str, Any]:
        """The completion, an object whose first choice has a message with text.

        Raises RunError where all tries failed or `stop` was set, Refused for a request that the server does not take,
        Halted where it asks to wait too long, ModelError where no call to it can succeed.
        """
        draw = random.Random(json.dumps(body, sort_keys=True))
        reasons: list[str] = []
        for number in range(self.limits.tries):
            self.pace.wait(stop)
            if stop.is_set():
                raise RunError("not asked any more")
            try:
                found = self._once(body)
            except _Trouble as trouble:
                reasons.append(str(trouble))
                if number + 1 < self.limits.tries:
                    stop.wait(self.limits.backoff * 2**number * draw.uniform(0.75, 1.25))
            else:
                self._answered, self._barren = True, 0
                return found
        raise self._given_up(f"{reasons[-1]} ({len(reasons)} tries)")

    def _given_up(self, told: str) -> WellreadError:
        """What becomes of a call whose tries are spent: of this one alone, or of all of them."""
        self._barren += 1
        if not self._answered and told.startswith("no connection"):
            return ModelError(f"{self.url}: {told}; is the server running, and is this its address?")
        return Halted(f"{told}, as {BARREN} calls one after another") if self._barren >= BARREN else RunError(told)

    def _once(self, body: Mapping[str, Any]) -> dict[str, Any]:
        status, headers, data = self._exchange(body)
        said = _said(data)
        wish = asked_to_wait(headers) if status != 200 else None
        if status == 200:
            self._hold(used_up(headers) or 0.0)
            return completion(data)
        if status in {401, 403}:
            raise ModelError(
                f"{self.url}: the key is refused ({status}: {said}); give one with --key-file or WELLREAD_API_KEY."
            )
        if status == 404:
            raise ModelError(f"{self.url}: no such model or address (404: {said}); an endpoint is spelt URL/v1#model.")
        if 300 <= status < 400:
            raise ModelError(
                f"{self.url}: it leads elsewhere ({status}, to {headers.get('location', '?')}); name that address."
            )
        if status == 429 and any(word in said for word in QUOTA):
            raise Halted(f"the account has nothing left ({said})")
        if status in AGAIN or status >= 500:
            self._hold((wish if wish is not None else used_up(headers)) or 0.0)
            raise _Trouble(f"status {status}: {said}")
        raise Refused(f"status {status}: {said}", said)

    def _hold(self, seconds: float) -> None:
        if seconds > self.limits.wait:
            raise Halted(f"the server asks to wait for {seconds:,.0f} seconds")
        if seconds:
            self.pace.hold(seconds)

    def _exchange(self, body: Mapping[str, Any]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body. Raises _Trouble for a connection that fails, or a body that is too long or late."""
        httpx, limits = self._httpx, self.limits
        deadline = time.monotonic() + limits.seconds
        data = bytearray()
        try:
            with self._client.stream("POST", self.url, json=body) as response:
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > limits.size:
                        raise _Trouble(f"a reply of more than {limits.size:,} bytes")
                    if time.monotonic() > deadline:
                        raise _Trouble(f"a reply that had not ended after {limits.seconds:g} s")
                return response.status_code, response.headers, bytes(data)
        except httpx.ConnectError as error:
            raise _Trouble(f"no connection ({first_line(error)})") from None
        except httpx.TimeoutException:
            raise _Trouble(f"no answer within {limits.seconds:g} s") from None
        except httpx.InvalidURL as error:
            raise ModelError(f"{self.url}: not an address ({first_line(error)}).") from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Trouble(f"the connection broke ({first_line(error)})") from None

    def close(self) -> None:
        self._client.close()


def completion(data: bytes) -> dict[str, Any]:
    """A body as a chat completion. Raises _Trouble for half a JSON, another shape, or an empty choice."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise _Trouble(f"not a whole JSON object: {_shown(data)}") from None
    try:
        text = found["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        raise _Trouble(f"not a chat completion: {_shown(data)}") from None
    if not isinstance(text, str):
        raise _Trouble(f"a completion without text: {_shown(data)}")
    whole: dict[str, Any] = found
    return whole


def _said(data: bytes) -> str:
    """What a server says went wrong: its error's message and code where the body has them, in one line."""
    try:
        error = json.loads(data).get("error")
        parts = [error.get("message"), error.get("code")] if isinstance(error, dict) else [error]
        text = ", ".join(str(part).rstrip(". ") for part in parts if part)  # it stands within a sentence of ours
    except (ValueError, AttributeError, RecursionError):
        text = ""
    return " ".join(text.split())[:SHOWN] or _shown(data)


def _shown(data: bytes) -> str:
    text = " ".join(data[: 4 * SHOWN].decode("utf-8", "replace").split())
    return text[: SHOWN // 2] or "nothing"
