"""A run is a folder with a fixed layout: names in, paths out; and one process at a time works on it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wellread.errors import RunError, UsageError
from wellread.storage import read_json, read_rows, storage_errors

BASE_STAGE = "00-base"
GO_ON = "`wellread run` with the same words goes on with it."
STORE = "chunks.lance"
"""The table in a folder that is a store of documents."""


@dataclass(frozen=True, slots=True)
class Run:
    """`runs/NAME-FINGERPRINT`; every path below it is derived here and nowhere else."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def environment(self) -> Path:
        return self.path / "environment.json"

    @property
    def lock(self) -> Path:
        """There while a process works on the run; it holds that one's number."""
        return self.path / "run.lock"

    @property
    def corpus(self) -> Path:
        return self.path / "corpus"

    @property
    def synthesis(self) -> Path:
        """The conversations and questions that were written about a glossary."""
        return self.path / "synthesis"

    @property
    def questions(self) -> Path:
        """What is asked, by part."""
        return self.path / "questions"

    @property
    def preparation(self) -> Path:
        """What the steps before the training of a fair fight took."""
        return self.path / "preparation.json"

    @property
    def measurements(self) -> Path:
        return self.path / "measurements.jsonl"

    @property
    def dial(self) -> Path:
        """Measurements along the dial, of every stage that was turned."""
        return self.path / "dial.jsonl"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def reading(self) -> Path:
        return self.path / "reading.html"

    def tokens(self, stage: str) -> Path:
        return self.path / "tokens" / stage

    def stage(self, number: int, name: str) -> Stage:
        return Stage(self.path / "stages" / f"{number:02}-{name}")

    def stages(self) -> list[Stage]:
        """Every stage that has begun, base first."""
        folder = self.path / "stages"
        return [Stage(path) for path in sorted(folder.iterdir()) if path.is_dir()] if folder.is_dir() else []

    def last_checkpoint(self, stage: str | None = None) -> Path:
        """The checkpoint of the named or the last finished stage. Raises UsageError where there is none."""
        finished = [each for each in self.stages() if each.checkpoint.is_dir()]
        if not finished:
            raise UsageError(f"{self.path}: the run has no finished stage; {GO_ON}")
        if stage is None:
            return finished[-1].checkpoint
        for each in reversed(finished):
            if stage in {each.name, each.path.name}:
                return each.checkpoint
        there = ", ".join(each.name for each in finished)
        coming = "" if self.report.is_file() else f"; {GO_ON[:-1]}"  # with its report a run has ended
        raise UsageError(f"{self.path}: the run has no finished stage {stage!r}; there are: {there}{coming}.")


@dataclass(frozen=True, slots=True)
class Stage:
    path: Path

    @property
    def name(self) -> str:
        return self.path.name.partition("-")[2]

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def samples(self) -> Path:
        return self.path / "samples.jsonl"

    @property
    def passages(self) -> Path:
        """What was written so that the style could be measured."""
        return self.path / "passages.jsonl"

    @property
    def answers(self) -> Path:
        return self.path / "answers.jsonl"

    @property
    def table(self) -> Path:
        """The answers again, for spreadsheets."""
        return self.path / "answers.csv"

    @property
    def measurements(self) -> Path:
        return self.path / "measurements.jsonl"

    @property
    def so_far(self) -> Path:
        """What has been measured while not all is; there from when that begins until it is done."""
        return self.path / "measured-so-far.jsonl"

    @property
    def dial_so_far(self) -> Path:
        """The same along the dial."""
        return self.path / "dial-so-far.jsonl"

    @property
    def rounding(self) -> Path:
        """What rounding the base cost, before and after training."""
        return self.path / "quantization.json"

    @property
    def scores(self) -> Path:
        return self.path / "scores.npz"


def now() -> str:
    """This moment, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def clear_prepared(run: Run) -> None:
    """Make room for another run where this one has been prepared and nothing of it has begun: no stage, no answer, nothing
    written by an endpoint. Raises UsageError where more is there, or what a run does not make."""
    own = (run.recipe, run.environment, run.corpus, run.questions, run.preparation, run.path / "store")
    if not {each.name for each in run.path.iterdir()} <= {run.lock.name, *(each.name for each in own)}:
        raise UsageError(f"{run.path} holds a run of other texts or settings; choose another --out.")
    with storage_errors(run.path):
        for each in reversed(own):  # the recipe goes last: until then it is still that run
            if each.is_dir():
                shutil.rmtree(each)
            else:
                each.unlink(missing_ok=True)


def is_run(path: Path) -> bool:
    return (path / "recipe.yaml").is_file() and (path / "corpus").is_dir()


def is_store(path: Path) -> bool:
    """Whether a folder is a store of documents, as `wellread index` makes it."""
    return os.path.isdir(path / STORE)


def open_run(path: str | Path) -> Run:
    """An existing run folder. Raises UsageError where it is none."""
    if not is_run(Path(path)):
        raise UsageError(
            f"{path} is not a run folder (no recipe.yaml and corpus/ in it); `wellread list runs` shows yours."
        )
    return Run(Path(path))


def training_costs(logs: Sequence[Path]) -> dict[str, Any]:
    """Seconds and tokens of stages' logs together, and the most memory in bytes; nothing where a stage has no log."""
    if not all(log.is_file() for log in logs):
        return {}
    rows = [read_rows(log) for log in logs]
    ends = [each[-1] for each in rows if each]
    memory = [int(row["memory_bytes"]) for each in rows for row in each if row.get("memory_bytes")]
    return {
        "seconds": sum(float(end.get("elapsed_seconds", 0)) for end in ends),
        "tokens": sum(int(end.get("tokens", 0)) for end in ends),
        "memory_bytes": max(memory, default=None),
    }


def step_costs(run: Run, steps: Collection[str]) -> tuple[float, int]:
    """Seconds of steps before the training of a fair fight together, and the most memory in bytes; 0 for one that was not taken."""
    kept = read_json(run.preparation, optional=True) or {}
    taken = [kept[step] for step in steps if step in kept]
    return sum(float(each["seconds"]) for each in taken), max((int(each["bytes"]) for each in taken), default=0)


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """One process at a time works on a run; a lock whose process is gone is taken over. Raises RunError."""
    lock = run.lock
    with storage_errors(run.path):
        run.path.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                break
            except FileExistsError:
                found = holder(lock)
                if found is not None:
                    who = f"process {found}" if found else "another process"
                    raise RunError(f"{who} works on {run.path} already; wait for it, or stop it.") from None
                lock.unlink(missing_ok=True)
        os.write(handle, str(os.getpid()).encode())
        os.close(handle)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def holder(lock: Path) -> int | None:
    """The living process that holds a lock, if there is one; a lock just made may not name it yet."""
    import psutil

    try:
        text, written = lock.read_text(encoding="utf-8"), lock.stat().st_mtime
        process = int(text or "0")
        if not process:
            return process if time.time() - written < 5 else None
        return process if psutil.Process(process).create_time() <= written + 1 else None
    except psutil.AccessDenied:
        return process
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
