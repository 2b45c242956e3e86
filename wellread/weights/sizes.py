"""The one dial of sizes for models from scratch, and how `auto` turns it."""

from __future__ import annotations

from dataclasses import dataclass

from wellread.recipe import Budget


@dataclass(frozen=True, slots=True)
class Shape:
    """The measures of a Llama-architecture decoder."""

    hidden: int
    """Width of the residual stream."""
    layers: int
    heads: int
    key_value_heads: int
    intermediate: int
    """Width of the gated feed-forward layer."""
    tied: bool = False
    """Whether the output matrix is the embedding matrix."""
    rope_theta: float = 10_000.0


SIZES = {
    "tiny": Shape(hidden=128, layers=5, heads=2, key_value_heads=2, intermediate=384),
    "small": Shape(hidden=192, layers=5, heads=3, key_value_heads=3, intermediate=576),
    "medium": Shape(hidden=256, layers=6, heads=4, key_value_heads=4, intermediate=768),
    "large": Shape(hidden=512, layers=8, heads=8, key_value_heads=8, intermediate=1536),
}


def fitting_size(text_bytes: int, budget: Budget) -> str:
    """The name of the size that learns most from a text of so many bytes within a budget.

    Measured on one book of 3 MB on two cores (docs/lab-log.md): in a few minutes the small model, which sees more text,
    beats the wide one. Without a clock the text decides.
    """
    if text_bytes < 300_000 or (budget.minutes or 60) < 10:
        return "tiny"
    if text_bytes > 20_000_000 or (budget.minutes or 0) > 60:
        return "medium"
    return "small"
