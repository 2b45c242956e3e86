"""What the run folder keeps of the scores says the same as the measurements that were made of them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from wellread.metrics import measure
from wellread.metrics.kept import kept_scores, score_book
from wellread.scorefile import read_scores, write_scores
from wellread.testing import Memorised, UniformBytes, evidence, prose


def test_bits_and_recited_shares_can_be_counted_again(tmp_path: Path) -> None:
    train = [prose(300, seed) for seed in range(2)]
    gathered = evidence(Memorised(train[0]), prose(200, 9), train=train)
    rows = {(row.name, row.split): row.value for row in measure(gathered, ["bits_per_byte", "greedy_recited_share"])}
    write_scores(tmp_path / "scores.npz", kept_scores(gathered))
    kept = read_scores(tmp_path / "scores.npz")
    assert kept is not None
    tokens = [kept.long[f"train-{place}"] for place in (1, 2)]
    assert [int(each.ends[-1]) for each in tokens] == [len(text.encode()) for text in train]
    bits = (
        sum(float(each.logprobs.sum()) for each in tokens) / -math.log(2) / sum(int(each.ends[-1]) for each in tokens)
    )
    assert bits == pytest.approx(rows["bits_per_byte", "train"], rel=1e-3)
    greedy = np.concatenate([kept.spans[f"train-{place}"].greedy for place in (1, 2)])
    assert greedy.mean() == pytest.approx(rows["greedy_recited_share", "train"])
    first = kept.spans["train-1"]
    assert first.greedy.all()
    assert first.begins[0] == 50
    assert (first.ends - first.begins == 50).all()
    assert not kept.spans["held_out-1"].greedy.any()


def test_what_was_not_asked_is_not_scored() -> None:
    gathered = evidence(UniformBytes(), prose(600), train=prose(600, 1), quick_words=100)
    assert not kept_scores(gathered).long
    measure(gathered, ["bits_per_byte"])
    kept = kept_scores(gathered)
    assert list(kept.long) == ["held_out-1"]
    assert not kept.short
    assert kept.long["held_out-1"].ends[-1] < len(prose(600).encode())


def test_the_whole_book_is_scored_both_ways() -> None:
    kept = score_book(evidence(UniformBytes(), prose(60), train=[prose(90, 1), ""], validation=prose(60, 2)))
    assert set(kept.long) == set(kept.short) == {"train-1", "validation-1", "held_out-1"}
    assert kept.long["validation-1"].logprobs.tolist() == pytest.approx([-math.log(256)] * len(prose(60, 2)))
