"""Measurements kept metric by metric while not all are there, so that measuring that was killed goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wellread.storage import stream_rows, write_rows
from wellread.types import Evidence, Measurement


@dataclass(frozen=True, slots=True)
class Kept:
    """What has been measured so far, and the file that has it until everything is."""

    path: Path
    mark: str
    """Of all that decides the numbers: what was kept under another is let go."""
    rows: dict[str, list[Measurement]]
    """By the name that each was kept under."""


def open_kept(path: Path, mark: str = "") -> Kept:
    """What a process before this one left at `path` under the same mark. Raises StorageError for a damaged file."""
    rows: dict[str, list[Measurement]] = {}
    for row in stream_rows(path, optional=True):
        name, of = row.pop("kept"), row.pop("mark")
        if of == mark:
            rows.setdefault(name, []).append(Measurement.from_json(row))
    return Kept(path, mark, rows)


def keep(kept: Kept, name: str, rows: Sequence[Measurement]) -> None:
    """Keep rows under a name, from now on also for the next process; but for what could not be measured, since what stood
    in its way may be gone by then. Raises StorageError."""
    if rows and all(row.value is not None for row in rows):
        kept.rows[name] = list(rows)
        several = [(each, row) for each, found in kept.rows.items() for row in found]
        write_rows(kept.path, ({"mark": kept.mark, "kept": each, **row.as_json()} for each, row in several))


def let_go(*paths: Path) -> None:
    """Remove files that have had their time."""
    for path in paths:
        with suppress(OSError):  # a file that stays is a few lines too many, and no reason to fail
            path.unlink(missing_ok=True)


def measure_each(
    gathered: Evidence, names: Sequence[str], kept: Kept, *, anew: Collection[str] = (),
    scored: Callable[[], None] = lambda: None,
) -> list[Measurement]:  # fmt: skip
    """As `metrics.measure`, a metric at a time: what is kept is not measured again, what is measured is kept.

    Those of `anew` are always measured, and not kept. `scored` is called before the rows of a metric are kept, so that what
    belongs to them can be kept first. Raises UnknownName, StorageError.
    """
    from wellread.metrics import applying, measure

    rows: list[Measurement] = []
    for name in dict.fromkeys(names or applying(gathered)):
        found = None if name in anew else kept.rows.get(name)
        if found is None:
            found = measure(gathered, [name])
            scored()
            if name not in anew:
                keep(kept, name, found)
        rows += found
    return rows
