"""What a recipe would cost: tokens, steps, time, memory, disk and money, foreseen without training."""

from __future__ import annotations

import gc
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.afterwards import Pace, afterwards, pace_of
from wellread.cross_validation import whole_corpus
from wellread.errors import UsageError
from wellread.facts import as_templates, taught_paths
from wellread.fight.sides import foreseen_lessons
from wellread.models import locate
from wellread.plans import GIGABYTE, Plan, StagePlan
from wellread.recipe import LowRank, Recipe, Scratch, Stage, lineage, settle
from wellread.teaching import prepare_stage, stage_windows
from wellread.texts import text_paths
from wellread.training.foreseen import Foreseen, Memory, Sizes
from wellread.types import Corpus, unit_of

if TYPE_CHECKING:
    from wellread.training.estimate_fit import Fit
    from wellread.training.estimate_shape import Machine


@dataclass(frozen=True, slots=True)
class Asked:
    """What `plan` was asked for beside the recipe."""

    gpu: int | None = None
    """Bytes of the GPU to foresee for; None: this machine."""
    price_per_hour: float | None = None
    tokens_per_second: float | None = None
    """Foresee time from this rate, and time nothing."""
    offline: bool = False
    say: Callable[[str], None] = lambda line: None


def plan(
    recipe: Recipe, texts: Sequence[str | Path] = (), *, gpu: int | None = None, price_per_hour: float | None = None,
    tokens_per_second: float | None = None, offline: bool = False, strict: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Plan:  # fmt: skip
    """Read, clean, split and tokenise the text, and foresee what each stage takes.

    Here, where a stage fits, a few steps are taken on throwaway weights. For a `gpu` of so many bytes, or where a stage
    does not fit, memory follows from the base's configuration, which is all that is fetched, and time from
    `tokens_per_second`, or is unknown. Raises UsageError for what the user can mend.
    """
    from wellread.corpus.ingest import ingest

    recipe, asked = settle(recipe), Asked(gpu, price_per_hour, tokens_per_second, offline, say)
    times = 1 if recipe.extract is None else recipe.extract.folds + 1
    stages: list[StagePlan] = []
    pace: Pace | None = None
    disk = kept = 0
    with tempfile.TemporaryDirectory(prefix="wellread-plan-") as folder:
        paths = taught_paths(as_templates(recipe), text_paths(recipe, texts), Path(folder) / "synthesis", say=say)
        apart = recipe.extract is not None or recipe.fight is not None  # they train and answer in their own ways
        corpus = whole_corpus(recipe, paths) if recipe.extract is not None else None
        if recipe.fight is None and corpus is None:
            corpus = ingest(paths, recipe.corpus, seed=recipe.seed, strict=strict)
        for number, stage in enumerate(recipe.stages, 1):
            say(f"foreseeing {stage.name}")
            read = foreseen_lessons(recipe, paths, stage) if corpus is None else corpus
            seen, planned, pace = _plan_stage(recipe, read, number, Path(folder), asked)
            stages.append(planned)
            disk, kept = max(disk, kept + seen.disk_bytes), kept + seen.kept_bytes
            gc.collect()
    seconds, tokens, cost = (_sum([getattr(each, name) for each in stages]) for name in ("seconds", "tokens", "cost"))
    seconds, tokens, cost = (None if each is None else times * each for each in (seconds, tokens, cost))
    corpus = corpus or read
    return Plan(
        recipe.name, _named(asked), sum(len(document.text) for document in corpus.documents), len(corpus.documents),
        {str(name): len(ids) for name, ids in corpus.split.items()}, tuple(stages), seconds,
        None if tokens is None else int(tokens), max(each.memory_bytes for each in stages), disk, cost, price_per_hour,
        unit_of(corpus.documents), () if apart else afterwards(recipe, corpus, pace),
    )  # fmt: skip


def gigabytes(text: str) -> int:
    """Bytes of `12GB`, `12`, `11.5 GiB` or `8192MB`; a GB is 2^30 bytes, as on a GPU's box. Raises UsageError."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([GM]?)(?:I?B)?\s*", text.upper())
    if not found or not float(found[1]):
        raise UsageError(f"--gpu wants a size such as 12GB; found {text!r}")
    return int(float(found[1]) * (2**20 if found[2] == "M" else GIGABYTE))


def _plan_stage(
    recipe: Recipe, corpus: Corpus, number: int, folder: Path, asked: Asked
) -> tuple[Foreseen, StagePlan, Pace | None]:
    stage = _as_it_starts(recipe, number)
    start = _start(recipe, corpus, number, folder, asked)
    outlined = _Outlined(recipe, corpus, stage, start, folder / stage.name / "tokens", asked)
    machine = outlined.machine
    notes: list[str] = []
    pace: Pace | None = None
    sizes, checkpointed = outlined.sizes()
    fits = sizes.memory.total <= machine.limit
    if asked.gpu is None and fits and outlined.here and asked.tokens_per_second is None:
        seen, count, checkpointed, pace = _measured(recipe, corpus, stage, start, folder / stage.name, asked)
        fits = seen.memory_bytes <= machine.limit
    else:
        seen, count = outlined.foreseen(sizes)
        if asked.gpu is None and asked.tokens_per_second is None:
            why = "the base's weights are not on this machine yet" if fits else "it does not fit"
            notes.append(f"no step was timed: {why}.")
    if checkpointed and stage.gradient_checkpointing == "auto":
        notes.append("layers are computed twice (gradient_checkpointing: auto), to take less memory.")
    if stage.until or stage.patience:
        notes.append("it may stop earlier than foreseen (" + (stage.until or f"patience {stage.patience}") + ").")
    if recipe.extract is not None:
        notes.append(
            f"it is trained {recipe.extract.folds + 1} times: for every fold, and on all rows; answering comes on top."
        )
    if recipe.fight is not None:
        notes.append("indexing, and asking every side the gold questions, come on top.")
    ways = () if fits else outlined.ways_to_fit()
    cost = None if asked.price_per_hour is None or seen.seconds is None else seen.seconds / 3600 * asked.price_per_hour
    return seen, StagePlan(
        stage.name, _method(stage), count, seen.steps, seen.tokens, seen.tokens_per_second, seen.seconds,
        seen.memory_bytes, asdict(seen.memory), machine.limit, fits, ways, seen.disk_bytes, cost, tuple(notes),
    ), pace  # fmt: skip


def _as_it_starts(recipe: Recipe, number: int) -> Stage:
    """The stage; where it goes on with an earlier stage's adapter, with an adapter of that shape."""
    stage = recipe.stages[number - 1]
    before = _before(recipe, number)
    if before is None or not isinstance(stage.method, LowRank) or stage.method.adapter != "continue":
        return stage
    earlier = _as_it_starts(recipe, before)
    if not isinstance(earlier.method, LowRank):
        return stage
    shape = {"rank": earlier.method.rank, "modules": earlier.method.modules}
    return stage.model_copy(update={"method": stage.method.model_copy(update=shape)})


def _before(recipe: Recipe, number: int) -> int | None:
    """The number of the stage that a stage starts from; None for the base, or nothing."""
    names = [each.name for each in recipe.stages]
    origin, *_ = lineage(recipe.stages)[names[number - 1]] or ("base",)
    return None if origin == "base" else names.index(origin) + 1


def _start(recipe: Recipe, corpus: Corpus, number: int, folder: Path, asked: Asked) -> str | None:
    """Weights of the shape that a stage starts from: the base, or those of a first stage from scratch, made anew."""
    from wellread import weights

    root = number
    while (before := _before(recipe, root)) is not None:
        root = before
    first = recipe.stages[root - 1]
    if not isinstance(first.method, Scratch):
        return str(locate(str(recipe.base)))
    if root == number:
        return None
    place = folder / first.name / "stand-in"
    if not place.is_dir():
        made = prepare_stage(
            recipe, corpus, _from_the_book(first), folder / first.name / "tokens", start=None, place=place,
            offline=asked.offline,
        )  # fmt: skip
        weights.save(made.model, made.tokenizer, place, method="scratch")
    return str(place)


def _measured(
    recipe: Recipe, corpus: Corpus, stage: Stage, start: str | None, folder: Path, asked: Asked
) -> tuple[Foreseen, int, bool, Pace | None]:
    """By steps on throwaway weights, on this machine; how many tokens there are to read; whether layers are computed
    twice; of the last stage, how fast it writes and scores."""
    from wellread.training.estimate import foresee, most_memory

    before = most_memory()
    ready = prepare_stage(
        recipe, corpus, _from_the_book(stage), folder / "tokens", start=start, place=folder, offline=asked.offline
    )
    after = most_memory()
    windows, epoch, count = _reading(stage, ready.windows, ready.tokens)
    opening = after if after > before else 0
    seen = foresee(ready.model, windows, stage, validation=ready.validation, epoch=epoch, opening=opening)
    pace = None
    if stage.name == recipe.stages[-1].name and recipe.extract is None:
        pace = pace_of(ready.model, ready.tokenizer, corpus.part("validation")[0].text)
    return seen, count, _computes_twice(ready.model), pace


def _computes_twice(model: Any) -> bool:
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())


class _Outlined:
    """A stage of which only the base's configuration and tokenizer are known."""

    def __init__(
        self, recipe: Recipe, corpus: Corpus, stage: Stage, start: str | None, tokens: Path, asked: Asked
    ) -> None:
        from wellread import weights
        from wellread.training.estimate_shape import Shapes
        from wellread.weights.outlines import outline

        plain = _from_the_book(stage)
        if start is None:
            made = prepare_stage(recipe, corpus, plain, tokens, start=None, place=tokens, offline=asked.offline)
            self.config, self.here, tokenizer = made.model.config, True, made.tokenizer
            windows, self._validation, count = made.windows, made.validation, made.tokens
        else:
            outlined = outline(start, offline=asked.offline)
            self.config, self.here, tokenizer = outlined.config, outlined.here, outlined.tokenizer
            weights.save_tokenizer(tokenizer, tokens / "tokenizer")
            windows, self._validation, count = stage_windows(
                recipe, corpus, plain, tokens, tokenizer, offline=asked.offline, say=asked.say
            )
        _, self._epoch, self._count = _reading(stage, windows, count)
        self._stage, self._asked = stage, asked
        self.machine = _machine(stage, asked.gpu)
        size = sum(len(document.text.encode()) for document in corpus.part("train"))
        self._shapes = Shapes(self.config, self.machine, text_bytes=size)

    def sizes(self) -> tuple[Sizes, bool]:
        """What the stage takes, and whether its layers are computed twice."""
        from wellread import weights

        plain = self._shapes.sizes(self._stage)
        setting = self._stage.gradient_checkpointing
        if not weights.computes_twice(setting, needed=plain.memory.total, free=self.machine.limit) or setting == "on":
            return plain, setting == "on"
        return self._shapes.sizes(self._stage.model_copy(update={"gradient_checkpointing": "on"})), True

    def foreseen(self, sizes: Sizes) -> tuple[Foreseen, int]:
        from wellread.training.estimate import duration

        rate = self._asked.tokens_per_second
        steps, seconds = duration(self._stage, self._epoch, self._validation, rate)
        tokens = None if steps is None else steps * self._stage.optimizer.batch * self._stage.windows.length
        return Foreseen(steps, tokens, rate, seconds, sizes.memory, sizes.disk_bytes, sizes.kept_bytes), self._count

    def ways_to_fit(self) -> tuple[Fit, ...]:
        from wellread.training.estimate_fit import ways_to_fit

        def memory(stage: Stage, processes: int) -> Memory:
            return self._shapes.sizes(stage, processes).memory

        return ways_to_fit(self._stage, memory, self.machine.limit)


def _from_the_book(stage: Stage) -> Stage:
    """The stage without what would have to be drawn or mixed first."""
    return stage.model_copy(update={"random_windows": None, "mix": None})


def _reading(stage: Stage, windows: Any, count: int) -> tuple[Any, float, int]:
    """Windows to time steps on, how many make an epoch, and how many tokens there are to read."""
    from wellread.training.estimate import Blank

    epoch = float(len(windows))
    if stage.random_windows is not None:
        epoch, count = float(stage.random_windows.n), stage.random_windows.n * stage.windows.length
        windows = Blank(stage.windows.length)
    if stage.mix is not None:
        epoch /= 1 - stage.mix.share
    return windows, epoch, count


def _machine(stage: Stage, gpu: int | None) -> Machine:
    import psutil
    import torch

    from wellread import weights
    from wellread.training.estimate import CONTEXT
    from wellread.training.estimate_shape import Machine

    here = weights.device()
    if gpu is not None:
        autocast = None if stage.precision == "float32" else torch.bfloat16
        return Machine("cuda", gpu, CONTEXT, autocast)
    autocast = weights.precision(stage.precision, here).autocast
    own = CONTEXT if here.type == "cuda" else int(psutil.Process().memory_info().rss)
    return Machine(here.type, weights.free_memory(here) + own, own, autocast)


def _named(asked: Asked) -> str:
    if asked.gpu is not None:
        return f"a GPU of {asked.gpu / GIGABYTE:.4g} GB"
    from wellread.environment import describe_environment

    found = describe_environment()
    threads = f"{found['threads']} thread{'s' if found['threads'] > 1 else ''}"
    return str(found["accelerator"] or f"{found['processor']}, {threads}")


def _method(stage: Stage) -> str:
    if isinstance(stage.method, LowRank):
        return f"{stage.method.kind} r{stage.method.rank}" if stage.method.rank != "auto" else stage.method.kind
    return stage.method.kind


def _sum(values: Sequence[Any]) -> float | None:
    return None if any(value is None for value in values) else sum(values)
