"""Lines that a fixed width broke become paragraphs again; lines that someone broke on purpose stay broken."""

from __future__ import annotations

import re
from enum import Enum
from itertools import groupby, pairwise

from wellread.corpus.headings import heading, is_capitals
from wellread.corpus.rules import Outcome, excerpt
from wellread.corpus.rules.layout import (
    LONG,
    Layout,
    blocks,
    continues,
    ends_sentence,
    indent_of,
    is_code,
    is_item,
    is_tabular,
    measure,
    reach,
    speaks,
)

BREAK_MARK = "\x1d"
"""Stands before a paragraph that a wider gap than usual sets off; the pipeline turns it into an offset."""
_SHORT = 75
_SPACES = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")
_OPENS_QUOTE = ('"', "“", "«", "‘", "'")
_CLOSES_QUOTE = ('"', "”", "»", "’", "'")


class Link(Enum):
    """How a line belongs to the one before."""

    JOIN = " "
    BREAK = "\n"
    PARAGRAPH = "\n\n"


def wrapped_lines(texts: list[str]) -> Outcome:
    """The texts with one line per paragraph and one blank line between; count: line ends joined.

    Verse, lists, tables, addresses, signatures and indented blocks keep their line breaks; a dialogue dash or a heading
    begins a paragraph. What a full line is, is learned from the source itself (`layout.measure`).
    """
    layout = measure([line for text in texts for line in [*text.split("\n"), ""]])
    joined, example, cleaned = 0, "", []
    for text in texts:
        paragraphs: list[str] = []
        for before, block in blocks(text.split("\n")):
            mark = BREAK_MARK if before > layout.gap and paragraphs else ""
            for paragraph, joins in _paragraphs(block, layout):
                joined += joins
                if joins >= 2 and not example:
                    example = excerpt(" / ".join(line.strip() for line in block[:2])) + " → " + excerpt(paragraph)
                first, *others = _apart(paragraph)
                paragraphs += [mark + first, *others]
                mark = ""
        cleaned.append("\n\n".join(paragraphs))
    return Outcome(cleaned, joined, example)


def _paragraphs(block: list[str], layout: Layout) -> list[tuple[str, int]]:
    """The paragraphs of a block of lines without a blank one between, each with the number of joins it took."""
    if len(block) == 1:
        return [(_tidy(block[0]), 0)]
    if is_code(block) or not (layout.wrapped or layout.lined or any(map(_is_long, block))):
        set_in = all(line[:1].isspace() for line in block) and not is_code(block)
        return _indented(block, layout) if set_in else [(_kept(block), 0)]
    if layout.wrapped and _is_verse(block, layout):
        return [(_kept(block), 0)]
    margin = layout.indent + 1 if layout.indent else 0
    found: list[tuple[str, int]] = []
    for deep, run in groupby(zip(block, _deep(block, margin), strict=True), key=lambda marked: marked[1]):
        lines = [line for line, _ in run]
        found += _indented(lines, layout) if deep and len(lines) > 1 else _flowing(lines, layout)
    return found


def _is_long(line: str) -> bool:
    return len(line) > LONG and not is_tabular(line)


def _apart(paragraph: str) -> list[str]:
    """A paragraph of several lines of which one is long: that one is prose, and a paragraph of its own."""
    lines = paragraph.split("\n")
    if len(lines) == 1 or not any(map(_is_long, lines)):
        return [paragraph]
    parts: list[str] = []
    for long, group in groupby(lines, key=_is_long):
        run = list(group)
        parts += [_tidy(line) for line in run] if long or len(run) == 1 else [_kept(run)]
    return parts


def _deep(block: list[str], margin: int) -> list[bool]:
    """Which lines are set in from the text; not those of a hanging paragraph, which go on with the line before."""
    deep: list[bool] = []
    for place, line in enumerate(block):
        depth, before = indent_of(line), block[place - 1] if place else ""
        hangs = (
            bool(deep)
            and not deep[-1]
            and (
                line.lstrip()[:1].islower() or (place > 1 and indent_of(before) == depth and not ends_sentence(before))
            )
        )
        deep.append(depth > margin and not hangs)
    for place, line in enumerate(block):
        alone = deep[place] and not any(deep[max(0, place - 1) : place] + deep[place + 1 : place + 2])
        if alone and indent_of(line) <= 2:
            deep[place] = False
    return deep


def _is_verse(block: list[str], layout: Layout) -> bool:
    """Whether most lines end before they are full, or all of four and more begin with a capital."""
    pairs = list(pairwise(block))
    if len(pairs) == 1 or not layout.spaced:
        return False
    short = sum(reach(a, b) < layout.full for a, b in pairs)
    if short < len(pairs) and any(map(is_item, block)):  # a list with a paragraph right behind it
        return False
    if short >= 0.6 * len(pairs):
        verse = short == len(pairs) or sum(continues(a, b) for a, b in pairs) < 0.5 * len(pairs)
    else:
        verse = short > 0 and len(block) >= 4 and all(line.lstrip("\"'“‘«([_ ")[:1].isupper() for line in block)
    return verse and not any(heading(line) or speaks(line) for line in block)


def _indented(lines: list[str], layout: Layout) -> list[tuple[str, int]]:
    """A run of indented lines: prose where it is wrapped at a width of its own, else kept as it is."""
    goes_on = [continues(a, b) or reach(a, b) >= layout.full for a, b in pairwise(lines)]
    narrow = sum(len(line.strip()) for line in lines[:-1]) < 45 * (len(lines) - 1)
    if (len(lines) > 2 and measure(lines).wrapped) or (all(goes_on) and not narrow):
        text, joins = lines[0].strip(), 0
        for line in lines[1:]:
            text, joins = _join(text, line.strip(), layout), joins + 1
        return [(_SPACES.sub(" ", text), joins)]
    return [(_kept(lines), 0)]


def _kept(lines: list[str]) -> str:
    """The lines without the indentation they share."""
    margin = min(indent_of(line) for line in lines)
    return "\n".join(line.expandtabs(4)[margin:].rstrip() if line[:1].isspace() else line.rstrip() for line in lines)


def _tidy(line: str) -> str:
    line = line.strip()
    return line if is_tabular(line) else _SPACES.sub(" ", line)


def _flowing(lines: list[str], layout: Layout) -> list[tuple[str, int]]:
    """Lines of running text as paragraphs; a line that ends early and ends no sentence keeps its break."""
    links = _links(lines, layout)
    found: list[tuple[str, int]] = []
    group, joins = [lines[0].strip()], 0
    for line, link in zip(lines[1:], links, strict=True):
        if link is Link.PARAGRAPH:
            found += _settled(group, joins)
            group, joins = [line.strip()], 0
        elif link is Link.BREAK:
            group.append(line.strip())
        else:
            group[-1] = _join(group[-1], line.strip(), layout)
            joins += 1
    return found + _settled(group, joins)


def _settled(group: list[str], joins: int) -> list[tuple[str, int]]:
    """A paragraph of one line, or a group that keeps its breaks; prose after kept lines is a paragraph of its own."""
    first, *others = _apart("\n".join(map(_tidy, group)))
    return [(first, joins), *((other, 0) for other in others)]


def _links(lines: list[str], layout: Layout) -> list[Link]:
    links = [_link(a, b, layout, first=place == 0) for place, (a, b) in enumerate(pairwise(lines))]
    for place in range(1, len(links) - 1):
        a, b = lines[place].strip(), lines[place + 1].strip()
        around = links[place - 1] is links[place + 1] is Link.BREAK
        if links[place] is Link.PARAGRAPH and around and len(a) < _SHORT and len(b) < _SHORT and not heading(b):
            links[place] = Link.BREAK
    return links


def _link(before: str, line: str, layout: Layout, *, first: bool) -> Link:
    a, b = before.strip(), line.strip()
    full = layout.wrapped and reach(a, b) >= layout.full
    open_ = full and not ends_sentence(a)
    opens = bool(layout.indent) and indent_of(line) >= layout.indent and indent_of(line) > 0
    if (full or (not layout.wrapped and _is_long(a) and continues(a, b))) and not opens and b[:1].islower():
        return Link.JOIN
    if opens or (layout.dashes and speaks(b) and (ends_sentence(a) or (speaks(a) and not full))):
        return Link.PARAGRAPH
    if _heads(b) and not open_:
        return Link.PARAGRAPH
    if _heads(a) and (first or not continues(a, b)):
        return Link.JOIN if full and len(a) > 40 and (is_capitals(a) == is_capitals(b)) else Link.PARAGRAPH
    if is_capitals(a) and is_capitals(b):
        return Link.JOIN if full and len(a) > 40 else Link.BREAK
    if is_capitals(a) and not full:
        return Link.PARAGRAPH
    listed = is_item(b) and not speaks(b) and (is_item(a) or (ends_sentence(a) and not full))
    if listed or (is_tabular(a) and is_tabular(b)):
        return Link.BREAK
    if full:
        two_speakers = a.endswith(_CLOSES_QUOTE) and b.startswith(_OPENS_QUOTE) and ends_sentence(a)
        return Link.PARAGRAPH if two_speakers and not layout.spaced else Link.JOIN
    if layout.wrapped and (b[:1].islower() or (layout.spaced and not ends_sentence(a) and len(a) >= 0.8 * layout.full)):
        return Link.JOIN
    if not layout.spaced and b.startswith(_OPENS_QUOTE) and not a.startswith(_OPENS_QUOTE):
        return Link.PARAGRAPH
    prose = len(a) > _SHORT or (len(b) > LONG and not layout.wrapped)
    return Link.PARAGRAPH if prose or ends_sentence(a) else Link.BREAK


def _heads(line: str) -> bool:
    """Whether a line inside a block is a heading by its form; a number with a title only in capitals."""
    known = heading(line)
    return known is not None and (known.style != "numbered" or is_capitals(line))


def _join(text: str, line: str, layout: Layout) -> str:
    """Two lines as one: a space between, but none after a hyphen or around dashes that stand without spaces."""
    if text[-1:] == "-" and text[-2:-1].isalpha() and not line.startswith(("and ", "or ", "et ", "ou ")):
        return text + line
    if layout.tight and (text.endswith(("--", "—")) or line.startswith(("--", "—"))) and not speaks(line):
        return text + line
    return f"{text} {line}"
