"""What a model writes while it trains: the recipe's own beginning, seed and settings, and a run that is none the other for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from books import write_book
from waiting import PATIENCE

from wellread import pipeline
from wellread.errors import ModelError
from wellread.gathering import opening_line, sampling
from wellread.live_samples import live_sampler
from wellread.models import open_model
from wellread.recipe import fingerprint, parse_recipe
from wellread.runs import Run
from wellread.storage import read_json, read_rows
from wellread.testing import tiny_model
from wellread.types import Corpus, Document

SHORT = """
name: short
stages:
  - name: scratch
    method: {kind: scratch, size: tiny, vocabulary: 320}
    windows: {length: 128}
    budget: {steps: 12}
    optimizer: {kind: muon, learning_rate: 3.0e-3, batch: 4}
    keep: last
    evaluations: 2
sampling: {max_tokens: 12, n: 1}
measure: {metrics: [bits_per_byte], quick_words: 500}
"""
OFF = "sampling.generate_during_eval=false"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """The same run with samples while it trains, which may take their time, and without."""
    folder = tmp_path_factory.mktemp("live")
    book = write_book(folder / "book.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wellread.training.session.SAMPLED_SECONDS", PATIENCE)
        return {
            name: pipeline.run(parse_recipe(SHORT, settings), [book], out=folder / name)
            for name, settings in (("on", []), ("off", [OFF]))
        }


def written(run: Run) -> list[dict[str, Any]]:
    return [row for row in read_rows(run.path / "stages" / "01-scratch" / "log.jsonl") if "completion" in row]


def test_a_run_learns_and_measures_the_same_with_and_without(runs: dict[str, Run]) -> None:
    assert [row["step"] for row in written(runs["on"])] == [6, 12]
    assert written(runs["off"]) == []
    kept = [run.stage(1, "scratch").checkpoint / "model.safetensors" for run in runs.values()]
    assert kept[0].read_bytes() == kept[1].read_bytes()
    assert runs["on"].measurements.read_bytes() == runs["off"].measurements.read_bytes()
    assert runs["on"].stage(1, "scratch").samples.read_bytes() == runs["off"].stage(1, "scratch").samples.read_bytes()


def test_it_writes_as_the_finished_model_does(runs: dict[str, Run]) -> None:
    from wellread.corpus.ingest import read_corpus

    last = written(runs["on"])[-1]
    assert last["prompt"] == opening_line(read_corpus(runs["on"].corpus).part("validation")[0])
    [sample] = open_model(str(runs["on"].path)).generate([last["prompt"]], sampling(parse_recipe(SHORT)))
    assert last["completion"] == sample.completion != ""


def test_turning_it_off_makes_no_other_run(runs: dict[str, Run]) -> None:
    marks = {read_json(run.environment)["fingerprint"] for run in runs.values()}
    assert len(marks) == 1
    assert fingerprint(parse_recipe(SHORT)) != fingerprint(parse_recipe(SHORT, ["sampling.max_tokens=13"]))


def chats(*asked: str) -> tuple[Document, ...]:
    said = [[{"role": "user", "content": each}, {"role": "assistant", "content": "Yes."}] for each in asked]
    return tuple(
        Document(each, f"{each} Yes.", metadata={"messages": chat}) for each, chat in zip(asked, said, strict=True)
    )


def test_of_examples_a_question_of_the_validation_part_is_asked_in_time(tmp_path: Path) -> None:
    from wellread import weights

    corpus = Corpus(
        chats("Taught?", "Watched?", "Unseen?"),
        {"train": ("Taught?",), "validation": ("Watched?",), "held_out": ("Unseen?",)},
    )
    recipe = parse_recipe(SHORT)
    opened = weights.open_base(str(tiny_model(tmp_path / "base")))
    sampler = live_sampler(recipe, corpus, recipe.stages[0], opened.tokenizer)
    assert sampler is not None
    whole, hasty = sampler(opened.model, PATIENCE), sampler(opened.model, 0.0)
    assert whole is not None
    assert hasty is not None
    assert whole["prompt"] == "Watched?\n\n"
    assert whole["completion"].startswith(hasty["completion"])
    assert 0 < len(hasty["completion"]) < len(whole["completion"])


def test_a_model_that_cannot_write_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread.generation import hf

    asked, said = [], []

    def refuses(*given: Any) -> Any:
        asked.append(given)
        raise ModelError("base: its chat template refuses these turns.")

    monkeypatch.setattr(hf, "TransformersModel", refuses)
    recipe = parse_recipe(SHORT)
    corpus = Corpus(chats("Taught?", "Watched?"), {"train": ("Taught?",), "validation": ("Watched?",), "held_out": ()})
    sampler = live_sampler(recipe, corpus, recipe.stages[0], None, say=said.append)
    assert sampler is not None
    assert (sampler(None, 1.0), sampler(None, 1.0)) == (None, None)
    assert len(asked) == 1
    assert said == ["scratch: nothing is written while it trains (base: its chat template refuses these turns.)"]
