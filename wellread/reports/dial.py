"""What was measured along the dial in, the geometry of its charts out: surprise, recitation and style by setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from wellread.reports.rows import BITS, Rows
from wellread.reports.sweep import RECITED, Panel, Scale, Series, draw_panel
from wellread.reports.wording import number, signed, span
from wellread.types import Measurement

CHOSEN = "dial_setting"
RANK, DELTA, ATTRIBUTED = "style_rank", "cosine_delta", "style_attribution"
INTERVALS = "The upright lines are 95 % intervals."


@dataclass(frozen=True, slots=True)
class DialCurve:
    panels: tuple[Panel, ...]
    told: str


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A chart as it would be drawn."""

    key: str
    title: str
    about: str
    scale: Scale
    lines: tuple[tuple[str, str, str, int], ...]
    """Metric, split, what stands in the legend, colour."""


def dial(rows: Sequence[Measurement], *, trained: str, unit: str) -> DialCurve | None:
    """The charts of the last stage's dial; None where it was not turned to two settings at least."""
    mine = Rows.of(row for row in rows if row.subject.partition("@")[0] == trained)
    choice = mine.get(CHOSEN, trained)
    drawn = [panel for wanted in _charts(mine, unit) if (panel := _panel(wanted, mine)) is not None]
    panels = tuple(_marked(panel, choice) for panel in drawn)
    told = " ".join(filter(None, (INTERVALS, _unstyled(mine), _choice(mine, choice, trained, unit))))
    return DialCurve(panels, told) if panels else None


def setting(row: Measurement) -> float | None:
    """The setting that a row's subject names; None for a difference, and for the row of the choice."""
    try:
        return float(row.subject.partition("@")[2])
    except ValueError:
        return None


def _charts(rows: Rows, unit: str) -> list[_Wanted]:
    """Style by rank, or, with too few other texts for one, by distance."""
    ranked = any(row.name == RANK and row.value is not None for row in rows.all)
    texts = max((row.n for row in rows.all if row.name == RANK), default=0)
    return [
        _Wanted("bits", "Surprise, in bits per byte", "less is better", "plain",
                ((BITS, "held_out", f"held-out {unit}s", 1), (BITS, "validation", f"validation {unit}s", 2),
                 (BITS, "general", "general text: what is forgotten", 4))),
        _Wanted("recited", "Recited word for word", "share of passages", "share",
                ((RECITED, "train", f"training {unit}s", 3), (RECITED, "validation", f"validation {unit}s: the floor", 4))),
        _Wanted("rank", "The book’s place by style", f"among {texts} texts; 1: what is written is nearest to the book", "rank",
                ((RANK, "", "rank by style", 1),)) if ranked else
        _Wanted("delta", "Difference of style from the book", "by cosine Delta; less is nearer", "plain",
                ((DELTA, "", "cosine Delta", 1),)),
        _Wanted("taken", "Taken for the author", "share of passages it wrote", "share",
                ((ATTRIBUTED, "", "foretold best by the book", 1),)),
    ]  # fmt: skip


def _panel(wanted: _Wanted, rows: Rows) -> Panel | None:
    """One chart, of the lines that have two points or more; None where none has."""
    drawn = []
    for name, split, title, colour in wanted.lines:
        points = tuple(
            (x, row, f"at {x:g}: {number(row.value, row)}")
            for row in rows.all
            if row.name == name and row.split == split and row.value is not None and (x := setting(row)) is not None
        )
        if len(points) > 1:
            drawn.append(Series(title, colour, points))
    if not drawn:
        return None
    return draw_panel(f"dial-{wanted.key}", wanted.title, wanted.about, drawn, scale=wanted.scale, wide=math.inf)


def _marked(panel: Panel, choice: Measurement | None) -> Panel:
    """The panel with the chosen setting marked, where one was chosen."""
    if choice is None or choice.value is None:
        return panel
    return replace(panel, chosen=next((tick.at for tick in panel.x_ticks if tick.label == f"{choice.value:g}"), None))


def _unstyled(rows: Rows) -> str:
    """Why the style does not stand beside the rest."""
    found = [row for row in rows.all if row.name in {RANK, DELTA} and not row.split]
    if any(row.value is not None for row in found):
        return ""
    return f"Style was not measured along the dial: {found[0].note if found else 'set measure.style_words'}."


def _choice(rows: Rows, choice: Measurement | None, trained: str, unit: str) -> str:
    """Which setting is marked, why, and what held-out text says of it."""
    if choice is None:
        return ""
    wish, _, why = choice.note.partition(": ")
    if choice.value is None:
        return f"No setting is marked: {why}."
    told = f"The marked setting, {choice.value:g}, serves the wish “{wish.replace('-', ' ')}”: {why}, chosen on validation {unit}s."
    here, tuned = f"{trained}@{choice.value:g}", f"{trained}@1"
    said = [
        _beside(rows, (BITS, "held_out"), here, tuned, f"On the held-out {unit}s it needs {{}} bits per byte"),
        _beside(rows, (RANK, "held_out"), here, tuned, "after their beginnings the book has rank {} in its writing"),
        _beside(rows, (ATTRIBUTED, "held_out"), here, tuned, "{} of its passages there are taken for the author’s"),
        _beside(rows, (RECITED, "train"), here, tuned, f"of the training {unit}s it recites {{}}"),
        _beside(rows, (RECITED, "held_out"), here, here, f"of the held-out {unit}s {{}}"),
    ]
    measured = "; ".join(each for each in said if each)
    return f"{told} {measured[:1].upper()}{measured[1:]}." if measured else told


def _beside(rows: Rows, kind: tuple[str, str], here: str, tuned: str, what: str) -> str:
    """What was measured at the chosen setting, with the tuned model's own and their paired difference in brackets."""
    name, split = kind
    row, other = rows.get(name, here, split), rows.get(name, tuned, split)
    if row is None or row.value is None:
        return ""
    said = what.format(number(row.value, row))
    if other is None or other is row or other.value is None:
        return said
    paired = rows.difference(row, other)
    if paired is None or paired.value is None or paired.low is None or paired.high is None:
        return f"{said} (the trained model itself {number(other.value, other)})"
    between = span(signed(paired.low, paired), signed(paired.high, paired))
    return (f"{said} (the trained model itself {number(other.value, other)}; difference {signed(paired.value, paired)}, "
            f"95 % interval {between})")  # fmt: skip
