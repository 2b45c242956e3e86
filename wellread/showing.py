"""A text in, the same without the signs that would steer whatever shows it out. Standard library only."""

from __future__ import annotations

import re

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters but for tab and line feed, and marks of direction, by which a text can look other than it is."""


def visible(text: str) -> str:
    """The text without the characters that steer a terminal or turn the order of what is shown."""
    return STEERING.sub("", text)
