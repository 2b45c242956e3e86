"""Killed at any moment and called again: the same weights, the time kept, no checkpoint lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from training_toy import BATCH, LENGTH, Clock, ToyWindows, die_at, digest, in_child, log, toy_stage, toy_train

from wellread import weights
from wellread.errors import RunError, StorageError
from wellread.recipe import Stage

forks = pytest.mark.skipif(
    not hasattr(os, "fork") or weights.device().type != "cpu", reason="forks, which a process that holds a GPU may not"
)
SCRATCH = {"kind": "scratch", "dropout": 0.1}
LORA = {"kind": "lora", "rank": 4, "dropout": 0.1}


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have every library loaded before processes are forked: they take seconds to import."""
    for method in (SCRATCH, LORA):
        toy_train(tmp_path_factory.mktemp("warm") / "run", toy_stage(method=method, budget={"steps": 1}))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The hash of the final weights of each toy stage, trained in a process of its own that nothing disturbs."""
    hashes = {}
    for name, stage in stages().items():
        folder = tmp_path_factory.mktemp(name) / "run"
        assert in_child(lambda f=folder, s=stage: toy_train(f, s)) == 0  # type: ignore[misc]
        hashes[name] = digest(folder / "checkpoint")
    return hashes


def stages() -> dict[str, Stage]:
    """Every kind of state: Muon's and AdamW's, averages and best copies, an adapter, steps and epochs."""
    every = {"checkpoint_minutes": 1e-9}
    return {
        "muon-best": toy_stage(keep="best", **every),
        "adamw-average": toy_stage(keep="average", optimizer={"kind": "adamw"}, budget={"epochs": 4.5}, **every),
        "lora-last": toy_stage(method=LORA, optimizer={"kind": "adamw", "learning_rate": 0.01}, **every),
    }


@forks
@pytest.mark.parametrize("name", [
    "adamw-average", pytest.param("muon-best", marks=pytest.mark.slow), pytest.param("lora-last", marks=pytest.mark.slow)
])  # fmt: skip
def test_killed_twice_ends_with_the_same_weights(tmp_path: Path, undisturbed: dict[str, str], name: str) -> None:
    stage, folder = stages()[name], tmp_path / "run"
    for reading in (5 * BATCH + 2, 3 * BATCH + 1):
        windows = ToyWindows(watch=die_at(reading))
        assert in_child(lambda w=windows: toy_train(folder, stage, windows=w)) == -signal.SIGKILL  # type: ignore[misc]
    assert not (folder / "checkpoint").exists()
    assert in_child(lambda: toy_train(folder, stage)) == 0
    assert digest(folder / "checkpoint") == undisturbed[name]
    steps = [row["step"] for row in log(folder) if "loss" in row]
    assert steps == sorted(set(steps)), "a step is logged twice"
    assert [row["tokens"] for row in log(folder)] == [row["step"] * BATCH * LENGTH for row in log(folder)]


@forks
def test_killed_while_a_checkpoint_is_written(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    stage, folder = stages()["muon-best"], tmp_path / "run"

    def kill_while_writing() -> None:
        from safetensors import torch as files

        write = files.save_file

        def half(tensors: dict[str, torch.Tensor], path: Path) -> None:
            write(tensors, path)
            if len(list((folder / "resume").glob("step-*"))) == 2:
                os.truncate(path, path.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        files.save_file = half
        toy_train(folder, stage)

    assert in_child(kill_while_writing) == -signal.SIGKILL
    assert len(list((folder / "resume").glob(".step-*/state.safetensors"))) == 1
    assert in_child(lambda: toy_train(folder, stage)) == 0
    assert digest(folder / "checkpoint") == undisturbed["muon-best"]
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint", "log.jsonl"]


@forks
@pytest.mark.parametrize("damage", ["truncated", pytest.param("changed", marks=pytest.mark.slow), "half a record"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(
    tmp_path: Path, undisturbed: dict[str, str], damage: str
) -> None:
    stage, folder = stages()["muon-best"], tmp_path / "run"
    in_child(lambda: toy_train(folder, stage, windows=ToyWindows(watch=die_at(7 * BATCH + 1))))
    older, newest = sorted((folder / "resume").glob("step-*"))
    tensors, record = newest / "state.safetensors", newest / "state.json"
    whole = bytearray(tensors.read_bytes())
    if damage == "truncated":
        tensors.write_bytes(whole[: len(whole) // 2])
    elif damage == "changed":
        whole[-1] ^= 1
        tensors.write_bytes(whole)
    else:
        record.write_text(record.read_text(encoding="utf-8")[:40], encoding="utf-8")
    said = tmp_path / "said"

    def go_on() -> None:
        toy_train(folder, stage, say=lambda line: said.write_text(line, encoding="utf-8") and None)

    assert in_child(go_on) == 0
    line = said.read_text(encoding="utf-8")
    assert newest.name in line
    assert "going back to the one before" in line
    assert "\n" not in line
    assert digest(folder / "checkpoint") == undisturbed["muon-best"]
    assert older.name == "step-00000006"


@forks
@pytest.mark.slow
def test_all_checkpoints_damaged_begins_again(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    stage, folder = stages()["muon-best"], tmp_path / "run"
    in_child(lambda: toy_train(folder, stage, windows=ToyWindows(watch=die_at(7 * BATCH + 1))))
    for path in (folder / "resume").glob("step-*/state.safetensors"):
        path.write_bytes(b"")
    assert in_child(lambda: toy_train(folder, stage)) == 0
    assert digest(folder / "checkpoint") == undisturbed["muon-best"]


@forks
def test_minutes_keep_the_time_already_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of twelve steps of a quarter of a second, five are done before the kill and seven after it."""
    clock, folder = Clock(monkeypatch), tmp_path / "run"
    stage = toy_stage(budget={"minutes": 0.05}, evaluations=50)
    killed = ToyWindows(watch=clock.each(1 / 16, die_at(5 * BATCH + 2)))
    assert in_child(lambda: toy_train(folder, stage, windows=killed)) == -signal.SIGKILL
    before = log(folder)[-1]
    assert (before["step"], before["elapsed_seconds"]) == (5, 1.25)
    clock.now += 3600  # nor does the time count in which nothing ran
    toy_train(folder, stage, windows=ToyWindows(watch=clock.each(1 / 16)))
    rows = log(folder)
    assert (rows[-1]["step"], rows[-1]["elapsed_seconds"]) == (12, 3.0)
    times = [row["elapsed_seconds"] for row in rows]
    assert times == sorted(times)


@forks
def test_minutes_keep_the_time_since_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of fifteen steps of four seconds a checkpoint is written after three, and the time noted after five: the fourth and fifth
    are lost, and their time is not there again."""
    clock, folder = Clock(monkeypatch), tmp_path / "run"
    stage = toy_stage(budget={"minutes": 1}, evaluations=1, checkpoint_minutes=1 / 6)
    killed = ToyWindows(watch=clock.each(1.0, die_at(5 * BATCH + 2)))
    assert in_child(lambda: toy_train(folder, stage, windows=killed)) == -signal.SIGKILL
    assert [path.name for path in (folder / "resume").glob("step-*")] == ["step-00000003"]
    toy_train(folder, stage, windows=ToyWindows(watch=clock.each(1.0)))
    rows = [row for row in log(folder) if "loss" in row]
    assert [row["elapsed_seconds"] for row in rows] == [*range(4, 13, 4), *range(24, 61, 4)]
    assert [row["step"] for row in rows] == list(range(1, 14))


def test_ctrl_c_saves_and_the_next_call_goes_on(tmp_path: Path) -> None:
    stage, folder = toy_stage(keep="best"), tmp_path / "run"
    whole = toy_train(tmp_path / "whole", stage)

    def press(epoch: int, place: int) -> None:
        if epoch == 1 and place == 5:
            os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        toy_train(folder, stage, windows=ToyWindows(watch=press))
    assert signal.getsignal(signal.SIGINT) is handler
    # the second batch of epoch 1 was being read, so four steps were done or under way: none is lost
    assert sorted((folder / "resume").glob("step-*"))[-1].name == "step-00000004"
    assert digest(toy_train(folder, stage).path) == digest(whole.path)


def test_the_8_bit_optimizer_of_bitsandbytes_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hands out what it has packed within an entry of its own. On a CPU it has no pages; asked for, it is refused there."""
    from safetensors.torch import load_file

    optim = pytest.importorskip("bitsandbytes").optim

    def packed(model: Any, settings: object) -> torch.optim.Optimizer:
        trained = [each for each in model.parameters() if each.requires_grad]
        return optim.AdamW8bit(trained, lr=3e-3, betas=(0.9, 0.95), min_8bit_size=1024)  # type: ignore[no-any-return]

    monkeypatch.setattr("wellread.training.optimizers.make_optimizer", packed)
    stage, folder = toy_stage(checkpoint_minutes=1e-9), tmp_path / "run"
    whole = toy_train(tmp_path / "whole", stage)

    def press(epoch: int, place: int) -> None:
        if epoch == 2:
            raise OSError

    with pytest.raises(OSError):
        toy_train(folder, stage, windows=ToyWindows(watch=press))
    [*_, kept] = sorted((folder / "resume").glob("step-*"))
    kinds = {each.dtype for each in load_file(kept / "state.safetensors").values()}
    assert torch.uint8 in kinds
    assert digest(toy_train(folder, stage).path) == digest(whole.path)


def test_a_finished_stage_is_not_trained_again(tmp_path: Path) -> None:
    first = toy_train(tmp_path / "run", toy_stage())
    windows = ToyWindows(watch=lambda epoch, place: pytest.fail("it trains"))
    assert toy_train(tmp_path / "run", toy_stage(), windows=windows) == first


def test_another_recipe_s_work_is_left_alone(tmp_path: Path) -> None:
    finished = toy_train(tmp_path / "run", toy_stage())
    (finished.path / "wellread.json").write_text('{"method": "scratch", "base": null, "fingerprint": "ffffffff"}')
    with pytest.raises(RunError, match=r"another recipe.*--out"):
        toy_train(tmp_path / "run", toy_stage())


@forks
def test_a_write_that_fails_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    """A file-size limit makes the kernel refuse the bytes, as a full disk does."""
    stage, folder = stages()["muon-best"], tmp_path / "run"
    said = tmp_path / "said"

    def limited() -> None:
        import resource

        def lower(epoch: int, place: int) -> None:
            if epoch == 1:
                resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

        try:
            toy_train(folder, stage, windows=ToyWindows(watch=lower))
        except StorageError as error:
            said.write_text(str(error), encoding="utf-8")

    assert in_child(limited) == 0
    line = said.read_text(encoding="utf-8")
    assert "\n" not in line
    assert "allows no file of this size" in line
    assert [path.name for path in sorted((folder / "resume").iterdir()) if path.is_dir()] == [
        "step-00000001",
        "step-00000002",
    ]
    assert in_child(lambda: toy_train(folder, stage)) == 0


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError) as caught:
        toy_train(tmp_path / "file" / "run", toy_stage(), base=tmp_path / "base")
    assert "\n" not in str(caught.value)
    assert "cannot be written" in str(caught.value)


@contextmanager
def mounted(place: Path, options: str) -> Iterator[Path]:
    """A small file system of its own; skips where one may not be mounted."""
    place.mkdir()
    command = [shutil.which("mount") or "false", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_one_line_and_resumes_once_there_is_room(tmp_path: Path) -> None:
    stage = stages()["muon-best"]
    with mounted(tmp_path / "disk", "size=2m") as disk:
        filler = disk / "filler"

        def fill(epoch: int, place: int) -> None:
            if epoch == 1 and not filler.exists():
                with filler.open("wb", buffering=0) as file, suppress(OSError):
                    while True:
                        file.write(bytes(4096))

        with pytest.raises(StorageError) as caught:
            toy_train(disk / "run", stage, base=tmp_path / "base", windows=ToyWindows(watch=fill))
        assert "disk is full" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert len(list((disk / "run" / "resume").glob("step-*"))) == 2
        filler.unlink()
        # the log may have lost its last line for lack of room; the run goes on all the same
        resumed = digest(toy_train(disk / "run", stage, base=tmp_path / "base").path)
    assert resumed == digest(toy_train(tmp_path / "whole", stage).path)


def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=1m,ro") as disk, pytest.raises(StorageError) as caught:
        toy_train(disk / "run", toy_stage(), base=tmp_path / "base")
    assert "read-only" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("method", [SCRATCH, LORA])
def test_killed_at_ten_random_moments(tmp_path: Path, method: dict[str, object]) -> None:
    """Real processes, killed by the clock from outside, each a little later than the one before."""
    stage = toy_stage(method=method, keep="best", budget={"steps": 600}, evaluations=30, checkpoint_minutes=0.002)
    script = [sys.executable, str(Path(__file__).with_name("training_toy.py"))]

    def start(folder: Path) -> subprocess.Popen[str]:
        place = [str(folder), str(tmp_path / "base"), stage.model_dump_json()]
        return subprocess.Popen([*script, *place], stdout=subprocess.PIPE, text=True)

    expected, _ = start(tmp_path / "whole").communicate()
    moments, folder, killed = random.Random(0), tmp_path / "run", 0
    while killed < 10:
        child = start(folder)
        reached = newest(folder)
        while child.poll() is None and newest(folder) == reached:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.7))
        child.kill()
        child.communicate()
        if (folder / "checkpoint").exists():
            break
        killed += 1
    found, _ = start(folder).communicate()
    assert killed >= 3
    assert found == expected


def newest(folder: Path) -> str:
    return max((path.name for path in (folder / "resume").glob("step-*")), default="")
