"""Replay: the share, own windows all once, other text without repeats, and items that depend on their place only."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from wellread.errors import RecipeError
from wellread.tokens import Mixed, Windows, prepare, train_tokenizer
from wellread.types import Document


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory):
    place = tmp_path_factory.mktemp("mixed")
    folder = train_tokenizer(["ab"], place / "tokenizer", vocabulary=260)

    def make(name: str, *texts: str):
        return prepare([Document(str(n), t) for n, t in enumerate(texts)], folder, place / name, start=1, end=2)

    return {
        "own": make("own", "a" * 2000),
        "other": make("other", "".join(chr(98 + n % 20) for n in range(700))),
        "short": make("short", "xy", "xyz", "x" * 9),
        "none": make("none", "x" * 30),
    }


def mixed(rows, share: float = 0.25, other: str = "other", seed: int = 1) -> Mixed:
    return Mixed(
        Windows(rows["own"], length=32, seed=seed), Windows(rows[other], length=32, seed=seed), share=share, seed=seed
    )


def key(item) -> bytes:
    return item["input_ids"].tobytes()


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
def test_the_share_is_what_was_asked(rows, share):
    windows = mixed(rows, share)
    own = {key(item) for item in Windows(rows["own"], length=32, seed=1)}
    replay = sum(key(item) not in own for item in windows)
    assert replay / len(windows) == pytest.approx(share, abs=0.01)


def test_own_windows_all_come_once_in_an_epoch_cut_as_they_would_be_alone(rows):
    windows, alone = mixed(rows), Windows(rows["own"], length=32, seed=1)
    for epoch in (0, 3):
        windows.set_epoch(epoch)
        alone.set_epoch(epoch)
        expected = Counter(map(key, alone))
        assert Counter(k for k in map(key, windows) if k in expected) == expected


def test_replay_is_fresh_until_all_of_it_was_read(rows):
    windows = mixed(rows)
    own = key(Windows(rows["own"], length=32)[0])
    other = Windows(rows["other"], length=32, seed=1)
    read: list[bytes] = []
    for epoch in range(4):
        windows.set_epoch(epoch)
        places = sorted(range(len(windows)), key=lambda index: windows._order[index])
        read += [key(item) for item in (windows[place] for place in places) if key(item)[:16] != own[:16]][:]
    replayed = len(windows) - len(windows._own)
    stream = []
    for round_ in range(10):
        other.set_epoch(round_)
        stream += [key(item) for item in other]
    fresh = [k for k in read if k in set(stream)]
    assert fresh[: 4 * replayed] == stream[: 4 * replayed]
    assert replayed < len(other) < 4 * replayed


def test_an_item_depends_on_seed_epoch_and_index_only(rows):
    one, other = mixed(rows), mixed(rows)
    one.set_epoch(5)
    expected = [key(one[index]) for index in range(len(one))]
    for epoch in (2, 5):
        other.set_epoch(epoch)
    assert [key(other[index]) for index in reversed(range(len(other)))][::-1] == expected
    one.set_epoch(6)
    assert [key(item) for item in one] != expected
    again = mixed(rows, seed=2)
    again.set_epoch(5)
    assert [key(item) for item in again] != expected
    replay = [index for index in range(len(one)) if one._order[index] >= len(one._own)]
    assert max(np.diff(replay)) < len(one) / 2


def test_what_is_mixed_in_is_never_changed(rows):
    other = Windows(rows["other"], length=32, seed=1)
    other.set_epoch(7)
    windows = Mixed(Windows(rows["own"], length=32), other, share=0.5)
    windows.set_epoch(3)
    assert other.epoch == 7


def test_all_items_have_position_ids_or_none(rows):
    assert {frozenset(item) for item in mixed(rows)} == {frozenset({"input_ids", "labels"})}
    items = list(mixed(rows, other="short"))
    assert {frozenset(item) for item in items} == {frozenset({"input_ids", "labels", "position_ids"})}
    whole = [item["position_ids"] for item in items if set(item["input_ids"]) == set(rows["own"].slice(0, 4, 9))]
    assert whole
    assert all(positions.tolist() == list(range(32)) for positions in whole)


def test_a_tiny_text_is_replayed_again_and_again(rows):
    windows = mixed(rows, 0.5, other="none")
    assert len(windows) == 2 * len(windows._own)
    assert len({key(item) for item in windows} - {key(item) for item in windows._own}) == 1


def test_what_cannot_be_mixed_is_refused(rows):
    own = Windows(rows["own"], length=32)
    with pytest.raises(RecipeError, match=r"windows of 16 tokens .* windows of 32"):
        Mixed(own, Windows(rows["other"], length=16), share=0.5)
    with pytest.raises(RecipeError, match="above 0 and below 1"):
        Mixed(own, own, share=1.0)


def test_where_examples_share_a_beginning_the_rest_of_a_batch_is_told_apart_too(rows):
    class Shared:
        length = 32

        def __len__(self) -> int:
            return 3

        def __getitem__(self, place: int):
            ids = np.full(32, 7)
            return {"input_ids": ids, "labels": ids, "segments": np.arange(32) // 8}

        def set_epoch(self, epoch: int) -> None:
            pass

    both = Mixed(Shared(), Windows(rows["short"], length=32), share=0.25)
    assert all("position_ids" in item for item in both)
    [other] = [item for item in both if item["input_ids"][0] != 7]
    restarts = np.flatnonzero(other["position_ids"] == 0)
    assert len(restarts) > 2
    assert np.flatnonzero(np.diff(other["segments"], prepend=0)).tolist() == restarts.tolist()
    assert other["segments"].min() == 1
