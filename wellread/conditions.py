"""A measured number against a limit, as a recipe writes it: `greedy_recited_share > 0.02`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_CONDITION = re.compile(r"\s*(\w+)(?:\((\w+)\))?\s*(>=|<=|>|<)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")


@dataclass(frozen=True, slots=True)
class Condition:
    """`metric(split) comparison limit`."""

    metric: str
    split: str
    comparison: str
    limit: float

    def holds(self, value: float) -> bool:
        return _COMPARISONS[self.comparison](value, self.limit)


def read_condition(text: str, *, split: str = "train") -> Condition:
    """The condition that `text` states, on `split` where it names none. Raises ValueError in one line."""
    found = _CONDITION.fullmatch(text)
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no condition; write METRIC > NUMBER, such as greedy_recited_share > 0.02")
    return Condition(found[1], found[2] or split, found[3], float(found[4]))
