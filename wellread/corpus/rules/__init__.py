"""Cleaning rules, a file per family: the texts of one source in, the same texts without one kind of furniture out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule leaves of a source's texts, how often it changed something, and one change a person can judge."""

    texts: list[str]
    count: int = 0
    example: str = ""


Rule = Callable[[list[str]], Outcome]


def excerpt(text: str, width: int = 120) -> str:
    """One line of a text, cut in the middle where it is longer than `width` characters."""
    line = " / ".join(part.strip() for part in text.splitlines() if part.strip())
    half = (width - 3) // 2
    return line if len(line) <= width else f"{line[:half].rstrip()} … {line[-half:].lstrip()}"
