"""Two processes over gloo: the same curve as one, the same weights after a kill, one log, and weights shared out."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from training_pair import main, measured_dose
from training_toy import BATCH, LENGTH, digest, log, toy_stage, toy_train
from waiting import PATIENCE

from wellread import weights
from wellread.recipe import Stage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(os, "fork") or weights.device().type != "cpu",
        reason="forks, and gloo is for processes without GPUs",
    ),
]
ADAMW = {"kind": "adamw", "learning_rate": 0.01}
LORA = {"kind": "lora", "rank": 4}
CALM = {"kind": "scratch", "dropout": 0.0}
NOISY = {"kind": "scratch", "dropout": 0.1}
OFTEN = {"checkpoint_minutes": 1e-9}

EACH: dict[str, Any] = {"budget": {"steps": 6}, "evaluations": 6}
"""Validation, and so a line of the log, after every step."""
STAGES = {
    "muon": toy_stage(method=CALM, keep="best", **EACH),
    "odd": toy_stage(method=CALM, optimizer={**ADAMW, "batch": 5, "micro_batch": 2}, goldfish=4,
                     **{**EACH, "budget": {"epochs": 3}}),
    "lora": toy_stage(method=LORA, optimizer=ADAMW, keep="average", **EACH),
    "shared-full": toy_stage(method=CALM, optimizer=ADAMW, shard=True, keep="best", **EACH),
    "shared-lora": toy_stage(method=LORA, optimizer={**ADAMW, "micro_batch": 1}, shard=True, **EACH),
}  # fmt: skip
UNTIL = toy_stage(method=CALM, optimizer=ADAMW, until="bits_per_byte(validation) > 0.5", shard=True)
MEASURED = toy_stage(method=CALM, optimizer={**ADAMW, "learning_rate": 0.02}, shard=True,
                     until="bits_per_byte(validation) < 4.6")  # fmt: skip
RESUMED = {
    "resumed": toy_stage(method=NOISY, keep="average", **OFTEN),
    "resumed-shared": toy_stage(method=NOISY, optimizer=ADAMW, keep="best", shard=True, **OFTEN),
}


def torchrun(*jobs: dict[str, Any]) -> None:
    """Train the jobs as a user does."""
    script = str(Path(__file__).with_name("training_pair.py"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", script]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, json.dumps(jobs)], capture_output=True, text=True, env=environment, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr[-4000:]


def forked(*jobs: dict[str, Any]) -> list[int]:
    """Train the jobs in two children of this process, which has loaded every library; their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def work(rank: int) -> None:
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port, "OMP_NUM_THREADS": 1}  # fmt: skip
        os.environ.update({name: str(value) for name, value in told.items()})
        AcceleratorState._reset_state(reset_partial_state=True)
        main(list(jobs))
        os._exit(0)

    children = [multiprocessing.get_context("fork").Process(target=work, args=[rank]) for rank in (0, 1)]
    for child in children:
        child.start()
    for child in children:
        child.join(timeout=PATIENCE)
    for child in children:
        if child.is_alive():
            child.kill()
            child.join()
    return [child.exitcode or 0 for child in children]


def job(folder: Path, stage: Stage, **event: list[int]) -> dict[str, Any]:
    return {"folder": str(folder), "stage": stage.model_dump(mode="json"), **event}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two processes trained every stage."""
    folder = tmp_path_factory.mktemp("pair")
    toy_train(folder / "warm", toy_stage(method=LORA, budget={"steps": 1}, optimizer=ADAMW))
    stages = {**STAGES, **RESUMED, "until": UNTIL}
    pressed = [job(folder / "pressed", RESUMED["resumed"], **event) for event in ({"press": [1, 7]}, {})]
    measured = {**job(folder / "measured", MEASURED), "measured": True}
    assert forked(*(job(folder / name, stage) for name, stage in stages.items()), *pressed, measured) == [0, 0]
    return folder


@pytest.mark.parametrize("name", list(STAGES))
def test_two_processes_learn_what_one_learns(pair: Path, tmp_path: Path, name: str) -> None:
    toy_train(tmp_path / "one", STAGES[name], base=pair / f"{name}-base")
    one, two = log(tmp_path / "one"), log(pair / name)
    for key in ("loss", "validation_loss", "validation_tokens", "step", "tokens", "learning_rate"):
        expected = [row[key] for row in one if key in row]
        assert len(expected) >= 6
        assert [row[key] for row in two if key in row] == pytest.approx(expected, rel=2e-4), key
    mine, theirs = (dict(weights.load_checkpoint(place / "checkpoint").model.named_parameters())
                    for place in (tmp_path / "one", pair / name))  # fmt: skip
    assert mine.keys() == theirs.keys()
    for key in mine:
        assert torch.allclose(mine[key], theirs[key], atol=2e-3), key
    assert sorted(path.name for path in (pair / name).iterdir()) == ["checkpoint", "log.jsonl"]


def test_torchrun_starts_such_a_pair(pair: Path, tmp_path: Path) -> None:
    torchrun(job(tmp_path / "odd", STAGES["odd"]))
    assert digest(tmp_path / "odd" / "checkpoint") == digest(pair / "odd" / "checkpoint")


def test_the_first_process_decides_when_to_stop(pair: Path) -> None:
    rows = log(pair / "until")
    assert [row["dose"] for row in rows if "dose" in row] == [0, 0, 1]
    assert rows[-1]["stopped"] == "until: bits_per_byte(validation) > 0.5, measured 1"
    assert rows[-1]["step"] == 8


def test_weights_shared_out_are_measured_as_whole_ones_are(pair: Path, tmp_path: Path) -> None:
    """The dose as a run measures it stops both processes where it stops one."""
    toy_train(tmp_path / "one", MEASURED, dose=measured_dose(MEASURED, tmp_path / "one"))
    one, two = log(tmp_path / "one"), log(pair / "measured")
    doses = [[row["dose"] for row in rows if "dose" in row] for rows in (one, two)]
    assert doses[1] == pytest.approx(doses[0], rel=1e-4)
    assert doses[0][0] > doses[0][1] > 4.6 > doses[0][2]
    assert (one[-1]["step"], two[-1]["step"]) == (8, 8)
    assert two[-1]["stopped"].startswith("until: bits_per_byte(validation) < 4.6, measured 4.")


def test_ctrl_c_in_one_stops_both_and_nothing_is_lost(pair: Path) -> None:
    assert digest(pair / "pressed" / "checkpoint") == digest(pair / "resumed" / "checkpoint")


@pytest.mark.parametrize(("name", "rank"), [("resumed", 1), ("resumed-shared", 0)])
def test_either_killed_ends_with_the_same_weights(pair: Path, tmp_path: Path, name: str, rank: int) -> None:
    killed = forked(job(tmp_path / name, RESUMED[name], kill=[rank, 5 * BATCH // 2 + 1]))
    assert killed[rank] == -signal.SIGKILL
    assert killed[1 - rank] != 0
    assert not (tmp_path / name / "checkpoint").exists()
    assert forked(job(tmp_path / name, RESUMED[name])) == [0, 0]
    assert digest(tmp_path / name / "checkpoint") == digest(pair / name / "checkpoint")
    rows = log(tmp_path / name)
    assert [row["tokens"] for row in rows] == [row["step"] * BATCH * LENGTH for row in rows]
