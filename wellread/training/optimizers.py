"""A recipe's Optimizer in, a torch optimizer out: which parameters decay, and which are Muon's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wellread.recipe import Optimizer

if TYPE_CHECKING:
    import torch

EMBEDDING_RATE = 2.5
"""Beside Muon: a token's embedding is trained by the few steps that see it."""
VECTOR_RATE = 0.5
"""Beside Muon: norms and biases."""


def make_optimizer(model: Any, settings: Optimizer) -> torch.optim.Optimizer:
    """AdamW for every parameter that trains, or Muon for the hidden matrices and AdamW for the rest.

    Weight decay is for the hidden matrices; embeddings, output, norms and biases have none. Beside Muon, AdamW's rate
    is the output matrix's, and embeddings and vectors have their own multiples of it.
    """
    import torch

    from wellread.training.muon import Muon

    embedding, output = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    kinds: dict[str, list[Any]] = {"hidden": [], "embedding": [], "output": [], "vectors": []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            end = "embedding" if parameter is embedding else "output" if parameter is output else "hidden"
            kinds["vectors" if parameter.dim() < 2 else end].append(parameter)
    muon = settings.kind == "muon"
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
    fused = embedding.device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=fused)
