"""Started by torchrun in several processes: `training_pair.py JOBS-AS-JSON`, each to be trained one after another.

A job has a `folder`, a `stage` and perhaps `kill` or `press`, [rank, reading]: that process kills itself, or presses
Ctrl-C, at its so-manieth reading of a window. A dose is made up, or, of a job with `measured`, what a run measures.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from training_toy import ToyWindows, die_at, toy_train

from wellread import teaching
from wellread.recipe import Recipe, Stage
from wellread.training import processes
from wellread.types import Corpus, Document
from wellread.weights import open_tokenizer


def main(jobs: list[dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    for job in jobs:
        heard: list[str] = []
        stage = Stage.model_validate(job["stage"])
        try:
            toy_train(
                Path(job["folder"]), stage, windows=ToyWindows(watch=watch(job)), dose=dose_of(job, stage),
                progress=lambda now, heard=heard: heard.append(now.stopped),
            )  # fmt: skip
        except KeyboardInterrupt:
            assert "press" in job
        assert bool(heard) == processes.is_first(), "the first process reports, and no other"
    processes.leave()


def watch(job: dict[str, Any]) -> Callable[[int, int], None] | None:
    for kind, number in (("kill", signal.SIGKILL), ("press", signal.SIGINT)):
        if kind in job and job[kind][0] == processes.rank():
            return die_at(job[kind][1], number)
    return None


def dose_of(job: dict[str, Any], stage: Stage) -> Callable[[Any], float] | None:
    if stage.until is None:
        return None
    return measured_dose(stage, Path(job["folder"])) if job.get("measured") else dose()


def measured_dose(stage: Stage, folder: Path) -> Callable[[Any], float] | None:
    """The dose as a run measures it, on text of the tokens that the toy learns; the tokenizer stands beside `folder`."""
    recipe = Recipe(name="toy", general=(), stages=(stage,))

    def measured(model: Any) -> float:
        tokenizer = open_tokenizer(folder.parent / f"{folder.name}-base")
        ids = [token for place in range(6) for token in ToyWindows(6)[place]["input_ids"]]
        book = Document("book", tokenizer.decode(ids))
        corpus = Corpus((book,), {"train": ("book",), "validation": ("book",), "held_out": ()})
        found = teaching.dose(recipe, corpus, stage, tokenizer)
        assert found is not None
        return found(model)

    return measured


def dose() -> Callable[[Any], float]:
    """0, 0, and then 1 in the first process; others measure nonsense."""
    calls = 0

    def measured(model: Any) -> float:
        nonlocal calls
        calls += 1
        assert not model.training
        model(input_ids=torch.tensor([[1, 2, 3]]))
        return float(calls > 2) if processes.is_first() else 7.0

    return measured


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
    # gloo's threads may linger for seconds
    sys.stdout.flush()
    os._exit(0)
