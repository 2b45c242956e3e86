"""The embedded handbook as PDF and DOCX, from its Markdown: `python benchmarks/handbook_formats.py [OUT]`.

Writes `handbook.pdf` and `handbook.docx` into OUT, the library by default, the same bytes each time for the same versions of reportlab
and python-docx. Run it after each change of `handbook.md`: a test reads all three and compares them.
"""

from __future__ import annotations

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

LIBRARY = Path(__file__).parents[1] / "wellread" / "library"
AUTHOR = "The Board of Bearing and Crossing"
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """One block of the handbook."""

    kind: str
    """"h1" to "h3", "paragraph", "bullet", "step" or "table"."""
    text: tuple[tuple[str, bool], ...] = ()
    """Runs of text, and whether each is in italics."""
    rows: tuple[tuple[str, ...], ...] = ()
    number: int = 0
    """Of a step in its list, from 1."""


def main() -> None:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else LIBRARY
    parts = list(read((LIBRARY / "handbook.md").read_text(encoding="utf-8")))
    (out / "handbook.pdf").write_bytes(pdf(parts))
    (out / "handbook.docx").write_bytes(docx(parts))
    for suffix in ("pdf", "docx"):
        path = out / f"handbook.{suffix}"
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def read(markdown: str) -> Iterator[Part]:
    """The blocks of the Markdown that the handbook uses: headings, paragraphs, lists of one level, tables, italics."""
    kind, number, row = "paragraph", 0, [""]
    rows: list[tuple[str, ...]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(markdown):
        if token.type == "heading_open":
            kind = token.tag
        elif token.type in {"bullet_list_open", "ordered_list_open"}:
            kind, number = ("bullet" if token.type.startswith("bullet") else "step"), 0
        elif token.type == "list_item_open":
            number += 1
        elif token.type in {"heading_close", "bullet_list_close", "ordered_list_close"}:
            kind = "paragraph"
        elif token.type == "table_open":
            kind, rows = "table", []
        elif token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            rows.append(tuple(row))
        elif token.type == "table_close":
            yield Part("table", rows=tuple(rows))
            kind = "paragraph"
        elif token.type == "inline" and kind == "table":
            row.append("".join(text for text, _ in runs(token)))
        elif token.type == "inline":
            yield Part(kind, tuple(runs(token)), number=number)


def runs(inline: Token) -> Iterator[tuple[str, bool]]:
    italic = False
    for child in inline.children or ():
        if child.type in {"em_open", "em_close"}:
            italic = child.type == "em_open"
        elif child.type in {"text", "softbreak"}:
            yield child.content or " ", italic
        else:
            raise ValueError(f"the handbook's Markdown has {child.type}, which has no form here yet")


def docx(parts: list[Part]) -> bytes:
    """Word's own styles for headings, lists and tables; the zip's dates are fixed."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    document: Any = Document()
    document.core_properties.title = plain(parts[0])
    document.core_properties.author = AUTHOR
    document.core_properties.language = "en-GB"
    styles = {"h1": "Title", "h2": "Heading 1", "h3": "Heading 2", "bullet": "List Bullet", "step": "List Number"}
    for part in parts:
        if part.kind == "table":
            table = document.add_table(rows=0, cols=len(part.rows[0]), style="Table Grid")
            for place, row in enumerate(part.rows):
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.paragraphs[0].add_run(text).bold = place == 0
            document.add_paragraph()
            continue
        # Word would count the steps of all lists as one; the number stands in the text instead, as in the PDF
        style = styles.get(part.kind) if part.kind != "step" else "List Continue"
        paragraph = document.add_paragraph(f"{part.number}. " if part.kind == "step" else "", style=style)
        for text, italic in part.text:
            paragraph.add_run(text).italic = italic or None
        if part.kind == "paragraph":
            paragraph.alignment = WD_ALIGN_PARAGRAPH.JUSTIFY
    saved, fixed = io.BytesIO(), io.BytesIO()
    document.save(saved)
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in sorted(source.namelist()):
            if not name.startswith("docProps/thumbnail"):
                target.writestr(
                    zipfile.ZipInfo(name, ZIP_DATE), without_thumbnail(name, source.read(name)), zipfile.ZIP_DEFLATED
                )
    return fixed.getvalue()


def without_thumbnail(name: str, content: bytes) -> bytes:
    """The picture of somebody else's first page comes with python-docx's template; its relation goes with it."""
    return re.sub(rb"<Relationship [^>]*thumbnail[^>]*/>", b"", content) if name == "_rels/.rels" else content


def pdf(parts: list[Part]) -> bytes:
    """A4 in Times, headings as outlines, page numbers at the foot; no date and no random id in it."""
    from reportlab.lib import colors
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph, Table, TableStyle

    body = ParagraphStyle("body", fontName="Times-Roman", fontSize=11, leading=15, spaceAfter=7)
    item = ParagraphStyle(
        "item",
        parent=body,
        leftIndent=16,
        bulletIndent=3,
        bulletFontName="Times-Roman",
        bulletFontSize=11,
        spaceAfter=3,
    )
    cell = ParagraphStyle("cell", parent=body, fontSize=10, leading=12.5, spaceAfter=0)
    head = ParagraphStyle("head", parent=cell, fontName="Times-Bold")
    styles = {"paragraph": body, "bullet": item, "step": item}
    for kind, size, before in (("h1", 22, 60), ("h2", 16, 20), ("h3", 12.5, 10)):
        styles[kind] = ParagraphStyle(kind, parent=body, fontName="Times-Bold", fontSize=size, leading=size * 1.25, spaceBefore=before,
                                      spaceAfter=6, keepWithNext=True)  # fmt: skip

    class Handbook(BaseDocTemplate):  # type: ignore[misc]
        """Enters each heading in the outline as it is drawn."""

        def afterFlowable(self, drawn: Any) -> None:
            kind = drawn.style.name if isinstance(drawn, Paragraph) else ""
            if kind in {"h2", "h3"}:
                key = f"at{self.seq.nextf('heading')}"
                self.canv.bookmarkPage(key)
                self.canv.addOutlineEntry(drawn.getPlainText(), key, level=int(kind[1]) - 2, closed=True)

    def foot(canvas: Any, document: Any) -> None:
        canvas.setFont("Times-Roman", 9)
        canvas.drawCentredString(A4[0] / 2, 12 * mm, str(document.page))

    story: list[Any] = []
    for part in parts:
        if part.kind == "table":
            rows = [
                [Paragraph(escape(text), cell if place else head) for text in row]
                for place, row in enumerate(part.rows)
            ]
            table = Table(
                rows, repeatRows=1, spaceBefore=2, spaceAfter=9, hAlign="LEFT", colWidths=widths(part, 166 * mm)
            )
            table.setStyle(
                TableStyle([("GRID", (0, 0), (-1, -1), 0.4, colors.grey), ("VALIGN", (0, 0), (-1, -1), "TOP")])
            )
            story.append(table)
            continue
        mark = {"bullet": "\u2022", "step": f"{part.number}."}.get(part.kind)
        text = "".join(f"<i>{escape(run)}</i>" if italic else escape(run) for run, italic in part.text)
        story.append(Paragraph(text, styles[part.kind], bulletText=mark))
    out = io.BytesIO()
    margin = 22 * mm
    document = Handbook(out, pagesize=A4, invariant=1, title=plain(parts[0]), author=AUTHOR, lang="en-GB")
    frame = Frame(margin, margin, A4[0] - 2 * margin, A4[1] - 2 * margin, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate("page", [frame], onPage=foot))
    document.build(story)
    return out.getvalue()


def widths(part: Part, whole: float) -> list[float]:
    """Columns as wide as what stands in them asks, within reason."""
    longest = [min(max(len(row[column]) for row in part.rows), 45) + 4 for column in range(len(part.rows[0]))]
    return [whole * length / sum(longest) for length in longest]


def plain(part: Part) -> str:
    return "".join(text for text, _ in part.text)


if __name__ == "__main__":
    main()
