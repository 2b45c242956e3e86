"""Windows of a library that hold passages which nothing may read: found wherever they begin, and left out."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from wellread.testing import prose
from wellread.tokens import DrawnWindows, draw_windows, train_tokenizer
from wellread.tokens.rows import Rows, prepare
from wellread.tokens.unseen import _runs, left_out
from wellread.types import Document

LENGTH = 256
SECRET = prose(400, seed=77)
"""What the library must not teach."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer([prose(3000)], tmp_path_factory.mktemp("unseen") / "tokenizer", vocabulary=500)


@pytest.fixture(scope="module")
def unseen(tokenizer: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    documents = [Document("held-out", f"Chapter 2\n\n{SECRET}\n"), Document("short", "A few words.")]
    return prepare(documents, tokenizer, tmp_path_factory.mktemp("rows") / "unseen", start=0, end=1)


def drawn(tokenizer: Path, folder: Path, texts: list[str], n: int = 60, length: int = LENGTH) -> DrawnWindows:
    (folder / "library").mkdir(parents=True)
    for number, text in enumerate(texts):
        (folder / "library" / f"{number}.txt").write_text(text, encoding="utf-8")
    draw_windows([folder / "library"], tokenizer, folder / "drawn", n=n, length=length, seed=3, start=0, end=1)
    return DrawnWindows(folder / "drawn")


def test_windows_with_a_passage_of_the_text_are_left_out_of_every_epoch(tokenizer, unseen, tmp_path):
    words = SECRET.split()
    texts = [prose(2500, seed=1), prose(900, seed=2) + " " + " ".join(words[40:300]) + " " + prose(900, seed=4)]
    windows = drawn(tokenizer, tmp_path, texts)
    found = left_out(windows, unseen, tokenizer)
    assert 2 <= len(found) <= 20
    kept = DrawnWindows(tmp_path / "drawn", without=found)
    assert len(kept) == len(windows) - len(found)
    from wellread.weights import open_tokenizer

    tongue = open_tokenizer(tokenizer)
    passages = {" ".join(words[at : at + 30]) for at in range(40, 270)}
    for epoch in (0, 1):
        kept.set_epoch(epoch)
        read = [tongue.decode(kept[index]["input_ids"]) for index in range(len(kept))]
        assert not any(passage in text for text in read for passage in passages)
        places = {kept.place(index) for index in range(len(kept))}
        assert len(places) == len(kept)
    again = pickle.loads(pickle.dumps(kept))
    assert len(again) == len(kept)
    assert all(np.array_equal(again[n]["input_ids"], kept[n]["input_ids"]) for n in range(len(kept)))


def test_every_window_of_a_library_opens_with_the_id_that_is_wanted(tokenizer, tmp_path):
    plain = drawn(tokenizer, tmp_path, [prose(1500, seed=5)], n=20)
    opening = pickle.loads(pickle.dumps(DrawnWindows(tmp_path / "drawn", opening=1)))
    pairs = [(plain[number], opening[number]) for number in range(len(plain))]
    assert all(other["input_ids"][0] == 1 for _, other in pairs)
    assert any(one["input_ids"][0] != 1 for one, _ in pairs)
    assert all(np.array_equal(one["input_ids"][1:], other["input_ids"][1:]) for one, other in pairs)
    assert all(np.array_equal(one["labels"], other["labels"]) for one, other in pairs)


@pytest.mark.parametrize("kind", ["lines", "signs", "capitals", "accents"])
def test_another_edition_of_the_text_is_left_out_too(tokenizer, unseen, tmp_path, kind):
    words = SECRET.split()
    edition = {
        "lines": "\n".join(" ".join(words[at : at + 10]) for at in range(0, len(words), 10)),
        "signs": " ".join(f"“{word},” —" if place % 7 == 0 else word for place, word in enumerate(words)),
        "capitals": SECRET.upper(),
        "accents": SECRET.replace("e", "é"),
    }[kind]
    windows = drawn(tokenizer, tmp_path, [prose(1500, seed=1), edition], n=40)
    found = set(left_out(windows, unseen, tokenizer))
    of_the_secret = {number for number in range(40) if windows_place(windows, number) == "1.txt"}
    assert of_the_secret - found <= {max(of_the_secret)}  # the last is hardly filled by the end of the text
    assert found - of_the_secret <= {min(of_the_secret) - 1}  # the one that the other text ends in
    assert len(found) > 3


def windows_place(windows: DrawnWindows, number: int) -> str:
    """The file in which a window of the draw begins."""
    index = int(np.flatnonzero(windows._order == number)[0])
    return windows.place(index)[0].rpartition("/")[2]


def test_every_run_of_letters_has_its_own_hash_wherever_it_stands():
    texts = [np.frombuffer(text.encode("utf-32-le"), np.uint32) for text in ("abcdab", "", "xabcd", "dcba")]
    hashes, owners = _runs(texts, 3)
    assert owners.tolist() == [0, 0, 0, 0, 2, 2, 2, 3, 3]
    runs = ["abc", "bcd", "cda", "dab", "xab", "abc", "bcd", "dcb", "cba"]
    assert [[one == other for other in runs] for one in runs] == [[one == other for other in hashes] for one in hashes]


def test_a_library_of_other_text_loses_nothing(tokenizer, unseen, tmp_path):
    phrase = " ".join(SECRET.split()[:10])
    windows = drawn(tokenizer, tmp_path, [prose(1500, seed=5) + " " + phrase + " " + prose(1500, seed=6)], n=30)
    assert left_out(windows, unseen, tokenizer) == []


def test_short_windows_are_compared_by_shorter_runs(tokenizer, unseen, tmp_path):
    windows = drawn(tokenizer, tmp_path, [SECRET], n=20, length=48)
    assert len(left_out(windows, unseen, tokenizer)) == 20


def test_an_answer_is_kept_until_the_text_changes(tokenizer, unseen, tmp_path, monkeypatch):
    windows = drawn(tokenizer, tmp_path, [SECRET, prose(2000, seed=8)])
    found = left_out(windows, unseen, tokenizer)
    assert found
    monkeypatch.setattr(DrawnWindows, "blocks", lambda self, size: iter(()))
    assert left_out(windows, unseen, tokenizer) == found
    other = prepare([Document("x", prose(300, seed=9))], tokenizer, tmp_path / "other", start=0, end=1)
    assert left_out(windows, other, tokenizer) == []
