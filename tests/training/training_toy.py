"""A text that can be learned, a model of 30,000 weights, and a process that can be killed: for the tests of this room.

Run as a script, it trains: `python training_toy.py FOLDER MODEL STAGE-AS-JSON`.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

from wellread import weights
from wellread.recipe import Lora, Stage
from wellread.testing import byte_tokenizer, tiny_model
from wellread.training import fitting, processes, train
from wellread.types import Checkpoint

if TYPE_CHECKING:
    import pytest

LENGTH = 64
"""Long enough that windows are read in two pieces until four fifths of the budget."""
BATCH = 4


class ToyWindows:
    """Windows over a fixed random walk among 20 tokens: every token is its forerunner plus 1 or 2."""

    def __init__(self, count: int = 10, seed: int = 0, *, watch: Callable[[int, int], None] | None = None) -> None:
        steps = torch.randint(1, 3, (count * LENGTH,), generator=torch.Generator().manual_seed(seed))
        self._text = steps.cumsum(0) % 20 + 40
        self._count, self._seed, self._watch = count, seed, watch
        self.set_epoch(0)

    def __len__(self) -> int:
        return self._count

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        order = torch.Generator().manual_seed(1000 * self._seed + epoch)
        self._order = torch.randperm(self._count, generator=order).tolist()

    def __getitem__(self, place: int) -> dict[str, list[int]]:
        if self._watch is not None:
            self._watch(self._epoch, place)
        start = self._order[place] * LENGTH
        ids = self._text[start : start + LENGTH].tolist()
        return {"input_ids": ids, "labels": list(ids)}


class Clock:
    """A clock that stands until a test moves it, in the place of those by which a stage counts its minutes: what takes so
    many seconds then takes them on any machine, at work with other things or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(processes.Together, "now", lambda together: self.now)
        monkeypatch.setattr(fitting, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def each(self, seconds: float, then: Callable[[int, int], None] | None = None) -> Callable[[int, int], None]:
        """A watcher of windows: each takes so many seconds; what comes `then` is another watcher."""

        def watch(epoch: int, place: int) -> None:
            self.now += seconds
            if then is not None:
                then(epoch, place)

        return watch


def toy_stage(**changes: Any) -> Stage:
    """Twelve steps of Muon with dropout, in float32; `changes` are fields of Stage, `optimizer` those of Optimizer."""
    settled = {"kind": "muon", "batch": BATCH, "learning_rate": 3e-3, "weight_decay": 0.1}
    optimizer = {**settled, **changes.pop("optimizer", {})}
    plain = {
        "name": "read",
        "method": {"kind": "scratch", "dropout": 0.1},
        "windows": {"length": LENGTH},
        "budget": {"steps": 12},
        "evaluations": 3,
        "precision": "float32",
    }
    return Stage.model_validate({**plain, "optimizer": optimizer, **changes})


def toy_model(stage: Stage, folder: Path) -> tuple[Any, Any]:
    """A model and tokenizer the method's way: from nothing, or a tiny base with an adapter (its base in `folder`)."""
    if isinstance(stage.method, Lora):
        if not (folder / "config.json").exists():
            tiny_model(folder, positions=LENGTH)
        opened = weights.open_base(str(folder))
        return weights.adapt(opened.model, stage.method, seed=5), opened.tokenizer
    tokenizer = weights.open_tokenizer(byte_tokenizer(folder))
    shape = weights.Shape(hidden=32, layers=2, heads=2, key_value_heads=1, intermediate=64)
    return weights.build(shape, tokenizer, length=LENGTH, seed=5), tokenizer


def toy_train(
    folder: Path, stage: Stage, *, base: Path | None = None, windows: ToyWindows | None = None, model: Any = None,
    validation: ToyWindows | None = None, seed: int = 3, **options: Any,
) -> Checkpoint:  # fmt: skip
    """Train into `folder`; the base or tokenizer is beside it, in `base`."""
    base = base or folder.parent / f"{folder.name}-base"
    with processes.first_goes_first():
        made, tokenizer = toy_model(stage, base)
    return train(
        model if model is not None else made,
        tokenizer,
        windows or ToyWindows(),
        validation or ToyWindows(3, seed=9),
        stage,
        folder=folder,
        base=str(base) if isinstance(stage.method, Lora) else None,
        seed=seed,
        fingerprint="0123abcd",
        **options,
    )


def digest(checkpoint: Path) -> str:
    """A hash of the weights that a checkpoint's folder holds."""
    whole = hashlib.sha256()
    for path in sorted(checkpoint.glob("*.safetensors")):
        whole.update(path.read_bytes())
    return whole.hexdigest()


def final(folder: Path) -> dict[str, torch.Tensor]:
    """The weights that a stage ended with, by name."""
    return dict(weights.load_checkpoint(folder / "checkpoint").model.state_dict())


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def in_child(work: Callable[[], None]) -> int:
    """Do the work in a forked process, one thread, and return its exit code (minus the signal that killed it)."""
    from waiting import PATIENCE  # which a script of this room does not find

    def quietly() -> None:
        torch.set_num_threads(1)
        work()

    child = multiprocessing.get_context("fork").Process(target=quietly)
    child.start()
    child.join(timeout=PATIENCE)
    assert child.exitcode is not None, "the child process hangs"
    return child.exitcode


def die_at(count: int, number: int = 9) -> Callable[[int, int], None]:
    """A watcher of windows that kills its own process, as `kill -9` would, at the given reading of a window; or sends
    it another signal, once."""
    seen = 0

    def watch(epoch: int, place: int) -> None:
        nonlocal seen
        seen += 1
        if seen == count:
            os.kill(os.getpid(), number)

    return watch


if __name__ == "__main__":
    target, where, text = sys.argv[1:]
    toy_train(Path(target), Stage.model_validate_json(text), base=Path(where), windows=ToyWindows(200))
    sys.stdout.write(digest(Path(target) / "checkpoint") + "\n")
