"""Rows of token ids in, windows of equal length out: what a model trains on, and what it is validated on.

No window holds two documents in one attention: a document longer than a window is cut into windows of its own, and
shorter ones share a window with `position_ids` that restart at each, by which transformers keeps them apart. (It does
so where no attention mask and no cache is passed: train with `use_cache=False`.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wellread.errors import RecipeError
from wellread.tokens.packing import pack
from wellread.tokens.rows import Rows

IGNORED = -100
"""The label of a position that does not count."""

Ints = npt.NDArray[np.int64]
Window = Mapping[str, Ints]


class Windows:
    """Windows over every document, cut at new offsets and shuffled anew in every epoch; a map-style dataset.

    An item holds `input_ids` and `labels`, int64 arrays of exactly `length`; where short documents share windows, all
    items hold `position_ids` too. Labels are the ids themselves (models shift them), `IGNORED` at the first token of
    a window or packed document, which nothing before it can foretell, and at padding. In a document longer than a
    window the first window begins at its beginning, the last ends at its end, and no two are more than `stride` apart
    (`length - 1` at most), so that in every epoch each token is foretold at least once. An item depends on
    (seed, epoch, index) only, and the number of items on none of them.

    `opening` is an id that stands in place of the first token of a window inside a document: for a base whose tokenizer
    puts it before whatever is read (`weights.window_start`). None: the token stays.
    """

    def __init__(
        self, rows: Rows, *, length: int, stride: int | None = None, seed: int = 0, pad: int = 0,
        opening: int | None = None,
    ) -> None:  # fmt: skip
        self.length = length
        self.seed = seed
        self._cut = _Cut(rows, length, stride, pad, opening)
        self.set_epoch(0)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Ints]:
        document, start, _ = self._places[index]
        return self._cut.window(int(document), int(start), 1)

    def set_epoch(self, epoch: int) -> None:
        """Cut and shuffle as this epoch does, from 0 on. Copies in data-loading workers do not hear of it."""
        self.epoch = epoch
        self._places = self.order(epoch)

    def order(self, epoch: int) -> Ints:
        """(document, first token, 1) of every window in the epoch's order; the n-th packed one is document -1 - n."""
        generator = np.random.default_rng([self.seed % 2**64, epoch])
        places = self._cut.places(generator)
        return places[generator.permutation(len(places))]


class Cut(Protocol):
    """What fills a window: of `_Cut` from long and short documents, of `examples._Pack` from examples."""

    length: int

    def window(self, document: int, start: int, fresh: int, /) -> dict[str, Ints]: ...


class FixedWindows:
    """The same windows each time, in the order of the documents; items as those of `Windows`."""

    def __init__(self, cut: Cut, places: Ints) -> None:
        self.length = cut.length
        self._cut = cut
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> dict[str, Ints]:
        document, start, fresh = self._places[index]
        return self._cut.window(int(document), int(start), int(fresh))


def validation_windows(
    rows: Rows, length: int, *, most: int | None = None, pad: int = 0, opening: int | None = None
) -> FixedWindows:
    """Windows in which every token but each document's first counts exactly once. `opening` as for `Windows`.

    With `most`, at most so many of them, spread evenly over the part.
    """
    cut = _Cut(rows, length, None, pad, opening)
    return FixedWindows(cut, spread(cut.tiles(), most))


def spread(places: Ints, most: int | None) -> Ints:
    """All places, or `most` of them at even distances."""
    if most is None or most >= len(places):
        return places
    return places[(2 * np.arange(most, dtype=np.int64) + 1) * len(places) // (2 * most)]


class _Cut:
    """How rows are divided: which documents have windows of their own, which share, and how a window is filled."""

    def __init__(self, rows: Rows, length: int, stride: int | None, pad: int, opening: int | None) -> None:
        if length < 2:
            raise RecipeError(f"a window of {length} tokens has nothing to foretell; set windows.length to 2 or more")
        if stride is not None and not 1 <= stride <= length:
            raise RecipeError(
                f"windows.stride is {stride}, of windows.length {length}: set it from 1 to {length}, "
                "or no token between two windows is read"
            )
        self.rows, self.length, self.pad, self.opening = rows, length, pad, opening
        self.step = min(stride or length, length - 1)
        self.long = np.flatnonzero(rows.lengths > length)
        self.span = rows.lengths[self.long] - length
        """First token of each long document's last window."""
        short = np.flatnonzero(rows.lengths <= length)
        self.packed = [short[group] for group in pack(rows.lengths[short].tolist(), length)]
        self.restarts = any(len(group) > 1 for group in self.packed)

    def places(self, generator: np.random.Generator) -> Ints:
        """(document, start, 1) of every window: at the beginning, the end, and evenly between two random offsets."""
        windows = self._count()
        first, last = self._edges(windows - 2, generator)
        document, number = _numbered(windows)
        inner = windows[document] - 2
        between = (self.span - first - last)[document]
        start = first[document] + (number - 1) * between // np.maximum(inner - 1, 1)
        start = np.where(number == 0, 0, np.where(number > inner, self.span[document], start))
        return self._with_packed(document, start, np.ones_like(start))

    def tiles(self) -> Ints:
        """(document, start, first position that counts): each begins on the last token of the one before."""
        step = self.length - 1
        document, number = _numbered(1 - (-self.span // step))
        start = np.minimum(number * step, self.span[document])
        fresh = number * step + 1 - start
        return self._with_packed(document, start, fresh)

    def window(self, document: int, start: int, fresh: int) -> dict[str, Ints]:
        """One item; labels before position `fresh` do not count."""
        if document < 0:
            return self._packed(self.packed[-1 - document])
        ids = self.rows.slice(document, start, start + self.length).astype(np.int64)
        labels = ids.copy()
        labels[:fresh] = IGNORED
        if start and self.opening is not None:  # what stood there is context alone: its own label never counts
            ids[0] = self.opening
        item = {"input_ids": ids, "labels": labels}
        if self.restarts:
            item["position_ids"] = np.arange(self.length, dtype=np.int64)
        return item

    def _packed(self, documents: Sequence[int] | Ints) -> dict[str, Ints]:
        ids = np.full(self.length, self.pad, np.int64)
        labels = np.full(self.length, IGNORED, np.int64)
        positions = np.zeros(self.length, np.int64)
        at = 0
        for document in documents:
            tokens = self.rows.document(int(document))
            stop = at + len(tokens)
            ids[at:stop] = tokens
            labels[at + 1 : stop] = tokens[1:]
            positions[at:stop] = np.arange(len(tokens))
            at = stop
        positions[at:] = np.arange(self.length - at)
        item = {"input_ids": ids, "labels": labels}
        if self.restarts:
            item["position_ids"] = positions
        return item

    def _count(self) -> Ints:
        """Windows of each long document: as few as `step` allows, and room to move them by up to a whole step.

        The room is at most a thirty-second of the document, so that moving costs little where a document is short.
        """
        room = np.minimum(self.step - 1, self.span // 32)
        counts: Ints = 1 - (-(self.span + room) // self.step)
        return counts

    def _edges(self, inner: Ints, generator: np.random.Generator) -> tuple[Ints, Ints]:
        """Random distances first to second window and last but one to last, for documents with `inner` between them.

        Bounded so that what lies between, divided evenly, leaves gaps of 1 to `step` tokens.
        """
        gaps = np.maximum(inner - 1, 0)
        least, most = self.span - gaps * self.step, self.span - gaps
        low, high = np.maximum(1, least - self.step), np.minimum(self.step, most - 1)
        first = generator.integers(low, np.maximum(low, high), endpoint=True)
        low, high = np.maximum(1, least - first), np.minimum(self.step, most - first)
        last = generator.integers(low, np.maximum(low, high), endpoint=True)
        return first, last

    def _with_packed(self, document: Ints, start: Ints, fresh: Ints) -> Ints:
        """The windows of long documents, then the packed ones, as rows of three."""
        own = np.stack([self.long[document], start, fresh], axis=1)
        shared = np.array([(-1 - number, 0, 1) for number in range(len(self.packed))], np.int64).reshape(-1, 3)
        return np.concatenate([own, shared])


def _numbered(counts: Ints) -> tuple[Ints, Ints]:
    """For each of `counts[i]` things of every i, in order: i, and its number from 0."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner), dtype=np.int64) - first[owner]
