"""Runs or models side by side: the record of a comparison, and its rows in words, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wellread.reports.rows import Rows
from wellread.reports.table import Cell, judged
from wellread.reports.wording import (
    METHODS,
    count,
    duration,
    metric_words,
    model_words,
    number,
    short_tokens,
    signed,
    span,
    split_words,
)
from wellread.types import Measurement

MOST_PARTED = 40
"""Questions with their answers that a page or a line of JSON has, at most."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One run or model of a comparison."""

    label: str
    path: str
    """The run folder, or the MODEL as it was named."""
    measurements: tuple[Measurement, ...]
    """The chosen ones, with `label` as their subject; every value finite or None."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Values of the settings by which the runs differ; empty for a model that is no run."""
    differences: tuple[Measurement, ...] = ()
    """Less the first, paired; none where the two were measured on different text."""
    unpaired: str = ""
    """Why it, or some of it, is not paired with the first."""
    seconds: float | None = None
    """Of training with its validation, all stages together; of a side of a fair fight with all that came before it."""
    tokens: int | None = None
    """Read in training."""
    memory_bytes: int | None = None
    """The most that training had in memory, as its log has it."""

    def as_json(self) -> dict[str, Any]:
        """One object; measurements as in measurements.jsonl, without tallies."""

        def plain(rows: Sequence[Measurement]) -> list[dict[str, Any]]:
            return [{key: value for key, value in row.as_json().items() if key != "tallies"} for row in rows]

        return {
            "name": self.label, "path": self.path, "settings": dict(self.settings), "seconds": self.seconds,
            "tokens": self.tokens, "memory_bytes": self.memory_bytes, "unpaired": self.unpaired,
            "measurements": plain(self.measurements), "differences": plain(self.differences),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """What one side answered to a question."""

    label: str
    text: str
    right: bool
    declines: bool = False

    @property
    def mark(self) -> str:
        """In a word."""
        return "right" if self.right else "declines" if self.declines else "wrong"


@dataclass(frozen=True, slots=True)
class Parted:
    """A question that some sides answered right and others not."""

    id: str
    question: str
    answers: tuple[str, ...]
    """Any of them is right; none where nothing answers it."""
    said: tuple[Said, ...]

    def as_json(self) -> dict[str, Any]:
        said = [{"name": each.label, "answer": each.text, "mark": each.mark} for each in self.said]
        return {"id": self.id, "question": self.question, "right": list(self.answers), "said": said}


@dataclass(frozen=True, slots=True)
class Parting:
    """Where the sides part, of all that was asked."""

    asked: int
    """Questions."""
    questions: tuple[Parted, ...]
    sides: int
    """How many there are; of one alone the questions are those that it did not answer right."""
    by: str
    """What is called right, in words."""

    def spread(self, most: int = MOST_PARTED) -> tuple[Parted, ...]:
        """So many of the questions at most, evenly over all."""
        of = len(self.questions)
        return self.questions if of <= most else tuple(self.questions[of * place // most] for place in range(most))

    @property
    def told(self) -> str:
        """How many they are, in a sentence without its end."""
        found, of = f"{len(self.questions):,}", count(self.asked, "question")
        if self.sides < 2:
            return f"{found} of {of} not answered right"
        return f"{found} of {of} answered right by some sides and not by others"

    def as_json(self) -> dict[str, Any]:
        shown = self.spread()
        return {"asked": self.asked, "parted": len(self.questions), "left_out": len(self.questions) - len(shown), "by": self.by,
                "questions": [each.as_json() for each in shown]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    compared: tuple[Compared, ...]
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    verdict: str = ""
    """In words, where the subjects were asked the same questions."""
    parting: Parting | None = None
    """Their answers, where they were."""

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings by which the runs differ, as paths such as `imprint.budget.epochs`."""
        return tuple(dict.fromkeys(key for each in self.compared for key in each.settings))

    @property
    def rows(self) -> Rows:
        return Rows(tuple(row for each in self.compared for row in each.measurements))

    @property
    def unit(self) -> str:
        return self.rows.unit()


@dataclass(frozen=True, slots=True)
class Entry:
    """What one run or model has in a block."""

    label: str
    figure: Cell
    change: Cell | None
    """Against the first; None for the first itself, and where the two are not paired."""


@dataclass(frozen=True, slots=True)
class Block:
    """One measure of all of them."""

    title: str
    split: str
    explanation: str
    facts: tuple[str, ...]
    entries: tuple[Entry, ...]


def blocks(comparison: Comparison) -> list[Block]:
    """Every measure, in the order in which the first that has it holds it."""
    keys = dict.fromkeys((row.name, row.split, row.unit) for row in comparison.rows.all)
    # A metric that failed as a whole has no split: its reason stands in the blocks of the others.
    whole = [key for key in keys if key[1] or key[2] or not any(other[0] == key[0] and other != key for other in keys)]
    return [_block(comparison, *key) for key in whole]


def _block(comparison: Comparison, name: str, split: str, unit: str) -> Block:
    found = [Rows(each.measurements).get(name, each.label, split, unit) for each in comparison.compared]
    measured = [row for row in found if row is not None and row.value is not None]
    first = (measured or [row for row in found if row is not None])[0]
    words = metric_words(name, unit)
    entries = tuple(_entry(each, row) for each, row in zip(comparison.compared, found, strict=True))
    direction = [f"{first.better} is better"] if first.better else []
    things = dict.fromkeys(row.interval_over for row in measured if row.interval_over and row.low is not None)
    over = [f"95 % interval over {' / '.join(things)}"] if things else []
    where = split_words(split, comparison.unit, name) if split else ""
    return Block(words.title, where, words.explanation, (*direction, *over, *_tokenizers(measured)), entries)


def _entry(each: Compared, row: Measurement | None) -> Entry:
    if row is None or row.value is None:
        return Entry(each.label, Cell(note=f"not measured: {row.note}" if row is not None else "not measured"), None)
    gaps = [gap for gap in each.differences if (gap.name, gap.split, gap.unit) == (row.name, row.split, row.unit)]
    return Entry(each.label, Cell(number(row.value, row), _interval(row)), _change(gaps[0], row) if gaps else None)


def _change(gap: Measurement, row: Measurement) -> Cell:
    if gap.value is None:
        return Cell(note=gap.note)
    if gap.low is None or gap.high is None:
        return Cell(signed(gap.value, gap), note=gap.note or "no interval")
    return Cell(signed(gap.value, gap), span(signed(gap.low, gap), signed(gap.high, gap)), judged=judged(gap, row))


def _interval(row: Measurement) -> str:
    return "" if row.low is None or row.high is None else span(number(row.low, row), number(row.high, row))


def _tokenizers(rows: Sequence[Measurement]) -> list[str]:
    """The tokenizers that perplexities are of, as their notes name them."""
    named = dict.fromkeys(row.note.partition("tokenizer: ")[2].partition(";")[0] for row in rows)
    return [f"tokenizer: {' / '.join(name for name in named if name)}"] if any(named) else []


def short_keys(settings: Sequence[str]) -> dict[str, str]:
    """Each setting's path to the shortest ending that no other has, in words: `imprint.optimizer.learning_rate` to
    `learning rate`; a method's `kind` is called method."""
    short = {}
    for key in settings:
        parts = key.split(".")
        endings = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        alone = [end for end in endings if sum(f".{other}".endswith(f".{end}") for other in settings) == 1]
        name = (alone[0] if alone else key).replace("_", " ")
        short[key] = "method" if name == "kind" and key.endswith("method.kind") else name
    return short


def told(value: Any, key: str = "") -> str:
    """A setting's value in short, as the recipe would write it or, for bases and methods, as the certificate does."""
    if key == "base" and value is not None:
        return model_words(str(value))
    if key.endswith("method.kind"):
        return METHODS.get(str(value), str(value))
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        if "method" in value:  # a stage that others do not have
            return told(value["method"]["kind"], "method.kind")
        return str(
            value.get("kind") or ", ".join(f"{key} {told(each)}" for key, each in value.items() if each is not None)
        )
    if isinstance(value, list | tuple):
        return ", ".join(map(told, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def costs(each: Compared) -> tuple[str, str, str]:
    """Tokens read, time and memory, a dash where they are not known."""
    return (
        "–" if each.tokens is None else short_tokens(each.tokens),
        "–" if each.seconds is None else duration(each.seconds),
        "–" if each.memory_bytes is None else f"{each.memory_bytes / 2**30:.1f} GiB",
    )
