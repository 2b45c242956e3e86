from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wellread.errors import StorageError, UsageError
from wellread.retrieval.refusing import (
    REFUSAL,
    Refusal,
    Signs,
    auc,
    fit_refusal,
    read_refusal,
    refusal_for,
    signs,
    write_refusal,
)
from wellread.retrieval.thresholds import DEFAULTS
from wellread.types import Chunk

TEXTS = [
    "The bridge opens at nine in the morning. A guard walks on it.",
    "Candles are kept in the tower. Forty of them burn each winter.",
    "The parish pays for the bell with candles.",
]
CHUNKS = [Chunk(f"d{n}", 0, len(text), text, "book.md", "Hours") for n, text in enumerate(TEXTS)]


class Shelf:
    """All chunks, in their order, for every question."""

    name, embedder_name = "shelf", "none"

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return CHUNKS[:k]

    def search(self, query: str, k: int, *, mode: str) -> list[Chunk]:
        assert mode == "keyword"
        return CHUNKS[:k]


class Pointing:
    """Texts that say `nine` point one way, all others another."""

    name = "pointing"

    def embed(self, texts: Any) -> Any:
        return np.array([[1.0, 0.0] if "nine" in text else [0.6, 0.8] for text in texts])


def seen(question: str, shelf: Shelf | None = None) -> Signs:
    return signs(question, CHUNKS, shelf or Shelf())


def test_signs_rise_with_what_is_found_in_one_place() -> None:
    told = seen("When does the bridge open in the morning?")
    assert told.covered == pytest.approx(1.0)
    assert told.fitting == pytest.approx(1.0)
    assert told.terms == pytest.approx(np.log(4))
    assert told.likest == 0.0
    half = seen("When does the bridge burn?")
    assert 0 < half.covered < 1
    assert seen("Where do elephants sleep?").covered == 0.0
    rare = seen("What does a candle in the tower cost?")  # neither candle nor tower is as rare as what nobody says
    assert 0 < rare.covered < 2 / 3


def test_a_sentence_counts_only_if_it_holds_the_kind_of_words_that_is_asked_for() -> None:
    assert (
        seen("How many candles are kept in the tower?").fitting
        < seen("Are candles kept in the tower?").fitting
        == pytest.approx(1.0)
    )


def test_nearness_is_measured_where_the_retriever_knows_meaning() -> None:
    shelf = Shelf()
    shelf.embedder_name, shelf.embedder = "pointing", Pointing()
    assert seen("Is it nine?", shelf).likest == pytest.approx(1.0)
    assert seen("How many pells does the bell cost?", shelf).likest == 0.0


def made(count: int, seed: int = 0) -> tuple[list[Signs], list[bool]]:
    """Signs of which `covered` tells the kinds apart, with some noise."""
    draw = np.random.default_rng(seed)
    known = [number % 2 == 0 for number in range(count)]
    rows = [Signs(float(draw.normal(0.7 if yes else 0.3, 0.12)), float(draw.random()), 0.0, 1.0) for yes in known]
    return rows, known


def test_what_tells_the_kinds_apart_is_learnt_and_rated_on_what_was_left_out() -> None:
    rows, known = made(200)
    refusal = fit_refusal(rows, known, embedder="none", wrong=0.05)
    assert refusal.weights["covered"] > 5 * abs(refusal.weights["fitting"])
    assert "likest" not in refusal.weights  # never differs, so it has no weight
    fresh, truth = made(2000, seed=1)
    refused = np.array([refusal.refuses(each) for each in fresh])
    assert refused[~np.array(truth)].mean() > 0.85
    assert refused[np.array(truth)].mean() == pytest.approx(0.05, abs=0.04)
    rating = refusal.rating
    assert rating is not None
    assert (rating.answerable, rating.unanswerable) == (100, 100)
    assert rating.auc_low < rating.auc < rating.auc_high
    assert rating.auc > 0.95
    assert rating.refused > 0.8
    assert fit_refusal(rows, known, wrong=0.3).threshold > refusal.threshold


def test_signs_that_say_nothing_are_rated_as_chance() -> None:
    rows, known = made(200)
    shuffled = np.random.default_rng(3).permutation(known).tolist()
    rating = fit_refusal(rows, shuffled).rating
    assert rating is not None
    assert rating.auc == pytest.approx(0.5, abs=0.12)


def test_groups_stay_together_in_the_folds() -> None:
    rows, _ = made(40)
    # each pair of equal signs has one label at random: only who has seen its twin can know it
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 40).astype(bool).tolist()
    doubled = [each for each in rows for _ in range(2)]
    rating = fit_refusal(
        doubled, [label for label in labels for _ in range(2)], groups=[str(n // 2) for n in range(80)]
    ).rating
    assert rating is not None
    assert rating.auc < 0.75


def test_too_few_questions_are_one_line() -> None:
    rows, known = made(18)
    with pytest.raises(UsageError, match="9 questions that the sources answer and 9 that they do not"):
        fit_refusal(rows, known)


def test_auc_is_the_share_of_pairs_in_order() -> None:
    kinds = np.array([True, True, False, False])
    assert auc(np.array([3.0, 1.0, 2.0, 0.0]), kinds) == 0.75
    assert auc(np.array([1.0, 1.0, 1.0, 1.0]), kinds) == 0.5


def test_a_store_has_its_own_refusal_or_the_default_of_its_embedder(tmp_path: Path) -> None:
    rows, known = made(60)
    own = fit_refusal(rows, known, embedder="minilm")
    assert refusal_for(tmp_path, "minilm") == DEFAULTS.get("minilm", DEFAULTS[""])
    write_refusal(tmp_path / REFUSAL, own)
    assert read_refusal(tmp_path / REFUSAL) == own
    assert refusal_for(tmp_path, "minilm") == own
    assert refusal_for(tmp_path, "e5") == DEFAULTS[""]
    assert refusal_for("s3://bucket/store", "none") == DEFAULTS[""]
    write_refusal(tmp_path / REFUSAL, replace(own, weights={"nowhere": 1.0}))
    with pytest.raises(StorageError, match="Calibrate"):
        read_refusal(tmp_path / REFUSAL)


def test_the_shipped_default_answers_what_is_there_and_refuses_what_is_not() -> None:
    default: Refusal = DEFAULTS[""]
    assert not default.refuses(seen("When does the bridge open in the morning?"))
    assert default.refuses(seen("Where do elephants sleep?"))
