"""A run folder in, one record out: everything the certificate says, read and checked, with what is missing named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from wellread.errors import UsageError
from wellread.recipe import Recipe, Stage, parse_recipe, recipe_text
from wellread.reports.rows import finite, is_model
from wellread.reports.state import Unfinished, unfinished
from wellread.runs import BASE_STAGE
from wellread.storage import read_json, stream_rows
from wellread.types import Match, Measurement, Removal, Sample, Sampling, Skipped, kind_of, unit_of_kinds


@dataclass(frozen=True, slots=True)
class Chapter:
    """One document as the split sees it, without its text."""

    id: str
    source: str
    section: str
    part: str
    """train, validation or held_out; empty where no split was recorded."""
    characters: int
    words: int
    kind: str = "chapter"
    """`passage` where it was cut from a text without chapters, or from a chapter too long; `example`: a prompt with its
    answer, or a chat."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sample, and the runs of words in its prompt and completion that stand in the book."""

    sample: Sample
    matches: tuple[Match, ...]
    longest: Match | None = None
    """The longest shared run of any length; None where nothing is shared, and in runs that did not look for it."""

    @property
    def text(self) -> str:
        """What the matches' `start` and `end` count in."""
        return self.sample.prompt + self.sample.completion


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of log.jsonl. Losses in nats per token."""

    step: int
    tokens: int
    minutes: float
    loss: float | None
    validation_loss: float | None
    average: bool
    """Whether `validation_loss` is that of the average of the late weights, not of those of this step."""
    kept: str
    """On the last line: `last`, `average` or the step whose weights were kept; else empty."""
    stopped: str = ""
    """Why training ended before its budget did; else empty."""
    recall: float | None = None
    """Share of the watched validation questions that were answered right."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """One subject of the path: the untouched base, or what a stage made of the one before."""

    subject: str
    stage: Stage | None
    """None for the base."""
    log: tuple[LogRow, ...]
    spoken: tuple[Spoken, ...]
    gap: Mapping[str, Any] | None = None
    """What rounding the base cost, as quantization.json has it; None where nothing was rounded, or measured."""
    answers: tuple[Mapping[str, Any], ...] = ()
    """The rows of answers.jsonl."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run folder holds. Empty tuples stand for what is missing; `absent` says so in words."""

    name: str
    title: str
    language: str
    """Of the text, as a BCP 47 tag, where its metadata tells it."""
    recipe: Recipe
    recipe_yaml: str
    environment: Mapping[str, Any]
    chapters: tuple[Chapter, ...]
    texts: Mapping[str, str]
    """The text of every chapter that a sample shares words with, by document id."""
    cleaning: tuple[Removal, ...] | None
    """None where no cleaning was recorded; empty where it found nothing."""
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    trained: str
    """Subject of the last stage."""
    base: str | None
    """Subject of the untouched base; None from scratch."""
    milestones: tuple[Milestone, ...]
    """The base, where there is one, then every stage in order."""
    measurements: tuple[Measurement, ...]
    absent: tuple[str, ...]
    dial: tuple[Measurement, ...] = ()
    """Along the dial, of every stage that was turned: subjects `STAGE@SETTING`."""
    unfinished: Unfinished | None = None
    """How far it has come; None for a finished run."""

    @property
    def spoken(self) -> tuple[Spoken, ...]:
        """Every sample of every subject."""
        return tuple(spoken for each in self.milestones for spoken in each.spoken)


def unit_of(chapters: Sequence[Chapter]) -> str:
    """What the documents are to a reader: chapters, passages, examples, or sections where they are of several kinds."""
    return unit_of_kinds(chapter.kind for chapter in chapters)


def read_run(folder: Path) -> RunRecord:
    """Everything a certificate needs from a run folder, finished or not.

    Missing files are named in `absent`. Raises UsageError where `folder` is no run or its recipe does not parse,
    StorageError for a damaged file.
    """
    if not (folder / "recipe.yaml").is_file():
        raise UsageError(f"{folder} is not a run folder: there is no recipe.yaml in it. `wellread run` makes one.")
    recipe_yaml = recipe_text(str(folder / "recipe.yaml"))
    recipe = parse_recipe(recipe_yaml, source=str(folder / "recipe.yaml"))
    measurements = tuple(map(_measurement, stream_rows(folder / "measurements.jsonl", optional=True)))
    environment = read_json(folder / "environment.json", optional=True) or {}
    state = unfinished(folder, recipe, environment)
    base = _base_subject(recipe, measurements)
    milestones = _milestones(folder / "stages", recipe, base)
    needed = {
        "environment.json (versions, hardware, times)": folder / "environment.json",
        "corpus/documents.jsonl (the chapters)": folder / "corpus" / "documents.jsonl",
        "corpus/split.json (which chapters trained, and which were held out)": folder / "corpus" / "split.json",
        **_needed_of_stages(folder / "stages", recipe),
        "measurements.jsonl": folder / "measurements.jsonl",
    }
    if recipe.base is not None:
        needed["samples of the base"] = folder / "stages" / BASE_STAGE / "samples.jsonl"
    wanted = {match.document for each in milestones for spoken in each.spoken for match in spoken.matches}
    cleaning = read_json(folder / "corpus" / "cleaning.json", optional=True)
    notes = read_json(folder / "corpus" / "notes.json", optional=True) or {}
    return RunRecord(
        name=folder.resolve().name,
        recipe=recipe,
        recipe_yaml=recipe_yaml,
        environment=environment,
        **(_book(folder / "corpus", wanted) | _glossary(folder)),
        cleaning=None if cleaning is None else tuple(Removal(**row) for row in cleaning),
        skipped=tuple(Skipped(**row) for row in notes.get("skipped", ())),
        notes=tuple(notes.get("notes", ())),
        trained=recipe.stages[-1].name,
        base=base,
        milestones=milestones,
        measurements=measurements,
        absent=() if state else tuple(what for what, path in needed.items() if not path.is_file()),
        dial=tuple(map(_measurement, stream_rows(folder / "dial.jsonl", optional=True))),
        unfinished=state,
    )


def _milestones(stages: Path, recipe: Recipe, base: str | None) -> tuple[Milestone, ...]:
    def spoken(folder: Path) -> tuple[Spoken, ...]:
        return tuple(map(_spoken, stream_rows(folder / "samples.jsonl", optional=True)))

    def answers(folder: Path) -> tuple[Mapping[str, Any], ...]:
        return tuple(stream_rows(folder / "answers.jsonl", optional=True))

    before = stages / BASE_STAGE
    found = [] if base is None else [Milestone(base, None, (), spoken(before), answers=answers(before))]
    for number, stage in enumerate(recipe.stages, 1):
        folder = stages / f"{number:02}-{stage.name}"
        log = tuple(map(_log_row, stream_rows(folder / "log.jsonl", optional=True)))
        gap = read_json(folder / "quantization.json", optional=True)
        found.append(Milestone(stage.name, stage, log, spoken(folder), gap, answers(folder)))
    return tuple(found)


def _needed_of_stages(stages: Path, recipe: Recipe) -> dict[str, Path]:
    """What every stage leaves behind, by the name under which the page misses it."""
    needed = {}
    for number, stage in enumerate(recipe.stages, 1):
        folder = stages / f"{number:02}-{stage.name}"
        several = len(recipe.stages) > 1
        needed[f"the training log{f' of {stage.name}' if several else ''}"] = folder / "log.jsonl"
        needed[f"samples {f'after {stage.name}' if several else 'of the trained model'}"] = folder / "samples.jsonl"
    return needed


def _base_subject(recipe: Recipe, measurements: Sequence[Measurement]) -> str | None:
    """The name that the base's rows carry: the first subject that is neither a stage, a compressor nor a difference."""
    if recipe.base is None:
        return None
    stages = {stage.name for stage in recipe.stages}
    subjects = (row.subject for row in measurements if is_model(row.subject) and row.subject not in stages)
    return next(subjects, recipe.base)


def _book(corpus: Path, wanted: set[str]) -> dict[str, Any]:
    """Title, language and chapters, and the texts of the wanted ones; one document in memory at a time."""
    split = read_json(corpus / "split.json", optional=True) or {}
    part_of = {id: part for part, ids in split.items() for id in ids}
    chapters, texts = [], {}
    titles: dict[str, str] = {}
    language = ""
    for row in stream_rows(corpus / "documents.jsonl", optional=True):
        text, source = row["text"], str(row.get("source") or "")
        metadata = row.get("metadata") or {}
        section = str(row.get("section") or "")
        chapters.append(
            Chapter(row["id"], source, section, part_of.get(row["id"], ""), len(text), len(text.split()),
                    kind_of(section, metadata))
        )  # fmt: skip
        titles.setdefault(source, str(metadata.get("title") or "") or _name_of(source))
        language = language or str(metadata.get("language") or "")
        if row["id"] in wanted:
            texts[row["id"]] = text
    return {"title": _joined(list(titles.values())), "language": language, "chapters": tuple(chapters), "texts": texts}


def _glossary(folder: Path) -> dict[str, str]:
    """The title of a run whose conversations were written about a glossary: that of the glossary."""
    summary = read_json(folder / "synthesis" / "synthesis.json", optional=True) or {}
    return {"title": _name_of(summary["source"])} if summary.get("source") else {}


def title_of_corpus(folder: Path) -> str:
    """What a run's corpus is called: by the titles that its texts state, else by the names of their files."""
    return str(_book(folder, set())["title"])


def title_of_files(sources: Sequence[str]) -> str:
    """What files are called together; of an embedded one (`library:NAME`) its name."""
    return _joined(list(dict.fromkeys(_name_of(source.removeprefix("library:")) for source in sources)))


def file_name(source: str) -> str:
    """The last part of a path, with either kind of slash: a run may have been made on another system."""
    return source.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _name_of(source: str) -> str:
    """A file's name as a title: `salt_road.epub` gives `salt road`."""
    name = file_name(source)
    stem = name.rpartition(".")[0] or name
    return stem.replace("_", " ").strip()


def _joined(titles: list[str]) -> str:
    known = [title for title in titles if title]
    if not known:
        return "An untitled text"
    if len(known) <= 3:
        return ", ".join(known[:-1]) + (" and " if len(known) > 1 else "") + known[-1]
    return f"{known[0]} and {len(known) - 1} other texts"


def _spoken(row: Mapping[str, Any]) -> Spoken:
    known = {field.name for field in fields(Sampling)}
    settings = Sampling(**{key: value for key, value in (row.get("settings") or {}).items() if key in known})
    sample = Sample(row["prompt"], row["completion"], settings, row.get("seed", settings.seed), row.get("subject", ""),
                    row.get("finish", "length"))  # fmt: skip
    longest = row.get("longest")
    return Spoken(
        sample, tuple(Match(**match) for match in row.get("matches", ())), Match(**longest) if longest else None
    )


def _measurement(row: Mapping[str, Any]) -> Measurement:
    return finite(Measurement.from_json({**row, "tallies": ()}))


def _log_row(row: Mapping[str, Any]) -> LogRow:
    return LogRow(
        step=int(row["step"]),
        tokens=int(row.get("tokens", 0)),
        minutes=float(row.get("elapsed_seconds", 0.0)) / 60,
        loss=row.get("loss"),
        validation_loss=row.get("validation_loss"),
        average=row.get("weights") == "average",
        kept=str(row.get("kept", "")),
        stopped=str(row.get("stopped") or "").removeprefix("budget"),
        recall=row.get("recall_exact"),
    )
