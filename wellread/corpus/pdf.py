"""A PDF file in, one Document out: its lines as printed, a form feed between pages, blank lines between paragraphs.

PDFium (through pypdfium2, BSD and Apache) reads the file: of the permissively licensed parsers it is the one that finds
the spaces between words in typeset pages, and a page takes about 6 ms, all told (pypdf, tried on the same manuals, ran
up to half of the words together and took 40 ms). Reading order is the order in which the page draws its text, which
for columns set by a typesetting program is column after column. Running heads and page numbers stay for cleaning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wellread.corpus.encoding import CONTROLS, contents, kind, tidy
from wellread.corpus.footnotes import with_notes_moved
from wellread.corpus.layout import Line, continues, rejoined
from wellread.corpus.outline import entries, stated
from wellread.corpus.sections import single
from wellread.errors import CorpusError
from wellread.types import Document

LINE = re.compile("(.*?)(\r\n|\ufffe|\\Z)", re.S)
"""PDFium ends a line by CR LF, or, where it ends in a hyphen, by U+FFFE in the hyphen's place and nothing else."""
ODD_SPACE = re.compile(r"[\t\r\n\v\f]\s*")
"""Some writers map their spaces to tabs and returns."""
LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
ACCENTS = {"´": "\u0301", "`": "\u0300", "ˆ": "\u0302", "¨": "\u0308", "˜": "\u0303", "ˇ": "\u030c", "¸": "\u0327"}
MADE_UP = re.compile(r"^Microsoft Word - |\.(?:docx?|odt|tex|dvi|indd|rtf|pdf)$|^untitled", re.I)
PAGES = 20_000
TEXT = 50_000_000
"""Characters. A file may name one page again and again: a few bytes of it then stand for many."""
PASSWORD = 4
"""PDFium's error for a password that is needed."""


def load(path: Path) -> Iterator[Document]:
    """One Document, a line that is a form feed between pages; `metadata`: `pages`, and `title` and `outline` (a list of
    Entry) where the file has them.

    Raises CorpusError for a file that is no PDF or is damaged, needs a password, has no text layer, or more pages or text
    than any book.
    """
    import pypdfium2

    name = path.as_posix()
    head = contents_head(path)
    try:
        with pypdfium2.PdfDocument(path) as document:
            outline = list(entries(document))
            pages = with_notes_moved(list(pages_of(document, name)), {each.page for each in outline if each.level == 1})
            title = stated(lambda: document.get_metadata_value("Title"))
    except pypdfium2.PdfiumError as error:
        if error.err_code == PASSWORD:
            raise CorpusError(f"{name}: the PDF is locked by a password; save a copy without one.") from error
        found = kind(head)
        what = "a damaged PDF" if found == "a PDF file" else found or "something that is not a PDF"
        raise CorpusError(
            f"{name}: expected a PDF, found {what}; get the file again, or give it the suffix of its kind."
        ) from error
    text = tidy("\n\f\n".join(pages))
    if not any(c.isalnum() for c in text):
        raise CorpusError(
            f"{name}: no text layer in its {len(pages)} pages, only pictures; run OCR on it first (ocrmypdf)."
        )
    told: dict[str, Any] = {"outline": outline} if outline else {}
    if title and not MADE_UP.search(title):
        told["title"] = title
    yield from single(path, composed(text), pages=len(pages), **told)


def pages_of(document: Any, name: str) -> Iterator[list[Line]]:
    """The lines of each page. Raises CorpusError for more pages or text than any book has."""
    if len(document) > PAGES:
        raise CorpusError(f"{name}: {len(document):,} pages, and at most {PAGES:,} are read; split the file.")
    held = 0
    for number in range(len(document)):
        lines = page_lines(document, number)
        held += sum(len(line.text) for line in lines)
        if held > TEXT:
            raise CorpusError(f"{name}: more than {TEXT:,} characters of text by page {number + 1:,}; split the file.")
        yield lines


def contents_head(path: Path) -> bytes:
    """The first bytes, so that a missing or unreadable file is told as for any other kind."""
    try:
        with path.open("rb") as stream:
            return stream.read(1024)
    except OSError:
        return contents(path)


def page_lines(document: Any, number: int) -> list[Line]:
    """The lines of one page, in the order of the page."""
    page = document[number]
    textpage = page.get_textpage()
    try:
        return printed_lines(textpage)
    finally:
        textpage.close()
        page.close()


def printed_lines(textpage: Any) -> list[Line]:
    """The lines in the order of the page, each with its box; pieces that PDFium cuts off at raised digits rejoined."""
    from pypdfium2 import raw

    lines: list[Line] = []
    unit = 0  # place in PDFium's UTF-16 text
    for match in LINE.finditer(textpage.get_text_range()):
        printed, end = match[1], match[2]
        text = CONTROLS.sub("", ODD_SPACE.sub(" ", printed).translate(LIGATURES)).strip()
        hyphen = "-" if end == "\ufffe" or text.endswith("\u00ad") else ""
        text = text.replace("\u00ad", "") + hyphen
        first = unit + len(printed) - len(printed.lstrip())
        unit += sum(2 if c > "\uffff" else 1 for c in printed)
        last = unit - 1 - (len(printed) - len(printed.rstrip()))
        unit += len(end)
        if not text:
            continue
        indices = [raw.FPDFText_GetCharIndexFromTextIndex(textpage, place) for place in (first, max(first, last))]
        boxes = [textpage.get_charbox(index, loose=True) for index in indices if index >= 0] or [(0.0, 0.0, 0.0, 0.0)]
        line = Line(
            text, min(b[0] for b in boxes), max(b[2] for b in boxes), min(b[1] for b in boxes), max(b[3] for b in boxes)
        )
        if lines and continues(lines[-1], line):
            lines[-1] = rejoined(lines[-1], line)
        else:
            lines.append(line)
    return lines


def composed(text: str) -> str:
    """Letters and the accents that old typesetting fonts print beside them, as one: `prote´ge´` or `´etat`.

    Whether the accent follows its letter or precedes it is the file's habit: at the end of a word it must follow, at
    the beginning precede, and the more frequent of the two decides for the whole file.
    """
    marks = "".join(ACCENTS)
    after = len(re.findall(rf"[^\W\d_][{marks}](?![^\W\d_])", text))
    before = len(re.findall(rf"(?<![^\W\d_])[{marks}][^\W\d_]", text))
    if not after + before:
        return text
    letter, mark = r"(?P<letter>[^\W\d_])", f"(?P<mark>[{marks}])"
    pattern = letter + mark if after >= before else mark + letter

    def one(match: re.Match[str]) -> str:
        plain = {"ı": "i", "ȷ": "j"}.get(match["letter"], match["letter"])
        whole = unicodedata.normalize("NFC", plain + ACCENTS[match["mark"]])
        return whole if len(whole) == 1 else match[0]

    return re.sub(pattern, one, text)
