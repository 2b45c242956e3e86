"""Milestones and measurements in, the path out: what every stage gained, forgot and copied, as a drawing and a table.

The drawing is three strips over the same steps, each on its own scale: places are percentages, as in curves.py. A way
leads to every stage from what it started from; to one from scratch none does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wellread.recipe import lineage
from wellread.reports import facts
from wellread.reports.reading import LogRow, Milestone
from wellread.reports.rows import BITS, Rows, sign
from wellread.reports.table import Cell, cell_of_difference
from wellread.reports.wording import count, duration, model_words, number, percent, short_tokens, span, stopped_words
from wellread.types import Measurement

RECITED = "greedy_recited_share"
LESS = "train less held_out"
LEAST = 0.01
"""A strip of shares is at least so high, so that nothing recited lies at its foot."""
MARGIN = 14.0
"""Per cent of a strip's height that stay free above the highest end of an interval and below the lowest."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one subject needs; per cent from left and top, None where it was not measured."""

    x: float
    y: float | None
    low: float | None
    high: float | None
    """Ends of the interval, per cent from the top."""
    value: str
    below: bool = False
    """Whether the figure stands below the point, where the way on rises."""


@dataclass(frozen=True, slots=True)
class Leg:
    """The way from one point to the next."""

    x1: float
    y1: float
    x2: float
    y2: float
    sure: bool
    """Whether the paired difference of the two excludes 0."""


@dataclass(frozen=True, slots=True)
class Strip:
    key: str
    title: str
    about: str
    points: tuple[Point, ...]
    legs: tuple[Leg, ...]
    told: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the table, and how it differs from an earlier one."""

    cell: Cell
    change: Cell | None
    judged: str
    """`better than the step before`, `no clear difference`, or why there is no judgement."""


@dataclass(frozen=True, slots=True)
class PathRow:
    """One subject in the table."""

    title: str
    about: str
    """What was done."""
    end: str
    """How it ended, where it ended early."""
    figures: tuple[Figure, ...]
    """Of held-out text, of general text, and of what is known by heart."""
    read: str
    time: str


@dataclass(frozen=True, slots=True)
class Path:
    names: tuple[str, ...]
    strips: tuple[Strip, ...]
    rows: tuple[PathRow, ...]
    told: str


def path(milestones: Sequence[Milestone], measurements: Sequence[Measurement], *, unit: str = "chapter") -> Path | None:
    """The path of a run of two stages or more; None for a shorter one."""
    if sum(each.stage is not None for each in milestones) < 2:
        return None
    rows = Rows.of(measurements)
    origins = _origins(milestones)
    subjects = [each.subject for each in milestones]
    held_out = [rows.get(BITS, each, "held_out") for each in subjects]
    general = [rows.get(BITS, each, "general") for each in subjects]
    by_heart = [_by_heart(rows, each) for each in subjects]
    recited = [rows.get(RECITED, each, "train") for each in subjects]
    strips = (
        _strip("gained", "What it gained", f"bits per byte of held-out {unit}s; less is better",
               held_out, _ways(held_out, origins, rows)),
        _strip("forgot", "What it forgot", "bits per byte of general text; a rise is forgetting",
               general, _ways(general, origins, rows)),
        _strip("recited", "What it copied", "share of the training part known by heart",
               by_heart, _ways(recited, origins, rows)),
    )  # fmt: skip
    return Path(
        tuple("before" if each.stage is None else each.stage.name for each in milestones),
        tuple(strip for strip in strips if any(point.y is not None for point in strip.points)),
        tuple(
            _row(milestones, place, origins[place], (held_out, general, by_heart), rows)
            for place in range(len(milestones))
        ),
        _told(held_out, origins, rows, unit),
    )


def _origins(milestones: Sequence[Milestone]) -> list[tuple[int, ...]]:
    """For every milestone the places of those that it comes from, the nearest first."""
    places = {"base" if each.stage is None else each.stage.name: place for place, each in enumerate(milestones)}
    comes_from = lineage([each.stage for each in milestones if each.stage is not None])
    return [
        () if each.stage is None else tuple(places[name] for name in comes_from[each.stage.name]) for each in milestones
    ]


def _by_heart(rows: Rows, subject: str) -> Measurement | None:
    """The recited share of the training part less that of the held-out part: two texts, so without an interval."""
    train, floor = rows.get(RECITED, subject, "train"), rows.get(RECITED, subject, "held_out")
    if train is None:
        return None
    if train.value is None or floor is None or floor.value is None:
        why = train.note or (floor.note if floor else "") or "held-out text was not measured"
        return Measurement(RECITED, None, "share", subject, "train", note=why)
    note = f"{percent(train.value)} less {percent(floor.value)}"
    return Measurement(RECITED, train.value - floor.value, "share", subject, LESS, note=note)


def _ways(
    found: Sequence[Measurement | None], origins: Sequence[tuple[int, ...]], rows: Rows
) -> list[tuple[int, int, bool]]:
    """(from, to, whether the paired difference excludes 0) of every measured row and the nearest measured one that it
    comes from."""
    ways: list[tuple[int, int, bool]] = []
    for place, row in enumerate(found):
        for origin in origins[place]:
            gap = rows.difference(row, other) if row is not None and (other := found[origin]) is not None else None
            if gap is not None:
                ways.append((origin, place, gap.low is not None and sign(gap) != 0))
                break
    return ways


def _strip(
    key: str, title: str, about: str, found: Sequence[Measurement | None], ways: Sequence[tuple[int, int, bool]]
) -> Strip:
    measured = [row for row in found if row is not None and row.value is not None]
    ends = [end for row in measured for end in (row.value, row.low, row.high) if end is not None]
    ends += [0.0, LEAST] if key == "recited" else []
    lowest, highest = min(ends, default=0.0), max(ends, default=1.0)

    def y(value: float | None) -> float | None:
        if value is None:
            return None
        return round(MARGIN + (100 - 2 * MARGIN) * (highest - value) / ((highest - lowest) or 1.0), 2)

    points = []
    for place, row in enumerate(found):
        x = round(100 * (place + 0.5) / len(found), 2)
        if row is None or row.value is None:
            points.append(Point(x, None, None, None, "not measured"))
        else:
            points.append(Point(x, y(row.value), y(row.low), y(row.high), number(row.value, row)))
    legs = _legs(points, ways)
    rising = {leg.x1 for leg in legs if leg.y2 < leg.y1}
    points = [replace(point, below=point.x in rising) for point in points]
    told = "; ".join(f"{row.subject} {number(row.value or 0.0, row)}" for row in measured)
    return Strip(key, title, about, tuple(points), legs, told)


def _legs(points: Sequence[Point], ways: Sequence[tuple[int, int, bool]]) -> tuple[Leg, ...]:
    """Lines between the points that were measured; over one that was not, the line goes on."""
    ends = [(points[origin], points[place], sure) for origin, place, sure in ways]
    return tuple(
        Leg(one.x, one.y, other.x, other.y, sure)
        for one, other, sure in ends
        if one.y is not None and other.y is not None
    )


def _told(held_out: Sequence[Measurement | None], origins: Sequence[tuple[int, ...]], rows: Rows, unit: str) -> str:
    """The way in words: what each stage changed on held-out text, and which changed most."""
    said, gained = [], []
    for origin, place in ((comes_from[0], place) for place, comes_from in enumerate(origins) if comes_from):
        earlier, later = held_out[origin], held_out[place]
        gap = rows.difference(later, earlier) if later is not None and earlier is not None else None
        if later is None or gap is None or gap.value is None:
            continue
        if gap.low is None or sign(gap) == 0:
            said.append(f"what {later.subject} changed cannot be told from chance")
        elif sign(gap) > 0:
            said.append(f"{later.subject} made it worse, {gap.value:.3f} bits per byte more")
        else:
            gained.append((-gap.value, later.subject))
    best = max(gained, default=None)
    if best is not None:
        most = f"{'most' if len(gained) > 1 else 'all'} was gained in {best[1]}, {best[0]:.3f} bits per byte fewer"
        said.insert(0, most)
    if not said:
        return f"How the stages did on held-out {unit}s was not measured."
    return f"On held-out {unit}s {'; '.join(said)}."


def _row(
    milestones: Sequence[Milestone], place: int, comes_from: tuple[int, ...],
    columns: Sequence[Sequence[Measurement | None]], rows: Rows,
) -> PathRow:  # fmt: skip
    """A milestone with its differences: on held-out text to what it started from, on general text to the base."""
    each, (held_out, general, by_heart) = milestones[place], columns
    origin = comes_from[0] if comes_from else None
    whence = "" if origin is None else "the base" if milestones[origin].stage is None else milestones[origin].subject
    from_base = 0 in comes_from and milestones[0].stage is None
    than = "than the step before" if origin == place - 1 else f"than {whence}, from which it started"
    cells = (
        _figure(held_out[place], None if origin is None else held_out[origin], than, rows),
        _figure(general[place], general[0] if from_base else None, "than before training", rows),
        _figure(by_heart[place], None, "", rows),
    )
    if each.stage is None:
        return PathRow("Before", f"{model_words(each.subject)}, as it came", "", cells, "", "")
    stopped = next((row.stopped for row in reversed(each.log) if row.stopped), "")
    about = f"{facts.method(each.stage.method)}, on {facts.reads(each.stage)}"
    if place and origin != place - 1:
        about += f"; started from {whence}" if whence else "; started from nothing"
    end = f"ended early: {stopped_words(stopped)}" if stopped else ""
    return PathRow(each.stage.name, about, end, cells, *_spent(each.log[-1] if each.log else None))


def _figure(row: Measurement | None, other: Measurement | None, than: str, rows: Rows) -> Figure:
    """The figure, and its difference to another."""
    if row is None or row.value is None:
        return Figure(Cell(note=f"not measured: {row.note}" if row is not None else "not measured"), None, "")
    interval = span(number(row.low, row), number(row.high, row)) if row.low is not None and row.high is not None else ""
    figure = Cell(number(row.value, row), interval, row.note if row.split == LESS else "")
    if other is None or other.value is None:
        return Figure(figure, None, "")
    gap = cell_of_difference(other, row, rows)
    return Figure(figure, gap, f"{gap.judged} {than}" if gap.judged in {"better", "worse"} else gap.judged or gap.note)


def _spent(end: LogRow | None) -> tuple[str, str]:
    """Tokens read and time taken, as the last line of a log has them."""
    return ("not recorded", "") if end is None else (count_of_tokens(end.tokens), duration(60 * end.minutes))


def count_of_tokens(tokens: int) -> str:
    return f"{short_tokens(tokens)} tokens" if tokens >= 10_000 else count(tokens, "token")
