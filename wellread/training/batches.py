"""Windows in, batches out, epoch after epoch; where the next batch begins can be kept and returned to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wellread.errors import RecipeError
from wellread.training.goldfish import leave_out

if TYPE_CHECKING:
    import torch

IGNORED = -100
"""A label that no loss counts."""
GROWTH = ((0.4, 4), (0.8, 2))
"""From scratch, windows are read in so many pieces until this share of the budget: what is learned first, spelling and
words, needs no long view, and more beginnings and cheaper attention teach it sooner (Press et al., 2012.15832)."""
SHORTEST_PIECE = 32


class Windows(Protocol):
    """One epoch of windows in their shuffled order, decided by the seed, the epoch and the place alone."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Mapping[str, Any]:
        """`input_ids` and `labels` (ignored: -100), and `position_ids` where documents are packed; equal lengths."""
        ...

    def set_epoch(self, epoch: int, /) -> None: ...


class FixedWindows(Protocol):
    """Windows that are the same whenever they are read: those of validation."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Mapping[str, Any]: ...


class Batches:
    """Endless micro-batches of the windows that are this process's share of every optimizer step.

    A step reads `size` windows, over all of the `world` processes; a step that an epoch cannot fill takes its last
    windows from the next one. Each process takes its slice of them, in order, `micro` windows at a time, in `parts`
    micro-batches; where a slice is short, windows without labels fill it up. `share` tells how much of the budget is
    spent, where windows are to be read in pieces first; one label in `goldfish` is left out.
    """

    def __init__(
        self, windows: Windows, size: int, *, epoch: int = 0, place: int = 0, tokens: int = 0,
        share: Callable[[], float] = lambda: 1.0, micro: int | None = None, rank: int = 0, world: int = 1,
        goldfish: int = 0,
    ) -> None:  # fmt: skip
        self.epoch, self.place, self.tokens = epoch, place, tokens
        self._size, self._windows, self._share, self._goldfish = size, windows, share, goldfish
        slice_size = math.ceil(size / world)
        self._mine = range(rank * slice_size, min((rank + 1) * slice_size, size))
        self.micro = min(micro or slice_size, slice_size)
        """Windows in a micro-batch."""
        self.parts = math.ceil(slice_size / self.micro)
        """Micro-batches in an optimizer step."""
        windows.set_epoch(epoch)
        self._cut = epoch
        if len(windows) == 0:
            raise RecipeError("the training part does not fill one window; lower windows.length or add text.")

    @property
    def epochs(self) -> float:
        """Passes over the training part so far."""
        return self.epoch + self.place / len(self._windows)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            rows = [self._row(number) for number in self._mine] or [unlabelled(self._row(0))]
            rows += [unlabelled(rows[0])] * (self.micro * self.parts - len(rows))
            turns, self.place = divmod(self.place + self._size, len(self._windows))
            self.epoch += turns
            self.tokens += self._size * len(rows[0]["input_ids"])
            pieces = pieces_at(self._share(), len(rows[0]["input_ids"]))
            for start in range(0, len(rows), self.micro):
                batch = collate(rows[start : start + self.micro])
                if self._goldfish:
                    leave_out(batch, self._goldfish)
                yield cut(batch, pieces)

    def _row(self, number: int) -> Mapping[str, Any]:
        """The window so many places after where the step begins."""
        turns, place = divmod(self.place + number, len(self._windows))
        if self.epoch + turns != self._cut:
            self._cut = self.epoch + turns
            self._windows.set_epoch(self._cut)
        return self._windows[place]


class Slice:
    """Every `world`-th window for one of `world` processes; as many for each, the last without labels where needed."""

    def __init__(self, windows: FixedWindows, rank: int, world: int) -> None:
        self._windows, self._rank, self._world = windows, rank, world

    def __len__(self) -> int:
        return math.ceil(len(self._windows) / self._world)

    def __getitem__(self, place: int) -> Mapping[str, Any]:
        wanted = place * self._world + self._rank
        return self._windows[wanted] if wanted < len(self._windows) else unlabelled(self._windows[0])


def unlabelled(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same window with nothing in it to learn or to count."""
    return {**row, "labels": [IGNORED] * len(row["input_ids"])}


def in_order(windows: FixedWindows, size: int) -> Iterator[dict[str, torch.Tensor]]:
    """Every window once, `size` at a time; the last batch may be smaller."""
    for start in range(0, len(windows), size):
        yield collate([windows[place] for place in range(start, min(start + size, len(windows)))])


def collate(rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Tensors [windows, length]. A window's first label is ignored: nothing stands before it to predict it from.

    So the labels that count are the predictions that are made, whoever counts them.
    """
    import torch

    batch = {name: torch.stack([torch.as_tensor(row[name], dtype=torch.long) for row in rows]) for name in rows[0]}
    batch["labels"][:, 0] = IGNORED
    return batch


def pieces_at(share: float, length: int) -> int:
    """In how many pieces a window of `length` tokens is read at a share of the budget; none is very short."""
    for until, pieces in GROWTH:
        if share < until and length % pieces == 0 and length // pieces >= SHORTEST_PIECE:
            return pieces
    return 1


def most_rows(micro: int, length: int, *, scratch: bool) -> int:
    """Rows that a micro-batch of so many windows has at the most: from scratch they are read in pieces first."""
    return micro * (pieces_at(0.0, length) if scratch else 1)


def cut(batch: dict[str, torch.Tensor], pieces: int) -> dict[str, torch.Tensor]:
    """The same tokens as so many times more, shorter windows; the first label of each is ignored."""
    shorter = {name: ids.reshape(len(ids) * pieces, -1) for name, ids in batch.items()}
    shorter["labels"][:, 0] = IGNORED
    return shorter
