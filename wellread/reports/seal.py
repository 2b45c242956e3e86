"""A run's name in, its rosette out: one line laid over itself, as on old certificates, in a figure of the run's own."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

POINTS = 180


@dataclass(frozen=True, slots=True)
class Seal:
    path: str
    """A closed line around the origin, at most 100 units away from it."""
    turns: tuple[float, ...]
    """Degrees by which copies of the line are turned."""


def seal(name: str) -> Seal:
    """The same name, the same rosette: its number of waves, their depth and its number of lines follow a hash."""
    waves, depth, copies = (byte for byte in hashlib.sha256(name.encode()).digest()[:3])
    lobes = 7 + waves % 6
    outer, swing = 84.0, 10.0 + depth % 7
    points = []
    for i in range(POINTS):
        angle = 2 * math.pi * i / POINTS
        radius = outer + swing * math.sin(lobes * angle)
        points.append(f"{radius * math.cos(angle):.1f} {radius * math.sin(angle):.1f}")
    lines = 6 + copies % 4
    return Seal("M" + "L".join(points) + "Z", tuple(round(360 / lobes * i / lines, 2) for i in range(lines)))
