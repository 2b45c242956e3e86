"""What a recipe would cost here: tokens, steps, time, memory and disk, foreseen without training."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wellread.pipeline import prepare_stage, text_paths
from wellread.recipe import Recipe, Stage
from wellread.types import Corpus


@dataclass(frozen=True, slots=True)
class StagePlan:
    """One stage, foreseen: counts, seconds on this machine, bytes of memory at the peak and of disk."""

    stage: str
    train_tokens: int
    steps: int
    tokens: int
    """Tokens that training will read, all epochs together."""
    seconds: float
    memory_bytes: int
    disk_bytes: int
    tokens_per_second: float


@dataclass(frozen=True, slots=True)
class Plan:
    recipe: str
    characters: int
    documents: int
    parts: dict[str, int]
    """Documents in each part."""
    stages: tuple[StagePlan, ...]


def plan(recipe: Recipe, texts: Sequence[str | Path] = (), *, offline: bool = False, strict: bool = False) -> Plan:
    """Read, clean, split and tokenise the text, time a few steps on throwaway weights, and foresee the rest."""
    from wellread.corpus.ingest import ingest

    corpus = ingest(text_paths(recipe, texts), recipe.corpus, seed=recipe.seed, strict=strict)
    parts = {str(name): len(ids) for name, ids in corpus.split.items()}
    characters = sum(len(document.text) for document in corpus.documents)
    with tempfile.TemporaryDirectory(prefix="wellread-plan-") as folder:
        stages = tuple(
            _plan_stage(recipe, corpus, stage, Path(folder) / stage.name, offline=offline) for stage in recipe.stages
        )
    return Plan(recipe.name, characters, len(corpus.documents), parts, stages)


def _plan_stage(recipe: Recipe, corpus: Corpus, stage: Stage, folder: Path, *, offline: bool) -> StagePlan:
    from wellread.tokens.windows import Windows, validation_windows
    from wellread.training.estimate import foresee

    ready = prepare_stage(recipe, corpus, stage, folder, offline=offline)
    rows = ready.rows["train"]
    windows = Windows(rows, length=stage.windows.length, stride=stage.windows.stride, seed=recipe.seed)
    validation = validation_windows(ready.rows["validation"], stage.windows.length, most=stage.validation_windows)
    seen = foresee(ready.model, windows, stage, validation=validation)
    return StagePlan(
        stage.name,
        rows.tokens,
        seen.steps,
        seen.tokens,
        seen.seconds,
        seen.memory_bytes,
        seen.disk_bytes,
        seen.tokens_per_second,
    )
