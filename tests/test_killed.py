"""`kill -9` at any moment, then the same command: it ends with the same weights as if nothing had happened."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import write_book

RECIPE = """
name: killed
stages:
  - name: scratch
    method: {kind: scratch, size: tiny, vocabulary: 400, dropout: 0.1}
    windows: {length: 64, stride: 32}
    budget: {steps: 160}
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
    subprocess.run(command(calm), cwd=calm, check=True, capture_output=True)
    took = time.monotonic() - began
    disturbed = prepare(tmp_path / "disturbed")
    moments = random.Random(20261121)
    killed = 0
    for _ in range(10):
        child = subprocess.Popen(
            command(disturbed), cwd=disturbed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            child.wait(timeout=moments.uniform(0.2, 1.0) * took)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            killed += 1
    done = subprocess.run(command(disturbed), cwd=disturbed, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert killed >= 3
    assert weights_hash(disturbed) == weights_hash(calm)
