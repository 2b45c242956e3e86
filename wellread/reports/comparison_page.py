"""A comparison in, one self-contained page out: charts over what was varied, or bars, then every measure as a table."""

from __future__ import annotations

from typing import Any

from wellread.reports.bars import Bar
from wellread.reports.comparison import Comparison, blocks, costs, short_keys, told
from wellread.reports.page import environment
from wellread.reports.rows import BITS, Rows
from wellread.reports.sweep import sweep
from wellread.reports.wording import count, number


def comparison_page(comparison: Comparison) -> str:
    """The page's HTML; every text in it is escaped, and it loads nothing."""
    return environment().get_template("comparison.html").render(**context(comparison))


def context(comparison: Comparison) -> dict[str, Any]:
    """What the template may speak of."""
    short = short_keys(comparison.settings)
    swept = sweep(comparison)
    return {
        "title": f"{count(len(comparison.compared), 'reading')} side by side",
        "first": comparison.compared[0].label,
        "settings": list(short.values()),
        "compared": [
            (each, [told(each.settings[key], key) if key in each.settings else "–" for key in short], costs(each))
            for each in comparison.compared
        ],
        "sweep": swept,
        "bars": [] if swept else comparison_bars(comparison),
        "blocks": blocks(comparison),
        "unit": comparison.unit,
        "unpaired": [(each.label, each.unpaired) for each in comparison.compared if each.unpaired],
        "notes": comparison.notes,
        "verdict": comparison.verdict,
        "parting": comparison.parting,
        "parted": () if comparison.parting is None else comparison.parting.spread(),
    }


def comparison_bars(comparison: Comparison) -> list[Bar]:
    """Held-out bits per byte of each, as shares of the longest; what was not measured has no bar."""
    found = [(each.label, Rows(each.measurements).get(BITS, each.label, "held_out")) for each in comparison.compared]
    rows = [(label, row, row.value) for label, row in found if row is not None and row.value is not None]
    longest = max((max(value, row.high or 0.0) for _, row, value in rows), default=1.0) or 1.0

    def width(value: float | None) -> float | None:
        return None if value is None else round(100 * max(value, 0.0) / longest, 2)

    return [
        Bar(label, "base" if label == comparison.compared[0].label else "trained", number(value, row),
            width(value) or 0.0, width(row.low), width(row.high),
            f"{row.low:.3f} to {row.high:.3f}" if row.low is not None and row.high is not None else "")
        for label, row, value in rows
    ]  # fmt: skip
