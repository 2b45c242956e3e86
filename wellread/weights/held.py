"""A linear layer whose frozen matrix is held in 4 or 8 bits; bitsandbytes packs and unpacks it. Loads torch.

bitsandbytes' own layers are not used: on a CPU with bfloat16 units its 4-bit layer rounds its scales anew when a
validation begins, and its 8-bit layer rounds the activations of every validation too. Here the matrix is unpacked for each product, forward
and backward, so that the weights an adapter trains against are exactly those that `unpack` gives, on any machine.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from wellread.weights.quantising import NF4_BLOCK, Quantization

SCALES_BLOCK = 256
"""Scales of nf4 that share a scale of their own in double quantisation (Dettmers et al. 2023, 2305.14314)."""


class Held(nn.Linear):
    """y = x Wᵀ + b, with W frozen and packed: nf4 in blocks of 64 with a scale each, or int8 with a scale a row.

    A subclass of nn.Linear so that peft adapts it like any other; `weight` is the packed matrix.
    """

    def __init__(
        self, matrix: Tensor, bias: nn.Parameter | None, quantization: Quantization, *, transposed: bool = False
    ) -> None:
        """`matrix` is [outputs, inputs], or the reverse if `transposed`, in 16 or 32 bits, on the CPU: packed there, it
        is the same on every machine."""
        nn.Module.__init__(self)
        self.quantization, self.transposed = quantization, transposed
        matrix = matrix.T if transposed else matrix
        self.out_features, self.in_features = matrix.shape
        for name, tensor in pack(matrix, quantization).items():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))
        self.register_parameter("bias", bias)

    def unpack(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """W as the products see it, [outputs, inputs]."""
        packed = {name: weight.data for name, weight in self.named_parameters(recurse=False) if name != "bias"}
        return unpack(packed, (self.out_features, self.in_features), self.quantization, dtype)

    def forward(self, x: Tensor) -> Tensor:
        kind = x.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype
        multiply: Any = Product.apply
        y: Tensor = multiply(x, self, dtype)
        return y if self.bias is None else y + self.bias.to(dtype)


class Product(torch.autograd.Function):
    """x Wᵀ that keeps neither x nor the unpacked W for the backward pass."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, held: Held, dtype: torch.dtype) -> Tensor:
        ctx.held, ctx.dtype, ctx.given = held, dtype, x.dtype
        return nn.functional.linear(x.to(dtype), held.unpack(dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return (gradients[0].to(ctx.dtype) @ ctx.held.unpack(ctx.dtype)).to(ctx.given), None, None


def pack(matrix: Tensor, quantization: Quantization) -> dict[str, Tensor]:
    """The packed matrix as `weight`, and what it takes to unpack it."""
    from bitsandbytes import functional

    matrix = matrix.detach().contiguous()
    if quantization.kind == "int8":
        packed, row_scales, _ = functional.int8_vectorwise_quant(matrix.to(torch.float16))
        return {"weight": packed, "scales": row_scales}
    packed, state = functional.quantize_4bit(
        matrix, blocksize=NF4_BLOCK, compress_statistics=quantization.double, quant_type="nf4"
    )
    if not quantization.double:
        return {"weight": packed, "scales": state.absmax}
    again = state.state2
    return {"weight": packed, "scales": state.absmax, "offset": state.offset, "again": again.absmax, "code": again.code}


def unpack(packed: dict[str, Tensor], shape: tuple[int, int], quantization: Quantization, dtype: torch.dtype) -> Tensor:
    """The matrix that `pack` packed, rounded as it now is."""
    from bitsandbytes import functional

    scales = packed["scales"]
    if quantization.kind == "int8":
        return (packed["weight"].to(torch.float32) * (scales[:, None] / 127)).to(dtype)
    if quantization.double:
        scales = functional.dequantize_blockwise(
            scales, absmax=packed["again"], code=packed["code"], blocksize=SCALES_BLOCK
        )
        scales = scales + packed["offset"]
    # one long row: bitsandbytes' CPU kernel misplaces scales (0.50) where a row is no multiple of a block
    state_of: Any = functional.QuantState
    row = torch.Size((1, shape[0] * shape[1]))
    state = state_of(scales, shape=row, blocksize=NF4_BLOCK, quant_type="nf4", dtype=dtype)
    matrix: Tensor = functional.dequantize_4bit(packed["weight"], state)
    return matrix.view(shape)
