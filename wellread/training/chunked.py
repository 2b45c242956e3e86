"""Cross-entropy from hidden states, without ever holding all logits.

Logits exist for a chunk of tokens at a time. Their gradient is made while they are there, and carried at once to the
hidden states and to the head; the backward pass only multiplies. What is never asked for is never made: no gradient of
a frozen head, no logits of a token whose label does not count, no gradient at all in evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from wellread.training.batches import IGNORED

CHUNK_BYTES = 96 * 2**20
"""Of float32 logits at once, and as much again for their gradient."""
FEWEST_ROWS, MOST_ROWS = 512, 1024
"""Tokens in a chunk: with fewer, cores that share one memory wait for the head's weights (128 rows of a 262 k vocabulary:
80 tokens per second on two cores, 512: 110; benchmarks/training.py)."""


@dataclass(frozen=True, slots=True)
class Shaping:
    """What a model does to the products of its head before they are logits."""

    scale: float = 1.0
    """A factor (Cohere, Granite)."""
    cap: float | None = None
    """A bound that they approach as cap * tanh(product / cap) (Gemma 2)."""


def chunk_rows(vocabulary: int) -> int:
    """Tokens in a chunk."""
    return min(MOST_ROWS, max(FEWEST_ROWS, CHUNK_BYTES // (4 * vocabulary)))


def head_loss(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor, shaping: Shaping
) -> torch.Tensor:
    """The sum of -ln p(target), in nats: a float32 scalar.

    `hidden` [tokens, width], `weight` [vocabulary, width], `bias` [vocabulary], `targets` [tokens] (ignored: -100).
    Products are taken in autocast's type where it is on, everything after them in float32.
    """
    if hidden.device.type == "cuda" and bias is None and find_spec("liger_kernel") is not None:
        return _fused(hidden, weight, targets, shaping)
    rows = chunk_rows(len(weight))
    loss: torch.Tensor = Chunked.apply(hidden, weight, bias, targets, shaping, rows, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return loss


def _fused(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, shaping: Shaping) -> torch.Tensor:
    """The same by Liger's Triton kernels (Hsu et al. 2024, 2410.10989)."""
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    loss = LigerFusedLinearCrossEntropyLoss(ignore_index=IGNORED, reduction="sum", softcap=shaping.cap)
    states = hidden if shaping.scale == 1.0 else hidden * shaping.scale
    kind = _product_type(weight)
    with torch.autocast(hidden.device.type, enabled=False):
        found: torch.Tensor = loss(weight.to(kind), states.to(kind), targets)
    return found.float()


def _product_type(weight: torch.Tensor) -> torch.dtype:
    kind = weight.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


class Chunked(torch.autograd.Function):
    """Forward makes the loss and, where `learning`, the gradients; backward multiplies them by the loss's own."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor,
        shaping: Shaping, rows: int, learning: bool,
    ) -> torch.Tensor:  # fmt: skip
        kind = _product_type(weight)
        wanted = [needed and learning for needed in ctx.needs_input_grad[:3]]
        kept = targets.ne(IGNORED).nonzero().squeeze(1)
        total = hidden.new_zeros((), dtype=torch.float32)
        grads = _empty_gradients(hidden, weight, bias, wanted)
        with torch.autocast(hidden.device.type, enabled=False):
            matrix = weight.to(kind)
            room = weight.new_empty((2, min(rows, len(kept)), len(weight)), dtype=torch.float32)
            for start in range(0, len(kept), rows):
                places = kept[start : start + rows]
                states = hidden[places].to(kind)
                logits, slope = room[:, : len(places)]
                _products(states, matrix, logits)
                _shape(logits, bias, shaping)
                total += _loss_and_slope(logits, slope, targets[places])
                if any(wanted):
                    _unshape(logits, slope, shaping)
                    _carry(slope.to(kind), slope, states, matrix, places, grads)
        ctx.save_for_backward(*grads)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        ready = [None if grad is None else grad.mul_(gradient) for grad in ctx.saved_tensors]
        return *ready, None, None, None, None


Gradients = tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]
"""Of the hidden states, of the head's weight and of its bias; None where not asked for."""


def _empty_gradients(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, wanted: list[bool]
) -> Gradients:
    return (
        torch.zeros_like(hidden) if wanted[0] else None,
        torch.zeros_like(weight) if wanted[1] else None,
        torch.zeros_like(bias) if wanted[2] and bias is not None else None,
    )


def _products(states: torch.Tensor, matrix: torch.Tensor, out: torch.Tensor) -> None:
    if states.dtype == out.dtype:
        torch.mm(states, matrix.t(), out=out)
    else:
        out.copy_(states @ matrix.t())


def _shape(logits: torch.Tensor, bias: torch.Tensor | None, shaping: Shaping) -> None:
    """Products to logits, in place."""
    if bias is not None:
        logits.add_(bias)
    if shaping.scale != 1.0:
        logits.mul_(shaping.scale)
    if shaping.cap is not None:
        logits.div_(shaping.cap).tanh_().mul_(shaping.cap)


def _unshape(logits: torch.Tensor, slope: torch.Tensor, shaping: Shaping) -> None:
    """The gradient by logits to that by products, in place; `logits` are spent."""
    if shaping.cap is not None:
        slope.mul_(logits.div_(shaping.cap).square_().neg_().add_(1.0))
    if shaping.scale != 1.0:
        slope.mul_(shaping.scale)


def _loss_and_slope(logits: torch.Tensor, slope: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The sum of -ln p, and in `slope` its gradient by the logits: p, less 1 at the target."""
    torch.softmax(logits, dim=1, out=slope)
    # the largest probability is 1 / sum of exp(logit - largest logit), and never underflows
    normaliser = logits.amax(dim=1) - slope.amax(dim=1).log()
    column = targets[:, None]
    loss = (normaliser - logits.gather(1, column).squeeze(1)).sum()
    slope.scatter_add_(1, column, slope.new_full((len(targets), 1), -1.0))
    return loss


def _carry(
    narrow: torch.Tensor, slope: torch.Tensor, states: torch.Tensor, matrix: torch.Tensor, places: torch.Tensor,
    grads: Gradients,
) -> None:  # fmt: skip
    """Add what a chunk's slope says about the hidden states, the head's weight and its bias."""
    of_hidden, of_weight, of_bias = grads
    if of_hidden is not None:
        of_hidden[places] = (narrow @ matrix).to(of_hidden.dtype)
    if of_weight is not None and of_weight.dtype == narrow.dtype:
        of_weight.addmm_(narrow.t(), states)
    elif of_weight is not None:
        of_weight.add_(narrow.t() @ states)
    if of_bias is not None:
        of_bias.add_(slope.sum(dim=0))
