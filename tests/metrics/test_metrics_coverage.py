"""How much of a book was put together again: known runs, overlaps, repetitions, prompts, and ordinary phrases."""

from __future__ import annotations

import pytest

from wellread.metrics.recited_coverage import recited_coverage
from wellread.testing import Memorised, evidence
from wellread.types import Measurement, Sample, Sampling

WORDS = [f"w{n}" for n in range(200)]
OTHER = [f"x{n}" for n in range(50)]


def said(prompt: str, completion: str) -> Sample:
    return Sample(prompt, completion, Sampling(), 0)


def coverage(*samples: Sample, passages: tuple[Sample, ...] = ()) -> dict[str, Measurement]:
    rows = recited_coverage(
        evidence(None, " ".join(OTHER), train=" ".join(WORDS), samples=samples, passages=passages, subject="new")
    )
    return {row.split: row for row in rows}


def test_words_in_runs_of_five_or_more_are_covered_once() -> None:
    found = coverage(
        said("", f"nothing {' '.join(WORDS[10:20])} of {' '.join(WORDS[40:44])}"),
        said("", " ".join(WORDS[15:25])),
        said("", " ".join(WORDS[15:25])),
    )
    assert found["train"].value == pytest.approx(15 / 200)
    assert found["held_out"].value == 0
    assert found[""].value == pytest.approx(15 / 250)
    assert (found[""].n, found["train"].n) == (250, 200)
    assert "36 words written" in found[""].note


def test_samples_and_passages_count_together() -> None:
    found = coverage(said("", " ".join(WORDS[:6])), passages=(said("", " ".join(OTHER[:5])),))
    assert (found["train"].value, found["held_out"].value) == (6 / 200, 5 / 50)


def test_what_the_prompt_brought_along_is_trimmed() -> None:
    crossing = coverage(said(" ".join(WORDS[:30]), " " + " ".join(WORDS[30:37]) + " end"))
    assert crossing["train"].value == 7 / 200
    short = coverage(said(" ".join(WORDS[:30]), " " + " ".join(WORDS[30:34]) + " end"))
    assert short["train"].value == 0


def test_a_run_repeated_from_the_prompt_is_no_recitation() -> None:
    prompt = " ".join(WORDS[:8])
    assert coverage(said(prompt, " and again " + prompt))["train"].value == 0
    longer = coverage(said(prompt, " and again " + " ".join(WORDS[:20])))
    assert longer["train"].value == 12 / 200
    assert coverage(said(prompt, " and again " + " ".join(WORDS[:12])))["train"].value == 0


def test_a_model_that_knows_the_book_covers_it() -> None:
    text = " ".join(WORDS)
    [sample] = Memorised(text).generate(["w0 w1"], Sampling(max_tokens=2000))
    assert coverage(sample)["train"].value == pytest.approx(198 / 200)


def test_without_samples_there_is_a_reason() -> None:
    [row] = recited_coverage(evidence(None, train="some words"))
    assert (row.value, row.note) == (None, "the model wrote no samples")


def test_chapters_are_resampled() -> None:
    chapters = [" ".join(f"c{chapter}w{n}" for n in range(60)) for chapter in range(12)]
    given = evidence(None, train=chapters, samples=[said("", chapters[3]), said("", chapters[7])])
    row = next(row for row in recited_coverage(given) if row.split == "train")
    assert row.value == pytest.approx(2 / 12)
    assert row.interval_over == "chapters"
    assert row.low is not None
    assert row.high is not None
    assert row.low < row.value < row.high
