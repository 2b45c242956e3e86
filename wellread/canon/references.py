"""References as people write them, or as JSON, in; places with a first and a last line out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wellread.canon.reading import Canon, Key
from wellread.errors import UsageError
from wellread.numerals import number
from wellread.recipe.extraction import Coordinates

_NUMBER = r"-?\d+|(?<![\w])[ivxlcdmIVXLCDM]+(?!\w)"
_PLACE = rf"(?:{_NUMBER})(?:\s*[:.]\s*(?:{_NUMBER}))*"
_RANGE = re.compile(rf"({_PLACE})(?:\s*(?:[-–—]|\bto\b)\s*({_PLACE}))?\s*\.?")
_SEPARATOR = re.compile(r"\s*(?:,|&|\band\b|\bet\b)\s*")
_FILLERS = ("lines?", "verses?", "vers", "ll?[.]", "vv?[.]", "ll?(?= )", "vv?(?= )", "vv?(?=[0-9])", "ll?(?=[0-9])")
_FORM = "write references as in V 3-5; XI 6; XIV -2--1; IX"


@dataclass(frozen=True, slots=True)
class Reference:
    """From the first line to the last; fewer coordinates than the canon has levels name all that is below them."""

    start: tuple[Key, ...]
    end: tuple[Key, ...]

    @property
    def work(self) -> Key:
        return self.start[0]


def of_answer(answer: Any, where: Coordinates) -> list[Reference]:
    """The references that a JSON answer holds; what has no work is left out.

    A coordinate that is null, and those after it, are left away: the reference then names all below the rest.
    """
    found = []
    for item in items_of(answer, where):
        start = _key(item, where.start)
        end = _key(item, where.end) if where.end else start
        if start:
            found.append(Reference(start, end or start))
    return found


def items_of(answer: Any, where: Coordinates) -> list[Any]:
    """The references of an answer, as it spells them."""
    items = _at(answer, where.items) if where.items else answer
    return items if isinstance(items, list) else [items] if isinstance(items, Mapping) else []


def parse(text: str, canon: Canon) -> list[Reference]:
    """`V 3-5; XI, 6; XIV -2--1; IX`, or `Gen 1:2-5, 7`: references parted by semicolons, a work and then places in it.

    The end of a range, or a place after a comma, that has fewer coordinates than what stands before it shares the wider
    ones with that. Raises UsageError for what cannot be read.
    """
    found = [each for part in re.split(r"[;\n]", text) if part.strip() for each in _several(part.strip(), canon)]
    if not found:
        raise UsageError(f"no references in {text!r}; {_FORM}")
    return found


def _several(part: str, canon: Canon) -> list[Reference]:
    part = re.sub(rf"^(?:{canon.levels[0]})\s+(?=\S)", "", part, flags=re.IGNORECASE)
    name = _known_name(part, canon) or re.split(r"[\s,:.]", part, maxsplit=1)[0]
    work = canon.names.get(name.casefold()) or _work(name, canon)
    rest = part[len(name) :].strip(" ,:.\t")
    for filler in (*_FILLERS, *canon.levels[1:]):
        rest = re.sub(rf"(?<!\w){filler}(?=\W|\d|$)", " ", rest)
    found: list[Reference] = []
    before: tuple[Key, ...] = ()
    for each in _SEPARATOR.split(rest.strip()) if rest.strip() else []:
        read = _RANGE.fullmatch(each.strip())
        if read is None:
            raise UsageError(f"cannot read {each.strip()!r} in {part!r}; {_FORM}")
        start = _shared(before, _numbers(read[1]))
        end = _shared(start, _numbers(read[2])) if read[2] else start
        if len(end) >= len(canon.levels):
            raise UsageError(f"{part!r} has more coordinates than {canon.name} ({', '.join(canon.levels)}); {_FORM}")
        found.append(Reference((work, *start), (work, *end)))
        before = end
    return found or [Reference((work,), (work,))]


def _numbers(place: str) -> tuple[Key, ...]:
    return tuple(value for each in re.findall(_NUMBER, place) if (value := number(each)) is not None)


def _shared(before: tuple[Key, ...], place: tuple[Key, ...]) -> tuple[Key, ...]:
    return (*before[: max(0, len(before) - len(place))], *place)


def _known_name(part: str, canon: Canon) -> str:
    """The longest name of a work, its own or another, with which `part` begins: `1 John`, `the sister`. Works that are numbered
    are read as numbers."""
    low = part.casefold()
    named = [*canon.names, *(work.casefold() for work in canon.below(()) if isinstance(work, str))]
    fits = [name for name in named if low.startswith(name) and not low[len(name) : len(name) + 1].isalpha()]
    return part[: len(max(fits, key=len))] if fits else ""


def _work(token: str, canon: Canon) -> Key:
    works = canon.below(())
    by_name = {str(work).casefold(): work for work in works}
    if token.casefold() in by_name:
        return by_name[token.casefold()]
    value = number(token)
    return token if value is None else value


def _key(item: Any, paths: Sequence[str]) -> tuple[Key, ...]:
    keys: list[Key] = []
    for path in paths:
        value = _at(item, path)
        if isinstance(value, bool) or not isinstance(value, int | str):
            break
        keys.append(value)
    return tuple(keys)


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
