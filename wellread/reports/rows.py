"""Measurements, looked up by what they are about: a subject, a file compressor, or a difference of two."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from wellread.types import REAL_CHAPTERS, Measurement

COMPRESSORS = {"ppmd": "PPMd", "xz": "xz"}
BITS = "bits_per_byte"


def is_model(subject: str) -> bool:
    """Whether a row is about a model, not about a compressor, real chapters or a difference."""
    return bool(subject) and subject not in COMPRESSORS and subject != REAL_CHAPTERS and " - " not in subject


def finite(row: Measurement) -> Measurement:
    """The row, or, where its value is no finite number, one without a value that says so; an interval likewise."""
    if row.value is not None and not math.isfinite(row.value):
        note = "; ".join(part for part in ("the value is not finite: the model has diverged", row.note) if part)
        return replace(row, value=None, low=None, high=None, note=note)
    ends = (row.low, row.high)
    if any(end is not None and not math.isfinite(end) for end in ends):
        return replace(row, low=None, high=None)
    return row


def sign(difference: Measurement) -> int:
    """-1 where a difference is below 0, 1 above, 0 where its interval includes 0; without an interval, by its value."""
    value = difference.value or 0.0
    low = value if difference.low is None else difference.low
    high = value if difference.high is None else difference.high
    return 1 if low > 0 else -1 if high < 0 else 0


@dataclass(frozen=True, slots=True)
class Rows:
    all: tuple[Measurement, ...]

    @classmethod
    def of(cls, measurements: Iterable[Measurement]) -> Rows:
        """Every value in it is a finite number, or None."""
        return cls(tuple(map(finite, measurements)))

    def get(
        self, name: str, subject: str | None, split: str | None = None, unit: str | None = None
    ) -> Measurement | None:
        """The first such row; any split and any unit where none is asked for.

        A metric that could not be measured at all is one row without a split: it stands for every split.
        """
        found = [row for row in self.all if row.name == name and row.subject == subject]
        for row in found:
            if split in {None, row.split} and unit in {None, row.unit}:
                return row
        return next((row for row in found if not row.split and row.value is None), None)

    def value(self, name: str, subject: str | None, split: str | None = None) -> float | None:
        row = self.get(name, subject, split)
        return None if row is None else row.value

    def difference(self, one: Measurement, other: Measurement) -> Measurement | None:
        """One less the other: the paired row where the run has it, else the plain difference without an interval."""
        if one.value is None or other.value is None:
            return None
        subject = f"{one.subject} - {other.subject}"
        paired = self.get(one.name, subject, one.split, one.unit)
        plain = Measurement(one.name, one.value - other.value, one.unit, subject, one.split, better=one.better)
        return paired or plain

    def unit(self) -> str:
        """What the held-out text is made of, as far as its interval tells: blocks of words tell nothing."""
        over = {row.interval_over for row in self.all if row.name == BITS and row.split == "held_out"}
        return "passage" if "passages" in over else "section" if "documents" in over else "chapter"

    def compressors(self, split: str = "held_out") -> list[Measurement]:
        """What each file compressor needs for the text of a part, measured or not."""
        found = (self.get(f"{name}_{BITS}", name, split) for name in COMPRESSORS)
        return [row for row in found if row is not None]

    def strongest(self) -> Measurement | None:
        """The compressor that needs the fewest bits per byte."""
        measured = [(row.value, row) for row in self.compressors() if row.value is not None]
        return min(measured, key=lambda pair: pair[0])[1] if measured else None
