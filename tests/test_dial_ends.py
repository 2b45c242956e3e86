"""What a run has measured of both ends of its dial is not measured again, and a curve that was killed goes on where it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from books import write_book
from dials import dialled_in

from wellread import pipeline
from wellread.corpus.ingest import read_corpus
from wellread.dial_ends import measured_ends, still_to_measure
from wellread.dialling import dial_curve
from wellread.gathering import Watch
from wellread.generation.hf import TransformersModel
from wellread.recipe import Recipe, parse_recipe
from wellread.runs import Run
from wellread.storage import read_json, read_rows, write_json
from wellread.testing import UniformBytes, evidence, prose
from wellread.types import Measurement, Part, Scored

MEASURED = """
sampling: {max_tokens: 12, n: 1}
measure: {quick_words: 1500, metrics: [bits_per_byte, greedy_recited_share]}
"""
RECITED_HELD_OUT = {(f"greedy_recited_share{of}", "held_out") for of in ("", "_200_bytes")}
"""What is told of the chosen setting and of 1 alone."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("ends")
    recipe = parse_recipe(dialled_in(folder, MEASURED))
    return pipeline.run(recipe, [write_book(folder / "book.txt")], out=folder / "run", offline=True)


@pytest.fixture
def copy(run: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(run.path, tmp_path / "run")))


class Heard:
    """The texts of every call to score, and the call at which whoever asks is killed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Sequence[str]] = []
        self.killed_at = 0
        plain = TransformersModel.score

        def score(model: TransformersModel, texts: Sequence[str], **how: Any) -> list[Scored]:
            self.calls.append(texts)
            if len(self.calls) == self.killed_at:
                raise KeyboardInterrupt
            return plain(model, texts, **how)

        monkeypatch.setattr(TransformersModel, "score", score)

    def taken(self) -> list[Sequence[str]]:
        """What was heard since this was asked last."""
        calls, self.calls = self.calls, []
        return calls

    def of(self, this: Run, part: Part) -> bool:
        """Whether any text of a part was heard."""
        documents = read_corpus(this.corpus).part(part)
        said = [text.strip() for texts in self.calls for text in texts]
        return any(text in document.text for document in documents for text in said if text)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    return Heard(monkeypatch)


def recipe_of(this: Run, *settings: str) -> Recipe:
    return parse_recipe(this.recipe.read_text(encoding="utf-8"), settings)


def ends_of(this: Run, *settings: str, note: str = "") -> dict[float, list[Measurement]]:
    return measured_ends(this, this.last_checkpoint(), recipe_of(this, *settings), note=note)


def values(rows: Sequence[Measurement]) -> dict[tuple[str, str, str], float | None]:
    return {(row.name, row.subject, row.split): row.value for row in rows}


@pytest.mark.slow
def test_of_both_ends_only_what_the_run_has_not_measured_is_measured(copy: Run, heard: Heard) -> None:
    said: list[str] = []
    rows = dial_curve(str(copy.path), (0, 1), offline=True, watch=Watch(said.append))
    assert "measured already of imprint@0: bits_per_byte, greedy_recited_share (train)" in said
    assert "measured already of imprint@1 on held-out text: bits_per_byte, greedy_recited_share" in said
    assert len(heard.calls) == 2 * 2  # what is recited of validation text, in spans of tokens and of bytes
    assert heard.of(copy, "validation")
    assert not heard.of(copy, "train")
    assert not heard.of(copy, "held_out")
    kept = [Measurement.from_json(row) for row in read_rows(copy.measurements)]
    base = str(recipe_of(copy).base)
    for subject, of in (("imprint@0", base), ("imprint@1", "imprint")):
        same = [row.of(subject) for row in kept if row.subject == of]
        assert len(same) == 3 + 4
        told = [row for row in same if of == "imprint" or (row.name, row.split) not in RECITED_HELD_OUT]
        assert all(row in rows for row in told)
    heard.taken()
    copy.environment.unlink()
    anew = dial_curve(str(copy.path), (0, 1), offline=True)
    assert len(heard.calls) > 12
    assert list(values(anew)) == list(values(rows))
    for kind, value in values(anew).items():
        assert values(rows)[kind] == (None if value is None else pytest.approx(value, rel=1e-4, abs=1e-4)), kind


@pytest.mark.slow
def test_between_the_ends_everything_is_measured(copy: Run, heard: Heard) -> None:
    dial_curve(str(copy.path), (0.5,), offline=True)
    assert all(heard.of(copy, part) for part in ("train", "validation", "held_out"))


@pytest.mark.slow
def test_another_measurement_takes_nothing_from_the_run(copy: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(ends_of(copy)) == {0.0, 1.0}
    assert all(len(rows) == 3 + 4 for rows in ends_of(copy).values())
    assert ends_of(copy, "measure.quick=true", "measure.metrics=[perplexity]") == ends_of(copy)
    for setting in (
        "measure.quick=false",
        "measure.quick_words=1000",
        "seed=5",
        "general=[]",
        "sampling.top_k=3",
        "corpus.clean=false",
    ):
        assert ends_of(copy, setting) == {}
    assert ends_of(copy, note="weights in bfloat16: float32 (9.9 GB) does not fit") == {0.0: [], 1.0: []}
    monkeypatch.setattr("wellread.weights.saving.adapter_quantization", lambda folder: "nf4")
    assert set(ends_of(copy)) == {1.0}
    environment = read_json(copy.environment)
    write_json(copy.environment, {**environment, "versions": {"wellread": "0.0.1"}})
    assert ends_of(copy) == {}


@pytest.mark.slow
def test_texts_that_have_changed_since_are_measured_anew(copy: Run, heard: Heard) -> None:
    """Also where one took the place of another that is newer, as `mv` and `cp -p` do; not where it was only touched."""
    general = Path(recipe_of(copy).general[0])
    before, text = general.stat().st_mtime, general.read_bytes()
    os.utime(general, (before + 3600, before + 3600))
    assert set(ends_of(copy)) == {0.0, 1.0}
    general.write_text(prose(300, seed=10), encoding="utf-8")
    os.utime(general, (before - 3600, before - 3600))
    try:
        assert ends_of(copy) == {}
        dial_curve(str(copy.path), (0, 1), offline=True)
    finally:
        general.write_bytes(text)
    assert heard.of(copy, "held_out")


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 4, 9, 11])
def test_a_curve_that_was_killed_goes_on_where_it_was(copy: Run, tmp_path: Path, heard: Heard, at: int) -> None:
    calm = Run(Path(shutil.copytree(copy.path, tmp_path / "calm")))
    wanted = dial_curve(str(calm.path), (0, 0.5, 1), offline=True)
    whole = len(heard.taken())
    assert whole >= 2 + 6 + 2 + 1
    heard.killed_at = at
    with pytest.raises(KeyboardInterrupt):
        dial_curve(str(copy.path), (0, 0.5, 1), offline=True)
    heard.killed_at, done = 0, len(heard.taken()) - 1
    assert not copy.dial.exists()
    assert dial_curve(str(copy.path), (0, 0.5, 1), offline=True) == wanted
    again = done + len(heard.taken()) - whole
    assert 0 <= again <= 3  # calls of the metric that was not whole
    assert copy.dial.read_bytes() == calm.dial.read_bytes()
    assert not list(copy.path.rglob("*so-far*"))


@pytest.mark.slow
def test_what_was_kept_answers_no_other_question(copy: Run, heard: Heard) -> None:
    heard.killed_at = 9
    with pytest.raises(KeyboardInterrupt):
        dial_curve(str(copy.path), (0, 0.5, 1), offline=True)
    heard.killed_at = 0
    heard.taken()
    dial_curve(str(copy.path), (0.5,), overrides=["seed=5"], offline=True)
    other = len(heard.taken())
    dial_curve(str(copy.path), (0.5,), overrides=["seed=5"], offline=True)
    assert len(heard.taken()) == other


def rows(name: str, *splits: str, note: str = "", n: int = 0) -> list[Measurement]:
    return [Measurement(name, 0.5, subject="imprint", split=split, n=n, note=note) for split in splits]


def test_a_metric_is_measured_on_the_parts_that_are_not_known() -> None:
    train, validation = prose(300), prose(200, 1)
    gathered = evidence(UniformBytes(), train=train, validation=validation, subject="imprint@1")
    recited = rows("greedy_recited_share", "train", "held_out")
    taken, rest = still_to_measure(recited, gathered, "greedy_recited_share")
    assert taken == [recited[0].of("imprint@1")]
    assert rest is not None
    assert [document.text for part in ("train", "validation", "held_out") for document in rest.corpus.part(part)] == [
        validation
    ]
    bits = [
        row
        for text, split in ((validation, "validation"), (train, "train"))
        for row in rows("bits_per_byte", split, n=len(text))
    ]
    assert still_to_measure(bits, gathered, "bits_per_byte") == ([row.of("imprint@1") for row in bits], None)
    assert still_to_measure((), gathered, "bits_per_byte") == ([], gathered)
    assert still_to_measure(rows("recall_exact", "train"), gathered, "recall_exact") == ([], gathered)


def test_rows_of_another_sample_or_text_or_without_a_value_are_not_known() -> None:
    train = prose(300)
    gathered = evidence(UniformBytes(), train=train, subject="imprint@1")
    bits = rows("bits_per_byte", "train", n=len(train))
    assert still_to_measure(bits, gathered, "bits_per_byte")[1] is None
    for other in (
        rows("bits_per_byte", "train", n=len(train) + 1),
        rows("bits_per_byte", "train", n=len(train), note="a sample: 100 of 300 words, from 1 of 1 documents"),
        [Measurement("bits_per_byte", None, split="train", note="the model cannot score")],
    ):
        assert still_to_measure(other, gathered, "bits_per_byte") == ([], gathered)
    quick = evidence(UniformBytes(), train=train, validation=prose(300, 1), subject="imprint@1", quick_words=100)
    assert still_to_measure(rows("greedy_recited_share", "train", "validation"), quick, "greedy_recited_share")[0] == []


def test_a_style_is_known_where_it_was_written_for_after_validation() -> None:
    style = rows("style_rank", "") + rows("style_rank_function_words", "")
    texts = {"train": prose(100), "validation": prose(100, 1)}
    written = evidence(UniformBytes(), **texts, subject="imprint@1", style_words=5000, samples=[])
    assert still_to_measure(style, written, "style_rank") == ([row.of("imprint@1") for row in style], None)
    assert still_to_measure(style, evidence(UniformBytes(), **texts), "style_rank")[0] == []
    told = evidence(UniformBytes(), train=prose(100), held_out=prose(100, 1), style_words=5000)
    assert still_to_measure(style, told, "style_rank") == ([], told)
