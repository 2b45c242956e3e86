"""Chapters in, the ribbon of the split out: which of them trained, which chose, and which only judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellread.reports.passages import chapter_names
from wellread.reports.reading import Chapter, unit_of
from wellread.reports.wording import count, percent

PARTS = {
    "train": ("Training", "what the model read"),
    "validation": ("Validation", "watched during training; with “keep: best” the checkpoint is chosen by it"),
    "held_out": ("Held out", "by which nothing was trained or chosen"),
}
LABELLED = 30
"""Up to this many chapters, each block is as wide as its chapter is long and bears its number."""
MOST_BLOCKS = 1500
"""Beyond this many documents blocks say nothing; the shares do."""


@dataclass(frozen=True, slots=True)
class Block:
    number: int
    part: str
    told: str
    """`Chapter 3: training, 1,204 words`."""
    share: float
    """Per cent of the text, at least a hair."""


@dataclass(frozen=True, slots=True)
class Part:
    key: str
    title: str
    purpose: str
    size: str
    chapters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Split:
    blocks: tuple[Block, ...]
    labelled: bool
    parts: tuple[Part, ...]
    told: str


def split(chapters: Sequence[Chapter]) -> Split | None:
    """The split as blocks and as words; None where none was recorded."""
    total = sum(chapter.characters for chapter in chapters)
    if not total or not any(chapter.part for chapter in chapters):
        return None
    names = chapter_names(chapters)
    blocks = [
        Block(
            number, chapter.part or "none",
            f"{names[chapter.id]}: {PARTS[chapter.part][0].lower() if chapter.part in PARTS else 'in no part'}, "
            f"{count(chapter.words, 'word')}",
            round(max(100 * chapter.characters / total, 0.05), 3),
        )
        for number, chapter in enumerate(chapters, 1)
    ]  # fmt: skip
    parts = tuple(_part(key, chapters, names, total) for key in PARTS)
    told = "; ".join(f"{part.title.lower()}: {part.size}" for part in parts)
    drawn = tuple(blocks) if len(blocks) <= MOST_BLOCKS else ()
    return Split(drawn, len(blocks) <= LABELLED, parts, told)


def _part(key: str, chapters: Sequence[Chapter], names: dict[str, str], total: int) -> Part:
    mine = [chapter for chapter in chapters if chapter.part == key]
    share = percent(sum(chapter.characters for chapter in mine) / total)
    title, purpose = PARTS[key]
    size = f"{count(len(mine), unit_of(chapters))}, {share} of the text"
    return Part(key, title, purpose, size, tuple(names[chapter.id] for chapter in mine))
