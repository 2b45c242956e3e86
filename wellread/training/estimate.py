"""What a stage would cost on this machine, foreseen from a few real steps on weights that are thrown away."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread import weights
from wellread.recipe import Scratch, Stage
from wellread.training.batches import Batches, FixedWindows, Windows, most_rows
from wellread.training.budget import planned_steps
from wellread.training.checkpoints import KEPT
from wellread.training.foreseen import COPIES, Foreseen, Memory, peak

if TYPE_CHECKING:
    import torch

    from wellread.training.twins import Twins

PATIENCE = 6.0
"""Seconds that one timed micro-batch may take; of a slower one, fewer windows are computed, and multiplied."""
WATCHED = 60.0
"""Seconds that the micro-batch may take whose memory is watched; it is taken once, and whole wherever it can be."""
CONTEXT = 700 * 2**20
"""Bytes that a process takes of a GPU before it holds a tensor: CUDA's context, cuBLAS's workspace. From memory of
other programs; not measured by us."""


class Blank:
    """A window of one token over and over: as costly as any other of its length."""

    def __init__(self, length: int, token: int = 0) -> None:
        self._ids = [token] * length

    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: int) -> dict[str, list[int]]:
        return {"input_ids": self._ids, "labels": list(self._ids)}

    def set_epoch(self, epoch: int) -> None: ...


def foresee(
    model: Any, windows: Windows, stage: Stage, *, validation: FixedWindows | None = None,
    epoch: float | None = None, opening: int = 0,
) -> Foreseen:  # fmt: skip
    """Take two optimizer steps, watch what is alive in memory while the second is taken, time it, and multiply.

    `epoch` is how many windows make an epoch, where they are more than `windows` holds (replay, a library not yet
    drawn); `opening` the most memory the process held while the model was opened, where that is known. `model` trains a
    few steps: throw it away.
    """
    from wellread.training.optimizers import make_optimizer
    from wellread.training.twins import dressed

    import_module("wellread.training.trainer")  # what training loads counts as the process's own
    model.to(weights.device()).train()
    settings = stage.optimizer
    batches = Batches(windows, settings.batch, micro=settings.micro_batch, goldfish=stage.goldfish)
    batch = next(iter(batches))
    autocast = weights.precision(stage.precision, model.device).autocast
    share = stage.method.dropout if isinstance(stage.method, Scratch) else 0.0
    rows = most_rows(batches.micro, stage.windows.length, scratch=isinstance(stage.method, Scratch))
    process = process_bytes(model)
    optimizer = make_optimizer(model, settings)
    with dressed(model, share, rows=rows) as twins:
        step = _Step(model, optimizer, batch, batches.parts, autocast, twins)
        parts, step_seconds = step.watched(), step.seconds()
    trained = sum(weight.numel() * 4 for weight in model.parameters() if weight.requires_grad)
    resting = {"process": process, "weights": held_bytes(model), "optimizer": _state_bytes(optimizer)}
    stepping, comparing = COPIES[stage.keep]
    memory = peak(
        Memory(**resting, **parts, copies=stepping * trained),
        Memory(**resting, copies=comparing * trained),
        Memory(process, resting["weights"], opening=max(0, opening - process - resting["weights"])),
    )
    length = stage.windows.length
    rate = settings.batch * length / step_seconds
    steps, seconds = duration(stage, len(windows) if epoch is None else epoch, validation, rate)
    disk, kept = disk_bytes(model, stage, resting["optimizer"])
    tokens = None if steps is None else steps * settings.batch * length
    return Foreseen(steps, tokens, rate, seconds, memory, disk, kept)


def duration(
    stage: Stage, epoch: float, validation: FixedWindows | None, rate: float | None
) -> tuple[int | None, float | None]:
    """Steps and seconds of a budget at `rate` tokens a second; None for what an unknown rate leaves open.

    A forward pass is taken for a third of a step.
    """
    batch, length = stage.optimizer.batch, stage.windows.length
    steps = planned_steps(stage.budget, math.ceil(epoch), batch, length)
    passes = stage.evaluations + (1 if stage.keep == "last" else 2)
    windows = 0 if validation is None else len(validation)
    minutes = None if stage.budget.minutes is None else stage.budget.minutes * 60
    if rate is None:
        return steps, minutes
    validating = passes * windows * length / rate / 3
    step = batch * length / rate
    if steps is not None:
        return steps, steps * step + validating
    return max(1, int(((minutes or 0.0) - validating) / step)), minutes


def disk_bytes(model: Any, stage: Stage, state: int) -> tuple[int, int]:
    """Bytes of a stage on disk: at the peak, and when it is done."""
    trained = sum(weight.numel() * 4 for weight in model.parameters() if weight.requires_grad)
    # a checkpoint never holds the third copy of `best`: that exists only while the last weights are compared
    kept = trained * {"last": 0, "average": 1, "best": 2}[stage.keep]
    return trained + (KEPT + 1) * (trained + state + kept), trained


def held_bytes(model: Any) -> int:
    """Bytes of a model's parameters and buffers, storage by storage: what is tied or shared counts once."""
    tensors = [*model.parameters(), *model.buffers()]
    storages = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def process_bytes(model: Any) -> int:
    """What this process takes beside the model; on a GPU, what a process takes there before it holds a tensor."""
    if model.device.type == "cuda":
        return CONTEXT
    import psutil

    for weight in model.parameters():
        weight.detach().reshape(-1)[:: 4096 // weight.element_size()].sum()  # pages of a mapped file count once read
    return max(0, int(psutil.Process().memory_info().rss) - held_bytes(model))


def most_memory() -> int:
    """The most memory that this process has held so far, in bytes; on Linux that of this program alone, where `ru_maxrss` is also
    that of whoever started it."""
    status = Path("/proc/self/status")
    held = status.read_text(encoding="utf-8").partition("VmHWM:")[2].split() if status.is_file() else []
    if held:
        return int(held[0]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _Step:
    """An optimizer step of some micro-batches: what it holds, and how long it takes."""

    def __init__(
        self, model: Any, optimizer: torch.optim.Optimizer, batch: dict[str, torch.Tensor], parts: int,
        autocast: torch.dtype | None, twins: Twins | None,
    ) -> None:  # fmt: skip
        self._model, self._optimizer, self._autocast, self._twins = model, optimizer, autocast, twins
        self._batch, self._parts = batch, parts
        self._windows = len(batch["labels"])
        # once for what is made only once: the optimizer's state, buffers of kernels
        self._backward(1)
        self._optimizer.step()
        one = self._timed(lambda: self._backward(1))
        self._most, self._watchable = (
            min(self._windows, max(least, int(patience / one))) for least, patience in ((1, PATIENCE), (2, WATCHED))
        )

    def watched(self) -> dict[str, int]:
        """Bytes at the peak by part, beside weights and optimizer state."""
        last = self._watch(self._watchable)
        more = self._windows - self._watchable
        if not more:
            return last
        before = self._watch(self._watchable - 1)
        return {part: max(0, last[part] + (last[part] - before[part]) * more) for part in last}

    def seconds(self) -> float:
        """Of the whole step, all its micro-batches."""
        update = self._timed(self._optimizer.step)
        times = 1 if self._most < self._windows else 2
        found = min(self._timed(lambda: self._backward(self._most)) for _ in range(times))
        return found * self._windows / self._most * self._parts + update

    def _watch(self, windows: int) -> dict[str, int]:
        from wellread.training.estimate_live import Live

        if self._parts == 1:
            self._model.zero_grad()
        state = [value for entries in self._optimizer.state.values() for value in entries.values()]
        known = [*self._model.buffers(), *(value for value in state if hasattr(value, "untyped_storage"))]
        vocabulary = len(self._model.get_output_embeddings().weight)
        live = Live(self._model.parameters(), vocabulary=vocabulary, known=known)
        with live:
            # not side by side, for what other threads make is not seen; it is as much, but for the gradients
            self._backward_alone(self._first(windows))
            self._optimizer.step()
        copies = len(self._twins.models) - 1 if self._twins else 0
        trained = sum(weight.numel() * 4 for weight in self._model.parameters() if weight.requires_grad)
        return {**live.peak, "gradients": live.peak["gradients"] + copies * trained}

    def _first(self, windows: int) -> dict[str, torch.Tensor]:
        return {name: ids[:windows].to(self._model.device) for name, ids in self._batch.items()}

    def _backward(self, windows: int) -> None:
        batch = self._first(windows)
        if self._twins is None:
            self._backward_alone(batch)
        else:
            self._twins.backward(batch, batch["labels"].numel(), self._autocast)

    def _backward_alone(self, batch: dict[str, torch.Tensor]) -> None:
        import torch

        from wellread.training.loss import causal_loss

        torch.autograd.backward(causal_loss(self._model, batch, self._autocast) / batch["labels"].numel())

    def _timed(self, work: Callable[[], Any]) -> float:
        import torch

        began = time.perf_counter()
        work()
        if self._model.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - began


def _state_bytes(optimizer: torch.optim.Optimizer) -> int:
    entries = (value for state in optimizer.state.values() for value in state.values())
    return sum(value.numel() * value.element_size() for value in entries if hasattr(value, "element_size"))
