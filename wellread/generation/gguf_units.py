"""What llama.cpp's server answers in, what was written from one border of characters to the next out."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple


class Unit(NamedTuple):
    """What was written from one border of characters to the next: a token, or the few that make a character together."""

    ids: list[int]
    piece: bytes
    likeliest: tuple[tuple[int, bytes], ...]
    """Beside the last of the tokens."""


def units_of(answer: Mapping[str, Any]) -> list[Unit]:
    """What was written, without the token that ended it, and without a character whose last tokens are still to come.

    Only a token that ends a character is told with its bytes, which are then all of that character's; those before it
    stand in `tokens` alone. Whoever goes on from the text must name them too.
    """
    told = list(answer.get("completion_probabilities", ()))
    if finish_of(answer) == "stop" and told and not answer["content"].endswith(_spelled(told[-1])):
        told.pop()
    ids, at, found = answer["tokens"], 0, []
    for each in told:
        end = ids.index(each["id"], at) + 1
        # the last byte of a character may stand in its middle too (U+3000: E3 80 80)
        while 1 < end - at < len(each["bytes"]) and ids[end : end + 1] == [each["id"]]:
            end += 1
        near = tuple((other["id"], bytes(other["bytes"])) for other in each.get("top_logprobs", ()))
        found.append(Unit(ids[at:end], bytes(each["bytes"]), near))
        at = end
    return found


def _spelled(told: Mapping[str, Any]) -> str:
    return bytes(told["bytes"]).decode("utf-8", "replace")


def finish_of(answer: Mapping[str, Any]) -> Literal["stop", "length"]:
    return "stop" if answer.get("stop_type") in {"eos", "word"} else "length"


def text_of(pieces: Sequence[bytes]) -> str:
    return codecs.getincrementaldecoder("utf-8")("replace").decode(b"".join(pieces))
