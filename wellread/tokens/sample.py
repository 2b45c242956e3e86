"""A library in, a bounded sample of its text out: what a tokenizer of its own is trained on before windows are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread.errors import CorpusError
from wellread.tokens.library import Measured, Shard, find_shards, texts

MOST = 16_000_000
"""Bytes of the sample: enough for any vocabulary that `auto` gives."""
SHARDS = 16
"""Shards that it is taken from, spread over the library."""


def sample(sources: Sequence[str | Path], *, column: str = "text", most: int = MOST) -> list[str]:
    """The beginnings of up to 16 shards spread over the library, of equal size, at most `most` bytes in all.

    Nothing is measured first, and no more is read than is given; a library that changes within its shards is therefore
    sampled at their beginnings only. Raises CorpusError for a library that is not there, or has no text.
    """
    shards = find_shards(sources)
    chosen = sorted({number * len(shards) // SHARDS for number in range(SHARDS)}) if shards else []
    found: list[str] = []
    for number in chosen:
        found += _beginning(shards[number], column, most // len(chosen))
    if not found:
        raise CorpusError(
            f"{', '.join(map(str, sources))}: no text to train a tokenizer on; look at its column {column!r}"
        )
    return found


def _beginning(shard: Shard, column: str, most: int) -> list[str]:
    """The first texts of a shard, the last one cut."""
    found: list[str] = []
    for text in texts(0, shard, Measured(shard.size), column, 0):
        content = text.read(0, min(text.size, most))
        if content:
            found.append(content.decode("utf-8", errors="ignore"))
            most -= len(content)
        if most <= 0:
            break
    return found
