"""Parts of a decoder layer as autograd functions that keep less for the backward pass and touch memory less often.

Each is equal to what it stands for, forward and backward, up to rounding. Where a result is cheap to make again from
what is kept anyway, it carries a `Recipe`; `recomputing` has autograd keep that in place of the tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.nn import functional

Activation = Literal["silu", "gelu_tanh", "gelu"]


class Recipe:
    """How to make a tensor again; it is made once for all who kept it, and let go with the last of them."""

    def __init__(self, make: Callable[[], Tensor]) -> None:
        self._make, self._users = make, 0
        self._made: Tensor | None = None

    def promise(self) -> None:
        self._users += 1

    def redeem(self) -> Tensor:
        made = self._make() if self._made is None else self._made
        self._users -= 1
        self._made = made if self._users > 0 else None
        return made


class Promise:
    """A view of a tensor that has a recipe, in place of its numbers."""

    def __init__(self, recipe: Recipe, tensor: Tensor) -> None:
        recipe.promise()
        self._recipe = recipe
        self._view = tensor.size(), tensor.stride(), tensor.storage_offset()

    def redeem(self) -> Tensor:
        return self._recipe.redeem().as_strided(*self._view)


def recomputing() -> torch.autograd.graph.saved_tensors_hooks:
    """A context in which autograd keeps recipes where there are any."""

    def pack(tensor: Tensor) -> Tensor | Promise:
        source = tensor if tensor._base is None else tensor._base
        recipe = getattr(source, "recipe", None)
        # detached, for a graph that holds its own results by way of Python is never let go
        return tensor.detach() if recipe is None or source.dtype != tensor.dtype else Promise(recipe, tensor)

    def unpack(kept: Tensor | Promise) -> Tensor:
        return kept.redeem() if isinstance(kept, Promise) else kept

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)


class RmsNorm(torch.autograd.Function):
    """x · inverse · (weight + offset), where `inverse` is 1 / sqrt(mean(x²) + eps) over the last dimension."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, inverse: Tensor, offset: float) -> Tensor:
        ctx.save_for_backward(x, weight, inverse)
        ctx.offset = offset
        return normalised(x, weight, inverse, offset)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, inverse = ctx.saved_tensors
        of_weight = None
        if ctx.needs_input_grad[1]:
            of_weight = (x * inverse).mul_(gradient).flatten(0, -2).sum(0)
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None, None
        of_x = gradient * (weight + ctx.offset if ctx.offset else weight)
        along = (of_x * x).sum(-1, keepdim=True).mul_(inverse.pow(3)).div_(-x.shape[-1])
        return of_x.mul_(inverse).addcmul_(x, along), of_weight, None, None


def normalised(x: Tensor, weight: Tensor, inverse: Tensor, offset: float) -> Tensor:
    return (x * inverse).mul_(weight + offset if offset else weight)


def rms_norm(x: Tensor, weight: Tensor, eps: float, offset: float) -> Tensor:
    """x / sqrt(mean(x²) + eps) · (weight + offset) over the last dimension (Zhang & Sennrich 2019), with its recipe."""
    with torch.no_grad():
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        inverse = inverse.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    y: Any = RmsNorm.apply(x, weight, inverse, offset)  # type: ignore[no-untyped-call]
    if y.grad_fn is not None:
        y.recipe = Recipe(lambda: normalised(x.detach(), weight.detach(), inverse, offset))
    return cast(Tensor, y)


class GatedProduct(torch.autograd.Function):
    """activation(gate) · up, the middle of a gated feed-forward layer (Shazeer 2020, 2002.05202)."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor, activation: Activation) -> Tensor:
        ctx.save_for_backward(gate, up)
        ctx.activation = activation
        return activate(gate, activation).mul_(up)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gate, up = ctx.saved_tensors
        of_up = activate(gate, ctx.activation).mul_(gradient)
        inner = gradient * up
        aten = torch.ops.aten
        if ctx.activation == "silu":
            aten.silu_backward(inner, gate, grad_input=inner)
        else:
            approximate = "tanh" if ctx.activation == "gelu_tanh" else "none"
            aten.gelu_backward(inner, gate, approximate=approximate, grad_input=inner)
        return inner, of_up, None


def activate(x: Tensor, activation: Activation) -> Tensor:
    if activation == "silu":
        return functional.silu(x)
    return functional.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


def gated_product(gate: Tensor, up: Tensor, activation: Activation) -> Tensor:
    """The product, with its recipe."""
    product: Any = GatedProduct.apply(gate, up, activation)  # type: ignore[no-untyped-call]
    if product.grad_fn is not None:
        product.recipe = Recipe(lambda: activate(gate.detach(), activation).mul_(up.detach()))
    return cast(Tensor, product)


class LoraLinear(torch.autograd.Function):
    """x Wᵀ + b + scaling · (x Aᵀ) Bᵀ with W and b frozen (Hu et al. 2021, 2106.09685), products taken in `kind`."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scaling: float,
        kind: torch.dtype,
    ) -> Tensor:  # fmt: skip
        ctx.scaling, ctx.kind = scaling, kind
        with torch.autocast(x.device.type, enabled=False):
            flat, matrix = x.reshape(-1, x.shape[-1]).to(kind), weight.to(kind)
            low = flat @ down.to(kind).t()
            y = flat @ matrix.t() if bias is None else torch.addmm(bias.to(kind), flat, matrix.t())
            y.addmm_(low, up.to(kind).t(), alpha=scaling)
        ctx.save_for_backward(x, weight, down, up, low)
        return y.view(*x.shape[:-1], y.shape[-1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, down, up, low = ctx.saved_tensors
        kind = ctx.kind
        slope = gradient.reshape(-1, gradient.shape[-1]).to(kind)
        of_low = (slope @ up.to(kind)).mul_(ctx.scaling)
        of_down = (of_low.t() @ x.reshape(-1, x.shape[-1]).to(kind)).to(down.dtype)
        of_up = (slope.t() @ low).to(up.dtype).mul_(ctx.scaling)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (slope @ weight.to(kind)).addmm_(of_low, down.to(kind)).to(x.dtype).view(x.shape)
        return of_x, None, None, of_down, of_up, None, None
