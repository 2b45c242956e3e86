"""A chat in, token ids out as the model's own template has it: what is said in it is only ever text.

A template's frame is made of special tokens, and a tokenizer reads their names as such wherever they stand. So the names
that occur in what is said are taken out while the template is filled, and put back letter by letter. A chat that names
none of them is read as `apply_chat_template` has it, to the last token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from wellread.errors import ModelError
from wellread.types import Message

PRIVATE = range(0xE000, 0xF8FF)
"""Characters that mean nothing to anyone: one that nobody says holds the place of a name."""


def steering(tokenizer: Any) -> re.Pattern[str] | None:
    """The names of special tokens, and of any other added token that the chat template writes; None where there are none."""
    template = str(getattr(tokenizer, "chat_template", None) or "")
    added = tokenizer.added_tokens_decoder.values()
    names = {str(each) for each in added if each.special or (str(each).strip() and str(each) in template)}
    names |= set(tokenizer.all_special_tokens)
    longest_first = sorted(filter(None, names), key=lambda name: (-len(name), name))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def chat_ids(
    tokenizer: Any, chat: Sequence[Message], names: re.Pattern[str] | None, plain: Callable[[str], list[int]]
) -> list[int]:
    """The chat up to where the answer begins. `names` are those of `steering`; `plain` encodes text as nothing but text."""
    if names is None or not any(names.search(message["content"]) for message in chat):
        asked = tokenizer.apply_chat_template(
            [dict(each) for each in chat], add_generation_prompt=True, return_dict=True
        )
        return [int(index) for index in asked["input_ids"]]
    mark = unsaid(chat)
    held: list[str] = []

    def hide(found: re.Match[str]) -> str:
        held.append(found[0])
        return f"{mark}{len(held) - 1}{mark}"

    hidden = [{**each, "content": names.sub(hide, each["content"])} for each in chat]
    framed = tokenizer.apply_chat_template(hidden, add_generation_prompt=True, tokenize=False)
    ids: list[int] = []
    for place, piece in enumerate(re.split(f"{mark}(\\d+){mark}", framed)):
        if place % 2:  # a name: in two parts, so that not even a token that is not called special is made of it
            name = held[int(piece)]
            ids += [*plain(name[:1]), *plain(name[1:])]
        elif piece:
            ids += [int(index) for index in tokenizer(piece, add_special_tokens=False)["input_ids"]]
    return ids


def unsaid(chat: Sequence[Message]) -> str:
    """A private character that stands in no message. Raises ModelError where all of them do."""
    said = set("".join(message["content"] for message in chat))
    free = next((chr(code) for code in PRIVATE if chr(code) not in said), None)
    if free is None:
        raise ModelError("this chat uses every private character of Unicode: leave some out.")
    return free
