"""The loss of next-token prediction, for training and for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wellread.training.batches import IGNORED, FixedWindows, in_order

if TYPE_CHECKING:
    import torch


def causal_loss(model: Any, batch: dict[str, torch.Tensor], autocast: torch.dtype | None) -> torch.Tensor:
    """The sum over a batch of -ln p(token), in nats, of every token whose label is not ignored: a float32 scalar.

    Labels stand at the places of their own tokens, as transformers has it, and are predicted one place earlier.
    """
    import torch
    from torch.nn.functional import cross_entropy

    inputs = {name: ids for name, ids in batch.items() if name != "labels"}
    labels = batch["labels"]
    with torch.autocast(labels.device.type, dtype=autocast, enabled=autocast is not None):
        logits = model(**inputs, use_cache=False).logits
    # moving the labels rather than the logits saves a copy of the largest tensor there is
    targets = torch.cat([labels[:, 1:], labels.new_full((len(labels), 1), IGNORED)], dim=1)
    return cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")


def validation_loss(model: Any, windows: FixedWindows, size: int, autocast: torch.dtype | None) -> tuple[float, int]:
    """The mean loss in nats per token over all windows, `size` at a time, and the number of tokens predicted."""
    import torch

    training = model.training
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in in_order(windows, size):
            here = {name: ids.to(model.device) for name, ids in batch.items()}
            total += float(causal_loss(model, here, autocast))
            count += int(batch["labels"].ne(IGNORED).sum())
    model.train(training)
    return total / max(1, count), count
