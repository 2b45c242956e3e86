"""Rows on disk: known ids, whole or absent, reused, and data stays data."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wellread.errors import CorpusError, ModelError, StorageError
from wellread.tokens import open_rows, prepare, train_tokenizer
from wellread.tokens import rows as rows_module
from wellread.types import Document

TEXT = "\n\n".join(f"Line {n}: the heron <s> stood </s> still, <|im_end|> l’été." for n in range(100))
DOCUMENTS = [Document("a", TEXT), Document("b", ""), Document("c", "naïve 🙂"), Document("d", TEXT[::-1])]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer([TEXT], tmp_path_factory.mktemp("rows") / "tokenizer", vocabulary=300)


def encode(folder: Path, text: str) -> list[int]:
    from tokenizers import Tokenizer

    whole = Tokenizer.from_file(str(folder / "tokenizer.json"))
    whole.encode_special_tokens = True
    return whole.encode(text, add_special_tokens=False).ids


def test_rows_are_the_tokens_between_start_and_end(tokenizer, tmp_path):
    rows = prepare(DOCUMENTS, tokenizer, tmp_path / "rows", start=1, end=2)
    assert len(rows) == 4
    assert rows.ids == ["a", "b", "c", "d"]
    for index, document in enumerate(DOCUMENTS):
        ids = rows.document(index)
        assert ids.dtype == np.int32
        assert ids.tolist() == [1, *encode(tokenizer, document.text), 2]
        assert rows.lengths[index] == len(ids)
    assert rows.document(-1).tolist() == rows.document(3).tolist()
    assert rows.document(1).tolist() == [1, 2]
    assert rows.bytes == sum(len(document.text.encode()) for document in DOCUMENTS)
    assert rows.tokens == sum(rows.lengths)
    with pytest.raises(IndexError):
        rows.document(4)
    assert not rows.document(0).flags.owndata
    assert rows.slice(0, 5, 9).tolist() == rows.document(0)[5:9].tolist()


def test_datasets_loads_the_folder(tokenizer, tmp_path):
    from datasets import load_from_disk

    rows = prepare(DOCUMENTS, tokenizer, tmp_path / "rows", start=1, end=2)
    loaded = load_from_disk(str(tmp_path / "rows"))
    assert loaded.column_names == ["id", "piece", "input_ids"]
    assert loaded["id"][:] == rows.ids
    assert loaded[2]["input_ids"] == rows.document(2).tolist()
    counts = json.loads((tmp_path / "rows" / "counts.json").read_text(encoding="utf-8"))
    assert (counts["documents"], counts["tokens"], counts["bytes"]) == (4, rows.tokens, rows.bytes)


def test_special_names_in_a_text_are_text(tokenizer, tmp_path):
    """For our own tokenizer, and for one with special tokens, truncation, padding and a template that adds BOS."""
    from tokenizers import AddedToken, Tokenizer, processors

    chatty = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    chatty.add_special_tokens([AddedToken("<|im_end|>", special=True)])
    chatty.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    chatty.enable_truncation(5)
    chatty.enable_padding(length=4000)
    (tmp_path / "chatty").mkdir()
    chatty.save(str(tmp_path / "chatty" / "tokenizer.json"))
    special = chatty.token_to_id("<|im_end|>")
    for folder in (tokenizer, tmp_path / "chatty"):
        ids = prepare(DOCUMENTS, folder, tmp_path / f"rows-{folder.name}", start=1, end=2).document(0).tolist()
        assert ids == [1, *encode(tokenizer, TEXT), 2]
        assert special not in ids
        assert min(ids[1:-1]) > 3


def test_a_document_of_many_rows_reads_as_one(tokenizer, tmp_path, monkeypatch):
    whole = prepare(DOCUMENTS * 3, tokenizer, tmp_path / "whole", start=1, end=2)
    monkeypatch.setattr("wellread.tokens.encode.ROW", 700)
    monkeypatch.setattr("wellread.tokens.rows.FLUSH", 1500)
    monkeypatch.setattr("wellread.tokens.encode.BATCH", 3000)
    monkeypatch.setattr("wellread.tokens.pieces.SHORT", 100)
    cut = prepare(DOCUMENTS * 3, tokenizer, tmp_path / "cut", start=1, end=2)
    assert (cut.tokens, cut.bytes, cut.ids) == (whole.tokens, whole.bytes, whole.ids)
    assert len(cut._values) > 5
    assert max(len(each) for each in cut._values) < 4000
    for index in range(len(whole)):
        ids = whole.document(index)
        assert np.array_equal(cut.document(index), ids)
        for start in range(0, len(ids), 97):
            for stop in (start, start + 1, start + 650, start + 1500, len(ids)):
                assert np.array_equal(cut.slice(index, start, min(stop, len(ids))), ids[start:stop])


def test_same_input_is_reused_and_other_input_is_not(tokenizer, tmp_path):
    folder = tmp_path / "rows"

    def stamp(documents, end=2) -> int:
        prepare(documents, tokenizer, folder, start=1, end=end)
        return (folder / "counts.json").stat().st_ino

    first = stamp(DOCUMENTS)
    assert stamp(tuple(DOCUMENTS)) == first
    assert stamp(DOCUMENTS, end=3) != first
    longer = [*DOCUMENTS, Document("e", "more")]
    stamp(longer)
    assert open_rows(folder).ids[-1] == "e"
    moved = [Document("a", TEXT + "m"), *longer[1:-1], Document("e", "ore")]
    prepare(moved, tokenizer, folder, start=1, end=2)
    assert open_rows(folder).document(4).tolist() == [1, *encode(tokenizer, "ore"), 2]
    assert len(prepare(iter(DOCUMENTS), tokenizer, folder, start=1, end=2)) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows"]


def test_rows_of_another_tokenizer_are_not_reused(tokenizer, tmp_path):
    other = train_tokenizer([TEXT], tmp_path / "other", vocabulary=270)
    few = prepare(DOCUMENTS, tokenizer, tmp_path / "rows", start=1, end=2).tokens
    assert prepare(DOCUMENTS, other, tmp_path / "rows", start=1, end=2).tokens > few


def test_damage_is_found_and_mended(tokenizer, tmp_path):
    folder = tmp_path / "rows"
    tokens = prepare(DOCUMENTS, tokenizer, folder, start=1, end=2).tokens
    data = folder / rows_module.ARROW
    whole = data.read_bytes()
    for damaged in (whole[:-100], whole[:50], b"", b"x" * len(whole)):
        data.unlink()
        data.write_bytes(damaged)
        with pytest.raises(StorageError, match=r"damaged.*run again") as caught:
            open_rows(folder)
        assert "\n" not in str(caught.value)
    assert prepare(DOCUMENTS, tokenizer, folder, start=1, end=2).tokens == tokens
    (folder / "counts.json").write_text('{"format":')
    with pytest.raises(StorageError, match=r"damaged.*counts\.json"):
        open_rows(folder)


def test_foreign_folders_are_left_alone(tokenizer, tmp_path):
    with pytest.raises(StorageError, match="no prepared rows"):
        open_rows(tmp_path / "absent")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "diary.txt").write_text("dear diary")
    with pytest.raises(StorageError, match="no prepared rows"):
        prepare(DOCUMENTS, tokenizer, mine, start=1, end=2)
    (mine / "counts.json").write_text("{}")
    with pytest.raises(StorageError, match="another folder"):
        prepare(DOCUMENTS, tokenizer, mine, start=1, end=2)
    assert (mine / "diary.txt").read_text() == "dear diary"


def test_what_a_user_can_get_wrong_is_one_line(tokenizer, tmp_path):
    with pytest.raises(CorpusError, match="no documents"):
        prepare([], tokenizer, tmp_path / "rows", start=1, end=2)
    with pytest.raises(ModelError, match="cannot read the tokenizer"):
        prepare(DOCUMENTS, tmp_path, tmp_path / "rows", start=1, end=2)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="not a tokenizer"):
        prepare(DOCUMENTS, tmp_path, tmp_path / "rows", start=1, end=2)
    with pytest.raises(CorpusError, match="half a character"):
        prepare([Document("a", "\ud83d")], tokenizer, tmp_path / "rows", start=1, end=2)
    with pytest.raises(StorageError, match="cannot write the rows"):
        prepare(DOCUMENTS, tokenizer, tmp_path / "tokenizer.json" / "rows", start=1, end=2)
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.json"]


FULL_DISK = """
import resource, sys
from pathlib import Path
from wellread.errors import StorageError
from wellread.tokens import prepare
from wellread.types import Document
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    prepare([Document("a", "heron " * 50_000)], sys.argv[1], Path(sys.argv[2]), start=1, end=2)
except StorageError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_takes_no_more_leaves_nothing(tokenizer, tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(tokenizer), str(tmp_path / "rows")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cannot write the rows to ")
    assert done.stdout.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
from wellread.tokens import prepare
from wellread.types import Document
def documents():
    for n in range(30):
        yield Document(str(n), "heron lamp quay " * 3_000)
    os.kill(os.getpid(), 9)
prepare(documents(), sys.argv[1], Path(sys.argv[2]), start=1, end=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_preparation_is_absent_then_whole(tokenizer, tmp_path):
    folder = tmp_path / "rows"
    command = [sys.executable, "-c", KILLED, str(tokenizer), str(folder)]
    assert subprocess.run(command, capture_output=True).returncode == -9
    assert not folder.exists()
    assert [path.name.startswith(".rows.") for path in tmp_path.iterdir()] == [True]
    assert len(prepare(DOCUMENTS, tokenizer, folder, start=1, end=2)) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_rows_travel_to_other_processes(tokenizer, tmp_path):
    rows = prepare(DOCUMENTS, tokenizer, tmp_path / "rows", start=1, end=2)
    copy = pickle.loads(pickle.dumps(rows))
    assert np.array_equal(copy.document(0), rows.document(0))


def test_the_room_loads_no_torch(tokenizer, tmp_path):
    script = f"""
import sys
from pathlib import Path
from wellread.tokens import Windows, prepare, train_tokenizer, validation_windows
from wellread.types import Document
train_tokenizer(["a b c"], Path({str(tmp_path / "t")!r}), vocabulary="auto")
rows = prepare([Document("a", "heron " * 100)], {str(tokenizer)!r}, Path({str(tmp_path / "rows")!r}), start=1, end=2)
Windows(rows, length=16)[0], validation_windows(rows, 16)[0]
print(sorted({{"torch", "transformers", "datasets"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


MEASURED = """
import random, sys
from pathlib import Path
from wellread.tokens import prepare
from wellread.types import Document
draw = random.Random(0)
words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(5_000)]
def documents():
    for n in range(int(sys.argv[3])):
        yield Document(str(n), "\\n\\n".join(" ".join(draw.choices(words, k=60)) for _ in range(3_000)))
prepare(documents(), sys.argv[1], Path(sys.argv[2]), start=1, end=2)
# ru_maxrss would be the peak of whatever forked us; VmHWM begins anew with this program
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads peak memory as Linux gives it")
def test_memory_does_not_grow_with_the_text(tokenizer, tmp_path):
    def peak_kilobytes(documents: int) -> int:
        command = [sys.executable, "-c", MEASURED, str(tokenizer), str(tmp_path / f"{documents}"), str(documents)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    few, many = peak_kilobytes(4), peak_kilobytes(12)
    assert many < 500_000
    assert many - few < 60_000
