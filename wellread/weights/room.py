"""How much memory can still be taken: of the GPU, of the machine, of the container that the process runs in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

MACHINE = Path("/")
"""Where the kernel's files (`proc`, `sys`) stand."""
MOST = 0.9
"""The share of free memory that weights may take; the rest is for what is computed with them."""
V2 = ("memory.max", "memory.current", "")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_")
"""Of the two versions of control groups: the files of the limit and of what is used, and how memory.stat names what a
group and those below it use together."""


def free_memory(on: torch.device, root: Path = MACHINE) -> int:
    """Bytes that can still be taken: of the GPU, or of the machine and of the container that limits this process.

    `root` is where the kernel's files stand.
    """
    if on.type == "cuda":
        import torch

        # what torch keeps of the GPU for tensors to come is as good as free
        kept = torch.cuda.memory_reserved(on) - torch.cuda.memory_allocated(on)
        return int(torch.cuda.mem_get_info(on)[0]) + kept
    import psutil

    return min([int(psutil.virtual_memory().available), *_left_in_groups(root)])


def fits(size: int, on: torch.device) -> bool:
    """Whether weights of so many bytes can be held."""
    return size < MOST * free_memory(on)


def _left_in_groups(root: Path) -> Iterator[int]:
    """Bytes left of the memory limit of every control group that this process is in; none where nothing limits it.

    What caches files counts as left: the kernel gives it back when it is asked for memory.
    """
    for folder, (limit_name, used_name, together) in _groups(root):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is not None and used is not None:
            stat = dict(line.split(maxsplit=1) for line in _read(folder / "memory.stat").splitlines() if " " in line)
            cached = sum(int(stat.get(f"{together}{kind}_file", 0)) for kind in ("active", "inactive"))
            yield max(0, limit - used + cached)


def _groups(root: Path) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """Folders of the control groups that count this process's memory, and their files' names.

    A group's parents limit it too. A container sees its own group where the tree of groups begins, under any name.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, kinds, inside = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if kinds else "")
        parts = [part for part in inside.split("/") if part and part != ".."]
        for depth in range(len(parts) + 1):
            yield top.joinpath(*parts[:depth]), V1 if kinds else V2


def _number(path: Path) -> int | None:
    """What a file of one number says; None where it is not there, or says `max`."""
    text = _read(path).strip()
    return int(text) if text.isdigit() else None


def _read(path: Path) -> str:
    """The text of a kernel's file; empty where this system has none such, or does not show it."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
