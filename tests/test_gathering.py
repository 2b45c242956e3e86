"""Words enough to measure a style by: the same beginnings and seeds for every subject, in rounds, and an end to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from books import write_book

from wellread import pipeline
from wellread.errors import RecipeError, WellreadError
from wellread.gathering import STYLE_PROMPTS, reference_documents, style_passages, style_prompts
from wellread.matching import words
from wellread.recipe import Recipe, parse_recipe
from wellread.storage import read_rows
from wellread.testing import UniformBytes, evidence, prose
from wellread.types import Prompt, Sample, Sampling

RECIPE = """
name: short
stages: [{name: scratch, method: {kind: scratch, size: tiny, vocabulary: 320}, windows: {length: 64},
          budget: {steps: 2}, optimizer: {batch: 2}, evaluations: 1}]
sampling: {max_tokens: 64, n: 1}
measure: {quick_words: 500, style_words: 5000}
"""


class Counted(UniformBytes):
    """Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[Prompt], Sampling]] = []

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        self.asked.append((list(prompts), sampling))
        return super().generate(prompts, sampling)


@pytest.fixture
def recipe() -> Recipe:
    return parse_recipe(RECIPE)


CORPUS = evidence(None, train=prose(100), validation=[prose(1200, 1), prose(1200, 2)]).corpus


def test_as_many_words_as_wanted_in_few_rounds_with_seeds_of_their_own(recipe: Recipe) -> None:
    model = Counted()
    passages = style_passages(model, recipe, CORPUS)
    written = sum(len(words(passage.completion)) for passage in passages)
    assert 5_000 <= written < 5_000 + 2_000
    assert len(model.asked) < 40
    for prompts, _ in model.asked:
        assert prompts == style_prompts(CORPUS)
    seeds = [passage.seed for passage in passages if passage.prompt == passages[0].prompt]
    assert seeds == list(range(len(seeds)))
    again = style_passages(UniformBytes(), recipe, CORPUS)
    assert [passage.completion for passage in again] == [passage.completion for passage in passages]


def test_beginnings_are_spread_over_the_validation_part_alone() -> None:
    prompts = style_prompts(CORPUS)
    assert len(prompts) == STYLE_PROMPTS
    first, second = (document.text for document in CORPUS.part("validation"))
    assert sum(prompt in first for prompt in prompts) == sum(prompt in second for prompt in prompts) == 6
    short = style_prompts(evidence(None, validation="one two three four five six").corpus)
    assert 1 < len(short) <= STYLE_PROMPTS
    assert all("six" in prompt for prompt in short)


def test_a_model_that_says_nothing_is_given_up(recipe: Recipe) -> None:
    class Silent(UniformBytes):
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
            return [replace(sample, completion="") for sample in super().generate(prompts, sampling)]

    spent = len(style_passages(Silent(), recipe, CORPUS))
    assert 20 * 5_000 <= spent * 64 < 25 * 5_000


def test_too_few_words_for_a_style_are_refused() -> None:
    with pytest.raises(RecipeError, match="at least 5,000 words, or 0"):
        parse_recipe(RECIPE, ["measure.style_words=400"])


def test_a_reference_that_cannot_be_read_is_told_of_before_the_training(tmp_path: Path) -> None:
    book = write_book(tmp_path / "book.txt")
    (tmp_path / "other.epub").write_bytes(b"no book")
    recipe = parse_recipe(RECIPE, [f"references=[{str(tmp_path / 'other.epub')!r}]"])
    with pytest.raises(WellreadError, match=r"other\.epub"):
        pipeline.run(recipe, [book], out=tmp_path / "run")
    assert not list((tmp_path / "run").rglob("stages/*"))


@pytest.mark.slow
def test_a_run_measures_the_style_of_model_and_author(tmp_path: Path) -> None:
    book = write_book(tmp_path / "book.txt", chapters=30, words=1240)
    for number in range(3):
        write_book(tmp_path / f"other{number}.txt", words=1240, seed=number + 5)
    (tmp_path / "others").mkdir()
    for number in range(3):
        (tmp_path / f"other{number}.txt").rename(tmp_path / "others" / f"other{number}.txt")
    names = [str(tmp_path / "others"), str(book)]
    recipe = parse_recipe(RECIPE, [f"references={names!r}"])
    this = pipeline.run(recipe, [book], out=tmp_path / "run")
    rows = read_rows(this.measurements)
    assert len(read_rows(this.stages()[0].passages)) > 10
    for subject in ("scratch", "real chapters"):
        [delta] = [row for row in rows if (row["name"], row["subject"]) == ("cosine_delta", subject)]
        assert delta["value"] is not None, delta["note"]
        assert "book (the book itself)" in delta["note"]
        assert all(f"other{number} " in delta["note"] for number in range(3))
    page = this.report.read_text(encoding="utf-8")
    assert "the author’s own held-out text" in page
    assert "by cosine Delta" in page


def test_the_embedded_texts_are_among_the_references_by_default_and_beside_a_users_by_one_word(tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("# Mine\n\nThe lamp was lit before anyone asked for it.\n", encoding="utf-8")

    def read(written: str) -> list[str]:
        recipe = parse_recipe(f"{RECIPE}\n{written}")
        return sorted({Path(document.source).stem for document in reference_documents(recipe)})

    embedded = ["conte", "general_en", "general_fr", "novella"]
    assert read("") == embedded
    assert read(f"references: [library:*, {mine.as_posix()}]") == sorted([*embedded, "mine"])
    assert read("references: [library:novella, library:*]") == embedded
    assert read(f"references: [{mine.as_posix()}]") == ["mine"]
    assert read("references: []") == []
