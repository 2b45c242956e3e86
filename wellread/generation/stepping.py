"""Rows of tokens that grow by one at a time in, the logits after them out; and which rows are written side by side."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


SHARED = 64
"""Tokens that reading a common beginning once must save: below, a call more costs as much."""


def takes_padding(model: Any) -> bool:
    """Whether rows of unlike length can be read side by side: the model is told what to pass over, and where each
    row's positions begin. A model with a state in place of a cache reads padding as text."""
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    named = inspect.signature(plain.forward).parameters
    return {"attention_mask", "position_ids"} <= set(named) and not getattr(plain, "_is_stateful", False)


def alike(lengths: Sequence[int], *, rows: int, slack: float) -> Iterator[list[int]]:
    """Batches of places: at most `rows` each, the longest prompt at most `slack` longer than the shortest, as a share of
    it. Prompts are taken by their length, and in their order where that is equal."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) == rows or lengths[place] > (1 + slack) * lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def beginning(rows: Sequence[list[int]]) -> int:
    """How many tokens all rows begin with: as many as the least and the greatest of them share."""
    first, last = min(rows), max(rows)
    unlike = (place for place, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return next(unlike, min(len(first), len(last)))


class Stepper:
    """The logits after rows that grow by one token at a time, read through a cache of at most `window` positions.

    Rows may be of unlike length, if the longest never grows beyond the window: the shorter are padded, on the left of what
    is their own. What all rows begin with (a template's system message, an instruction with its examples) is read once.
    A window that is full is read anew from its last half on, behind the id `opening` in place of its first token where one
    is given (`weights.window_start`).
    """

    def __init__(self, model: Any, window: int, tokens: int, opening: int | None = None) -> None:
        self._model = model
        self._window, self._opening = window, opening
        self._cache: Any = None
        self._cached = 0  # positions in the cache
        self._read = 0  # tokens of each row, padding counted, that are in the cache or have left it
        self._left = 0  # padding before the longest row, where a longer one has been let go
        self._common = 0  # tokens that all rows begin with, which stand before any padding
        width = model.get_input_embeddings().num_embeddings
        self.vocabulary = min(tokens, width)  # rows that pad the matrix stand for no token

    def logits(self, rows: list[list[int]]) -> Tensor:
        """(rows, vocabulary) on the CPU, for the token after each row."""
        import torch

        length = self._left + max(map(len, rows))
        pads = [length - len(row) for row in rows]
        if self._cached + length - self._read > self._window:
            self._cache, self._cached, self._common = None, 0, 0
            self._read = max(0, length - max(1, self._window // 2))
        if self._cache is None and not self._read:
            self._read_common(rows, length)
        feed = [self._fresh(row, pad) for row, pad in zip(rows, pads, strict=True)]
        if self._cache is None and self._read and self._opening is not None:
            feed = [[self._opening, *fresh[1:]] for fresh in feed]
        out = self._model(
            input_ids=torch.tensor(feed, device=self._model.device), past_key_values=self._cache, use_cache=True,
            logits_to_keep=1, **(self._places(pads, length) if any(pads) else {}),
        )  # fmt: skip
        self._cache = out.past_key_values
        self._cached += length - self._read
        self._read = length
        logits: Tensor = out.logits[:, -1, : self.vocabulary].float().cpu()
        return logits

    def keep(self, rows: Sequence[Sequence[int]], places: Sequence[int]) -> None:
        """Of these rows, as they were given, only those at `places` are given from now on."""
        import torch

        self._left += max(map(len, rows)) - max(len(rows[place]) for place in places)
        if self._cache is not None:
            self._cache.batch_select_indices(torch.tensor(places, device=self._model.device))

    def _read_common(self, rows: Sequence[list[int]], length: int) -> None:
        """Read what all rows begin with for the first of them, and lay it before the others."""
        import torch

        common = min(beginning(rows), min(map(len, rows)) - 1)
        slides = getattr(self._model.config.get_text_config(), "sliding_window", None)
        if (len(rows) - 1) * common < SHARED or not takes_padding(self._model) or (slides and slides < length):
            return
        ids = torch.tensor([rows[0][:common]], device=self._model.device)
        cache = self._model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
        if any(getattr(cache, "is_linear", ())):  # a state beside the keys, which cannot be laid before others
            return
        cache.batch_repeat_interleave(len(rows))
        self._cache = cache
        self._common = self._read = self._cached = common

    def _fresh(self, row: Sequence[int], pad: int) -> list[int]:
        """What the cache lacks of a row: padding stands behind the common beginning."""
        if self._read >= self._common + pad:
            return list(row[self._read - pad :])
        return [0] * (self._common + pad - self._read) + list(row[self._common :])

    def _places(self, pads: Sequence[int], length: int) -> dict[str, Tensor]:
        """Which positions are text, and the place of every fresh one in its row."""
        import torch

        columns, shift = torch.arange(length), torch.tensor(pads)[:, None]
        places = torch.where(columns < self._common + shift, -1, columns - shift)
        places = torch.where(columns < self._common, columns, places)
        last = (
            getattr(self._model.config, "max_position_embeddings", None) or length
        ) - 1  # rows that have ended grow on
        told = {"attention_mask": (places >= 0).long(), "position_ids": places[:, self._read :].clamp(0, last)}
        return {name: each.to(self._model.device) for name, each in told.items()}
