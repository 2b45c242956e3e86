"""A plan: what a recipe would cost, as records, and as lines for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wellread.afterwards import After
from wellread.reports.wording import count
from wellread.training.estimate_fit import Fit
from wellread.training.foreseen import PARTS

GIGABYTE = 2**30


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage, foreseen. What is None is unknown, and `notes` say why."""

    stage: str
    method: str
    train_tokens: int
    """Tokens there are to read, before any is read twice."""
    steps: int | None
    tokens: int | None
    """Tokens that training will read, all epochs together."""
    tokens_per_second: float | None
    seconds: float | None
    """Training with its validation."""
    memory_bytes: int
    """At the peak: of the process, or of the GPU."""
    memory: dict[str, int]
    """The same by part; see training.foreseen.Memory."""
    limit_bytes: int
    """What there is."""
    fits: bool
    ways_to_fit: tuple[Fit, ...]
    disk_bytes: int
    """At the peak, this stage's files alone."""
    cost: float | None
    """Seconds at the price an hour that was given."""
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    recipe: str
    machine: str
    characters: int
    documents: int
    parts: dict[str, int]
    """Documents in each part."""
    stages: tuple[StagePlan, ...]
    seconds: float | None
    """Of all stages; None where one is unknown."""
    tokens: int | None
    memory_bytes: int
    """Of the stage that needs most."""
    disk_bytes: int
    """At the peak, the finished stages' checkpoints counted."""
    cost: float | None
    price_per_hour: float | None
    unit: str = "chapter"
    """What a document is: chapter, passage, section or example."""
    afterwards: tuple[After, ...] = ()
    """What comes on top of training."""

    def as_json(self) -> dict[str, Any]:
        """One object; sizes in bytes, times in seconds."""
        return asdict(self)


def plan_lines(plan: Plan) -> list[str]:
    """The plan for a person: what is read and for how long, the memory by part, and what would make it fit."""
    parts = ", ".join(f"{name.replace('_', '-')} {count}" for name, count in plan.parts.items())
    lines = [
        f"{plan.recipe}: {plan.characters:,} characters in {count(plan.documents, plan.unit)} ({parts})",
        f"on {plan.machine}",
        "",
        *_table(_work_head(plan), _work_rows(plan)),
        "",
        *_table(*_memory(plan)),
        "",
    ]
    for stage in plan.stages:
        lines += _verdict(plan, stage)
    if any(stage.seconds is None for stage in plan.stages):
        lines.append("time is unknown without a measurement there: `--tokens-per-second N` foresees it from a rate.")
    lines += _on_top(plan.afterwards)
    if plan.price_per_hour is not None:
        lines.append(f"cost: training with its validation at {plan.price_per_hour:g} an hour, nothing else counted.")
    return lines


def _on_top(after: Sequence[After]) -> list[str]:
    """What training's time leaves out."""
    known = [f"  {each.what}: {duration(each.seconds)}" for each in after if each.seconds is not None]
    unknown = [each.what for each in after if each.seconds is None]
    lines = ["on top of training, about:", *known] if known else []
    return [*lines, f"on top of training, for how long is not known here: {'; '.join(unknown)}."] if unknown else lines


def _work_head(plan: Plan) -> list[str]:
    head = ["stage", "method", "of text", "tokens read", "steps", "tokens/s", "time", "disk"]
    return head if plan.price_per_hour is None else [*head, "cost"]


def _work_rows(plan: Plan) -> list[list[str]]:
    rows = [
        [stage.stage, stage.method, f"{stage.train_tokens:,}", _count(stage.tokens), _count(stage.steps),
         _count(stage.tokens_per_second), duration(stage.seconds), _size(stage.disk_bytes), _money(stage.cost)]
        for stage in plan.stages
    ]  # fmt: skip
    if len(plan.stages) > 1:
        rows.append(["in all", "", "", _count(plan.tokens), "", "", duration(plan.seconds), _size(plan.disk_bytes),
                     _money(plan.cost)])  # fmt: skip
    return rows


def _memory(plan: Plan) -> tuple[list[str], list[list[str]]]:
    shown = [part for part in PARTS if any(stage.memory[part] for stage in plan.stages)]
    rows = [
        [stage.stage, *(_size(stage.memory[part]) for part in shown), _size(stage.memory_bytes)]
        for stage in plan.stages
    ]
    return ["memory", *shown, "peak"], rows


def _verdict(plan: Plan, stage: StagePlan) -> list[str]:
    """Whether a stage fits, or what would make it fit; and its notes."""
    several = f"{stage.stage} " if len(plan.stages) > 1 else ""
    limit = _size(stage.limit_bytes)
    lines = [f"{stage.stage}: {note}" for note in stage.notes]
    if stage.fits:
        return [f"{several}fits: {_size(stage.memory_bytes)} of {limit}.", *lines]
    lines.insert(0, f"{several}DOES NOT FIT: {_size(stage.memory_bytes)} of {limit}.")
    for fit in stage.ways_to_fit:
        settings = " ".join(f"--set {stage.stage}.{setting}" for setting in fit.settings)
        among = f" in each of {fit.processes} processes, a GPU each" if fit.processes > 1 else ""
        lines.append(f"  takes {_size(fit.memory_bytes)}{among} with {settings}")
    if not stage.ways_to_fit:
        lines.append("  nothing that plan knows makes it fit: take a smaller base, or a larger machine.")
    return lines


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The first column to the left, the others to the right; two spaces between."""
    rows = [head, *(row[: len(head)] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 or head[place] == "method" else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _count(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.0f}"


def _money(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:,.2f}"


def _size(size: int) -> str:
    """In GB or MB of 2^30 and 2^20 bytes."""
    if not size:
        return "-"
    return f"{size / GIGABYTE:,.1f} GB" if size >= GIGABYTE else f"{max(1, round(size / 2**20)):,} MB"


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
