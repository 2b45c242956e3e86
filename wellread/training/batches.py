"""Windows in, batches out, epoch after epoch; where the next batch begins can be kept and returned to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wellread.errors import RecipeError

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
    """Endless batches of `size` windows. A batch that an epoch cannot fill takes its last windows from the next one.

    `share` tells how much of the budget is spent, where windows are to be read in pieces first.
    """

    def __init__(
        self, windows: Windows, size: int, *, epoch: int = 0, place: int = 0, share: Callable[[], float] = lambda: 1.0
    ) -> None:
        self.epoch, self.place, self._size, self._windows, self._share = epoch, place, size, windows, share
        windows.set_epoch(epoch)
        if len(windows) == 0:
            raise RecipeError("the training part does not fill one window; lower windows.length or add text.")

    @property
    def epochs(self) -> float:
        """Passes over the training part so far."""
        return self.epoch + self.place / len(self._windows)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            rows: list[Mapping[str, Any]] = []
            while len(rows) < self._size:
                if self.place >= len(self._windows):
                    self.epoch, self.place = self.epoch + 1, 0
                    self._windows.set_epoch(self.epoch)
                rows.append(self._windows[self.place])
                self.place += 1
            batch = collate(rows)
            yield cut(batch, pieces_at(self._share(), batch["labels"].shape[1]))


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


def cut(batch: dict[str, torch.Tensor], pieces: int) -> dict[str, torch.Tensor]:
    """The same tokens as so many times more, shorter windows; the first label of each is ignored."""
    shorter = {name: ids.reshape(len(ids) * pieces, -1) for name, ids in batch.items()}
    shorter["labels"][:, 0] = IGNORED
    return shorter
