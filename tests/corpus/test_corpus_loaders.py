"""Text, Markdown and HTML files, and how files and folders are read."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from wellread.corpus import LOADERS, load, load_file, reading
from wellread.corpus.encoding import decode
from wellread.errors import CorpusError
from wellread.types import Document

FRENCH = "« L’été, c’est déjà la fête ! » dit Zoë, naïve… — Hé bien, cœur d’œillet : 5 €."


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def only(path: Path) -> Document:
    [document] = load_file(path)
    return document


def problem(path: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        list(load_file(path))
    message = str(caught.value)
    assert "\n" not in message
    assert path.as_posix() in message
    return message


# ------------------------------------------------------------------------------------------------ plain text, encodings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_every_encoding_gives_the_same_french(tmp_path, encoding):
    path = write(tmp_path / "été.txt", (FRENCH + "\n").encode(encoding))
    assert only(path).text == FRENCH + "\n"


def test_latin_1_accents():
    assert decode("Où est l'élève à naître ?".encode("latin-1")) == "Où est l'élève à naître ?"


def test_cp1252_smart_quotes():
    assert decode(b"\x93Don\x92t,\x94 she said \x97 twice\x85") == "“Don’t,” she said — twice…"


def test_utf8_with_a_stray_byte_stays_utf8():
    assert decode("é à ü ö ç – déjà".encode() + b" caf\xe9") == "é à ü ö ç – déjà café"


def test_cyrillic_is_not_taken_for_latin():
    text = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. " * 8
    assert decode(text.encode("cp1251")) == text


def test_utf16_without_mark_in_another_script():
    text = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья. " * 4
    assert decode(text.encode("utf-16-be")) == text


def test_composed_form_and_universal_newlines(tmp_path):
    text = unicodedata.normalize("NFD", "déjà\r\nvu\rà")
    assert only(write(tmp_path / "a.txt", text)).text == "déjà\nvu\nà"


def test_hard_wraps_and_blank_lines_stay(tmp_path):
    source = "CHAPTER I\n\n  It was a dark\nand stormy night;\n\nthe rain fell.\n"
    document = only(write(tmp_path / "My Book.txt", source))
    assert document.text == source
    assert (document.id, document.section, document.offset) == ("my-book-0001", "", 0)
    assert document.source == (tmp_path / "My Book.txt").as_posix()


def test_dos_end_of_file_mark_goes(tmp_path):
    assert only(write(tmp_path / "a.txt", b"The end.\r\n\x1a\x00\x00")).text == "The end.\n"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"PK\x03\x04rest", "zip archive"),
        (b"%PDF-1.7 rest", "a PDF file"),
        (b"{\\rtf1 text}", "an RTF file"),
        (bytes(range(256)) * 20, "binary data"),
        (b"text \x00\x01\x02" * 50, "binary data"),
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
    ],
)
def test_what_is_no_text_is_told(tmp_path, data, found):
    assert found in problem(write(tmp_path / "a.txt", data))


def test_html_named_txt_is_text(tmp_path):
    assert only(write(tmp_path / "a.txt", "<p>Hello</p>")).text == "<p>Hello</p>"


# ------------------------------------------------------------------------------------------------------------- Markdown


def test_markdown_sections(tmp_path):
    source = """---
title: "The Salt Road"
---
Before the first heading.

# PART ONE {#one}

CHAPTER I
---------

First paragraph, *wrapped*
over two lines.

> Roses are red,\\
> violets blue.

A note.[^1]

    code
      stays

[^1]: The note itself.
"""
    documents = list(load_file(write(tmp_path / "a.md", source)))
    assert [(d.section, d.metadata["level"]) for d in documents] == [("", 0), ("PART ONE", 1), ("CHAPTER I", 2)]
    assert {d.metadata["title"] for d in documents} == {"The Salt Road"}
    assert documents[1].text == "PART ONE"
    assert documents[2].text == (
        "CHAPTER I\n\nFirst paragraph, wrapped over two lines.\n\nRoses are red,\nviolets blue.\n\n"
        "A note.[1]\n\ncode\n  stays\n\n[1] The note itself."
    )


def test_offsets_run_over_the_joined_sections(tmp_path):
    documents = list(load_file(write(tmp_path / "a.md", "# One\n\ntext é\n\n# Two\n\n## Three\n\nmore\n")))
    joined = "\n\n".join(document.text for document in documents)
    for document in documents:
        assert joined[document.offset :].startswith(document.text)
    assert [document.id for document in documents] == ["a-0001", "a-0002", "a-0003"]


# ----------------------------------------------------------------------------------------------------------------- HTML


def sections(tmp_path: Path, markup: str | bytes, name: str = "a.html") -> list[Document]:
    return list(load_file(write(tmp_path / name, markup)))


def body(tmp_path: Path, markup: str) -> str:
    [document] = sections(tmp_path, f"<html><body>{markup}</body></html>")
    return document.text


def test_html_sections(tmp_path):
    documents = sections(
        tmp_path,
        """<html><head><title>A  Tale</title><style>p {}</style></head><body><nav><a href="x">Home</a></nav>
        <h1>PART I</h1><h2>CHAPTER I<br>The <i>Fog</i></h2><p>One
        two.<p>Three<script>no()</script> four.<template>no</template></body></html>""",
    )
    assert [(d.section, d.metadata["level"], d.text) for d in documents] == [
        ("PART I", 1, "PART I"),
        ("CHAPTER I The Fog", 2, "CHAPTER I The Fog\n\nOne two.\n\nThree four."),
    ]
    assert documents[0].metadata["title"] == "A Tale"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Roses<br/>are red</p>", "Roses\nare red"),
        ("line one<br>\n<br>line two", "line one\n\nline two"),
        ("<pre>a  b\n   c</pre>", "a  b\n   c"),
        ("<ul><li>one<li>two</ul>", "one\n\ntwo"),
        ("<table><tr><td>a<td>b<br>c</tr><tr><td>d</td></tr></table>", "a\tb c\n\nd"),
        ("<table><tr><td><p>All of the text.</p><p>More.</p></td></tr></table>", "All of the text.\n\nMore."),
        ("exam&shy;ple&nbsp;: d&eacute;j&agrave; &amp; &#8220;x&#8221;", "example\xa0: déjà & “x”"),
        ("word<sup><a href='#n1'>1</a></sup> and x<sup>2</sup>", "word[1] and x2"),
        ("<img src='t.png' alt='T'>he rain<img alt='A picture of rain'>", "The rain"),
        ("seen<p hidden>unseen</p><p style='display: none'>unseen</p>", "seen"),
        ("<p>end of <span class='pagenum'>[Pg 12]</span>page</p>", "end of page"),
        ("<div class='stanza'><div>A line,</div><div>a rhyme.</div></div>", "A line,\na rhyme."),
        ("unclosed <b>bold <i>and</b> wrong</i> < 3", "unclosed bold and wrong < 3"),
    ],
)
def test_html_features(tmp_path, markup, text):
    assert body(tmp_path, markup) == text


def test_html_declared_charset(tmp_path):
    markup = '<html><head><meta charset="iso-8859-2"></head><body>Žluťoučký kůň</body></html>'
    assert sections(tmp_path, markup.encode("iso-8859-2"))[0].text == "Žluťoučký kůň"
    wrong = '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"><p>déjà “vu”</p>'
    assert sections(tmp_path, wrong.encode("utf-8"), "b.html")[0].text == "déjà “vu”"
    assert sections(tmp_path, wrong.encode("cp1252"), "c.html")[0].text == "déjà “vu”"


@pytest.mark.parametrize("charset", ["iso-2022-cn", "hex", "rot13", "idna", "undefined", "no-such-thing"])
def test_html_that_declares_no_charset_python_knows(charset):
    assert decode("déjà vu".encode("cp1252"), declared=charset) == "déjà vu"
    assert decode(b"seen", declared=charset) == "seen"


@pytest.mark.parametrize("markup", ["<!-- x", "<?php x ?>", "<!DOCTYPE html>"])
def test_html_without_an_element_is_told(tmp_path, markup):
    assert "no text in it" in problem(write(tmp_path / "a.html", markup))


def test_html_states_its_language(tmp_path):
    assert sections(tmp_path, '<html lang="fr-CA"><body>Hein</body></html>')[0].metadata["language"] == "fr-CA"
    xhtml = '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="de"><body><p>Na</p></body></html>'
    assert sections(tmp_path, xhtml, "b.xhtml")[0].metadata["language"] == "de"
    assert "language" not in sections(tmp_path, "<p>Well</p>", "c.html")[0].metadata


def test_xhtml_with_an_empty_title_and_entities(tmp_path):
    markup = (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><p>d&eacute;j&agrave; &x;</p>%s'
        "</body></html>"
    )
    assert sections(tmp_path, markup % "", "a.xhtml")[0].text == "déjà &x;"
    broken = sections(tmp_path, markup % "<p>not & closed <br/>here", "b.xhtml")
    assert broken[0].text == "déjà &x;\n\nnot & closed\nhere"


def test_html_that_never_closes_its_tags_is_read_to_the_end(tmp_path):
    text = body(tmp_path, "<font>word " * 5000 + "<p>the end")
    assert text.count("word") == 5000
    assert text.endswith("the end")


# ---------------------------------------------------------------------------------------------------- files and folders


def test_folder_in_natural_order_with_what_was_skipped(tmp_path):
    write(tmp_path / "chapter 10.txt", "ten")
    write(tmp_path / "chapter 2.txt", "two")
    write(tmp_path / "Chapter 1.md", "one")
    write(tmp_path / "part" / "a.txt", "deep")
    write(tmp_path / ".hidden.txt", "hidden")
    write(tmp_path / ".git" / "x.txt", "hidden")
    write(tmp_path / "bad.epub", "no zip")
    write(tmp_path / "notes.rst", "some text")
    write(tmp_path / "picture.png", b"\x89PNG\x00\x01")
    documents, skipped = load([tmp_path])
    assert [document.text for document in documents] == ["one", "two", "ten", "deep"]
    assert [Path(s.source).name for s in skipped] == ["bad.epub", tmp_path.name]
    assert "expected an EPUB" in skipped[0].reason
    assert "1 file without a loader" in skipped[1].reason
    assert "notes.rst" in skipped[1].reason
    with pytest.raises(CorpusError, match=r"bad\.epub"):
        load([tmp_path], strict=True)


def test_a_bad_file_named_directly_stops(tmp_path):
    good, bad = write(tmp_path / "a.txt", "good"), write(tmp_path / "b.txt", b"\x00" * 50)
    with pytest.raises(CorpusError, match=r"b\.txt"):
        load([good, bad])


def test_ids_are_unique_across_files(tmp_path):
    paths = [
        write(tmp_path / "x" / "book.txt", "1"),
        write(tmp_path / "y" / "Book.txt", "2"),
        write(tmp_path / "book 2.md", "# 3\n\n# 4"),
        write(tmp_path / "book.html", "<h1>5</h1><h1>6</h1>"),
        write(tmp_path / "книга.txt", "7"),
    ]
    documents, _ = load(paths)
    assert [document.text for document in documents] == list("1234567")
    assert len({document.id for document in documents}) == 7
    assert [document.id for document in documents[:2]] == ["book-0001", "book-2-0001"]
    assert documents[-1].id == "книга-0001"


def test_ids_of_many_files_of_one_name_are_counted_on(tmp_path, monkeypatch):
    paths = [write(tmp_path / str(n) / "book.txt", str(n)) for n in range(30)]
    made: list[str] = []
    monkeypatch.setattr(reading, "replace", lambda d, *, id: made.append(id) or replace(d, id=id))
    documents, _ = load(paths)
    assert [document.id for document in documents[1:]] == [f"book-{n}-0001" for n in range(2, 31)]
    assert len(made) < 60


def test_a_file_named_twice_is_read_once(tmp_path):
    path = write(tmp_path / "a.txt", "text")
    documents, skipped = load([path, tmp_path])
    assert len(documents) == 1
    assert "named twice" in skipped[0].reason


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_out_of_the_folder_are_not_followed(tmp_path):
    write(tmp_path / "outside" / "secret.txt", "secret")
    write(tmp_path / "in" / "a.txt", "text")
    (tmp_path / "in" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "in" / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    documents, skipped = load([tmp_path / "in"])
    assert [document.text for document in documents] == ["text"]
    assert sum("leads out of the folder" in s.reason for s in skipped) == 2


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_to_itself_is_passed_over(tmp_path):
    write(tmp_path / "a.txt", "text")
    (tmp_path / "b.txt").symlink_to(tmp_path / "b.txt")
    assert [document.text for document in load([tmp_path])[0]] == ["text"]
    with pytest.raises(CorpusError, match=r"b\.txt"):
        load([tmp_path / "b.txt"])


def test_a_folder_that_cannot_be_opened_is_skipped(tmp_path, monkeypatch):
    write(tmp_path / "a.txt", "text")
    write(tmp_path / "locked" / "b.txt", "secret")
    listed = os.listdir
    locked = {tmp_path / "locked"}

    def listdir(path: Path) -> list[str]:
        if path in locked:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(reading.os, "listdir", listdir)
    documents, [skipped] = load([tmp_path])
    assert [document.text for document in documents] == ["text"]
    assert skipped.source.endswith("locked")
    assert "cannot be read (Permission denied)" in skipped.reason
    with pytest.raises(CorpusError, match="locked: the folder cannot be read"):
        load([tmp_path], strict=True)
    locked.add(tmp_path)
    with pytest.raises(CorpusError, match="the folder cannot be read"):
        load([tmp_path])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.docs", "did you mean '.docx'?"),
        ("a.doc", "save it as .docx"),
        ("a.mobi", "convert it to .epub"),
        ("a.qqq", ".epub, .htm"),
    ],
)
def test_unknown_kinds(tmp_path, name, says):
    assert says in problem(write(tmp_path / name, "x"))


def test_missing_file_and_empty_folder(tmp_path):
    assert "no such file" in problem(tmp_path / "none.txt")
    assert "no such file" in problem(tmp_path / "none.epub")
    assert "no such file" in problem(tmp_path / "none.pdf")
    with pytest.raises(CorpusError, match="no file that could be read"):
        load([tmp_path])


def test_suffixes_in_capitals_and_none_at_all(tmp_path):
    assert only(write(tmp_path / "A.TXT", "x")).text == "x"
    assert only(write(tmp_path / "README", "y")).text == "y"


def test_every_loader_of_the_table_exists():
    from wellread.registry import resolve

    assert all(callable(resolve("loaders", LOADERS, suffix)) for suffix in LOADERS)


@pytest.mark.parametrize(
    ("opening", "title"),
    [
        ("WAR AND PEACE\n\n\nBy Leo Tolstoy/Tolstoi\n\n", "WAR AND PEACE"),
        ("  Jane Eyre\nby Charlotte Bronte\nPREFACE\n", "Jane Eyre"),
        ("GREAT EXPECTATIONS\n\n[1867 Edition]\n\nby Charles Dickens\n", "GREAT EXPECTATIONS"),
        ("DRACULA\n\n_by_\n\nBram Stoker\n", "DRACULA"),
        ("LA CHARTREUSE DE PARME\n\npar Stendhal\n", "LA CHARTREUSE DE PARME"),
        ("The Project eBook\n\nTitle: A Tale of Salt\nAuthor: Nobody\n\nChapter 1\n", "A Tale of Salt"),
        ("Gustave Flaubert\nMADAME BOVARY\n\nPREMIÈRE PARTIE\n", ""),
        ("CHAPTER I\n\nShe went by the door and by Friday knew.\n", ""),
        ("By noon the ice had gone.\n\nBy night it came again.\n", ""),
    ],
)
def test_a_plain_text_has_the_title_that_its_first_page_states(tmp_path, opening, title):
    path = tmp_path / "war_and_peace.txt"
    path.write_text(opening + "\n" + "It was a long day, and nobody said so. " * 20, encoding="utf-8")
    [document] = load_file(path)
    assert document.metadata.get("title", "") == title
