"""The main job end to end on tiny models: what the contract says of a run folder is there, and running again is free."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from books import write_book

from wellread import pipeline
from wellread.errors import UsageError
from wellread.gathering import with_matches
from wellread.keeping import keep, open_kept
from wellread.measuring import measure_model
from wellread.planning import plan
from wellread.recipe import Recipe, parse_recipe
from wellread.runs import Run
from wellread.storage import read_json, read_rows
from wellread.texts import digest
from wellread.types import Measurement

SCRATCH = """
name: short
stages:
  - name: scratch
    method: {kind: scratch, size: tiny, vocabulary: 320}
    windows: {length: 128}
    budget: {steps: 12}
    optimizer: {kind: muon, learning_rate: 3.0e-3, batch: 4}
    evaluations: 2
sampling: {max_tokens: 12, n: 1}
"""


def lora(base: Path) -> Recipe:
    return parse_recipe(
        f"""
name: tuned
base: {base}
stages:
  - name: imprint
    method: {{kind: lora, rank: 4, alpha: 8}}
    windows: {{length: 64}}
    budget: {{steps: 4}}
    optimizer: {{batch: 2}}
    evaluations: 1
sampling: {{max_tokens: 12, n: 2}}
measure: {{quick_words: 2500}}
"""
    )


@pytest.fixture(scope="module")
def scratch_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("scratch")
    book = write_book(folder / "book.txt")
    return pipeline.run(parse_recipe(SCRATCH), [book], out=folder / "run", command="wellread run short book.txt")


@pytest.fixture(scope="module")
def lora_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    from wellread.testing import tiny_model

    folder = tmp_path_factory.mktemp("lora")
    book = write_book(folder / "book.txt", words=1240)
    return pipeline.run(lora(tiny_model(folder / "base")), [book], out=folder / "run")


def rows(this: Run) -> list[Measurement]:
    return [Measurement.from_json(row) for row in read_rows(this.measurements)]


def one(this: Run, name: str, split: str, subject: str) -> Measurement:
    [row] = [row for row in rows(this) if (row.name, row.split, row.subject) == (name, split, subject)]
    return row


def test_a_run_folder_holds_what_the_contract_says(scratch_run: Run) -> None:
    for path in (
        "recipe.yaml", "environment.json", "corpus/documents.jsonl", "corpus/split.json", "corpus/cleaning.json", "report.html",
        "measurements.jsonl", "stages/01-scratch/log.jsonl", "stages/01-scratch/samples.jsonl", "stages/01-scratch/measurements.jsonl",
        "stages/01-scratch/checkpoint/model.safetensors", "tokens/scratch/tokenizer/tokenizer.json",
    ):  # fmt: skip
        assert (scratch_run.path / path).is_file(), path
    environment = read_json(scratch_run.environment)
    assert environment["command"] == "wellread run short book.txt"
    assert [Path(name).name for name in environment["texts"]] == ["book.txt"]
    assert environment["start"] <= environment["end"]
    split = read_json(scratch_run.corpus / "split.json")
    ids = [each for part in ("train", "validation", "held_out") for each in split[part]]
    assert len(ids) == len(set(ids)) == 12
    log = read_rows(scratch_run.path / "stages" / "01-scratch" / "log.jsonl")
    assert {"step", "tokens", "loss", "learning_rate", "tokens_per_second", "elapsed_seconds", "memory_bytes"} <= set(
        log[-1]
    ) | set(log[1])


def test_every_measurement_of_the_certificate_is_made(scratch_run: Run) -> None:
    made = {(row.name, row.split) for row in rows(scratch_run) if row.value is not None}
    assert {
        ("bits_per_byte", "held_out"), ("perplexity", "held_out"), ("greedy_recited_share", "train"),
        ("greedy_recited_share", "held_out"), ("probable_recited_share", "train"), ("probable_recited_share", "held_out"),
        ("ppmd_bits_per_byte", "held_out"), ("xz_bits_per_byte", "held_out"),
    } <= made  # fmt: skip
    assert any(row.name == "longest_recited_words" for row in rows(scratch_run))


def test_the_base_comes_first_then_the_trained_model_then_the_paired_difference(lora_run: Run) -> None:
    chain = [row for row in rows(lora_run) if (row.name, row.split) == ("bits_per_byte", "held_out")]
    base, trained, difference = chain[:3]
    assert trained.subject == "imprint"
    assert difference.subject == f"imprint - {base.subject}"
    assert difference.value == pytest.approx(trained.value - base.value)
    assert difference.low < difference.value < difference.high


def test_a_second_reading_with_plain_transformers_agrees(scratch_run: Run) -> None:
    """Each document after the beginning token, windows overlapping by half, divided by the bytes of the text."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = scratch_run.path / "stages" / "01-scratch" / "checkpoint"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    documents = read_rows(scratch_run.corpus / "documents.jsonl")
    held_out = set(read_json(scratch_run.corpus / "split.json")["held_out"])
    texts = [document["text"] for document in documents if document["id"] in held_out]
    window = model.config.max_position_embeddings
    bits = 0.0
    for text in texts:
        ids = [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
        counted = 1
        for start in range(0, len(ids), window // 2):
            piece = torch.tensor([ids[start : start + window]])
            with torch.no_grad():
                chances = torch.log_softmax(model(piece).logits[0], dim=-1)
            for place in range(counted - start, piece.shape[1]):
                bits -= float(chances[place - 1, piece[0, place]]) / math.log(2)
            counted = max(counted, start + piece.shape[1])
            if counted >= len(ids):
                break
    expected = bits / sum(len(text.encode()) for text in texts)
    assert one(scratch_run, "bits_per_byte", "held_out", "scratch").value == pytest.approx(expected, rel=0.005)


def test_the_same_opening_line_seeds_and_settings_for_base_and_trained(lora_run: Run) -> None:
    before, after = (read_rows(stage.samples) for stage in lora_run.stages())
    assert [(row["prompt"], row["seed"]) for row in before] == [(row["prompt"], row["seed"]) for row in after]
    assert len(before) == 2
    opening = before[0]["prompt"]
    split = read_json(lora_run.corpus / "split.json")
    documents = read_rows(lora_run.corpus / "documents.jsonl")
    assert any(opening in row["text"] for row in documents if row["id"] in split["validation"])


def test_running_again_changes_nothing_but_writes_the_page_anew(lora_run: Run) -> None:
    recipe = parse_recipe(lora_run.recipe.read_text(encoding="utf-8"))
    pages = {lora_run.report, lora_run.path / "reading.html"}
    kept = {path: path.stat().st_mtime_ns for path in lora_run.path.rglob("*") if path.is_file() and path not in pages}
    lora_run.report.unlink()
    pipeline.run(recipe, [lora_run.path.parent / "book.txt"], out=lora_run.path)
    assert lora_run.report.is_file()
    assert {path: path.stat().st_mtime_ns for path in kept if path != lora_run.measurements} == {
        path: time for path, time in kept.items() if path != lora_run.measurements
    }


def test_what_was_measured_of_a_checkpoint_that_was_taken_away_is_not_told_of_the_next(
    scratch_run: Run, tmp_path: Path
) -> None:
    """A damaged checkpoint is to be removed, and the command given again, perhaps after a kill while it was measured."""
    this = Run(Path(shutil.copytree(scratch_run.path, tmp_path / "run")))
    [stage] = this.stages()
    before = one(this, "bits_per_byte", "held_out", "scratch")
    keep(open_kept(stage.so_far), "bits_per_byte", [replace(before, value=99.0)])
    shutil.rmtree(stage.checkpoint)
    stage.measurements.unlink()
    this.measurements.unlink()
    again = pipeline.run(parse_recipe(SCRATCH), [scratch_run.path.parent / "book.txt"], out=this.path)
    assert again.path == this.path
    assert one(again, "bits_per_byte", "held_out", "scratch").value == pytest.approx(before.value)


def test_another_text_does_not_go_into_the_same_folder(lora_run: Run, book: Path) -> None:
    recipe = parse_recipe(lora_run.recipe.read_text(encoding="utf-8"))
    with pytest.raises(UsageError, match="another --out"):
        pipeline.run(recipe, [write_book(book, seed=9)], out=lora_run.path)


def test_measure_on_a_run_and_on_a_text_of_ones_own(scratch_run: Run, book: Path) -> None:
    again = measure_model(str(scratch_run.path), metrics=["bits_per_byte"])
    held_out = next(row for row in again if row.split == "held_out")
    assert held_out.value == pytest.approx(one(scratch_run, "bits_per_byte", "held_out", "scratch").value, abs=1e-6)
    [own] = [
        row
        for row in measure_model(str(scratch_run.path), texts=[book], metrics=["bits_per_byte"])
        if row.value is not None
    ]
    assert 0 < own.value < 8
    with pytest.raises(UsageError, match="--text"):
        measure_model(str(scratch_run.path / "stages" / "01-scratch" / "checkpoint"))


def test_a_plan_foresees_the_tokens_and_trains_nothing(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    foreseen = plan(parse_recipe(SCRATCH), [book])
    [stage] = foreseen.stages
    assert stage.steps == 12
    assert stage.tokens == 12 * 4 * 128
    assert stage.seconds > 0
    assert not (tmp_path / "runs").exists()


def test_a_truncated_checkpoint_is_one_clear_line(scratch_run: Run, tmp_path: Path) -> None:
    import shutil

    from wellread.errors import StorageError
    from wellread.models import open_model

    copy = shutil.copytree(scratch_run.path / "stages" / "01-scratch" / "checkpoint", tmp_path / "checkpoint")
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StorageError, match=r"model\.safetensors"):
        open_model(str(copy))


def test_samples_tell_where_their_words_stand_in_the_book(scratch_run: Run) -> None:
    from wellread.corpus.ingest import read_corpus
    from wellread.matching import Index
    from wellread.types import Sample, Sampling

    corpus = read_corpus(scratch_run.corpus)
    borrowed = " ".join(corpus.documents[3].text.split()[10:22])
    [row] = with_matches([Sample("He said: ", borrowed, Sampling(), 0)], Index(corpus.documents))
    [match] = row["matches"]
    assert match["document"] == corpus.documents[3].id
    assert match["words"] >= 12
    assert row["longest"] == match
    assert json.dumps(row)


@pytest.mark.slow
def test_measure_quick_reads_less_and_the_seed_is_the_runs_own(lora_run: Run, book: Path) -> None:
    write_book(book, chapters=60, words=1240)
    quick = measure_model(str(lora_run.path), texts=[book], metrics=["bits_per_byte"], quick=True)
    assert "a sample" in quick[0].note
    drawn = measure_model(str(lora_run.path), metrics=["longest_recited_words"])
    other = measure_model(str(lora_run.path), metrics=["longest_recited_words"], seed=5)
    assert drawn[0].value == one(lora_run, "longest_recited_words", "", "imprint").value
    assert drawn[0].n != other[0].n or drawn[0].note != other[0].note


def test_json_output_stands_alone_on_stdout(scratch_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from wellread.cli import app

    folder = scratch_run.path.parent
    (folder / "short.yaml").write_text(SCRATCH, encoding="utf-8")
    monkeypatch.chdir(folder)
    for words, keys in (
        (["run", "short.yaml", "book.txt", "--out", "run"], {"run", "report", "verdict"}),
        (["report", "run"], {"report", "verdict"}),
        (["measure", "run", "--metrics", "bits_per_byte"], {"name", "value", "unit", "low", "high", "note"}),
        (["write", "run", "The ferry", "--max-tokens", "5", "--top-p", "0"], {"prompt", "seed", "matches", "longest"}),
        (["list", "runs"], set()),
    ):
        done = CliRunner().invoke(app, [*words, "--json"])
        assert done.exit_code == 0, done.output
        for line in done.stdout.splitlines():
            assert keys <= set(json.loads(line)), words


def test_texts_that_are_refused_leave_no_run_behind(book: Path, tmp_path: Path) -> None:
    from wellread.errors import CorpusError

    empty = tmp_path / "empty.txt"
    empty.write_text("")
    with pytest.raises(CorpusError):
        pipeline.run(parse_recipe(SCRATCH), [empty], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(CorpusError):
        pipeline.run(parse_recipe(SCRATCH), [empty], out=tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").exists()


def test_a_name_that_no_metric_has_is_refused_before_training(book: Path, tmp_path: Path) -> None:
    from wellread.errors import UnknownName

    with pytest.raises(UnknownName, match="did you mean 'bits_per_byte'"):
        pipeline.run(parse_recipe(SCRATCH, ["measure.metrics=[bits_per_bite]"]), [book], out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_is_a_base_for_another(scratch_run: Run, book: Path, tmp_path: Path) -> None:
    recipe = parse_recipe(lora(scratch_run.path).model_dump_json(), ["imprint.windows.length=128", "imprint.steps=2"])
    tuned = pipeline.run(recipe, [write_book(book, seed=3)], out=tmp_path / "run")
    assert (tuned.stage(1, "imprint").checkpoint / "adapter_config.json").is_file()


def test_a_run_folder_inside_a_folder_of_texts_is_no_text(book: Path, tmp_path: Path) -> None:
    from wellread.corpus.reading import load

    texts = tmp_path / "texts"
    texts.mkdir()
    write_book(texts / "book.txt")
    before = digest(texts)
    (texts / "runs" / "x-1" / "corpus").mkdir(parents=True)
    (texts / "runs" / "x-1" / "recipe.yaml").write_text("name: x", encoding="utf-8")
    (texts / "runs" / "x-1" / "report.html").write_text("<p>words", encoding="utf-8")
    assert digest(texts) == before
    assert {document.source for document in load([texts])[0]} == {(texts / "book.txt").as_posix()}
    (texts / "more.txt").write_text("words", encoding="utf-8")
    assert digest(texts) != before


def test_the_reading_view_is_written_with_what_was_scored(lora_run: Run) -> None:
    from wellread.scorefile import read_scores

    assert lora_run.reading.is_file()
    assert 'href="reading.html"' in lora_run.report.read_text(encoding="utf-8")
    for stage in lora_run.stages():
        kept = read_scores(stage.scores)
        assert kept is not None
        subject = "imprint" if stage.name == "imprint" else rows(lora_run)[0].subject
        counted = sum(int(tokens.ends[-1]) for id, tokens in kept.long.items() if id in parts(lora_run)["held_out"])
        assert counted == one(lora_run, "bits_per_byte", "held_out", subject).n
        spans = [kept.spans[id].greedy for id in kept.spans if id in parts(lora_run)["train"]]
        recited = one(lora_run, "greedy_recited_share", "train", subject)
        assert sum(map(len, spans)) == recited.n
        assert sum(int(each.sum()) for each in spans) / recited.n == pytest.approx(recited.value)


@pytest.mark.slow
def test_a_whole_reading_scores_every_chapter_once_and_measures_nothing_anew(lora_run: Run) -> None:
    from wellread.corpus.ingest import read_corpus
    from wellread.rescoring import covers, score_run
    from wellread.scorefile import read_scores

    corpus = read_corpus(lora_run.corpus)
    measured = lora_run.measurements.read_bytes()
    files = [stage.scores for stage in lora_run.stages()]
    assert not any(covers(read_scores(file), corpus) for file in files)
    score_run(lora_run.path)
    assert all(covers(read_scores(file), corpus) for file in files)
    first = [file.stat().st_mtime_ns for file in files]
    score_run(lora_run.path)
    assert [file.stat().st_mtime_ns for file in files] == first
    pipeline.write_report(lora_run)
    assert "Every word was scored." in lora_run.reading.read_text(encoding="utf-8")
    assert lora_run.measurements.read_bytes() == measured


def parts(this: Run) -> dict[str, list[str]]:
    found: dict[str, list[str]] = read_json(this.corpus / "split.json")
    return found
