"""What a recipe requires of its measurements: `held_out bits_per_byte < 1.7`, and whether a finished run has it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wellread.conditions import COMPARISONS
from wellread.types import Measurement

SPLITS = ("train", "validation", "held_out", "general", "blind")
YARDSTICKS = ("ppmd_bits_per_byte", "xz_bits_per_byte")
"""Measured of a compressor, whatever the model."""
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TERM = rf"(?:(?P<before{{n}}>{'|'.join(SPLITS)})\s+)?(?P<metric{{n}}>[a-z]\w*(?:@\d+)?)(?:\((?P<split{{n}}>\w+)\))?"
_REQUIREMENT = re.compile(
    rf"\s*{_TERM.format(n=1)}(?:\s+-\s+{_TERM.format(n=2)})?(?:\s+(?P<change>rises|falls))?"
    rf"\s*(?P<comparison>>=|<=|>|<)\s*(?P<limit>{_NUMBER})\s*"
)
_FORM = "write [SPLIT] METRIC [- METRIC(SPLIT)] [rises|falls] < NUMBER, such as held_out bits_per_byte < 1.7"


@dataclass(frozen=True, slots=True)
class Term:
    """A measured number: a metric on a split, or, with an empty one, where the metric is measured as a whole."""

    metric: str
    split: str

    def __str__(self) -> str:
        return f"{self.metric}({self.split})" if self.split else self.metric


@dataclass(frozen=True, slots=True)
class Requirement:
    """`terms[0]`, less `terms[1]` where there is one, against a limit."""

    text: str
    terms: tuple[Term, ...]
    change: str
    """`rises` or `falls`: by how much it did so over all the stages that the last one comes from; empty: the number itself,
    after training."""
    comparison: str
    limit: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a run has what is required."""

    text: str
    holds: bool
    value: float | None
    note: str
    """Why there is no value; what could not be measured does not hold."""

    def __str__(self) -> str:
        if self.value is None:
            return f"{self.text}: not measured, {self.note}"
        return f"{self.text}: {'holds' if self.holds else 'does not hold'}, measured {self.value:.4g}"


def read_requirement(text: str) -> Requirement:
    """What `text` requires. Raises ValueError in one line.

    Without a split, a recited share is that of the training part, and any other number that of the held-out part, or of
    no part, where the metric knows none.
    """
    found = _REQUIREMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"require: {text!r} is no requirement; {_FORM}")
    terms = []
    for number in (1, 2):
        metric, splits = found[f"metric{number}"], (found[f"before{number}"], found[f"split{number}"])
        if metric is None:
            continue
        if all(splits) or any(split not in (None, *SPLITS) for split in splits):
            raise ValueError(f"require: {text!r} needs one split of {', '.join(SPLITS)} for a metric; {_FORM}")
        terms.append(Term(metric, splits[0] or splits[1] or ""))
    return Requirement(text.strip(), tuple(terms), found["change"] or "", found["comparison"], float(found["limit"]))


def measured_by(metric: str, name: str) -> bool:
    """Whether the metric called `name` gives this measurement: itself, or a variant as `…_200_bytes` is one, or `…@5`."""
    return metric == name or metric.startswith((f"{name}_", f"{name}@"))


def outcomes(
    requirements: Iterable[str], measurements: Sequence[Measurement], *, trained: str, before: str | None
) -> list[Outcome]:
    """Whether each requirement holds for the subject `trained`; `before` is the subject that it rose or fell from. None of them
    is told of a run that is not finished, of which nothing is measured yet."""
    if not measurements:
        return []
    return [_outcome(read_requirement(text), measurements, trained, before) for text in requirements]


def _outcome(required: Requirement, rows: Sequence[Measurement], trained: str, before: str | None) -> Outcome:
    after = _value(required.terms, rows, trained)
    if isinstance(after, str):
        return Outcome(required.text, False, None, after)
    value = after
    if required.change:
        if before is None:
            return Outcome(required.text, False, None, "there was nothing before training")
        earlier = _value(required.terms, rows, before)
        if isinstance(earlier, str):
            return Outcome(required.text, False, None, f"of {before} before training: {earlier}")
        value = after - earlier if required.change == "rises" else earlier - after
    return Outcome(required.text, COMPARISONS[required.comparison](value, required.limit), value, "")


def _value(terms: Sequence[Term], rows: Sequence[Measurement], subject: str) -> float | str:
    """The first term less the second, or why it was not measured."""
    values = []
    for term in terms:
        row = _row(term, rows, subject)
        if row is None:
            return f"{term} is not among the measurements"
        if row.value is None:
            return row.note
        if not math.isfinite(row.value):
            return f"{term} is not finite: the model has diverged"
        values.append(row.value)
    return values[0] - sum(values[1:])


def _row(term: Term, rows: Sequence[Measurement], subject: str) -> Measurement | None:
    owner = term.metric.partition("_")[0] if term.metric in YARDSTICKS else subject
    found = [row for row in rows if row.name == term.metric and row.subject == owner]
    default = "train" if "recited_share" in term.metric else "held_out"
    wanted = [term.split] if term.split else ["", default]
    return next(
        (row for row in found if row.split in wanted),
        next((row for row in found if not row.split and row.value is None), None),
    )
