"""environment.json in, lines of facts out: which machine, which versions, when, and the command that does it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wellread.recipe import Full, Lora, Method, Qlora, Recipe, Stage, lineage, recipe_yaml
from wellread.reports.reading import RunRecord, file_name, unit_of
from wellread.reports.wording import count, duration, listed, model_words, sentence

if TYPE_CHECKING:
    from wellread.reports.extraction import ExtractionRecord
    from wellread.reports.fight import FightRecord

NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
NOTHING_ELSE = "a new model that has read nothing else"
SAID_ELSEWHERE = {"command", "texts", "texts_beside", "start", "end", "versions"}
"""What a colophon says in words of its own, or of `texts_beside`, a mark that only `dial_ends` reads, not at all."""


def date(record: RunRecord | ExtractionRecord | FightRecord) -> str:
    """The day of the run, `21 November 2026`; empty where it was not recorded."""
    moment = _moment(record.environment.get("end")) or _moment(record.environment.get("start"))
    return f"{moment.day} {moment:%B %Y}" if moment else ""


def reader(recipe: Recipe) -> str:
    """Who read the book: the base and how it was taught, or a model that knew nothing else."""
    last = recipe.stages[-1]
    way = {last.name, *lineage(recipe.stages)[last.name]}
    stages = [stage for stage in recipe.stages if stage.name in way]
    base = recipe.base if "base" in way else None
    if len(stages) > 1:
        whom = model_words(base) if base else "a new model"
        return (
            f"{whom}, taught in {NUMBERS.get(len(stages), str(len(stages)))} stages: {listed([s.name for s in stages])}"
        )
    return f"{model_words(base)}, taught with {method(last.method)}" if base else NOTHING_ELSE


def method(how: Method) -> str:
    """How weights were opened to learning: `LoRA of rank 16`, `full tuning`."""
    if isinstance(how, Full):
        return "full tuning"
    if not isinstance(how, Lora | Qlora):
        return "weights of its own"
    name = f"QLoRA ({how.quantization})" if isinstance(how, Qlora) else "LoRA"
    return name if how.rank == "auto" else f"{name} of rank {how.rank}"


def rounding(gap: Mapping[str, Any], name: str = "") -> str:
    """What it cost to hold the base in few bits, and where the adapter belongs; `name` where there are several stages."""
    kind = gap["quantization"]["kind"]
    bits = "8 bits (int8)" if kind == "int8" else f"4 bits ({kind})"
    base, rounded, belongs, astray = (gap[key] for key in ("base", "rounded", "adapter_on_rounded", "adapter_on_base"))
    lost, strange = (f"{change:+.4f}".replace("-", "−") for change in (rounded - base, astray - belongs))
    note = f" Measured with {gap['note']}." if gap.get("note") else ""
    return (
        f"Holding the base{f' of {name}' if name else ''} in {bits} took its validation loss from {base:.4f} to "
        f"{rounded:.4f} nats per token ({lost}); with the adapter it is {belongs:.4f}. On the base as it came, which the "
        f"adapter never saw, that would be {astray:.4f} ({strange}).{note}"
    )


def reads(stage: Stage) -> str:
    """What a stage read: the book, windows of a library, or examples; and what was mixed in."""
    if stage.examples:
        what = "prompts with their answers"
    elif stage.random_windows:
        drawn = stage.random_windows
        texts = listed([file_name(text) for text in drawn.texts[:3]])
        more = f" and {len(drawn.texts) - 3} more" if len(drawn.texts) > 3 else ""
        what = f"{drawn.n:,} windows of {stage.windows.length:,} tokens drawn from {texts}{more}"
    else:
        what = f"the book in windows of {stage.windows.length:,} tokens"
    return f"{what}, {100 * stage.mix.share:.3g} % of it replay of other text" if stage.mix else what


def as_run(recipe: Recipe, environment: Mapping[str, Any]) -> Recipe:
    """The recipe with the texts that its run was given on the command line, where there were any, in the place of its own."""
    given = tuple(map(str, environment.get("texts") or ()))
    return recipe.model_copy(update={"corpus": recipe.corpus.model_copy(update={"texts": given})}) if given else recipe


def recipe_told(record: RunRecord | ExtractionRecord | FightRecord) -> str:
    """The recipe as the page shows it: as it was kept, but for texts that the run was given."""
    return (
        recipe_yaml(as_run(record.recipe, record.environment))
        if record.environment.get("texts")
        else record.recipe_yaml
    )


def times(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    start, end = _moment(environment.get("start")), _moment(environment.get("end"))
    told = [("Begun", f"{start:%Y-%m-%d %H:%M:%S %Z}".strip())] if start else []
    if end is None:
        return [*told, ("Ended", "not recorded: the run is under way, or was stopped")] if environment else told
    told.append(("Ended", f"{end:%Y-%m-%d %H:%M:%S %Z}".strip()))
    return [*told, ("From first start to end", duration((end - start).total_seconds()))] if start else told


def machine(record: RunRecord | FightRecord) -> list[tuple[str, str]]:
    """Everything else that environment.json holds, flattened, with the precision asked for."""
    environment = record.environment
    found = [pair for key, value in environment.items() if key not in SAID_ELSEWHERE for pair in _flat(key, value)]
    if "precision" not in environment:
        found.append(("Precision asked for", record.recipe.stages[-1].precision))
    return found


def versions(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    told = environment.get("versions") or {}
    return [(str(name), str(version or "not installed")) for name, version in told.items()]


def size_of_text(record: RunRecord) -> str:
    words = sum(chapter.words for chapter in record.chapters)
    return f"{count(words, 'word')} in {count(len(record.chapters), unit_of(record.chapters))}" if words else ""


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for inner, each in value.items():
            yield from _flat(f"{key} {inner}", each)
    elif key.endswith("_bytes") and isinstance(value, int | float):
        yield sentence(key.removesuffix("_bytes")), f"{value / 2**30:.1f} GiB"
    elif isinstance(value, list):
        yield sentence(key), ", ".join(map(str, value)) or "none"
    else:
        yield sentence(key), "none" if value is None or value == "" else str(value)


def _moment(written: Any) -> datetime | None:
    """An ISO 8601 time; None for anything else."""
    try:
        return datetime.fromisoformat(str(written).replace("Z", "+00:00"))
    except ValueError:
        return None
