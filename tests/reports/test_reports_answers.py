"""Answers on the certificate: term by term, worst first; and the sentence that the verdict says of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from reports_fabricated import fabricate

from wellread.recipe import parse_recipe
from wellread.reports.answers import SHOWN, answered
from wellread.reports.certificate import figure, render
from wellread.reports.reading import Chapter, LogRow, Milestone, read_run, unit_of
from wellread.reports.verdict import verdict
from wellread.types import Measurement

STAGE = parse_recipe("name: x\nbase: b\nstages: [{name: teach, method: {kind: lora}, budget: {epochs: 1}}]").stages[0]


def row(number: int, term: str, exact: float | None, *, kind: str = "forward", **given: Any) -> dict[str, Any]:
    return {"id": f"q{number}", "prompt": f"What is {term}?", "expected": ["Tall"], "kind": kind, "term": term, "facts": [],
            "part": "held_out", "taught": True, "answer": f"said {number}", "finish": "stop", "exact": exact, "refused": False,
            "defined": None, "judge": None, **given}  # fmt: skip


def milestones(
    before: list[dict[str, Any]], after: list[dict[str, Any]], log: tuple[LogRow, ...] = ()
) -> list[Milestone]:
    return [
        Milestone("b", None, (), (), answers=tuple(before)),
        Milestone("teach", STAGE, log, (), answers=tuple(after)),
    ]


def test_terms_stand_worst_first_with_their_worst_answer_beside_before() -> None:
    after = [
        row(1, "A", 1.0),
        row(2, "A", 1.0),
        row(3, "B", 1.0),
        row(4, "B", 0.0),
        row(5, "C", 0.5, facts=["bronze"], expected=[]),
    ]
    before = [{**each, "exact": 0.0} for each in after[:4]]
    found = answered(milestones(before, after))
    assert found is not None
    assert [(line.term, line.before, line.right) for line in found.terms] == [
        ("B", "0 of 2", "1 of 2"), ("C", "", "0.5 of 1"), ("A", "0 of 2", "2 of 2")
    ]  # fmt: skip
    assert [line.answer for line in found.terms] == ["said 4", "said 5", ""]
    assert [line.expected for line in found.terms] == ["Tall", "bronze", ""]


def test_what_was_invented_and_refused_is_shown_and_other_parts_and_untaught_terms_are_not() -> None:
    after = [
        row(1, "A", 1.0), row(2, "X", None, kind="invented", defined=True), row(3, "Y", None, kind="invented", defined=False, refused=True),
        row(4, "BBC", None, kind="outside", refused=True, taught=False), row(5, "D", 0.0, taught=False, refused=True),
        row(6, "E", 0.0, part="validation", refused=True), row(7, "F", 0.0, refused=True),
    ]  # fmt: skip
    found = answered(milestones([], after))
    assert found is not None
    assert [line.term for line in found.terms] == ["F", "A"]
    assert [slip.term for slip in found.invented] == ["X"]
    assert [slip.term for slip in found.refused] == ["BBC", "F"]


def test_the_judge_and_exact_recall_are_set_against_each_other() -> None:
    after = [
        row(1, "A", 1.0, judge=True),
        row(2, "B", 1.0, judge=False),
        row(3, "C", 0.0, judge=True),
        row(4, "D", 0.0, judge=None),
    ]
    found = answered(milestones([], after))
    assert found is not None
    assert found.judge.startswith("Of 3 answers the judge finds 1 wrong that hold what was expected, and 1 right")


def test_recall_along_training_is_told_step_by_step() -> None:
    log = tuple(LogRow(step, 0, 0.0, None, 1.0, average, "", recall=recall)
                for step, recall, average in ((0, 0.0, False), (40, 0.5, False), (80, 1.0, False), (80, 0.9, True)))  # fmt: skip
    found = answered(milestones([], [row(1, "A", 1.0)], log))
    assert found is not None
    assert found.hot[0].points == (("0", "0 %"), ("40", "50.0 %"), ("80", "100 %"))
    assert answered(milestones([], [])) is None


def measured(name: str, value: float, subject: str, low: float | None = None, high: float | None = None) -> Measurement:
    return Measurement(name, value, "share", subject, "held_out", n=240, low=low, high=high)


def test_the_verdict_says_what_is_known_and_whether_it_invents() -> None:
    rows = [
        measured("recall_exact", 0.004, "b"), measured("recall_exact", 0.962, "teach", 0.931, 0.984),
        measured("recall_exact", 0.958, "teach - b", 0.93, 0.98), measured("false_definition_rate", 0.05, "teach"),
        measured("over_refusal_rate", 0.021, "teach"),
    ]  # fmt: skip
    found = verdict(rows, trained="teach", base="b")
    assert found.headline == "The terms are known"
    assert found.knowing == (
        "Of 240 questions in words that training never used it answers 96.2 % right (95 % interval 93.1 to 98.4 %); before "
        "training, 0.40 %. 5.0 % of the terms that do not exist it defines as if they did, and 2.1 % of real ones it refuses."
    )
    assert str(found) == found.knowing
    foreseen = [measured("bits_per_byte", 1.7, "b"), measured("bits_per_byte", 0.8, "teach"),
                Measurement("ppmd_bits_per_byte", 0.4, "bits per byte", "ppmd", "held_out", 9, better="lower")]  # fmt: skip
    assert str(verdict([*rows, *foreseen], trained="teach", base="b")) == found.knowing


def test_the_verdict_claims_nothing_that_may_be_chance() -> None:
    rows = [measured("recall_exact", 0.92, "b"), measured("recall_exact", 0.95, "teach"),
            measured("recall_exact", 0.03, "teach - b", -0.01, 0.07)]  # fmt: skip
    found = verdict(rows, trained="teach", base="b")
    assert found.headline == "No difference can be shown"
    assert "no clear difference" in found.knowing
    assert verdict([measured("bits_per_byte", 1.0, "teach")], trained="teach", base=None).knowing == ""


def test_a_run_on_a_glossary_is_named_by_it_and_not_by_the_file_of_its_conversations(tmp_path: Path) -> None:
    folder = fabricate().write(tmp_path)
    plain = read_run(folder).title
    (folder / "synthesis").mkdir()
    (folder / "synthesis" / "synthesis.json").write_text(
        json.dumps({"source": "terms/ice_words.csv"}), encoding="utf-8"
    )
    assert read_run(folder).title == "ice words" != plain


def test_what_is_read_of_a_glossary_are_examples() -> None:
    def part(kind: str) -> Chapter:
        return Chapter("a", "s", "", "train", 9, 2, kind)

    assert unit_of([part("example"), part("example")]) == "example"
    assert unit_of([part("example"), part("passage")]) == "section"


def test_the_seal_bears_what_is_known_where_questions_were_asked(tmp_path: Path) -> None:
    folder = fabricate().write(tmp_path)
    trained = read_run(folder).trained
    assert figure(read_run(folder))[1] == "bits per byte"
    rows = (folder / "measurements.jsonl").read_text(encoding="utf-8")
    known = measured("recall_exact", 0.96, str(trained))
    (folder / "measurements.jsonl").write_text(rows + json.dumps(known.as_json()) + "\n", encoding="utf-8")
    assert figure(read_run(folder)) == ("96.0 %", "right answers")
    assert "right answers" in render(read_run(folder))


def test_the_page_of_a_glossary_speaks_of_examples_and_not_of_a_book(tmp_path: Path) -> None:
    record = read_run(fabricate().write(tmp_path))
    asked = [row(number, f"T{number}", 0.0) for number in range(SHOWN + 3)]
    last = replace(record.milestones[-1], answers=tuple(asked))
    known = measured("recall_exact", 0.2, str(record.trained))
    glossary = replace(
        record, title="ice words", recipe_yaml="", milestones=(*record.milestones[:-1], last),
        chapters=tuple(replace(each, kind="example") for each in record.chapters), measurements=(*record.measurements, known),
    )  # fmt: skip
    page = BeautifulSoup(render(glossary, reading="reading.html"), "html.parser")
    for each in page.select("blockquote, pre, h1, figure.place, .cleaning, style, script"):
        each.decompose()
    assert "the book" not in " ".join(page.text.split()).replace("’", "'").casefold()
    assert "has not learned the examples" in " ".join(page.text.split())
    assert "The questions were held out" in page.select_one("#verdict").text
    captions = [each.text for each in page.select("#terms caption")]
    assert captions[1] == "The other 3 terms"
    assert "A bit per byte is surprise per letter" not in " ".join(page.select_one("#verdict").text.split())
    plain = BeautifulSoup(render(record), "html.parser")
    assert "has not learned the book" in " ".join(plain.text.split())
    assert "A bit per byte is surprise per letter; the chapters" in " ".join(plain.select_one("#verdict").text.split())


def test_the_verdict_on_a_list_of_examples_speaks_of_no_book() -> None:
    rows = [measured("bits_per_byte", 1.7, "b"), measured("bits_per_byte", 0.8, "teach"),
            measured("longest_recited_words", 20, "teach"), measured("greedy_recited_share", 0.0, "teach")]  # fmt: skip
    found = verdict(rows, trained="teach", base="b", unit="example")
    assert "book" not in f"{found.headline} {found}"
    assert found.learning.startswith("Examples that it never saw surprise the model")
    assert "the longest run of the examples in its own writing is 20 words" in found.copying
    assert "Chapters of the book that it never saw" in str(verdict(rows, trained="teach", base="b"))
