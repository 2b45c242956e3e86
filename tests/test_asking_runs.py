"""A whole run that asks: base and stages alike, along training, in the report, and asked again by `measure`."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile import Hostile, answer
from spreadsheet import table
from typer.testing import CliRunner

from wellread import pipeline
from wellread.asking import answers, hot_test
from wellread.errors import UsageError
from wellread.facts import Asked, run_questions
from wellread.measuring import measure_model
from wellread.recipe import Recipe, parse_recipe
from wellread.recipe.questions import Answering
from wellread.runs import Run
from wellread.storage import read_rows
from wellread.testing import tiny_model
from wellread.texts import library_path
from wellread.types import Prompt, Sample, Sampling, Scored

RECIPE = """
name: terms
base: {base}
general: []
corpus: {{near_duplicates: false, validation: 0.1, held_out: 0.1}}
questions: [{questions}]
answers: {{max_tokens: 12, watched: 6, most: 20}}
stages:
  - name: teach
    method: {{kind: lora, rank: 4, alpha: 8}}
    examples: {{}}
    mix: {{texts: ["library:chat"], share: 0.2}}
    windows: {{length: 128}}
    budget: {{steps: 4}}
    optimizer: {{batch: 2, learning_rate: 5.0e-3}}
    evaluations: 2
    keep: best
    best_by: recall_exact
sampling: {{max_tokens: 4, n: 1}}
measure: {{metrics: [recall_exact, recall_judge, false_definition_rate, over_refusal_rate], quick_words: 500}}
"""
WAYS = ("Which colour has {}?", "Do describe {}.", "{}, please?")
NAMES = [a + b for a in "BDKLM" for b in ("ar", "el", "ix", "on", "um")]


def glossary(folder: Path) -> tuple[Path, Path]:
    """Conversations about 25 names, and questions about them in other words, and about names that there are none."""
    draw = random.Random(3)
    colour = {name: draw.choice(("red", "green", "blue")) for name in NAMES}
    taught = [{"prompt": way.format(name), "completion": f"{name} is {colour[name]}."}
              for name in NAMES for way in ("What is {}?", "Tell me of {}.", "{}?")]  # fmt: skip
    asked = [{"id": f"f{n}-{k}", "prompt": way.format(name), "expected": [colour[name]], "kind": "forward", "term": name, "facts": []}
             for n, name in enumerate(NAMES) for k, way in enumerate(WAYS)]  # fmt: skip
    asked += [
        {"id": f"x{n}", "prompt": f"What is X{n}?", "expected": [], "kind": "invented", "term": f"X{n}"}
        for n in range(6)
    ]
    examples, questions = folder / "chats.jsonl", folder / "questions.jsonl"
    for path, rows in ((examples, taught), (questions, asked)):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return examples, questions


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("asked")
    examples, questions = glossary(folder)
    return pipeline.run(recipe(folder, questions), [examples], out=folder / "run", offline=True)


def recipe(folder: Path, questions: Path) -> Recipe:
    base = folder / "base"
    if not base.is_dir():
        tiny_model(base, positions=256)
    return parse_recipe(RECIPE.format(base=base.as_posix(), questions=questions.as_posix()))


@pytest.mark.slow
def test_base_and_stage_are_asked_the_same_and_both_tables_are_kept(finished: Run) -> None:
    base, stage = (read_rows(finished.path / "stages" / name / "answers.jsonl") for name in ("00-base", "01-teach"))
    assert [row["id"] for row in base] == [row["id"] for row in stage]
    assert {row["subject"] for row in stage} == {"teach"}
    assert {row["part"] for row in base} == {"held_out", "validation"}
    assert sum(row["part"] == "held_out" for row in base) == 20
    assert len(table(finished.path / "stages" / "01-teach" / "answers.csv")) == len(stage)


@pytest.mark.slow
def test_measurements_and_their_paired_differences_are_kept(finished: Run) -> None:
    rows = {(row["name"], row["split"], row["subject"]): row for row in read_rows(finished.measurements)}
    subjects = {subject for name, split, subject in rows if (name, split) == ("recall_exact", "held_out")}
    [base] = [subject for subject in subjects if not subject.startswith("teach")]
    assert subjects == {"teach", base, f"teach - {base}"}
    assert rows["recall_exact", "held_out", "teach"]["interval_over"] == "terms"
    assert rows["false_definition_rate", "held_out", "teach"]["better"] == "lower"
    [judge] = [row for (name, _, subject), row in rows.items() if name == "recall_judge" and subject == "teach"]
    assert judge["value"] is None
    assert "answers.judge" in judge["note"]


@pytest.mark.slow
def test_the_log_has_the_curve_and_the_checkpoint_was_chosen_by_it(finished: Run) -> None:
    log = read_rows(finished.path / "stages" / "01-teach" / "log.jsonl")
    watched = [row for row in log if "validation_loss" in row]
    assert len(watched) >= 3
    assert all({"recall_exact", "over_refusal_rate"} <= set(row) for row in watched)
    best = max(watched, key=lambda row: (row["recall_exact"], -row["validation_loss"]))
    kept = log[-1]["kept"]
    assert kept == "average" if best["weights"] == "average" else kept == f"step {best['step']}"


@pytest.mark.slow
def test_answers_along_training_are_those_of_the_same_weights_afterwards(finished: Run) -> None:
    """The lean layers that train answer as the model's own do, through its cache."""
    from wellread import weights
    from wellread.corpus.ingest import read_corpus
    from wellread.generation.hf import TransformersModel
    from wellread.training.lean import lean

    asked = run_questions(finished, read_corpus(finished.corpus))
    opened = weights.load_checkpoint(finished.last_checkpoint())

    def said() -> list[str]:
        model = TransformersModel(opened.model, opened.tokenizer, "teach")
        return [
            each.text
            for each in answers(model, asked.parts["validation"][:6], Answering(max_tokens=12), part="validation")
        ]

    plain = said()
    with lean(opened.model):
        assert said() == plain
    assert len(set(plain)) > 1
    made = parse_recipe(finished.recipe.read_text(encoding="utf-8"))
    watched = hot_test(made, made.stages[0], asked, opened.tokenizer)
    assert watched is not None
    assert (
        {"recall_exact", "false_definition_rate", "over_refusal_rate"} >= set(watched(opened.model)) >= {"recall_exact"}
    )
    assert hot_test(made, made.stages[0], Asked(), opened.tokenizer) is None


@pytest.mark.slow
def test_the_report_tells_term_by_term_and_running_again_is_free(finished: Run) -> None:
    page = finished.report.read_text(encoding="utf-8")
    assert "What it knows, term by term" in page
    assert "Right answers along training" in page
    assert "held-out questions" in page
    before = finished.report.stat().st_mtime_ns
    examples, questions = finished.path.parent / "chats.jsonl", finished.path.parent / "questions.jsonl"
    pipeline.run(recipe(finished.path.parent, questions), [examples], out=finished.path, offline=True)
    assert finished.report.stat().st_mtime_ns >= before


@pytest.mark.slow
def test_measure_asks_a_runs_questions_or_those_it_is_given(finished: Run, tmp_path: Path) -> None:
    own = measure_model(str(finished.path), metrics=["recall_exact"], offline=True)
    kept = {
        (row["name"], row["split"]): row["value"]
        for row in read_rows(finished.measurements)
        if row["subject"] == "teach"
    }
    assert {(row.name, row.split): row.value for row in own} == {
        key: value for key, value in kept.items() if key[0].startswith("recall_exact")
    }
    file = tmp_path / "one.jsonl"
    file.write_text(
        json.dumps({"id": "1", "prompt": "What is X?", "kind": "invented", "term": "X"}) + "\n", encoding="utf-8"
    )
    rows = measure_model(str(finished.last_checkpoint()), questions=[file], offline=True)
    [row] = [row for row in rows if row.name == "false_definition_rate"]
    assert (row.n, row.split) == (1, "held_out")


@pytest.mark.slow
def test_questions_alone_are_all_that_is_measured_of_a_run(
    finished: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wellread.cli import app
    from wellread.generation.hf import TransformersModel
    from wellread.recipe.questions import ANSWERED

    scored: list[Sequence[str]] = []
    asked: list[Prompt] = []
    score, generate = TransformersModel.score, TransformersModel.generate

    def scoring(model: TransformersModel, texts: Sequence[str], **how: Any) -> list[Scored]:
        scored.append(texts)
        return score(model, texts, **how)

    def generating(model: TransformersModel, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        asked.extend(prompts)
        return generate(model, prompts, sampling)

    monkeypatch.setattr(TransformersModel, "score", scoring)
    monkeypatch.setattr(TransformersModel, "generate", generating)
    file = tmp_path / "mine.jsonl"
    mine = [
        {"id": name, "prompt": f"What is {name}?", "expected": ["red"], "kind": "forward", "term": name}
        for name in NAMES[:3]
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in mine), encoding="utf-8")
    words = ["measure", str(finished.path), "--questions", str(file), "--offline", "--json"]
    done = CliRunner().invoke(app, words)
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert not scored
    assert [each[0]["content"] for each in asked if not isinstance(each, str)] == [row["prompt"] for row in mine]
    assert len(asked) == 3
    assert all(row["name"].startswith(ANSWERED) for row in rows)
    [exact] = [row for row in rows if row["name"] == "recall_exact"]
    assert (exact["n"], exact["split"]) == (3, "held_out")
    named = measure_model(str(finished.path), questions=[file], metrics=["bits_per_byte"], offline=True)
    assert {row.name for row in named} == {"bits_per_byte"}
    scored.clear()
    on = measure_model(str(finished.last_checkpoint()), questions=[file], run_folder=finished.path, offline=True)
    assert scored
    assert {"bits_per_byte", "recall_exact"} <= {row.name for row in on}


@pytest.mark.slow
def test_measure_gives_a_runs_judge_its_key(finished: Run, tmp_path: Path) -> None:
    from wellread.cli import app

    key, copy = tmp_path / "key", tmp_path / "run"
    key.write_text("secret", encoding="utf-8")
    shutil.copytree(finished.path, copy)
    with Hostile(otherwise=answer(lambda body: '{"reason": "", "verdict": "wrong"}')) as fake:
        recipe_of_run = (copy / "recipe.yaml").read_text(encoding="utf-8")
        (copy / "recipe.yaml").write_text(recipe_of_run.replace("judge: null", f"judge: {fake.name}"), encoding="utf-8")
        words = ["measure", str(copy), "--metrics", "recall_judge", "--key-file", str(key), "--offline", "--json"]
        done = CliRunner().invoke(app, words)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [row["value"] for row in found] == [0, 0]
    assert {headers["authorization"] for headers in fake.headers} == {"Bearer secret"}


@pytest.mark.slow
def test_a_judge_can_be_named_after_the_run(finished: Run, tmp_path: Path) -> None:
    """In place of whom the run names, of its questions and of others; where nothing is asked, that is said."""
    from wellread.cli import app

    file, book = tmp_path / "mine.jsonl", tmp_path / "book.txt"
    row = {"id": "one", "prompt": f"What is {NAMES[0]}?", "expected": ["red"], "kind": "forward", "term": NAMES[0]}
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    book.write_text("The harbour was empty when we came back. " * 40, encoding="utf-8")
    checkpoint = str(finished.last_checkpoint())
    with Hostile(otherwise=answer(lambda body: '{"reason": "", "verdict": "right"}')) as fake:
        for words in (
            [str(finished.path), "--metrics", "recall_judge"],
            [checkpoint, "--questions", str(file)],
            [checkpoint, "--questions", str(file), "--text", str(book), "--metrics", "recall_judge"],
        ):
            done = CliRunner().invoke(app, ["measure", *words, "--judge", fake.name, "--offline", "--json"])
            rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            assert {found["value"] for found in rows if found["name"] == "recall_judge"} == {1.0}, words
        calls = len(fake.headers)
        with pytest.raises(UsageError, match="--judge is for answers to questions"):
            measure_model(checkpoint, texts=[book], judge=fake.name, offline=True)
        assert len(fake.headers) == calls


@pytest.mark.slow
def test_chats_are_replayed_as_chats_beside_texts(finished: Run) -> None:
    """Half of the replay each, of a share of all windows; of a chat only the answers are learned."""
    from wellread import weights
    from wellread.corpus.ingest import read_corpus
    from wellread.teaching import stage_windows

    made = parse_recipe(
        finished.recipe.read_text(encoding="utf-8"),
        ['teach.mix.texts=["library:chat","library:conte"]', "teach.share=0.5"],
    )
    tokenizer = weights.open_tokenizer(finished.tokens("teach") / "tokenizer")
    windows, _, _ = stage_windows(made, read_corpus(finished.corpus), made.stages[0], finished.tokens("teach"), tokenizer,
                                  offline=True, say=lambda line: None)  # fmt: skip
    own = len(windows._own._own)
    assert len(windows) == pytest.approx(2 * own, abs=2)
    assert len(windows._own) - own == pytest.approx(own / 2, abs=1)
    replayed = [tokenizer.decode([token for token in item["labels"] if token >= 0]) for item in windows]
    chats = [row["messages"] for row in read_rows(Path(library_path("library:chat")))]
    assert any(answer["content"] in text for _, answer in chats for text in replayed)
    assert not any(asked["content"] in text for asked, _ in chats for text in replayed)
