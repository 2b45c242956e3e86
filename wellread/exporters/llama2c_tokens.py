"""A byte-level BPE tokenizer in, llama2.c's tokenizer.bin out, and the ids that its tokens have there.

run.c takes 0 for an unknown token, begins a text with id 1, ends it with id 2, and spells a character that has no token
by bytes as ids 3 to 258. It splits no words first: it merges whatever two neighbours make a token, the one of the highest
score first, and puts a space before every text. Here a score is minus the rank of the merge that makes the token.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from wellread.errors import ModelError
from wellread.weights import document_end, document_start

UNKNOWN, START, END, BYTES = 0, 1, 2, 3
SHOWN = {UNKNOWN: b"<unk>", START: b"\n<s>\n", END: b"\n</s>\n"}
"""What llama2.c's own files print for them; a line break keeps them from being met in a text."""


def places(tokenizer: Any, vocabulary: int, name: str) -> list[int]:
    """The file's id of every id of the model, `vocabulary` of them.

    Raises ModelError where the tokenizer is no byte-level BPE, or has one token for a document's beginning and its end.
    """
    strings = _strings(tokenizer, name)
    start, end = document_start(tokenizer), document_end(tokenizer)
    if start == end:
        raise ModelError(f"{name}: run.c begins a text with token 1 and ends it with token 2, and this tokenizer has one "
                         "token for both; --to gguf takes it elsewhere.")  # fmt: skip
    by_bytes = {string: index for index, string in strings.items() if len(string) == 1}
    special = [index for index in range(vocabulary) if index not in strings and index not in (start, end)]
    if len(by_bytes) < 256 or not special:
        raise ModelError(f"{name}: run.c needs a token for each of the 256 bytes and one for what is unknown, which its "
                         "tokenizer has not; --to gguf takes it elsewhere.")  # fmt: skip
    unknown = tokenizer.unk_token_id if tokenizer.unk_token_id in special else special[0]
    fixed = {unknown: UNKNOWN, start: START, end: END}
    fixed |= {by_bytes[bytes([value])]: BYTES + value for value in range(256)}
    free = iter(sorted(set(range(vocabulary)) - set(fixed.values())))
    return [fixed[index] if index in fixed else next(free) for index in range(vocabulary)]


def write_tokens(tokenizer: Any, place: list[int], path: Path) -> None:
    """tokenizer.bin: the longest length, then for each id a score, a length and the bytes."""
    strings = _strings(tokenizer, path.name)
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(model["merges"]):
        ranks.setdefault("".join(merge if isinstance(merge, list) else merge.split(" ")), rank)
    spelled = {index: token for token, index in model["vocab"].items()}
    rows: list[tuple[float, bytes]] = [(0.0, b"")] * len(place)
    for index, at in enumerate(place):
        shown = SHOWN.get(at) or strings.get(index) or f"\n<{index}>\n".encode()
        rows[at] = (-float(ranks.get(spelled.get(index, ""), len(ranks))), shown)
    with path.open("wb") as file:
        file.write(struct.pack("<I", max(len(shown) for _, shown in rows)))
        for score, shown in rows:
            file.write(struct.pack("<fI", score, len(shown)) + shown)


def _strings(tokenizer: Any, name: str) -> dict[int, bytes]:
    """The bytes of every token that stands for text."""
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    kinds = json.dumps(told.get("pre_tokenizer") or {})
    if told["model"]["type"] != "BPE" or '"ByteLevel"' not in kinds:
        raise ModelError(f"{name}: its tokenizer is no byte-level BPE, the only kind that is written for run.c; "
                         "--to gguf takes it elsewhere.")  # fmt: skip
    special = {int(index) for index in tokenizer.added_tokens_decoder}
    values = {letter: value for value, letter in enumerate(_alphabet())}
    return {
        int(index): bytes(values[letter] for letter in token)
        for token, index in told["model"]["vocab"].items()
        if index not in special
    }


def _alphabet() -> list[str]:
    """The letter that byte-level BPE writes for each byte: itself where it can be printed, else one from U+0100 on."""
    printed = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(value) if value in printed else chr(next(others)) for value in range(256)]
