"""The book that is written: an EPUB that the house reads back, Markdown and plain text without accidents."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from wellread.chapters.binding import Bound, Page, bind, markdown, plain
from wellread.corpus.epub import load
from wellread.errors import UsageError

PAGES = (
    Page("35: The Ferry & <Co>", "35\n\nThe Ferry & <Co>", "It was “late” & <dark>.\n\nTwo lines\nof a song\x07.\n\n"),
    Page("36", "36", "* * *\n\n1. I said no.\n\n# not a heading"),
)
BOOK = Bound("New chapters after A & B", "a model", "en", "Written by a model.", PAGES, "2026-01-31T12:00:00Z")


def test_the_epub_reads_back_with_the_same_chapters(tmp_path: Path) -> None:
    bind(BOOK, tmp_path / "next.epub")
    about, *chapters = load(tmp_path / "next.epub")
    assert about.metadata["title"] == "New chapters after A & B"
    assert "Written by a model." in about.text
    assert [each.section for each in chapters] == ["35: The Ferry & <Co>", "36"]
    assert "It was “late” & <dark>.\n\nTwo lines\nof a song." in chapters[0].text
    assert all(each.metadata["language"] == "en" for each in chapters)


def epubcheck() -> list[str]:
    """The command, where it is installed; Debian's is a .jar file that not every system starts by itself."""
    found = shutil.which("epubcheck")
    if found is None:
        return []
    with Path(found).open("rb") as file:
        is_jar = file.read(2) == b"PK"
    java = shutil.which("java")
    return [found] if not is_jar else [java, "-jar", found] if java else []


@pytest.mark.slow
@pytest.mark.skipif(not epubcheck(), reason="needs epubcheck (Debian's package of that name)")
def test_epubcheck_finds_nothing(tmp_path: Path) -> None:
    """In every shape that is bound: titles with signs, verses, empty chapters, French, a language that nobody knows."""
    french = replace(BOOK, language="fr", title="Nouveaux chapitres d’après « Où »", about="Écrit par un modèle.")
    empty = replace(BOOK, language="und", pages=(Page("1", "1", ""), Page("Notes", "Notes", "1: nothing.\n\n2: <all>")))
    for name, book in (("english", BOOK), ("french", french), ("empty", empty)):
        bind(book, tmp_path / f"{name}.epub")
        done = subprocess.run(
            [*epubcheck(), str(tmp_path / f"{name}.epub")], capture_output=True, text=True, check=False
        )
        told = done.stdout + done.stderr
        assert done.returncode == 0, told
        assert "0 fatals / 0 errors / 0 warnings" in told, told


def test_mimetype_stands_first_and_bare_and_every_page_is_well_formed(tmp_path: Path) -> None:
    bind(BOOK, tmp_path / "next.epub")
    with zipfile.ZipFile(tmp_path / "next.epub") as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type, first.extra) == ("mimetype", zipfile.ZIP_STORED, b"")
        assert archive.read("mimetype") == b"application/epub+zip"
        for name in archive.namelist()[1:]:
            etree.fromstring(archive.read(name))
        package = archive.read("book/package.opf").decode()
    assert "<dc:description>Written by a model.</dc:description>" in package
    assert 'properties="nav"' in package


def test_the_same_book_is_the_same_file(tmp_path: Path) -> None:
    for name in ("a.epub", "b.epub"):
        bind(BOOK, tmp_path / name)
    assert (tmp_path / "a.epub").read_bytes() == (tmp_path / "b.epub").read_bytes()


def test_markdown_and_text_say_who_wrote_and_no_line_turns_into_something_else(tmp_path: Path) -> None:
    told = markdown(BOOK)
    assert told.startswith("# New chapters after A & B\n\n*Written by a model.*\n\n## 35: The Ferry & \\<Co>")
    assert "\\* \\* \\*\n\n1\\. I said no.\n\n\\# not a heading" in told
    assert "\n\n\n35\n\nThe Ferry & <Co>\n\nIt was" in plain(BOOK)
    bind(BOOK, tmp_path / "next.md")
    assert (tmp_path / "next.md").read_text(encoding="utf-8") == told


def test_in_markdown_signs_and_indents_stay_what_they_are() -> None:
    verse = "He sang:\n\n    Fifteen men;\n\tyo &amp; ho &c. &#9792;"
    told = markdown(replace(BOOK, about="On *Emma* by <J. A.>, as q8_0 _says_.", pages=(Page("1", "1", verse),)))
    assert "*On \\*Emma\\* by \\<J. A.>, as q8_0 \\_says\\_.*" in told
    assert (
        "\n\n\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}Fifteen men;" in told
    )  # four spaces: code
    assert "\\&amp; ho &c. \\&#9792;" in told


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.epub, \.md or \.txt, found \.docx"):
        bind(BOOK, tmp_path / "next.docx")
