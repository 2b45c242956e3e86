"""How well references were extracted: whole answers, works, lines, and silence where there is nothing to find.

`work_f1` and `line_f1` are micro averages: over all texts, 2 TP / (2 TP + FP + FN) of the works, or of the places one by
one; a range of three lines is three places. Precision and recall stand beside them. Intervals resample passages: the
variants of one are drawn together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from wellread.metrics.intervals import with_interval
from wellread.metrics.tallies import ratio
from wellread.types import Evidence, Extracted, Measurement, Tally

PASSAGES = "passages"
Count = Callable[[Extracted], tuple[float, float]]
"""What one text adds to the numerator and to the denominator."""


def reference_exact(evidence: Evidence) -> list[Measurement]:
    """Share of texts whose places were found to the last one, and no other."""
    return _measured(evidence, "reference_exact", lambda each: (float(_right(each)), 1.0))


def reference_valid(evidence: Evidence) -> list[Measurement]:
    """Share of answers that are JSON of the schema."""
    return _measured(evidence, "reference_valid", lambda each: (float(each.valid), 1.0))


def work_f1(evidence: Evidence) -> list[Measurement]:
    """F1 of the works (songs, books) that texts name, each counted once a text; precision and recall beside it."""
    return _f1(evidence, "work_f1", lambda each: each.works)


def line_f1(evidence: Evidence) -> list[Measurement]:
    """F1 of the places, one by one; a range of three lines is three. Precision and recall beside it."""
    return _f1(evidence, "line_f1", lambda each: each.lines)


def abstention(evidence: Evidence) -> list[Measurement]:
    """Share of the texts without references in which none was found."""
    nothing = [each for each in evidence.extracted if not each.works[0]]
    return _measured(evidence, "abstention", lambda each: (float(not each.works[1] and each.valid), 1.0), nothing)


def _right(each: Extracted) -> bool:
    return each.valid and each.works[0] == each.works[1] and each.lines[0] == each.lines[1]


def _f1(
    evidence: Evidence, name: str, of: Callable[[Extracted], tuple[frozenset[object], frozenset[object]]]
) -> list[Measurement]:
    def both(each: Extracted) -> tuple[float, float]:
        gold, found = of(each)
        return 2.0 * len(gold & found), float(len(gold) + len(found))

    def precision(each: Extracted) -> tuple[float, float]:
        gold, found = of(each)
        return float(len(gold & found)), float(len(found))

    def recall(each: Extracted) -> tuple[float, float]:
        gold, found = of(each)
        return float(len(gold & found)), float(len(gold))

    counts: dict[str, Count] = {name: both, f"{name}_precision": precision, f"{name}_recall": recall}
    return [row for called, count in counts.items() for row in _measured(evidence, called, count)]


def _measured(
    evidence: Evidence, name: str, count: Count, extracted: Sequence[Extracted] | None = None
) -> list[Measurement]:
    """One measurement for each split there is; with a reason where nothing was to be counted."""
    rows = []
    chosen = evidence.extracted if extracted is None else extracted
    for split in dict.fromkeys(each.split for each in evidence.extracted):
        here = [each for each in chosen if each.split == split]
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for each in here:
            for place, value in enumerate(count(each)):
                sums[each.unit][place] += value
        tallies = tuple(Tally(unit, *sums[unit]) for unit in sorted(sums))
        row = Measurement(
            name, None, unit="share of texts" if name.startswith(("reference", "abst")) else "share",
            subject=evidence.subject, split=split, n=len(here), better="higher", note="no text to count",
        )  # fmt: skip
        if sum(tally.denominator for tally in tallies):
            row = Measurement(
                row.name, ratio(tallies), row.unit, row.subject, split, row.n, better="higher", interval_over=PASSAGES,
                tallies=tallies,
            )  # fmt: skip
            row = with_interval(row, seed=evidence.seed)
        elif here:
            row = Measurement(row.name, None, row.unit, row.subject, split, row.n, better="higher",
                              note="nothing was found in any text")  # fmt: skip
        rows.append(row)
    return rows
