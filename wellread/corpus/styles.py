"""The styles of a DOCX file in; which of its paragraphs are headings, and which runs are hidden, out."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from wellread.corpus.archive import Archive, attribute, child, local

HEADING = re.compile(
    r"(?:heading|titre|überschrift|título|titulo|titolo|encabezado|kop|rubrik|overskrift|otsikko|nagłówek|nadpis|"
    r"заголовок|başlık|cím|cabeçalho|標題|标题|見出し|제목)\s*([1-9])\b"
)
"""Word stores English names for its own styles in any language; other programs and converters store theirs."""
TITLES = frozenset(("title", "titre", "titel", "título", "titulo", "titolo"))
OFF = frozenset(("0", "false", "off", "none"))


class Style(NamedTuple):
    """What a paragraph's style says of it."""

    level: int = 0
    """Heading level 1..6, 0 for running text."""
    contents: bool = False
    """Whether it is a line of Word's own table of contents."""


class Styles:
    """The style sheet: id -> its element, each based on another."""

    def __init__(self, sheet: Any) -> None:
        self.sheet: dict[str, Any] = {}
        for element in sheet if sheet is not None else ():
            if local(element) == "style":
                self.sheet[attribute(element, "styleId") or ""] = element
        self.known: dict[str, Style] = {}

    def of(self, properties: Any) -> Style:
        """The style of a paragraph with these properties; its own outline level goes first."""
        if properties is None:
            return Style()
        name = value(properties, "pStyle")
        style = self.named(name) if name else Style()
        outline = value(properties, "outlineLvl")
        return style._replace(level=outline_level(outline)) if outline is not None else style

    def named(self, key: str) -> Style:
        """A style by its id, looking through the styles it is based on."""
        if key not in self.known:
            self.known[key] = Style()  # for a style that is, by mistake, based on itself
            self.known[key] = self.judged(key)
        return self.known[key]

    def judged(self, key: str) -> Style:
        element = self.sheet.get(key)
        name = (value(element, "name") if element is not None else None) or key
        plain = name.casefold().strip()
        numbered = HEADING.match(plain)
        if numbered:
            return Style(min(int(numbered[1]), 6))
        if plain in TITLES:
            return Style(1)
        if re.fullmatch(r"toc ?\d|toc heading", plain):
            return Style(contents=True)
        if element is None:
            return Style()
        outline = child(element, "pPr", "outlineLvl")
        if outline is not None:
            return Style(outline_level(attribute(outline, "val")))
        parent = value(element, "basedOn")
        return self.named(parent) if parent else Style()

    def hidden(self, run: Any) -> bool:
        """Whether a run is hidden text (`w:vanish`), by itself or by its character style."""
        properties = child(run, "rPr")
        if properties is None:
            return False
        mark = child(properties, "vanish")
        if mark is None:
            style = self.sheet.get(value(properties, "rStyle") or "")
            mark = child(style, "rPr", "vanish") if style is not None else None
        return mark is not None and (attribute(mark, "val") or "true") not in OFF


def read_styles(archive: Archive, member: str | None) -> Styles:
    return Styles(archive.xml(member) if member and archive.has(member) else None)


def value(element: Any, name: str) -> str | None:
    """The `val` of a child element."""
    found = child(element, name)
    return attribute(found, "val") if found is not None else None


def outline_level(text: str | None) -> int:
    """Word counts from 0, and calls running text 9."""
    number = int(text) if text and text.isdigit() else 9
    return min(number + 1, 6) if number < 9 else 0
