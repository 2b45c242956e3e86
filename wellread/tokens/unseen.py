"""Which windows of a library hold passages that a model must not have read: hashes of tokens in a row."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from wellread.storage import write_json
from wellread.tokens.drawn import DrawnWindows
from wellread.tokens.encode import Ids
from wellread.tokens.plan import noted
from wellread.tokens.rows import Rows

RUN = 64
"""Tokens in a row, about fifty words, that a window and the text share when it holds a passage of it; a power of two.
In windows of less than twice as many it is the largest power of two up to half a window."""
BLOCK = 4096
"""Windows that are hashed at once."""
_FLAGS = 20
"""Bits of a hash by which most windows are told apart before any is looked up."""
_FACTORS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_FILE = "left_out.json"


def left_out(drawn: DrawnWindows, unseen: Rows) -> list[int]:
    """The drawn windows, by their number in the draw, that share a run of `RUN` tokens with a document of `unseen`.

    Both were tokenised alike. Kept beside the draw, so that the same question is answered at once. Costs some ten
    seconds for a million windows of 512 tokens, and holds `BLOCK` windows at a time.
    """
    run = min(RUN, 1 << max(0, (drawn.length // 2).bit_length() - 1))
    asked = hashlib.sha256(f"{run} {len(drawn)}".encode())
    for index in range(len(unseen)):
        asked.update(unseen.document(index).tobytes())
    kept = noted(drawn.folder, _FILE)
    if kept and kept.get("asked") == asked.hexdigest():
        return [int(number) for number in kept["windows"]]
    known = np.unique(np.concatenate([_runs(unseen.document(index), run) for index in range(len(unseen))]))
    flags = np.zeros(1 << _FLAGS, bool)
    flags[_short(known)] = True
    found: list[int] = []
    for first, block in drawn.blocks(BLOCK):
        hashes = _runs(block, run)
        row, place = np.nonzero(flags[_short(hashes)])
        found += (first + np.unique(row[np.isin(hashes[row, place], known)])).tolist()
    write_json(drawn.folder / _FILE, {"asked": asked.hexdigest(), "windows": found})
    return found


def _runs(ids: Ids, run: int) -> NDArray[np.uint64]:
    """A hash of every `run` ids in a row along the last axis; none where there are fewer."""
    hashes = (ids.astype(np.uint64) + np.uint64(1)) * _FACTORS[0]
    width = 1
    while width < run:
        left, right = hashes[..., :-width], hashes[..., width:]
        hashes = (left ^ (left >> np.uint64(29))) * _FACTORS[1] + right * _FACTORS[0]
        width *= 2
    return hashes


def _short(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return hashes >> np.uint64(64 - _FLAGS)
