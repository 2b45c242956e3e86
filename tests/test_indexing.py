"""`wellread index`: what a store holds after texts came, changed, moved and went."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hashing import Hashing
from typer.testing import CliRunner

from wellread import indexing
from wellread.cli import app
from wellread.commands.index import report_line
from wellread.errors import CorpusError, UnknownName, UsageError
from wellread.gathering import Watch
from wellread.indexing import File, IndexReport, Wanted, index_texts
from wellread.retrieval.chunking import Chunking, Outline
from wellread.retrieval.store import Store, open_store

pytest.importorskip("lancedb")

HANDBOOK = """# The Handbook

## Keys

The keys hang behind the door. Nobody takes them home.

## Boats

Boats leave at nine from the quay.

### In winter

In winter the ferryman walks over the ice with a lantern.
"""


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    folder = tmp_path / "texts"
    (folder / "more").mkdir(parents=True)
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    (folder / "more" / "note.txt").write_text("A heron stood on the stove all day.\n", encoding="utf-8")
    return folder


def indexed(texts: Path, *more: Path, **how: Any) -> IndexReport:
    return index_texts([texts, *more], texts.parent / "store", **{"embedder": "none", **how})


def opened(texts: Path, embedder: Hashing | None = None) -> Store:
    return open_store(texts.parent / "store", embedder=embedder)


def names(files: tuple[str, ...]) -> list[str]:
    return [Path(file).name for file in files]


def test_what_is_found_has_document_section_and_source(texts: Path) -> None:
    report = indexed(texts)
    assert names(report.added) == ["handbook.md", "note.txt"]
    assert (report.files, report.unchanged, report.skipped) == (2, 0, ())
    [best, *_] = opened(texts).search("walking over the ice", 3)
    assert (best.document, best.section) == ("texts/handbook.md", "Boats › In winter")
    assert best.source == (texts / "handbook.md").as_posix()
    assert opened(texts).document_text(best.document)[best.start : best.end] == best.text


def test_only_what_changed_is_read_again_and_what_is_gone_goes(texts: Path) -> None:
    embedder = Hashing()
    indexed(texts, embedder=embedder)
    before = embedder.embedded
    (texts / "more" / "note.txt").write_text("A bell rang.", encoding="utf-8")
    report = indexed(texts, embedder=embedder)
    assert (names(report.changed), report.added, report.removed, report.unchanged) == (["note.txt"], (), (), 1)
    assert embedder.embedded == before + 2  # the note, and the sentence by which the embedder is known again
    store = opened(texts, embedder)
    assert store.search("heron", 1, mode="keyword") == []
    assert store.search("bell", 1)[0].text == "A bell rang."
    (texts / "more" / "note.txt").unlink()
    assert names(indexed(texts, embedder=embedder).removed) == ["note.txt"]
    assert [document.id for document in store.documents()] == ["texts/handbook.md"]


def test_nothing_new_changes_nothing(texts: Path) -> None:
    indexed(texts)
    version = opened(texts)._version
    report = indexed(texts)
    assert (report.unchanged, report.added, report.changed, report.removed) == (2, (), (), ())
    assert opened(texts)._version == version


def test_what_other_texts_put_into_a_store_stays_and_a_text_that_is_gone_can_be_named(
    texts: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("An oar lies there.", encoding="utf-8")
    indexed(texts)
    assert indexed(other).files == 3
    assert indexed(texts).files == 3
    other.unlink()
    assert names(indexed(other).removed) == ["other.txt"]
    with pytest.raises(UsageError, match="holds nothing of it"):
        indexed(tmp_path / "never.txt")


def test_a_file_that_was_moved_is_there_once(texts: Path, tmp_path: Path) -> None:
    indexed(texts)
    moved = tmp_path / "elsewhere.md"
    (texts / "handbook.md").rename(moved)
    report = indexed(moved)
    assert (names(report.added), names(report.removed)) == (["elsewhere.md"], ["handbook.md"])
    assert len(opened(texts).search("ferryman", 5)) == 1


def test_a_folder_that_was_moved_keeps_its_names_though_a_file_changed_on_the_way(texts: Path, tmp_path: Path) -> None:
    (texts / "third.txt").write_text("Tallow costs two crowns.", encoding="utf-8")
    indexed(texts)
    (tmp_path / "attic").mkdir()
    moved = texts.rename(tmp_path / "attic" / "texts")
    (moved / "handbook.md").write_text("The book is new.", encoding="utf-8")
    (moved / "third.txt").unlink()
    report = index_texts([moved], tmp_path / "store", embedder="none")
    assert (report.files, len(report.removed)) == (2, 3)
    found = [document.id for document in open_store(tmp_path / "store").documents()]
    assert found == ["texts/handbook.md", "texts/more/note.txt"]


def test_one_file_found_elsewhere_takes_no_folder_with_it(texts: Path, tmp_path: Path) -> None:
    """A folder that is away, as an unmounted disk is, keeps what was indexed of it."""
    for number in range(3):
        (texts / f"{number}.txt").write_text(f"Told of day {number}.", encoding="utf-8")
    indexed(texts)
    other = tmp_path / "other"
    other.mkdir()
    (texts / "more" / "note.txt").rename(other / "note.txt")
    texts.rename(tmp_path / "away")
    report = index_texts([other], tmp_path / "store", embedder="none")
    assert (names(report.removed), report.files) == (["note.txt"], 5)


def test_a_store_among_the_texts_is_no_text(texts: Path) -> None:
    index_texts([texts], texts / "store", embedder="none")
    (texts / "store" / "refusal.json").write_text("{}", encoding="utf-8")
    (texts / "store" / "odd.txt").write_text("No text of theirs.", encoding="utf-8")
    report = index_texts([texts], texts / "store")
    assert (report.files, report.unchanged, report.skipped) == (2, 2, ())
    with pytest.raises(UsageError, match="no folder can have a name of 300"):
        index_texts([texts], "s" * 300, embedder="none")


def test_two_files_of_one_name_are_two_documents(texts: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin" / "texts"
    twin.mkdir(parents=True)
    (twin / "handbook.md").write_text("Another book about the lantern.", encoding="utf-8")
    indexed(texts, twin)
    found = [document.id for document in opened(texts).documents()]
    assert found == ["texts/handbook.md", "texts/handbook.md (2)", "texts/more/note.txt"]


def test_every_setting_shows(texts: Path) -> None:
    many = indexed(texts, wanted=Wanted("tokens", 5, 1, "fr"))
    assert (many.chunking, many.language) == (Chunking("tokens", 5, 1), "fr")
    assert max(len(chunk.text.split()) for chunk in opened(texts).search("the boats", 99)) <= 5
    with pytest.raises(UsageError, match="its chunks are tokens of 5 tokens, 1 repeated, not headings"):
        indexed(texts, wanted=Wanted("headings"))
    with pytest.raises(UsageError, match="its language is fr, not en"):
        indexed(texts, wanted=Wanted(language="en"))
    with pytest.raises(UsageError, match="its vectors are by none, not by hashing"):
        indexed(texts, embedder=Hashing())
    with pytest.raises(UnknownName, match="did you mean 'headings'"):
        indexed(texts, wanted=Wanted("heading"))


def test_a_table_among_the_texts_is_passed_over_with_the_line_and_its_name_once(texts: Path) -> None:
    (texts / "prices.csv").write_text("thing,price\nlamp,3\n", encoding="utf-8")
    [passed] = indexed(texts).skipped
    assert passed.reason.startswith("line 2: expected `prompt` and `completion`")


def test_a_bad_file_is_passed_over_in_a_folder_and_refused_by_name(texts: Path) -> None:
    (texts / "bad.pdf").write_bytes(b"no pdf")
    report = indexed(texts)
    assert [(Path(each.source).name, "expected a PDF" in each.reason) for each in report.skipped] == [("bad.pdf", True)]
    with pytest.raises(CorpusError, match="expected a PDF"):
        indexed(texts / "bad.pdf")
    with pytest.raises(CorpusError, match="expected a PDF"):
        indexed(texts, strict=True)
    (texts / "handbook.md").write_bytes(b"")
    assert names(indexed(texts).removed) == ["handbook.md"]


def test_what_cannot_be_read_now_stays_and_is_told(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed(texts)
    shut = texts / "more"
    listed = os.listdir

    def listing(path: Any = ".") -> list[str]:
        if Path(path) == shut:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    def found(query: str) -> list[str]:
        return [chunk.document for chunk in opened(texts).search(query, 1)]

    monkeypatch.setattr(os, "listdir", listing)
    report = indexed(texts)
    assert (names(report.kept), report.removed, report.unchanged) == (["note.txt"], (), 1)
    assert found("heron") == ["texts/more/note.txt"]
    monkeypatch.undo()
    (texts / "handbook.md").write_text("![]()", encoding="utf-8")  # a text of which cleaning leaves nothing
    report = indexed(texts)
    assert (names(report.kept), report.removed, report.changed, report.unchanged) == (["handbook.md"], (), (), 1)
    assert found("ferryman") == ["texts/handbook.md"]
    (texts / "handbook.md").write_text("Now of the anchor.", encoding="utf-8")
    assert names(indexed(texts).changed) == ["handbook.md"]
    assert (found("anchor"), found("ferryman")) == (["texts/handbook.md"], [])
    (shut / "note.txt").unlink()
    shut.rmdir()
    assert names(indexed(texts).removed) == ["note.txt"]


def test_a_file_that_cannot_be_opened_stays_in_the_store(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed(texts)
    opens = Path.open

    def opening(path: Path, *how: Any, **more: Any) -> Any:
        if path.name == "note.txt":
            raise PermissionError(13, "Permission denied", str(path))
        return opens(path, *how, **more)

    monkeypatch.setattr(Path, "open", opening)
    report = indexed(texts)
    assert (names(report.kept), report.removed, len(report.skipped)) == (["note.txt"], (), 1)
    assert report_line(report).startswith("2 files (1 as it was, 1 kept unread)")


def test_nothing_to_read_makes_no_store(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    with pytest.raises(CorpusError, match="no file that could be read"):
        indexed(tmp_path / "texts")
    with pytest.raises(UsageError, match="there is no store"):
        opened(tmp_path / "texts")


def test_it_is_told_how_far_the_embedding_of_each_file_is(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wellread.retrieval.filling.EMBEDDED", 2)
    (texts / "long.txt").write_text("\n\n".join(f"Of day {n} nothing is told." for n in range(90)), encoding="utf-8")
    (texts / "bad.pdf").write_bytes(b"no pdf")
    told: list[Any] = []
    watch = Watch(progress=told.append)
    indexed(texts, embedder=Hashing(), wanted=Wanted("tokens", 7), watch=watch)
    shares = [now.share for now in told]
    assert shares == sorted(shares)
    assert len({share for share in shares if 0 < share < 1}) > 30  # of one file, too
    assert (told[0].share, told[-1].share) == (0, pytest.approx(1))
    assert {(now.doing, now.total, now.things) for now in told} == {("indexing", 4, "files")}
    assert (told[0].done, told[-1].done) == (0, 4)
    told.clear()
    indexed(texts, embedder=Hashing(), watch=watch)
    assert {now.total for now in told} == {1}  # what did not change is not waited for; the bad one is tried again


def test_few_characters_are_held_at_once(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [(File(texts, str(n), "", ""), Outline(str(n), "x" * 10)) for n in range(7)]
    monkeypatch.setattr(indexing, "HELD", 25)
    assert [len(group) for group in indexing.together(iter(several))] == [3, 3, 1]
    monkeypatch.setattr(indexing, "TOGETHER", 2)
    assert [len(group) for group in indexing.together(iter(several))] == [2, 2, 2, 1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_what_is_no_file_is_refused_and_never_waited_for(texts: Path) -> None:
    os.mkfifo(texts / "pipe.txt")
    with pytest.raises(CorpusError, match="neither a file nor a folder"):
        indexed(texts / "pipe.txt")
    assert indexed(texts).files == 2


def test_an_empty_name_is_not_the_folder_one_happens_to_be_in(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(texts)
    with pytest.raises(UsageError, match="the name of a text is empty"):
        index_texts([""], texts.parent / "store", embedder="none")
    assert index_texts(["."], texts.parent / "store", embedder="none").files == 2


def test_the_command_says_what_became_of_a_store(texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(texts.parent)
    command = ["index", "texts", "--store", "store", "--embedder", "none"]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    assert "2 files (2 new), 4 chunks, found by keyword" in first.stdout
    assert first.stdout.endswith("store: store\n")
    again = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert (again["files"], again["unchanged"], again["chunking"]["chunker"]) == (2, 2, "paragraphs")
    assert CliRunner().invoke(app, ["list", "stores"]).stdout.split() == ["store", "finished"]


def test_french_texts_are_told_of_an_embedder_that_reads_french(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "contes"
    folder.mkdir()
    (folder / "conte.md").write_text(
        "Il y avait dans la forêt une maison où vivait un bûcheron avec sa femme et ses enfants. " * 3, encoding="utf-8"
    )
    monkeypatch.setattr(indexing, "open_embedder", lambda name, offline: Hashing("minilm" if name == "auto" else name))
    monkeypatch.chdir(tmp_path)

    def said(*words: str) -> str:
        done = CliRunner().invoke(app, ["index", *words])
        assert done.exit_code == 0, done.output
        return done.stderr

    told = said("contes", "--store", "one")
    assert "French" in told
    assert "--embedder e5" in told
    assert "--embedder" not in said("contes", "--store", "one")  # once, as the store is made
    assert "--embedder" not in said("contes", "--store", "two", "--embedder", "minilm")  # as it was wanted
    assert "--embedder" not in said("contes", "--store", "three", "--embedder", "e5")
    assert "--embedder" not in said(str(texts), "--store", "four")
    assert "--embedder" not in said(str(texts), "contes", "--store", "five", "--language", "en")
