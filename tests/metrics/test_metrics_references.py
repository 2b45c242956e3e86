"""F1 by hand, abstention, and intervals over passages."""

from __future__ import annotations

import pytest

from wellread.metrics import EXTRACTION, measure
from wellread.metrics.intervals import difference
from wellread.types import Corpus, Evidence, Extracted, Measurement


def found(row: str, gold: str, said: str, unit: str = "", split: str = "held_out", valid: bool = True) -> Extracted:
    """`gold` and `said` are places like `a1 a2 b1`: a work, a line."""
    works = tuple(frozenset(place[0] for place in each.split()) for each in (gold, said))
    lines = tuple(frozenset(each.split()) for each in (gold, said))
    return Extracted(row, unit or row, split, (works[0], works[1]), (lines[0], lines[1]), valid)


ROWS = [
    found("1", "a1 a2", "a1 a2"),  # right
    found("2", "a1 b1", "a1 c4"),  # one work of two, one line of two
    found("3", "b3", ""),  # missed
    found("4", "", ""),  # rightly left alone
    found("5", "", "c1"),  # invented
]


def measured(rows: list[Extracted], *names: str) -> dict[tuple[str, str], Measurement]:
    return {
        (row.name, row.split): row
        for row in measure(Evidence("s", Corpus((), {}), extracted=rows), names or EXTRACTION)
    }


def test_f1_by_hand() -> None:
    rows = measured(ROWS)
    # works: gold a | a b | b | | = 4; found a | a c | | | c = 4; right a, a = 2
    assert rows["work_f1", "held_out"].value == pytest.approx(2 * 2 / (4 + 4))
    # lines: gold 2 + 2 + 1 = 5; found 2 + 2 + 1 = 5; right 2 + 1 = 3
    assert rows["line_f1", "held_out"].value == pytest.approx(2 * 3 / (5 + 5))
    rows = measured([*ROWS, found("6", "", "d1 d2")])
    assert rows["line_f1_precision", "held_out"].value == pytest.approx(3 / 7)
    assert rows["line_f1_recall", "held_out"].value == pytest.approx(3 / 5)
    assert rows["line_f1", "held_out"].value == pytest.approx(2 * 3 / (7 + 5))
    assert rows["work_f1_precision", "held_out"].value == pytest.approx(2 / 5)
    assert rows["work_f1_recall", "held_out"].value == pytest.approx(2 / 4)


def test_exact_and_abstention_by_hand() -> None:
    rows = measured(ROWS)
    assert rows["reference_exact", "held_out"].value == pytest.approx(2 / 5)
    assert rows["abstention", "held_out"].value == pytest.approx(1 / 2)
    assert (rows["abstention", "held_out"].n, rows["reference_exact", "held_out"].n) == (2, 5)


def test_an_answer_out_of_form_is_never_right() -> None:
    rows = measured([found("1", "", "", valid=False), found("2", "", "")])
    assert [rows[name, "held_out"].value for name in ("reference_valid", "reference_exact", "abstention")] == [0.5] * 3


def test_the_blind_rows_are_counted_apart() -> None:
    rows = measured([*ROWS, found("6", "a1", "a1", split="blind"), found("7", "b1", "b1", split="blind")])
    assert rows["line_f1", "blind"].value == 1.0
    assert rows["line_f1", "held_out"].value == pytest.approx(0.6)
    assert rows["abstention", "blind"].value is None
    assert rows["abstention", "blind"].note == "no text to count"


def test_variants_of_a_passage_are_one_unit_of_the_interval() -> None:
    several = [found(f"{n}{variant}", "a1", "a1" if n % 2 else "", unit=str(n)) for n in range(20) for variant in "xyz"]
    row = measured(several)["reference_exact", "held_out"]
    assert (row.value, row.n, len(row.tallies), row.interval_over) == (0.5, 60, 20, "passages")
    assert row.low is not None
    assert row.high is not None
    # twenty coins, not sixty: the half width is about 2.09 * sqrt(0.25 / 20) = 0.23
    assert row.high - row.low == pytest.approx(2 * 0.23, abs=0.06)


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    better = [found(str(n), "a1", "a1" if n % 3 else "") for n in range(60)]
    worse = [found(str(n), "a1", "a1" if n % 3 > 1 else "") for n in range(60)]
    one, other = (measured(each)["line_f1_recall", "held_out"] for each in (better, worse))
    gap = difference(one, other)
    assert gap.value == pytest.approx(1 / 3)
    assert gap.low is not None
    assert gap.low > 0.15
    assert gap.interval_over == "passages"


def test_without_labelled_texts_there_is_nothing_to_tell() -> None:
    assert measured([]) == {}
