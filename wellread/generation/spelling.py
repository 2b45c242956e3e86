"""A text in, token ids with the exact bytes that each one spells out; and ids back into text."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellread.errors import ModelError

_METASPACE = "▁"


@dataclass(frozen=True, slots=True)
class Spelled:
    """The tokens of one text; `ends` are the byte offsets where each one's bytes end, the last at the text's end."""

    ids: NDArray[np.int64]
    ends: NDArray[np.int64]


class Spelling:
    """How a fast tokenizer spells.

    Text is only ever text: a string such as `<|im_end|>` in it becomes the letters it is written with, never the
    special token, and no token is added at either end. Raises ModelError for a tokenizer without a fast backend.
    """

    def __init__(self, tokenizer: Any) -> None:
        from tokenizers import Tokenizer

        if getattr(tokenizer, "backend_tokenizer", None) is None:
            raise ModelError(
                f"{tokenizer.name_or_path}: its tokenizer is a slow one; "
                "save it in the fast format (tokenizer.json) first."
            )
        self._backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = True
        description = json.loads(self._backend.to_str())
        self.name = _name(description["model"])
        self.size = int(self._backend.get_vocab_size(with_added_tokens=True))
        self._special = {token["id"] for token in description["added_tokens"] if token["special"]}
        self._bytes = _byte_table(self._backend, description)

    def spell(self, texts: Sequence[str]) -> list[Spelled]:
        """Token ids and byte spans of every text."""
        encodings = self._backend.encode_batch(list(texts), add_special_tokens=False)
        return [self._spelled(text, encoding) for text, encoding in zip(texts, encodings, strict=True)]

    def encode(self, text: str) -> list[int]:
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        """The text that ids spell: special tokens left out, and a character whose last bytes are still to come."""
        if self._bytes is None:
            return str(self._backend.decode(list(ids), skip_special_tokens=True)).rstrip("\ufffd")
        spelled = b"".join(self._bytes[index] for index in ids if index not in self._special)
        return codecs.getincrementaldecoder("utf-8")("replace").decode(spelled)

    def added(self, ids: Sequence[int]) -> bytes:
        """What the last of these ids adds to the text of those before it."""
        if self._bytes is not None:
            return self.piece(ids[-1])
        return self.decode(ids)[len(self.decode(ids[:-1])) :].encode()

    def shown(self, index: int) -> bytes:
        """A token by its bytes; a special one by its name."""
        return self._bytes[index] if self._bytes is not None else str(self._backend.id_to_token(index)).encode()

    def piece(self, index: int) -> bytes:
        """The bytes that a token adds to what `decode` gives: none for a special token.

        Raises ModelError for a tokenizer whose tokens do not say which bytes they stand for.
        """
        if self._bytes is None:
            raise ModelError(f"{self.name}: its tokens do not say which bytes they stand for, so nothing can guard what "
                             "they write; leave the guard away.")  # fmt: skip
        return b"" if index in self._special else self._bytes[index]

    def _spelled(self, text: str, encoding: Any) -> Spelled:
        ids = np.array(encoding.ids, dtype=np.int64)
        written = text.encode()
        if self._bytes is not None:
            pieces = [self._bytes[index] for index in encoding.ids]
            spelled = b"".join(pieces)
            added = len(spelled) - len(written)  # 1 where the tokenizer puts a space before the first word
            if added in {0, 1} and spelled[added:] == written and spelled[:added].isspace() == bool(added):
                ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64) - added
                return Spelled(ids, np.maximum(ends, 0))
        return Spelled(ids, _ends_from_offsets(text, encoding.offsets))


def _ends_from_offsets(text: str, offsets: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Byte ends from character offsets, for a tokenizer that rewrites text before it splits it.

    What lies between two tokens (white space that was trimmed) goes to the later one; of several tokens that share
    a character the first has its bytes.
    """
    sizes = np.array([0, *(len(character.encode()) for character in text)], dtype=np.int64)
    ends = np.array([end for _, end in offsets], dtype=np.int64)
    if len(ends):
        ends[-1] = len(text)
    at: NDArray[np.int64] = np.cumsum(sizes)[np.maximum.accumulate(ends)]
    return at


def _byte_table(backend: Any, description: dict[str, Any]) -> list[bytes] | None:
    """The bytes of every token by id: by the byte-level alphabet, or with `▁` for a space and `<0x..>` for a byte.

    None for a tokenizer of another kind, whose tokens do not say which bytes they stand for.
    """
    used = json.dumps([description["pre_tokenizer"], description["decoder"], description["normalizer"]])
    if '"ByteLevel"' in used:
        alphabet = _byte_alphabet()
    elif '"ByteFallback"' in used or '"Metaspace"' in used or json.dumps(_METASPACE) in used:
        alphabet = {}
    else:
        return None
    added = {token["id"]: token["content"] for token in description["added_tokens"]}
    table = []
    for index in range(backend.get_vocab_size(with_added_tokens=True)):
        token = backend.id_to_token(index) or ""
        if index in added:
            table.append(added[index].encode())
        elif alphabet and all(letter in alphabet for letter in token):
            table.append(bytes(alphabet[letter] for letter in token))
        elif not alphabet and len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            table.append(bytes([int(token[3:5], 16)]))
        else:
            table.append(token.replace(_METASPACE, " ").encode())
    return table


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's printable letter for each byte: itself where it prints, else the next letter from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(0x100 + place): byte for place, byte in enumerate(hidden)}


def _name(model: dict[str, Any]) -> str:
    """Kind, size and a mark of the vocabulary: equal for equal tokenizers, wherever they were saved."""
    vocabulary = model["vocab"]
    content = json.dumps([vocabulary, model.get("merges")], sort_keys=True, ensure_ascii=True)
    mark = hashlib.sha256(content.encode()).hexdigest()[:6]
    return f"{model.get('type', 'tokenizer')} of {len(vocabulary):,} tokens ({mark})"
