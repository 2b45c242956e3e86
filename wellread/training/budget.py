"""How far a stage has come: steps taken, seconds spent, and what share of the budget that is."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wellread.recipe import Budget


def planned_steps(budget: Budget, windows: int, batch: int, length: int) -> int | None:
    """Optimizer steps of `batch` windows of `length` tokens, where an epoch has `windows`; None for one in minutes."""
    if budget.epochs is not None:
        return max(budget.least_steps or 1, math.ceil(budget.epochs * windows / batch))
    if budget.tokens is not None:
        return math.ceil(budget.tokens / (batch * length))
    return budget.steps


def schedule(share: float, *, warmup: float, decay: float) -> float:
    """The learning rate at a share of the budget, as a part of its peak: a rise, a plateau, a fall to zero."""
    rise = share / warmup if share < warmup else 1.0
    fall = (1.0 - share) / decay if share > 1.0 - decay else 1.0
    return max(0.0, min(rise, fall))


class Course:
    """A stage's way through its budget. `clock` counts seconds from anywhere."""

    def __init__(
        self, budget: Budget, *, windows: int, batch: int, length: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.step = 0
        self.reserve = 0.0
        """Seconds at the end of a budget in minutes that the last validation will need."""
        self._steps = planned_steps(budget, windows, batch, length)
        self._seconds = budget.minutes * 60 if budget.minutes is not None else math.inf
        self._clock = clock
        self._before, self._began, self._first = 0.0, clock(), 0

    @property
    def steps(self) -> int | None:
        """Steps planned; None for a budget in minutes."""
        return self._steps

    def resume(self, step: int, seconds: float) -> None:
        """Go on from a step, `seconds` of training behind us."""
        self.step = self._first = step
        self._before, self._began = seconds, self._clock()

    @contextmanager
    def standing(self) -> Iterator[None]:
        """For a while no second counts."""
        began = self._clock()
        try:
            yield
        finally:
            self._began += self._clock() - began

    @property
    def seconds(self) -> float:
        """Seconds of training and validation so far, those before an interruption included."""
        return self._before + self._clock() - self._began

    @property
    def seconds_left(self) -> float:
        """To the end of the budget; at the pace so far for a budget in steps."""
        if self._steps is None:
            return max(0.0, self._seconds - self.seconds)
        return (self._steps - self.step) * self._pace()

    @property
    def share(self) -> float:
        """The share of the budget that is spent, 0 to 1."""
        return self._share(self.step, self.seconds)

    @property
    def over(self) -> bool:
        return self.share >= 1.0

    def at_next_step(self) -> float:
        """The share of the budget half-way through the step to come: where the schedule is read."""
        return self._share(self.step + 0.5, self.seconds + self._pace() / 2)

    def _share(self, step: float, seconds: float) -> float:
        if self._steps is not None:
            return min(1.0, step / self._steps)
        return min(1.0, seconds / max(self._seconds - self.reserve, 1e-9))

    def _pace(self) -> float:
        """Seconds a step, since this process began."""
        return (self.seconds - self._before) / max(1, self.step - self._first)
