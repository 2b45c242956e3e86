"""Measurements as a run makes them: every metric of a base and of a trained model, with their paired differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from wellread.types import Measurement

BLOCKS = "blocks of 300 words"


def model_rows(subject: str, bits: float, recited: float, longest: float) -> list[Measurement]:
    """Every metric of one model, with the units and notes of the metrics themselves."""
    unit, cut = "bits per byte", "about 3,000 of 5,366 words"
    spans = "spans of 50 tokens after 50"

    def row(name: str, value: float | None, unit: str, split: str, n: int, *notes: str, **more: Any) -> Measurement:
        over = {"interval_over": BLOCKS} if "low" in more else {}
        return Measurement(name, value, unit, subject, split, n, note="".join(notes), **over, **more)

    better: dict[str, Any] = {"better": "lower"}
    return [
        row("bits_per_byte", bits, unit, "held_out", 41283, low=bits - 0.031, high=bits + 0.029, **better),
        row("bits_per_byte", bits - 0.05, unit, "train", 96411, cut, low=bits - 0.08, high=bits - 0.02, **better),
        row("perplexity", bits * 14, "per token", "held_out", 9811, "tokenizer: SmolLM2", **better),
        row("greedy_recited_share", recited, "share", "train", 1310, spans, low=recited / 2, high=recited * 2),
        row("greedy_recited_share", 0.0021, "share", "held_out", 402, spans, low=0.0, high=0.006),
        row("greedy_recited_share_200_bytes", None, "share", "train", 0, "no document is long enough"),
        row("probable_recited_share", recited * 2, "share with p >= 0.5", "train", 1310, spans),
        row("probable_recited_share", recited * 3, "share with p >= 0.001", "train", 1310, spans),
        row("longest_recited_words", longest, "words", "", 310, 'in "Chapter 5" (train): "on the posts"'),
    ]


def gap(name: str, value: float, subject: str, split: str, interval: tuple[float, float]) -> Measurement:
    """A paired difference."""
    row = Measurement(name, value, "share", subject, split, 900, *interval, interval_over=BLOCKS)
    return row if "share" in name else replace(row, unit="bits per byte", better="lower")


def rows(base: str | None = "embedded", trained: str = "imprint") -> list[Measurement]:
    """Every metric of the first release, in the order of the pipeline."""
    unit = "bits per byte"
    found = model_rows(base, 1.3104, 0.0024, 6.0) if base else []
    found += model_rows(trained, 1.1243, 0.0387, 20.0)
    found += [
        Measurement("ppmd_bits_per_byte", 1.6012, unit, "ppmd", "held_out", 41283, 1.57, 1.63, "lower", "", BLOCKS),
        Measurement("xz_bits_per_byte", 2.1571, unit, "xz", "held_out", 41283, better="lower"),
        gap("bits_per_byte", -0.4769, f"{trained} - ppmd", "held_out", (-0.501, -0.452)),
    ]
    if base is not None:
        both = f"{trained} - {base}"
        found += [
            gap("bits_per_byte", -0.1861, both, "held_out", (-0.2013, -0.1709)),
            gap("bits_per_byte", -0.1861, both, "train", (-0.2113, -0.1609)),
            gap("greedy_recited_share", 0.0364, both, "train", (0.021, 0.052)),
            gap("greedy_recited_share", 0.0, both, "held_out", (-0.002, 0.003)),
        ]
    return found


def general(subject: str, bits: float) -> Measurement:
    return Measurement("bits_per_byte", bits, "bits per byte", subject, "general", 60211, bits - 0.04, bits + 0.04,
                       "lower", "", BLOCKS)  # fmt: skip
