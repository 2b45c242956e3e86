"""Measurements in, the certificate's tables out: one row per metric and split, with what each number means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wellread.reports.rows import BITS, Rows, sign
from wellread.reports.wording import FORGETTING, metric_words, number, of_text, signed, span, split_words
from wellread.types import REAL_CHAPTERS, Measurement

BRIEF = 32
"""Characters of a note that a narrow column still holds."""
DIRECTIONS = {"lower": ("↓", "lower is better"), "higher": ("↑", "higher is better")}


@dataclass(frozen=True, slots=True)
class Cell:
    """One number as the reader sees it; `value` is empty where it was not measured, and `note` says why."""

    value: str = ""
    interval: str = ""
    note: str = ""
    judged: str = ""
    """better, worse or no clear difference; only in differences of which one direction is better."""

    @property
    def short(self) -> str:
        """What of the note stands in the column: all of it, or, of a long one, whether anything was measured."""
        if len(self.note) <= BRIEF:
            return self.note
        return "" if self.value else "not measured"


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    explanation: str
    """Empty where the line above has said it."""
    name: str
    """As in measurements.jsonl."""
    split: str
    facts: tuple[str, ...]
    """Unit, n, what the interval is over, and notes that all cells share."""
    arrow: str
    direction: str
    cells: tuple[Cell, ...]
    """Before, after and difference; from scratch only after."""
    chosen_by: bool = False
    """Whether the part is one by which settings are chosen: what holds of it is no proof."""

    def remarks(self, columns: Sequence[str]) -> list[str]:
        """The notes too long for a column, each once, with the columns of which it speaks."""
        long = dict.fromkeys(cell.note for cell in self.cells if len(cell.note) > BRIEF)
        return [f"{self._named(note, columns)} — {note}" for note in long]

    def _named(self, note: str, columns: Sequence[str]) -> str:
        named = [column for column, cell in zip(columns, self.cells, strict=True) if cell.note == note]
        return ", ".join(name if place == 0 else name.lower() for place, name in enumerate(named))


def lines(measurements: Sequence[Measurement], *, trained: str, base: str | None, unit: str = "chapter") -> list[Line]:
    """The main table, in the order of the measurements, a metric's splits together; `unit` is what the book is made of."""
    subjects = [base, trained] if base is not None else [trained]
    return compared(measurements, subjects, unit=unit, differences=base is not None)


def compared(
    measurements: Sequence[Measurement], subjects: Sequence[str], *, unit: str = "chapter", differences: bool = False
) -> list[Line]:
    """A line for every metric and split, a cell for every subject; of two subjects the difference too, if wanted."""
    rows = Rows.of(measurements)
    keys = dict.fromkeys((row.name, row.split, row.unit) for row in measurements if row.subject in subjects)
    first_seen = list(dict.fromkeys(name for name, _, _ in keys))
    # A metric that failed as a whole has no split and no unit: its reason stands in the rows of the other subject.
    told = [key for key in keys if key[1] or key[2] or not any(other[0] == key[0] and other != key for other in keys)]
    together = sorted(told, key=lambda key: first_seen.index(key[0]))
    found: list[Line] = []
    said = ""
    for name, split, counted in together:
        line = _line([rows.get(name, each, split, counted) for each in subjects], rows, unit, differences)
        found.append(replace(line, explanation="") if line.explanation == said else line)
        said = line.explanation
    return found


def yardsticks(measurements: Sequence[Measurement], *, trained: str, unit: str = "chapter") -> list[Line]:
    """What each file compressor needs for text that it did not see, the trained model, and the difference."""
    rows = Rows.of(measurements)
    found = []
    for split in ("held_out", "validation"):
        for compressor in rows.compressors(split):
            if not compressor.split and split != "held_out":
                continue
            line = _line([compressor, rows.get(BITS, trained, split)], rows, unit, True)
            if all(cell.value for cell in line.cells):  # the columns are narrow, and the model's note is told above
                facts = (*line.facts, compressor.note) if compressor.note not in ("", *line.facts) else line.facts
                line = replace(
                    line, facts=facts, cells=(*(replace(cell, note="") for cell in line.cells[:2]), line.cells[2])
                )
            if compressor.value is not None and compressor.low is None:
                line = _without_interval(line)
            found.append(line)
    return found


def _without_interval(line: Line) -> Line:
    """The line of a compressor that gives one number: said where its interval would stand, and nowhere else."""
    facts = tuple(part for fact in line.facts for part in fact.split("; ") if "interval" not in part)
    told = replace(line.cells[0], note="no interval: it is one number for the whole text")
    return replace(line, facts=facts, cells=(told, *line.cells[1:]))


def _line(cells_of: Sequence[Measurement | None], rows: Rows, unit: str, difference: bool) -> Line:
    found = [row for row in cells_of if row is not None]
    measured = [row for row in found if row.value is not None]
    first = (measured or found)[0]
    words = metric_words(first.name, first.unit)
    shared = {row.note for row in measured} if len({row.note for row in measured}) == 1 else set()
    ceiling = rows.get(first.name, REAL_CHAPTERS, first.split, first.unit)
    arrow, direction = DIRECTIONS.get(first.better or "", ("", ""))
    cells = [_cell(row, shared) for row in cells_of]
    if difference:
        cells.append(cell_of_difference(cells_of[0], cells_of[1], rows))
    forgetting = first.name == BITS and first.split == "general"
    return Line(
        of_text(words.title, unit), of_text(FORGETTING if forgetting else words.explanation, unit), first.name,
        split_words(first.split, unit, first.name) if first.split else "",
        (*_facts(measured, shared), *_ceiling(ceiling)), arrow, direction, tuple(cells), first.split == "validation",
    )  # fmt: skip


def _facts(measured: Sequence[Measurement], shared: set[str]) -> tuple[str, ...]:
    """What stands once below the explanation because it holds for every cell."""
    facts = []
    units = {row.unit for row in measured if not row.unit.startswith("share")} - {""}
    sizes = dict.fromkeys(f"{row.n:,}" for row in measured if row.n)
    over = {row.interval_over for row in measured if row.low is not None} - {""}
    facts += [f"unit: {unit}" for unit in sorted(units)]
    facts += [f"n = {' / '.join(sizes)}"] if sizes else []
    facts += [f"95 % interval over {each}" for each in sorted(over)]
    facts += sorted(shared - {""})
    return tuple(facts)


def _ceiling(row: Measurement | None) -> list[str]:
    """What the author's own held-out chapters come to by the same measure; nothing where it is not one of them."""
    if row is None:
        return []
    if row.value is None:
        return [f"the author’s own held-out text was not measured: {row.note}"]
    interval = f" ({_interval(row)})" if _interval(row) else ""
    return [f"the author’s own held-out text: {number(row.value, row)}{interval}"]


def _cell(row: Measurement | None, shared: set[str]) -> Cell:
    if row is None:
        return Cell(note="not measured")
    if row.value is None:
        return Cell(note=f"not measured: {row.note}")
    return Cell(number(row.value, row), _interval(row), "" if row.note in shared else row.note)


def _interval(row: Measurement) -> str:
    return "" if row.low is None or row.high is None else span(number(row.low, row), number(row.high, row))


def no_interval(row: Measurement) -> str:
    """Why a row has no interval, as its note says it; empty where it has one, or the note does not say."""
    why = (part for part in row.note.split("; ") if part.startswith("no interval"))
    return "" if row.low is not None else next(why, "")


def cell_of_difference(before: Measurement | None, after: Measurement | None, rows: Rows) -> Cell:
    """The later less the earlier, with its interval and whether it is better or worse."""
    gap = rows.difference(after, before) if before is not None and after is not None else None
    if gap is None or gap.value is None:
        return Cell(note=f"not measured: {gap.note}" if gap is not None else "not measured")
    value = signed(gap.value, gap)
    if gap.low is None or gap.high is None:
        return Cell(value, note=gap.note or "no interval")
    return Cell(value, span(signed(gap.low, gap), signed(gap.high, gap)), gap.note, judged(gap, after))


def judged(gap: Measurement, after: Measurement | None = None) -> str:
    """Better, worse or no clear difference; empty where neither direction is better."""
    better = gap.better or (after.better if after else None)
    if sign(gap) == 0:
        return "no clear difference"
    if better is None:
        return ""
    return "better" if (sign(gap) > 0) == (better == "higher") else "worse"
