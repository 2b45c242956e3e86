"""Threads that compute on cores of their own, side by side: for models whose single operations are too small to share.

On two cores, a step of a model of three million parameters takes longer with two threads an operation than with one
(docs/lab-log.md): they meet after every operation. Two threads that each take half of a batch meet once a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Crew:
    """`size` threads with `cores` each, while the calling thread keeps all of them for what it does alone."""

    def __init__(self, size: int, cores: int = 1) -> None:
        self.size, self.cores = size, cores
        self._threads = torch.get_num_threads()
        self._pool = ThreadPoolExecutor(size, initializer=torch.set_num_threads, initargs=(cores,))

    def each(self, work: Callable[[Thing], Result], things: Iterable[Thing]) -> list[Result]:
        """What `work` gives for every thing, in their order. What it raises is raised here."""
        return list(self._pool.map(work, things))

    @contextmanager
    def resting(self) -> Iterator[None]:
        """For a while the calling thread has all cores: one number in MKL counts threads for the whole process."""
        torch.set_num_threads(self._threads)
        try:
            yield
        finally:
            self._pool.submit(torch.set_num_threads, self.cores).result()

    def close(self) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._threads)


def shares(things: list[tuple[Any, float]], size: int) -> list[list[Any]]:
    """`size` lists of the things, of about equal cost: the dearest first, each to the list that costs least so far."""
    lists: list[list[Any]] = [[] for _ in range(size)]
    costs = [0.0] * size
    for thing, cost in sorted(things, key=lambda pair: -pair[1]):
        least = costs.index(min(costs))
        lists[least].append(thing)
        costs[least] += cost
    return lists
