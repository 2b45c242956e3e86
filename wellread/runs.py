"""A run is a folder with a fixed layout: names in, paths out, and files written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wellread.errors import RunError, StorageError, UsageError

BASE_STAGE = "00-base"


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
    def corpus(self) -> Path:
        return self.path / "corpus"

    @property
    def measurements(self) -> Path:
        return self.path / "measurements.jsonl"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

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
        if stage is not None:
            finished = [each for each in finished if stage in {each.name, each.path.name}]
        if not finished:
            which = f"stage {stage!r}" if stage else "finished stage"
            raise UsageError(
                f"{self.path}: the run has no {which}; `wellread run` with the same words goes on with it."
            )
        return finished[-1].checkpoint


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
    def measurements(self) -> Path:
        return self.path / "measurements.jsonl"


def now() -> str:
    """This moment, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def is_run(path: Path) -> bool:
    return (path / "recipe.yaml").is_file() and (path / "corpus").is_dir()


def open_run(path: str | Path) -> Run:
    """An existing run folder. Raises UsageError where it is none."""
    if not is_run(Path(path)):
        raise UsageError(
            f"{path} is not a run folder (no recipe.yaml and corpus/ in it); `wellread list runs` shows yours."
        )
    return Run(Path(path))


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turn what a disk can refuse into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            said = f"the disk of {folder} is full: free some space, then run the same command to go on."
        else:
            said = f"cannot write to {folder}: {error.strerror or error}. Choose another place with --out."
        raise StorageError(said) from error


def write_text(path: Path, text: str) -> None:
    """The whole file or the old one: written beside, then renamed. Raises StorageError."""
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with beside.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot read {path}: {error}. Run with another --out.") from None


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; an unfinished last line is left out. Only a line feed ends a line: text may hold U+2028."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error}.") from None
    rows = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            rows.append(json.loads(line))
        except ValueError:
            if number < len(lines):
                raise StorageError(
                    f"{path}, line {number}: not JSON. Delete the file, then run the same command again."
                ) from None
    return rows


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """One process at a time works on a run; a lock whose process is gone is taken over. Raises RunError."""
    lock = run.path / "run.lock"
    with storage_errors(run.path):
        run.path.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                handle = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                break
            except FileExistsError:
                holder = _holder(lock)
                if holder is not None:
                    who = f"process {holder}" if holder else "another process"
                    raise RunError(f"{who} works on {run.path} already; wait for it, or stop it.") from None
                lock.unlink(missing_ok=True)
        os.write(handle, str(os.getpid()).encode())
        os.close(handle)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _holder(lock: Path) -> int | None:
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
