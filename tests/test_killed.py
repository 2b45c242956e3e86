"""`kill -9` at any moment, then the same command: it ends with the same weights as if nothing had happened."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from books import write_book

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


@pytest.mark.slow
def test_ten_random_kills_change_nothing(tmp_path: Path) -> None:
    calm = prepare(tmp_path / "calm")
    began = time.monotonic()
    subprocess.run(command(calm), cwd=calm, check=True, capture_output=True, env=TWO_THREADS)
    took = time.monotonic() - began
    disturbed = prepare(tmp_path / "disturbed")
    draw = random.Random(20261121)
    # early ones first: the calm run was the cold one, and a warm one may be twice as fast
    moments = [draw.uniform(0.05, 0.3) for _ in range(5)] + [draw.uniform(0.3, 0.6) for _ in range(5)]
    killed = 0
    for moment in moments:
        child = subprocess.Popen(
            command(disturbed), cwd=disturbed, env=TWO_THREADS, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            child.wait(timeout=moment * took)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed += 1
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
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.is_file() and '"loss"' in log.read_text(encoding="utf-8")):
        time.sleep(0.2)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "interrupted; the same command goes on" in said
    assert "Traceback" not in said
    assert list((folder / "run/stages/01-scratch/resume").glob("step-*"))
