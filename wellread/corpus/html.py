"""An HTML or XHTML file in, one Document per headed section out.

Parsed by lxml (libxml2): well-formed XHTML as XML, all else by its forgiving HTML parser. It is about ten times as
fast as BeautifulSoup, which would only wrap it, and `iterwalk` keeps the text of a page in reading order in one pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from pathlib import Path
from typing import Any

from wellread.corpus.archive import attribute, local, named, xml
from wellread.corpus.encoding import CONTROLS, text_of
from wellread.corpus.sections import BREAK, Block, flow, sectioned
from wellread.types import Document

HEADINGS = {f"h{n}": n for n in range(1, 7)}
DROPPED = named(
    "head script style nav template noscript iframe object embed applet canvas audio video svg button select textarea "
    "input rt rp annotation annotation-xml"
)
BLOCKS = named(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer form frameset header hgroup hr html legend li main menu ol optgroup p pre listing xmp section summary "
    "table tbody tfoot thead tr ul"
)
VERBATIM = frozenset(("pre", "listing", "xmp"))
CELLS = frozenset(("td", "th"))
VOID = named("area base br col embed hr img input link meta param source track wbr")
FURNITURE = named("headerlink mw-editsection pagenum pageno lnum linenum footnote-backref")
"""Classes of what stands beside the text: a "¶" or "[edit]" behind headings, page and line numbers."""
STANZAS = named("poem poetry stanza verse linegroup line-group line-block lg")
"""Classes of what holds verse: each element in it is a line, though markup makes it a paragraph."""
NAVIGATION = named("navigation search doc-pagebreak doc-toc doc-pagelist pagebreak toc landmarks page-list")
"""Roles and epub:types of what leads to the text and is not it."""
NOTES = named("noteref doc-noteref footnote-reference footnote-ref footnoteref fnref")
"""Classes, roles and epub:types of a link from the text to a note."""
CELL = "\x1f"
CGI = re.compile(r"\s*content-type:\s*text/html[^\n]*\n\s*", re.I)
PROLOGUE = re.compile(r"\s*(?:<\?xml[^>]*\?>)?\s*(?:<!--.*?-->\s*)*(?:<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>)?", re.I | re.S)
SELF_CLOSED = re.compile(r"<([A-Za-z][\w:.-]*)((?:\s[^<>]*)?)/>")


def load(path: Path) -> Iterator[Document]:
    """One Document per heading h1..h6; `<pre>` and `<br>` keep their lines, a table row is a line with tabs."""
    root = parse(text_of(path, markup=True))
    yield from sectioned(path, blocks(root), title_of(root), language_of(root))


def parse(markup: str) -> Any:
    """The root element of a page, however broken the page is; None where it holds no element at all."""
    from lxml import etree

    markup = CONTROLS.sub("", CGI.sub("", markup, count=1) if CGI.match(markup) else markup)
    start = markup[:2000]
    body = PROLOGUE.sub("", markup, count=1)
    if "<?xml" in start or "//DTD XHTML" in start or "http://www.w3.org/1999/xhtml" in start:
        # A page may use HTML's named characters, which XML does not know; and HTML does not know `<title/>`.
        root = xml(re.sub(r"&(\w+);", named_character, body).encode("utf-8", "replace"))
        if root is not None:
            return root
        body = SELF_CLOSED.sub(lambda m: m[0] if m[1].lower() in VOID else f"<{m[1]}{m[2]}></{m[1]}>", body)
    # huge_tree lifts the depth limit from 256 to 2,048 (a page that never closes its <font> goes deep); nothing in HTML
    # expands, so there is no bomb to fear.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = lenient(body, parser)
    if any("depth" in entry.message for entry in parser.error_log):
        shallow = re.sub(r"</?(?:font|span|div|b|i|u|em|strong|small|big|a)\b[^>]*>", "", body, flags=re.I)
        root = lenient(shallow, parser)
    return root


def lenient(markup: str, parser: Any) -> Any:
    """What the HTML parser makes of a page; None where that is nothing, as of an unclosed comment."""
    from lxml import etree

    try:
        return etree.fromstring(markup.encode("utf-8", "replace"), parser)
    except etree.XMLSyntaxError:
        return None


def named_character(match: re.Match[str]) -> str:
    """`&eacute;` as its character; XML's own five stay, and an unknown name becomes text."""
    name = match[1]
    if name in {"amp", "lt", "gt", "quot", "apos"}:
        return match[0]
    return html5.get(f"{name};", f"&amp;{name};")


def title_of(root: Any) -> str:
    """The page's `<title>`, or an empty string."""
    if root is None:
        return ""
    found = next(root.iter("{*}title"), None)
    return "" if found is None else " ".join("".join(found.itertext()).split())


def language_of(root: Any) -> str:
    """The page's `lang` or `xml:lang`, or an empty string."""
    return "" if root is None else attribute(root, "lang") or ""


def blocks(root: Any) -> Iterator[Block]:
    """Headings and paragraphs in reading order, without scripts, navigation and what the page hides."""
    from lxml import etree

    if root is None:
        return
    parts: list[str] = []
    heading = verbatim = 0
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        name = local(element).lower()
        level = HEADINGS.get(name, 0)
        verse = name in {"div", "p", "li"} and in_stanza(element)
        edge = (level > 0 or name in BLOCKS) and not verse
        if event == "start":
            if edge and heading:
                parts.append(" ")  # a heading stays one, whatever stands in it
            elif edge:
                yield from block(parts, 0, verbatim)
                heading = level
                verbatim += name in VERBATIM
            shown = stand_in(element, name)
            if shown is not None:
                walk.skip_subtree()
            parts.append(shown if shown is not None else source_text(element.text, verbatim))
            continue
        if level and level == heading:
            yield from block(parts, heading, 0)
            heading = 0
        elif edge and heading:
            parts.append(" ")
        elif edge:
            yield from block(parts, 0, verbatim)
            verbatim -= name in VERBATIM
        elif verse:
            parts.append(BREAK)
        elif name in CELLS:
            parts.append(CELL)
        parts.append(source_text(element.tail, verbatim))
    yield from block(parts, 0, 0)


def block(parts: list[str], level: int, verbatim: int) -> Iterator[Block]:
    """What was gathered, as a block, if it has any text; leaves `parts` empty."""
    text = "".join(parts)
    parts.clear()
    if verbatim:
        lines = text.replace(BREAK, "\n").replace("\u00ad", "").split("\n")
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
    else:
        cells = [cell for cell in map(flow, text.split(CELL)) if cell]
        text = "\t".join(" ".join(cell.split("\n")) for cell in cells) if len(cells) > 1 else "".join(cells)
    if text.strip():
        yield Block(text, level)


def in_stanza(element: Any) -> bool:
    parent = element.getparent()
    return parent is not None and bool(STANZAS.intersection((parent.get("class") or "").split()))


def source_text(text: str | None, verbatim: int) -> str:
    """Text as the file has it: a literal line separator in it is white space, no hard break of ours."""
    return (text or "").replace(BREAK, "\n" if verbatim else " ")


def stand_in(element: Any, name: str) -> str | None:
    """What is shown in an element's place: nothing, a line break, a note's mark; None where its content is shown."""
    if name in DROPPED:
        return ""
    if name == "br":
        return BREAK
    if name == "img":  # a drop cap drawn as a picture: without its letter the first word is maimed
        letter = (element.get("alt") or "").strip()
        return letter if len(letter) == 1 and letter.isalpha() else ""
    if not element.attrib and name != "sup":
        return None
    roles = f"{element.get('role') or ''} {attribute(element, 'type') or ''}".split()
    classes = (element.get("class") or "").split()
    if FURNITURE.intersection(classes) or NAVIGATION.intersection(roles) or hidden(element):
        return ""
    if name == "sup" or (name == "a" and NOTES.intersection(classes + roles)):
        return note_mark(element, name)
    return None


def hidden(element: Any) -> bool:
    """Whether the page does not show an element."""
    return element.get("hidden") is not None or "display:none" in (element.get("style") or "").replace(" ", "").lower()


def note_mark(element: Any, name: str) -> str | None:
    """`[3]` for a raised link to note 3, so that the digit does not stick to the word; None for other raised text."""
    parent = element.getparent()
    linked = name == "a" or (parent is not None and local(parent) == "a") or any(local(e) == "a" for e in element)
    mark = "".join(element.itertext()).strip()
    bare = mark.strip("[]()")
    return f"[{bare}]" if linked and bare.isdigit() else None
