"""Texts of the studio as they grow: tuned and untuned by turns, and whoever leaves lets the next one write."""

from __future__ import annotations

import pytest

from wellread import pipeline
from wellread.corpus.ingest import read_corpus
from wellread.errors import UsageError
from wellread.recipe import parse_recipe
from wellread.runs import Run
from wellread.serving.studio_models import Models, write_on
from wellread.serving.studio_runs import opening_of
from wellread.storage import stream_rows
from wellread.testing import prose, tiny_model
from wellread.types import Sampling
from wellread.weights.dial import AdapterDial
from wellread.writing import continue_texts

BEGINNING = "It was the last"
SAMPLING = Sampling(12, 0.8, seed=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A tiny base with an adapter that says something else than the base does."""
    folder = tmp_path_factory.mktemp("writing")
    chapters = [f"Chapter {number}\n\n{prose(210, seed=number)}" for number in range(1, 11)]
    (folder / "book.txt").write_text("\n\n".join(chapters), encoding="utf-8")
    recipe = f"""
name: tuned
base: {tiny_model(folder / "base")}
stages:
  - name: imprint
    method: {{kind: lora, rank: 4, alpha: 64}}
    windows: {{length: 64}}
    budget: {{steps: 8}}
    optimizer: {{batch: 2, learning_rate: 3.0e-2}}
    evaluations: 1
sampling: {{max_tokens: 8, n: 1}}
measure: {{metrics: [bits_per_byte], quick_words: 500}}
general: []
"""
    return pipeline.run(parse_recipe(recipe), [folder / "book.txt"], out=folder / "runs" / "tuned")


def lengths(rows: list[dict[str, str]]) -> tuple[int, ...]:
    return tuple(len(row["completion"]) for row in rows)


def test_tuned_and_base_grow_by_turns(run: Run) -> None:
    models = Models(offline=True)
    steps = list(write_on(models, run, BEGINNING, SAMPLING, [1.0, 0.0]))
    assert min(lengths(steps[0])) > 0
    assert max(lengths(steps[0])) < min(lengths(steps[-1]))
    for dial, row in zip((1.0, 0.0), steps[-1], strict=True):
        *_, [alone] = write_on(models, run, BEGINNING, SAMPLING, [dial])
        assert row == alone
        assert "matches" in row
    assert steps[-1][0]["completion"] != steps[-1][1]["completion"]


def test_a_dial_that_is_dear_to_turn_is_turned_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = list(write_on(Models(offline=True), run, BEGINNING, SAMPLING, [1.0, 0.0]))
    monkeypatch.setattr(AdapterDial, "light", False)
    steps = list(write_on(Models(offline=True), run, BEGINNING, SAMPLING, [1.0, 0.0]))
    assert steps[-1] == turned[-1]
    half = next(rows for rows in steps if "matches" in rows[0])
    assert half[1]["completion"] == ""


def test_whoever_stops_lets_the_next_one_write(run: Run) -> None:
    models = Models(offline=True)
    grown = write_on(models, run, BEGINNING, SAMPLING, [1.0, 0.0])
    next(grown)
    assert models.lock.locked()
    grown.close()
    assert not models.lock.locked()
    with pytest.raises(UsageError, match="dial"):
        next(write_on(models, run, BEGINNING, SAMPLING, [2.0]))
    assert not models.lock.locked()
    assert list(write_on(models, run, BEGINNING, SAMPLING, [0.5]))


def test_without_a_beginning_it_goes_on_from_the_opening_line_of_the_samples(run: Run) -> None:
    first = next(stream_rows(run.stages()[-1].samples))["prompt"]
    assert first in " ".join(read_corpus(run.corpus).part("validation")[0].text.split())
    *_, [row] = write_on(Models(offline=True), run, " \n", SAMPLING, [1.0])
    [alone] = continue_texts(str(run.path), [first], SAMPLING, dial=1.0, offline=True)
    assert (row["prompt"], row["completion"]) == (first, alone.completion)
    (run.path / "stages").rename(run.path / "away")  # a run without samples
    try:
        assert opening_of(run) == ""
    finally:
        (run.path / "away").rename(run.path / "stages")
