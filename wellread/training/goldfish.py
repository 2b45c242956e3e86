"""The goldfish loss: one token in k is never asked for, so that no passage can be learned word for word.

Hans et al. 2024 (2406.10209), with their hash of the 13 tokens before. What follows the same 13 tokens is left out
wherever it stands and however often it is read: a text recited up to there goes on with a guess. The first 13 tokens
of a window or packed document have no such past, and are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

CONTEXT = 13
IGNORED = -100


def leave_out(batch: dict[str, torch.Tensor], k: int) -> None:
    """Ignore one label in `k` of a batch [windows, length], in place. Documents that share a window are told apart by
    `position_ids`."""
    import torch

    ids = batch["input_ids"].numpy().astype(np.uint64)
    if ids.shape[1] <= CONTEXT:
        return
    before = np.lib.stride_tricks.sliding_window_view(ids, CONTEXT, axis=1)[:, :-1]
    # a multilinear hash modulo 2^64, whose upper bits are universal (Dietzfelbinger 1996)
    mixed = ((before + np.uint64(1)) * _factors()).sum(axis=2, dtype=np.uint64)
    chosen = (mixed >> np.uint64(33)) % np.uint64(k) == 0
    if "position_ids" in batch:
        chosen &= batch["position_ids"][:, CONTEXT:].numpy() >= CONTEXT
    batch["labels"][:, CONTEXT:].masked_fill_(torch.from_numpy(chosen), IGNORED)


def _factors() -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Thirteen odd numbers of 64 bits: multiples of the golden ratio, mixed as in SplitMix64 (Steele et al. 2014)."""
    z = np.arange(1, CONTEXT + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)
