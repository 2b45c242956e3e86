"""Logits in, the next token out: every sampling setting, one uniform number per row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wellread.types import Sampling

if TYPE_CHECKING:
    from torch import Tensor

_NUCLEUS = 1024
_COLD = 1e-6
"""A temperature below which the likeliest token is drawn: logits divided by less overflow."""


def draw(logits: Tensor, seen: Tensor, sampling: Sampling, uniforms: Tensor) -> Tensor:
    """The next id of each row, from `logits` (rows, vocabulary), by inversion of the filtered distribution.

    `seen` (rows, vocabulary) marks the tokens already there, `uniforms` (rows) are drawn from [0, 1). The order is
    that of transformers: repetition penalty (Keskar et al. 2019), temperature, top-k, top-p, min-p. A row's token
    depends on its own numbers alone.
    """
    import torch

    logits = logits.float()
    if sampling.repetition_penalty != 1:
        penalty = sampling.repetition_penalty
        logits = torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)
    if sampling.temperature < _COLD:
        return logits.argmax(-1)
    ids, probabilities = likeliest(logits / sampling.temperature, sampling)
    keep = torch.ones_like(probabilities, dtype=torch.bool)
    if sampling.top_p < 1:
        keep &= probabilities.cumsum(-1) - probabilities < sampling.top_p
        keep[:, :1] = True  # top_p=0 leaves the likeliest
    keep &= probabilities >= sampling.min_p * probabilities[:, :1]
    cumulative = (probabilities * keep).cumsum(-1)
    total = cumulative[:, -1:]
    place = torch.searchsorted(cumulative, uniforms.to(total)[:, None] * total, right=True)
    last = keep.sum(-1, keepdim=True) - 1  # kept tokens come first
    return ids.gather(-1, torch.minimum(place, last)).squeeze(-1)


def likeliest(logits: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """Ids and probabilities of what top-k leaves, likeliest first; a nucleus of few tokens spares the whole sort."""
    import torch

    vocabulary = logits.shape[-1]
    if sampling.top_k:
        values, ids = logits.topk(min(sampling.top_k, vocabulary), dim=-1)
        return ids, values.double().softmax(-1)
    if sampling.top_p < 1 and vocabulary > _NUCLEUS:
        values, ids = logits.topk(_NUCLEUS, dim=-1)
        probabilities = (values.double() - logits.double().logsumexp(-1, keepdim=True)).exp()
        if bool((probabilities.sum(-1) >= sampling.top_p).all()):
            return ids, probabilities
    values, ids = torch.sort(logits, dim=-1, descending=True, stable=True)
    return ids, values.double().softmax(-1)
