"""What the studio sees of runs that it did not start, and of what a model writes while it trains."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from wellread.errors import RunError
from wellread.recipe import load_recipe, recipe_yaml
from wellread.runs import Run
from wellread.serving import studio_runs
from wellread.serving.studio_runs import resume_run, status, stop_run, works_elsewhere
from wellread.serving.studio_shown import followed
from wellread.serving.studio_tabs import looked
from wellread.storage import write_rows

NOBODY = 2**22 + 1
"""No process has this number."""


@pytest.fixture
def begun(tmp_path: Path) -> Run:
    """A run in training that somebody began in another container."""
    this = Run(tmp_path / "runs" / "novel-book")
    stage = this.stage(1, "imprint").path
    stage.mkdir(parents=True)
    this.corpus.mkdir()
    this.recipe.write_text(recipe_yaml(load_recipe("novel")), encoding="utf-8")
    this.lock.write_text(str(NOBODY))
    write_rows(stage / "log.jsonl", [{"step": 1, "elapsed_seconds": 1.0, "loss": 3.0}])
    return this


def aged(this: Run, seconds: float) -> None:
    """As if nothing had been written there for so long."""
    then = time.time() - seconds
    for path in (*this.path.rglob("*"), this.path):
        os.utime(path, (then, then))


def test_a_run_of_a_notebook_is_at_work_as_long_as_it_writes(begun: Run) -> None:
    told = status(begun)
    assert (told.state, told.doing) == ("working", "training, in a notebook or a terminal")
    assert (told.may_stop, told.may_resume) == (False, False)
    works, then = looked(begun.name, begun.path.parent)
    assert works
    with pytest.raises(RunError, match="stop it there"):
        stop_run(begun)
    aged(begun, 300)
    assert status(begun).state == "stopped"
    assert "nothing works on it" in status(begun).doing
    assert not looked(begun.name, begun.path.parent)[0]
    log = begun.stage(1, "imprint").path / "log.jsonl"
    os.utime(log)
    assert status(begun).state == "working"
    aged(begun, 60)
    now = looked(begun.name, begun.path.parent)
    assert now[0]
    assert now[1] != then
    assert looked(begun.name, begun.path.parent) == now
    begun.lock.unlink()
    assert status(begun).state == "stopped"
    ended = looked(begun.name, begun.path.parent)  # a page sees that it ended, however late it looks
    assert not ended[0]
    assert ended[1] != now[1]
    assert looked("nothing", begun.path.parent) == (False, "")


def test_a_process_that_is_to_be_seen_may_be_silent_for_longer(begun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    aged(begun, 600)
    assert not works_elsewhere(begun)
    monkeypatch.setattr(studio_runs, "holder", lambda lock: NOBODY)
    assert works_elsewhere(begun)
    aged(begun, 2 * studio_runs.QUIET_HERE)  # another took over the number: the run was killed long ago
    assert not works_elsewhere(begun)


def test_a_run_of_the_studio_that_was_killed_is_not_taken_for_another_s(begun: Run) -> None:
    note = {"words": ["run", "novel"], "process": NOBODY, "born": 1.0, "stopped": False}
    (begun.path / "studio.json").write_text(json.dumps(note))
    assert (status(begun).state, status(begun).may_resume) == ("stopped", True)
    begun.lock.write_text(str(NOBODY + 1))  # resumed in a terminal since
    assert (status(begun).state, status(begun).may_resume) == ("working", False)
    with pytest.raises(RunError, match="already, in a notebook"):
        resume_run(begun)


def test_what_it_wrote_last_is_shown_while_it_trains(begun: Run) -> None:
    stage = begun.stage(1, "imprint")
    rows = [
        {"step": step, "elapsed_seconds": float(step), "prompt": "It was ", "completion": f"<{step}>", "seconds": 0.5}
        for step in (1200, 2400)
    ]
    write_rows(stage.path / "log.jsonl", rows)
    base = begun.path / "stages" / "00-base"
    base.mkdir()
    write_rows(base / "samples.jsonl", [{"prompt": "It was ", "completion": "plain"}])
    now = status(begun)
    assert now.samples == (("base", "It was ", "plain"), ("step 2,400 of imprint", "It was ", "<2400>"))
    shown = followed(now)
    assert "What it wrote after step 2,400 of imprint" in shown
    assert "&lt;2400&gt;" in shown
    write_rows(stage.samples, [{"prompt": "It was ", "completion": "done"}])
    assert status(begun).samples[-1] == ("imprint", "It was ", "done")
