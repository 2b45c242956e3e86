"""One stage in training: what is done after every step, and all of its state, to keep and to return to."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.errors import RunError, StorageError
from wellread.recipe import Stage
from wellread.training.batches import Batches, FixedWindows
from wellread.training.budget import Course
from wellread.training.checkpoints import State, write_clock, write_state
from wellread.training.kept import Kept, put
from wellread.training.log import Log, Progress
from wellread.training.loss import validation_loss

if TYPE_CHECKING:
    import torch

LOG_SECONDS = 1.0
CLOCK_SECONDS = 5.0


class Session:
    """Holds the model, its optimizer, the copies kept, the log and the course through the budget."""

    def __init__(
        self, model: Any, optimizer: torch.optim.Optimizer, batches: Batches, validation: FixedWindows, stage: Stage,
        *, folder: Path, fingerprint: str, course: Course, log: Log, autocast: torch.dtype | None,
        progress: Callable[[Progress], None],
    ) -> None:  # fmt: skip
        self.model, self.optimizer, self.batches, self.course = model, optimizer, batches, course
        self.parameters = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.autocast, self.interrupted = autocast, False
        self._stage, self._validation, self._folder, self._fingerprint = stage, validation, folder, fingerprint
        self._log, self._report = log, progress
        self._kept = Kept(stage.keep)
        self._tokens, self._evaluated = 0, 0
        self._latest: float | None = None
        self._loss_sum: torch.Tensor | None = None
        self._losses, self._rate = 0, 0.0
        self._logged = (course.seconds, 0)
        self._saved = self._ticked = course.seconds

    def begin(self) -> None:
        """Measure validation before the first step, for the curve; a resumed session has done so."""
        if self.course.step == 0:
            self._evaluate()

    def saw(self, loss: torch.Tensor, tokens: int) -> None:
        """Take in a batch's loss (mean, detached) without waiting for the device to compute it."""
        self._loss_sum = loss if self._loss_sum is None else self._loss_sum + loss
        self._losses += 1
        self._tokens += tokens
        self._rate = float(self.optimizer.param_groups[0]["lr"])

    def after_step(self) -> None:
        """Average, evaluate, log and save, each when it is due. Raises KeyboardInterrupt once state is safe."""
        share, now = self.course.share, self.course.seconds
        self._kept.follow(self.parameters, share)
        due = share * self._stage.evaluations >= self._evaluated + 1 - 1e-9
        if due or now - self._logged[0] >= LOG_SECONDS:
            self._log_training(share)
        if due:
            self._evaluated = math.floor(share * self._stage.evaluations + 1e-9)
            loss = self._evaluate()
            self._kept.consider(self.parameters, loss, f"step {self.course.step}")
        if due or self.interrupted or now - self._saved >= self._stage.checkpoint_minutes * 60:
            self._save()
            if due:
                # neither validation nor saving counts against the speed of the next steps
                self._logged = (self.course.seconds, self._tokens)
        elif now - self._ticked >= CLOCK_SECONDS:
            write_clock(self._folder, now)
            self._ticked = now
        if self.interrupted:
            raise KeyboardInterrupt

    def finish(self) -> None:
        """Give the model the weights that the stage keeps, and say which."""
        kept = self._kept
        name = "last"
        if kept.average:
            last = {key: parameter.detach().clone() for key, parameter in self.parameters.items()}
            put(self.parameters, kept.average)
            loss = self._evaluate("average")
            kept.consider(self.parameters, loss, "average")
            name = "average"
            if kept.keep == "best":
                put(self.parameters, last)
        if kept.best:
            put(self.parameters, kept.best)
            name = kept.best_name
        self._log.write(**self._place(), kept=name)

    def state(self) -> State:
        import torch

        tensors = {f"weights/{name}": weight.detach() for name, weight in self.parameters.items()}
        tensors |= self._kept.tensors()
        numbers: dict[str, dict[str, Any]] = {}
        for index, entries in self.optimizer.state_dict()["state"].items():
            for key, value in entries.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"optimizer/{index}/{key}"] = value
                else:
                    numbers.setdefault(str(index), {})[key] = value
        tensors["random/cpu"] = torch.get_rng_state()
        kind = self.model.device.type
        if kind != "cpu":
            tensors[f"random/{kind}"] = getattr(torch, kind).get_rng_state()
        facts = {
            "seconds": self.course.seconds,
            "reserve": self.course.reserve,
            "epoch": self.batches.epoch,
            "place": self.batches.place,
            "tokens": self._tokens,
            "lines": self._log.lines,
            "evaluated": self._evaluated,
            "validation_loss": self._latest,
            "kept": self._kept.facts(),
            "optimizer": numbers,
        }
        return State(self.course.step, self._fingerprint, tensors, facts)

    def restore(self, state: State, seconds: float) -> None:
        """Return to a state, `seconds` into the budget. Raises StorageError where it does not fit this model."""
        facts, device = state.facts, self.model.device
        tensors = {name: t.to(device, copy=True) for name, t in state.tensors.items() if not name.startswith("random/")}
        weights = {name.removeprefix("weights/"): t for name, t in tensors.items() if name.startswith("weights/")}
        shapes = {name: weight.shape for name, weight in self.parameters.items()}
        if {name: weight.shape for name, weight in weights.items()} != shapes:
            raise StorageError(f"{self._folder}: the checkpoint of a model of another shape; remove it and run again.")
        put(self.parameters, weights)
        entries: dict[int, dict[str, Any]] = {int(index): dict(values) for index, values in facts["optimizer"].items()}
        for name, tensor in tensors.items():
            if name.startswith("optimizer/"):
                _, index, key = name.split("/")
                entries.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({"state": entries, "param_groups": self.optimizer.state_dict()["param_groups"]})
        self._kept.restore(tensors, facts["kept"])
        self._tokens, self._evaluated, self._latest = facts["tokens"], facts["evaluated"], facts["validation_loss"]
        self.course.reserve = facts["reserve"]
        self.course.resume(state.step, seconds)
        self._logged = (self.course.seconds, self._tokens)
        self._saved = self._ticked = self.course.seconds

    def _evaluate(self, weights: str = "current") -> float:
        before = self.course.seconds
        loss, count = validation_loss(self.model, self._validation, self._stage.optimizer.batch, self.autocast)
        # the measurement of the average comes on top of the last weights'
        self.course.reserve = (self.course.seconds - before) * (1 if self._stage.keep == "last" else 2)
        self._latest = loss
        self._log.write(**self._place(), validation_loss=loss, validation_tokens=count, weights=weights)
        return loss

    def _log_training(self, share: float) -> None:
        if self._loss_sum is None:
            return
        loss = float(self._loss_sum) / self._losses
        if not math.isfinite(loss):
            raise RunError(f"the loss became {loss} at step {self.course.step}; lower the learning rate and run again.")
        now = self.course.seconds
        speed = (self._tokens - self._logged[1]) / max(now - self._logged[0], 1e-9)
        self._log.write(**self._place(), loss=loss, learning_rate=self._rate, tokens_per_second=round(speed, 1),
                        memory_bytes=memory_bytes(self.model.device))  # fmt: skip
        self._report(Progress(self.course.step, share, loss, self._latest, speed, self.course.seconds_left))
        self._loss_sum, self._losses, self._logged = None, 0, (now, self._tokens)

    def _place(self) -> dict[str, Any]:
        return {"step": self.course.step, "tokens": self._tokens, "epochs": round(self.batches.epochs, 4),
                "elapsed_seconds": round(self.course.seconds, 3)}  # fmt: skip

    def _save(self) -> None:
        write_state(self._folder, self.state())
        write_clock(self._folder, self.course.seconds)
        self._saved = self._ticked = self.course.seconds


def memory_bytes(device: torch.device) -> int:
    """What this process holds: resident memory, or on a GPU the most that was allocated there."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    import psutil

    return int(psutil.Process().memory_info().rss)
