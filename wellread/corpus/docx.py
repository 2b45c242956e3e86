"""A DOCX file in, one Document per headed section out.

Read from its XML with lxml: python-docx and mammoth leave out text boxes, content controls or the notes' place, and
the WordprocessingML that carries text fits on two pages. What is kept is what a reader of the accepted version sees:
insertions stay, deletions go; fields show their results, not their codes; hidden text and Word's own table of contents
go. Numbers that Word computes for lists and headings are not in the file, so they are not in the text either.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wellread.corpus.archive import Archive, attribute, child, local, named
from wellread.corpus.sections import BREAK, SPACE, Block, sectioned
from wellread.corpus.styles import Styles, read_styles
from wellread.errors import CorpusError
from wellread.types import Document

DROPPED = named(
    "del moveFrom instrText delText delInstrText sdtPr rPr pPr tblPr tblGrid trPr tcPr rt docPart "
    "footnoteRef endnoteRef annotationRef softHyphen lastRenderedPageBreak txbxContent binData"
)
CHARACTERS = {"tab": "\t", "ptab": "\t", "cr": BREAK, "noBreakHyphen": "-"}
LEAVES = frozenset((*CHARACTERS, "t", "br", "sym", "footnoteReference", "endnoteReference"))


@dataclass
class Reader:
    """What one pass over a document carries along."""

    styles: Styles
    notes: dict[tuple[str, str], Any]
    """("footnote" or "endnote", id) -> its element."""
    pending: dict[str, list[Block]] = field(default_factory=lambda: {"footnote": [], "endnote": []})
    carried: str = ""
    """Text that belongs to the next paragraph: a drop cap, or a paragraph whose mark was deleted."""
    count: int = 0
    fields: list[str] = field(default_factory=list)
    """Open fields: "code" until the separator, then "result"."""


def load(path: Path) -> Iterator[Document]:
    """One Document per heading; footnotes end their section, endnotes the document, each as `[n] text`.

    Raises CorpusError for a file that is no DOCX, is locked by a password, is damaged, or has no text.
    """
    with Archive(path, "a DOCX document") as archive:
        part, related = main_part(archive)
        root = archive.xml(part)
        body = child(root, "body")
        if body is None:
            raise CorpusError(f"{archive.name}: expected a DOCX document, found no text body in it; save it again.")
        reader = Reader(read_styles(archive, related.get("styles")), read_notes(archive, related))
        yield from sectioned(path, document(body, reader), stated_title(archive))


def main_part(archive: Archive) -> tuple[str, dict[str, str]]:
    """The part with the text, which need not be word/document.xml, and the parts it names: kind -> member."""
    if not archive.has("[Content_Types].xml"):
        raise CorpusError(
            f"{archive.name}: expected a DOCX document, found another kind of zip archive; rename it to its kind."
        )
    part = related(archive, "").get("officeDocument", "word/document.xml")
    return part, related(archive, part)


def related(archive: Archive, part: str) -> dict[str, str]:
    """What a part points to: last word of the relation's type -> archive member."""
    folder, name = posixpath.split(part)
    member = posixpath.join(folder, "_rels", f"{name}.rels")
    if not archive.has(member):
        return {}
    found: dict[str, str] = {}
    for relation in archive.xml(member):
        target, kind = relation.get("Target"), relation.get("Type")
        if target and kind and relation.get("TargetMode") != "External":
            member = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found.setdefault(kind.rpartition("/")[2], member)
    return found


def stated_title(archive: Archive) -> str:
    member = related(archive, "").get("core-properties", "docProps/core.xml")
    title = child(archive.xml(member), "title") if archive.has(member) else None
    return "" if title is None else title.text or ""


def read_notes(archive: Archive, members: dict[str, str]) -> dict[tuple[str, str], Any]:
    notes = {}
    for kind in ("footnote", "endnote"):
        member = members.get(f"{kind}s")
        for note in archive.xml(member) if member and archive.has(member) else ():
            notes[kind, attribute(note, "id") or ""] = note
    return notes


def document(body: Any, reader: Reader) -> Iterator[Block]:
    """The body's blocks, with the footnotes before the next heading and the endnotes at the very end."""
    for block in blocks(body, reader):
        if block.level:
            yield from reader.pending["footnote"]
            reader.pending["footnote"].clear()
        yield block
    if reader.carried.strip():
        yield Block(reader.carried.strip())
    yield from reader.pending["footnote"]
    yield from reader.pending["endnote"]


def blocks(container: Any, reader: Reader) -> Iterator[Block]:
    """Paragraphs and tables in order, through content controls and other wrappers."""
    for element in container:
        name = local(element)
        if name == "p":
            yield from paragraph(element, reader)
        elif name == "tbl":
            for row in rows(element):
                yield from table_row(row, reader)
        elif name == "sdt":
            gallery = child(element, "sdtPr", "docPartObj", "docPartGallery")
            if gallery is None or attribute(gallery, "val") != "Table of Contents":
                yield from blocks(element, reader)
        elif name == "AlternateContent":
            yield from blocks(chosen(element), reader)
        elif name not in DROPPED:
            yield from blocks(element, reader)


def rows(table: Any) -> Iterator[Any]:
    """A table's rows, also inside content controls; deleted rows are left out."""
    for element in table:
        if local(element) == "tr":
            if child(element, "trPr", "del") is None:
                yield element
        elif local(element) in {"sdt", "sdtContent", "customXml", "ins"}:
            yield from rows(element)


def table_row(row: Any, reader: Reader) -> Iterator[Block]:
    """A row whose cells hold a paragraph each is one line with tabs; cells with more keep their paragraphs."""
    cells = [list(blocks(cell, reader)) for cell in row if local(cell) in {"tc", "sdt", "customXml"}]
    if all(len(cell) <= 1 for cell in cells):
        line = "\t".join(" ".join(cell[0].text.split()) for cell in cells if cell)
        if line:
            yield Block(line)
        return
    for cell in cells:
        yield from cell


def paragraph(element: Any, reader: Reader) -> Iterator[Block]:
    """The paragraph as a block, then the text boxes anchored in it."""
    properties = child(element, "pPr")
    parts: list[str] = []
    boxes: list[Any] = []
    for item in element:
        inline(item, reader, parts, boxes)
    # A field's code ends in its paragraph; one that a damaged file leaves open must not swallow the rest.
    reader.fields = [state for state in reader.fields if state == "result"]
    text, reader.carried = reader.carried + "".join(parts).replace("\u00ad", ""), ""
    style = reader.styles.of(properties)
    if drop_cap(properties) or (properties is not None and child(properties, "rPr", "del") is not None):
        reader.carried = text
    elif text.strip() and not style.contents:
        yield Block("\n".join(line.strip(" \t") for line in text.split(BREAK)).strip("\n"), style.level)
    for box in boxes:
        yield from blocks(box, reader)


def drop_cap(properties: Any) -> bool:
    frame = child(properties, "framePr") if properties is not None else None
    return frame is not None and (attribute(frame, "dropCap") or "none") != "none"


def inline(element: Any, reader: Reader, parts: list[str], boxes: list[Any]) -> None:
    """Append an element's text to `parts`, and the text boxes it holds to `boxes`."""
    name = local(element)
    if name == "txbxContent":
        boxes.append(element)
    elif name == "fldChar":
        field_mark(attribute(element, "fldCharType"), reader)
    elif name in DROPPED or (name == "r" and reader.styles.hidden(element)):
        return
    elif name in LEAVES:
        if "code" not in reader.fields:
            parts.append(leaf(element, name, reader))
    else:
        for item in (chosen(element),) if name == "AlternateContent" else element:
            inline(item, reader, parts, boxes)


def leaf(element: Any, name: str, reader: Reader) -> str:
    """The characters that one element stands for."""
    if name == "t":
        return SPACE.sub(" ", element.text or "") if "\n" in (element.text or "") else element.text or ""
    if name == "br":
        return BREAK if (attribute(element, "type") or "textWrapping") == "textWrapping" else " "
    if name == "sym":
        return symbol(element)
    if name in CHARACTERS:
        return CHARACTERS[name]
    return note(name.removesuffix("Reference"), attribute(element, "id") or "", reader)


def field_mark(kind: str | None, reader: Reader) -> None:
    if kind == "begin":
        reader.fields.append("code")
    elif kind == "separate" and reader.fields:
        reader.fields[-1] = "result"
    elif kind == "end" and reader.fields:
        reader.fields.pop()


def chosen(alternatives: Any) -> Any:
    """One of the renderings of the same thing: the newer, unless it has no text and the older one does."""
    choice, fallback = child(alternatives, "Choice"), child(alternatives, "Fallback")
    if choice is None or (fallback is not None and not texts(choice) and texts(fallback)):
        return fallback if fallback is not None else alternatives
    return choice


def texts(element: Any) -> bool:
    return any(e.text for e in element.iter("{*}t"))


def symbol(element: Any) -> str:
    """A character by its number; the private ones of symbol fonts mean nothing outside their font."""
    try:
        code = int(attribute(element, "char") or "", 16)
    except ValueError:
        return ""
    return "" if 0xE000 <= code <= 0xF8FF or not 0x20 <= code < 0x110000 else chr(code)


def note(kind: str, key: str, reader: Reader) -> str:
    """The mark `[n]` in the text; the note itself waits for the end of its section or document."""
    element = reader.notes.pop((kind, key), None)
    if element is None or attribute(element, "type") in {"separator", "continuationSeparator"}:
        return ""
    reader.count += 1
    mark = f"[{reader.count}]"
    outer, reader.fields = reader.fields, []
    carried, reader.carried = reader.carried, ""
    found = [block.text for block in blocks(element, reader)]
    reader.fields, reader.carried = outer, carried
    if found:
        reader.pending[kind].append(Block(f"{mark} {found[0]}"))
        reader.pending[kind].extend(Block(text) for text in found[1:])
    return mark
