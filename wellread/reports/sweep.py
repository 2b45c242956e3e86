"""A comparison of runs that differ in a number in, the geometry of its charts out: what the number does to a measure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from wellread.reports.comparison import Compared, Comparison, short_keys, told
from wellread.reports.curves import Tick, ticks
from wellread.reports.rows import BITS, Rows
from wellread.reports.wording import number
from wellread.types import Measurement

MOST_LINES = 4
"""Beyond so many combinations of the other settings lines cannot be told apart."""
WIDE = 8
"""From this ratio of the largest to the smallest value on, the axis counts doublings."""
RECITED = "greedy_recited_share"
Scale: TypeAlias = Literal["plain", "share", "rank"]
"""What an axis counts, see `draw_panel`."""
LEAST = 0.01
"""An axis of shares reaches at least so far, so that nothing recited lies at its foot."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One run: per cent from left and top, ends of the interval likewise."""

    x: float
    y: float
    low: float | None
    high: float | None
    told: str


@dataclass(frozen=True, slots=True)
class Line:
    key: str
    """Of its colour."""
    title: str
    path: str
    """In a square of 1,000 by 1,000."""
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Series:
    """What becomes a line."""

    title: str
    colour: int
    """1 to 4."""
    points: tuple[tuple[float, Measurement, str], ...]
    """Where it stands, what was measured there, and the same in words."""


@dataclass(frozen=True, slots=True)
class Panel:
    key: str
    title: str
    about: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    told: str
    chosen: float | None = None
    """A place that is marked, in per cent from the left."""


@dataclass(frozen=True, slots=True)
class Sweep:
    setting: str
    panels: tuple[Panel, ...]


def sweep(comparison: Comparison) -> Sweep | None:
    """Charts over the numeric setting of the most values, a line for each combination of the others.

    None where no two runs differ in that number alone, where one is a model of no run, or where there would be too many
    lines.
    """
    setting = _axis(comparison)
    if setting is None:
        return None
    groups = _groups(comparison, setting)
    if all(len(runs) == 1 for runs in groups.values()):  # where something else differs too, the number explains nothing
        return None
    if len(groups) > MOST_LINES or any(
        len({run.settings[setting] for run in runs}) < len(runs) for runs in groups.values()
    ):
        return None
    name = short_keys(comparison.settings)[setting]
    unit = comparison.unit
    bits = [(BITS, "held_out", f"held-out {unit}s"), (BITS, "validation", f"validation {unit}s")]
    recited = [(RECITED, "train", f"training {unit}s"), (RECITED, "held_out", f"held-out {unit}s")]
    several = len(groups) > 1
    panels = (
        _panel("bits", "Surprise, in bits per byte", "less is better", groups, setting, bits[: 1 if several else 2]),
        _panel(
            "recited", "Recited word for word", "share of passages", groups, setting, recited[: 1 if several else 2]
        ),
    )
    drawn = tuple(panel for panel in panels if panel is not None)
    return Sweep(name, drawn) if drawn else None


def _axis(comparison: Comparison) -> str | None:
    """The setting to count along: a number in every run, with the most values."""

    def values(key: str) -> set[float] | None:
        found = [each.settings.get(key) for each in comparison.compared]
        numbers = [value for value in found if isinstance(value, int | float) and not isinstance(value, bool)]
        return set(numbers) if len(numbers) == len(found) else None

    counted = {key: len(found) for key in comparison.settings if (found := values(key)) and len(found) > 1}
    return max(counted, key=lambda key: counted[key], default=None)


def _groups(comparison: Comparison, setting: str) -> dict[str, list[Compared]]:
    """Runs that differ in `setting` alone, by the values of the others; in the order of `setting`."""
    short = short_keys(comparison.settings)
    groups: dict[str, list[Compared]] = {}
    for each in sorted(comparison.compared, key=lambda run: _order(run, setting)):
        others = ", ".join(f"{short[key]} {told(value, key)}" for key, value in each.settings.items() if key != setting)
        groups.setdefault(others, []).append(each)
    return groups


def _order(run: Compared, setting: str) -> list[tuple[bool, float, str]]:
    """Numbers by size and words by spelling, the other settings first."""
    values = [*(value for key, value in run.settings.items() if key != setting), run.settings[setting]]
    return [(False, value, "") if isinstance(value, int | float) else (True, 0.0, told(value)) for value in values]


def _panel(
    key: str, title: str, about: str, groups: Mapping[str, list[Compared]], setting: str,
    measures: Sequence[tuple[str, str, str]],
) -> Panel | None:  # fmt: skip
    """One chart: a line for each group and measure that was measured anywhere."""
    found = {
        (others, where): [(run, row) for run in runs if (row := _row(run, name, split)) is not None]
        for others, runs in groups.items()
        for name, split, where in measures
    }
    rows = [row for pairs in found.values() for _, row in pairs]
    if not rows:
        return None
    series = [
        Series(others or where, place + (3 if key == "recited" and len(groups) == 1 else 1), tuple(
            (float(run.settings[setting]), row, f"{run.label}: {number(row.value or 0.0, row)}") for run, row in pairs
        ))
        for place, ((others, where), pairs) in enumerate(each for each in found.items() if each[1])
    ]  # fmt: skip
    where = measures[0][2] if len(groups) > 1 else ""
    return draw_panel(
        key, title, f"{where}; {about}" if where else about, series, scale="share" if key == "recited" else "plain"
    )


def draw_panel(
    key: str, title: str, about: str, series: Sequence[Series], *, scale: Scale, wide: float = WIDE
) -> Panel:
    """The chart of some series over one scale: a `share` is counted from 0, in per cent, a `rank` from 1, in whole
    numbers. From the ratio `wide` of the largest to the smallest place on, places are counted by doublings."""
    x_of, x_ticks = _scale(sorted({x for each in series for x, _, _ in each.points}), wide)
    rows = [row for each in series for _, row, _ in each.points]
    ends = [end for row in rows for end in (row.value, row.low, row.high) if end is not None]
    low, high = {"share": (0.0, max(*ends, LEAST)), "rank": (1.0, max(2.0, *ends))}.get(scale, (min(ends), max(ends)))
    y_at = ticks(low, high, 4)
    bottom, top = y_at[0], y_at[-1]

    def y(value: float) -> float:
        return round(100 * (top - value) / ((top - bottom) or 1.0), 2)

    lines = []
    for each in series:
        marks = tuple(
            Mark(x_of[x], y(row.value or 0.0), None if row.low is None else y(row.low),
                 None if row.high is None else y(row.high), told)
            for x, row, told in each.points
        )  # fmt: skip
        path = "M" + "L".join(f"{10 * mark.x:.1f} {10 * mark.y:.1f}" for mark in marks)
        lines.append(Line(f"line-{each.colour}", each.title, path, marks))
    labelled = [at for at in y_at if at >= 1 and at == int(at)] if scale == "rank" else y_at
    y_ticks = tuple(Tick(y(at), f"{100 * at:g} %" if scale == "share" else f"{at:g}") for at in labelled)
    spoken = "; ".join(f"{line.title}: " + ", ".join(mark.told for mark in line.marks) for line in lines)
    return Panel(key, title, about, x_ticks, y_ticks, tuple(lines), spoken)


def _row(run: Compared, name: str, split: str) -> Measurement | None:
    row = Rows(run.measurements).get(name, run.label, split)
    return row if row is not None and row.value is not None else None


def _scale(values: Sequence[float], wide: float) -> tuple[dict[float, float], tuple[Tick, ...]]:
    """Where each value lies, in per cent from the left, and a tick at each; by doublings where they range widely."""
    doublings = values[0] > 0 and values[-1] / values[0] >= wide
    places = [math.log2(value) if doublings else value for value in values]
    width = (places[-1] - places[0]) or 1.0
    x_of = {value: round(4 + 92 * (place - places[0]) / width, 2) for value, place in zip(values, places, strict=True)}
    return x_of, tuple(Tick(x_of[value], f"{value:g}") for value in values)
