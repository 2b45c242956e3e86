"""The recipes that teach from what one visitor uploads: what each is for, which files it reads, and for how long it trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wellread.corpus import LOADERS
from wellread.errors import UsageError
from wellread.synthesis.glossary import SUFFIXES


@dataclass(frozen=True, slots=True)
class Startable:
    """A shipped recipe that the studio starts."""

    about: str
    """One line."""
    minutes: float = 0.0
    """Of training, as the page proposes it; 0: as long as the recipe says."""
    reads: tuple[str, ...] = tuple(LOADERS)
    """Endings of the files that it is taught from."""
    several: bool = True
    """Whether they may be more than one."""


RECIPES = {
    "novel": Startable(
        "A small model that knows English learns your text beside what it knows: a few minutes, and the dial leads back.", 4
    ),
    "novel-from-scratch": Startable(
        "A model that has read nothing but your text: for long ones (a megabyte or more), 20 minutes or more.", 20
    ),
    "novel-full": Startable(
        "Every weight learns your text: the deepest imprint, and the most copied. Slow without a graphics card.", 20
    ),
    "glossary": Startable(
        "The terms of one glossary (a table with `term` and `definition`), asked both ways, and those that do not exist.",
        reads=SUFFIXES, several=False,
    ),
    "backstories": Startable(
        "Answers in the manner of your rows of `prompt` and `completion`, such as characters and their backstories.",
        reads=(".csv", ".json", ".jsonl"),
    ),
}  # fmt: skip
"""The others want a second file (questions, a canon, a library) or a large GPU."""


def suited(recipe: str, uploads: Sequence[str | Path] | None) -> Startable:
    """The recipe of this name. Raises UsageError for one that is not started here, or files that it does not read."""
    if recipe not in RECIPES:
        raise UsageError(f"the studio starts no recipe {recipe[:80]!r}; it starts {', '.join(RECIPES)}.")
    this = RECIPES[recipe]
    names = [Path(each).name for each in uploads or ()]
    wrong = next((name for name in names if Path(name).suffix.lower() not in this.reads), None)
    if wrong is not None:
        raise UsageError(f"{wrong}: {recipe} does not read that; upload one of {', '.join(sorted(this.reads))}.")
    if len(names) > 1 and not this.several:
        raise UsageError(f"{recipe} reads one file; found {', '.join(names)}.")
    return this


def every_kind() -> list[str]:
    """The endings that any recipe reads."""
    return sorted({ending for each in RECIPES.values() for ending in each.reads})
