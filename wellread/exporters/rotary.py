"""Rotary positions: transformers pairs the two halves of a head, llama.cpp and llama2.c neighbours."""

from __future__ import annotations

from typing import Any


def neighbours(rows: Any, heads: int) -> Any:
    """A query's or key's matrix (or bias), its rows reordered so that what was turned together lies side by side.

    `rows` is an array or tensor [heads · size, …]; row i of a head's first half and row i of its second become 2i and
    2i + 1 (Su et al. 2021, 2104.09864, turn pairs; which numbers make a pair is a convention).
    """
    size = rows.shape[0] // heads
    return rows.reshape(heads, 2, size // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)
