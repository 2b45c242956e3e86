"""Two sets of windows in, one out: a stage's own text with replay of other text beside it, against forgetting."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from wellread.errors import RecipeError
from wellread.tokens.windows import Ints


class Mixed:
    """Every window of `own` once in an epoch, and so many of `other` that they are `share` of all; a map-style dataset.

    Replay goes on from epoch to epoch where it stopped, in the order in which `other` shuffles itself, so that none of
    it comes twice before all has come once. An item depends on (seed, epoch, index) only; where one of the two gives
    `position_ids` or `segments`, all items have them. Both are objects such as `Windows`, `ExampleWindows` or `DrawnWindows`; `own`
    is set to the epoch, `other` is copied, never changed.
    Raises RecipeError where the windows differ in length, or one of the two has none.
    """

    def __init__(self, own: Any, other: Any, *, share: float, seed: int = 0) -> None:
        if not 0 < share < 1:
            raise RecipeError(f"mix.share is {share}: it is a share of all windows, above 0 and below 1")
        if own.length != other.length:
            raise RecipeError(
                f"replay in windows of {other.length} tokens cannot stand beside windows of {own.length}; cut both alike"
            )
        for windows, name in ((own, "stage's own text"), (other, "text that is mixed in")):
            if not len(windows):
                raise RecipeError(f"the {name} does not fill one window of {own.length} tokens; add text")
        self.length: int = own.length
        self.seed = seed
        self._own, self._other = own, other
        self._replayed = max(1, round(len(own) * share / (1 - share)))
        self._segments = any("segments" in windows[0] for windows in (own, other))
        self._positions = self._segments or any("position_ids" in windows[0] for windows in (own, other))
        self.set_epoch(0)

    def __len__(self) -> int:
        return len(self._own) + self._replayed

    def __getitem__(self, index: int) -> dict[str, Ints]:
        place = int(self._order[index])
        if place < len(self._own):
            item = dict(self._own[place])
        else:
            round_, inside = divmod(self._first + place - len(self._own), len(self._other))
            item = dict(self._rounds[round_][inside])
        if self._positions and "position_ids" not in item:
            item["position_ids"] = np.arange(self.length, dtype=np.int64)
        if self._segments and "segments" not in item:
            item["segments"] = np.cumsum(item["position_ids"] == 0)
        return item

    def set_epoch(self, epoch: int) -> None:
        """Cut, draw and shuffle as this epoch does, from 0 on."""
        self.epoch = epoch
        self._own.set_epoch(epoch)
        self._first = epoch * self._replayed
        last = self._first + self._replayed - 1
        self._rounds: dict[int, Any] = {}
        for round_ in range(self._first // len(self._other), last // len(self._other) + 1):
            self._rounds[round_] = copy(self._other)
            self._rounds[round_].set_epoch(round_)
        self._order = np.random.default_rng([self.seed % 2**64, epoch, len(self)]).permutation(len(self))
