"""Scores come back from the run folder as they went in, as exact as half precision; a damaged file is one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wellread.errors import StorageError
from wellread.scorefile import BookScores, Spans, Tokens, read_scores, write_scores


def some(count: int, seed: int = 0) -> Tokens:
    drawn = np.random.default_rng(seed)
    return Tokens(np.cumsum(drawn.integers(1, 300, count)), -drawn.exponential(3, count).astype(np.float32))


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    spans = Spans(np.array([400, 800]), np.array([800, 1190]), np.array([True, False]), np.float32([-0.5, -90000]))
    empty = Spans(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.float32))
    kept = BookScores({"é#1": some(700), "b#2": some(3, 1)}, {"b#2": some(3, 1)}, {"é#1": spans, "b#2": empty})
    write_scores(tmp_path / "scores.npz", kept)
    found = read_scores(tmp_path / "scores.npz")
    assert found is not None
    assert list(found.long) == ["é#1", "b#2"]
    assert list(found.short) == ["b#2"]
    for id, tokens in kept.long.items():
        np.testing.assert_array_equal(found.long[id].ends, tokens.ends)
        np.testing.assert_allclose(found.long[id].logprobs, tokens.logprobs, rtol=1e-3)
    assert found.spans["é#1"].begins.tolist() == [400, 800]
    assert found.spans["é#1"].ends.tolist() == [800, 1190]
    assert found.spans["é#1"].greedy.tolist() == [True, False]
    assert found.spans["é#1"].logprobs[0] == -0.5
    assert np.isfinite(found.spans["é#1"].logprobs[1])
    assert not len(found.spans["b#2"].begins)


def test_a_token_takes_a_few_bytes(tmp_path: Path) -> None:
    write_scores(tmp_path / "scores.npz", BookScores({"a": some(100_000)}))
    assert (tmp_path / "scores.npz").stat().st_size < 5 * 100_000


def test_nothing_kept_and_no_file(tmp_path: Path) -> None:
    assert read_scores(tmp_path / "scores.npz") is None
    write_scores(tmp_path / "scores.npz", BookScores())
    assert read_scores(tmp_path / "scores.npz") == BookScores({}, {}, {})


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    write_scores(path, BookScores({"a": some(900)}))
    whole = path.read_bytes()
    for damaged in (whole[:-40], b"", b"PK not a zip", whole[:300] + b"\0" * 60 + whole[360:]):
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match=r"scores\.npz.*Delete it") as caught:
            read_scores(path)
        assert "\n" not in str(caught.value)
