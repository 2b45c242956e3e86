"""Started by torchrun in several processes: `training_pair.py JOBS-AS-JSON`, each to be trained one after another.

A job has a `folder`, a `stage` and perhaps `kill` or `press`, [rank, reading]: that process kills itself, or presses
Ctrl-C, at its so-manieth reading of a window.
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

from wellread.recipe import Stage
from wellread.training import processes


def main(jobs: list[dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    for job in jobs:
        heard: list[str] = []
        stage = Stage.model_validate(job["stage"])
        try:
            toy_train(
                Path(job["folder"]), stage, windows=ToyWindows(watch=watch(job)), dose=dose() if stage.until else None,
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
