"""How much of the gold passages a store finds, indexed and searched as `wellread ask` does: no change may lose it unseen."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

import pytest

from wellread.indexing import index_texts
from wellread.metrics.retrieval import places_of, recall
from wellread.retrieval.embedders import EMBEDDED, packaged
from wellread.retrieval.gold import read_gold
from wellread.retrieval.store import Mode, Store, open_store
from wellread.texts import library_text

pytest.importorskip("lancedb")


def recall_at_5(store: Store, questions: str, mode: Mode) -> float:
    """Of the passages that answer a question, the share that the first five chunks hold; the mean over questions."""
    asked = [question for question in read_gold(library_text(questions)) if question.passages]
    assert len(asked) > 40
    return fmean(recall(places_of(each, store.search(each.question, 5, mode=mode)), 5) for each in asked)


@pytest.mark.slow
@pytest.mark.skipif(packaged(EMBEDDED) is None, reason="the embedded embedder is not installed")
def test_both_ways_together_find_nearly_all_of_the_handbook_and_more_than_keywords(tmp_path: Path) -> None:
    index_texts(["library:handbook"], tmp_path / "store", embedder=EMBEDDED)
    store = open_store(tmp_path / "store")
    found = {mode: recall_at_5(store, "handbook_questions.jsonl", mode) for mode in ("keyword", "hybrid")}
    assert found["hybrid"] >= 0.93  # measured: 0.951
    assert found["hybrid"] > found["keyword"] >= 0.91  # measured: 0.934


def test_keywords_find_most_of_the_french_tale(tmp_path: Path) -> None:
    report = index_texts(["library:conte"], tmp_path / "store", embedder="none")
    assert report.language == "fr"
    assert recall_at_5(open_store(tmp_path / "store"), "conte_questions.jsonl", "keyword") >= 0.77  # measured: 0.793
