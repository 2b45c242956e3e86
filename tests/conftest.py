from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the command line does, before torch is loaded

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


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return write_book(tmp_path / "book.txt")


@pytest.fixture(scope="session")
def novels() -> Path:
    """The public-domain novels beside a development checkout; no part of the product."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "novels"
    if not folder.is_dir():
        pytest.skip("the novels are not beside this checkout")
    return folder
