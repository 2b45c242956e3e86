"""What is known of every chapter in, the geometry of the ribbon out: surprise, recitation and part, along the book."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from wellread.reports.known import Known
from wellread.reports.wording import percent

WIDTH, HEIGHT = 1000.0, 100.0
LEAST_RECITED = 0.05
"""The recited band's top shows at least this share, so that a single phrase does not look like a book by heart."""
GAP = 1.2


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where a part of the book begins and how much of it there is, in per cent of the book."""

    part: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Ribbon:
    """A chapter is as wide as it is long; paths are SVG in a box of 1000 x 100."""

    bars: str
    """Bits per byte of the last model, as filled columns."""
    ticks: str
    """Bits per byte of the first model, as lines across the columns; empty where there is one model only."""
    recited: str
    recited_before: str
    parts: tuple[Stretch, ...]
    """Neighbours of one part are one stretch."""
    grid: tuple[tuple[int, float], ...]
    """Whole bits and how far from the top they lie, in per cent."""
    top_recited: str


def ribbon(chapters: Sequence[Known]) -> Ribbon:
    """Chapters that were not scored leave a gap."""
    edges = list(_edges(chapters))
    before = [each.figures[0].bits_per_byte for each in chapters]
    after = [each.figures[-1].bits_per_byte for each in chapters]
    several = bool(chapters) and len(chapters[0].figures) > 1
    top = (
        max([bits for bits in [*before, *after] if bits is not None and math.isfinite(bits)], default=1.0) * 1.06 or 1.0
    )
    shares = [each.figures[-1].recited_share for each in chapters]
    earlier = [each.figures[0].recited_share for each in chapters]
    most = max([LEAST_RECITED, *(share for share in [*shares, *(earlier if several else [])] if share is not None)])
    return Ribbon(
        _columns(edges, [_height(bits, top) for bits in after]),
        _lines(edges, [_height(bits, top) for bits in before]) if several else "",
        _columns(edges, [_height(share, most) for share in shares]),
        _lines(edges, [_height(share, most) for share in earlier]) if several else "",
        tuple(_stretches(chapters)),
        tuple((bits, round(100 * (1 - bits / top), 2)) for bits in range(1, int(top) + 1)),
        percent(most),
    )  # fmt: skip


def _height(value: float | None, top: float) -> float | None:
    return None if value is None or not math.isfinite(value) else HEIGHT * min(max(value, 0.0), top) / top


def _edges(chapters: Sequence[Known]) -> Iterator[tuple[float, float]]:
    """Where each chapter's column begins and how wide it is, with a gap after it where there is room for one."""
    total = sum(each.characters for each in chapters) or 1
    starts = [0, *accumulate(each.characters for each in chapters)]
    for start, each in zip(starts, chapters, strict=False):
        width = WIDTH * each.characters / total
        yield WIDTH * start / total, max(width - min(GAP, width / 4), 0.1)


def _stretches(chapters: Sequence[Known]) -> Iterator[Stretch]:
    total = sum(each.characters for each in chapters) or 1
    done = 0
    for part, neighbours in groupby(chapters, key=lambda each: each.part):
        size = sum(each.characters for each in neighbours)
        if part:
            yield Stretch(part, round(100 * done / total, 3), round(100 * size / total, 3))
        done += size


def _columns(edges: Sequence[tuple[float, float]], heights: Sequence[float | None]) -> str:
    return "".join(
        f"M{x:.2f} {HEIGHT:.0f}v-{height:.2f}h{width:.2f}v{height:.2f}z"
        for (x, width), height in zip(edges, heights, strict=True)
        if height
    )


def _lines(edges: Sequence[tuple[float, float]], heights: Sequence[float | None]) -> str:
    return "".join(
        f"M{x:.2f} {HEIGHT - height:.2f}h{width:.2f}"
        for (x, width), height in zip(edges, heights, strict=True)
        if height
    )
