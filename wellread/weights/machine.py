"""What this machine computes on, in which arithmetic it computes faster, and what it has room for.

CUDA and Apple's GPU are chosen where they are there; the second has not been run by us.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from wellread.errors import MissingPackage, ModelError, RecipeError, first_line
from wellread.weights.room import free_memory
from wellread.weights.saving import quiet

if TYPE_CHECKING:
    import torch

    from wellread.recipe import Stage

ROOM = 0.8
"""The share of free memory that training may take before activations are computed twice: the rest is for what an
estimate does not see."""
UNITS = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}
"""What a CPU may have for bfloat16, as torch calls it and as its makers do. With the second (AMD since Zen 4) products of the
embedded base's shapes are 1.4 to 3.2 times as fast as in float32, and its steps 1.45 to 1.7 times (docs/lab-log.md)."""
ADAM_BYTES = 12
"""Gradient and AdamW state of a float32 weight that trains."""


@dataclass(frozen=True, slots=True)
class Precision:
    """The arithmetic of the matrix products; what trains, its gradients and optimizer stay float32."""

    autocast: torch.dtype | None
    """What torch.autocast computes in; None for float32 throughout."""
    reason: str
    """One sentence for the report and environment.json."""


def device() -> torch.device:
    """CUDA, else Apple's GPU, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def precision(setting: Literal["auto", "float32", "bfloat16"], on: torch.device | None = None) -> Precision:
    """The arithmetic that `setting` means on this machine. float16 is never chosen: it overflows while training.

    A CPU without instructions for bfloat16 emulates it, about 50 times slower than float32; with one of `UNITS` it is
    faster. The choice depends on the hardware, never on a measurement, so that a resumed run makes it again.
    """
    import torch

    kind = (on or device()).type
    if setting == "float32":
        return Precision(None, "float32, as the recipe asks.")
    if setting == "bfloat16":
        return Precision(torch.bfloat16, f"bfloat16 products on {kind.upper()}, as the recipe asks.")
    if kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return Precision(torch.bfloat16, "bfloat16 products: this GPU computes them faster than float32.")
    if kind == "cpu" and (units := _units()):
        return Precision(
            torch.bfloat16, f"bfloat16 products: this CPU has {units}, where they are faster than float32."
        )
    lacks = {"cuda": "this GPU has no bfloat16", "mps": "Apple's GPU gains little from bfloat16"}
    return Precision(None, f"float32: {lacks.get(kind, 'this CPU would emulate bfloat16 slowly')}.")


def frozen_dtype(stage: Stage, on: torch.device | None = None) -> torch.dtype:
    """What the frozen weights below an adapter are kept in: bfloat16 on a CUDA GPU that computes in it, else float32.

    The matrices are the same numbers to the products either way, since autocast rounds them to bfloat16 first; embeddings,
    norms and with them what layers add up are rounded too. A weights file in float32 and without a GPU keeps all its bits.
    """
    import torch

    on = on or device()
    found = precision(stage.precision, on).autocast
    return found if found is not None and on.type == "cuda" else torch.float32


def fit_to_machine(model: Any, stage: Stage, on: torch.device | None = None) -> list[str]:
    """Give a model that is about to train the stage's attention kernel, and checkpointed layers where they are needed.

    Returns what a person should know, in sentences. Raises RecipeError, ModelError or MissingPackage for a kernel that
    cannot be had here.
    """
    on = on or device()
    set_attention(model, stage.attention, on, half=precision(stage.precision, on).autocast is not None)
    windows = min(stage.optimizer.micro_batch or stage.optimizer.batch, stage.optimizer.batch)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    needed = activation_bytes(model.config, windows, stage.windows.length) + ADAM_BYTES * trained
    if on.type != "cpu":
        needed += sum(weight.numel() * weight.element_size() for weight in model.parameters())
    if not computes_twice(stage.gradient_checkpointing, needed=needed, free=free_memory(on)):
        return []
    checkpoint_layers(model)
    model.config.use_cache = False
    if stage.gradient_checkpointing == "on":
        return []
    return [f"layers are computed twice (gradient checkpointing): training would take {needed / 1e9:.1f} GB otherwise."]


def checkpoint_layers(model: Any) -> None:
    """Have every layer computed again in the backward pass, rather than kept for it (gradient checkpointing)."""
    how = {"use_reentrant": False}
    with quiet():
        if hasattr(model, "activation_checkpointing_enable"):  # the name that transformers gave it within version 5
            model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
        else:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)


def computes_twice(setting: Literal["auto", "on", "off"], *, needed: float, free: float) -> bool:
    """Whether to checkpoint layers: as set; for `auto`, where `needed` bytes leave too little of those that are free."""
    return setting == "on" or (setting == "auto" and needed > ROOM * free)


def activation_bytes(config: Any, windows: int, length: int) -> int:
    """Bytes that the layers of a decoder keep for the backward pass of a batch, roughly; logits are not counted.

    Counted in float32 for a gated feed-forward layer and fused attention: see the test for how close it comes.
    """
    text = config.get_text_config()
    hidden = text.hidden_size
    inner = getattr(text, "intermediate_size", None) or 4 * hidden
    per_token = 4 * text.num_hidden_layers * (10 * hidden + 5 * inner)
    if text._attn_implementation == "eager":
        per_token += 4 * text.num_hidden_layers * text.num_attention_heads * length
    return int(windows * length * per_token)


def set_attention(model: Any, setting: str, on: torch.device, *, half: bool) -> None:
    """Choose the attention kernel of a model. `auto`: flash_attention_2 on CUDA in bfloat16 where package and model
    have it, else what transformers chose on opening, which is sdpa wherever the model has that."""
    flash = "flash_attention_2"
    installed = find_spec("flash_attn") is not None
    if setting == "auto":
        if not (on.type == "cuda" and half and installed and getattr(model, "_supports_flash_attn", False)):
            return
        setting = flash
    elif setting == flash:
        if on.type != "cuda":
            raise RecipeError(
                f"attention {flash} needs an NVIDIA GPU, and training is on {on.type.upper()}; take auto."
            )
        if not installed:
            raise MissingPackage(f"attention {flash} needs a package; run: pip install flash-attn --no-build-isolation")
    try:
        with quiet():
            model.set_attn_implementation(setting)
    except (ValueError, ImportError) as error:
        raise ModelError(f"attention {setting}: this model cannot ({first_line(error)}); take auto.") from error
    if model.config._attn_implementation != setting:
        raise ModelError(
            f"attention {setting}: this model computes {model.config._attn_implementation} only; take auto."
        )


def _units() -> str:
    """What this CPU computes bfloat16 products with; empty where it has nothing for them, or torch is too old to say."""
    import torch

    ask = getattr(torch.cpu, "get_capabilities", None)
    has = ask() if ask else {}
    return next((name for key, name in UNITS.items() if has.get(key)), "")
