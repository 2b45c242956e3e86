"""How far a model has come with what it was asked to write or to score: told while it works, to whoever watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Work:
    doing: str
    """`scoring` or `writing`."""
    done: int
    total: int
    things: str
    """What is counted."""
    share: float
    """Of the work, 0 to 1: pieces may be of different sizes, and one may be half done."""
    seconds: float
    """Since it began."""

    @property
    def seconds_left(self) -> float | None:
        """None while too little is done to tell."""
        return self.seconds * (1 - self.share) / self.share if self.share > 0 else None


Tell = Callable[[Work], None]


@runtime_checkable
class Telling(Protocol):
    """A model that tells how far it has come."""

    tell: Tell


def untold(work: Work) -> None:
    """Nobody watches."""


def telling(tell: Tell, doing: str, total: int, things: str) -> Callable[[int, float], None]:
    """A function that is called with how many are done and which share of the work that is."""
    begun = time.monotonic()
    return lambda done, share: tell(Work(doing, done, total, things, share, time.monotonic() - begun))
