"""The loss of next-token prediction, for training and for validation."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from wellread.training.batches import IGNORED, FixedWindows, in_order

if TYPE_CHECKING:
    import torch

    from wellread.training.chunked import Shaping

MASKED = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")
"""Architectures known to take a mask of four dimensions as it is, and positions with it."""
PROBES = (1e6, 1.0, -7.0)
"""What stands in for the head's products while a model shapes them into logits, so that the shaping shows."""


def causal_loss(model: Any, batch: dict[str, torch.Tensor], autocast: torch.dtype | None) -> torch.Tensor:
    """The sum over a batch of -ln p(token), in nats, of every token whose label is not ignored: a float32 scalar.

    Labels stand at the places of their own tokens, as transformers has it, and are predicted one place earlier. The
    logits of all tokens never exist together, unless the head is adapted, quantised or no plain linear layer. `model`
    may be wrapped (peft, DistributedDataParallel, FSDP): its own forward runs, and the loss is among its outputs.
    `segments` of a batch, where there are any, say which tokens see which (`tokens.ExampleWindows`).
    """
    import torch

    inner = _causal_model(model)
    if "segments" in batch:
        batch = {name: ids for name, ids in batch.items() if name != "segments"} | {
            "attention_mask": seen(batch["segments"])
        }
    with torch.autocast(batch["labels"].device.type, dtype=autocast, enabled=autocast is not None):
        if _replaceable(inner):
            with _chunked(inner) as understood:
                loss: torch.Tensor = model(**batch, use_cache=False).loss
            if understood:
                return loss
        return _plain_loss(model, batch)


def seen(segments: torch.Tensor) -> torch.Tensor:
    """Which token sees which, [windows, 1, length, length]: those before it of its own segment and of segment 0."""
    own = segments[:, :, None] == segments[:, None, :]
    return (own | (segments == 0)[:, None, :]).tril()[:, None]


def takes_segments(model: Any, length: int) -> bool:
    """Whether a model's attention, over `length` tokens, is all and only what a mask tells it to be."""
    config = _causal_model(model).config
    attention = getattr(config, "_attn_implementation", None) == "sdpa"
    kinds = set(getattr(config, "layer_types", None) or ())
    slides = getattr(config, "sliding_window", None) or length
    plain = kinds == {"full_attention"} or (kinds <= {"full_attention", "sliding_attention"} and slides >= length)
    return attention and plain and config.model_type in MASKED


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


def _plain_loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    from torch.nn.functional import cross_entropy

    inputs = {name: ids for name, ids in batch.items() if name != "labels"}
    logits = model(**inputs, use_cache=False).logits
    return cross_entropy(logits.float().flatten(0, 1), _next(batch["labels"]), ignore_index=IGNORED, reduction="sum")


def _next(labels: torch.Tensor) -> torch.Tensor:
    """What each place predicts, flat; the last of a window predicts nothing."""
    from torch.nn.functional import pad

    # moving the labels rather than the logits saves a copy of the largest tensor there is
    return pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()


def _causal_model(model: Any) -> Any:
    """The transformers model inside whatever is wrapped around it."""
    while hasattr(model, "module"):
        model = model.module
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _replaceable(model: Any) -> bool:
    """Whether the model's forward ends with a plain linear head and a loss function, both of which can be replaced."""
    from torch.nn import Linear

    forward = inspect.unwrap(type(model).forward)
    return type(model.get_output_embeddings()) is Linear and "loss_function" in forward.__code__.co_names


@contextmanager
def _chunked(model: Any) -> Iterator[list[Shaping]]:
    """For one forward pass, have the model compute our loss in place of logits.

    Its head hands on the hidden states unmultiplied and three numbers in place of their products; its own code shapes
    those as it would shape products (softcapping, scaling) and gives them to its loss function, which is ours: it sees
    what shaping there is. The yielded list holds the shaping afterwards; empty: it was of no known kind, and the
    model's loss has no meaning.
    """
    import torch

    from wellread.training.chunked import head_loss

    head = model.get_output_embeddings()
    held: list[torch.Tensor] = []
    understood: list[Shaping] = []

    def keep(hidden: torch.Tensor) -> torch.Tensor:
        held.append(hidden)
        return torch.tensor(PROBES, dtype=torch.float64)[None, None]

    def loss(logits: torch.Tensor, labels: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        shaping = _shaping(logits.flatten().tolist())
        hidden = held.pop()
        if shaping is None:
            return hidden.sum()
        understood.append(shaping)
        return head_loss(hidden.flatten(0, 1), head.weight, head.bias, _next(labels), shaping)

    before = vars(model).get("_loss_function")
    head.forward, model.loss_function = keep, loss
    try:
        yield understood
    finally:
        del head.forward, model._loss_function
        if before is not None:
            model.loss_function = before


def _shaping(shaped: list[float]) -> Shaping | None:
    """The shaping that turned the probes into these; None where it is of no kind known here."""
    from wellread.training.chunked import Shaping

    scale, cap = shaped[0] / PROBES[0], shaped[0]
    scaled, capped = [scale * probe for probe in PROBES], [cap * math.tanh(probe / cap) for probe in PROBES if cap]
    for expected, shaping in ((scaled, Shaping(scale=scale)), (capped, Shaping(cap=cap))):
        if len(shaped) == len(expected) and all(map(partial(math.isclose, rel_tol=1e-5), shaped, expected)):
            return shaping
    return None
