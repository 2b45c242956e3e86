from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from books import WORDS

from wellread.corpus.ingest import ingest, read_corpus, read_documents, write_corpus
from wellread.errors import CorpusError, StorageError
from wellread.recipe import CorpusSettings
from wellread.types import Corpus, Document, Removal, Skipped


def write_novel(path: Path, chapters: int = 12, seed: int = 0) -> Path:
    draw = random.Random(seed)
    lines = ["*** START OF THE PROJECT GUTENBERG EBOOK X ***", ""]
    for number in range(1, chapters + 1):
        lines += [f"CHAPTER {number}", ""]
        for _ in range(8):
            words = [draw.choice(WORDS) + draw.choice(["", "s", "ed", "ing"]) for _ in range(40)]
            lines += [" ".join(words[start : start + 10]) for start in range(0, 40, 10)]
            lines[-4] = lines[-4].capitalize()
            lines[-1] += "."
            lines.append("")
    lines += ["*** END OF THE PROJECT GUTENBERG EBOOK X ***", "", "Terms of use."]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_a_file_becomes_a_corpus(tmp_path: Path) -> None:
    corpus = ingest([write_novel(tmp_path / "novel.txt")], CorpusSettings(), seed=0)
    assert [d.section for d in corpus.documents] == [f"CHAPTER {n}" for n in range(1, 13)]
    assert {part: len(ids) for part, ids in corpus.split.items()} == {"train": 10, "validation": 1, "held_out": 1}
    assert {removal.rule for removal in corpus.cleaning} == {"licence", "wrapped lines"}
    assert all(removal.count and removal.example for removal in corpus.cleaning)
    assert "Terms of use" not in corpus.documents[-1].text
    assert corpus.notes == ()


def test_without_cleaning_the_text_stays_as_it_is(tmp_path: Path) -> None:
    path = write_novel(tmp_path / "novel.txt")
    corpus = ingest([path], CorpusSettings(clean=False), seed=0)
    whole = path.read_text(encoding="utf-8")
    assert all(whole[d.offset : d.offset + len(d.text)] == d.text for d in corpus.documents)
    assert "Terms of use." in corpus.documents[-1].text
    assert corpus.cleaning == ()


def test_settings_decide_the_shares_and_the_seed_the_parts(tmp_path: Path) -> None:
    path = write_novel(tmp_path / "novel.txt", chapters=40)
    corpus = ingest([path], CorpusSettings(validation=0.2, held_out=0.3), seed=0)
    assert {part: len(ids) for part, ids in corpus.split.items()} == {"train": 20, "validation": 8, "held_out": 12}
    assert ingest([path], CorpusSettings(), seed=0).split != ingest([path], CorpusSettings(), seed=1).split


def test_a_bad_file_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    write_novel(tmp_path / "novel.txt")
    (tmp_path / "broken.epub").write_bytes(b"no archive")
    corpus = ingest([tmp_path], CorpusSettings(), seed=0)
    assert [Path(skipped.source).name for skipped in corpus.skipped] == ["broken.epub"]
    with pytest.raises(CorpusError, match=r"broken\.epub"):
        ingest([tmp_path], CorpusSettings(), seed=0, strict=True)


def test_nothing_to_read_and_too_little_to_split(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text(" \n\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"empty\.txt"):
        ingest([tmp_path / "empty.txt"], CorpusSettings(), seed=0)
    (tmp_path / "short.txt").write_text("Too short to split.\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"4 words"):
        ingest([tmp_path / "short.txt"], CorpusSettings(), seed=0)
    documents, _, _ = read_documents([tmp_path / "short.txt"], CorpusSettings())
    assert [d.text for d in documents] == ["Too short to split."]


def test_a_text_cut_into_passages_is_noted(tmp_path: Path) -> None:
    draw = random.Random(0)
    paragraphs = [" ".join(draw.choices(WORDS, k=60)).capitalize() + "." for _ in range(60)]
    (tmp_path / "essay.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")
    corpus = ingest([tmp_path / "essay.txt"], CorpusSettings(), seed=0)
    assert any(note.startswith("essay.txt: cut into ") for note in corpus.notes)


CORPUS = Corpus(
    (
        Document("a-0001", "Été\n\nune ligne\u2028 et « l'autre »", "a.txt", "I", 0, {"kind": "chapter", "title": "É"}),
        Document("a-0002", "b", "a.txt"),
    ),
    {"train": ("a-0001",), "validation": (), "held_out": ("a-0002",)},
    (Removal("hyphen splits", 3, "a-/b → ab"),),
    (Skipped("b.pdf", "encrypted"),),
    ("cut",),
)


def test_the_corpus_survives_the_disk(tmp_path: Path) -> None:
    write_corpus(CORPUS, tmp_path / "corpus")
    write_corpus(CORPUS, tmp_path / "corpus")
    assert read_corpus(tmp_path / "corpus") == CORPUS
    names = sorted(path.name for path in (tmp_path / "corpus").iterdir())
    assert names == ["cleaning.json", "documents.jsonl", "notes.json", "split.json"]
    rows = [
        json.loads(line) for line in (tmp_path / "corpus" / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert list(rows[0]) == ["id", "text", "source", "section", "offset", "metadata"]
    assert json.loads((tmp_path / "corpus" / "cleaning.json").read_text(encoding="utf-8")) == [
        {"rule": "hyphen splits", "count": 3, "example": "a-/b → ab"}
    ]


def test_a_write_cut_short_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_corpus(CORPUS, tmp_path)

    def fails(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(StorageError, match="disk is full"):
        write_corpus(Corpus((), {"train": (), "validation": (), "held_out": ()}), tmp_path)
    monkeypatch.undo()
    assert read_corpus(tmp_path) == CORPUS


@pytest.mark.parametrize("name", ["documents.jsonl", "split.json", "cleaning.json", "notes.json"])
def test_damaged_and_missing_files_are_one_line(tmp_path: Path, name: str) -> None:
    write_corpus(CORPUS, tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text(encoding="utf-8")[:-5] or "{", encoding="utf-8")
    with pytest.raises(StorageError, match=rf"{name} is damaged"):
        read_corpus(tmp_path)
    path.unlink()
    with pytest.raises(StorageError, match=rf"cannot read .*{name}"):
        read_corpus(tmp_path)
