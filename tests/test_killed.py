"""`kill -9` at any moment, then the same command: it ends with the same weights as if nothing had happened."""

from __future__ import annotations

import hashlib
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from books import write_book
from waiting import PATIENCE, comes

RECIPE = """
name: killed
stages:
  - name: scratch
    method: {kind: scratch, size: tiny, vocabulary: 400, dropout: 0.1}
    windows: {length: 64, stride: 32}
    budget: {steps: 240}
    optimizer: {kind: muon, learning_rate: 3.0e-3, batch: 8}
    keep: average
    evaluations: 4
    checkpoint_minutes: 0.01
sampling: {max_tokens: 8, n: 1}
"""


def command(folder: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "wellread.cli",
        "run",
        str(folder / "killed.yaml"),
        str(folder / "book.txt"),
        "--out",
        "run",
    ]


TWO_THREADS = {**os.environ, "OMP_NUM_THREADS": "2"}


def weights_hash(folder: Path) -> str:
    return hashlib.sha256((folder / "run/stages/01-scratch/checkpoint/model.safetensors").read_bytes()).hexdigest()


def prepare(folder: Path) -> Path:
    folder.mkdir()
    write_book(folder / "book.txt")
    (folder / "killed.yaml").write_text(RECIPE, encoding="utf-8")
    return folder


def seconds_of(child: psutil.Popen) -> float:
    """Of the processor, so far."""
    try:
        spent = child.cpu_times()
    except psutil.NoSuchProcess:
        return math.inf
    return float(spent.user + spent.system)


def seconds_of_children() -> float:
    """Of the processor, of all processes that were started here and have ended."""
    spent = os.times()
    return spent.children_user + spent.children_system


@pytest.mark.slow
def test_ten_random_kills_change_nothing(tmp_path: Path) -> None:
    """The moments are told by the processor's seconds: other work on the machine puts none of them off until after the end."""
    calm = prepare(tmp_path / "calm")
    before = seconds_of_children()
    subprocess.run(command(calm), cwd=calm, check=True, capture_output=True, env=TWO_THREADS)
    took = seconds_of_children() - before
    disturbed = prepare(tmp_path / "disturbed")
    draw = random.Random(20261121)
    # early ones first: what each one leaves done, the next need not do
    moments = [draw.uniform(0.05, 0.3) for _ in range(5)] + [draw.uniform(0.3, 0.6) for _ in range(5)]
    killed = 0
    for moment in moments:
        child = psutil.Popen(
            command(disturbed), cwd=disturbed, env=TWO_THREADS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while child.poll() is None and seconds_of(child) < moment * took:
            time.sleep(0.01)
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            killed += child.wait() == -signal.SIGKILL
    done = subprocess.run(command(disturbed), cwd=disturbed, capture_output=True, text=True, env=TWO_THREADS)
    assert done.returncode == 0, done.stderr
    assert killed >= 3
    assert weights_hash(disturbed) == weights_hash(calm)


@pytest.mark.slow
def test_ctrl_c_exits_with_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = prepare(tmp_path / "interrupted")
    (folder / "killed.yaml").write_text(RECIPE.replace("steps: 240", "steps: 100000"), encoding="utf-8")
    child = subprocess.Popen(command(folder), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = folder / "run/stages/01-scratch/log.jsonl"
    assert comes(lambda: child.poll() is not None or (log.is_file() and '"loss"' in log.read_text(encoding="utf-8")))
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    assert "interrupted; the same command goes on" in said
    assert "Traceback" not in said
    assert list((folder / "run/stages/01-scratch/resume").glob("step-*"))
