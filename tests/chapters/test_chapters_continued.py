"""The book that chapters go on with: the last text, or all the files of a folder that has one for each chapter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wellread import cli
from wellread.chapters.continued import book_title, last_book, last_pages, usual_words
from wellread.chapters.manner import manner_of
from wellread.corpus.ingest import ingest, write_corpus
from wellread.recipe import CorpusSettings
from wellread.testing import prose, tiny_model
from wellread.types import Corpus, Document


def test_the_last_page_and_the_usual_length() -> None:
    documents = [Document("1", "one two three"), Document("2", "It was over.\n\nTHE END\n")]
    assert last_pages(documents) == "one two three\n\nIt was over."
    assert usual_words([*documents, Document("3", "a " * 9000)]) == 5


def folder_of(place: Path, *, heads: list[str], ending: str = ".txt") -> Corpus:
    """A corpus read from a folder that has a file for every chapter; 2,400 words or so in all."""
    words = 2400 // len(heads)
    folder = place / "the-ferry_book"
    folder.mkdir()
    for number, head in enumerate(heads, 1):
        text = f"{head}\n\n{prose(words, number)}\n" if head else prose(words, number)
        (folder / f"{number}{ending}").write_text(text, encoding="utf-8")
    return ingest([folder], CorpusSettings(), seed=1)


@pytest.mark.parametrize(
    ("heads", "ending", "following"),
    [
        ([f"Chapter {n}" for n in range(1, 13)], ".txt", "Chapter 13"),
        ([f"# Chapter {n}: House {letter}" for n, letter in enumerate("ABCDEFGHIJ", 1)], ".md", "# Chapter 11"),
        (["CHAPTER I", "CHAPTER II", "CHAPTER III", "CHAPTER IV"], ".txt", "CHAPTER V"),
        ([""] * 11, ".txt", "12"),
    ],
)  # fmt: skip
def test_a_folder_of_chapters_is_one_book(tmp_path: Path, heads: list[str], ending: str, following: str) -> None:
    said: list[str] = []
    corpus = folder_of(tmp_path, heads=heads, ending=ending)
    book = last_book(corpus, said.append)
    assert said == [
        f"takes {len(heads)} files of one chapter each for one book; these chapters go on after {len(heads)}{ending}"
    ]
    assert manner_of(book).head(1).text == following.removeprefix("# ")
    assert 0 <= usual_words(book) - 2400 // len(heads) <= 4
    assert book_title(book) == "The ferry book"
    whole = [word for document in corpus.documents for word in document.text.split()]
    assert last_pages(book).split() == whole


def test_a_title_stands_in_one_line() -> None:
    stated = Document("1", "It rained.", "a.epub", metadata={"title": "\n  The Ferry:\n  A Romance "})
    assert book_title([stated]) == "The Ferry: A Romance"
    assert book_title([Document("1", "It rained.", "the_ferry.epub", metadata={"title": " \n"})]) == "The ferry"


def test_titles_without_numbers_are_those_of_the_files(tmp_path: Path) -> None:
    heads = [f"# Of the {letter} House" for letter in "ABCDEFGHIJ"]
    manner = manner_of(last_book(folder_of(tmp_path, heads=heads, ending=".md")))
    assert manner.titled
    assert manner.shown[-2:] == ("Of the I House", "Of the J House")
    assert manner.beginning(1) == ""


def test_of_whole_books_the_last_is_gone_on_with_and_rows_are_no_text(tmp_path: Path) -> None:
    for name, word in (("a", "Chapter"), ("b", "Letter")):
        text = "\n\n".join(f"{word} {n}\n\n{prose(220, n)}" for n in range(1, 11))
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    rows = [json.dumps({"prompt": f"Who is {n}?", "completion": prose(9, n)}) for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows), encoding="utf-8")
    said: list[str] = []
    book = last_book(ingest([tmp_path], CorpusSettings(), seed=1), said.append)
    assert said == ["the run has read 2 texts; these chapters go on with the last, b.txt"]
    assert [document.section for document in book] == [f"Letter {n}" for n in range(1, 11)]


def test_a_chapter_that_was_cut_is_counted_whole_and_headed_by_its_own_lines() -> None:
    """Five chapters are too few to stay whole: each lies in passages, of which the first alone has the heading."""
    documents = [
        Document(f"{n}{p}", f"{n}\n\nThe House {n}\n\nIt rained." if p == 1 else "It rained.", "b.txt",
                 f"{n}: The House {n} · passage {p}")
        for n in range(1, 6) for p in range(1, 4)
    ]  # fmt: skip
    manner = manner_of(documents)
    assert manner.head(1, "The Ferry").text == "6\n\nThe Ferry"
    assert manner.shown == tuple(f"{n}\n\nThe House {n}" for n in range(1, 6))
    assert usual_words(documents) == 10


def test_chapters_after_a_folder_of_them(tmp_path: Path) -> None:
    """From the command line: heading, title and length come from all the files."""
    run = tmp_path / "run"
    corpus = folder_of(tmp_path, heads=[f"Chapter {n}" for n in range(1, 11)])
    write_corpus(corpus, run / "corpus")
    recipe = "name: x\nbase: embedded\nstages: [{name: imprint, method: {kind: full}}]\n"
    (run / "recipe.yaml").write_text(recipe, encoding="utf-8")
    tiny_model(run / "stages" / "01-imprint" / "checkpoint", [corpus.documents[0].text], vocabulary=400)
    words = ["write", str(run), "--chapters", "1", "--words", "20", "--max-tokens", "40", "--json"]
    done = CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path / "next.txt")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["label"] == "Chapter 11"
    assert "takes 10 files of one chapter each for one book" in done.stderr
    assert (tmp_path / "next.txt").read_text(encoding="utf-8").startswith("New chapters after The ferry book\n")
