"""transformers' Trainer, given our batches, our loss and our state: devices, processes, clipping and stepping are its."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from wellread.recipe import Optimizer
from wellread.training.batches import IGNORED, Batches
from wellread.training.budget import schedule
from wellread.training.loss import causal_loss
from wellread.training.session import Session
from wellread.training.twins import Twins
from wellread.weights import quiet

ENDLESS = 2**31
"""Steps that no budget in minutes reaches."""
PROJECT = "wellread"
"""What trackers file the runs under."""


class StageTrainer(Trainer):  # type: ignore[misc]
    """Asks the session for its loss and tells it of every batch; keeps no state, writes no file and no line."""

    def __init__(
        self, session: Session, settings: Optimizer, *, folder: Path, seed: int, sharded: bool,
        twins: Twins | None = None, report_to: Sequence[str] = (), run_name: str = "",
    ) -> None:  # fmt: skip
        self._session, self._sharded, self._twins = session, sharded, twins
        course, batches = session.course, session.batches
        arguments = TrainingArguments(
            output_dir=str(folder),
            max_steps=ENDLESS if course.steps is None else course.steps,
            per_device_train_batch_size=batches.micro,
            gradient_accumulation_steps=batches.parts,
            max_grad_norm=settings.clip,
            seed=seed,
            use_cpu=session.model.device.type == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to=list(report_to) or "none",
            run_name=run_name or None,
            project=PROJECT,
            trackio_space_id=None,
            disable_tqdm=True,
            logging_nan_inf_filter=False,
            ddp_find_unused_parameters=False,
            ddp_broadcast_buffers=False,
        )
        # with several GPUs in sight and one process, Trainer would split each batch over all of them
        arguments._n_gpu = min(1, arguments.n_gpu)

        def rate(_: int) -> float:
            return schedule(course.at_next_step(), warmup=settings.warmup, decay=settings.decay)

        scheduler = torch.optim.lr_scheduler.LambdaLR(session.optimizer, rate)
        with quiet():
            super().__init__(session.model, arguments, optimizers=(session.optimizer, scheduler))
        self.remove_callback(PrinterCallback)
        # our loss is one, per token of the whole step: Trainer shall not divide it by the number of micro-batches
        self.model_accepts_loss_kwargs = True
        self.add_callback(EveryStep(session, seed, self.log, twins))

    def get_train_dataloader(self) -> Batches:
        """Our batches in our order: a DataLoader would draw random numbers and read ahead."""
        return self._session.batches

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, torch.Tensor]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, torch.Tensor]], torch.Tensor]:
        """The micro-batches of a step, and how many tokens it predicts, over all processes."""
        batches = [next(epoch_iterator) for _ in range(num_batches)]
        mine = sum(int(batch["labels"].ne(IGNORED).sum()) for batch in batches)
        [count] = self._session.together.total(mine)
        # a step of nothing but ignored labels has no loss, and no gradient
        return batches, torch.tensor(max(1.0, count), device=device)

    def training_step(
        self, model: Any, inputs: dict[str, torch.Tensor], num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Gradients of a micro-batch: taken side by side by copies of the model, or as Trainer does."""
        if self._twins is None:
            found: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
            return found
        model.train()
        loss = self._twins.backward(self._prepare_inputs(inputs), num_items_in_batch, self._session.autocast)
        self._session.saw(loss)
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """This micro-batch's part of the mean loss per predicted token of the whole optimizer step."""
        assert num_items_in_batch is not None, "get_batch_samples counts them"
        loss = causal_loss(model, inputs, self._session.autocast) / num_items_in_batch
        self._session.saw(loss.detach())
        # the gradients of several processes are averaged; ours are parts of a sum
        return loss * self._session.together.world

    def floating_point_ops(self, inputs: Any) -> int:
        """None that anyone reads: counting them would walk through all parameters at every step."""
        return 0

    def _wrap_model(self, model: Any, training: bool = True, dataloader: Any = None) -> Any:
        """A model whose weights are shared out averages its own gradients: behind a veil, it is not made DDP's too."""
        return Veiled(model) if self._sharded else super()._wrap_model(model, training, dataloader)


class Veiled(torch.nn.Module):
    """Calls the model."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.module = model

    def forward(self, *inputs: Any, **named: Any) -> Any:
        return self.module(*inputs, **named)


class EveryStep(TrainerCallback):  # type: ignore[misc]
    """Begins every step's random numbers, tells the session and the trackers of it, and stops when the stage is over."""

    def __init__(
        self, session: Session, seed: int, track: Callable[[dict[str, float]], None], twins: Twins | None
    ) -> None:
        self._session, self._seed, self._track, self._twins = session, seed, track, twins

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        state.global_step = self._session.course.step
        self._tell(state)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        seed = step_seed(self._seed, self._session.course.step, self._session.together.rank)
        torch.manual_seed(seed)
        if self._twins is not None:
            self._twins.begin(seed)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._session.stepped()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._session.after_step()
        self._tell(state)
        control.should_training_stop = self._session.over

    def _tell(self, state: Any) -> None:
        state.epoch = self._session.batches.epochs
        while self._session.untold:
            self._track(self._session.untold.pop(0))


def step_seed(seed: int, step: int, rank: int) -> int:
    """A seed of 63 bits for the random numbers of one step in one process, unlike that of any other."""
    digest = hashlib.sha256(f"{seed} {step} {rank}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


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
