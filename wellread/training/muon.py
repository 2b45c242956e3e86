"""Muon for hidden matrices with AdamW for everything else, in one resumable optimizer.

Muon: Keller Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
https://kellerjordan.github.io/posts/muon/. The momentum is replaced by about the nearest semi-orthogonal matrix, found
with a quintic Newton-Schulz iteration. torch.optim.Muon iterates in bfloat16, which a CPU without instructions for it emulates
tens of times slower; this one does so only where asked (`half`). Weight decay is decoupled (Loshchilov and Hutter, 1711.05101). The
update is scaled by sqrt(max(1, rows / columns)), so that one learning rate serves every width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from wellread.training.crew import Crew, shares

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients: five steps bring singular values to 0.7 to 1.2; three, to 0.3 to 1.2, learn as much a step."""


def orthogonalise(matrix: torch.Tensor, steps: int = 3) -> torch.Tensor:
    """About the nearest semi-orthogonal matrix: singular vectors stay, singular values are pulled towards 1."""
    a, b, c = QUINTIC
    tall = matrix.size(0) > matrix.size(1)
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Groups with `muon=True` hold matrices (lr, momentum, steps, weight_decay); the others AdamW's (lr, betas, eps,
    weight_decay). The momentum rises from 0.85 over the first `rise` steps. All state is in tensors."""

    def __init__(self, groups: Iterable[dict[str, Any]], *, rise: int = 100) -> None:
        defaults = {"lr": 1e-3, "weight_decay": 0.0, "muon": False, "momentum": 0.95, "steps": 3,
                    "betas": (0.9, 0.95), "eps": 1e-10, "rise": rise}  # fmt: skip
        super().__init__(groups, defaults)

    crew: Crew | None = None
    """Threads that share the work, one matrix each at a time."""
    half = False
    """Iterate in bfloat16, as Jordan does: for processors that multiply it faster."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        due = [(parameter, group) for group in self.param_groups for parameter in group["params"]
               if parameter.grad is not None]  # fmt: skip
        if self.crew is None:
            self._update(due)
        else:
            costs = [(each, float(each[0].numel()) * (min(each[0].shape) if each[1]["muon"] else 1)) for each in due]
            self.crew.each(self._update, shares(costs, self.crew.size))
        return loss

    @torch.no_grad()
    def _update(self, due: Iterable[tuple[torch.Tensor, dict[str, Any]]]) -> None:
        for parameter, group in due:
            assert parameter.grad is not None
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            (self._muon if group["muon"] else self._adamw)(parameter, parameter.grad, group)

    def _muon(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=torch.zeros(()), momentum=torch.zeros_like(parameter))
        beta = group["momentum"] - (group["momentum"] - 0.85) * max(0.0, 1 - state["step"].item() / group["rise"])
        state["step"] += 1
        state["momentum"].lerp_(gradient, 1 - beta)
        nesterov = torch.lerp(gradient, state["momentum"], beta)
        scale = max(1.0, parameter.size(0) / parameter.size(1)) ** 0.5
        update = orthogonalise(nesterov.bfloat16() if self.half else nesterov, group["steps"])
        parameter.add_(update.to(parameter.dtype), alpha=-group["lr"] * scale)

    def _adamw(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(parameter), square=torch.zeros_like(parameter))
        state["step"] += 1
        count, (beta1, beta2) = state["step"].item(), group["betas"]
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (state["square"] / (1 - beta2**count)).sqrt_().add_(group["eps"])
        parameter.addcdiv_(state["mean"], root, value=-group["lr"] / (1 - beta1**count))
