"""A fair fight from texts and questions to its page: what it reads, tells, keeps and refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fight_fakes import LAMP, Says, Shelf
from handbook import write_handbook

from wellread import pipeline, texts
from wellread.asking import no_key
from wellread.errors import CorpusError, RecipeError, UsageError
from wellread.fight import fighting, sides
from wellread.fight.weighing import measured_sides, refused_of, search_alone, untried
from wellread.gathering import SILENT, Watch
from wellread.recipe import Recipe, parse_recipe, recipe_yaml
from wellread.recipe.requirements import outcomes
from wellread.reports import verdict_of
from wellread.reports.fight import sides_of
from wellread.retrieval.chunking import Chunking
from wellread.retrieval.refusing import REFUSAL
from wellread.runs import Run
from wellread.storage import read_rows, write_text
from wellread.testing import tiny_model
from wellread.texts import library_text
from wellread.types import Measurement, Reply, last_words

RECIPE = """
name: small
base: {base}
corpus: {{texts: [{text}], validation: 0.1}}
questions: [{questions}]
fight: {{embedder: none, size: 60, rows: 8, phrasings: 1, passages: 2, whole: true}}
answers: {{max_tokens: 6}}
stages:
  - name: tuned
    method: {{kind: full}}
    examples: {{}}
    windows: {{length: 512}}
    budget: {{steps: 2}}
    optimizer: {{batch: 2}}
    evaluations: 1
    validation_windows: 2
  - name: tuned-with-retrieval
    start: base
    method: {{kind: full}}
    examples: {{passages: true}}
    windows: {{length: 1024}}
    budget: {{steps: 2}}
    optimizer: {{batch: 1}}
    evaluations: 1
    validation_windows: 2
measure: {{metrics: [answer_exact, answer_f1, citation_precision, citation_recall, refusal_rate, wrong_refusal_rate,
  seconds_per_answer, tokens_per_answer]}}
require: [answer_f1 >= 0]
"""


def small(tmp_path: Path, *settings: str) -> Recipe:
    text, questions = write_handbook(tmp_path)
    base = tiny_model(tmp_path / "base", [text.read_text(encoding="utf-8")], vocabulary=600, positions=1100)
    return parse_recipe(RECIPE.format(base=base, text=text, questions=questions), settings)


def test_what_preparing_took_is_that_of_all_tries_until_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 40.0, 100.0, 125.0, 200.0, 300.0])
    monkeypatch.setattr(sides, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    these: Any = SimpleNamespace(run=Run(tmp_path))

    def stopped() -> None:
        raise KeyboardInterrupt

    def kept() -> dict[str, Any]:
        return dict(json.loads((tmp_path / "preparation.json").read_text(encoding="utf-8"))["write"])

    with pytest.raises(KeyboardInterrupt):
        sides.timed(these, "write", stopped)
    assert (kept()["seconds"], kept()["done"]) == (40, False)
    assert sides.timed(these, "write", lambda: "items") == "items"
    assert (kept()["seconds"], kept()["done"]) == (65, True)
    sides.timed(these, "write", lambda: "passed over")
    assert kept()["seconds"] == 65
    (tmp_path / "preparation.json").write_text('{"write": {"seconds": 9, "bytes": 8}}', encoding="utf-8")
    sides.timed(these, "write", lambda: "passed over")  # kept by an earlier version, which kept what was done alone
    assert kept() == {"seconds": 9, "bytes": 8}


def test_what_stands_in_a_folder_and_is_no_text_is_passed_over_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    text, questions = write_handbook(folder)  # with the questions among the texts
    (folder / "prices.xlsx").write_bytes(b"PK\3\4")
    recipe = parse_recipe(RECIPE.format(base="embedded", text=folder, questions=questions))
    said: list[str] = []
    watch = Watch(say=said.append)
    shared = sides.begin(Run(tmp_path / "run"), recipe, [folder], offline=True, watch=watch)
    assert {each.source for each in shared.documents} == {text.as_posix()}
    told = " ".join(line for line in said if line.startswith("skipped"))
    assert "gold.jsonl" in told
    assert "prices.xlsx" in told
    said.clear()
    sides.begin(Run(tmp_path / "run"), recipe, [folder], offline=True, watch=watch)
    assert said == []  # told once
    with pytest.raises(CorpusError, match=r"gold\.jsonl"):
        sides.begin(Run(tmp_path / "strict"), recipe, [folder], offline=True, watch=watch, strict=True)
    assert not (tmp_path / "strict").exists()


def test_of_a_pdf_its_sentences_are_taught_and_not_its_page_numbers() -> None:
    [text] = [each.text for each in sides.sections_of([library_text("handbook.pdf")])]
    assert "nobody has yet found the occasion to explain this to her." in text
    assert not re.search(r"^\s*\d+\s*$|\f", text, re.MULTILINE)


def test_settings_of_a_fight_show(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    asked = [{"id": f"a{n}", "question": f"Who rings bell {n}?", "answers": ["the keeper"]} for n in range(12)]
    asked += [{"id": f"u{n}", "question": f"Which opera was painted {n}?"} for n in range(12)]
    questions.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")

    def begun(*settings: str) -> tuple[sides.Fought, Any]:
        recipe = parse_recipe(RECIPE.format(base="embedded", text=text, questions=questions), settings)
        run = Run(tmp_path / f"run {len(list(tmp_path.iterdir()))}")
        shared = sides.begin(run, recipe, [text], offline=True, watch=SILENT)
        return shared, fighting._store(shared, [text])

    usual, store = begun()
    assert (store.about.chunking, store.embedder_name) == (Chunking("paragraphs", 60), "none")
    assert (usual.tongue, sides_of(usual.recipe).whole) == ("en", "embedded+text")
    assert len(refused_of(usual, store)) == 24
    other, cut = begun(
        "fight.chunker=headings", "fight.size=44", "fight.language=fr", "fight.threshold=false", "fight.whole=false"
    )
    assert cut.about.chunking == Chunking("headings", 44)
    assert refused_of(other, cut) == []
    assert not (other.run.path / "store" / REFUSAL).exists()
    assert sides_of(other.recipe).whole == ""
    for shared, found, begins in ((usual, store, "Answer the question"), (other, cut, "Réponds à la question")):
        model = Says(*["oil"] * 24)
        fighting._with_passages(shared, model, found)
        assert {last_words(prompt).startswith(begins) for prompt in model.heard} == {True}


def test_too_few_questions_of_a_kind_to_learn_refusing_from_are_told_and_refusals_not_measured(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    asked = [{"id": f"a{n}", "question": f"Who rings bell {n}?", "answers": ["the keeper"]} for n in range(12)]
    asked += [{"id": f"u{n}", "question": f"Which opera was painted {n}?"} for n in range(5)]
    questions.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    settings = ["require=[refusal_rate >= 0.8]", "measure.metrics=[refusal_rate,wrong_refusal_rate,answer_f1]"]
    given = RECIPE.format(base="embedded", text=text, questions=questions)
    recipe = parse_recipe(given, settings)
    shared = sides.begin(Run(tmp_path / "run"), recipe, [text], offline=True, watch=SILENT)
    few = "not tried: 5 unanswered questions, 10 needed"
    assert untried(shared) == few
    store = fighting._store(shared, [text])
    assert refused_of(shared, store) == []
    plain = [Reply(each, "oil") for each in shared.gold]
    said = {"embedded": plain, "tuned-with-retrieval": [replace(each, sources=()) for each in plain]}
    rows = [*measured_sides(shared, said, no_key), *search_alone(shared, store)]
    notes = {(row.name, row.subject): row.note for row in rows if row.value is None}
    assert notes["refusal_rate", "tuned-with-retrieval"] == notes["wrong_refusal_rate", "tuned-with-retrieval"] == few
    assert notes["refusal_auc", "retrieval"] == few
    assert ("refusal_rate", "embedded") not in notes  # who retrieves nothing is not let refuse either
    [outcome] = outcomes(recipe.require, rows, trained="tuned-with-retrieval", before="embedded")
    assert str(outcome) == f"refusal_rate >= 0.8: not measured, {few}"
    off = sides.begin(Run(tmp_path / "off"), parse_recipe(given, [*settings, "fight.threshold=false"]), [text],
                      offline=True, watch=SILENT)  # fmt: skip
    assert untried(off) == ""


def test_a_text_that_fits_no_window_is_not_asked_and_the_sizes_are_told(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    text = tmp_path / "long.md"
    text.write_text("# Oil\n" + "The great lamp burns 14 litres of oil a night.\n" * 400, encoding="utf-8")
    said: list[str] = []
    heard: list[Any] = []
    watch = Watch(say=said.append, progress=heard.append)
    shared = sides.begin(Run(tmp_path / "run"), recipe, [text], offline=True, watch=watch)
    fighting._untaught(shared, Shelf(LAMP))
    assert [line.split()[1] for line in said if line.startswith("asking")] == ["base", "base+retrieval"]
    assert {now.doing for now in heard} == {"writing"}  # asking shows how far it is
    [told] = [line for line in said if line.startswith("base+text")]
    assert re.fullmatch(
        r"base\+text is not asked: the whole text does not fit the model's window \([\d,]+ tokens of 1,100\)", told
    )
    assert fighting._untaught(shared, Shelf(LAMP)).keys() == {recipe.base, f"{recipe.base}+retrieval"}


def test_a_run_of_which_no_stage_has_begun_gives_way_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    text, questions = write_handbook(folder)
    (folder / "empty.md").touch()
    recipe = parse_recipe(RECIPE.format(base="embedded", text=folder, questions=questions))
    out = tmp_path / "run"

    def stops(this: Run, recipe: Recipe, paths: Sequence[Path], **given: Any) -> list[Measurement]:
        sides.begin(this, recipe, paths, offline=True, watch=given["watch"])
        raise KeyboardInterrupt

    said: list[str] = []

    def begun() -> list[str]:
        said.clear()
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(recipe, out=out, watch=Watch(say=said.append))
        return said

    monkeypatch.setattr(pipeline, "fight", stops)
    assert any("skipped" in line and "empty.md: the file is empty" in line for line in begun())
    assert any("going on with" in line for line in begun())
    (folder / "empty.md").unlink()
    assert any("it begins anew" in line for line in begun())
    (out / "answers").mkdir()
    questions.write_text(questions.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    text.write_text("# Another\nText.", encoding="utf-8")
    with pytest.raises(UsageError, match="holds a run of other texts or settings"):
        pipeline.run(recipe, out=out)
    assert (out / "corpus").is_dir()


def test_a_fight_over_what_cannot_be_read_leaves_no_run(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    recipe = parse_recipe(RECIPE.format(base="embedded", text=text, questions=questions))
    questions.write_text('{"question": 3}', encoding="utf-8")
    with pytest.raises(CorpusError, match="`question` is missing"):
        pipeline.run(recipe, out=tmp_path / "run")
    text.write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match="question"):
        pipeline.run(recipe, out=tmp_path / "run")
    write_handbook(tmp_path)
    text.write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match="the file is empty"):
        pipeline.run(recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_page_of_a_fight_that_goes_on_claims_nothing(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    run = Run(tmp_path / "run")
    sides.begin(run, recipe, texts.found(recipe.corpus.texts), offline=True, watch=SILENT)
    write_text(run.recipe, recipe_yaml(recipe))
    page = pipeline.write_report(run).read_text(encoding="utf-8")
    assert page.count("Nothing yet.") == 3  # the sides, the search, what was taught
    called = "The Keeper&#39;s Handbook"  # as the text has it
    assert f"<h1>{called}</h1>" in page
    assert f"<title>{called}: learning certificate</title>" in page
    assert '<p class="imprint"><span>run</span></p>' in page
    assert "Does not hold" not in page


def test_a_fight_needs_its_sides() -> None:
    given = RECIPE.format(base="embedded", text="a.md", questions="q.jsonl")
    with pytest.raises(RecipeError, match="gold questions"):
        parse_recipe(given, ["questions=[]"])
    with pytest.raises(RecipeError, match="is for a recipe with `fight`"):
        parse_recipe(given, ["fight=null", "measure.metrics=[]", "require=[]"])
    with pytest.raises(RecipeError, match="stage tuned wants a `base`, `examples`"):
        parse_recipe(given, ["tuned.examples=null"])


@pytest.mark.slow
def test_a_whole_fight_runs_tells_and_resumes(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    out = tmp_path / "run"
    this = pipeline.run(recipe, out=out)
    rows = read_rows(this.measurements)
    base = recipe.base
    subjects = {row["subject"] for row in rows if row["name"] == "answer_f1" and " - " not in row["subject"]}
    assert subjects == {base, f"{base}+retrieval", f"{base}+text", "tuned", "tuned-with-retrieval"}
    whole = next(row for row in rows if row["subject"] == f"{base}+text" and row["name"] == "answer_f1")
    found = {(row["name"], row["subject"]): row for row in rows}
    assert found["retrieval_recall@5", "retrieval"]["value"] > 0.5
    assert found["citation_precision", base]["value"] is None
    assert found["tokens_per_answer", f"{base}+retrieval"]["value"] > found["tokens_per_answer", base]["value"] + 50
    assert found["preparation_seconds", "tuned"]["value"] > 0
    sources = {path.stem: [row["sources"] for row in read_rows(path)] for path in (out / "answers").glob("*.jsonl")}
    assert all(sources["tuned-with-retrieval"])
    assert all(sources["base+retrieval"])
    assert not any(sources["tuned"] + sources["base"])
    gap = found["answer_f1", f"tuned-with-retrieval - {base}"]
    assert gap["low"] is not None or gap["note"]
    assert (whole["value"] is None) == ("tokens" in (whole["note"] or ""))
    for name in ("answers.csv", "store", "questions/gold.jsonl", "synthesis/open.jsonl", "report.html"):
        assert (out / name).exists()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Base with retrieval" in page
    assert "How many barrels fit into the loft?" in page
    assert "wins" in verdict_of(out)
    before = (out / "answers" / "tuned.jsonl").stat().st_mtime_ns
    (out / "measurements.jsonl").unlink()
    environment = json.loads((out / "environment.json").read_text(encoding="utf-8"))
    (out / "environment.json").write_text(json.dumps({**environment, "end": None}), encoding="utf-8")
    again = read_rows(pipeline.run(recipe, out=out).measurements)
    assert (out / "answers" / "tuned.jsonl").stat().st_mtime_ns == before
    assert [row["value"] for row in again] == [row["value"] for row in rows]
