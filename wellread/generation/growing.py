"""Rows of tokens in, the same rows a token longer out: how every setting, the guard and a grammar meet at one step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from wellread.generation.drawing import draw
from wellread.generation.guard import Guard, Masking
from wellread.generation.stepping import Stepper
from wellread.generation.structured import Answer
from wellread.streaming import Finish
from wellread.types import Sampling

if TYPE_CHECKING:
    from torch import Tensor

PENALISED = 1024
"""Tokens of a prompt that a repetition penalty looks back over: in a longer one stand most of the common words there are."""


class Growing:
    """Texts that one model writes at the same time; `rows` are their ids, from the first of the prompt on.

    Every row has its seed and its most tokens; how they are drawn is common to all. `stops` are tokens that end a row,
    and `piece` gives the bytes of a token, for the guard.
    """

    def __init__(
        self,
        stepper: Stepper,
        contexts: Sequence[Sequence[int]],
        sampling: Sampling,
        seeds: Sequence[int],
        limits: Sequence[int],
        *,
        stops: Collection[int],
        piece: Callable[[int], bytes],
        guard: Guard | None = None,
        answers: Sequence[Answer] = (),
    ) -> None:
        import torch

        self._stepper, self._sampling, self._stops = stepper, sampling, stops
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._masking = Masking(guard, piece, stops, sampling, self._generators) if guard else None
        self._answers = list(answers)
        self._limits = list(limits)
        self._begun = [len(context) for context in contexts]
        self._ends: list[int | None] = [None] * len(contexts)
        self.rows = [list(context) for context in contexts]
        self.finish: list[Finish | None] = [None] * len(self.rows)
        self._seen = torch.zeros(len(self.rows), stepper.vocabulary, dtype=torch.bool)
        for row, context in zip(self._seen, contexts, strict=True):
            row[torch.tensor(context[-PENALISED:])] = True

    def step(self) -> tuple[list[int], Tensor]:
        """The next id of every row, and the logits (rows, vocabulary) that the model gave for it.

        Of a row that has ended they mean nothing, and are not part of `written`.
        """
        import torch

        with torch.inference_mode():
            plain = self._stepper.logits(self.rows)
            uniforms = torch.stack([torch.rand((), generator=each, dtype=torch.float64) for each in self._generators])
            logits = _held(plain, self._answers) if self._answers else plain
            ids = draw(logits, self._seen, self._sampling, uniforms)
            if self._masking:
                ids = self._masking.replaced(ids, logits, self._seen, [each is None for each in self.finish])
            if self._answers:
                taken = [each.take(drawn) for each, drawn in zip(self._answers, ids.tolist(), strict=True)]
                ids = torch.tensor(taken)
            self._seen.scatter_(1, ids[:, None], True)
        chosen: list[int] = ids.tolist()
        for place, token in enumerate(chosen):
            self._take(place, token)
        return chosen, plain

    def _take(self, place: int, token: int) -> None:
        """One more token of a row: a stop ends it before that, its most tokens after."""
        row = self.rows[place]
        if self.finish[place] is None and token in self._stops:
            self.finish[place], self._ends[place] = "stop", len(row)
        row.append(token)
        if self.finish[place] is None and len(row) - self._begun[place] >= self._limits[place]:
            self.finish[place], self._ends[place] = "length", len(row)

    def written(self, place: int) -> list[int]:
        """The ids of a row's own text so far, without the one that ended it."""
        return self.rows[place][self._begun[place] : self._ends[place]]

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows alone."""
        import torch

        self._stepper.keep(self.rows, places)
        self._seen = self._seen[torch.tensor(places)]
        if self._masking:
            self._masking.keep(places)
        self._generators = [self._generators[place] for place in places]
        self._answers = [self._answers[place] for place in places] if self._answers else []
        self._limits = [self._limits[place] for place in places]
        self._begun = [self._begun[place] for place in places]
        self._ends = [self._ends[place] for place in places]
        self.rows = [self.rows[place] for place in places]
        self.finish = [self.finish[place] for place in places]


def _held(logits: Tensor, answers: Sequence[Answer]) -> Tensor:
    """The logits, of tokens that the grammar does not allow now minus infinity."""
    import torch

    masks = [each.allowed() for each in answers]
    free = np.ones(logits.shape[-1], bool)
    return logits.masked_fill(
        ~torch.from_numpy(np.stack([free if mask is None else mask for mask in masks])), -torch.inf
    )
