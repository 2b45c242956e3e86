"""A model's own layers, computed leaner while it trains: less memory for the backward pass, fewer passes over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from wellread.training.fast import Activation

TOLERANCE = 1e-5
"""Largest relative difference between a module and what stands in for it."""
MOST_COPIED = 512 * 2**20
"""Bytes of frozen weights kept in the type of autocast's products as well; beyond, they are cast for every product."""


class Copies:
    """Frozen weights in another type, made once: casting them again for every product is a tenth of a small model's step."""

    def __init__(self, most: int = MOST_COPIED) -> None:
        self._left = most
        self._kept: dict[tuple[int, torch.dtype], torch.Tensor] = {}

    def of(self, weight: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
        """`weight` as `kind`: the copy that is kept, or, where none fits, `weight` itself."""
        if weight.dtype == kind:
            return weight
        found = self._kept.get((id(weight), kind))
        size = weight.numel() * kind.itemsize
        if found is None and size <= self._left:
            self._left -= size
            found = self._kept[id(weight), kind] = weight.detach().to(kind)
        return weight if found is None else found


@contextmanager
def lean(model: Any, copies: Copies | None = None) -> Iterator[None]:
    """For a while, compute RMS norms, gated feed-forward layers and LoRA layers by the functions of fast.py.

    A module is recognised by what it computes, not by its name: what stands in for it is compared with it on random
    numbers first, and one that differs stays as it is. Weights and their names are untouched, nothing of this is
    saved, and within another `lean` it changes nothing. Training in the calling thread keeps recipes for norms and
    products in place of their numbers. `copies` are those of frozen weights, which must not change meanwhile.
    """
    from wellread.training.fast import recomputing

    copies = Copies() if copies is None else copies

    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    changed = []
    for module in model.modules():
        if "forward" in vars(module):
            continue
        forward = _lora(module, copies) or _gated(module) or _norm(module)
        if forward is not None:
            module.forward = forward
            changed.append(module)
    for module, training in modes:
        module.training = training
    try:
        with recomputing():
            yield
    finally:
        for module in changed:
            del module.forward


def _norm(module: Any) -> Callable[..., torch.Tensor] | None:
    """A stand-in for an RMS norm of the Llama kind (weight) or the Gemma kind (1 + weight)."""
    import torch

    from wellread.training.fast import rms_norm

    weight = getattr(module, "weight", None)
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    if "RMSNorm" not in type(module).__name__ or not isinstance(eps, float):
        return None
    if not isinstance(weight, torch.nn.Parameter) or weight.dtype != torch.float32 or weight.dim() != 1:
        return None
    stock = module.forward
    for offset in (0.0, 1.0):

        def forward(x: torch.Tensor, offset: float = offset, eps: float = eps) -> torch.Tensor:
            # other types are rounded on the way, in an order of each model's own
            return rms_norm(x, module.weight, eps, offset) if x.dtype == torch.float32 else stock(x)

        if _same(stock, forward, _random(len(weight), weight)):
            return forward
    return None


def _gated(module: Any) -> Callable[..., torch.Tensor] | None:
    """A stand-in for down(activation(gate(x)) * up(x))."""
    from wellread.training.fast import gated_product

    if not all(hasattr(module, name) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")):
        return None
    activation = _activation(module.act_fn)
    width = getattr(module.gate_proj, "in_features", None)
    weight = next(module.gate_proj.parameters(), None)
    if activation is None or width is None or weight is None:
        return None

    def forward(x: torch.Tensor) -> torch.Tensor:
        product = gated_product(module.gate_proj(x), module.up_proj(x), activation)
        down: torch.Tensor = module.down_proj(product)
        return down

    return forward if _same(module.forward, forward, _random(width, weight)) else None


def _activation(module: Any) -> Activation | None:
    import torch

    from wellread.training.fast import activate

    kinds: tuple[Activation, ...] = ("silu", "gelu_tanh", "gelu")
    points = torch.linspace(-6, 6, 101)
    for kind in kinds:
        if torch.allclose(module(points), activate(points, kind), atol=1e-6):
            return kind
    return None


def _lora(module: Any, copies: Copies) -> Callable[..., torch.Tensor] | None:
    """A stand-in for peft's LoRA layer around a plain frozen linear layer, with one adapter and no dropout."""
    import torch
    from peft.tuners.lora import Linear

    from wellread.training.fast import LoraLinear

    if type(module) is not Linear or type(module.base_layer) is not torch.nn.Linear:
        return None
    [adapter, *more] = module.active_adapters
    if more or adapter not in module.lora_A or module.lora_variant or module.merged or module.disable_adapters:
        return None
    base, down, up = module.base_layer, module.lora_A[adapter], module.lora_B[adapter]
    plain = isinstance(module.lora_dropout[adapter], torch.nn.Identity) and down.bias is None and up.bias is None
    trained = any(weight.requires_grad for weight in base.parameters())
    if not plain or trained or len({base.weight.dtype, down.weight.dtype, up.weight.dtype}) > 1:
        return None
    stock, scaling = module.forward, module.scaling[adapter]

    def forward(x: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        kind = base.weight.dtype
        if torch.is_autocast_enabled(x.device.type):
            kind = torch.get_autocast_dtype(x.device.type)
        elif x.dtype != kind:
            return stock(x, *args, **options)  # type: ignore[no-any-return]
        if args or options or module.disable_adapters or module.merged:
            return stock(x, *args, **options)  # type: ignore[no-any-return]
        weight = copies.of(base.weight, kind)
        y: torch.Tensor = LoraLinear.apply(x, weight, base.bias, down.weight, up.weight, scaling, kind)  # type: ignore[no-untyped-call]
        return y

    return forward if _same(stock, forward, _random(module.in_features, base.weight)) else None


def _random(width: int, like: torch.Tensor) -> torch.Tensor:
    import torch

    if _only_a_shape(like):
        return like.new_empty(2, 3, width)
    numbers = torch.randn(2, 3, width, generator=torch.Generator().manual_seed(0))
    return numbers.to(like.device, like.dtype if like.dtype.is_floating_point else torch.float32)


def _same(stock: Callable[..., Any], ours: Callable[..., Any], x: torch.Tensor) -> bool:
    """Whether both compute the same of `x`, dropout aside; taken to be so where `x` is only a shape."""
    import torch

    if _only_a_shape(x):
        return True
    with torch.no_grad():
        expected, found = stock(x), ours(x)
    return bool((expected - found).norm() <= TOLERANCE * expected.norm())


def _only_a_shape(tensor: torch.Tensor) -> bool:
    """Whether a tensor has no numbers: memory is foreseen with such (estimate_shape.py)."""
    from torch._subclasses import FakeTensor

    return isinstance(tensor, FakeTensor)
