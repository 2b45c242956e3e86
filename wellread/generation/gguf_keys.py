"""A .gguf file in, whether a key stands in its head out: llama.cpp's server does not tell what it made up itself."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by the number of its kind in GGUF's description; 8 is a string, 9 an array."""
STRING, ARRAY = 8, 9
TEMPLATE = "tokenizer.chat_template"


def has_key(path: Path, wanted: str) -> bool:
    """Whether the head of a GGUF file (version 2 or 3, little-endian) has this key; values are passed over unread.

    Raises ValueError for a file that is cut off or none.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"GGUF":
            raise ValueError("no GGUF file")
        try:
            return _found(data, wanted.encode())
        except struct.error as error:
            raise ValueError("the file is cut off") from error


def _found(data: mmap.mmap, wanted: bytes) -> bool:
    (keys,) = struct.unpack_from("<Q", data, 16)
    at = 24
    for _ in range(keys):
        (length,) = struct.unpack_from("<Q", data, at)
        if data[at + 8 : at + 8 + length] == wanted:
            return True
        at += 8 + length
        (kind,) = struct.unpack_from("<I", data, at)
        at = _passed(data, at + 4, kind)
    return False


def _passed(data: mmap.mmap, at: int, kind: int) -> int:
    """Where what follows a value begins."""
    if kind == STRING:
        return at + 8 + int(struct.unpack_from("<Q", data, at)[0])
    if kind != ARRAY:
        if kind not in SIZES:
            raise ValueError(f"a value of the unknown kind {kind}")
        return at + SIZES[kind]
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner in SIZES:
        return at + int(count) * SIZES[inner]
    for _ in range(count):
        at = _passed(data, at, inner)
    return at
