"""The one training loop: the same for weights created from nothing and for an adapter on a base.

What differs between methods is which parameters exist and which of them ask for gradients (`weights`). Killed at any
moment and called again, it goes on from its last checkpoint; with a budget in epochs or steps it then ends with the
very weights, bit for bit, of a run that nothing disturbed (same machine, same number of threads).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wellread import weights
from wellread.errors import RunError
from wellread.recipe import Scratch, Stage
from wellread.training.batches import Batches, FixedWindows, Windows
from wellread.training.budget import Course
from wellread.training.checkpoints import read_clock, read_state
from wellread.training.log import Log, Progress
from wellread.types import Checkpoint


def train(
    model: Any,
    tokenizer: Any,
    windows: Windows,
    validation: FixedWindows,
    stage: Stage,
    *,
    folder: Path,
    base: str | None,
    seed: int,
    fingerprint: str,
    progress: Callable[[Progress], None] = lambda now: None,
    say: Callable[[str], None] = lambda line: None,
) -> Checkpoint:
    """Train what asks for gradients in `model`, within the stage's budget, and save it to `folder/checkpoint`.

    `folder/log.jsonl` is the curve (see log.py); `folder/resume` holds what an interrupted run goes on from, and is
    removed at the end. `fingerprint` says which work this is: a finished checkpoint with the same one is returned as it
    stands. `progress` hears of every line of training in the log, `say` of a damaged checkpoint that was passed over.

    Ctrl-C saves the state and raises KeyboardInterrupt. Raises StorageError (full disk, read-only folder; the
    checkpoint before it stays), RunError (the loss is no number, memory does not suffice), RecipeError (no window to
    train on).
    """
    finished = weights.read_checkpoint(folder / "checkpoint")
    if finished is not None:
        if finished.fingerprint != fingerprint:
            raise RunError(f"{finished.path}: the finished work of another recipe; remove it, or choose another --out.")
        return finished
    with _memory(stage):
        _train(
            model, windows, validation, stage,
            folder=folder, seed=seed, fingerprint=fingerprint, progress=progress, say=say,
        )  # fmt: skip
    saved = weights.save(
        model, tokenizer, folder / "checkpoint", method=stage.method.kind, base=base, fingerprint=fingerprint
    )
    shutil.rmtree(folder / "resume", ignore_errors=True)
    return saved


def _train(
    model: Any,
    windows: Windows,
    validation: FixedWindows,
    stage: Stage,
    *,
    folder: Path,
    seed: int,
    fingerprint: str,
    progress: Callable[[Progress], None],
    say: Callable[[str], None],
) -> None:
    """From the last checkpoint, or the beginning, to the end of the budget; the model has the kept weights then."""
    from wellread.training.dropout import dropout
    from wellread.training.optimizers import make_optimizer
    from wellread.training.session import Session
    from wellread.training.trainer import EveryStep, StageTrainer, interruptible

    resume = folder / "resume"
    state = read_state(resume, fingerprint, say)
    log = Log(folder / "log.jsonl", lines=state.facts["lines"] if state else 0)
    model.to(weights.device())
    size = stage.optimizer.batch
    windows.set_epoch(0)
    course = Course(stage.budget, windows=len(windows), batch=size)
    place = {} if state is None else {"epoch": state.facts["epoch"], "place": state.facts["place"]}
    scratch = isinstance(stage.method, Scratch)
    batches = Batches(windows, size, **place, share=lambda: course.share if scratch else 1.0)
    session = Session(
        model, make_optimizer(model, stage.optimizer), batches, validation, stage,
        folder=resume, fingerprint=fingerprint, course=course, log=log,
        autocast=weights.precision(stage.precision, model.device).autocast, progress=progress,
    )  # fmt: skip
    if state is not None:
        session.restore(state, max(state.facts["seconds"], read_clock(resume)))
    share = stage.method.dropout if isinstance(stage.method, Scratch) else 0.0
    with interruptible(session), dropout(model, share):
        session.begin()
        if session.course.step == 0 or not session.course.over:
            trainer = StageTrainer(session, stage.optimizer, folder=folder, seed=seed)
            trainer.add_callback(EveryStep(session, state.tensors if state else None, seed))
            trainer.train()
        session.finish()
    if session.interrupted:
        raise KeyboardInterrupt
    model.config.use_cache = True
    model.to("cpu").eval()


@contextmanager
def _memory(stage: Stage) -> Iterator[None]:
    """Say in one line what to do when memory does not suffice."""
    import torch

    advice = f"lower optimizer.batch ({stage.optimizer.batch}) or windows.length ({stage.windows.length})."
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunError(f"the GPU's memory does not suffice; {advice}") from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            raise RunError(f"memory does not suffice; {advice}") from error
        raise
