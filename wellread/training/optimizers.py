"""A recipe's Optimizer in, a torch optimizer out: which kind it is, which parameters decay, and which are Muon's."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from wellread.errors import MissingPackage, RecipeError
from wellread.recipe import Optimizer

if TYPE_CHECKING:
    import torch

EMBEDDING_RATE = 2.5
"""Beside Muon: a token's embedding is trained by the few steps that see it."""
VECTOR_RATE = 0.5
"""Beside Muon: norms and biases."""


def make_optimizer(model: Any, settings: Optimizer) -> torch.optim.Optimizer:
    """AdamW for every parameter that trains, with its state in 32 or 8 bits, or Muon for the hidden matrices and AdamW
    for the rest. `settings` are settled: learning rate and weight decay are numbers.

    Weight decay is for the hidden matrices; embeddings, output, norms and biases have none. Beside Muon, AdamW's rate
    is the output matrix's, and embeddings and vectors have their own multiples of it. Raises RecipeError for 8-bit state
    without CUDA, MissingPackage without bitsandbytes.
    """
    import torch

    from wellread.training.muon import Muon

    kind_of_state = kind_of(model, settings)
    if settings.learning_rate is None or settings.weight_decay is None:
        raise ValueError("the optimizer's settings are not settled: see recipe.settle")
    embedding, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    kinds: dict[str, list[Any]] = {"hidden": [], "embedding": [], "output": [], "vectors": []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            end = "embedding" if parameter is embedding else "output" if parameter is output else "hidden"
            kinds["vectors" if parameter.dim() < 2 else end].append(parameter)
    muon = kind_of_state == "muon"
    multiples = {"embedding": EMBEDDING_RATE, "vectors": VECTOR_RATE} if muon else {}
    groups: list[dict[str, Any]] = [
        {"params": parameters, "lr": settings.learning_rate * multiples.get(kind, 1.0), "weight_decay": 0.0}
        for kind, parameters in kinds.items()
    ]
    groups[0]["weight_decay"] = settings.weight_decay
    if muon:
        groups[0].update(muon=True, lr=settings.muon_learning_rate)
    groups = [group for group in groups if group["params"]]
    if muon:
        return Muon(groups)
    if kind_of_state == "paged_adamw_8bit":
        return _paged(groups)
    fused = embedding.device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=fused)


def kind_of(model: Any, settings: Optimizer) -> str:
    """What `auto` means for a model on its device: 8-bit paged state below a quantised base on CUDA, else AdamW."""
    if settings.kind != "auto":
        return settings.kind
    packed = any(not weight.is_floating_point() for weight in model.parameters())
    return "paged_adamw_8bit" if packed and model.device.type == "cuda" else "adamw"


def _paged(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """bitsandbytes' AdamW (Dettmers et al. 2021, 2110.02861), which moves its state to the CPU when the GPU is full."""
    device = groups[0]["params"][0].device.type
    if device != "cuda":
        raise RecipeError(
            f"optimizer.kind paged_adamw_8bit needs CUDA, and this machine trains on {device}: take adamw."
        )
    if find_spec("bitsandbytes") is None:
        raise MissingPackage("optimizer.kind paged_adamw_8bit: run: pip install bitsandbytes")
    from bitsandbytes.optim import PagedAdamW8bit

    paged: torch.optim.Optimizer = PagedAdamW8bit(groups, betas=(0.9, 0.95))
    return paged
