"""A numeral as people write it in, a number out: digits and Roman numerals."""

from __future__ import annotations

import re

_ROMAN = re.compile(r"(?=[MDCLXVI])M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})", re.IGNORECASE)
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def number(text: str) -> int | None:
    """12 for "12" and for "XII", -1 for "-1"; None for what is no numeral. Mixed case (`Xii`) is a name, not a numeral."""
    text = text.strip().replace("−", "-")
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if text not in (text.upper(), text.lower()) or not _ROMAN.fullmatch(text):
        return None
    values = [_VALUES[letter] for letter in text.upper()]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
