"""A Markdown file in, one Document per headed section out.

markdown-it-py (CommonMark, MIT) with the footnote and definition-list plugins of its own project turns the source into
HTML, whose loader does the rest: so HTML inside Markdown, which the format allows, is read as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.corpus.encoding import text_of
from wellread.corpus.html import blocks, parse
from wellread.corpus.sections import Block, sectioned
from wellread.types import Document

if TYPE_CHECKING:
    from markdown_it.token import Token

FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.S)
TITLE = re.compile(r"^title:[ \t]*([^\n]+)", re.M | re.I)
ATTRIBUTES = re.compile(r"[ \t]*\{[#.:-][^{}\n]*\}$")
"""`{#anchor .class}` behind a heading, as pandoc and many site generators write it."""


def load(path: Path) -> Iterator[Document]:
    """One Document per heading (`#` or underlined); hard breaks and code keep their lines; front matter is metadata."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.deflist import deflist_plugin
    from mdit_py_plugins.footnote import footnote_plugin

    source = text_of(path)
    title = ""
    front = FRONT_MATTER.match(source)
    if front:
        stated = TITLE.search(front[1])
        title = stated[1].strip().strip("\"'") if stated else ""
        source = source[front.end() :]
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(footnote_plugin).use(deflist_plugin)
    context: dict[str, Any] = {}
    tokens = reader.parse(source, context)
    mark_notes(tokens)
    markup = reader.renderer.render(tokens, reader.options, context)
    found = [
        Block(ATTRIBUTES.sub("", text), level) if level else Block(text, 0)
        for text, level in blocks(parse(f"<html><body>{markup}</body></html>"))
    ]
    tops = [block.text for block in found if block.level == 1]
    # a single heading of the first level is the work's own title
    yield from sectioned(path, found, title or (tops[0] if len(tops) == 1 else ""))


def mark_notes(tokens: list[Token]) -> None:
    """Put `[n]` before the text of each footnote, as it stands in the text that refers to it."""
    from markdown_it.token import Token

    for place, token in enumerate(tokens):
        if token.type == "footnote_open":
            first = next((t for t in tokens[place:] if t.type in {"inline", "footnote_close"}), token)
            if first.children is not None:
                first.children.insert(0, Token("text", "", 0, content=f"[{token.meta['id'] + 1}] "))
