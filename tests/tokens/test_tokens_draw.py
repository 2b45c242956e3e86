"""Draws: known windows, evenness, no repeats, the log that repeats them, kills, every kind of shard."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tokens_drawing import LENGTH, book, contents, drawn, write_library

from wellread.errors import CorpusError, StorageError
from wellread.testing import prose
from wellread.tokens import DrawnWindows, train_tokenizer
from wellread.tokens import draw as draw_module
from wellread.tokens import plan as plan_module
from wellread.tokens.library import passed_over
from wellread.tokens.plan import part_path
from wellread.tokens.stretches import keeps_space

IGNORED = -100


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer([prose(3000)], tmp_path_factory.mktemp("draw") / "tokenizer", vocabulary=500)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_library(tmp_path_factory.mktemp("library"))


def documents(library: Path) -> dict[tuple[str, int], bytes]:
    """(shard, number) -> text, read as anybody would."""
    from pyarrow import parquet as pq

    name = library.name
    found = {(f"{name}/{path}", 0): (library / path).read_bytes() for path in ("a.txt", "inner/b.md")}
    for number, line in enumerate((library / "c.jsonl").read_text(encoding="utf-8").split("\n")):
        try:
            found[f"{name}/c.jsonl", number] = json.loads(line)["text"].encode()
        except (ValueError, TypeError, AttributeError):
            continue
    for number, text in enumerate(pq.read_table(library / "d.parquet")["text"].to_pylist()):
        found[f"{name}/d.parquet", number] = (text or "").encode()
    return {key: text for key, text in found.items() if text}


def expected_ids(tokenizer: Path, texts: dict, place: tuple[str, int, int]) -> list[int]:
    from tokenizers import Tokenizer

    bare = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    bare.encode_special_tokens = True
    keys = sorted(texts, key=lambda key: (key[0].replace("/inner/", "/inner/"), key[1]))
    at, offset, ids = keys.index(place[:2]), place[2], []
    while len(ids) < LENGTH and at < len(keys):
        text = (
            texts[keys[at]][offset : offset + 40 * LENGTH]
            .decode(errors="ignore")
            .removeprefix("\ufeff")
            .replace("\r\n", "\n")
        )
        ids += [*([1] if offset == 0 else []), *bare.encode(text).ids, 2]  # 2: behind what is looked at, or the end
        at, offset = at + 1, 0
    return ids[:LENGTH]


def test_the_log_repeats_the_draw(library, tokenizer, tmp_path):
    """Every window is the tokens of the text at its logged place, through the ends of documents."""
    drawn(library, tokenizer, tmp_path / "drawn")
    windows = DrawnWindows(tmp_path / "drawn")
    texts = documents(library)
    several = 0
    for index in range(len(windows)):
        item, place = windows[index], windows.place(index)
        assert item["input_ids"].tolist() == expected_ids(tokenizer, texts, place)
        assert item["input_ids"].dtype == item["labels"].dtype == np.int64
        starts = [0, *(at for at in range(1, LENGTH) if item["input_ids"][at] == 1)]
        several += len(starts) > 1
        assert np.flatnonzero(item["labels"] == IGNORED).tolist() == starts
        assert np.flatnonzero(item["position_ids"] == 0).tolist() == starts
        if place[2]:  # at a word, but for the very last one of a document
            assert texts[place[:2]][place[2] :][:1].isspace() or len(texts[place[:2]][place[2] :].split()) == 1
    assert several > 10


def test_windows_are_spread_evenly_by_size_and_do_not_overlap(library, tokenizer, tmp_path):
    found = drawn(library, tokenizer, tmp_path / "drawn", n=300)
    total = sum(size for _, size, _ in found.shards)
    assert [name.partition("/")[2] for name, _, _ in found.shards] == ["a.txt", "c.jsonl", "d.parquet", "inner/b.md"]
    for _, size, windows in found.shards:
        assert abs(windows - 300 * size / total) < 2
    assert (found.windows, found.tokens, found.padded) == (300, 300 * LENGTH, 0)
    windows = DrawnWindows(tmp_path / "drawn")
    places = sorted(windows.place(index) for index in range(300))
    assert len(set(places)) == 300
    inside = [(a, b) for a, b in pairwise(places) if a[:2] == b[:2] and a[0].endswith(".txt")]
    assert min(b[2] - a[2] for a, b in inside) > 2.5 * LENGTH
    begun = [offset for name, _, offset in places if name.endswith(("a.txt", "b.md"))]
    assert max(np.diff(sorted(begun))) < 2 * total / 300


def test_another_seed_draws_other_places(library, tokenizer, tmp_path):
    drawn(library, tokenizer, tmp_path / "one", n=100)
    drawn(library, tokenizer, tmp_path / "two", n=100, seed=2)
    one, two = ({w.place(i) for i in range(100)} for w in map(DrawnWindows, (tmp_path / "one", tmp_path / "two")))
    assert len(one & two) < 20


def test_parts_and_batches_change_nothing(library, tokenizer, tmp_path, monkeypatch):
    drawn(library, tokenizer, tmp_path / "whole", n=150)
    monkeypatch.setattr(draw_module, "BATCH", 1500)
    monkeypatch.setattr(draw_module, "LEAST", 8)
    monkeypatch.setattr(plan_module, "PART", 7 * LENGTH)
    drawn(library, tokenizer, tmp_path / "again", n=150)
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")


def test_what_is_done_is_not_done_again(library, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "PART", 50 * LENGTH)
    folder = tmp_path / "drawn"
    drawn(library, tokenizer, folder)
    before = contents(folder)
    stamps = [part_path(folder, part).stat().st_ino for part in range(8)]
    for gone in (part_path(folder, 3), part_path(folder, 6), folder / "counts.json"):
        gone.unlink()
    with pytest.raises(StorageError, match="run the draw again"):
        DrawnWindows(folder)
    drawn(library, tokenizer, folder)
    assert contents(folder) == before
    assert [n for n in range(8) if part_path(folder, n).stat().st_ino != stamps[n]] in ([3, 6], [3], [6], [])
    for how in ({"n": 120}, {"seed": 9}, {"end": 3}, {"length": 16}):
        found = drawn(library, tokenizer, folder, **how)
        assert len(DrawnWindows(folder)) == found.windows == how.get("n", 400)
        assert contents(folder) != before


KILLED = """
import os, sys
from pathlib import Path
from wellread.tokens import draw_windows
from wellread.tokens import plan
plan.PART = 50 * 32
def say(line):
    if line.startswith("drew 3"):
        os.kill(os.getpid(), 9)
draw_windows([sys.argv[1]], sys.argv[2], Path(sys.argv[3]), n=400, length=32, seed=1, start=1, end=2, say=say)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_draw_goes_on_without_loss_or_repeats(library, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "PART", 50 * LENGTH)
    folder = tmp_path / "killed"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(library), str(tokenizer), str(folder)], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert sorted(path.name for path in (folder / "parts").iterdir()) == [f"0000{n}.arrow" for n in range(3)]
    (folder / "parts" / ".00003.arrow.77.partial").write_bytes(b"half")
    drawn(library, tokenizer, folder)
    drawn(library, tokenizer, tmp_path / "whole")
    assert contents(folder) == contents(tmp_path / "whole")
    assert len(list((folder / "parts").iterdir())) == 8


def test_epochs_shuffle_and_every_window_comes_once(library, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "PART", 50 * LENGTH)
    drawn(library, tokenizer, tmp_path / "drawn", n=170)
    one, two = DrawnWindows(tmp_path / "drawn", seed=3), DrawnWindows(tmp_path / "drawn", seed=4)
    first = [one.place(index) for index in range(170)]
    assert len(set(first)) == 170
    one.set_epoch(1)
    assert [one.place(index) for index in range(170)] != first
    assert {one.place(index) for index in range(170)} == set(first)
    assert [two.place(index) for index in range(170)] != first
    copy = pickle.loads(pickle.dumps(one))
    assert all(np.array_equal(a["input_ids"], b["input_ids"]) for a, b in zip(one, copy, strict=True))
    with pytest.raises(IndexError):
        one[170]


def test_more_windows_than_the_library_holds_overlap(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text(book(1, 400))
    found = drawn(tmp_path / "a.txt", tokenizer, tmp_path / "drawn", n=500)
    assert found.padded <= 5
    assert len(DrawnWindows(tmp_path / "drawn")) == 500


def test_a_library_shorter_than_a_window_is_padded(tokenizer, tmp_path):
    (tmp_path / "a.txt").write_text("one lamp")
    assert drawn(tmp_path / "a.txt", tokenizer, tmp_path / "drawn", n=2).padded == 2
    item = DrawnWindows(tmp_path / "drawn", pad=7)[0]
    stop = int(np.flatnonzero(item["input_ids"] == 2)[0]) + 1
    assert set(item["input_ids"][stop:]) == {7}
    assert set(item["labels"][stop:]) == {IGNORED}


def test_text_without_spaces_and_of_wide_characters(tokenizer, tmp_path):
    text = "".join(random.Random(1).choices("日本語字🙂", k=3000))
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    drawn(tmp_path / "a.txt", tokenizer, tmp_path / "drawn", n=50)
    windows = DrawnWindows(tmp_path / "drawn")
    for index in range(50):
        _, _, offset = windows.place(index)
        text.encode()[offset:].decode()


def test_where_a_word_begins_for_other_tokenizers():
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    words = " ".join(random.Random(1).choices(["the", "lamp", "went", "out", "on", "a", "quay"], k=2000))

    def taught(pre, normalizer=None):
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre
        if normalizer:
            tokenizer.normalizer = normalizer
        trainer = trainers.BpeTrainer(vocab_size=300, show_progress=False)
        tokenizer.train_from_iterator([words], trainer)
        return tokenizer

    assert keeps_space(taught(pre_tokenizers.ByteLevel(add_prefix_space=False)))
    as_llama2 = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    assert not keeps_space(taught(pre_tokenizers.Split("▁", "merged_with_next"), as_llama2))


def test_files_of_a_library_that_are_not_read_are_counted(tmp_path):
    for name in ("a.txt", "b.EPUB", "inner/c.epub", "notes", ".hidden.pdf"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    assert passed_over([tmp_path, tmp_path / "a.txt"]) == {".epub": 2, "no suffix": 1}


def test_what_a_user_can_get_wrong_is_one_line(library, tokenizer, tmp_path, monkeypatch):
    (tmp_path / "a.pdf").write_text("x")
    (tmp_path / "latin.txt").write_bytes("été ".encode("latin-1") * 100)
    (tmp_path / "bad.jsonl").write_text("nonsense\n")
    (tmp_path / "bad.parquet").write_text("nonsense\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").write_text("")
    wrong = {
        "nowhere at all": "neither a file nor a folder",
        "a.pdf": "not a shard",
        "latin.txt": "not UTF-8",
        "bad.jsonl": "line 1: not valid JSON",
        "bad.parquet": "not a Parquet file",
        "empty": "no shards in this folder",
        "blank.txt": "files are empty",
    }
    for name, said in wrong.items():
        with pytest.raises(CorpusError, match=said) as caught:
            drawn(tmp_path / name, tokenizer, tmp_path / "drawn")
        assert "\n" not in str(caught.value)
    for shard in ("c.jsonl", "d.parquet"):
        with pytest.raises(CorpusError, match=r"no texts in a column 'content'; found text"):
            drawn(library / shard, tokenizer, tmp_path / "drawn", column="content")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(StorageError, match="choose another folder"):
        drawn(library, tokenizer, tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").exists()
    with pytest.raises(StorageError, match=r"drawn: cannot be written \(Not a directory\)"):
        drawn(library, tokenizer, tmp_path / "a.pdf" / "drawn")


def test_parts_of_another_draw_that_cannot_be_removed_stop_it(library, tokenizer, tmp_path, monkeypatch):
    drawn(library, tokenizer, tmp_path / "drawn")

    def refuse(path, **_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(plan_module.shutil, "rmtree", refuse)
    with pytest.raises(StorageError, match=r"the draw into .* stopped: Permission denied"):
        drawn(library, tokenizer, tmp_path / "drawn", seed=9)
    monkeypatch.undo()
    assert drawn(library, tokenizer, tmp_path / "drawn", seed=9).windows
