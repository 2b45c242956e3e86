"""How long a stage trains, in minutes, steps, epochs or tokens; what is foreseen of it; and the learning rate along it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from training_toy import BATCH, LENGTH, Clock, ToyWindows, log, toy_model, toy_stage, toy_train

from wellread.errors import RunError
from wellread.recipe import Budget
from wellread.training.budget import Course, planned_steps, schedule
from wellread.training.estimate import foresee
from wellread.training.fitting import nothing_fitted
from wellread.training.processes import Together


def test_planned_steps() -> None:
    assert planned_steps(Budget(epochs=2.5), 10, 4, 64) == 7
    assert planned_steps(Budget(epochs=2.5, least_steps=20), 10, 4, 64) == 20
    assert planned_steps(Budget(epochs=2.5, least_steps=5), 10, 4, 64) == 7
    assert planned_steps(Budget(steps=9), 10, 4, 64) == 9
    assert planned_steps(Budget(tokens=4 * 64 * 3 + 1), 10, 4, 64) == 4
    assert planned_steps(Budget(minutes=1), 10, 4, 64) is None


def test_schedule_rises_stays_and_falls() -> None:
    rates = [schedule(share, warmup=0.1, decay=0.5) for share in (0, 0.05, 0.1, 0.3, 0.5, 0.75, 1)]
    assert rates == pytest.approx([0, 0.5, 1, 1, 1, 0.5, 0])
    assert schedule(1, warmup=0, decay=0) == 1
    assert schedule(0.5, warmup=1, decay=1) == pytest.approx(0.5)


def test_minutes_share_is_the_clock_s_and_leaves_time_for_the_last_validation() -> None:
    now = 100.0
    course = Course(Budget(minutes=1), windows=10, batch=4, length=64, clock=lambda: now)
    now += 15
    assert course.share == pytest.approx(0.25)
    course.reserve = 10
    assert course.share == pytest.approx(0.3)
    course.resume(step=5, seconds=40)
    now += 5
    assert course.seconds == pytest.approx(45)
    assert course.share == pytest.approx(0.9)
    assert course.seconds_left == pytest.approx(15)
    now += 5
    assert course.over


def test_learning_rate_follows_the_budget_in_steps(tmp_path: Path) -> None:
    rates: list[float] = []
    stage = toy_stage(budget={"steps": 10}, evaluations=10,
                      optimizer={"kind": "adamw", "learning_rate": 0.5e-3, "warmup": 0.2, "decay": 0.4})  # fmt: skip
    toy_train(tmp_path / "run", stage)
    rates = [row["learning_rate"] / 0.5e-3 for row in log(tmp_path / "run") if "loss" in row]
    assert rates == pytest.approx([0.25, 0.75, 1, 1, 1, 1, 0.875, 0.625, 0.375, 0.125])


def test_minutes_end_on_time_at_the_end_of_the_decay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps of a quarter of a second, and three windows of validation after each quarter of the 3.6 seconds."""
    clock = Clock(monkeypatch)
    stage = toy_stage(budget={"minutes": 0.06}, evaluations=4, optimizer={"decay": 1.0, "warmup": 0.0})
    validation = ToyWindows(3, seed=9, watch=clock.each(1 / 64))
    toy_train(tmp_path / "run", stage, windows=ToyWindows(watch=clock.each(1 / 16)), validation=validation)
    rows = log(tmp_path / "run")
    assert 3.6 <= rows[-1]["elapsed_seconds"] < 3.6 + 1 / 4
    rates = [row["learning_rate"] for row in rows if "loss" in row]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.1 * stage.optimizer.muon_learning_rate


def test_the_clock_of_a_stage_is_the_machine_s() -> None:
    together, before = Together(), time.monotonic()
    assert before <= together.now() <= time.monotonic()


def test_a_budget_in_which_no_step_fits_is_no_training(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no step fitted into its 1e-06 minutes.*`--set read\.steps=10`"):
        toy_train(tmp_path / "run", toy_stage(budget={"minutes": 1e-6}))
    assert "`--set read.validation_windows=1` (6 now)" in nothing_fitted(toy_stage(budget={"minutes": 1}), 6)


def test_epochs_read_the_text_so_often(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    windows = ToyWindows(8, watch=lambda epoch, place: seen.append((epoch, place)))
    toy_train(tmp_path / "run", toy_stage(budget={"epochs": 2}), windows=windows)
    assert seen == [(epoch, place) for epoch in (0, 1) for place in range(8)]


def test_foreseen_counts(tmp_path: Path) -> None:
    def foreseen(**changes: Any) -> Any:
        stage = toy_stage(**changes)
        return foresee(toy_model(stage, tmp_path)[0], ToyWindows(10), stage)

    steps = foreseen(budget={"epochs": 2})
    assert (steps.steps, steps.tokens) == (5, 5 * BATCH * LENGTH)
    minutes = foreseen(budget={"minutes": 2})
    assert minutes.seconds == 120
    assert minutes.steps == pytest.approx(minutes.tokens_per_second * 120 / BATCH / LENGTH, rel=0.01, abs=1)
    parameters = sum(weight.numel() for weight in toy_model(toy_stage(), tmp_path)[0].parameters())
    assert foreseen(keep="best").disk_bytes > 4 * parameters * (1 + 3 * 3)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="elsewhere a child's peak is its own anyway")
def test_the_most_memory_held_is_not_that_of_whoever_started_the_program() -> None:
    """A studio, or a notebook, holds more than the small runs that it starts."""
    import subprocess
    import sys

    ballast = b"x" * 1_500_000_000  # written, so it is held
    child = "from wellread.training.estimate import most_memory; print(most_memory())"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True)
    assert int(done.stdout) < len(ballast) / 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_foreseen_memory_and_time_are_about_right(tmp_path: Path, kind: str) -> None:
    """Against the peak of a child process that trains the same; a model large enough to stand out from Python."""
    import subprocess
    import sys

    command = [sys.executable, str(Path(__file__).with_name("training_cost.py")), kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    foreseen_memory, memory, foreseen_seconds, seconds = map(float, done.stdout.split())
    assert foreseen_memory == pytest.approx(memory, rel=0.3)
    # other work on the machine empties the caches of one of the two
    assert seconds / 3 < foreseen_seconds < seconds * 3
