"""What this machine computes on, and in which arithmetic it computes faster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Precision:
    """The arithmetic of the matrix products; weights, gradients and optimizer stay float32."""

    autocast: torch.dtype | None
    """What torch.autocast computes in; None for float32 throughout."""
    reason: str
    """One sentence for the report and environment.json."""

    @property
    def name(self) -> str:
        return "float32" if self.autocast is None else str(self.autocast).removeprefix("torch.")


def device() -> torch.device:
    """CUDA, else Apple's GPU, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def precision(setting: Literal["auto", "float32", "bfloat16"], on: torch.device | None = None) -> Precision:
    """The arithmetic that `setting` means on this machine. float16 is never chosen: it overflows while training.

    A CPU without matrix units for bfloat16 emulates it, about 50 times slower than float32, so `auto` takes it there
    only with AMX. The choice depends on the hardware, never on a measurement, so that a resumed run makes it again.
    """
    import torch

    kind = (on or device()).type
    if setting == "float32":
        return Precision(None, "float32, as the recipe asks.")
    if setting == "bfloat16":
        return Precision(torch.bfloat16, f"bfloat16 products on {kind.upper()}, as the recipe asks.")
    if kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision(torch.bfloat16, "bfloat16 products: this GPU computes them faster than float32.")
    if kind == "cpu" and _amx():
        return Precision(torch.bfloat16, "bfloat16 products: this CPU has AMX, where they are faster than float32.")
    lacks = {"cuda": "this GPU has no bfloat16", "mps": "Apple's GPU gains little from bfloat16"}
    return Precision(None, f"float32: {lacks.get(kind, 'this CPU would emulate bfloat16 slowly')}.")


def _amx() -> bool:
    """Whether torch can use bfloat16 matrix units of this CPU; no where it is too old to say."""
    import torch

    ask = getattr(torch.cpu, "get_capabilities", None)
    return bool(ask and ask().get("amx_bf16"))
