"""Recall and honesty with known answers: what is right, what counts, what the intervals are over."""

from __future__ import annotations

import math

import pytest
from metrics_answers import Lengths, Letters, Strict, answer, of

from wellread.metrics import METRICS, measure
from wellread.metrics.false_definitions import false_definition_rate
from wellread.metrics.intervals import difference
from wellread.metrics.over_refusals import over_refusal_rate
from wellread.metrics.recall_cross_encoder import recall_cross_encoder
from wellread.metrics.recall_embedding import recall_embedding
from wellread.metrics.recall_exact import exact, recall_exact
from wellread.metrics.recall_judge import GRADES, recall_judge
from wellread.recipe.questions import ANSWERED
from wellread.testing import UniformBytes, evidence
from wellread.types import Measurement


def one(rows: list[Measurement], name: str, split: str = "held_out") -> Measurement:
    [row] = [row for row in rows if (row.name, row.split) == (name, split)]
    return row


def test_recall_counts_right_answers_by_kind_and_part() -> None:
    rows = recall_exact(of(
        answer("SLQ", "It is the sledge-loading quota.", "Sledge Loading Quota"),
        answer("SLK", "Sledge Letting Key", "Sledge Loading Key"),
        answer("SLQ", "That is SLQ.", "SLQ", kind="reverse", prompt="What is the sledge loading quota in short?"),
        answer("SLQ", "Key", "Sledge Loading Quota", part="validation"),
    ))  # fmt: skip
    assert one(rows, "recall_exact").value == pytest.approx(2 / 3)
    assert one(rows, "recall_exact").n == 3
    assert one(rows, "recall_exact_forward").value == 0.5
    assert one(rows, "recall_exact_reverse").value == 1
    assert one(rows, "recall_exact", "validation").value == 0
    assert [row.name for row in rows if row.split == "validation"] == ["recall_exact", "recall_exact_forward"]


def test_aliases_are_right_a_refusal_is_not_and_a_question_that_names_its_answer_does_not_count() -> None:
    assert exact(answer("SLQ", "the daily quota", "Sledge Loading Quota", "Daily Quota")) == 1
    assert exact(answer("SLQ", "SLQ, Sledge Loading Quota, is not in this glossary.", "Sledge Loading Quota")) == 0
    assert exact(answer("bell", "a bell", "bell", prompt="What is rung, a bell?")) is None
    snow = answer(
        "the snow",
        "The term is “the snow”.",
        "the snow",
        "accretion",
        kind="reverse",
        prompt="Which term means: frost or snow?",
    )
    assert exact(snow) is None  # not wrong, as it would be by the other name alone
    rows = recall_exact(of(
        answer("bell", "a bell", "bell", prompt="What is rung, a bell?"), answer("SLQ", "daily quota", "Daily Quota")
    ))  # fmt: skip
    assert (one(rows, "recall_exact").value, one(rows, "recall_exact").n) == (1, 1)
    assert "1 of 2 answers could not be judged" in one(rows, "recall_exact").note


def test_a_definition_is_right_where_every_key_fact_stands() -> None:
    facts = ("rung at night", "of bronze", "stands in the tower|in a tower")
    said = "A bell of bronze that is rung every night."
    assert exact(answer("bell", said, kind="definition", facts=facts)) == 0
    assert exact(answer("bell", f"{said} It hangs in a tower.", kind="definition", facts=facts)) == 1
    assert exact(answer("bell", "I do not know that term.", kind="definition", facts=facts)) == 0
    assert exact(answer("bell", said, "bronze bell", kind="forward", facts=facts)) == 0


def test_an_echo_of_a_term_is_no_right_answer() -> None:
    """`one spade` asked for nothing that `spade rent` does not say."""
    echo = "Spade rent is the term spade rent."
    assert exact(answer("spade rent", echo, kind="definition", facts=("one spade",))) == 0
    assert exact(answer("spade rent", "What one spade pays.", kind="definition", facts=("one spade",))) == 1
    assert exact(answer("spade rent", echo, kind="definition", facts=("the spade",))) is None
    assert exact(answer("spade rent", echo, kind="definition", facts=("the spade", "in peat"))) == 0
    assert exact(answer("spade rent", "It is paid in peat.", kind="definition", facts=("the spade", "in peat"))) == 1


def test_terms_that_training_never_named_are_told_apart() -> None:
    rows = recall_exact(of(answer("SLQ", "Quota", "Quota"), answer("SLK", "Key", "Lock", taught=False)))
    assert one(rows, "recall_exact").value == 1
    assert one(rows, "recall_exact_untaught").value == 0


def test_a_sample_of_the_questions_is_said_to_be_one() -> None:
    asked = (
        answer("SLQ", "Quota", "Quota"),
        answer("SLK", "Key", "Lock"),
        answer("SLQ", "Key", "Quota", part="validation"),
    )
    rows = recall_exact(of(*asked, asked_of={"held_out": 1500, "validation": 1}))
    assert "a sample: 2 of the part's 1,500 questions were asked" in one(rows, "recall_exact").note
    assert "a sample" not in one(rows, "recall_exact", "validation").note


def test_intervals_resample_terms_with_all_their_answers() -> None:
    """Ten terms of which five are known, asked once or four times each: the interval stays the same."""
    once = [answer(f"T{n}", "yes" if n % 2 else "no", "yes") for n in range(10)]
    often = [answer(f"T{n}", "yes" if n % 2 else "no", "yes", number=k) for n in range(10) for k in range(4)]
    single, several = (one(recall_exact(of(*answers)), "recall_exact") for answers in (once, often))
    assert (single.value, several.value, several.n) == (0.5, 0.5, 40)
    assert (several.low, several.high) == pytest.approx((single.low, single.high))
    assert several.interval_over == "terms"
    assert len(several.tallies) == 10


def test_the_difference_to_the_base_is_paired_by_term() -> None:
    """Every second term is learned, whichever the base knew: the difference is sure although both intervals are wide."""
    terms = [f"T{n}" for n in range(20)]
    before = one(
        recall_exact(of(*(answer(t, "yes" if n < 10 else "no", "yes") for n, t in enumerate(terms)))), "recall_exact"
    )
    after = one(
        recall_exact(of(*(answer(t, "yes" if n < 18 else "no", "yes") for n, t in enumerate(terms)))), "recall_exact"
    )
    gap = difference(after, before)
    assert gap.value == pytest.approx(0.4)
    assert gap.low is not None
    assert gap.low > 0
    assert gap.interval_over == "terms"


def test_nothing_wrong_at_all_is_told_with_what_it_proves() -> None:
    row = one(recall_exact(of(*(answer(f"T{n}", "yes", "yes") for n in range(30)))), "recall_exact")
    assert row.value == 1
    assert (row.low, row.high) == (pytest.approx(0.025 ** (1 / 30)), 1)


def test_false_definitions_count_invented_terms_alone() -> None:
    row = one(false_definition_rate(of(
        answer("XQ", "XQ stands for Extra Quota.", kind="invented"), answer("XR", "XR is not in this glossary.", kind="invented"),
        answer("XS", "", kind="invented"), answer("XT", "It is a bell.", kind="invented", taught=False), answer("SLQ", "a b", "c"),
    )), "false_definition_rate")  # fmt: skip
    assert (row.value, row.n, row.better) == (0.5, 4, "lower")


def test_over_refusal_counts_real_terms_in_and_outside_the_glossary() -> None:
    no = "That term is not in this glossary."
    rows = over_refusal_rate(of(
        answer("SLQ", no, "Quota"), answer("SLK", "A key.", "Key"), answer("BBC", no, "British", kind="outside", taught=False),
        answer("UFO", "An object.", "object", kind="outside"), answer("USB", "A bus.", "bus", kind="outside"),
        answer("SLR", no, "Rule", taught=False), answer("XQ", no, kind="invented"), answer("SLQ", no, "SLQ", kind="reverse"),
    ))  # fmt: skip
    assert (one(rows, "over_refusal_rate").value, one(rows, "over_refusal_rate").n) == (pytest.approx(2 / 5), 5)
    assert one(rows, "over_refusal_rate_glossary").value == 0.5
    assert one(rows, "over_refusal_rate_outside").value == pytest.approx(1 / 3)


def test_the_embedding_says_how_near_and_beside_what_floor() -> None:
    rows = recall_embedding(of(
        answer("A", "aabb", "abab"), answer("B", "cc", "dd"), answer("C", "ee", "ee", "zz"), embedder=Letters(),
    ))  # fmt: skip
    row, nearest = one(rows, "recall_embedding"), one(rows, "recall_embedding_nearest")
    assert row.value == pytest.approx(2 / 3)
    assert row.unit == "cosine"
    assert "by letters, 0.00 beside other terms' answers" in row.note
    assert nearest.value == pytest.approx(2 / 3)
    silent = recall_embedding(of(answer("A", "", "abab"), answer("B", "b", "b"), embedder=Letters()))
    assert one(silent, "recall_embedding").value == 0.5


def test_the_cross_encoder_takes_the_best_fitting_of_the_expected_answers() -> None:
    rows = recall_cross_encoder(
        of(answer("A", "abcd", "ab", "abcdefgh", "abc"), answer("B", "x", "xxxx"), cross_encoder=Lengths())
    )
    assert one(rows, "recall_cross_encoder").value == pytest.approx((0.75 + 0.25) / 2)


def test_without_a_cross_encoder_embedder_or_judge_the_reason_stands_in_place_of_a_number() -> None:
    rows = measure(of(answer("A", "a b", "a")), ["recall_cross_encoder", "recall_judge", "recall_embedding"])
    assert [row.value for row in rows] == [None, None, None]
    assert [name in row.note for row, name in zip(rows, ("cross_encoder", "judge", "embedder"), strict=True)] == [
        True
    ] * 3


def test_the_judge_is_set_beside_exact_recall_and_what_it_mumbles_counts_neither_way() -> None:
    gathered = of(
        answer("A", "RIGHT", "right"), answer("B", "WRONG", "right"), answer("C", "right", "right"), answer("D", "", "right"),
        judge=Strict(),
    )  # fmt: skip
    row = one(recall_judge(gathered), "recall_judge")
    assert (row.value, row.n) == (pytest.approx(2 / 3), 3)
    assert row.note.startswith(
        "judged by strict; agrees with recall_exact on 1 of 3; 1 of 4 verdicts could not be had or read"
    )
    assert gathered.cache["model", GRADES]["forward-B-1"].right
    mumbled = one(recall_judge(of(answer("D", "", "right"), judge=Strict())), "recall_judge")
    assert mumbled.value is None
    assert "all 1 verdicts could not be had or read" in mumbled.note


def test_measures_of_answers_are_left_out_where_nothing_was_asked_and_say_so_where_they_are_named() -> None:
    silent = evidence(UniformBytes(), "A text that is long enough to be scored. " * 20)
    assert not {row.name for row in measure(silent)} & set(ANSWERED)
    rows = measure(silent, ANSWERED)
    assert [row.name for row in rows] == list(ANSWERED)
    assert all(row.value is None and "no questions were asked" in row.note for row in rows)
    assert set(ANSWERED) <= set(METRICS)


def test_without_questions_of_a_kind_a_rate_is_not_nought() -> None:
    [row] = false_definition_rate(of(answer("A", "a b", "a")))
    assert row.value is None
    assert "invented" in row.note
    assert not math.isnan(one(over_refusal_rate(of(answer("A", "a b", "a"))), "over_refusal_rate").value or 0.0)
