"""A JSON Schema in, whether llama.cpp can be asked to follow it out: what it cannot follow it passes over in silence.

It compiles schemas with a llguidance of its own, which unrolls the items of an array: a billion of them take all memory
there is, and the whole process with it.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any

from wellread.errors import ModelError
from wellread.generation.structured import refuse_unfollowed
from wellread.streaming import Token

MOST_ITEMS = 10_000
"""Of one array: no answer has as many; ten times more are no longer followed."""


def refuse_schema(schema: Mapping[str, Any], name: str) -> None:
    """Raises ModelError for a schema that llama.cpp would not follow, as far as can be told before it is asked."""
    level: list[Any] = [schema]
    while level:
        each = level.pop()
        inner = each.items() if isinstance(each, Mapping) else enumerate(each) if isinstance(each, list) else ()
        for key, value in inner:
            if key in ("minItems", "maxItems") and isinstance(value, int | float) and value > MOST_ITEMS:
                raise ModelError(f"{name}: a GGUF file follows arrays of up to {MOST_ITEMS:,} items; found {key} {value:,}: "
                                 "ask for fewer, or leave it away.")  # fmt: skip
            level.append(value)
    refuse_unfollowed(schema)


def held(tokens: Generator[Token], name: str) -> Generator[Token]:
    """The tokens of an answer. Raises ModelError at its end where it is no JSON: then the schema was not followed."""
    said = b""
    with closing(tokens):
        for token in tokens:
            said += token.piece
            if token.finish == "stop" and not _is_json(said):
                raise ModelError(f"{name}: this JSON Schema cannot be followed: llama.cpp passed over it.")
            yield token


def _is_json(said: bytes) -> bool:
    try:
        json.loads(said)
    except (ValueError, RecursionError):
        return False
    return True
