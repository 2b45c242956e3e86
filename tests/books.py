"""A book for tests: the shape of one, without its sense."""

from __future__ import annotations

import random
from pathlib import Path

WORDS = [
    "the",
    "a",
    "of",
    "and",
    "to",
    "in",
    "was",
    "he",
    "she",
    "it",
    "that",
    "had",
    "with",
    "his",
    "her",
    "for",
    "on",
    "at",
    "by",
    "from",
    "as",
    "but",
    "not",
    "they",
    "which",
    "were",
    "when",
    "there",
    "river",
    "lamp",
    "ferry",
    "bell",
    "winter",
    "letter",
    "captain",
    "garden",
    "stone",
    "window",
    "bread",
    "market",
    "road",
    "silver",
    "coat",
    "answer",
    "harbour",
]


def write_book(path: Path, *, chapters: int = 12, words: int = 320, seed: int = 0) -> Path:
    """A book that says nothing: chapters of random sentences, enough to split, clean and learn from."""
    draw = random.Random(seed)
    lines = []
    for chapter in range(1, chapters + 1):
        lines += [f"CHAPTER {chapter}", ""]
        for _ in range(words // 40):
            sentences = [" ".join(draw.choices(WORDS, k=10)).capitalize() + "." for _ in range(4)]
            lines += [" ".join(sentences), ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
