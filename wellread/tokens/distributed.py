"""A draw on many machines: the steps of `draw`, run by datatrove's executors, on Slurm or as local workers.

datatrove it is because its executors do just this, numbered tasks that are skipped once they are done, without a service
to keep up (as Spark and Ray need), and install in a few megabytes (loguru, humanize and what `datasets` brings anyway).
All processes see the same folder; `DrawnWindows` then reads the parts together. The Slurm executor is written after
datatrove's documentation and submits to a stand-in for `sbatch` in the tests; it has not run on a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wellread.errors import MissingPackage, RecipeError
from wellread.tokens.draw import Drawn, begin, draw_parts, finish, measure_shards


@dataclass(frozen=True, slots=True)
class Measure:
    """A task of datatrove: measures its share of the shards."""

    folder: Path

    def __call__(self, data: Any, rank: int, world: int) -> None:
        measure_shards(self.folder, rank, world)


@dataclass(frozen=True, slots=True)
class DrawParts:
    """A task of datatrove: draws its run of the parts."""

    folder: Path

    def __call__(self, data: Any, rank: int, world: int) -> None:
        draw_parts(self.folder, rank, world)


@dataclass(frozen=True, slots=True)
class Finish:
    """The last task: counts what the others drew."""

    folder: Path

    def __call__(self, data: Any, rank: int, world: int) -> None:
        finish(self.folder)


def draw_distributed(
    sources: Sequence[str | Path], tokenizer_folder: Path | str, folder: Path, *, n: int, length: int, seed: int,
    start: int, end: int, column: str = "text", tasks: int = 2, workers: int = 2,
    engine: Literal["local", "slurm"] = "local", options: Mapping[str, Any] | None = None,
) -> Drawn | None:  # fmt: skip
    """`draw` in `tasks` tasks, `workers` of them at once; the windows are the same as those of `draw`.

    With `engine="slurm"` three jobs are submitted, each after the one before, and None is returned at once: `options`
    go to datatrove's SlurmPipelineExecutor (`time` and `partition` at least), and `folder`, the library and the
    tokenizer's folder must be on a disk that all nodes share. Call it again to resume: what is written stays.
    Raises MissingPackage without datatrove, and what `draw` raises.
    """
    try:
        from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
    except ImportError:
        raise MissingPackage("a draw in many processes needs datatrove: pip install 'wellread[distributed]'") from None
    folder = folder.absolute()
    given = dict(options or {})
    if engine == "slurm" and not {"time", "partition"} <= set(given):
        raise RecipeError("Slurm wants to know how long and where: give options time='02:00:00' and partition='…'")
    begin(
        [_absolute(source) for source in sources], tokenizer_folder, folder,
        n=n, length=length, seed=seed, start=start, end=end, column=column,
    )  # fmt: skip
    steps = (("measure", Measure(folder), tasks), ("draw", DrawParts(folder), tasks), ("finish", Finish(folder), 1))
    before: Any = None
    for name, step, count in steps:
        # what is done is told by the files of the draw, not by the engine's marks
        how = {
            "pipeline": [step],
            "tasks": count,
            "logging_dir": str(folder / "engine" / name),
            "skip_completed": False,
        }
        if engine == "local":
            LocalPipelineExecutor(**how, workers=min(workers, count)).run()
        else:
            before = SlurmPipelineExecutor(
                **{"job_name": f"wellread-{name}", **given}, **how, workers=workers, depends=before
            )
    if engine == "slurm":
        before.run()
        return None
    return finish(folder)


def _absolute(source: str | Path) -> str:
    return str(Path(source).absolute()) if Path(source).exists() else str(source)
