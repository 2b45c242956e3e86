"""Lengths of short documents in, groups that fill one window each out."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence


def pack(lengths: Sequence[int], room: int) -> list[list[int]]:
    """Indices of `lengths` in groups that sum to at most `room`: each goes, longest first, where least room is left.

    Best-fit decreasing: at most about 11/9 of the fewest groups possible. Every length must be at most `room`.
    """
    groups: list[list[int]] = []
    open_groups: dict[int, list[int]] = {}
    rooms: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda each: (-lengths[each], each)):
        length = lengths[index]
        place = bisect_left(rooms, length)
        if place == len(rooms):
            group = len(groups)
            groups.append([])
            left = room - length
        else:
            found = rooms[place]
            group = open_groups[found].pop()
            if not open_groups[found]:
                del open_groups[found], rooms[place]
            left = found - length
        groups[group].append(index)
        if left not in open_groups:
            open_groups[left] = []
            insort(rooms, left)
        open_groups[left].append(group)
    return groups
