"""An ODT file in, one Document per headed section out.

Read from content.xml with lxml: OpenDocument marks headings, notes and tracked deletions as such, so this page is all
it takes (odfpy is unmaintained and under the GPL in part). Insertions stay, deletions and hidden text go, and so does
the generated table of contents. Numbers that the program computes for lists and headings are not in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wellread.corpus.archive import Archive, attribute, child, local, named
from wellread.corpus.sections import BREAK, SPACE, Block, sectioned
from wellread.errors import CorpusError
from wellread.types import Document

DROPPED = named(
    "tracked-changes annotation annotation-end table-of-content hidden-text hidden-paragraph ruby-text title desc "
    "forms sequence-decls variable-decls user-field-decls index-title-template object-ole scripts bibliography-source "
    "illustration-index-source table-index-source object-index-source user-index-source alphabetical-index-source "
    "dde-connection-decls"
)
FRAMES = named("text-box custom-shape rect ellipse")
WORDS = 1000
"""At most so many spaces for one `text:s`: its count is the file's word."""


@dataclass
class Reader:
    """What one pass over a document carries along."""

    titles: frozenset[str]
    """Paragraph styles that are a title's."""
    hidden: frozenset[str]
    """Styles whose text is not shown."""
    footnotes: list[Block] = field(default_factory=list)
    endnotes: list[Block] = field(default_factory=list)
    count: int = 0


def load(path: Path) -> Iterator[Document]:
    """One Document per heading; footnotes end their section, endnotes the document, each as `[n] text`.

    Raises CorpusError for a file that is no ODT, is locked by a password, is damaged, or has no text.
    """
    with Archive(path, "an ODT document") as archive:
        manifest = "META-INF/manifest.xml"
        if archive.has(manifest) and b"encryption-data" in archive.read(manifest):
            raise CorpusError(f"{archive.name}: the document is locked by a password; save a copy without one.")
        root = archive.xml("content.xml")
        body = child(root, "body", "text")
        if body is None:
            raise CorpusError(
                f"{archive.name}: expected an ODT document, found no text part (a spreadsheet?); export its text."
            )
        sheets = [root] + ([archive.xml("styles.xml")] if archive.has("styles.xml") else [])
        yield from sectioned(path, document(body, read_styles(sheets)), stated_title(archive))


def stated_title(archive: Archive) -> str:
    meta = child(archive.xml("meta.xml"), "meta", "title") if archive.has("meta.xml") else None
    return "" if meta is None else "".join(meta.itertext())


def read_styles(sheets: list[Any]) -> Reader:
    """Which styles are a title's, by name or by what they are based on, and which hide their text."""
    parents: dict[str, str] = {}
    hidden = set()
    for sheet in sheets:
        for style in sheet.iter("{*}style"):
            name = attribute(style, "name") or ""
            parents[name] = attribute(style, "parent-style-name") or ""
            properties = child(style, "text-properties")
            if properties is not None and attribute(properties, "display") == "none":
                hidden.add(name)
    return Reader(
        frozenset(name for name in {*parents, "Title"} if "Title" in ancestry(name, parents)),
        frozenset(name for name in parents if hidden.intersection(ancestry(name, parents))),
    )


def ancestry(name: str, parents: dict[str, str]) -> list[str]:
    """A style and those it is based on, nearest first; a circle ends where it closes."""
    chain: list[str] = []
    while name and name not in chain:
        chain.append(name)
        name = parents.get(name, "")
    return chain


def document(body: Any, reader: Reader) -> Iterator[Block]:
    """The body's blocks, with the footnotes before the next heading and the endnotes at the very end."""
    for block in blocks(body, reader):
        if block.level:
            yield from reader.footnotes
            reader.footnotes.clear()
        yield block
    yield from reader.footnotes
    yield from reader.endnotes


def blocks(container: Any, reader: Reader) -> Iterator[Block]:
    """Headings, paragraphs, list items and table rows in order."""
    for element in container:
        name = local(element)
        if name in {"p", "h", "numbered-paragraph"}:
            yield from paragraph(element, name, reader)
        elif name == "table-row":
            yield from table_row(element, reader)
        elif name == "section" and attribute(element, "display") == "none":
            continue
        elif name not in DROPPED:
            yield from blocks(element, reader)


def paragraph(element: Any, name: str, reader: Reader) -> Iterator[Block]:
    """The paragraph or heading as a block, then the text frames anchored in it."""
    style = attribute(element, "style-name") or ""
    if style in reader.hidden:
        return
    parts: list[str] = []
    frames: list[Any] = []
    inline(element, reader, parts, frames)
    text = "\n".join(line.strip(" \t") for line in "".join(parts).replace("\u00ad", "").split(BREAK)).strip("\n")
    if text.strip():
        yield Block(text, heading_level(element) if name == "h" else int(style in reader.titles))
    for frame in frames:
        yield from blocks(frame, reader)


def heading_level(element: Any) -> int:
    level = attribute(element, "outline-level") or ""
    return min(max(int(level), 1), 6) if level.isdigit() else 1


def table_row(row: Any, reader: Reader) -> Iterator[Block]:
    """A row whose cells hold a paragraph each is one line with tabs; cells with more keep their paragraphs."""
    cells = [list(blocks(cell, reader)) for cell in row if local(cell) == "table-cell"]
    if all(len(cell) <= 1 for cell in cells):
        line = "\t".join(" ".join(cell[0].text.split()) for cell in cells if cell)
        if line:
            yield Block(line)
        return
    for cell in cells:
        yield from cell


def inline(element: Any, reader: Reader, parts: list[str], frames: list[Any]) -> None:
    """Append the text inside an element to `parts`, and the text frames it holds to `frames`."""
    parts.append(SPACE.sub(" ", element.text or ""))  # real runs of spaces are written as `text:s`
    for item in element:
        name = local(item)
        if name == "s":
            count = attribute(item, "c") or "1"
            parts.append(" " * min(int(count) if count.isdigit() else 1, WORDS))
        elif name == "tab":
            parts.append("\t")
        elif name == "line-break":
            parts.append(BREAK)
        elif name == "note":
            parts.append(note(item, reader))
        elif name in FRAMES:
            frames.append(item)
        elif name not in DROPPED and not (name == "span" and attribute(item, "style-name") in reader.hidden):
            inline(item, reader, parts, frames)
        parts.append(SPACE.sub(" ", item.tail or ""))


def note(element: Any, reader: Reader) -> str:
    """The mark `[n]` in the text; the note itself waits for the end of its section or document."""
    body = child(element, "note-body")
    found = [block.text for block in blocks(body, reader)] if body is not None else []
    if not found:
        return ""
    reader.count += 1
    mark = f"[{reader.count}]"
    waiting = reader.endnotes if attribute(element, "note-class") == "endnote" else reader.footnotes
    waiting.append(Block(f"{mark} {found[0]}"))
    waiting.extend(Block(text) for text in found[1:])
    return mark
