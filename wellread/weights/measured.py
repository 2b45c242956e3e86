"""A MODEL's name in, weights to be measured out: in float32 where that fits into memory, else in 16 bits, and said so.

Measured in 16 bits a number differs in its last digits. Which of the two is taken follows from what is free at the
moment. The GPU's side of the choice was run on one H100 (docs/scale.md).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wellread.types import FEWER_BITS
from wellread.weights.machine import device
from wellread.weights.opening import Opened, find_weights, open_base, saved_weights
from wellread.weights.room import fits
from wellread.weights.saving import adapter_base, is_adapter

if TYPE_CHECKING:
    import torch

FLOATS = frozenset({"F32", "F16", "BF16"})


def open_to_measure(name: str, *, offline: bool = False) -> Opened:
    """What `open_base` opens, in the precision of `measuring_dtype`; a `note` says what is not float32."""
    dtype, note = measuring_dtype(name, offline=offline)
    return replace(open_base(name, offline=offline, dtype=dtype), note=note)


def folded(opened: Opened) -> Opened:
    """An adapter added to its base's weights in place, so that nothing is multiplied twice; peft can take it out again.

    Only where the base is plain and in float32: in fewer bits the sum would be rounded.
    """
    import torch

    if not hasattr(opened.model, "peft_config"):
        return opened
    from peft.tuners.lora import LoraLayer

    layers = [module for module in opened.model.modules() if isinstance(module, LoraLayer)]
    bases = [layer.get_base_layer() for layer in layers]
    if layers and all(type(base) is torch.nn.Linear and base.weight.dtype == torch.float32 for base in bases):
        opened.model.merge_adapter()
    return opened


def measuring_dtype(name: str, *, offline: bool = False) -> tuple[torch.dtype | None, str]:
    """The 16-bit type that a MODEL's weights (for an adapter: its base's) are opened in to be measured, and why.

    None and an empty note for float32: where it fits, and for a GGUF file or packed weights, which open in one way
    only. What a GPU can hold or compute in neither type is measured on the CPU, in float32 if that has room for it.
    """
    import torch

    place = _base(find_weights(name, offline=offline), offline=offline)
    kinds, count = saved_weights(place)
    if not kinds or not kinds <= FLOATS:
        return None, ""
    cpu, here = torch.device("cpu"), device()
    whole_on_cpu = fits(4 * count, cpu)
    if whole_on_cpu and (here.type == "cpu" or fits(4 * count, here)):
        return None, ""
    half = torch.float16 if kinds == {"F16"} and here.type != "cpu" else torch.bfloat16
    if here.type != "cpu" and not (_computes(half, here) and fits(2 * count, here)):
        if whole_on_cpu:
            return None, ""
        half = torch.bfloat16
    saved = ", as they were saved" if kinds == {"F16" if half == torch.float16 else "BF16"} else ""
    name = str(half).removeprefix("torch.")
    return half, f"{FEWER_BITS}{name}{saved}: float32 ({4 * count / 1e9:,.1f} GB) does not fit"


def _base(place: Path, *, offline: bool) -> Path:
    """The folder or file below all adapters."""
    while place.is_dir() and is_adapter(place):
        place = find_weights(adapter_base(place), offline=offline)
    return place


def _computes(half: torch.dtype, on: torch.device) -> bool:
    """Whether a GPU computes in a 16-bit type, rather than emulate it."""
    import torch

    return half == torch.float16 or on.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)
