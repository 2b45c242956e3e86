"""Text that is written along training: it is in the log, and training does not notice."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from training_toy import ToyWindows, digest, log, toy_stage, toy_train

from wellread.recipe import Budget
from wellread.training.budget import Course

METHODS: dict[str, dict[str, Any]] = {
    "scratch": {},
    "lora": {
        "method": {"kind": "lora", "rank": 4, "alpha": 8, "dropout": 0.1},
        "optimizer": {"kind": "adamw", "learning_rate": 1e-2},
    },
}


def written(model: Any, seconds: float) -> dict[str, Any]:
    """A sampler that leaves whatever it can in disorder."""
    assert not model.training
    torch.rand(7)
    torch.manual_seed(12345)
    model(input_ids=torch.tensor([[41, 42, 43]], device=model.device))
    return {"prompt": "It ", "completion": f"was {seconds >= 1}"}


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_the_same_with_and_without_samples(tmp_path: Path, method: str) -> None:
    seen: dict[str, list[str]] = {"with": [], "without": []}

    def watch(name: str) -> ToyWindows:
        def look(epoch: int, place: int) -> None:
            numbers = hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()
            seen[name].append(f"{epoch} {place} {numbers}")

        return ToyWindows(watch=look)

    stage, base = toy_stage(**METHODS[method]), tmp_path / "base"
    torch.manual_seed(1)
    plain = toy_train(tmp_path / "without", stage, base=base, windows=watch("without"))
    torch.manual_seed(1)
    sampled = toy_train(tmp_path / "with", stage, base=base, windows=watch("with"), sampler=written)
    assert digest(sampled.path) == digest(plain.path)
    assert seen["with"] == seen["without"]
    rows = [row for row in log(tmp_path / "with") if "completion" in row]
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert {(row["prompt"], row["completion"]) for row in rows} == {("It ", "was True")}
    assert all(row["seconds"] >= 0 for row in rows)

    def steps(name: str) -> list[tuple[Any, ...]]:
        told = ("step", "tokens", "validation_loss", "kept", "weights")
        return [tuple(row.get(key) for key in told) for row in log(tmp_path / name) if row.keys() & {*told[2:]}]

    assert steps("with") == steps("without")


def test_no_row_is_written_where_nothing_was(tmp_path: Path) -> None:
    toy_train(tmp_path / "run", toy_stage(), sampler=lambda model, seconds: None)
    assert not [row for row in log(tmp_path / "run") if "prompt" in row or "seconds" in row]


def test_the_clock_stands_meanwhile() -> None:
    now = [100.0]
    course = Course(Budget(minutes=1), windows=10, batch=1, length=8, clock=lambda: now[0])
    now[0] += 15
    with course.standing():
        now[0] += 40
    assert (course.seconds, course.share, course.seconds_left) == (15, 0.25, 45)
    now[0] += 15
    assert course.share == 0.5
