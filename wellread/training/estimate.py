"""What a stage would cost on this machine, foreseen from a few real steps on weights that are thrown away."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wellread import weights
from wellread.recipe import Scratch, Stage
from wellread.training.batches import Batches, FixedWindows, Windows
from wellread.training.budget import planned_steps
from wellread.training.checkpoints import KEPT

if TYPE_CHECKING:
    import torch

PATIENCE = 4.0
"""Seconds that one timed step may take; a longer one is timed with fewer windows."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    steps: int
    tokens: int
    """Tokens that training reads, all epochs together."""
    tokens_per_second: float
    seconds: float
    """Training with its validation."""
    memory_bytes: int
    """At the peak: of this process, or of the GPU where there is one."""
    disk_bytes: int
    """At the peak: the finished checkpoint, the checkpoints of an unfinished run and the one that is being written."""


def foresee(model: Any, windows: Windows, stage: Stage, *, validation: FixedWindows | None = None) -> Foreseen:
    """Time two optimizer steps, count what they keep in memory, and multiply.

    Memory is what the process (on a GPU: the model) takes now, plus gradients, optimizer state and the copies that
    `keep` holds (their exact sizes), plus what backward keeps (every tensor that autograd saves is counted, for one
    window and for two, and extended to the batch) and one more tensor of logits, its gradient. `model` trains a few
    steps: throw it away.
    """
    from wellread.training.dropout import dropout
    from wellread.training.optimizers import make_optimizer

    model.to(weights.device()).train()
    settings = stage.optimizer
    batches = Batches(windows, settings.batch)
    batch = next(iter(batches))
    autocast = weights.precision(stage.precision, model.device).autocast
    share = stage.method.dropout if isinstance(stage.method, Scratch) else 0.0
    resident = _resident(model)
    with dropout(model, share):
        activations = _saved_bytes(model, batch, autocast)
        optimizer = make_optimizer(model, settings)
        step_seconds = _step_seconds(model, optimizer, batch, autocast)
    trained = sum(weight.numel() * 4 for weight in model.parameters() if weight.requires_grad)
    state = _state_bytes(optimizer)
    copies = trained * {"last": 0, "average": 2, "best": 3}[stage.keep]
    length = batch["labels"].shape[1]
    logits = settings.batch * length * model.get_output_embeddings().weight.shape[0] * 4
    memory = resident + trained + state + copies + activations + logits
    steps, seconds = _duration(stage, windows, validation, step_seconds)
    whole = trained if stage.method.kind != "scratch" else sum(weight.numel() * 4 for weight in model.parameters())
    # a checkpoint never holds the third copy of `best`: that exists only while the last weights are compared
    kept = trained * {"last": 0, "average": 1, "best": 2}[stage.keep]
    disk = whole + (KEPT + 1) * (trained + state + kept)
    tokens = steps * settings.batch * length
    return Foreseen(steps, tokens, settings.batch * length / step_seconds, seconds, int(memory), int(disk))


def _duration(stage: Stage, windows: Windows, validation: FixedWindows | None, step: float) -> tuple[int, float]:
    """Steps and seconds of a budget. A forward pass is taken for a third of a step."""
    passes = stage.evaluations + (1 if stage.keep == "last" else 2)
    validating = passes * (0 if validation is None else len(validation)) / stage.optimizer.batch * step / 3
    steps = planned_steps(stage.budget, len(windows), stage.optimizer.batch)
    if steps is not None:
        return steps, steps * step + validating
    seconds = (stage.budget.minutes or 0.0) * 60
    return max(1, int((seconds - validating) / step)), seconds


def _step_seconds(
    model: Any, optimizer: torch.optim.Optimizer, batch: dict[str, torch.Tensor], autocast: torch.dtype | None
) -> float:
    """Seconds of an optimizer step: timed on the whole batch, or where that is slow on one window and multiplied."""
    one = {name: ids[:1] for name, ids in batch.items()}
    _backward(model, one, autocast)
    single = _timed(model, lambda: _backward(model, one, autocast))
    windows = len(batch["labels"])
    update = _timed(model, optimizer.step)
    if single * windows > PATIENCE:
        return single * windows + update
    return min(_timed(model, lambda: _backward(model, batch, autocast)) for _ in range(2)) + update


def _timed(model: Any, work: Any) -> float:
    import torch

    began = time.perf_counter()
    work()
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _backward(model: Any, batch: dict[str, torch.Tensor], autocast: torch.dtype | None) -> None:
    import torch

    from wellread.training.loss import causal_loss

    model.zero_grad()
    here = {name: ids.to(model.device) for name, ids in batch.items()}
    loss = causal_loss(model, here, autocast) / here["labels"].numel()
    torch.autograd.backward(loss)


def _saved_bytes(model: Any, batch: dict[str, torch.Tensor], autocast: torch.dtype | None) -> float:
    """Bytes that autograd keeps for the backward pass of the whole batch."""
    first, second = (_saved_for(model, {n: ids[:1].repeat(k, 1) for n, ids in batch.items()}, autocast) for k in (1, 2))
    return first + (second - first) * (len(batch["labels"]) - 1)


def _saved_for(model: Any, batch: dict[str, torch.Tensor], autocast: torch.dtype | None) -> int:
    import torch

    from wellread.training.loss import causal_loss

    storages = {}
    owned = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss = causal_loss(model, {name: ids.to(model.device) for name, ids in batch.items()}, autocast)
    del loss
    return sum(storages.values())


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    entries = (value for state in optimizer.state.values() for value in state.values())
    return sum(value.numel() * value.element_size() for value in entries if hasattr(value, "element_size"))


def _resident(model: Any) -> int:
    """Bytes of the process before a first step; on a GPU those of the model."""
    from wellread.training.session import memory_bytes

    return memory_bytes(model.device)
