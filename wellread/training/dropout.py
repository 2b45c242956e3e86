"""Dropout for models whose architecture has none: it acts while training and leaves no trace in what is saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

BRANCHES = ("o_proj", "down_proj")
"""The last matrices of a decoder layer's two branches, attention and feed-forward."""


@contextmanager
def dropout(model: Any, share: float, generator: torch.Generator | None = None) -> Iterator[None]:
    """For a while, zero `share` of the embeddings and of what every branch adds to the residual stream, while training.

    Where Vaswani et al. 2017 (1706.03762, 5.4) and GPT-2 put it. Llama's configuration knows attention dropout only.
    With a `generator` of its own, what a model drops does not depend on what another computes beside it.
    """
    import torch

    def hook(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        if not module.training:
            return output
        kept = torch.empty_like(output, requires_grad=False).bernoulli_(1 - share, generator=generator)
        return output * kept.div_(1 - share)

    places = [module for name, module in model.named_modules() if name.rpartition(".")[2] in BRANCHES]
    handles = [place.register_forward_hook(hook) for place in (model.get_input_embeddings(), *places)] if share else []
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
