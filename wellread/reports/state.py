"""A run that is not finished in, how far it has come out: what is done, what is still to do, and the words that go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellread.recipe import Recipe
from wellread.runs import BASE_STAGE, Run, Stage
from wellread.storage import stream_rows

COMMAND = "wellread run recipe.yaml TEXT"
"""What began a run whose folder does not say."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    done: tuple[str, ...]
    left: tuple[str, ...]
    command: str

    def __str__(self) -> str:
        """One or two sentences."""
        done = f"Done: {'; '.join(self.done)}. " if self.done else ""
        return f"{done}Still to do: {'; '.join(self.left)}."


def unfinished(folder: Path, recipe: Recipe, environment: Mapping[str, Any]) -> Unfinished | None:
    """How far a run of a text has come; None for one that has ended, or that does not say whether it has."""
    if environment.get("end", "") is not None:
        return None
    run = Run(folder)
    steps = [("reading and splitting the text", (run.corpus / "split.json").is_file())]
    if recipe.base is not None:
        base = Stage(folder / "stages" / BASE_STAGE)
        steps.append(("sampling and measuring the untouched base", base.measurements.is_file()))
    for number, stage in enumerate(recipe.stages, 1):
        place = run.stage(number, stage.name)
        begun = "" if place.checkpoint.is_dir() else _begun(place)
        steps.append((f"training {stage.name}{begun}", place.checkpoint.is_dir()))
        steps.append((f"sampling and measuring {stage.name}", place.measurements.is_file()))
    steps.append(("compressing the text and comparing", run.measurements.is_file()))
    if recipe.dial.wish:
        steps.append(("the dial curve", run.dial.is_file()))
    left = tuple(name for name, done in steps if not done) or ("writing the report",)
    return Unfinished(tuple(name for name, done in steps if done), left, str(environment.get("command") or COMMAND))


def _begun(stage: Stage) -> str:
    """How far a stage has trained; empty where its log has no step yet."""
    last = max((int(row["step"]) for row in stream_rows(stage.path / "log.jsonl", optional=True)), default=0)
    return f" (step {last:,} so far)" if last else ""
