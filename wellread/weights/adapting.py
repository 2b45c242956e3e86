"""A model in, the same model with a low-rank difference out: a new one, or one that an earlier stage left; and merged.

Hu et al. 2021 (2106.09685); on every linear layer but the output as in "LoRA Without Regret" (Schulman et al. 2025).
"""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import Any

from wellread.errors import ModelError, RecipeError
from wellread.recipe import LowRank
from wellread.weights.quantising import MARK, linears, release
from wellread.weights.saving import quiet

BITS_PER_BYTE = 1.0
"""What a good base leaves to learn of a byte of prose."""
BITS_PER_PARAMETER = 2.0
"""What an adapter's parameter holds (Allen-Zhu and Li 2024, 2404.05405)."""
RANKS = (8, 128)


def adapt(model: Any, method: LowRank, *, seed: int, text_bytes: int = 0) -> Any:
    """The model wrapped by peft with a new low-rank difference; only that (and `bias`) trains.

    Begins as no difference at all, the same for the same seed. Raises RecipeError for modules that the model does not
    have, ModelError where it has no linear layers to adapt.
    """
    import torch

    with quiet():
        from peft import LoraConfig, get_peft_model
    config = LoraConfig(
        r=fitting_rank(model, method, text_bytes),
        lora_alpha=method.alpha,
        use_rslora=method.rslora,
        lora_dropout=method.dropout,
        target_modules=_chosen(model, method),
        bias=method.bias,
        task_type="CAUSAL_LM",
    )
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def fitting_rank(model: Any, method: LowRank, text_bytes: int) -> int:
    """The rank that the recipe gives, or the power of two from 8 to 128 at which the adapter has room for the text."""
    if method.rank != "auto":
        return method.rank
    chosen = _chosen(model, method)
    shapes = [_shape(module) for name, module in linears(model) if name.rpartition(".")[2] in chosen]
    parameters_per_rank = sum(inputs + outputs for inputs, outputs in shapes)
    wanted = text_bytes * BITS_PER_BYTE / BITS_PER_PARAMETER / parameters_per_rank
    low, high = RANKS
    return min(high, max(low, int(2 ** math.ceil(math.log2(max(wanted, 1))))))


def go_on(model: Any, folder: Path, method: LowRank) -> Any:
    """The base wrapped with the adapter of a folder, which goes on training: the same tensors, with `method.dropout`.

    Raises RecipeError where the recipe asks for another rank, alpha, scaling, bias or other modules than it has.
    """
    with quiet():
        from peft import PeftConfig, PeftModel

        config = PeftConfig.from_pretrained(str(folder))
    if config.peft_type != "LORA":
        raise ModelError(f"{folder}: an adapter of another kind ({config.peft_type.value}); set `adapter: merge`.")
    _must_fit(folder, config, method)
    config.lora_dropout = method.dropout
    config.inference_mode = False
    with quiet():
        return PeftModel.from_pretrained(model, str(folder), config=config, is_trainable=True, local_files_only=True)


def merge(model: Any) -> Any:
    """A plain transformers model in float32 with the difference added to its weights; uses up the model it is given.

    For a base that was held in 4 or 8 bits these are the weights that the adapter was trained against, so the merged
    model says what base plus adapter said. A model without an adapter comes back in float32.
    """
    import torch

    adapted = hasattr(model, "merge_and_unload")
    base = model.get_base_model() if adapted else model
    release(base)
    model.to(torch.float32)
    if adapted:
        with quiet():
            base = model.merge_and_unload()
        # marks that would have the merged weights saved as an adapter
        base.__dict__.pop("peft_config", None)
        base._hf_peft_config_loaded = False
    base.__dict__.pop(MARK, None)
    return base.eval()


def _chosen(model: Any, method: LowRank) -> list[str]:
    """Last names of the layers to adapt."""
    known = sorted({name.rpartition(".")[2] for name, _ in linears(model)})
    if not known:
        raise ModelError("LoRA cannot adapt this model: it has no linear layers but its output.")
    for name in method.modules:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            raise RecipeError(f"modules: this model has no linear layer {name!r}; {hint}")
    return list(method.modules) or known


def _shape(linear: Any) -> tuple[int, int]:
    if hasattr(linear, "in_features"):
        return int(linear.in_features), int(linear.out_features)
    inputs, outputs = linear.weight.shape
    return int(inputs), int(outputs)


def _must_fit(folder: Path, config: Any, method: LowRank) -> None:
    has = {"alpha": config.lora_alpha, "rslora": config.use_rslora, "bias": config.bias}
    asked: dict[str, Any] = {"alpha": method.alpha, "rslora": method.rslora, "bias": method.bias}
    if method.rank != "auto":
        has["rank"], asked["rank"] = config.r, method.rank
    if method.modules:
        targets = [config.target_modules] if isinstance(config.target_modules, str) else config.target_modules
        has["modules"] = sorted({name.rpartition(".")[2] for name in targets})
        asked["modules"] = sorted(set(method.modules))
    for name, value in asked.items():
        if value != has[name]:
            raise RecipeError(
                f"{folder}: this adapter has {name} {_spelt(has[name])}, the recipe asks for {_spelt(value)}; "
                "ask for the same, or set `adapter: merge` to begin a new one."
            )


def _spelt(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value).lower()
