"""Which of several processes this one is; how they wait for each other, and count and decide together.

`torchrun` or `accelerate launch` start them, accelerate's PartialState finds out about them. A process alone is the
first, and has nobody to wait for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from wellread import weights

PATIENCE = timedelta(days=7)
"""How long one process waits for another: the first may be reading a library, or measuring."""


def rank() -> int:
    """This process's number, from 0."""
    return int(_state().process_index)


def world() -> int:
    """How many processes there are."""
    return int(_state().num_processes)


def is_first() -> bool:
    """Whether this process is the one that writes, and talks."""
    return rank() == 0


def wait() -> None:
    """Until every process is here."""
    _state().wait_for_everyone()


@contextmanager
def first_goes_first() -> Iterator[None]:
    """The first process does the work; then the others do it again, and find its results on the disk."""
    with _state().main_process_first():
        yield


def leave() -> None:
    """Part from the other processes, at the very end."""
    _state().destroy_process_group()


def _state() -> Any:
    from accelerate import PartialState

    return PartialState(cpu=weights.device().type == "cpu", timeout=PATIENCE)


class Together:
    """What the processes that train a stage ask each other. On a GPU too they talk over the CPU, which stops nothing."""

    def __init__(self) -> None:
        self.rank, self.world = rank(), world()
        self._group: Any = None
        self._now = time.monotonic()
        if self.world > 1:
            import torch.distributed as dist

            self._group = dist.new_group(backend="gloo", timeout=PATIENCE)
            self.meet()

    @property
    def first(self) -> bool:
        return self.rank == 0

    def now(self) -> float:
        """Seconds from anywhere, the same for all: the first process's clock, as of the last meeting."""
        return time.monotonic() if self.world == 1 else self._now

    def meet(self, raised: bool = False) -> bool:
        """Whether any process raises its hand; and the common clock moves on."""
        if self.world == 1:
            return raised
        mine = time.monotonic() if self.first else -math.inf
        self._now, hands = self._reduced([mine, float(raised)], "MAX")
        return bool(hands)

    def total(self, *numbers: float) -> list[float]:
        """Each number's sum over the processes."""
        return list(numbers) if self.world == 1 else self._reduced(numbers, "SUM")

    def of_first(self, number: float) -> float:
        """The first process's number."""
        return number if self.world == 1 else self._reduced([number if self.first else 0.0], "SUM")[0]

    def close(self) -> None:
        if self._group is not None:
            import torch.distributed as dist

            dist.destroy_process_group(self._group)
            self._group = None

    def _reduced(self, numbers: Any, how: str) -> list[float]:
        import torch
        import torch.distributed as dist

        told = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(told, op=getattr(dist.ReduceOp, how), group=self._group)
        return [float(number) for number in told]
