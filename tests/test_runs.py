from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wellread import runs
from wellread.errors import RunError, UsageError
from wellread.runs import Run


def test_the_layout_is_the_contracts() -> None:
    this = Run(Path("runs/novel-1234"))
    assert this.stage(1, "imprint").checkpoint == Path("runs/novel-1234/stages/01-imprint/checkpoint")
    assert this.stage(1, "imprint").name == "imprint"
    assert this.tokens("imprint") == Path("runs/novel-1234/tokens/imprint")


def test_a_run_is_worked_on_by_one_process_at_a_time(tmp_path: Path) -> None:
    this = Run(tmp_path / "run")
    with runs.locked(this):
        child = f"from pathlib import Path; from wellread import runs\nwith runs.locked(runs.Run(Path({str(this.path)!r}))): pass"
        done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
        assert f"process {os.getpid()} works on" in done.stderr
    with runs.locked(this):
        pass


def test_a_lock_whose_process_is_gone_is_taken_over(tmp_path: Path) -> None:
    this = Run(tmp_path / "run")
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    this.path.mkdir()
    (this.path / "run.lock").write_text(child.stdout.strip(), encoding="utf-8")
    with runs.locked(this):
        pass
    with pytest.raises(RunError), runs.locked(this), runs.locked(this):
        pass


def test_the_last_finished_checkpoint_is_found_and_a_missing_stage_named(tmp_path: Path) -> None:
    this = Run(tmp_path)
    with pytest.raises(UsageError, match="no finished stage"):
        this.last_checkpoint()
    for stage in (this.stage(1, "one"), this.stage(2, "two")):
        stage.checkpoint.mkdir(parents=True)
    assert this.last_checkpoint() == this.stage(2, "two").checkpoint
    assert this.last_checkpoint("one") == this.stage(1, "one").checkpoint
    with pytest.raises(UsageError, match="'three'"):
        this.last_checkpoint("three")
    with pytest.raises(
        UsageError, match=r"no finished stage 'base'; there are: one, two; `wellread run` with the same"
    ):
        this.last_checkpoint("base")
    this.report.touch()
    with pytest.raises(UsageError, match=r"there are: one, two\.$"):
        this.last_checkpoint("base")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "recipe.yaml").write_text(json.dumps({}), encoding="utf-8")
    assert runs.open_run(tmp_path) == this
