"""Draws beyond one file and one process: datasets of the hub, two workers, Slurm, and memory that stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tokens_drawing import LENGTH, book, contents, drawn, write_library

from wellread.errors import RecipeError
from wellread.testing import prose
from wellread.tokens import draw_distributed, draw_windows, train_tokenizer
from wellread.tokens import plan as plan_module
from wellread.tokens.plan import part_path


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokenizer([prose(3000)], tmp_path_factory.mktemp("draw") / "tokenizer", vocabulary=500)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_library(tmp_path_factory.mktemp("library"))


@pytest.mark.slow
def test_a_dataset_in_the_layout_of_the_hub(tokenizer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "some" / "books"
    folder.mkdir(parents=True)
    for shard in range(2):
        rows = [{"body": book(10 * shard + n, 300)} for n in range(4)]
        (folder / f"train-{shard}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(Path, "is_dir", lambda path, there=Path.is_dir: str(path) != "some/books" and there(path))
    found = draw_windows(
        ["some/books"], tokenizer, tmp_path / "hub", n=60, length=LENGTH, seed=1, start=1, end=2, column="body"
    )
    monkeypatch.undo()
    assert [name for name, _, _ in found.shards] == ["some/books#0", "some/books#1"]
    assert [abs(windows - 30) <= 2 for _, _, windows in found.shards] == [True, True]
    files = draw_windows(
        [folder], tokenizer, tmp_path / "files", n=60, length=LENGTH, seed=1, start=1, end=2, column="body"
    )
    assert files.windows == 60


@pytest.mark.slow
def test_two_workers_of_datatrove_draw_the_same_windows(library, tokenizer, tmp_path, monkeypatch):
    pytest.importorskip("datatrove", reason="datatrove is an extra")
    monkeypatch.setattr(plan_module, "PART", 50 * LENGTH)
    how = {"n": 400, "length": LENGTH, "seed": 1, "start": 1, "end": 2}
    found = draw_distributed([library], tokenizer, tmp_path / "many", tasks=3, workers=2, **how)
    drawn(library, tokenizer, tmp_path / "one")
    assert found is not None
    assert found.windows == 400
    assert contents(tmp_path / "many") == contents(tmp_path / "one")
    part_path(tmp_path / "many", 0).unlink()
    draw_distributed([library], tokenizer, tmp_path / "many", tasks=3, workers=2, **how)
    assert contents(tmp_path / "many") == contents(tmp_path / "one")


@pytest.mark.skipif(sys.platform == "win32", reason="a stand-in for sbatch is a shell script")
def test_slurm_is_given_three_jobs_in_a_row(library, tokenizer, tmp_path, monkeypatch):
    pytest.importorskip("datatrove", reason="datatrove is an extra")
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "sbatch"
    stand_in.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nwc -l < {tmp_path}/calls | tr -d " \\n" | xargs echo Submitted batch job\n'
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    how = {"n": 40, "length": LENGTH, "seed": 1, "start": 1, "end": 2, "engine": "slurm", "tasks": 3}
    with pytest.raises(RecipeError, match="how long and where"):
        draw_distributed([library], tokenizer, tmp_path / "many", **how)
    options = {"time": "01:00:00", "partition": "cpu"}
    assert draw_distributed([library], tokenizer, tmp_path / "many", options=options, **how) is None
    scripts = [
        (tmp_path / "many" / "engine" / name / "launch_script.slurm").read_text()
        for name in ("measure", "draw", "finish")
    ]
    assert ["--array=0-2%2" in script for script in scripts] == [True, True, False]
    assert all("--partition=cpu" in script and "launch_pickled_pipeline" in script for script in scripts)
    calls = (tmp_path / "calls").read_text().splitlines()
    assert sum("--dependency=afterok" in call for call in calls) >= 2


MEASURED = """
import sys
from pathlib import Path
from wellread.tokens import draw_windows
from wellread.tokens import plan
plan.PART = 200_000  # a part is held until it is written
draw_windows([sys.argv[1]], sys.argv[2], Path(sys.argv[3]), n=int(sys.argv[4]), length=256, seed=1, start=1, end=2)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads peak memory as Linux gives it")
def test_memory_does_not_grow_with_the_library(tokenizer, tmp_path):
    text = prose(200_000)

    def peak(copies: int) -> int:
        folder = tmp_path / f"library-{copies}"
        folder.mkdir()
        with open(folder / "a.jsonl", "w") as lines, open(folder / "b.txt", "w") as whole:
            for n in range(copies):
                lines.write(json.dumps({"text": f"{n} {text}"}) + "\n")
                whole.write(f"{n} {text}\n")
        command = [sys.executable, "-c", MEASURED, str(folder), str(tokenizer), f"{folder}-drawn", str(500 * copies)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    few, many = peak(20), peak(60)
    assert many < 500_000
    assert many - few < 30_000, (few, many)
