"""Validation and a budget in minutes in, as many of its windows as fit out, and what to say of it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wellread.recipe import Stage
from wellread.training.batches import FixedWindows
from wellread.training.loss import validation_loss
from wellread.training.sharding import let_go

if TYPE_CHECKING:
    from wellread.training.session import Session

SHARE = 0.25
"""Of a budget in minutes, what all validations together may take."""


class Fewer:
    """`most` of the windows, at even distances."""

    def __init__(self, windows: FixedWindows, most: int) -> None:
        self._windows = windows
        self._places = [(2 * place + 1) * len(windows) // (2 * most) for place in range(most)]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int) -> Mapping[str, Any]:
        return self._windows[self._places[place]]


def fit_validation(session: Session, stage: Stage) -> str:
    """Cut a session's validation to what a quarter of the stage's minutes has room for, one window at least; a line that says
    so, empty where all of it fits or the budget is none in minutes.

    One window is timed, on a GPU after another one, which loads its kernels; the budget's clock stands meanwhile.
    """
    there = len(session.validation)
    if stage.budget.minutes is None or there < 2:
        return ""
    window = _window_seconds(session)
    times = stage.evaluations + (1 if stage.keep == "last" else 2)
    fit = fitting(stage.budget.minutes * 60, window, times, there, world=session.together.world)
    if fit == there:
        return ""
    session.validate_on(Fewer(session.validation, fit))
    whole = window * math.ceil(there / session.together.world) * times / 60
    said = (
        f"stage {stage.name}: validation reads {fit} of its {there} windows; all of them, {times} times, would take about "
        f"{whole:.1f} of its {stage.budget.minutes:g} minutes"
    )
    dear = window * times > SHARE * stage.budget.minutes * 60  # one window is
    return f"{said}; to train for longer: {_fewer_evaluations(stage)}." if dear else f"{said}."


def fitting(budget: float, window: float, times: int, there: int, *, world: int = 1) -> int:
    """How many of the windows that are there may be read so many times, by so many processes side by side, where one takes
    `window` seconds of a `budget` in seconds; at least one."""
    each = SHARE * budget / times / max(window, 1e-9)
    return there if each * world >= there else max(1, int(each) * world)


def _window_seconds(session: Session) -> float:
    """What one window of validation takes, the same in every process."""
    one = Fewer(session.validation, 1)
    with session.course.standing():
        for _ in range(1 if session.model.device.type == "cpu" else 2):
            began = time.perf_counter()
            validation_loss(session.model, one, 1, session.autocast)
            seconds = time.perf_counter() - began
            let_go(session.model)
        session.together.meet()
    return session.together.of_first(seconds)


def dear_validation(stage: Stage, seconds: float, windows: int) -> str:
    """What to say where validations of so many seconds, on so many windows, would take over a quarter of a budget in minutes,
    if they do."""
    minutes = stage.budget.minutes or math.inf
    all_of_them = (stage.evaluations + 1) * seconds / 60
    if all_of_them <= minutes * SHARE:
        return ""
    fewer = f"`--set {stage.name}.validation_windows=1` ({windows} now) or " if windows > 1 else ""
    return (
        f"stage {stage.name}: validation will take about {all_of_them:.1f} of its {minutes:g} minutes; to train for "
        f"longer: {fewer}{_fewer_evaluations(stage)}."
    )


def _fewer_evaluations(stage: Stage) -> str:
    return f"`--set {stage.name}.evaluations=1` ({stage.evaluations} now)"


def nothing_fitted(stage: Stage, windows: int) -> str:
    """What to say where validation, on so many windows, left no time for a step."""
    fewer = f"`--set {stage.name}.validation_windows=1` ({windows} now), " if windows > 1 else ""
    return (
        f"stage {stage.name}: no step fitted into its {stage.budget.minutes:g} minutes, for validation takes long here; give it "
        f"{fewer}more --minutes, or a budget in steps: `--set {stage.name}.steps=10`."
    )
