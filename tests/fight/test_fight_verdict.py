"""The verdict of a fair fight: who wins by how much, and nothing that an interval does not carry."""

from __future__ import annotations

from dataclasses import replace

from wellread.reports.fair import Sides, fair_verdict, order_verdict
from wellread.types import Measurement

SIDES = Sides("b", "b+retrieval", "tuned", "both", "b+text")


def f1(
    subject: str, value: float | None, low: float | None = None, high: float | None = None, note: str = ""
) -> Measurement:
    return Measurement("answer_f1", value, "F1", subject, "held_out", 100, low, high, "higher", note)


def test_the_verdict_says_who_wins_by_how_much_and_what_tuning_adds() -> None:
    rows = [
        f1("b", 0.1), f1("b+retrieval", 0.5), f1("tuned", 0.19), f1("both", 0.51), f1("b+text", None, note="it takes 9,000 tokens"),
        f1("tuned - b+retrieval", -0.31, -0.39, -0.23), f1("both - b+retrieval", 0.01, -0.04, 0.06), f1("tuned - b", 0.09, 0.05, 0.13),
        Measurement("refusal_rate", 0.85, "share", "b+retrieval"), Measurement("wrong_refusal_rate", 0.08, "share", "b+retrieval"),
    ]  # fmt: skip
    told = fair_verdict(rows, SIDES)
    assert "Retrieval wins by 0.31 ± 0.08" in told
    assert "Tuning adds nothing to it here that could be shown (+0.01 ± 0.05, to 0.51)." in told
    assert "Tuning alone gains 0.09 ± 0.04 over the untouched base." in told
    assert "The base was not asked with all of the text in view: it takes 9,000 tokens." in told
    refusing = "refuses 85.0 % of the questions that the text does not answer, and wrongly 8.0 % of those that it does"
    assert f"Base with retrieval {refusing}." in told
    rows += [replace(row, subject="both") for row in rows if "refusal" in row.name]
    assert f"Base with retrieval {refusing}; tuned, with retrieval, {refusing}." in fair_verdict(rows, SIDES)
    few = "not tried: 5 unanswered questions, 10 needed"
    rows = [replace(row, value=None, note=few) if "refusal" in row.name else row for row in rows]
    assert fair_verdict(rows, SIDES).endswith(f"When to refuse was {few}.")


def test_the_verdict_claims_nothing_that_an_interval_does_not_carry() -> None:
    rows = [f1("b+retrieval", 0.3), f1("tuned", 0.29), f1("both", 0.5), f1("b+retrieval - tuned", 0.01, -0.1, 0.12),
            f1("both - b+retrieval", 0.2, 0.1, 0.3), f1("tuned - b", -0.01, -0.1, 0.08)]  # fmt: skip
    told = fair_verdict(rows, SIDES)
    assert "Neither retrieval nor tuning wins" in told
    assert "Tuning with passages in view adds 0.20 ± 0.10 to it, to 0.50." in told
    assert "not surely better than the untouched base" in told


def test_any_subjects_are_put_in_order() -> None:
    rows = [f1("a", 0.2), f1("b", 0.6), f1("c", 0.55), f1("b - a", 0.4, 0.3, 0.5), f1("c - b", -0.05, -0.2, 0.1)]
    told = order_verdict(rows, ["a", "b", "c"])
    assert told == "b answers best, with an F1 of 0.60: it beats a by 0.40 ± 0.10; no clear difference to c."
    assert order_verdict(rows[:1], ["a"]) == "a answers with an F1 of 0.20."
