"""Chapters in, a book out: EPUB 3, Markdown or plain text, by the ending of its name. The standard library is enough."""

from __future__ import annotations

import re
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from wellread.errors import UsageError
from wellread.storage import new_file, storage_errors, write_text

NEVER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 does not allow, not even as references."""
_XHTML = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="{language}" xml:lang="{language}">
<head><title>{title}</title></head>
<body>
{body}
</body>
</html>
"""
_CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="book/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""
_PACKAGE = """<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="{language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier>
<dc:title>{title}</dc:title>
<dc:language>{language}</dc:language>
<dc:creator>{author}</dc:creator>
<dc:description>{about}</dc:description>
<meta property="dcterms:modified">{modified}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
{manifest}
</manifest>
<spine>
{spine}
</spine>
</package>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """What begins on a new page: its heading in one line, the heading as plain text has it, and the words."""

    label: str
    head: str
    text: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A book as it is written to disk."""

    title: str
    author: str
    language: str
    """A BCP 47 tag; `und` where it is not known."""
    about: str
    """Who wrote it: said on the first page and in the metadata."""
    pages: Sequence[Page]
    modified: str
    """UTC, `2026-01-31T12:00:00Z`."""


def check_ending(path: Path) -> None:
    """Raises UsageError for a name whose ending is none of the three."""
    if path.suffix.lower() not in {".epub", ".md", ".txt"}:
        raise UsageError(
            f"{path}: chapters are written as .epub, .md or .txt, found {path.suffix or 'no ending'}; name one of these."
        )


def bind(book: Bound, path: Path) -> None:
    """Write the book, whole or not at all. Raises UsageError for an ending it does not know, StorageError for the disk."""
    check_ending(path)
    if path.suffix.lower() == ".epub":
        with storage_errors(path.parent), new_file(path) as unfinished:
            _epub(book, unfinished)
    elif path.suffix.lower() == ".md":
        write_text(path, markdown(book))
    else:
        write_text(path, plain(book))


def plain(book: Bound) -> str:
    pages = [f"{page.head}\n\n{page.text.strip()}" for page in book.pages]
    return "\n\n\n".join([f"{book.title}\n\n{book.about}", *pages]) + "\n"


def markdown(book: Bound) -> str:
    pages = [f"## {_escaped(page.label)}\n\n{_escaped(page.text.strip())}" for page in book.pages]
    return "\n\n".join([f"# {_escaped(book.title)}\n\n*{_escaped(book.about)}*", *pages]) + "\n"


def _escaped(text: str) -> str:
    """Text of which no line becomes a heading, a list, a quotation, code or a rule, and no sign emphasis, a tag or another sign."""
    text = re.sub(r"([\\`*<\[\]]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;))", r"\\\1", text)
    text = re.sub(r"^[ \t]{4,}(?=\S)", lambda indent: "\N{NO-BREAK SPACE}" * len(indent[0]), text, flags=re.MULTILINE)
    text = re.sub(r"^(\s*)([#>+=~-])", r"\1\\\2", text, flags=re.MULTILINE)
    return re.sub(r"^(\s*\d+)([.)])", r"\1\\\2", text, flags=re.MULTILINE)


def paragraphs(text: str) -> list[str]:
    """Of a text whose paragraphs blank lines part, or, where there are none, its lines."""
    parted = re.split(r"\n\s*\n", text) if "\n\n" in text.strip() else text.split("\n")
    return [part.strip("\n") for part in parted if part.strip()]


def _epub(book: Bound, place: Path) -> None:
    """See the EPUB 3.3 specification: `mimetype` first and stored, a container, the package, its contents, the pages."""
    pages = [Page(book.title, book.title, book.about), *book.pages]
    names = ["about.xhtml", *(f"chapter-{number:03}.xhtml" for number in range(1, len(book.pages) + 1))]
    content = "".join(page.label + page.text for page in pages)
    fields = {
        "identifier": uuid.uuid5(uuid.NAMESPACE_URL, book.title + content),
        "manifest": "\n".join(
            f'<item id="p{number}" href="{name}" media-type="application/xhtml+xml"/>'
            for number, name in enumerate(names)
        ),
        "spine": "\n".join(f'<itemref idref="p{number}"/>' for number in range(len(names))),
        **{name: _xml(getattr(book, name)) for name in ("title", "author", "language", "about", "modified")},
    }
    links = "\n".join(
        f'<li><a href="{name}">{_xml(page.label)}</a></li>' for name, page in zip(names, pages, strict=True)
    )
    contents = f'<nav epub:type="toc"><h1>{_xml(book.title)}</h1>\n<ol>\n{links}\n</ol></nav>'
    with zipfile.ZipFile(place, "w") as archive:
        _add(archive, "mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        _add(archive, "META-INF/container.xml", _CONTAINER)
        _add(archive, "book/package.opf", _PACKAGE.format(**fields))
        _add(archive, "book/nav.xhtml", _page(book, book.title, contents))
        for name, page in zip(names, pages, strict=True):
            body = "\n".join(_paragraph(part) for part in paragraphs(page.text))
            _add(archive, f"book/{name}", _page(book, page.label, f"<h1>{_xml(page.label)}</h1>\n{body}"))


def _page(book: Bound, title: str, body: str) -> str:
    return _XHTML.format(language=_xml(book.language), title=_xml(title), body=body)


def _paragraph(text: str) -> str:
    return "<p>" + "<br/>\n".join(_xml(line) for line in text.split("\n")) + "</p>"


def _xml(text: str) -> str:
    return escape(NEVER.sub("", text))


def _add(archive: zipfile.ZipFile, name: str, content: str, compression: int = zipfile.ZIP_DEFLATED) -> None:
    """A member that is the same byte for byte whenever it is written."""
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content.encode(), compression)
