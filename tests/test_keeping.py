"""What was measured before a kill is not measured again: rows under a mark, one metric at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from wellread.errors import StorageError
from wellread.keeping import keep, let_go, measure_each, open_kept
from wellread.metrics import measure
from wellread.testing import UniformBytes, evidence, prose
from wellread.types import Measurement, Scored, Tally

ROW = Measurement(
    "share_of_it", 0.1 + 0.2, "share", "imprint", "train", n=3, low=0.1, high=0.5, tallies=(Tally("a", 1, 3),)
)


class Counted(UniformBytes):
    """Counts what it is asked to score, and is killed at that call."""

    def __init__(self, killed_at: int = 0) -> None:
        self.calls, self._killed_at = 0, killed_at

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        self.calls += 1
        if self.calls == self._killed_at:
            raise KeyboardInterrupt
        return super().score(texts, length=length, stride=stride)


def test_rows_come_back_as_they_were_under_the_same_mark_alone(tmp_path: Path) -> None:
    path = tmp_path / "so-far.jsonl"
    keep(open_kept(path, "one"), "first", [ROW, ROW.of("base")])
    keep(open_kept(path, "one"), "second", [ROW])
    assert open_kept(path, "one").rows == {"first": [ROW, ROW.of("base")], "second": [ROW]}
    assert open_kept(path, "other").rows == {}
    keep(open_kept(path, "other"), "third", [ROW])
    assert open_kept(path, "one").rows == {}
    let_go(path, tmp_path / "never")
    assert open_kept(path, "other").rows == {}


def test_what_could_not_be_measured_is_tried_again(tmp_path: Path) -> None:
    kept = open_kept(tmp_path / "so-far.jsonl")
    keep(kept, "first", [ROW, Measurement("other", None, note="no package")])
    keep(kept, "second", [])
    assert kept.rows == open_kept(kept.path).rows == {}


def test_a_damaged_file_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "so-far.jsonl"
    path.write_text("what\n", encoding="utf-8")
    with pytest.raises(StorageError, match=r"so-far\.jsonl, line 1: not JSON .*Delete it"):
        open_kept(path)


def test_a_metric_that_is_kept_asks_nothing_of_the_model(tmp_path: Path) -> None:
    names = ["bits_per_byte", "greedy_recited_share", "longest_recited_words"]
    texts = {"train": prose(400), "validation": prose(200, 1), "held_out": prose(200, 2)}
    calm = Counted()
    wanted = measure(evidence(calm, **texts), names)
    assert calm.calls == 3 + 4
    order: list[str] = []

    def told() -> None:
        order.append("scores" if (tmp_path / "so-far").exists() else "first scores")

    with pytest.raises(KeyboardInterrupt):
        measure_each(evidence(Counted(5), **texts), names, open_kept(tmp_path / "so-far"), scored=told)
    assert order == ["first scores"]
    again = Counted()
    assert measure_each(evidence(again, **texts), names, open_kept(tmp_path / "so-far"), scored=told) == wanted
    assert again.calls == 4
    assert order == ["first scores", "scores", "scores"]
    anew = Counted()
    measure_each(evidence(anew, **texts), names, open_kept(tmp_path / "so-far"), anew=["bits_per_byte"])
    assert anew.calls == 3


def test_without_names_all_that_apply_are_measured(tmp_path: Path) -> None:
    texts = {"train": prose(400), "held_out": prose(200, 2)}
    wanted = measure(evidence(UniformBytes(), **texts))
    assert measure_each(evidence(UniformBytes(), **texts), (), open_kept(tmp_path / "so-far")) == wanted
