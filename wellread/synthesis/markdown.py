"""A Markdown text in, the entries of its glossary out: definition lists, tables, and items or paragraphs with a bold name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it.token import Token

Entry = tuple[str, dict[str, Any]]
DASHES = ":—–-= "


def entries(markdown: str) -> Iterator[Entry]:
    """(place, row) of every entry, in the order of the text; several definitions of one name are its senses.

    An entry is a name with `: text` on a line below it, a row of a table whose heading names the columns, or an item
    or paragraph that begins with a name in bold. Other text is passed over.
    """
    from markdown_it import MarkdownIt
    from mdit_py_plugins.deflist import deflist_plugin

    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").use(deflist_plugin).parse(markdown)
    found: list[tuple[int, dict[str, Any]]] = []
    names: list[str] = []
    headings: list[str] = []
    cells: list[str] = []
    inside: list[str] = []
    fresh = True
    for number, token in enumerate(tokens):
        if token.nesting == 1:
            inside.append(token.type)
            if token.type == "dt_open" and tokens[number - 1].type != "dt_close":
                names = []
            if token.type == "dd_open":
                fresh = True
            if token.type == "tr_open":
                cells = []
        elif token.nesting == -1:
            inside.pop()
            if token.type == "tr_close":
                if "thead_open" in inside:
                    headings = cells
                else:
                    found.append((_line(token, tokens, number), dict(zip(headings, cells, strict=False))))
        elif token.type == "inline":
            if inside[-1:] == ["dt_open"]:
                names.append(_plain(token.children))
            elif "dd_open" in inside:
                text, line = _plain(token.children), _line(token, tokens, number)
                if fresh:
                    found += [(line, {"term": name, "definition": text}) for name in names]
                else:  # a further paragraph of the same definition
                    for _, row in found[len(found) - len(names) :]:
                        row["definition"] += f" {text}"
                fresh = False
            elif inside[-1:] in (["th_open"], ["td_open"]):
                cells.append(_plain(token.children))
            elif (bold := _bold(token.children or [])) is not None:
                found.append((_line(token, tokens, number), bold))
    yield from ((f"line {line}", row) for line, row in found)


def _line(token: Token, tokens: Sequence[Token], number: int) -> int:
    """The line of the text at which a token stands, or the nearest token before it that knows."""
    known = (each.map for each in (token, *reversed(tokens[:number])) if each.map)
    return next(known, [0])[0] + 1


def _plain(children: Sequence[Token] | None) -> str:
    """Inline tokens as text."""
    parts = (
        " " if child.type in {"softbreak", "hardbreak"} else child.content
        for child in children or ()
        if child.type in {"text", "code_inline", "softbreak", "hardbreak", "text_special"}
    )
    return "".join(parts).strip()


def _bold(children: Sequence[Token]) -> dict[str, Any] | None:
    """An entry that begins with a name in bold and goes on with its text; None for any other text."""
    start = next((place for place, child in enumerate(children) if child.type != "text" or child.content.strip()), None)
    if start is None or children[start].type != "strong_open":
        return None
    end = next(place for place, child in enumerate(children) if place > start and child.type == "strong_close")
    name, text = _plain(children[start:end]).rstrip(DASHES), _plain(children[end:]).lstrip(DASHES)
    return {"term": name, "definition": text} if name and text else None
