"""The parts of a draw in, windows out: read together, memory-mapped, shuffled anew in every epoch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from wellread.errors import StorageError, first_line
from wellread.tokens.encode import Ids
from wellread.tokens.plan import FORMAT, noted, part_path
from wellread.tokens.windows import IGNORED, Ints


class DrawnWindows:
    """The windows that `draw` wrote, in an order of their own in every epoch; a map-style dataset.

    An item holds `input_ids` and `labels`, int64 arrays of exactly `length`, and, where windows hold several documents,
    `position_ids` that restart at each. Labels are the ids themselves, `IGNORED` at the first token of the window and
    of each document, and at padding. An item depends on (seed, epoch, index) only. `without` names windows, by their
    number in the draw, that are left out. `opening` is the id that every window opens with, as for `windows.Windows`.
    Raises StorageError where the draw is not finished or a part is damaged.
    """

    def __init__(
        self, folder: Path, *, seed: int = 0, pad: int = 0, without: Collection[int] = (), opening: int | None = None
    ) -> None:
        counts, request = noted(folder, "counts.json"), noted(folder, "request.json")
        if not counts or not request or request.get("format") != FORMAT:
            raise StorageError(f"{folder} holds no finished draw (counts.json is missing); run the draw again")
        self.folder = folder
        self.length: int = counts["length"]
        self.seed = seed
        self.pad, self.opening = pad, opening
        self._count: int = counts["windows"]
        self._without = sorted(without)
        self._restarts: bool = counts["several"]
        self._names = [name for name, _, _ in counts["shards"]]
        self._tables = [open_part(part_path(folder, part)) for part in range(counts["parts"])]
        self._before = np.concatenate([[0], np.cumsum([table.num_rows for table in self._tables])])
        if self._before[-1] != self._count:
            raise StorageError(
                f"{folder}: {self._before[-1]} windows where {self._count} were drawn; delete it, draw again"
            )
        self._ids = [
            table.column("input_ids").chunk(0).values.to_numpy(zero_copy_only=True).reshape(-1, self.length)
            for table in self._tables
        ]
        self.set_epoch(0)

    def __len__(self) -> int:
        return self._count - len(self._without)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.folder, self.seed, self.pad, self._without, self.opening, self.epoch)

    def __getitem__(self, index: int) -> dict[str, Ints]:
        part, row = self._found(index)
        table = self._tables[part]
        ids = self._ids[part][row].astype(np.int64)
        stop = table.column("tokens")[row].as_py()
        begins = table.column("begins")[row].as_py()
        ids[stop:] = self.pad
        labels = ids.copy()
        labels[[0, *begins]] = IGNORED
        labels[stop:] = IGNORED
        if self.opening is not None:
            ids[0] = self.opening
        item = {"input_ids": ids, "labels": labels}
        if self._restarts:
            edges = [0, *begins, stop] if stop < self.length else [0, *begins]
            item["position_ids"] = np.arange(self.length, dtype=np.int64)
            for edge in edges[1:]:
                item["position_ids"][edge:] = np.arange(self.length - edge)
        return item

    def place(self, index: int) -> tuple[str, int, int]:
        """(shard, number of the document in it, UTF-8 bytes of the document before the window) of a window."""
        part, row = self._found(index)
        shard, document, offset = (
            self._tables[part].column(name)[row].as_py() for name in ("shard", "document", "offset")
        )
        return self._names[shard], document, offset

    def set_epoch(self, epoch: int) -> None:
        """Shuffle as this epoch does, from 0 on."""
        self.epoch = epoch
        order = np.random.default_rng([self.seed % 2**64, epoch]).permutation(self._count)
        self._order = order[~np.isin(order, self._without)] if self._without else order

    def blocks(self, size: int) -> Iterator[tuple[int, Ids]]:
        """All windows in the order of the draw, `size` or fewer at a time: the first one's number, and their ids."""
        for before, ids in zip(self._before[:-1].tolist(), self._ids, strict=True):
            for first in range(0, len(ids), size):
                yield before + first, ids[first : first + size]

    def _found(self, index: int) -> tuple[int, int]:
        """The part that holds the epoch's window, and its row there."""
        number = int(self._order[index])
        part = int(np.searchsorted(self._before, number, side="right")) - 1
        return part, number - int(self._before[part])


def open_part(path: Path) -> Any:
    """The memory-mapped table of a part: input_ids, begins, tokens, shard, document, offset. Raises StorageError."""
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
            return stream.read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise StorageError(
            f"{path}: a drawn part is damaged ({first_line(error)}); delete it and run the draw again"
        ) from None


def _reopened(folder: Path, seed: int, pad: int, without: list[int], opening: int | None, epoch: int) -> DrawnWindows:
    windows = DrawnWindows(folder, seed=seed, pad=pad, without=without, opening=opening)
    windows.set_epoch(epoch)
    return windows
