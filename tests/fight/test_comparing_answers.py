"""Models side by side on gold questions: pairs, verdict, page, table and the verb."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from wellread.cli import app
from wellread.errors import CorpusError, UnknownName, UsageError
from wellread.fight import comparing_answers
from wellread.fight.comparing_answers import compare_answers, gold_questions, seen_before
from wellread.fight.parting import parting
from wellread.fight.weighing import _prepared
from wellread.metrics.citations import NOTHING_CITED
from wellread.recipe import load_recipe, recipe_text
from wellread.reports import comparison_lines, comparison_page
from wellread.reports.comparison import Comparison
from wellread.reports.comparison_lines import _answers
from wellread.retrieval.rag import RetrievalModel
from wellread.retrieval.refusing import Refusal, question_mark
from wellread.retrieval.thresholds import DEFAULTS
from wellread.runs import STORE, Run
from wellread.testing import tiny_model
from wellread.texts import library_path
from wellread.types import Answer, Chunk, GoldPassage, GoldQuestion, Grade, Reply, Sample, Sampling, Scored


class Knows:
    """Answers some of the questions right, by their ids, and the others wrong."""

    tokenizer_name = "none"

    def __init__(self, name: str, known: set[int]) -> None:
        self.name, self._known = name, known

    def generate(self, prompts: Sequence[Any], sampling: Sampling) -> list[Sample]:
        assert sampling.temperature == 0
        numbers = [int(prompt[0]["content"].rstrip("?").split()[-1]) for prompt in prompts]
        return [Sample("", f"answer {n}" if n in self._known else "nonsense", sampling, 0) for n in numbers]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        raise NotImplementedError


MODELS = {
    "good": Knows("good", set(range(20))),
    "poor": Knows("poor", set(range(4))),
    "alike": Knows("alike", set(range(1, 20))),
}
METRICS = ("answer_exact", "answer_f1", "citation_recall")


def write_gold(path: Path, count: int = 20) -> Path:
    rows = [{"id": f"q{n}", "question": f"What is number {n}?", "answers": [f"answer {n}"]} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_model_is_paired_with_the_first_by_question(tmp_path: Path) -> None:
    files = [write_gold(tmp_path / "gold.jsonl")]
    comparison, said = compare_answers(["poor", "good", "alike"], files, opened=MODELS.__getitem__, metrics=METRICS)
    first, second, _ = comparison.compared
    assert (first.label, first.differences) == ("poor", ())
    gap = next(row for row in second.differences if row.name == "answer_f1")
    assert gap.value == pytest.approx(0.8)
    assert gap.low is not None
    assert 0.5 < gap.low < 0.8
    assert comparison.verdict.startswith("good answers best, with an F1 of 1.00: it beats poor by 0.80 ± ")
    assert comparison.verdict.endswith("no clear difference to alike.")
    assert [reply.text for reply in said["poor"][:5]] == ["answer 0", "answer 1", "answer 2", "answer 3", "nonsense"]


def test_lines_and_page_begin_with_the_verdict(tmp_path: Path) -> None:
    files = [write_gold(tmp_path / "gold.jsonl")]
    comparison, _ = compare_answers(["poor", "good"], files, opened=MODELS.__getitem__, metrics=METRICS)
    lines = comparison_lines(comparison)
    assert lines[0] == comparison.verdict
    assert any("not measured: nothing is retrieved for it" in line for line in lines)
    page = comparison_page(comparison)
    assert comparison.verdict in page
    assert "How well unseen" not in page


def test_answers_stand_side_by_side_where_the_sides_part(tmp_path: Path) -> None:
    """`poor` knows 0 to 3, `good` all of them: they part on 16 questions."""
    files = [write_gold(tmp_path / "gold.jsonl")]
    comparison, _ = compare_answers(["poor", "good"], files, opened=MODELS.__getitem__, metrics=METRICS)
    lines = comparison_lines(comparison)
    at = lines.index("Answers: 16 of 20 questions answered right by some sides and not by others")
    shown = [line for line in lines[at:] if line.startswith("What is number ")]
    assert len(shown) == 10
    assert not {f"What is number {n}?" for n in range(4)} & {*shown}
    assert any(line.startswith("6 more left out; --html FILE.html draws") for line in lines[at:])
    place = lines.index(shown[0])
    number = shown[0].rstrip("?").split()[-1]
    assert lines[place + 1 : place + 4] == [
        f"  right answer         answer {number}", "  poor          wrong  nonsense", f"  good          right  answer {number}",
    ]  # fmt: skip
    assert max(map(len, lines)) <= 100
    page = comparison_page(comparison)
    assert page.count("<blockquote>") == 16
    assert "<dt>good ✓</dt><dd>answer 19 <em>(right)</em></dd>" in page
    assert "<dt>poor</dt><dd>nonsense <em>(wrong)</em></dd>" in page
    assert "left out" not in page


def test_of_many_questions_some_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    files = [write_gold(tmp_path / "gold.jsonl", 60)]
    models = {"all": Knows("all", set(range(60))), "none": Knows("none", set())}
    comparison, _ = compare_answers([*models], files, opened=models.__getitem__, metrics=METRICS)
    assert comparison.parting is not None
    told = comparison.parting.as_json()
    assert (told["asked"], told["parted"], told["left_out"], len(told["questions"])) == (60, 60, 20, 40)
    assert told["questions"][-1]["said"] == [
        {"name": "all", "answer": "answer 58", "mark": "right"}, {"name": "none", "answer": "nonsense", "mark": "wrong"},
    ]  # fmt: skip
    page = comparison_page(comparison)
    assert page.count("<blockquote>") == 40
    assert "20 more are left out" in page


def test_sides_that_are_right_and_wrong_alike_do_not_part_and_one_alone_shows_what_it_got_wrong(tmp_path: Path) -> None:
    files = [write_gold(tmp_path / "gold.jsonl")]
    alike, _ = compare_answers(["poor", "poor"], files, opened=MODELS.__getitem__, metrics=METRICS)
    lines = comparison_lines(alike)
    assert "Answers: 0 of 20 questions answered right by some sides and not by others" in lines
    assert not any("What is number" in line for line in lines)
    alone, _ = compare_answers(["alike"], files, opened=MODELS.__getitem__, metrics=METRICS)
    lines = comparison_lines(alone)
    assert "What is number 0?" in lines[lines.index("Answers: 1 of 20 questions not answered right") :]
    assert sum("What is number" in line for line in lines) == 1


def replied(text: str, *right: str, refused: bool = False) -> Reply:
    return Reply(GoldQuestion("q", "What is it?", right), text, refused)


def test_who_is_right() -> None:
    """As `answer_exact_within` counts, unless a judge says otherwise; and declining is right where nothing answers."""
    marks = {
        "within": replied("It is the old ferry.", "old ferry"), "other": replied("It is a boat.", "old ferry"),
        "declines": replied("The sources do not say: old ferry.", "old ferry", refused=True),
    }  # fmt: skip
    [one] = parting({label: [reply] for label, reply in marks.items()}).questions
    assert [each.mark for each in one.said] == ["right", "wrong", "declines"]
    judged = parting(
        {label: [reply] for label, reply in marks.items()},
        {"within": {"q": Grade(None)}, "other": {"q": Grade(True)}, "declines": {"q": Grade(True)}}, judge="even",
    )  # fmt: skip
    assert [each.mark for each in judged.questions[0].said] == ["right", "right", "declines"]
    assert judged.by.startswith("what is right is what even says")
    [none] = parting({"a": [replied("I cannot tell.", refused=True)], "b": [replied("A boat.")]}).questions
    assert [each.mark for each in none.said] == ["right", "wrong"]
    untold = GoldQuestion("q", "What is it?", passages=(GoldPassage("It is a boat."),))
    assert parting({"a": [Reply(untold, "", True)], "b": [Reply(untold, "A boat.")]}).questions == ()


def test_answers_of_any_length_and_sign_keep_to_the_terminals_lines() -> None:
    long = replied("a – b " * 200 + "\x1b[31m\n\nred", "x")
    told = Comparison((), parting=parting({"a" * 60: [long], "b": [replied("", "x")], "c": [replied("x", "x")]}))
    lines = _answers(told.parting, {each: each[:28] for each in ("a" * 60, "b", "c")}) if told.parting else []
    assert max(map(len, lines)) <= 100
    assert any("a – b" in line for line in lines)  # an answer stands as it was given
    assert any(line.endswith("..") for line in lines)
    assert any(line.endswith("(nothing)") for line in lines)
    assert "\x1b" not in "".join(lines)


def test_a_model_named_twice_keeps_its_own_row(tmp_path: Path) -> None:
    files = [write_gold(tmp_path / "gold.jsonl")]
    comparison, said = compare_answers(["good", "good"], files, opened=MODELS.__getitem__, metrics=METRICS)
    assert [each.label for each in comparison.compared] == ["good", "good (2)"]
    assert list(said) == ["good", "good (2)"]


def test_questions_of_several_files_have_ids_of_their_own(tmp_path: Path) -> None:
    one = write_gold(tmp_path / "one.jsonl", 2)
    other = write_gold(tmp_path / "two.jsonl", 3)
    assert len(gold_questions([one])) == 2
    assert len(gold_questions([Path("library:handbook_questions")])) == 235
    with pytest.raises(CorpusError, match="'q0'"):
        gold_questions([one, other])
    with pytest.raises(UnknownName, match="answer_f1"):
        compare_answers(["good"], [one], opened=MODELS.__getitem__, metrics=["answer_f2"])


class Blind:
    """Finds nothing."""

    name = "blind"

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return []


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (Refusal({}, 0, 0, questions=(question_mark("what is  number 3?"),)), "calibrated on 1 of these 20 questions"),
        (Refusal({}, 0, 0, questions=(question_mark("What else?"),)), ""),
        (Refusal({}, 0, 0), "was not kept"),
        (DEFAULTS[""], ""),
    ],
)
def test_refusals_calibrated_on_the_questions_themselves_are_marked(tmp_path: Path, seen: Refusal, says: str) -> None:
    files = [write_gold(tmp_path / "gold.jsonl")]
    model = RetrievalModel(MODELS["good"], Blind(), refuses=seen)
    comparison, _ = compare_answers(["good"], files, opened=lambda name: model, metrics=["wrong_refusal_rate"])
    [row] = comparison.compared[0].measurements
    assert bool(comparison.notes) == bool(says)
    assert says in row.note
    assert says in comparison_page(comparison)
    assert says in "\n".join(comparison_lines(comparison))


def test_one_that_refuses_everything_cites_nothing_and_is_not_said_to_retrieve_nothing(tmp_path: Path) -> None:
    files = [write_gold(tmp_path / "gold.jsonl", 3)]
    model = RetrievalModel(MODELS["good"], Blind())  # which finds nothing, so that the sources do not say
    comparison, said = compare_answers(["good"], files, opened=lambda name: model, metrics=["citation_recall"])
    assert [reply.refused for reply in said["good"]] == [True] * 3
    assert comparison.compared[0].measurements[0].note == NOTHING_CITED


class Finds:
    """Finds the passage of number 3 first, and the others after it."""

    name = "finds"

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        order = [3, *(number for number in range(20) if number != 3)]
        return [Chunk("d", 0, 0, f"The fact of number {number} is answer {number}.") for number in order][:k]


class Even:
    """A Judge for whom every second answer is right, and an Embedder for whom all texts are alike."""

    name = "even"

    def grade(self, answers: Sequence[Answer]) -> list[Grade]:
        return [Grade(place % 2 == 0) for place in range(len(answers))]

    def embed(self, texts: Sequence[str]) -> Any:
        return np.ones((len(texts), 2), np.float32)


def test_of_a_model_with_a_store_the_search_is_measured_and_a_judge_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing_answers, "open_embedder", lambda name, offline: Even())
    rows = [
        {"question": f"What is number {n}?", "answers": ["x"], "passages": [{"quote": f"of number {n} is answer {n}"}]}
        for n in (3, 0, 19)
    ]
    files = [tmp_path / "gold.jsonl"]
    files[0].write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    opened = {"plain": MODELS["good"], "sourced": RetrievalModel(MODELS["good"], Finds())}
    comparison, _ = compare_answers([*opened], files, opened=opened.__getitem__, judge=Even())
    plain, sourced = ({row.name: row for row in each.measurements} for each in comparison.compared)
    assert "retrieval_mrr" not in plain
    assert sourced["retrieval_recall@1"].value == pytest.approx(1 / 3)
    assert sourced["retrieval_recall@5"].value == pytest.approx(2 / 3)
    assert sourced["retrieval_mrr"].value == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert [each["recall_judge"].value for each in (plain, sourced)] == [pytest.approx(2 / 3)] * 2
    assert comparison.parting is not None
    assert comparison.parting.by.startswith("what is right is what even says")
    assert comparison.parting.questions == ()  # for every second answer is right to it, whoever gives it
    assert "judged by even" in plain["recall_judge"].note
    lines = comparison_lines(comparison)
    for told in ("\n".join(lines), comparison_page(comparison)):
        assert re.search(r"Passages found \(1\)\W.*held-out questions", told, re.DOTALL)
        assert "held-out chapters" not in told
    place = next(n for n, line in enumerate(lines) if "(MRR)" in line)
    assert re.search(r"sourced +0\.50", "\n".join(lines[place : place + 5]))


def test_a_runs_answers_stand_beside_what_its_training_cost(tmp_path: Path) -> None:
    stages = "".join(
        f"  - {{name: {name}, method: {{kind: full}}, budget: {{epochs: 1}}, start: {start}}}\n"
        for name, start in (("imprint", "previous"), ("aside", "base"), ("deepen", "imprint"))
    )
    run = tmp_path / "run"
    (run / "corpus").mkdir(parents=True)
    (run / "recipe.yaml").write_text(f"name: novel\nbase: embedded\nstages:\n{stages}", encoding="utf-8")
    for number, name, seconds in ((1, "imprint", 60), (2, "aside", 700), (3, "deepen", 8)):
        (run / "stages" / f"{number:02}-{name}" / "checkpoint").mkdir(parents=True)
        row = {"step": 1, "tokens": 10 * seconds, "elapsed_seconds": seconds, "memory_bytes": 2**30}
        (run / "stages" / f"{number:02}-{name}" / "log.jsonl").write_text(json.dumps(row), encoding="utf-8")
    files = [write_gold(tmp_path / "gold.jsonl", 2)]
    names = [str(run), f"{run}:aside", "good"]
    comparison, _ = compare_answers(names, files, opened=lambda name: MODELS["good"], metrics=["answer_f1"])
    assert [(each.seconds, each.tokens, each.memory_bytes) for each in comparison.compared] == [
        (68, 680, 2**30), (700, 7000, 2**30), (None, None, None),
    ]  # fmt: skip


def test_preparing_a_side_of_a_fight_is_more_than_its_training(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "corpus").mkdir(parents=True)
    (run / "recipe.yaml").write_text(recipe_text("handbook"), encoding="utf-8")
    for number, name, seconds in ((1, "tuned", 60), (2, "tuned-with-retrieval", 80)):
        (run / "stages" / f"{number:02}-{name}" / "checkpoint").mkdir(parents=True)
        row = {"step": 1, "tokens": 5, "elapsed_seconds": seconds, "memory_bytes": 2**30}
        (run / "stages" / f"{number:02}-{name}" / "log.jsonl").write_text(json.dumps(row), encoding="utf-8")
    steps = {
        "index": {"seconds": 1, "bytes": 2**31},
        "write": {"seconds": 3, "bytes": 5},
        "lay": {"seconds": 7, "bytes": 6},
    }
    (run / "preparation.json").write_text(json.dumps(steps), encoding="utf-8")
    (run / "store" / STORE).mkdir(parents=True)
    files = [write_gold(tmp_path / "gold.jsonl", 2)]
    names = [f"{run}:tuned", str(run), f"{run}:tuned+{run}/store"]
    comparison, _ = compare_answers(names, files, opened=lambda name: MODELS["good"], metrics=["answer_f1"])
    assert [(each.seconds, each.memory_bytes) for each in comparison.compared] == [
        (60 + 3, 2**30), (80 + 1 + 3 + 7, 2**31), (60 + 1 + 3, 2**31),
    ]  # fmt: skip
    recipe = load_recipe("handbook", ())
    fought: Any = SimpleNamespace(run=Run(run), recipe=recipe)
    assert [_prepared(fought, name)[0].value for name in ("tuned", "tuned-with-retrieval")] == [63, 91]
    assert [_prepared(fought, f"{recipe.base}{more}")[0].value for more in ("", "+retrieval")] == [0, 1]


def test_what_every_store_has_was_learned_from_the_handbooks_questions() -> None:
    files = [Path(library_path("library:handbook_questions"))]
    [first, *_] = gold_questions(files)
    model = RetrievalModel(MODELS["good"], Blind(), refuses=DEFAULTS["minilm"])
    assert "1 of these 1" in seen_before(model, [first])


def test_the_verb_writes_page_and_answers(tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tiny", positions=256)
    gold, page = write_gold(tmp_path / "gold.jsonl", 3), tmp_path / "side.html"
    words = [
        "compare",
        "--questions",
        str(gold),
        str(model),
        str(model),
        "--max-tokens",
        "4",
        "--html",
        str(page),
        "--json",
    ]
    done = CliRunner().invoke(app, [*words, "--metrics", "answer_f1,tokens_per_answer"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["name"] for row in rows[:2]] == [str(model), f"{model} (2)"]
    assert rows[2]["verdict"]
    assert rows[2]["notes"] == []
    assert (rows[2]["answers"]["asked"], rows[2]["answers"]["parted"]) == (3, 0)
    table = (tmp_path / "side.csv").read_text(encoding="utf-8-sig")
    answers = list(csv.DictReader(io.StringIO(table, newline="")))
    assert len(answers) == 6
    assert answers[0]["answer"] == answers[1]["answer"]
    assert int(answers[0]["tokens"]) > len("What is number 0?")
    judged = ["compare", "--questions", str(gold), str(model), "--judge", str(model), "--metrics", "recall_judge"]
    told = CliRunner().invoke(app, [*judged, "--max-tokens", "4", "--json"])
    [row] = json.loads(next(line for line in told.stdout.splitlines() if line.startswith("{")))["measurements"]
    assert "could not be had or read" in row["note"]  # a judge that was asked, and says nothing of use
    alone = CliRunner().invoke(app, ["compare", str(model), "--judge", str(model)])
    assert isinstance(alone.exception, UsageError)
    both = CliRunner().invoke(app, ["compare", "--questions", str(gold), "--run", "x", str(model)])
    assert isinstance(both.exception, UsageError)
