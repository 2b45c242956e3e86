"""Words enough to measure a style by: the same beginnings and seeds for every subject, in rounds, and an end to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from books import write_book

from wellread import pipeline
from wellread.errors import RecipeError, WellreadError
from wellread.facts import Asked
from wellread.gathering import (
    STYLE_PROMPTS,
    Watch,
    read_samples,
    reference_documents,
    sample_and_measure,
    style_passages,
    style_prompts,
    with_matches,
)
from wellread.matching import Index, words
from wellread.recipe import Recipe, parse_recipe
from wellread.runs import Stage
from wellread.scorefile import read_scores
from wellread.storage import read_rows, write_rows
from wellread.testing import UniformBytes, evidence, prose
from wellread.types import Answer, Chunk, Evidence, Grade, Measurement, Prompt, Question, Sample, Sampling, Scored

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


class Killed(Counted):
    """Is killed at a call to write or to score, the first being 1; 0: never."""

    def __init__(self, at: int = 0) -> None:
        super().__init__()
        self.calls, self._at = 0, at

    def _one_more(self) -> None:
        self.calls += 1
        if self.calls == self._at:
            raise KeyboardInterrupt

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        self._one_more()
        return super().generate(prompts, sampling)

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        self._one_more()
        return super().score(texts, length=length, stride=stride)


def measured_in(folder: Path, recipe: Recipe, model: Killed, asked: Asked | None = None) -> list[Measurement]:
    corpus = evidence(None, train=prose(900), validation=prose(300, 1), held_out=prose(300, 2)).corpus
    alone = recipe.model_copy(update={"references": ()})
    return sample_and_measure(Stage(folder), lambda: model, "uniform", (alone, corpus), asked=asked, watch=Watch())


def test_measuring_that_was_killed_goes_on_where_it_was(recipe: Recipe, tmp_path: Path) -> None:
    calm = Killed()
    wanted = measured_in(tmp_path / "calm", recipe, calm)
    writing = len(calm.asked)
    scoring = calm.calls - writing
    assert (writing > 2, scoring) == (True, 2 + 4)
    before = ("samples.jsonl", "passages.jsonl", "measurements.jsonl")
    for at, left in ((1, 0), (2, 1), (writing + 2, writing), (writing + 4, writing + 2), (writing + 6, writing + 2)):
        folder, killed, again = tmp_path / str(at), Killed(at), Killed()
        with pytest.raises(KeyboardInterrupt):
            measured_in(folder, recipe, killed)
        assert measured_in(folder, recipe, again) == wanted
        assert again.calls == calm.calls - left
        for name in before:
            assert (folder / name).read_bytes() == (tmp_path / "calm" / name).read_bytes()
        assert not (folder / "measured-so-far.jsonl").exists()
        kept, other = (read_scores(each / "scores.npz") for each in (folder, tmp_path / "calm"))
        assert kept is not None
        assert other is not None
        for one, two in ((kept.long, other.long), (kept.short, other.short)):
            assert {id: each.logprobs.tolist() for id, each in one.items()} == {
                id: each.logprobs.tolist() for id, each in two.items()
            }
        assert kept.spans.keys() == other.spans.keys()


def test_answers_are_judged_again_so_that_their_verdicts_are_kept_with_them(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kind:
        name = "kind"

        def grade(self, answers: Sequence[Answer]) -> list[Grade]:
            return [Grade(True, "why not") for _ in answers]

    question = Question("q1", "What is T1?", ("Tall 1",), "forward", "T1")

    def ask(gathered: Evidence, *given: object, **more: object) -> None:
        gathered.answers, gathered.judge = [Answer(question, "a hill", "held_out")], Kind()

    monkeypatch.setattr("wellread.gathering.ask", ask)
    recipe = parse_recipe(RECIPE, ["questions=[mine.jsonl]", "measure.metrics=[recall_judge, bits_per_byte]"])
    asked = Asked({"held_out": (question,)})
    with pytest.raises(KeyboardInterrupt):
        measured_in(tmp_path, recipe, Killed(3), asked)
    rows = measured_in(tmp_path, recipe, Killed(), asked)
    assert [row.value for row in rows if row.name == "recall_judge"] == [1]
    assert [(row["judge"], row["judge_reason"]) for row in read_rows(tmp_path / "answers.jsonl")] == [(True, "why not")]


def test_what_an_earlier_measuring_wrote_is_not_taken_for_a_new_ones(recipe: Recipe, tmp_path: Path) -> None:
    wanted = measured_in(tmp_path, recipe, Killed())
    stage = Stage(tmp_path)
    stage.measurements.unlink()
    stage.samples.write_text("stale", encoding="utf-8")
    again = Killed()
    assert measured_in(tmp_path, recipe, again) == wanted
    assert len(again.asked) > 2


def test_samples_come_back_with_what_was_laid_before_the_model(tmp_path: Path) -> None:
    corpus = evidence(None, train=prose(100)).corpus
    source = Chunk("d", 0, 4, "text", page=2, overleaf=(3, 9))
    samples = [
        Sample("One\u2028", prose(20), Sampling(top_k=3, n=2), 1, "m", "stop", (source,), 7, 8),
        Sample("Two", "", Sampling(), 0),
    ]
    write_rows(tmp_path / "samples.jsonl", with_matches(samples, Index(corpus.documents)))
    assert read_samples(tmp_path / "samples.jsonl") == samples
    assert read_samples(tmp_path / "none.jsonl") == []
