"""transformers' Trainer, given our batches, our loss and our state: devices, clipping and stepping are its own."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from wellread.recipe import Optimizer
from wellread.training.batches import IGNORED, Batches
from wellread.training.budget import schedule
from wellread.training.loss import causal_loss
from wellread.training.session import Session
from wellread.weights import quiet

if TYPE_CHECKING:
    import torch

ENDLESS = 2**31
"""Steps that no budget in minutes reaches."""


class StageTrainer(Trainer):  # type: ignore[misc]
    """Asks the session for its loss and tells it of every batch; keeps no state, writes no file and no line."""

    def __init__(self, session: Session, settings: Optimizer, *, folder: Path, seed: int) -> None:
        import torch

        self._session = session
        course = session.course
        arguments = TrainingArguments(
            output_dir=str(folder),
            max_steps=ENDLESS if course.steps is None else course.steps - course.step,
            per_device_train_batch_size=settings.batch,
            max_grad_norm=settings.clip,
            seed=seed,
            use_cpu=session.model.device.type == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_nan_inf_filter=False,
        )
        # with several GPUs in sight and one process, Trainer would split each batch over all of them
        arguments._n_gpu = min(1, arguments.n_gpu)

        def rate(_: int) -> float:
            return schedule(course.at_next_step(), warmup=settings.warmup, decay=settings.decay)

        scheduler = torch.optim.lr_scheduler.LambdaLR(session.optimizer, rate)
        with quiet():
            super().__init__(session.model, arguments, optimizers=(session.optimizer, scheduler))
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> Batches:
        """Our batches in our order: a DataLoader would draw random numbers and read ahead."""
        return self._session.batches

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """The mean loss per predicted token of the whole optimizer step."""
        count = inputs["labels"].ne(IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        loss = causal_loss(model, inputs, self._session.autocast) / count
        self._session.saw(loss.detach(), inputs["input_ids"].numel())
        return loss

    def floating_point_ops(self, inputs: Any) -> int:
        """None that anyone reads: counting them would walk through all parameters at every step."""
        return 0


class EveryStep(TrainerCallback):  # type: ignore[misc]
    """Starts from the session's random numbers, tells it of every step, and stops at the end of the budget."""

    def __init__(self, session: Session, random: dict[str, torch.Tensor] | None, seed: int) -> None:
        self._session, self._random, self._seed, self._begun = session, random, seed, False

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not self._begun:
            start_random(self._random, self._seed)
            self._begun = True

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        # before the scheduler reads the course for the next step
        self._session.course.step += 1

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._session.after_step()
        control.should_training_stop = self._session.course.over


def start_random(states: dict[str, torch.Tensor] | None, seed: int) -> None:
    """Set torch's random numbers to where they were kept, or to the seed's beginning."""
    import torch
    from transformers import set_seed

    set_seed(seed)
    if states is not None:
        torch.set_rng_state(states["random/cpu"])
        for kind in ("cuda", "mps"):
            if f"random/{kind}" in states:
                getattr(torch, kind).set_rng_state(states[f"random/{kind}"])


@contextmanager
def interruptible(session: Session) -> Iterator[None]:
    """Let the first Ctrl-C wait for the end of the step, when state can be saved; the second stops at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def note(number: int, frame: Any) -> None:
        if session.interrupted:
            raise KeyboardInterrupt
        session.interrupted = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
