"""What a model wrote in, the JSON in it out: in fences, after thoughts, with a word before or behind. Standard library only."""

from __future__ import annotations

import json
import re
from typing import Any

THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_OPENING = re.compile(r"[{\[]")
_DECODER = json.JSONDecoder(strict=False)
MOST = 200
"""Brackets at which a value is looked for, at most: text that is nothing but brackets ends, too."""


def json_in(text: str) -> Any:
    """The largest JSON object or list that stands in a text. Raises ValueError, in words, where there is none.

    Text before and behind it, Markdown fences, a model's thoughts in tags, line breaks inside strings and a comma
    after the last item are no obstacle. Half a value, as a limit of tokens leaves it, is none, nor is a part of it.
    """
    text = THOUGHT.sub("", text).strip()
    best: Any = None
    size = at = 0
    for _ in range(MOST):
        opening = _OPENING.search(text, at)
        if opening is None:
            break
        start = opening.start()
        try:
            value, at = _value(text, start)
        except json.JSONDecodeError as error:
            if error.pos >= len(text) or error.msg.startswith("Unterminated"):
                break  # the rest of the text is the inside of a value that never ends
            at = start + 1
            continue
        except RecursionError:
            break
        if at - start > size:
            best, size = value, at - start
    if not size:
        shown = " ".join(text.split())
        raise ValueError(f"no whole JSON value in it: {shown[:60]!r}" if shown else "it is empty")
    return best


def _value(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at `start`, and where it ends."""
    try:
        return _DECODER.raw_decode(text, start)
    except json.JSONDecodeError:
        mended = _TRAILING_COMMA.sub(r"\1", text[start:])
        if len(mended) == len(text) - start:
            raise
        value, _ = _DECODER.raw_decode(mended)
        return value, len(text)
