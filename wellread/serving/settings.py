"""What a server grants and whom it lets in, as records; and the file of its keys."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wellread.errors import UsageError

SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may ask for, and how long anything may take."""

    places: int = 64
    """Texts that are written or wait to be, of all clients together. Who comes then is told to come again."""
    max_tokens: int = 1024
    """The longest text: more is not refused, the text ends there."""
    seconds: float = 300.0
    """From when a request is there to when its text ends."""
    body: int = 1 << 20
    """Bytes of a request."""
    slow: float = 15.0
    """Seconds that a client may take to send a request, or to read what it was sent."""
    texts: int = 32
    """Prompts of one request, times `n`."""
    embedded: int = 256
    """Texts of one request for embeddings."""

    @property
    def connections(self) -> int:
        """Connections at the same time; the answer "come again" needs one too."""
        return self.places + 256


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is let in: any key of `keys` (none: everyone), asking under a name of this host, from no foreign page."""

    keys: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    """Names, beside those of this machine's loopback and plain IP addresses, that a request may ask for."""
    origins: frozenset[str] = frozenset()
    """Pages, as `https://host:port`, whose scripts may ask from a browser."""

    def knows(self, authorization: str) -> bool:
        """Whether a header `Bearer KEY` brings one of the keys; takes as long whichever it is, and whatever is wrong."""
        if not self.keys:
            return True
        scheme, _, brought = authorization.partition(" ")
        mark = _mark(brought.strip())
        same = [hmac.compare_digest(mark, _mark(key)) for key in self.keys]
        return any(same) and scheme.lower() == "bearer"

    def names(self, host: str) -> bool:
        """Whether a Host header names this machine: a page that had its own name lead here (DNS rebinding) does not."""
        name = host_of(host)
        return name == "localhost" or name in self.hosts or _is_address(name)

    def allows(self, origin: str, host: str) -> bool:
        """Whether a page from `origin` may ask: this server's own, or one that was named."""
        return origin in self.origins or origin in {f"http://{host}", f"https://{host}"}


def host_of(header: str) -> str:
    """The name in a Host header, without its port, in small letters."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.rpartition(":")[0].lower() if header.count(":") == 1 else header.lower()


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def admission(
    host: str, key_file: Path | None, hosts: Sequence[str] = (), origins: Sequence[str] = ()
) -> Admission:  # fmt: skip
    """Who is let in at `host`. Raises UsageError where it can be reached from elsewhere and there is no key."""
    if key_file is None and not is_loopback(host):
        raise UsageError(
            f"{host} can be reached from other machines: give keys with --key-file, or listen on 127.0.0.1."
        )
    keys = read_keys(key_file) if key_file else ()
    named = {each.lower() for each in hosts} | ({host.lower()} if host else set())
    return Admission(keys, frozenset(named), frozenset(each.rstrip("/") for each in origins))


def read_keys(path: Path) -> tuple[str, ...]:
    """The keys of a file, one a line; empty lines and what begins with `#` are passed over.

    Raises UsageError for a file without keys, and for a key that is short or not of printable ASCII.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path}: the keys cannot be read ({getattr(error, 'strerror', None) or 'not text'})."
        ) from None
    keys = tuple(line.strip() for line in lines if line.strip() and not line.strip().startswith("#"))
    if not keys:
        raise UsageError(f"{path}: there is no key in it; write one a line.")
    for number, key in enumerate(keys, 1):
        if len(key) < SHORTEST_KEY or not all("!" <= letter <= "~" for letter in key):
            raise UsageError(
                f"{path}: key {number} must be at least {SHORTEST_KEY} printable ASCII letters without spaces."
            )
    return keys


def _mark(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
