"""Replies to gold questions: known answers for every metric, and pairs by question."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wellread.metrics import METRICS, measure
from wellread.metrics.answer_match import contains, exact, f1, normalised
from wellread.metrics.citations import holds
from wellread.metrics.intervals import difference
from wellread.recipe.questions import REPLIED
from wellread.types import Chunk, Corpus, Evidence, GoldPassage, GoldQuestion, Measurement, Reply

OIL = GoldPassage("The great lamp burns fourteen litres of oil a night", "handbook.md", "Lamps")
BELL = GoldPassage("It is rung by the youngest keeper on board", "handbook.md", "Bells")


def chunk(text: str) -> Chunk:
    return Chunk("h", 0, len(text), text)


RIGHT, WRONG = chunk(f"Lamps. {OIL.quote}."), chunk("Tallow costs two crowns.")


def question(number: int, *answers: str, **given: object) -> GoldQuestion:
    return replace(GoldQuestion(f"q{number}", f"Question {number}?", answers), **given)


def rows(*replies: Reply, subject: str = "s") -> dict[str, Measurement]:
    measured = measure(Evidence(subject, Corpus((), {}), replies=replies), REPLIED)
    return {row.name: row for row in measured}


@pytest.mark.parametrize(
    ("text", "language", "plain"),
    [
        ("The Great Lamp!", "en", "great lamp"),
        ("an oil-lamp [2].", "en", "oillamp"),
        ("Burns 14 litres [1, 3] a night [2]", "en", "burns 14 litres night"),
        ("L’huile de la lampe", "fr", "huile de lampe"),
        ("Les deux", "en", "les deux"),
    ],
)
def test_answers_are_normalised_as_squad_does_with_french_articles(text: str, language: str, plain: str) -> None:
    assert normalised(text, language) == plain


def test_the_best_of_several_right_answers_counts() -> None:
    assert exact("the Fourteen litres.", ("14 litres", "fourteen litres")) == 1
    assert exact("about fourteen litres", ("fourteen litres",)) == 0
    assert contains("It burns fourteen litres a night.", ("fourteen litres",)) == 1
    assert contains("forty", ("forty-two", "four")) == 0
    # three words said, two right, both of which are said: 2 * 2 / (3 + 2)
    assert f1("about fourteen litres", ("seven", "fourteen litres")) == pytest.approx(0.8)
    assert f1("", ("fourteen",)) == 0
    assert f1("fourteen fourteen", ("fourteen",)) == pytest.approx(2 / 3)


def test_exact_and_f1_count_answerable_questions_and_a_refusal_as_wrong() -> None:
    found = rows(
        Reply(question(1, "fourteen litres"), "Fourteen litres [1]."),
        Reply(question(2, "fourteen litres"), "It burns fourteen litres", cut=True),
        Reply(question(3, "dawn"), "dawn", refused=True),
        Reply(question(4), "anything"),
    )
    assert (found["answer_exact"].value, found["answer_exact"].n) == (pytest.approx(1 / 3), 3)
    assert found["answer_exact_within"].value == pytest.approx(2 / 3)
    assert found["answer_f1"].value == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found["answer_f1"].note == "1 answers were cut at the longest length"
    assert [tally.unit for tally in found["answer_f1"].tallies] == ["q1", "q2", "q3"]


def test_a_chunk_holds_a_passage_with_half_of_its_words_in_a_row() -> None:
    assert holds(RIGHT, OIL)
    assert holds(chunk("burns FOURTEEN litres,\n of  oil"), OIL)  # five of ten
    assert not holds(chunk("fourteen litres of oil, the great lamp"), OIL)  # four, and three
    assert not holds(WRONG, OIL)
    assert not holds(WRONG, GoldPassage(""))


def test_a_short_passage_is_held_whole_or_not_at_all() -> None:
    rung = GoldPassage("rung at dawn")
    assert holds(chunk("The bell is rung at dawn."), rung)
    assert not holds(chunk("It is rung at noon; at dawn nobody is up."), rung)  # two of three, as half would have it
    seven = GoldPassage("the bell is rung at dawn alone")
    assert holds(chunk("Then the bell is rung at noon and dawn"), seven)  # five of seven
    assert not holds(chunk("Then the bell is rung"), seven)  # four of seven


@pytest.mark.parametrize(
    ("there", "named", "same"),
    [
        ("/home/ada/texts/Handbook.pdf", "handbook.md", True),
        ("C:\\texts\\handbook.docx", "texts/handbook.md", True),
        ("handbook.md", "winter/handbook.md", True),
        ("summer/handbook.md", "winter/handbook.md", False),
        ("/texts/rules.md", "handbook.md", False),
        ("", "handbook.md", True),
        ("/texts/rules.md", "", True),
    ],
)
def test_a_passage_stands_in_the_source_that_it_names(there: str, named: str, same: bool) -> None:
    assert holds(replace(RIGHT, source=there), replace(OIL, source=named)) is same


def test_citations_are_counted_against_gold_passages() -> None:
    two = question(1, "x", passages=(OIL, BELL))
    found = rows(
        Reply(two, "x", sources=(RIGHT, WRONG), cited=(RIGHT, WRONG)),
        Reply(question(2, "y", passages=(OIL,)), "y", sources=(RIGHT,), cited=(RIGHT,)),
        Reply(question(3, "y", passages=(OIL,)), "y", refused=True, sources=(RIGHT,), cited=(RIGHT,)),
    )
    assert found["citation_precision"].value == pytest.approx(2 / 3)
    assert found["citation_recall"].value == pytest.approx(2 / 4)


def test_what_has_no_sources_cites_nothing_and_says_so() -> None:
    found = rows(Reply(question(1, "x", passages=(OIL,)), "x"))
    assert found["citation_precision"].value is None
    assert "no source to cite" in found["citation_precision"].note
    silent = rows(Reply(question(1, "x", passages=(OIL,)), "x", sources=(RIGHT,)))
    assert (silent["citation_precision"].value, silent["citation_recall"].value) == (None, 0.0)
    assert silent["citation_precision"].note == "it cites nothing"
    elsewhere = replace(RIGHT, source="notes.md")
    strange = rows(Reply(question(1, "x", passages=(OIL,)), "x", sources=(elsewhere,), cited=(elsewhere,)))
    assert strange["citation_recall"].value == 0
    assert "such as handbook.md" in strange["citation_recall"].note
    assert "such as" not in found["citation_recall"].note


def test_refusals_are_right_or_wrong_by_question() -> None:
    found = rows(
        Reply(question(1), "", refused=True),
        Reply(question(2, near_miss=True), "no", refused=False),
        Reply(question(3, near_miss=True), "", refused=True),
        Reply(question(4, "x"), "", refused=True),
        Reply(question(5, "x"), "x"),
    )
    assert found["refusal_rate"].value == pytest.approx(2 / 3)
    assert found["refusal_rate_near_miss"].value == pytest.approx(0.5)
    assert (found["wrong_refusal_rate"].value, found["wrong_refusal_rate"].better) == (0.5, "lower")


def test_costs_are_means_over_all_replies() -> None:
    found = rows(
        Reply(question(1, "x"), "x", seconds=1.0, read=90, written=10), Reply(question(2), "y", seconds=3.0, read=30)
    )
    assert found["seconds_per_answer"].value == 2.0
    assert (found["tokens_per_answer"].value, found["tokens_per_answer"].note) == (65.0, "5.0 of them written")
    assert rows(Reply(question(1, "x"), "x"))["tokens_per_answer"].value is None


def test_two_subjects_pair_by_question() -> None:
    questions = [question(number, "yes") for number in range(20)]
    good = rows(*(Reply(each, "yes") for each in questions), subject="good")
    bad = rows(*(Reply(each, "yes" if place % 4 == 0 else "no") for place, each in enumerate(questions)), subject="bad")
    gap = difference(good["answer_f1"], bad["answer_f1"])
    assert gap.value == pytest.approx(0.75)
    assert gap.low is not None
    assert 0.4 < gap.low < 0.75


def test_without_replies_nothing_is_measured_unasked_and_a_name_says_why() -> None:
    assert set(REPLIED) <= set(METRICS)
    assert not {
        row.name for row in measure(Evidence("s", Corpus((), {"train": (), "validation": (), "held_out": ()})))
    } & set(REPLIED)
    [row] = measure(Evidence("s", Corpus((), {})), ["answer_f1"])
    assert row.value is None
    assert "compare --questions" in row.note
