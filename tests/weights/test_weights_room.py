"""Free memory: what a container leaves of the machine's, as the kernel's files tell it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import torch

from wellread.weights import free_memory

CPU = torch.device("cpu")
GIGABYTE = 2**30


def kernel(root: Path, group: str, files: dict[str, str]) -> Path:
    """A tree of the kernel's files as a process of `group` sees it."""
    for name, text in {"proc/self/cgroup": group, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of which 100 GB are free."""
    known = psutil.virtual_memory()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: known._replace(available=100 * GIGABYTE))


def v2(limit: object, used: int, at: str = "") -> dict[str, str]:
    place = f"sys/fs/cgroup/{at}"
    return {f"{place}memory.max": f"{limit}\n", f"{place}memory.current": f"{used}\n",
            f"{place}memory.stat": "anon 5\nactive_file 300\ninactive_file 40\n"}  # fmt: skip


def test_without_a_container_the_machine_is_all_there_is(tmp_path: Path) -> None:
    assert free_memory(CPU, tmp_path) == 100 * GIGABYTE
    assert free_memory(CPU, kernel(tmp_path, "0::/\n", v2("max", 5))) == 100 * GIGABYTE


def test_a_containers_limit_is_seen_and_files_that_are_cached_can_be_given_back(tmp_path: Path) -> None:
    root = kernel(tmp_path, "0::/\n", v2(8 * GIGABYTE, 3 * GIGABYTE))
    assert free_memory(CPU, root) == 5 * GIGABYTE + 340


def test_the_narrowest_of_a_group_and_its_parents_counts(tmp_path: Path) -> None:
    files = v2(4 * GIGABYTE, GIGABYTE, "jobs/") | v2(9 * GIGABYTE, GIGABYTE, "jobs/mine/")
    assert free_memory(CPU, kernel(tmp_path, "0::/jobs/mine\n", files)) == 3 * GIGABYTE + 340


def test_version_one_of_control_groups(tmp_path: Path) -> None:
    place = "sys/fs/cgroup/memory"
    files = {f"{place}/memory.limit_in_bytes": f"{6 * GIGABYTE}", f"{place}/memory.usage_in_bytes": f"{GIGABYTE}",
             f"{place}/memory.stat": "active_file 1\ntotal_active_file 7\n"}  # fmt: skip
    root = kernel(tmp_path, "11:cpu,cpuacct:/docker/1a\n4:memory:/docker/1a\n0::/system.slice\n", files)
    assert free_memory(CPU, root) == 5 * GIGABYTE + 7


@pytest.mark.parametrize(("limit", "used", "left"), [(2**63 - 4096, 5, 100 * GIGABYTE), (10, 5 * GIGABYTE, 0)])
def test_no_limit_is_a_large_one_and_nothing_is_left_of_one_overdrawn(
    tmp_path: Path, limit: int, used: int, left: int
) -> None:
    assert free_memory(CPU, kernel(tmp_path, "0::/\n", v2(limit, used))) == left


def test_a_machine_whose_memory_is_larger_than_its_limit_computes_layers_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from weights_toy import stage

    from wellread import weights
    from wellread.testing import tiny_model
    from wellread.weights import room

    base, asked = tiny_model(tmp_path / "base"), stage({"kind": "lora", "rank": 2})
    twice = []
    for name, limit in (("wide", 10**12), ("narrow", 10**4)):
        root = kernel(tmp_path / name, "0::/\n", v2(limit, 0))
        monkeypatch.setattr(room.free_memory, "__defaults__", (root,))
        model = weights.open_to_train(asked, str(base), folder=tmp_path, text_bytes=0, seed=1).model
        twice.append(model.is_gradient_checkpointing)
    assert twice == [False, True]
