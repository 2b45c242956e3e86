"""What rounding a base to 4 or 8 bits costs, with and without the adapter that was trained on the rounded one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellread.errors import ModelError
from wellread.weights.measured import measuring_dtype
from wellread.weights.opening import open_plain
from wellread.weights.quantising import Quantization, requantise
from wellread.weights.saving import adapter_base, adapter_quantization, is_adapter, quiet


@dataclass(frozen=True, slots=True)
class QuantizationGap:
    """One loss measured on four models, in the unit of the loss."""

    quantization: Quantization
    base: float
    """The base as it is."""
    rounded: float
    """The base that training saw: what rounding alone costs is `rounded - base`, also where it was rounded before."""
    adapter_on_base: float
    """The adapter on weights that it never saw: what those get who forget the rounding."""
    adapter_on_rounded: float
    """The adapter where it belongs: what this checkpoint opens, merges and exports as."""
    note: str = ""
    """Where not all of it was computed in float32."""

    def __str__(self) -> str:
        return (
            f"{self.quantization}: base {self.base:.4f}, rounded {self.rounded:.4f} ({self.rounded - self.base:+.4f}); "
            f"with the adapter {self.adapter_on_rounded:.4f}, on the base as it is {self.adapter_on_base:.4f} "
            f"({self.adapter_on_base - self.adapter_on_rounded:+.4f}){f'; {self.note}' if self.note else ''}."
        )


def quantisation_gap(checkpoint: Path, loss: Callable[[Any], float], *, offline: bool = False) -> QuantizationGap:
    """Measure `loss` (a model on the CPU, in evaluation mode, to a number) around a qlora checkpoint.

    The base is opened twice and never held twice, in float32 where that fits. Raises ModelError where the checkpoint's
    base was not rounded.
    """
    quantization = adapter_quantization(checkpoint) if is_adapter(checkpoint) else None
    if quantization is None:
        raise ModelError(
            f"{checkpoint}: no adapter that was trained on a quantised base, so there is no gap to measure."
        )

    def with_adapter(model: Any) -> Any:
        with quiet():
            from peft import PeftModel

            return PeftModel.from_pretrained(model, str(checkpoint), local_files_only=True).eval()

    name = adapter_base(checkpoint)
    dtype, note = measuring_dtype(name, offline=offline)
    model = open_plain(name, offline=offline, dtype=dtype).model
    base = loss(model)
    adapter_on_base = loss(with_adapter(model))
    del model
    model = open_plain(name, offline=offline, dtype=dtype).model
    requantise(model, quantization)
    rounded = loss(model)
    return QuantizationGap(quantization, base, rounded, adapter_on_base, loss(with_adapter(model)), note)
