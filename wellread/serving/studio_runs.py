"""A recipe and texts in, a run in a process of its own out; and what its folder says of how far it has come.

The page knows nothing that the folder does not: it may be closed, opened twice, or the studio started again. Beside what
every run holds, the folder has `studio.json` (the words of the command, the process) and `studio.log` (what it said).
"""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from wellread.errors import RunError, UsageError
from wellread.recipe import Recipe, parse_recipe, shipped
from wellread.runs import Run, holder, is_run
from wellread.serving.studio_files import safe_name
from wellread.storage import read_json, storage_errors, stream_rows, write_json

State = Literal["working", "finished", "stopped", "failed"]
_FAILED = re.compile(r"wellread: (?!interrupted)|[\w.]*(Error|Exception)\b")
"""How the last line of a run begins that did not end well: an error told in a line, or one that nobody foresaw."""
SAID = 6
"""Last lines of what a run said that are shown."""
QUIET = 120.0
"""Seconds without a file written after which a run whose process is not to be seen is taken for stopped."""
QUIET_HERE = 3600.0
"""The same of a process that lives here: it may be measuring. Longer: the number is another's, and the lock was left behind."""
ELSEWHERE = "in a notebook or a terminal"
WRITTEN = ("", "*", "stages/*", "stages/*/*", "stages/*/resume/*", "tokens/*/*", "folds/*/stages/*/*")
"""Where a run leaves signs that it is at work."""


@dataclass(frozen=True, slots=True)
class Point:
    """One line of a training log."""

    stage: str
    step: int
    minutes: float
    loss: float | None = None
    bits: float | None = None
    """Validation bits per byte, about: the loss per token, by the tokens that the part's bytes took."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is."""

    name: str
    state: State
    doing: str
    """One line."""
    points: tuple[Point, ...] = ()
    share: float | None = None
    """Of the training of the stage that is under way; None outside training."""
    seconds_left: float | None = None
    samples: tuple[tuple[str, str, str], ...] = ()
    """Subject, beginning and what it wrote, of every subject that has written; of a stage in training, at its latest evaluation."""
    said: tuple[str, ...] = ()
    verdict_there: bool = False
    may_stop: bool = False
    may_resume: bool = False


def runs_in(folder: Path) -> list[str]:
    """Names of the runs below a folder, the latest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if is_run(path) or (path / "studio.json").is_file()]
    return [path.name for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)]


def taught_in(folder: Path) -> list[str]:
    """Of `runs_in`, those with a finished stage: what can write, be read and compared."""
    return [name for name in runs_in(folder) if any(stage.checkpoint.is_dir() for stage in Run(folder / name).stages())]


def run_named(name: str | None, folder: Path) -> Run:
    """The run of this name. Raises UsageError for any other string, whatever path it spells."""
    if not name:
        raise UsageError("no run is chosen; choose one from the list, or start one under “Runs”.")
    if name not in runs_in(folder):
        raise UsageError(f"there is no run {name[:80]!r} here; choose one from the list.")
    return Run(folder / name)


def start_run(recipe: str, texts: Sequence[Path], folder: Path, *, minutes: float | None, quick: bool = True) -> Run:
    """Start a shipped recipe on texts, in a folder that no other run has; `minutes` of training, or as the recipe says.

    Raises UsageError for a recipe there is not.
    """
    if recipe not in shipped():
        raise UsageError(f"there is no recipe {recipe[:80]!r}; there are: {', '.join(shipped())}.")
    if minutes is not None and not 0.05 <= minutes <= 7 * 24 * 60:
        raise UsageError(f"a run takes 0.05 minutes to a week; found {minutes:g} minutes.")
    this = _own_folder(folder, f"{recipe}-{safe_name(texts[0].name)}")
    trained = [] if minutes is None else ["--minutes", f"{minutes:g}"]
    words = ["run", recipe, *(str(text.resolve()) for text in texts), *trained, "--quick" if quick else "--full", "--out",
             str(this.path.resolve())]  # fmt: skip
    _launch(this, words)
    return this


def resume_run(this: Run) -> None:
    """Go on with a run that was stopped. Raises RunError while it works, UsageError where the studio did not start it."""
    note = this.path / "studio.json"
    if not note.is_file():
        raise UsageError(f"{this.name} was not started here; `wellread run` with its own words goes on with it.")
    if is_working(this):
        raise RunError(f"{this.name} works already.")
    if works_elsewhere(this):
        raise RunError(f"{this.name} works already, {ELSEWHERE}.")
    _launch(this, list(read_json(note)["words"]))


def stop_run(this: Run) -> None:
    """Ask a run to stop, as Ctrl-C does: it saves where it is and ends. Raises RunError where nothing works on it.

    On Windows, where this has not been tried, the process is ended; it goes on from the last state that it had saved.
    """
    process = _process(this)
    if process is None and works_elsewhere(this):
        raise RunError(f"{this.name} works {ELSEWHERE}: stop it there.")
    if process is None:
        raise RunError(f"nothing works on {this.name} now.")
    if sys.platform == "win32":
        process.terminate()
    else:
        process.send_signal(signal.SIGINT)
    note = this.path / "studio.json"
    write_json(note, {**read_json(note), "stopped": True})


def is_working(this: Run) -> bool:
    """Whether a process that the studio started is at work on a run."""
    return _process(this) is not None


def works_elsewhere(this: Run) -> bool:
    """Whether a process that somebody else started is at work on a run: its lock is there, and files were written of late.

    That process may live in another container, where its number means nothing: so what it wrote is enough.
    """
    note = this.path / "studio.json"
    try:
        if note.is_file() and int(this.lock.read_text(encoding="utf-8")) == read_json(note)["process"]:
            return False  # the studio's own, whose life is known
        known = holder(this.lock) is not None
    except (OSError, ValueError):
        return False  # there is no lock, or it is just being made
    return this.lock.is_file() and time.time() - last_sign(this) < (QUIET_HERE if known else QUIET)


def last_sign(this: Run) -> float:
    """When a run's folder was last written to, in seconds since 1970; 0 where there is none."""
    latest = 0.0
    for pattern in WRITTEN:
        for path in this.path.glob(pattern) if pattern else [this.path]:
            with suppress(OSError):  # it may be gone by now
                latest = max(latest, path.stat().st_mtime)
    return latest


def status(this: Run) -> Status:
    """What the folder says of a run. Reads files alone; what is not there yet is not told."""
    note = this.path / "studio.json"
    asked_to_stop = note.is_file() and read_json(note).get("stopped", False)
    said = _said(this.path / "studio.log")
    points = [point for stage in this.stages() for point in _points(this, stage.path)]
    recipe = _recipe(this)
    samples = tuple(_samples(this))
    ended = this.measurements.is_file() and this.report.is_file()
    begun_here = note.is_file()
    mine = is_working(this)
    if mine or works_elsewhere(this):
        share, left = _training(this, recipe)
        stopping = mine and asked_to_stop
        said = said if mine else ()
        doing = "stopping, and saving where it is" if stopping else (said[-1] if said else "beginning")
        if share is not None and not stopping:
            doing = "training" if share < 1 else "trained; writing and measuring now"
        doing += "" if mine else f", {ELSEWHERE}"
        return Status(
            this.name, "working", doing, tuple(points), share, left, samples, said, may_stop=mine and not stopping
        )
    if ended:
        return Status(
            this.name, "finished", "finished: its certificate is below", tuple(points), None, None, samples, said, True
        )
    if begun_here and not asked_to_stop and said and _FAILED.match(said[-1]):
        why = said[-1].removeprefix("wellread: ")
        for word in read_json(note)["words"]:  # what was uploaded, by the name that its owner knows
            why = why.replace(word, Path(word).name) if Path(word).is_absolute() else why
        return Status(this.name, "failed", why, tuple(points), None, None, samples, said, may_resume=True)
    doing = "stopped; Resume goes on where it was"
    if not begun_here:
        doing = "not finished, and nothing works on it; it was begun at the command line or in a notebook"
    return Status(this.name, "stopped", doing, tuple(points), None, None, samples, said, may_resume=begun_here)


def duration_left(recipe: Recipe, stage: str, row: dict[str, Any], now: float) -> tuple[float, float] | None:
    """Of a stage in training, which share of its budget is used, and the seconds that are left; None where nobody knows.

    `now` are the seconds since the line was written, which count as training.
    """
    budget = next((each.budget for each in recipe.stages if each.name == stage), None)
    elapsed = float(row.get("elapsed_seconds", 0.0)) + now
    if budget is None:
        return None
    if budget.minutes is not None:
        left = max(0.0, 60 * budget.minutes - elapsed)
        return 1 - left / (60 * budget.minutes), left
    taken = row.get("step", 0)
    done = {"steps": taken, "tokens": row.get("tokens", 0), "epochs": row.get("epochs", 0), "least_steps": taken}
    # of epochs with least_steps, whichever is further from its end
    share = min((done[key] / limit for key in done if (limit := getattr(budget, key))), default=0.0)
    return (min(share, 1.0), elapsed * (1 / share - 1)) if share > 0 else None


def _own_folder(folder: Path, name: str) -> Run:
    """A new folder of this name, or of the name and a number: made at once, so that two who ask never get one."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            place = folder / (name if number == 1 else f"{name}-{number}")
            try:
                place.mkdir()
            except FileExistsError:
                continue
            return Run(place)
    raise RunError(f"{folder}: ten thousand runs are called {name}; delete some.")


def _launch(this: Run, words: list[str]) -> None:
    """A process that outlives the studio; its id is kept with its birth, so that another of that id is never taken for it."""
    import psutil

    command = [sys.executable, "-c", _MAIN, *words]
    apart = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # of Windows
    with storage_errors(this.path), (this.path / "studio.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, creationflags=apart
        )
    try:
        born = psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        born = time.time()
    write_json(this.path / "studio.json", {"words": words, "process": process.pid, "born": born, "stopped": False})


_MAIN = """import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from wellread.cli import main
main()"""
# a studio in the background of a shell ignores Ctrl-C, and would hand that on


def _process(this: Run) -> Any:
    """The living process of a run, if there is one."""
    import psutil

    note = this.path / "studio.json"
    if not note.is_file():
        return None
    kept = read_json(note)
    try:
        process = psutil.Process(kept["process"])
        alive = abs(process.create_time() - kept["born"]) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return process if alive else None


def _recipe(this: Run) -> Recipe | None:
    return parse_recipe(this.recipe.read_text(encoding="utf-8"), source=this.name) if this.recipe.is_file() else None


def _points(this: Run, stage: Path) -> list[Point]:
    log = stage / "log.jsonl"
    if not log.is_file():
        return []
    name = stage.name.partition("-")[2]
    counts = this.tokens(name) / "validation" / "counts.json"
    counted = read_json(counts) if counts.is_file() else {}
    found = []
    for row in stream_rows(log):
        loss, validation = row.get("loss"), row.get("validation_loss")
        bits = None
        if validation is not None and counted.get("bytes"):
            bits = validation / math.log(2) * counted["tokens"] / counted["bytes"]
        if row.get("weights") != "average":
            found.append(Point(name, row["step"], row["elapsed_seconds"] / 60, loss, bits))
    return found


def _training(this: Run, recipe: Recipe | None) -> tuple[float | None, float | None]:
    """The share and the seconds left of the stage that was begun last; None where it has not begun to train."""
    stages = [stage for stage in this.stages() if (stage.path / "log.jsonl").is_file()]
    if not stages or recipe is None:
        return None, None
    log = stages[-1].path / "log.jsonl"
    rows = list(stream_rows(log))
    if not rows:
        return None, None
    if stages[-1].checkpoint.is_dir():
        return 1.0, None
    found = duration_left(recipe, stages[-1].name, rows[-1], max(0.0, time.time() - log.stat().st_mtime))
    return found if found else (None, None)


def _samples(this: Run) -> list[tuple[str, str, str]]:
    found = []
    for stage in this.stages():
        name = "base" if stage.path.name.startswith("00") else stage.name
        log = stage.path / "log.jsonl"
        if stage.samples.is_file():
            found += [(name, row["prompt"], row["completion"]) for row in islice(stream_rows(stage.samples), 1)]
        elif log.is_file():
            rows = [row for row in stream_rows(log) if "completion" in row]
            found += [(f"step {row['step']:,} of {name}", row["prompt"], row["completion"]) for row in rows[-1:]]
    return found


def opening_of(this: Run) -> str:
    """What the run's own samples go on from; nothing where it has none yet."""
    return next((prompt for _, prompt, _ in _samples(this)), "")


def _said(log: Path) -> tuple[str, ...]:
    if not log.is_file():
        return ()
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return tuple(line for line in lines if line.strip())[-SAID:]
