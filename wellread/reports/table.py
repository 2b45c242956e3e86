"""Measurements in, the certificate's tables out: one row per metric and split, with what each number means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellread.reports.rows import BITS, Rows, sign
from wellread.reports.wording import metric_words, number, signed, span, split_words
from wellread.types import Measurement

DIRECTIONS = {"lower": ("↓", "lower is better"), "higher": ("↑", "higher is better")}


@dataclass(frozen=True, slots=True)
class Cell:
    """One number as the reader sees it; `value` is empty where it was not measured, and `note` says why."""

    value: str = ""
    interval: str = ""
    note: str = ""
    judged: str = ""
    """better, worse or no clear difference; only in differences of which one direction is better."""


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    explanation: str
    name: str
    """As in measurements.jsonl."""
    split: str
    facts: tuple[str, ...]
    """Unit, n, what the interval is over, and notes that all cells share."""
    arrow: str
    direction: str
    cells: tuple[Cell, ...]
    """Before, after and difference; from scratch only after."""


def lines(measurements: Sequence[Measurement], *, trained: str, base: str | None) -> list[Line]:
    """The main table, in the order of the measurements, a metric's splits together."""
    rows = Rows(tuple(measurements))
    subjects = [base, trained] if base is not None else [trained]
    keys = dict.fromkeys((row.name, row.split, row.unit) for row in measurements if row.subject in subjects)
    first_seen = list(dict.fromkeys(name for name, _, _ in keys))
    # A metric that failed as a whole has no split and no unit: its reason stands in the rows of the other subject.
    told = [key for key in keys if key[1] or key[2] or not any(other[0] == key[0] and other != key for other in keys)]
    together = sorted(told, key=lambda key: first_seen.index(key[0]))
    return [_line([rows.get(name, each, split, unit) for each in subjects], rows) for name, split, unit in together]


def yardsticks(measurements: Sequence[Measurement], *, trained: str) -> list[Line]:
    """What each file compressor needs for the chapters it did not see, the trained model, and the difference."""
    rows = Rows(tuple(measurements))
    return [
        _line([compressor, rows.get(BITS, trained, split)], rows)
        for split in ("held_out", "validation")
        for compressor in rows.compressors(split)
        if compressor.split or split == "held_out"
    ]


def _line(pair: Sequence[Measurement | None], rows: Rows) -> Line:
    found = [row for row in pair if row is not None]
    measured = [row for row in found if row.value is not None]
    first = (measured or found)[0]
    words = metric_words(first.name, first.unit)
    shared = {row.note for row in measured} if len({row.note for row in measured}) == 1 else set()
    arrow, direction = DIRECTIONS.get(first.better or "", ("", ""))
    cells = [_cell(row, shared) for row in pair]
    if len(pair) == 2:
        cells.append(_difference(pair[0], pair[1], rows))
    return Line(
        words.title, words.explanation, first.name, split_words(first.split) if first.split else "",
        _facts(measured, shared), arrow, direction, tuple(cells),
    )  # fmt: skip


def _facts(measured: Sequence[Measurement], shared: set[str]) -> tuple[str, ...]:
    """What stands once below the explanation because it holds for every cell."""
    facts = []
    units = {row.unit for row in measured if not row.unit.startswith("share")} - {""}
    sizes = dict.fromkeys(f"{row.n:,}" for row in measured if row.n)
    over = {row.interval_over for row in measured} - {""}
    facts += [f"unit: {unit}" for unit in sorted(units)]
    facts += [f"n = {' / '.join(sizes)}"] if sizes else []
    facts += [f"95 % interval over {each}" for each in sorted(over)]
    facts += sorted(shared - {""})
    return tuple(facts)


def _cell(row: Measurement | None, shared: set[str]) -> Cell:
    if row is None:
        return Cell(note="not measured")
    if row.value is None:
        return Cell(note=f"not measured: {row.note}")
    return Cell(number(row.value, row), _interval(row), "" if row.note in shared else row.note)


def _interval(row: Measurement) -> str:
    return "" if row.low is None or row.high is None else span(number(row.low, row), number(row.high, row))


def _difference(before: Measurement | None, after: Measurement | None, rows: Rows) -> Cell:
    gap = rows.difference(after, before) if before is not None and after is not None else None
    if gap is None or gap.value is None:
        return Cell(note=f"not measured: {gap.note}" if gap is not None else "not measured")
    value = signed(gap.value, gap)
    if gap.low is None or gap.high is None:
        return Cell(value, note=gap.note or "no interval")
    return Cell(value, span(signed(gap.low, gap), signed(gap.high, gap)), gap.note, _judged(gap, after))


def _judged(gap: Measurement, after: Measurement | None) -> str:
    better = gap.better or (after.better if after else None)
    if sign(gap) == 0:
        return "no clear difference"
    if better is None:
        return ""
    return "better" if (sign(gap) > 0) == (better == "higher") else "worse"
