"""Which weights a stage ends with: the last, the average of the late ones, or whichever did best on validation.

`average` is the mean of the weights after every step of the last fifth of the budget (Izmailov et al., 1803.05407).
A stage that may stop before its budget is spent does not know when its last fifth begins: its average runs from the
first step, each weighing about as the eighth power of its number, so that whenever it stops the late ones make it up
(polynomial-decay averaging: Shamir and Zhang 2013, 1212.1824).
`best` chooses by what they cost on validation (the loss; or by `best_by` a measure of answers, the loss between equals)
among the weights at every evaluation and, at the end, that same average; so on validation it is never worse than `last` or
`average`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import torch

LATE = 0.2
"""The share of the budget, at its end, whose weights are averaged."""
POWER = 8
"""Of the running average: the mean age of its weights is then a tenth of the course, as that of the last fifth's."""


@dataclass(slots=True)
class Kept:
    """The copies that a stage may end with, of the parameters that train; in memory, and in every checkpoint."""

    keep: Literal["best", "last", "average"]
    early: bool = False
    """Whether the stage may stop before its budget is spent."""
    average: dict[str, torch.Tensor] = field(default_factory=dict)
    averaged: int = 0
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    best_cost: tuple[float, ...] | None = None
    best_name: str = "last"
    """What the best weights are: `step 120` or `average`."""

    def follow(self, parameters: Mapping[str, Any], share: float) -> None:
        """Take the weights of a step into the average, if it is one of those that count."""
        import torch

        if self.keep == "last" or (share <= 1 - LATE and not self.early):
            return
        self.averaged += 1
        weight = (POWER + 1) / (self.averaged + POWER) if self.early else 1 / self.averaged
        with torch.no_grad():
            for name, parameter in parameters.items():
                if name in self.average:
                    self.average[name].lerp_(parameter, weight)
                else:
                    self.average[name] = parameter.detach().clone()

    def consider(self, parameters: Mapping[str, Any], cost: tuple[float, ...], name: str) -> None:
        """Remember these weights if no others cost as little on validation; of a cost the first number decides."""
        if self.keep == "best" and (self.best_cost is None or cost < self.best_cost):
            self.best_cost, self.best_name = cost, name
            self.best = {name: parameter.detach().clone() for name, parameter in parameters.items()}

    def tensors(self) -> dict[str, torch.Tensor]:
        return {f"{kind}/{name}": copy for kind in ("average", "best") for name, copy in getattr(self, kind).items()}

    def facts(self) -> dict[str, Any]:
        return {"averaged": self.averaged, "best_cost": self.best_cost, "best_name": self.best_name}

    def restore(self, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        for kind in ("average", "best"):
            start = f"{kind}/"
            mine = {name.removeprefix(start): copy for name, copy in tensors.items() if name.startswith(start)}
            setattr(self, kind, mine)
        cost = facts["best_cost"]
        self.averaged, self.best_name = facts["averaged"], facts["best_name"]
        self.best_cost = None if cost is None else tuple(cost)


def put(parameters: Mapping[str, Any], copies: Mapping[str, torch.Tensor]) -> None:
    """Give the parameters these values."""
    import torch

    with torch.no_grad():
        for name, copy in copies.items():
            parameters[name].copy_(copy)
