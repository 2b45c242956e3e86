"""Documents in, cleaned Documents out, with what each rule changed: licences, contents, pages, hyphens, line ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from wellread.corpus.examples import is_example
from wellread.corpus.rules import Rule
from wellread.corpus.rules.characters import characters, trailing_blanks
from wellread.corpus.rules.contents import contents
from wellread.corpus.rules.hyphens import hyphen_splits
from wellread.corpus.rules.licence import licence
from wellread.corpus.rules.pages import page_breaks, page_numbers, running_heads
from wellread.corpus.rules.wrapping import BREAK_MARK, wrapped_lines
from wellread.types import Document, Removal

RULES: tuple[tuple[str, Rule], ...] = (
    ("characters", characters),
    ("trailing blanks", trailing_blanks),
    ("licence", licence),
    ("running heads", running_heads),
    ("page numbers", page_numbers),
    ("page breaks", page_breaks),
    ("table of contents", contents),
    ("hyphen splits", hyphen_splits),
    ("wrapped lines", wrapped_lines),
)
"""In this order: each rule relies on what those before it have settled."""


def clean(documents: Iterable[Document]) -> tuple[list[Document], list[Removal]]:
    """The documents without their furniture, and what each rule that found something changed, with one example.

    A prose paragraph is one line afterwards, paragraphs are separated by one blank line. The documents of one source
    (neighbours with the same `source`) are judged together. Cleaning cleaned documents changes nothing. A document of
    which nothing stays is dropped. Where the source set a paragraph off by more space than usual, `metadata["breaks"]`
    holds the offset of that paragraph: evidence for chapters. Examples stay as they are.
    """
    counts = {name: 0 for name, _ in RULES}
    examples: dict[str, str] = {}
    cleaned: list[Document] = []
    for _, group in groupby(documents, key=lambda document: document.source):
        source = list(group)
        if is_example(source[0]):
            cleaned += source
            continue
        texts = [document.text for document in source]
        for name, rule in RULES:
            outcome = rule(texts)
            texts = outcome.texts
            counts[name] += outcome.count
            if outcome.example:
                examples.setdefault(name, outcome.example)
        offset = 0
        for document, text in zip(source, texts, strict=True):
            kept = _settled(document, text, offset)
            if kept.text.strip() and (kept.text != document.section or document.section == document.text.strip()):
                cleaned.append(kept)
                offset += len(kept.text) + 2
    removals = [Removal(name, count, examples.get(name, "")) for name, count in counts.items() if count]
    return cleaned, removals


def _settled(document: Document, text: str, offset: int) -> Document:
    """The document with its cleaned text, its place in the cleaned source, and the breaks that the rules marked."""
    if BREAK_MARK not in text:
        return replace(document, text=text, offset=offset)
    pieces = text.split(BREAK_MARK)
    breaks, at = [], 0
    for piece in pieces[:-1]:
        at += len(piece)
        breaks.append(at)
    return replace(document, text="".join(pieces), offset=offset, metadata={**document.metadata, "breaks": breaks})
