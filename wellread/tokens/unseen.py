"""Which windows of a library hold passages that a model must not have read: hashes of letters in a row.

Letters, not tokens: another edition of the same book breaks its lines elsewhere, has other quotation marks and dashes, and
is spelt in other tokens at each of them.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wellread.storage import write_json
from wellread.tokens.drawn import DrawnWindows
from wellread.tokens.encode import Ids, open_tokenizer
from wellread.tokens.plan import noted
from wellread.tokens.rows import Rows

if TYPE_CHECKING:
    from tokenizers import Tokenizer

RUN = 200
"""Letters in a row, about fifty words, that a window and the text share when it holds a passage of it; where that is more than
a quarter of what a window holds, so many, but at least `LEAST`."""
LEAST = 32
BLOCK = 1024
"""Windows that are compared at once."""
_SIGNS = re.compile(r"[\W_]+")
_FLAGS = 20
"""Bits of a hash by which most windows are told apart before any is looked up."""
_FACTOR, _FINAL = 0x9E3779B97F4A7C15, np.uint64(0xC2B2AE3D27D4EB4F)
_FILE = "left_out.json"

Letters = NDArray[np.uint32]
Hashes = NDArray[np.uint64]


def left_out(drawn: DrawnWindows, unseen: Rows, tokenizer_folder: Path) -> list[int]:
    """The drawn windows, by their number in the draw, that share a run of `RUN` letters with a document of `unseen`.

    Case, accents, white space and punctuation make no difference. Both were made with the tokenizer. Kept beside the draw,
    so that the same question is answered at once. Takes about four minutes of one core for a million windows of 512 tokens
    (reckoned from 256 of them), and holds `BLOCK` windows at a time.
    """
    tokenizer, _ = open_tokenizer(tokenizer_folder)
    asked = hashlib.sha256(f"letters {RUN} {len(drawn)}".encode())
    for index in range(len(unseen)):
        asked.update(unseen.document(index).tobytes())
    kept = noted(drawn.folder, _FILE)
    if kept and kept.get("asked") == asked.hexdigest():
        return [int(number) for number in kept["windows"]]
    secret = [letters for index in range(len(unseen)) for letters in _letters(tokenizer, [unseen.document(index)])]
    of_a_window = sum(map(len, secret)) * drawn.length // unseen.tokens
    run = min(RUN, max(LEAST, of_a_window // 4))
    known = np.unique(_runs(secret, run)[0])
    flags = np.zeros(1 << _FLAGS, bool)
    flags[_short(known)] = True
    found: list[int] = []
    for first, block in drawn.blocks(BLOCK):
        hashes, owners = _runs(list(_letters(tokenizer, block)), run)
        near = flags[_short(hashes)]
        found += (first + np.unique(owners[near][np.isin(hashes[near], known)])).tolist()
    write_json(drawn.folder / _FILE, {"asked": asked.hexdigest(), "windows": found})
    return found


def _letters(tokenizer: Tokenizer, several: Sequence[Ids] | Ids) -> Iterator[Letters]:
    """The code points of the letters and digits of what some ids spell, without case and accents."""
    for text in tokenizer.decode_batch([ids.tolist() for ids in several], skip_special_tokens=True):
        plain = _SIGNS.sub("", unicodedata.normalize("NFKD", text).casefold())
        yield np.frombuffer(plain.encode("utf-32-le"), np.uint32)


def _runs(several: Sequence[Letters], run: int) -> tuple[Hashes, NDArray[np.int64]]:
    """A hash of every `run` letters in a row, and which of the texts they stand in: a polynomial modulo 2^64 (Karp and Rabin
    1987), as the difference of two sums."""
    sizes = np.array([len(each) for each in several], np.int64)
    owners = np.repeat(np.arange(len(several), dtype=np.int64), sizes)
    places = np.arange(len(owners), dtype=np.int64) - (np.cumsum(sizes) - sizes)[owners]
    most = int(sizes.max(initial=0))
    powers, inverses = _powers(_FACTOR, most), _powers(pow(_FACTOR, -1, 1 << 64), most)
    letters = np.concatenate([*several, np.empty(0, np.uint32)]).astype(np.uint64) + np.uint64(1)
    sums = np.zeros(len(letters) + 1, np.uint64)
    np.cumsum(letters * powers[places], out=sums[1:])
    begins = np.flatnonzero(places + run <= sizes[owners])
    hashes = (sums[begins + run] - sums[begins]) * inverses[places[begins]]
    return (hashes ^ (hashes >> np.uint64(29))) * _FINAL, owners[begins]


def _powers(factor: int, count: int) -> Hashes:
    """The first `count` powers of a number, from 1, modulo 2^64."""
    steps = np.full(count, factor, np.uint64)
    steps[:1] = 1
    return np.multiply.accumulate(steps)


def _short(hashes: Hashes) -> Hashes:
    return hashes >> np.uint64(64 - _FLAGS)
