"""Answers: asked alike, cut alike, kept as rows and as a table that no spreadsheet computes; and a whole run that asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hostile import Hostile, answer
from spreadsheet import table

from wellread.asking import COLUMNS, answer_rows, answers, ask, cut, plain_cell, write_answers
from wellread.facts import Asked
from wellread.metrics import measure
from wellread.recipe.questions import Answering
from wellread.runs import Stage as StageFolder
from wellread.storage import read_rows
from wellread.types import Corpus, Evidence, Prompt, Question, Sample, Sampling, Scored

NOWHERE = Corpus((), {"train": (), "validation": (), "held_out": ()})


class Parrot:
    """Says what it is told to of whatever it is asked."""

    name, tokenizer_name = "parrot", "none"

    def __init__(self, *says: str, finish: Any = "stop") -> None:
        self._says, self._finish = says, finish
        self.heard: list[tuple[list[Prompt], Sampling]] = []

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        self.heard.append((list(prompts), sampling))
        return [
            Sample("", self._says[n % len(self._says)], sampling, 0, self.name, self._finish)
            for n in range(len(prompts))
        ]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        raise NotImplementedError


def question(number: int, **given: Any) -> Question:
    return replace(Question(f"q{number}", f"What is T{number}?", (f"Tall {number}",), "forward", f"T{number}"), **given)


def test_questions_are_asked_alone_and_greedily_and_answers_end_at_a_stop() -> None:
    model = Parrot("\n\nTall 1 \n\nand more", finish="length")
    settings = Answering(max_tokens=9, stops=("\n\n", "###"))
    [one, two] = answers(model, [question(1), question(2)], settings, part="validation", taught=frozenset({"T1"}))
    assert (one.text, one.finish, one.part, one.taught, two.taught) == ("Tall 1", "stop", "validation", True, False)
    [(prompts, sampling)] = model.heard
    assert prompts[0] == [{"role": "user", "content": "What is T1?"}]
    assert (sampling.temperature, sampling.max_tokens, sampling.n) == (0.0, 9, 1)
    assert cut("a ### b", ("###",)) == "a "
    assert cut("plain", ()) == "plain"


def test_each_part_is_asked_at_most_so_often_and_train_never() -> None:
    asked = Asked(
        {
            "train": (question(0),),
            "validation": tuple(map(question, range(1, 9))),
            "held_out": tuple(map(question, range(10, 40))),
        }
    )
    gathered = Evidence("parrot", NOWHERE)
    ask(gathered, Parrot("Tall 1"), asked, Answering(most=5))
    assert [each.part for each in gathered.answers] == ["held_out"] * 5 + ["validation"] * 5
    assert gathered.judge is None
    assert gathered.embedder is not None


def test_the_settings_name_who_judges_and_the_judge_alone_is_given_its_key() -> None:
    asked = Asked({"held_out": (question(1), question(2), question(3))})
    with Hostile(otherwise=answer(lambda body: '{"reason": "", "verdict": "right"}')) as fake:
        settings = Answering(most=2, judge=fake.name, cross_encoder="nowhere/none", embedder="nowhere/neither")
        gathered = Evidence("parrot", NOWHERE)
        ask(gathered, Parrot("Tall 1"), asked, settings, offline=True, keys=lambda name: f"key of {name}")
        rows = {
            row.name: row for row in measure(gathered, ["recall_judge", "recall_cross_encoder", "recall_embedding"])
        }
    assert rows["recall_judge"].value == 1
    assert "a sample: 2 of the part's 3 questions were asked" in rows["recall_judge"].note
    assert {headers["authorization"] for headers in fake.headers} == {f"Bearer key of {fake.name}"}
    for name, named in (("recall_cross_encoder", "none"), ("recall_embedding", "neither")):
        assert rows[name].value is None
        assert f"nowhere/{named}" in rows[name].note or "not installed" in rows[name].note


def test_the_table_opens_in_a_spreadsheet_and_computes_nothing(tmp_path: Path) -> None:
    said = (
        '=HYPERLINK("http://x","y")',
        'Tall 2, "quoted";\nin two lines',
        "+1",
        "été − naïve",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "  =1",
        "﹖",
    )
    questions = [question(n) for n in range(1, len(said) + 1)]
    gathered = Evidence(
        "parrot", NOWHERE, answers=answers(Parrot(*said), questions, Answering(stops=()), part="held_out")
    )
    write_answers(StageFolder(tmp_path), gathered)
    rows = table(tmp_path / "answers.csv")
    assert tuple(rows[0]) == COLUMNS
    assert [row["answer"] for row in rows][:6] == [
        '\'=HYPERLINK("http://x","y")', 'Tall 2, "quoted";\nin two lines', "'+1", "été − naïve", "'-2+3", "'@SUM(A1)"
    ]  # fmt: skip
    assert [row["right"] for row in rows][:2] == ["no", "yes"]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for row in rows for cell in row.values())
    assert plain_cell("  =1") == "'  =1"
    kept = read_rows(tmp_path / "answers.jsonl")
    assert kept[0]["answer"] == '=HYPERLINK("http://x","y")'  # rows are for programs: nothing is changed
    assert kept[1]["exact"] == 1


def test_rows_say_what_each_way_of_judging_says() -> None:
    invented = Question("x", "What is XQ?", (), "invented", "XQ")
    asked = [question(1), invented]
    found = answers(Parrot("It is not in this glossary.", "XQ is a bell."), asked, Answering(), part="held_out")
    one, two = answer_rows(Evidence("parrot", NOWHERE, answers=found))
    assert (one["exact"], one["refused"], one["defined"], one["judge"]) == (0.0, True, None, None)
    assert (two["exact"], two["refused"], two["defined"]) == (None, False, True)
    assert (one["id"], one["prompt"], one["subject"], one["part"]) == ("q1", "What is T1?", "parrot", "held_out")
