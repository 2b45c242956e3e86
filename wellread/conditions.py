"""A measured number against a limit, as a recipe writes it: `greedy_recited_share > 0.02`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
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
        return COMPARISONS[self.comparison](value, self.limit)


def read_condition(text: str) -> Condition:
    """The condition that `text` states; without a split, a recited share is the training part's, any other number the
    validation part's. Raises ValueError in one line."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no condition; write METRIC > NUMBER, such as greedy_recited_share > 0.02")
    split = found[2] or ("train" if "recited" in found[1] else "validation")
    return Condition(found[1], split, found[3], float(found[4]))
