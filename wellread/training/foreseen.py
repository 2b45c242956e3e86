"""What is foreseen of a stage, as records: memory by part, steps, time and disk. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, fields

COPIES = {"last": (0, 0), "average": (1, 2), "best": (2, 3)}
"""Copies of what trains that `keep` holds: while a step is taken, and while weights are compared."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes held at the moment when a stage holds most, by what they are for."""

    process: int = 0
    """The process itself: Python, its libraries, the text; on a GPU the driver's context and its workspaces."""
    weights: int = 0
    gradients: int = 0
    """Those that exist at the peak: backward makes them while it gives activations back."""
    optimizer: int = 0
    activations: int = 0
    """What forward keeps for backward, and what is being computed."""
    logits: int = 0
    """Whatever is as wide as the vocabulary: logits, their gradient, what the loss keeps of the head's gradient."""
    copies: int = 0
    """Further copies of what trains, as `keep` wants them."""
    opening: int = 0
    """What opening the base takes beside its weights; counted only where that is the peak."""

    @property
    def total(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self))


PARTS = tuple(field.name for field in fields(Memory))


@dataclass(frozen=True, slots=True)
class Foreseen:
    steps: int | None
    """Optimizer steps; None where a budget in minutes meets an unknown speed."""
    tokens: int | None
    """Tokens that training reads, all epochs together."""
    tokens_per_second: float | None
    """None where nothing was timed and no rate was given."""
    seconds: float | None
    """Training with its validation."""
    memory: Memory
    disk_bytes: int
    """At the peak: the finished checkpoint, the checkpoints of an unfinished run and the one that is being written."""
    kept_bytes: int
    """When the stage is done: its checkpoint."""

    @property
    def memory_bytes(self) -> int:
        """At the peak: of this process, or of the GPU where there is one."""
        return self.memory.total


@dataclass(frozen=True, slots=True)
class Sizes:
    """What of a stage follows from shapes alone."""

    memory: Memory
    disk_bytes: int
    kept_bytes: int


def peak(*moments: Memory) -> Memory:
    """The moment that holds most."""
    return max(moments, key=lambda memory: memory.total)
