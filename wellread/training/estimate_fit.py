"""What would make a stage fit: the settings that cost least to change, tried one after another until the memory does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wellread.recipe import Full, Lora, LowRank, Method, Qlora, Stage
from wellread.training.foreseen import Memory

SHORTEST = 128
"""Tokens: windows are not shortened below this."""
PROCESSES = (2, 4, 8)

Foresee = Callable[[Stage, int], Memory]
"""A stage, and in how many processes; the memory of each."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A way to fit."""

    settings: tuple[str, ...]
    """As `--set` takes them, below the stage: `micro_batch=2`."""
    memory_bytes: int
    """Foreseen, in each process."""
    processes: int = 1


def ways_to_fit(stage: Stage, foresee: Foresee, limit: int) -> tuple[Fit, ...]:
    """The first combination that fits one device; and, where that one changes what is learned, the fewest devices
    among which the stage as it is can be shared out. Empty where nothing helps.

    Tried in this order: micro_batch halved and halved again, checkpointed layers, both (none of which changes what is
    learned); lora or qlora in place of a method that needs more; windows of a half and a quarter of the length.
    """
    found = []
    for changed, settings in _variants(stage):
        fit = _same_learning(changed, settings, foresee, limit)
        if fit is not None:
            found.append(fit)
            break
    if (not found or not _harmless(found[0])) and not isinstance(stage.method, Qlora):
        found += [fit for fit in [_shared_out(stage, foresee, limit)] if fit is not None]
    return tuple(found)


def _same_learning(stage: Stage, settings: tuple[str, ...], foresee: Foresee, limit: int) -> Fit | None:
    """With smaller micro-batches, then with checkpointed layers too."""
    least = _with(stage, 1, "on")
    if foresee(least, 1).total > limit:
        return None
    for checkpointing in ("off", "on") if stage.gradient_checkpointing != "on" else ("on",):
        for micro in _halves(stage):
            asked = list(settings)
            if micro != (stage.optimizer.micro_batch or stage.optimizer.batch):
                asked.append(f"micro_batch={micro}")
            if checkpointing != stage.gradient_checkpointing and checkpointing == "on":
                asked.append("gradient_checkpointing=on")
            memory = foresee(_with(stage, micro, checkpointing), 1)
            if asked and memory.total <= limit:
                return Fit(tuple(asked), memory.total)
    return None


def _shared_out(stage: Stage, foresee: Foresee, limit: int) -> Fit | None:
    for processes in PROCESSES:
        share = -(-stage.optimizer.batch // processes)
        for micro, checkpointing in ((share, stage.gradient_checkpointing), (1, "on")):
            memory = foresee(_with(stage, micro, checkpointing), processes)
            if memory.total <= limit:
                asked = ["shard=true"]
                asked += [f"micro_batch={micro}"] if micro != share else []
                asked += ["gradient_checkpointing=on"] if checkpointing != stage.gradient_checkpointing else []
                return Fit(tuple(asked), memory.total, processes)
    return None


def _variants(stage: Stage) -> Iterator[tuple[Stage, tuple[str, ...]]]:
    """The stage, then with methods that need less and with shorter windows."""
    length = stage.windows.length
    for shorter in (length, length // 2, length // 4):
        if shorter < min(SHORTEST, length):
            return
        stride = None if stage.windows.stride is None else min(stage.windows.stride, shorter)
        windows = stage.windows.model_copy(update={"length": shorter, "stride": stride})
        for method in _methods(stage):
            settings = [] if method is stage.method else [f"method.kind={method.kind}"]
            settings += [] if shorter == length else [f"windows.length={shorter}"]
            settings += [] if stride == stage.windows.stride else [f"windows.stride={stride}"]
            yield stage.model_copy(update={"method": method, "windows": windows}), tuple(settings)


def _methods(stage: Stage) -> list[Method]:
    method = stage.method
    if isinstance(method, Full):
        return [method, Lora(), Qlora()]
    if isinstance(method, Lora):
        same = {name: getattr(method, name) for name in LowRank.model_fields}
        return [method, Qlora(**same)]
    return [method]


def _halves(stage: Stage) -> list[int]:
    """Micro-batches from the stage's own down to one window."""
    micro = stage.optimizer.micro_batch or stage.optimizer.batch
    found = [micro]
    while found[-1] > 1:
        found.append(found[-1] // 2)
    return found


def _with(stage: Stage, micro: int, checkpointing: str) -> Stage:
    optimizer = stage.optimizer.model_copy(update={"micro_batch": micro})
    return stage.model_copy(update={"optimizer": optimizer, "gradient_checkpointing": checkpointing})


def _harmless(fit: Fit) -> bool:
    return not any(setting.startswith(("method", "windows")) for setting in fit.settings)
