"""A stage's state to disk and back, so that a killed run goes on as if nothing had happened.

`resume/step-00000120/` holds `state.safetensors` (every tensor) and `state.json` (every number, with the other file's
length and hash). A folder takes its name only once it is whole, and the two newest are kept: whatever happens to one,
there is another. `resume/clock.json` counts the seconds since the last of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.errors import StorageError
from wellread.storage import write_json
from wellread.weights import new_folder

if TYPE_CHECKING:
    import torch

KEPT = 2


@dataclass(frozen=True, slots=True)
class State:
    """All that the next step depends on."""

    step: int
    fingerprint: str
    tensors: dict[str, torch.Tensor]
    facts: dict[str, Any]
    """What JSON can say: places, counts, losses."""


def write_state(folder: Path, state: State) -> None:
    """Add a checkpoint, then drop all but the two newest. Raises StorageError; the checkpoints before it stay."""
    from safetensors.torch import save_file

    with new_folder(folder / f"step-{state.step:08d}") as unfinished:
        tensors = unfinished / "state.safetensors"
        save_file(_apart(state.tensors), tensors)
        record = {"step": state.step, "fingerprint": state.fingerprint, "bytes": tensors.stat().st_size,
                  "sha256": _digest(tensors), "facts": state.facts}  # fmt: skip
        (unfinished / "state.json").write_text(json.dumps(record), encoding="utf-8")
    for old in _checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def read_state(folder: Path, fingerprint: str, say: Callable[[str], None]) -> State | None:
    """The newest state that is whole; None where there is none. A damaged one is named, and removed.

    Raises StorageError where the state is another recipe's.
    """
    for place in reversed(_checkpoints(folder)):
        try:
            state = _read(place)
        except (OSError, ValueError, KeyError, TypeError) as error:
            say(f"checkpoint {place.name} is damaged ({error}); going back to the one before it.")
            shutil.rmtree(place, ignore_errors=True)
            continue
        if state.fingerprint != fingerprint:
            raise StorageError(f"{folder}: unfinished work of another recipe; remove it, or choose another --out.")
        return state
    return None


def _apart(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors, each with memory of its own, as safetensors wants them: an optimizer may share tables."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        whole = tensor.contiguous()
        place = whole.untyped_storage().data_ptr()
        apart[name] = whole.clone() if place in seen else whole
        seen.add(place)
    return apart


def _read(place: Path) -> State:
    """One checkpoint. Raises OSError or ValueError, in words a person understands, where it is not what was written."""
    from safetensors.torch import load

    record = json.loads((place / "state.json").read_text(encoding="utf-8"))
    # read, not mapped: Windows does not remove a file that is mapped
    whole = (place / "state.safetensors").read_bytes()
    if len(whole) != record["bytes"]:
        raise ValueError(f"{len(whole):,} of {record['bytes']:,} bytes")
    if hashlib.sha256(whole).hexdigest() != record["sha256"]:
        raise ValueError("its bytes have changed")
    return State(record["step"], record["fingerprint"], load(whole), record["facts"])


def _checkpoints(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(folder.glob("step-*"))


def _digest(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            whole.update(block)
    return whole.hexdigest()


def write_clock(folder: Path, seconds: float) -> None:
    """Note the seconds spent so far: between two checkpoints, this alone is kept of the time. Raises StorageError."""
    write_json(folder / "clock.json", {"seconds": seconds})


def read_clock(folder: Path) -> float:
    """The seconds noted last; 0 where none are, or none that can be read."""
    try:
        return float(json.loads((folder / "clock.json").read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
