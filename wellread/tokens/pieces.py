"""A text in, short pieces out whose tokens, joined, are the tokens of the whole text.

Tokenizers slow down on long strings (a novel in one string takes up to twice as long as the same novel by
paragraphs), share the work of a batch among threads only string by string, and need many times a string's size in
memory. So texts are cut at the ends of lines, where the tokenizer in hand would part its tokens anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Cut = Literal["before", "after"]
"""On which side of a line break a text may be cut."""

SHORT = 2_000
"""Characters after which the next line break ends a piece: the fastest length measured among 100 to 200,000."""
LONGEST = 1_000_000
"""Characters at which a piece ends though no line break came: bounds the memory that one string takes."""

_BREAK = re.compile(r"(?<=\S)\n+(?=\S)")
_BEFORE = ("a", "É", "7", ".", ",", "”", "»", "…", "—", "-", ")", "'", "*", "_", "字", "😀")
_AFTER = (*_BEFORE, "“", "«", "(", "#", "Ж", "ا")


def pieces(text: str, cut: Cut | None) -> Iterator[str]:
    """The text in order, in pieces of at least SHORT characters cut on that side of line breaks.

    With `cut=None`, and where no line break comes, pieces are LONGEST characters and end before a space if one is
    near: only there may the joined tokens differ from the whole text's, by a token or two.
    """
    start = 0
    while len(text) - start > SHORT:
        found = _BREAK.search(text, start + SHORT, start + LONGEST) if cut else None
        if found:
            end = found.start() if cut == "before" else found.end()
        elif len(text) - start > LONGEST:
            space = text.rfind(" ", start + LONGEST // 2, start + LONGEST)
            end = space if space > 0 else start + LONGEST
        else:
            break
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def safe_cut(tokenizer: Tokenizer) -> Cut | None:
    """The side of a line break on which this tokenizer's tokens of both halves are those of the whole; None if neither.

    GPT-2's splitting rule allows "before"; Llama 3's, which joins a full stop to the line breaks after it, "after".
    Tried on every pair of kinds of characters that may stand around one, two or three line breaks.
    """
    around = [(left, "\n" * count, right) for left in _BEFORE for count in (1, 2, 3) for right in _AFTER]
    before = ((left, breaks + right) for left, breaks, right in around)
    if all(_parts_alike(tokenizer, *halves) for halves in before):
        return "before"
    after = ((left + breaks, right) for left, breaks, right in around)
    if all(_parts_alike(tokenizer, *halves) for halves in after):
        return "after"
    return None


def _parts_alike(tokenizer: Tokenizer, left: str, right: str) -> bool:
    """Whether the two halves split into the words, and the tokens, that they split into when joined."""
    if tokenizer.pre_tokenizer is None:
        return False

    def words(text: str) -> list[str]:
        normal = tokenizer.normalizer.normalize_str(text) if tokenizer.normalizer else text
        return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]

    def tokens(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    return words(left) + words(right) == words(left + right) and tokens(left) + tokens(right) == tokens(left + right)
