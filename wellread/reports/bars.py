"""Measurements in, bars of bits per byte out, as shares of the longest; certificate_charts.html draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellread.reports.rows import BITS, Rows
from wellread.reports.wording import METRICS, number
from wellread.types import Measurement


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    kind: str
    """base, trained or compressor."""
    value: str
    width: float
    """Per cent of the plot."""
    low: float | None
    high: float | None
    """Ends of the interval, in per cent of the plot."""
    interval: str


def bars(measurements: Sequence[Measurement], *, trained: str, base: str | None) -> list[Bar]:
    """Bits per byte of the held-out text: base, trained model, compressors; what was not measured has no bar."""
    rows = Rows.of(measurements)
    found = [("Before training", "base", rows.get(BITS, base, "held_out"))] if base is not None else []
    found += [("After training" if base is not None else "The model", "trained", rows.get(BITS, trained, "held_out"))]
    found += [(f"{METRICS[row.name].title}, a file compressor", "compressor", row) for row in rows.compressors()]
    drawn = [(label, kind, row, row.value) for label, kind, row in found if row is not None and row.value is not None]
    longest = max((max(value, row.high or 0.0) for _, _, row, value in drawn), default=1.0) or 1.0

    def width(value: float | None) -> float | None:
        return None if value is None else round(100 * max(value, 0.0) / longest, 2)

    return [
        Bar(label, kind, number(value, row), width(value) or 0.0, width(row.low), width(row.high),
            f"{row.low:.3f} to {row.high:.3f}" if row.low is not None and row.high is not None else "")
        for label, kind, row, value in drawn
    ]  # fmt: skip
