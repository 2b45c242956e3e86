"""One stage in training: what is done after every step, and what is said of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wellread.errors import RunError
from wellread.recipe import Stage
from wellread.recipe.stages import LOSS
from wellread.training.batches import Batches, FixedWindows, Slice
from wellread.training.brakes import BUDGET, Brakes
from wellread.training.budget import Course
from wellread.training.checkpoints import write_clock, write_state
from wellread.training.kept import Kept, put
from wellread.training.log import Log, Progress
from wellread.training.loss import validation_loss
from wellread.training.processes import Together
from wellread.training.resuming import snapshot
from wellread.training.sharding import let_go

if TYPE_CHECKING:
    import torch

    from wellread.training.crew import Crew

LOG_SECONDS = 1.0
CLOCK_SECONDS = 5.0

T = TypeVar("T")
Dose = Callable[[Any], float]
"""The model in evaluation mode in, a measured number out."""
Watched = Callable[[Any], Mapping[str, float]]
"""The same, several numbers by name: what the log shows of answers along training."""
Sampler = Callable[[Any, float], Mapping[str, Any] | None]
"""The model in evaluation mode and the seconds that it may take in, a row of text for the log out; None: nothing to log."""
SAMPLED = 0.05
"""Share of the time since the evaluation before that a sample may take."""
SAMPLED_SECONDS = 1.0
"""It may take so long in any case."""


class Session:
    """Holds the model, its optimizer, the copies kept, the log and the course through the budget.

    Every one of several processes has a session, and all do the same at the same step; the first writes and reports.
    """

    def __init__(
        self, model: Any, optimizer: torch.optim.Optimizer, batches: Batches, validation: FixedWindows, stage: Stage,
        *, folder: Path, fingerprint: str, course: Course, log: Log, autocast: torch.dtype | None,
        progress: Callable[[Progress], None], dose: Dose | None, watched: Watched | None, together: Together,
        sampler: Sampler | None = None,
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.batches, self.course = model, optimizer, batches, course
        self.parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.autocast, self.interrupted, self.together = autocast, False, together
        self.fingerprint, self.log, self.folder = fingerprint, log, folder
        self.kept = Kept(stage.keep, early=bool(stage.patience or stage.until))
        self.brakes = Brakes(stage.patience, stage.until)
        self.evaluated = 0
        self.latest: float | None = None
        """The latest validation loss."""
        self.untold: list[dict[str, float]] = []
        """What trackers have not heard of yet."""
        self._stage, self._report, self._dose, self._watched = stage, progress, dose, watched
        self._sampler = sampler if together.world == 1 else None
        self._sampled = course.seconds
        """When an evaluation last ended."""
        self._cost: tuple[float, ...] = ()
        """What the latest evaluation says of the weights, the least being best."""
        self.validate_on(validation)
        self._loss_sum: torch.Tensor | None = None
        self._losses, self._rate = 0, 0.0
        self._resting: Callable[[], AbstractContextManager[None]] = nullcontext
        self._said = Progress(0, 0.0, math.nan, None, 0.0, 0.0)
        self.start_clocks()

    def validate_on(self, windows: FixedWindows) -> None:
        """From here on, by these windows, of which each process reads its slice."""
        self.validation = windows
        self._validation = Slice(windows, self.together.rank, self.together.world)

    def start_clocks(self) -> None:
        """Count from here what is done every so many seconds."""
        self._logged = (self.course.seconds, self.batches.tokens)
        self._saved = self._ticked = self._sampled = self.course.seconds

    @property
    def over(self) -> bool:
        return self.course.over or bool(self.brakes.why)

    def share_work(self, crew: Crew) -> None:
        """Have a crew of threads at work while steps are taken; what is done between them has all cores again."""
        import torch

        from wellread.training.muon import Muon

        self._resting = crew.resting
        if isinstance(self.optimizer, Muon):
            self.optimizer.crew, self.optimizer.half = crew, self.autocast is torch.bfloat16

    def begin(self) -> None:
        """Measure validation before the first step, for the curve; a resumed session has done so."""
        if self.course.step == 0:
            self._evaluate()

    def saw(self, loss: torch.Tensor) -> None:
        """Take in a micro-batch's part of the step's mean loss (detached) without waiting for the device."""
        self._loss_sum = loss if self._loss_sum is None else self._loss_sum + loss

    def stepped(self) -> None:
        """The optimizer has taken a step, before the scheduler looks at the course for the next one."""
        self._losses += 1
        self._rate = float(self.optimizer.param_groups[0]["lr"])
        self.course.step += 1

    def after_step(self) -> None:
        """Average, evaluate, log and save, each when it is due. Raises KeyboardInterrupt once state is safe."""
        self.interrupted = self.together.meet(self.interrupted)
        share, now = self.course.share, self.course.seconds
        self.kept.follow(self.parameters, share)
        due = share * self._stage.evaluations >= self.evaluated + 1 - 1e-9
        if due or now - self._logged[0] >= LOG_SECONDS:
            self._log_training(share)
        if due:
            self.evaluated = math.floor(share * self._stage.evaluations + 1e-9)
            self._evaluate()
            self.kept.consider(self.parameters, self._cost, f"step {self.course.step}")
        if due or self.interrupted or now - self._saved >= self._stage.checkpoint_minutes * 60:
            self._save()
            if due:
                # neither validation nor saving counts against the speed of the next steps
                self._logged = (self.course.seconds, self.batches.tokens)
        elif now - self._ticked >= CLOCK_SECONDS:
            self._tick(now)
        if self.interrupted:
            raise KeyboardInterrupt

    def finish(self) -> None:
        """Give the model the weights that the stage keeps, and say which, and what stopped it."""
        kept = self.kept
        name = "last"
        if kept.average:
            last = {key: parameter.detach().clone() for key, parameter in self.parameters.items()}
            put(self.parameters, kept.average)
            self._evaluate("average")
            kept.consider(self.parameters, self._cost, "average")
            name = "average"
            if kept.keep == "best":
                put(self.parameters, last)
        if kept.best:
            put(self.parameters, kept.best)
            name = kept.best_name
        why = self.brakes.why or BUDGET
        self.log.write(**self._place(), kept=name, stopped=why)
        self._tell(stopped=why)

    def _evaluate(self, weights: str = "current") -> None:
        """Validation loss, the dose where one is measured, and what answers are watched; each process reads its slice of the
        windows."""
        before = self.course.seconds
        with self._resting():
            mean, count = validation_loss(self.model, self._validation, self.batches.micro, self.autocast)
            measured = {} if self._dose is None else {"dose": self._measure(self._dose)}
            if self._watched is not None:
                measured |= self._watch(self._watched)
        total, number = self.together.total(mean * count, count)
        # alone, the mean as it was measured: multiplied and divided again, its last digit may differ
        loss = mean if self.together.world == 1 else total / max(1.0, number)
        row: dict[str, Any] = {
            "validation_loss": loss, "validation_tokens": int(number), "weights": weights, **measured
        }  # fmt: skip
        let_go(self.model)
        if weights == "current":
            self.latest = loss
            self.brakes.look(loss, row.get("dose"))
            self.untold.append({"eval_loss": loss, **{f"eval_{name}": number for name, number in measured.items()}})
        self.together.meet()
        # the measurement of the average comes on top of the last weights'
        self.course.reserve = (self.course.seconds - before) * (1 if self._stage.keep == "last" else 2)
        self.log.write(**self._place(), **row)
        self._cost = self._costs(loss, measured)
        if self._sampler is not None and weights == "current" and self.course.step > 0:
            self._sample(self._sampler)
        self._sampled = self.course.seconds

    def _costs(self, loss: float, measured: Mapping[str, float]) -> tuple[float, ...]:
        """What the weights are chosen by: the loss, or, before it, a measure of answers."""
        by = self._stage.best_by
        if by == LOSS:
            return (loss,)
        if by not in measured:
            raise RunError(f"stage {self._stage.name}: {by} was not measured on the validation questions, so best_by cannot choose; "
                           "ask more of them (answers.watched, answers.validation).")  # fmt: skip
        return (measured[by] if by.endswith("_rate") else -measured[by], loss)

    def _measure(self, dose: Dose) -> float:
        # float: a measured share may come as numpy's
        return self.together.of_first(float(self._in_evaluation_mode(dose)))

    def _watch(self, watched: Watched) -> dict[str, float]:
        found = self._in_evaluation_mode(watched)
        return {name: self.together.of_first(float(found[name])) for name in sorted(found)}

    def _sample(self, sampler: Sampler) -> None:
        """A few lines by the model as it is now, for the log. Training goes on as if nobody had asked: the clock stands, and
        the random numbers are as they were."""
        import torch

        most = max(SAMPLED_SECONDS, SAMPLED * (self.course.seconds - self._sampled))
        device = self.model.device
        began = time.monotonic()
        with (
            self.course.standing(),
            self._resting(),
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        ):
            row = self._in_evaluation_mode(lambda model: sampler(model, most))
        if row is not None:
            self.log.write(**self._place(), **row, seconds=round(time.monotonic() - began, 3))

    def _in_evaluation_mode(self, measured: Callable[[Any], T]) -> T:
        import torch

        training = self.model.training
        self.model.eval()
        with torch.no_grad():
            found = measured(self.model)
        self.model.train(training)
        return found

    def _log_training(self, share: float) -> None:
        if self._loss_sum is None:
            return
        [total] = self.together.total(float(self._loss_sum))
        loss = total / self._losses
        if not math.isfinite(loss):
            raise RunError(f"the loss became {loss} at step {self.course.step}; lower the learning rate and run again.")
        now = self.course.seconds
        speed = (self.batches.tokens - self._logged[1]) / max(now - self._logged[0], 1e-9)
        row = {"loss": loss, "learning_rate": self._rate, "tokens_per_second": round(speed, 1),
               "memory_bytes": memory_bytes(self.model.device)}  # fmt: skip
        self.log.write(**self._place(), **row)
        self.untold.append(row)
        self._said = Progress(self.course.step, share, loss, self.latest, speed, self.course.seconds_left)
        self._tell()
        self._loss_sum, self._losses, self._logged = None, 0, (now, self.batches.tokens)

    def _tell(self, **changes: Any) -> None:
        if self.together.first:
            self._report(replace(self._said, **changes))

    def _place(self) -> dict[str, Any]:
        return {"step": self.course.step, "tokens": self.batches.tokens, "epochs": round(self.batches.epochs, 4),
                "elapsed_seconds": round(self.course.seconds, 3)}  # fmt: skip

    def _save(self) -> None:
        state = snapshot(self)
        if self.together.first:
            write_state(self.folder, state)
        self.together.meet()
        self._saved = self.course.seconds
        self._tick(self.course.seconds)

    def _tick(self, now: float) -> None:
        if self.together.first:
            write_clock(self.folder, now)
        self._ticked = now


def forget_peak(device: torch.device) -> None:
    """Count a GPU's memory anew: measuring a base whole may have taken more than training it does."""
    if device.type == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def memory_bytes(device: torch.device) -> int:
    """What this process holds: resident memory, or on a GPU the most that was allocated there since `forget_peak`."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    import psutil

    return int(psutil.Process().memory_info().rss)
