"""Copies of a model on one set of weights, each of which takes its share of a batch on cores of its own.

The copies' gradients are added in a fixed order, so a step is the same, bit for bit, whenever it is taken again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import pairwise
from typing import Any

import torch

from wellread.training.batches import IGNORED
from wellread.training.crew import Crew
from wellread.training.dropout import dropout
from wellread.training.fast import recomputing
from wellread.training.lean import Copies, lean
from wellread.training.loss import causal_loss

MOST_TRAINED = 24_000_000
"""Parameters that train: each copy has gradients of its own, and the operations of larger models share well."""
GAIN = 0.55
"""On n cores an operation takes 1 / n ** GAIN of its time on one. Measured on two, embedded base, one window: 0.45 (of 224
tokens) to 0.8 (of 1,024); a model of three million parameters gains nothing."""


@contextmanager
def dressed(model: Any, share: float, *, rows: int, world: int = 1, sharded: bool = False) -> Iterator[Twins | None]:
    """For a while, lean layers and dropout on the model; and, where `rows` at a time, the most that there are, are better
    taken side by side, its copies."""
    size, cores = side_by_side(rows, torch.get_num_threads())
    if sharded or world > 1 or size == 1 or not twins_help(model):
        with nullcontext() if sharded else lean(model), dropout(model, share):
            yield None
        return
    twins, copies = Twins(model, Crew(size, cores)), Copies()
    with ExitStack() as stack:
        stack.callback(twins.crew.close)
        for each, generator in zip(twins.models, twins.generators, strict=True):
            stack.enter_context(lean(each, copies))
            stack.enter_context(dropout(each, share, generator))
        yield twins


def side_by_side(rows: int, cores: int) -> tuple[int, int]:
    """By how many copies so many rows are read soonest, and on how many cores each: none of them should wait."""

    def seconds(size: int) -> float:
        return math.ceil(rows / size) / math.pow(cores // size, GAIN)

    size = min(range(1, min(rows, cores) + 1), key=seconds)
    return size, cores // size


def twins_help(model: Any) -> bool:
    """Whether a model may be copied: on a CPU, with few trained parameters, without draws that depend on which copy comes
    first."""
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    draws = any(isinstance(module, torch.nn.Dropout) and module.p > 0 for module in model.modules())
    # what is computed twice would be dropped differently the second time: only torch's own generator is set back
    draws = draws or any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
    return model.device.type == "cpu" and trained <= MOST_TRAINED and not draws


class Twins:
    """The model itself first, then its copies, in training mode."""

    def __init__(self, model: Any, crew: Crew) -> None:
        self.crew = crew
        self.models = [model, *(_copy(model).train() for _ in range(crew.size - 1))]
        self.generators = [torch.Generator() for _ in self.models]
        trained = [[weight for weight in each.parameters() if weight.requires_grad] for each in self.models]
        self._own, self._others = trained[0], trained[1:]

    def begin(self, seed: int) -> None:
        """Draw from here on what a step draws: each copy its own."""
        for number, generator in enumerate(self.generators):
            generator.manual_seed((seed + number) % 2**63)

    def backward(self, batch: dict[str, torch.Tensor], count: Any, autocast: torch.dtype | None) -> torch.Tensor:
        """Add the gradients of the summed loss / `count` to the model's; the loss / `count`, detached."""

        def part(pair: tuple[Any, dict[str, torch.Tensor]]) -> torch.Tensor:
            model, rows = pair
            with torch.enable_grad(), recomputing():
                loss = causal_loss(model, rows, autocast) / count
                torch.autograd.backward(loss)
            found: torch.Tensor = loss.detach()
            return found

        parts = _split(batch, len(self.models))
        losses = self.crew.each(part, zip(self.models, parts, strict=False))
        with torch.no_grad():
            for others in self._others[: len(parts) - 1]:
                torch._foreach_add_([weight.grad for weight in self._own], [weight.grad for weight in others])
                for weight in others:
                    weight.grad = None
        total: torch.Tensor = torch.stack(losses).sum()
        return total


def _copy(model: Any) -> Any:
    """Modules of its own on the same weights; frozen ones are the very same parameters."""
    same: dict[int, Any] = {}
    for weight in model.parameters():
        same[id(weight)] = torch.nn.Parameter(weight.data) if weight.requires_grad else weight
    return copy.deepcopy(model, same)


def _split(batch: dict[str, torch.Tensor], size: int) -> list[dict[str, torch.Tensor]]:
    """Consecutive rows, as evenly as they go, no part empty or without a label that counts."""
    rows = len(batch["labels"])
    size = min(size, rows)
    edges = [rows * place // size for place in range(size + 1)]
    parts = [{name: ids[start:end] for name, ids in batch.items()} for start, end in pairwise(edges)]
    return parts if all(part["labels"].ne(IGNORED).any() for part in parts) else [batch]
