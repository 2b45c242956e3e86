"""Rows in, a Checkpoint out: the one loop, the loss, the budget, the optimizers, the log."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellread.training.estimate import foresee as foresee
    from wellread.training.foreseen import Foreseen as Foreseen
    from wellread.training.log import Progress as Progress
    from wellread.training.loop import train as train

_HOMES = {"Foreseen": "foreseen", "foresee": "estimate", "Progress": "log", "train": "loop"}
__all__ = ["Foreseen", "Progress", "foresee", "train"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
