"""A base's linear layers held in 4 or 8 bits while an adapter trains, and the weights that such an adapter belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from wellread.errors import MissingPackage

if TYPE_CHECKING:
    import torch

NF4_BLOCK = 64
"""Weights that share one scale."""

MARK = "wellread_quantization"
"""Attribute of a base whose linear layers hold quantised values, packed or not."""


@dataclass(frozen=True, slots=True)
class Quantization:
    """How the matrices of a base were rounded."""

    kind: Literal["nf4", "int8"]
    double: bool = True
    """Whether nf4's scales were quantised too; means nothing for int8."""

    def __str__(self) -> str:
        return "int8" if self.kind == "int8" else f"nf4{' with' if self.double else ' without'} double quantisation"


def linears(model: Any) -> Iterator[tuple[str, Any]]:
    """Name and module of every linear layer but the output's; GPT-2's Conv1D, a transposed one, counts."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    output = model.get_output_embeddings()
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear | Conv1D) and module is not output:
            yield name, module


def hold(model: Any, quantization: Quantization, *, rest: torch.dtype) -> None:
    """Pack the linear layers of a base in place, one after another, and freeze all of it.

    What is not packed (embeddings, norms, output) becomes `rest`. Raises MissingPackage without bitsandbytes.
    """
    from wellread.weights.held import Held

    _require_bitsandbytes()
    model.requires_grad_(False)
    for name, module in list(linears(model)):
        model.set_submodule(name, Held(module.weight, module.bias, quantization, transposed=_transposed(module)))
    for module in model.modules():
        for name, weight in module.named_parameters(recurse=False):
            if name == "bias" or not isinstance(module, Held):
                weight.data = weight.data.to(rest)
    setattr(model, MARK, quantization)


def release(model: Any) -> None:
    """Give a model that `hold` packed its plain layers back, in float32: what its packed matrices stand for."""
    import torch
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    from wellread.weights.held import Held

    for name, held in [(name, module) for name, module in model.named_modules() if isinstance(module, Held)]:
        matrix = held.unpack()
        ends = (held.in_features, held.out_features)
        with torch.device("meta"):
            plain: Any = Conv1D(*reversed(ends)) if held.transposed else nn.Linear(*ends)
        if held.transposed:
            matrix = matrix.T.contiguous()
            adapter = model.get_submodule(name.rpartition(".")[0])
            if hasattr(adapter, "fan_in_fan_out"):
                # peft took the layer for an nn.Linear; its difference is added transposed from now on
                adapter.fan_in_fan_out = True
        plain.weight = nn.Parameter(matrix, requires_grad=False)
        plain.bias = held.bias
        model.set_submodule(name, plain)


def requantise(model: Any, quantization: Quantization) -> None:
    """Round the linear layers of a float32 base in place to what `hold` would compute with.

    Raises MissingPackage without bitsandbytes.
    """
    from wellread.weights.held import pack, unpack

    _require_bitsandbytes()
    for _, module in linears(model):
        matrix = module.weight.data.T if _transposed(module) else module.weight.data
        rounded = unpack(pack(matrix, quantization), (matrix.shape[0], matrix.shape[1]), quantization, matrix.dtype)
        matrix.copy_(rounded)
    setattr(model, MARK, quantization)


def quantization_of(model: Any) -> Quantization | None:
    """How the base below `model` was rounded; None where it was not."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    found = getattr(base, MARK, None)
    return found if isinstance(found, Quantization) else None


def _transposed(linear: Any) -> bool:
    """Whether the layer is a Conv1D, which holds [inputs, outputs]."""
    return not hasattr(linear, "in_features")


def _require_bitsandbytes() -> None:
    if find_spec("bitsandbytes") is None:
        raise MissingPackage("qlora needs a package that is not installed; run: pip install bitsandbytes")
