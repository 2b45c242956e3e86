"""References in, the lines they name out, with what does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellread.canon.reading import Canon, Key, Line, spelled
from wellread.canon.references import Reference

MOST = 400
"""Places that one reference is counted as, at most: no answer is worth more by naming more."""


@dataclass(frozen=True, slots=True)
class Resolved:
    reference: Reference
    lines: tuple[Line, ...]
    """Those that exist, in the order of the text."""
    missing: str = ""
    """What does not exist, in words; empty where all does."""


def resolve(canon: Canon, references: Sequence[Reference]) -> list[Resolved]:
    """For each reference its lines. -1 is the last line, -2 the one before; a reference to a whole work is all of it."""
    return [_resolve(canon, each) for each in references]


def places(references: Sequence[Reference], canon: Canon | None = None) -> frozenset[tuple[Key, ...]]:
    """Every place that references name, one by one, existing or not: what answers are scored by.

    A canon counts places from the end and opens whole works and ranges across chapters. Without one, or where it has no
    such work, a range is counted out where its ends differ in the last coordinate only; what cannot be counted out is one
    place, named by its ends as they stand.
    """
    found: set[tuple[Key, ...]] = set()
    for each in references:
        found.update(_places(each, canon))
    return frozenset(found)


def works(references: Sequence[Reference]) -> frozenset[Key]:
    """The works that references name."""
    return frozenset(each.work for each in references)


def _resolve(canon: Canon, reference: Reference) -> Resolved:
    start, wrong = _found(canon, reference.start)
    end, also_wrong = _found(canon, reference.end)
    if wrong:
        return Resolved(reference, (), wrong)
    first = next(at for at, line in enumerate(canon.lines) if line.at[: len(start)] == start)
    if also_wrong:
        inside = (
            [line for line in canon.lines[first:] if line.at[: len(start) - 1] == start[:-1]] if len(start) > 1 else []
        )
        alike = len(start) == len(reference.end) and start[:-1] == reference.end[:-1]
        return Resolved(reference, tuple(inside) if alike else (), also_wrong)
    last = max(at for at, line in enumerate(canon.lines) if line.at[: len(end)] == end)
    if last < first:
        return Resolved(reference, (), f"{spelled(canon.levels, end)} comes before {spelled(canon.levels, start)}")
    return Resolved(reference, canon.lines[first : last + 1])


def _found(canon: Canon, at: Sequence[Key]) -> tuple[tuple[Key, ...], str]:
    """The coordinates as the canon has them, negative ones counted from the end; or what there is not."""
    found: tuple[Key, ...] = ()
    for depth, key in enumerate(at):
        below = canon.below(found)
        there = below[key] if isinstance(key, int) and -len(below) <= key < 0 else key
        if there not in below:
            where = f"{spelled(canon.levels, found)} has" if found else f"{canon.name} has"
            return (
                (),
                f"there is no {spelled(canon.levels, (*found, key))}: {where} {_span(canon.levels[depth], below)}",
            )
        found = (*found, there)
    return found, ""


def _span(level: str, keys: Sequence[Key]) -> str:
    if len(keys) > 4:
        return f"{level}s {keys[0]} to {keys[-1]}"
    return f"{level} {', '.join(map(str, keys))}" if keys else f"no {level}"


def _places(reference: Reference, canon: Canon | None) -> list[tuple[Key, ...]]:
    if canon is not None:
        reference = Reference(_counted(canon, reference.start), _counted(canon, reference.end))
        whole = _resolve(canon, reference)
        if not whole.missing:
            return [line.at for line in whole.lines]
    start, end = reference.start, reference.end
    first, last = start[-1], end[-1]
    if start == end:
        return [start]
    alike = len(start) == len(end) and start[:-1] == end[:-1]
    if alike and isinstance(first, int) and isinstance(last, int) and 0 < first <= last:
        return [(*start[:-1], key) for key in range(first, min(last, first + MOST - 1) + 1)]
    return [(*start, "to", *end)]


def _counted(canon: Canon, at: tuple[Key, ...]) -> tuple[Key, ...]:
    """The same place with its negative coordinates counted from the beginning, as far as the canon goes."""
    found: tuple[Key, ...] = ()
    for key in at:
        below = canon.below(found)
        found = (*found, below[key] if isinstance(key, int) and -len(below) <= key < 0 else key)
    return found
