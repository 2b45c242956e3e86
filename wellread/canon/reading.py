"""A text in, its lines with their coordinates out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wellread.errors import CorpusError
from wellread.numerals import number
from wellread.recipe.extraction import CanonSettings

Key = int | str


@dataclass(frozen=True, slots=True)
class Line:
    """The narrowest thing that a reference can name: a line, a verse, a paragraph."""

    at: tuple[Key, ...]
    """One coordinate for each level."""
    text: str
    start: int
    end: int
    """Characters in the canon's text."""


@dataclass(frozen=True, slots=True)
class Canon:
    name: str
    levels: tuple[str, ...]
    lines: tuple[Line, ...]
    names: Mapping[str, Key] = field(default_factory=dict)
    """Other names of the widest coordinate, in lower case."""

    def below(self, prefix: Sequence[Key]) -> list[Key]:
        """The coordinates there are below a prefix, in the order of the text; below none, the works."""
        depth, wanted = len(prefix), tuple(prefix)
        return list(dict.fromkeys(line.at[depth] for line in self.lines if line.at[:depth] == wanted))


def read_canon(text: str, settings: CanonSettings, name: str = "") -> Canon:
    """Every line of a text that `settings` gives coordinates to.

    Text that stands before the first marks, or between a heading and the first narrowest mark, has none and is left
    out. Raises CorpusError where nothing is found, or where one place comes twice.
    """
    reader = _Reader(settings)
    place = 0
    for row in text.splitlines(keepends=True):
        reader.read(row.rstrip("\r\n"), place)
        place += len(row)
    reader.close()
    called = name or settings.text
    if not reader.lines:
        raise CorpusError(f"{called}: no {settings.levels[-1]} found in it by the marks {list(settings.marks)}; "
                          "compare them with how its lines begin.")  # fmt: skip
    seen: set[tuple[Key, ...]] = set()
    for line in reader.lines:
        if line.at in seen:
            raise CorpusError(f"{called}: {spelled(settings.levels, line.at)} comes twice; mend the text or the marks.")
        seen.add(line.at)
    names = {key.casefold(): value for key, value in settings.names.items()}
    return Canon(called, settings.levels, tuple(reader.lines), names)


def spelled(levels: Sequence[str], at: Sequence[Key]) -> str:
    """`song 5, line 3`."""
    return ", ".join(f"{level} {key}" for level, key in zip(levels, at, strict=False))


class _Reader:
    """Row by row: the coordinates that hold, and the line that is being gathered."""

    def __init__(self, settings: CanonSettings) -> None:
        self._levels, self._count = settings.levels, settings.count
        self._marks = [re.compile(mark) for mark in settings.marks]
        self._at: dict[str, Key] = {}
        self._open: list[tuple[int, str]] = []
        self.lines: list[Line] = []

    def read(self, row: str, place: int) -> None:
        mark = next((found for found in (mark.match(row) for mark in self._marks) if found), None)
        if mark is not None:
            self.close()
            self._move(mark.groupdict())
            if self._levels[-1] in mark.groupdict():
                self._take(row[mark.end() :], place + mark.end())
            return
        if not row.strip():
            if self._count:
                self.close()
            return
        if self._count and all(level in self._at for level in self._levels[:-1]):
            if self._count == "line" or not self._open:
                self.close()
                self._move({self._levels[-1]: ""})
            self._take(row, place)
        elif self._open:  # a verse that runs on
            self._take(row, place)

    def close(self) -> None:
        """The line that was gathered is whole."""
        if self._open and all(level in self._at for level in self._levels):
            start = self._open[0][0]
            last, text = self._open[-1]
            at = tuple(self._at[level] for level in self._levels)
            self.lines.append(Line(at, "\n".join(text for _, text in self._open), start, last + len(text)))
        self._open = []

    def _take(self, text: str, place: int) -> None:
        bare = text.strip()
        if bare:
            self._open.append((place + len(text) - len(text.lstrip()), bare))

    def _move(self, given: Mapping[str, str | None]) -> None:
        """Set the coordinates that a mark gives; those below the widest that changed begin anew."""
        for depth, level in enumerate(self._levels):
            value = given.get(level)
            if value is None:
                continue
            before = self._at.get(level, 0)
            read: Key | None = number(value) if value.strip() else (before + 1 if isinstance(before, int) else 1)
            key: Key = value.strip() if read is None else read
            if key != before:
                for lower in self._levels[depth + 1 :]:
                    self._at.pop(lower, None)
            self._at[level] = key
