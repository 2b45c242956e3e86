"""Runs that differ in their seed alone in, how far their measurements lie apart out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from wellread.recipe import Recipe
from wellread.reports import read_run
from wellread.reports.reading import unit_of
from wellread.reports.rows import Rows
from wellread.reports.wording import metric_words, number, span, split_words
from wellread.types import Measurement

MAIN = (
    ("bits_per_byte", "held_out"), ("bits_per_byte", "general"), ("greedy_recited_share", "train"),
    ("greedy_recited_share", "held_out"), ("longest_recited_words", ""), ("recited_coverage", ""), ("cosine_delta", ""),
    ("style_rank", ""), ("style_attribution", ""), ("recall_exact", "held_out"), ("false_definition_rate", "held_out"),
    ("over_refusal_rate", "held_out"),
)  # fmt: skip
"""Metrics and splits of which the spread is told, where every run measured them."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One measurement over several seeds."""

    name: str
    split: str
    unit: str
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation over seeds (n - 1)."""
        return stdev(self.values)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "mean": self.mean, "standard_deviation": self.deviation}


def repeated(recipes: Sequence[Recipe], repeats: int) -> list[Recipe]:
    """Every recipe under its own seed and the `repeats - 1` that follow, one recipe's runs after another."""
    return [each.model_copy(update={"seed": (each.seed + n) % 2**32}) for each in recipes for n in range(repeats)]


def spreads(folders: Sequence[str | Path]) -> list[Spread]:
    """Of two runs or more the main measurements of the last stage; one that a run lacks is left out."""
    records = [read_run(Path(folder)) for folder in folders]
    tables = [(Rows.of(record.measurements), record.trained) for record in records]
    found = []
    for name, split in MAIN:
        rows = [table.get(name, trained, split) for table, trained in tables]
        values = [row.value for row in rows if row is not None and row.value is not None]
        if rows[0] is not None and len(values) == len(folders):
            found.append(Spread(name, split, rows[0].unit, tuple(values)))
    return found


def spread_lines(folders: Sequence[str | Path], seeds: Sequence[int]) -> list[str]:
    """The spread for a terminal: mean, standard deviation, lowest and highest."""
    unit = unit_of(read_run(Path(folders[0])).chapters)
    lines = [f"{len(folders)} runs, seeds {', '.join(map(str, seeds))}, each with a split of its own: mean +/- standard deviation"
             " (lowest to highest)"]  # fmt: skip
    for each in spreads(folders):
        like = Measurement(each.name, each.mean, each.unit)
        title = metric_words(each.name, each.unit).title + (
            f", {split_words(each.split, unit, each.name)}" if each.split else ""
        )
        ends = span(number(min(each.values), like), number(max(each.values), like))
        lines.append(f"  {title:48}{number(each.mean, like)} +/- {number(each.deviation, like)} ({ends})")
    return lines
