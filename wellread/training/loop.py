"""The one training loop: the same for weights created from nothing and for an adapter on a base.

What differs between methods is which parameters exist and which of them ask for gradients (`weights`). Killed at any
moment and called again, it goes on from its last checkpoint; with a budget in epochs, steps or tokens it then ends with
the very weights, bit for bit, of a run that nothing disturbed (same machine, same numbers of threads and processes).

Under `torchrun` every process calls it with the same arguments: each reads its slice of every step's windows, the first
writes the files and talks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread import weights
from wellread.errors import RunError
from wellread.recipe import Scratch, Stage
from wellread.recipe.stages import LOSS
from wellread.training import processes
from wellread.training.batches import Batches, FixedWindows, Windows, most_rows
from wellread.training.budget import Course
from wellread.training.checkpoints import State, read_clock, read_state
from wellread.training.fitting import dear_validation, fit_validation, nothing_fitted
from wellread.training.log import Log, Progress
from wellread.training.sharding import gather, shard
from wellread.types import Checkpoint

if TYPE_CHECKING:
    from wellread.training.session import Session


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
    dose: Callable[[Any], float] | None = None,
    watched: Callable[[Any], Mapping[str, float]] | None = None,
    sampler: Callable[[Any, float], Mapping[str, Any] | None] | None = None,
    report_to: Sequence[str] = (),
    run_name: str = "",
    progress: Callable[[Progress], None] = lambda now: None,
    say: Callable[[str], None] = lambda line: None,
) -> Checkpoint:
    """Train what asks for gradients in `model`, within the stage's budget, and save it to `folder/checkpoint`.

    `stage` is settled (`recipe.settle`). `dose` measures what `stage.until` speaks of, on the model in evaluation mode,
    with every validation; so is what is `watched`, by which `stage.best_by` may choose. After every validation but the first
    `sampler` is given the model and the seconds that it may take, and what it gives is a line of the log; it must change
    nothing, and in several processes it is not asked. `report_to` names trackers of
    transformers', which hear what the log says under `run_name`.

    `folder/log.jsonl` is the curve (see log.py); `folder/resume` holds what an interrupted run goes on from, and is
    removed at the end. `fingerprint` says which work this is: a finished checkpoint with the same one is returned as it
    stands. `progress` hears of every line of training in the log and of the end, `say` of a damaged checkpoint that was
    passed over, of validation that takes much of a budget in minutes and is cut to fewer windows for it, and of a stop before the
    budget's end.

    Ctrl-C saves the state and raises KeyboardInterrupt. Raises StorageError (full disk, read-only folder; the
    checkpoint before it stays), RunError (the loss is no number, memory does not suffice), RecipeError (no window to
    train on, what cannot be had together), MissingPackage (an optimizer's, a tracker's).
    """
    if stage.until and dose is None:
        raise ValueError(f"stage {stage.name} stops at {stage.until!r}, and nobody measures it: give a dose")
    if stage.best_by != LOSS and watched is None:
        raise RunError(
            f"stage {stage.name} keeps what is best by {stage.best_by}, and there is no validation question to ask."
        )
    finished = weights.read_checkpoint(folder / "checkpoint")
    if finished is not None:
        if finished.fingerprint != fingerprint:
            raise RunError(f"{finished.path}: the finished work of another recipe; remove it, or choose another --out.")
        return finished
    together = processes.Together()
    try:
        with _memory(stage):
            _train(
                model, windows, validation, stage, together, folder=folder, seed=seed, fingerprint=fingerprint,
                dose=dose, watched=watched, sampler=sampler, report_to=report_to, run_name=run_name, progress=progress,
                say=say if together.first else lambda line: None,
            )  # fmt: skip
        if together.first:
            weights.save(
                model, tokenizer, folder / "checkpoint", method=stage.method.kind, base=base, fingerprint=fingerprint
            )
            shutil.rmtree(folder / "resume", ignore_errors=True)
        together.meet()
    finally:
        together.close()
    return Checkpoint(folder / "checkpoint", stage.method.kind, base, fingerprint)


def _train(
    model: Any,
    windows: Windows,
    validation: FixedWindows,
    stage: Stage,
    together: processes.Together,
    *,
    folder: Path,
    seed: int,
    fingerprint: str,
    dose: Callable[[Any], float] | None,
    watched: Callable[[Any], Mapping[str, float]] | None,
    sampler: Callable[[Any, float], Mapping[str, Any] | None] | None,
    report_to: Sequence[str],
    run_name: str,
    progress: Callable[[Progress], None],
    say: Callable[[str], None],
) -> None:
    """From the last checkpoint, or the beginning, to the end of the budget; the model has the kept weights then."""
    from wellread.training.heap import freed_memory_kept
    from wellread.training.resuming import restore
    from wellread.training.session import forget_peak
    from wellread.training.tracking import check_trackers
    from wellread.training.trainer import StageTrainer, interruptible
    from wellread.training.twins import dressed

    check_trackers(report_to)
    sharded = stage.shard and together.world > 1
    if sharded:
        shard(model, stage, weights.device(), together.world)
    else:
        model.to(weights.device())
    forget_peak(weights.device())
    with processes.first_goes_first():
        state = read_state(folder / "resume", fingerprint, say)
    session = _session(model, windows, validation, stage, together, state,
                       folder=folder, fingerprint=fingerprint, dose=dose, watched=watched, sampler=sampler,
                       progress=progress)  # fmt: skip
    if state is not None:
        restore(session, state, together.of_first(max(state.facts["seconds"], read_clock(folder / "resume"))))
    share = stage.method.dropout if isinstance(stage.method, Scratch) else 0.0
    rows = most_rows(session.batches.micro, stage.windows.length, scratch=isinstance(stage.method, Scratch))
    on_cpu = weights.device().type == "cpu"
    with (
        freed_memory_kept(on_cpu),
        interruptible(session),
        dressed(model, share, rows=rows, world=together.world, sharded=sharded) as twins,
    ):
        if twins is not None:
            session.share_work(twins.crew)
        line = fit_validation(session, stage) if state is None else ""
        session.begin()
        if state is None and (line := line or dear_validation(stage, session.course.seconds, len(session.validation))):
            say(line)
        if not session.over:
            StageTrainer(session, stage.optimizer, folder=folder, seed=seed, sharded=sharded, twins=twins,
                         report_to=report_to, run_name=run_name).train()  # fmt: skip
        session.finish()
    if session.interrupted:
        raise KeyboardInterrupt
    if session.course.step == 0 and stage.budget.minutes and not session.brakes.why:
        raise RunError(nothing_fitted(stage, len(session.validation)))
    if session.brakes.why:
        say(f"stage {stage.name} stopped before its budget was spent ({session.brakes.why})")
    model.config.use_cache = True
    if sharded:
        gather(model, keep=together.first)
    else:
        model.to("cpu").eval()


def _session(
    model: Any, windows: Windows, validation: FixedWindows, stage: Stage, together: processes.Together,
    state: State | None, *, folder: Path, fingerprint: str, dose: Callable[[Any], float] | None,
    watched: Callable[[Any], Mapping[str, float]] | None, progress: Callable[[Progress], None],
    sampler: Callable[[Any, float], Mapping[str, Any] | None] | None,
) -> Session:  # fmt: skip
    """A session at the beginning, whose batches and log are where the state says."""
    from wellread.training.optimizers import make_optimizer
    from wellread.training.session import Session

    facts = state.facts if state else {"lines": 0, "epoch": 0, "place": 0, "tokens": 0}
    settings = stage.optimizer
    windows.set_epoch(0)
    course = Course(
        stage.budget, windows=len(windows), batch=settings.batch, length=stage.windows.length, clock=together.now
    )
    scratch = isinstance(stage.method, Scratch)
    batches = Batches(
        windows, settings.batch, epoch=facts["epoch"], place=facts["place"], tokens=facts["tokens"],
        share=lambda: course.share if scratch else 1.0, micro=settings.micro_batch,
        rank=together.rank, world=together.world, goldfish=stage.goldfish,
    )  # fmt: skip
    return Session(
        model, make_optimizer(model, settings), batches, validation, stage,
        folder=folder / "resume", fingerprint=fingerprint, course=course,
        log=Log(folder / "log.jsonl", lines=facts["lines"], written=together.first),
        autocast=weights.precision(stage.precision, model.device).autocast,
        progress=progress, dose=dose, watched=watched, together=together, sampler=sampler,
    )  # fmt: skip


@contextmanager
def _memory(stage: Stage) -> Iterator[None]:
    """Say in one line what to do when memory does not suffice."""
    import torch

    windows = stage.optimizer.micro_batch or stage.optimizer.batch
    advice = f"lower optimizer.micro_batch ({windows} windows at once now) or windows.length ({stage.windows.length})."
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunError(f"the GPU's memory does not suffice; {advice}") from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            raise RunError(f"memory does not suffice; {advice}") from error
        raise
