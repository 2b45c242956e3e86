"""A run of a fair fight in, its certificate out: all sides on the same questions, the verdict in words, and the answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.recipe import Recipe, parse_recipe, recipe_text
from wellread.recipe.requirements import Outcome, outcomes
from wellread.reports.facts import date, machine, recipe_told, times, versions
from wellread.reports.fair import JUDGED_BY, RETRIEVAL, Sides, fair_verdict
from wellread.reports.reading import title_of_corpus
from wellread.reports.rows import Rows
from wellread.reports.seal import seal
from wellread.reports.table import Cell, judged, no_interval
from wellread.reports.wording import duration, metric_words, number, signed, span
from wellread.storage import read_json, stream_rows
from wellread.types import Measurement

if TYPE_CHECKING:
    from jinja2 import Environment

SHOWN = 40
"""Questions on the page, at most."""
DECLINES = "declines"
WITHHELD = "withheld: retrieval declines"
"""What the model would have said, had it been let."""


@dataclass(frozen=True, slots=True)
class Told:
    """One question with what every side said."""

    question: str
    right: str
    """The right answers; empty where the text does not answer it."""
    near_miss: bool
    said: tuple[tuple[str, str, str], ...]
    """Side, answer, and why it does not count as one: DECLINES, WITHHELD or nothing."""


@dataclass(frozen=True, slots=True)
class FightRecord:
    name: str
    title: str
    """Of the texts that were asked about."""
    recipe: Recipe
    recipe_yaml: str
    environment: Mapping[str, Any]
    measurements: tuple[Measurement, ...]
    sides: Sides
    told: tuple[Told, ...]
    synthesis: Mapping[str, Any]
    """synthesis.json: who wrote how much, and what came too near to a gold question."""

    @property
    def subjects(self) -> dict[str, str]:
        """Every side that was measured, or told why not, as the page calls it."""
        there = dict.fromkeys(
            row.subject for row in self.measurements if " - " not in row.subject and row.subject != RETRIEVAL
        )
        words = self.sides.words
        return {subject: words.get(subject, subject) for subject in there}


def is_fight(folder: Path) -> bool:
    """Whether a run folder is one of a fair fight: its gold questions stand there."""
    return (folder / "questions" / "gold.jsonl").is_file()


def read_fight(folder: Path) -> FightRecord:
    """Everything the page needs. Raises StorageError for a damaged file."""
    yaml = recipe_text(str(folder / "recipe.yaml"))
    recipe = parse_recipe(yaml, source=str(folder / "recipe.yaml"))
    measurements = tuple(map(Measurement.from_json, stream_rows(folder / "measurements.jsonl", optional=True)))
    return FightRecord(
        folder.resolve().name, title_of_corpus(folder / "corpus"), recipe, yaml,
        read_json(folder / "environment.json", optional=True) or {}, measurements, sides_of(recipe), _told(folder, recipe),
        read_json(folder / "synthesis" / "synthesis.json", optional=True) or {},
    )  # fmt: skip


def sides_of(recipe: Recipe) -> Sides:
    """The subjects by their parts in the fight: the first stage of either kind, and what the base does."""
    base = str(recipe.base)
    with_passages = [stage.name for stage in recipe.stages if stage.examples is not None and stage.examples.passages]
    without = [stage.name for stage in recipe.stages if stage.name not in with_passages]
    whole = f"{base}+text" if recipe.fight is not None and recipe.fight.whole else ""
    return Sides(base, f"{base}+{RETRIEVAL}", (*without, "")[0], (*with_passages, "")[0], whole)


def fight_verdict_of(record: FightRecord) -> str:
    if not record.measurements:
        return "Not finished yet: nothing is measured."
    return fair_verdict(record.measurements, record.sides)


def fight_required(record: FightRecord) -> list[Outcome]:
    """What must hold of the last stage, which rises or falls against the base."""
    trained = record.recipe.stages[-1].name
    return outcomes(record.recipe.require, record.measurements, trained=trained, before=record.sides.base)


def render_fight(record: FightRecord, environment: Environment) -> str:
    """The page. Every text in it is escaped."""
    rows = Rows.of(record.measurements)
    best = max((row.value for row in rows.all if row.name == JUDGED_BY and row.subject in record.subjects and row.value is not None),
               default=None)  # fmt: skip
    return environment.get_template("fight.html").render(
        record=record, date=date(record), recipe_told=recipe_told(record), seal=seal(record.name),
        figure="" if best is None else f"{best:.2f}", verdict=fight_verdict_of(record), required=fight_required(record),
        subjects=list(record.subjects.values()),
        lines=_lines(record, rows), pairs=_pairs(record, rows), search=[_fact(row) for row in rows.all if row.subject == RETRIEVAL],
        told=_shown(record.told), count=len(record.told), times=times(record.environment),
        versions=versions(record.environment), machine=machine(record),
    )  # fmt: skip


def _told(folder: Path, recipe: Recipe) -> tuple[Told, ...]:
    sides = sides_of(recipe)
    files = {sides.base: "base", sides.retrieval: f"base+{RETRIEVAL}", sides.whole: "base+text"}
    files |= {stage.name: stage.name for stage in recipe.stages}
    words = sides.words
    gold = list(stream_rows(folder / "questions" / "gold.jsonl", optional=True))
    refused = (read_json(folder / "refusal.json", optional=True) or {}).get("refused", ())
    withheld = {str(row["id"]) for row, no in zip(gold, refused, strict=False) if no}
    said: dict[str, list[tuple[str, str, str]]] = {}
    for subject, file in files.items():
        rows = list(stream_rows(folder / "answers" / f"{file}.jsonl", optional=True))
        retrieves = any(row["sources"] is not None for row in rows)
        for row in rows:
            question = str(row["question"])
            no = WITHHELD if retrieves and question in withheld else DECLINES if row["refused"] else ""
            said.setdefault(question, []).append((words.get(subject, subject), str(row["text"]), no))
    return tuple(
        Told(row["question"], " / ".join(row["answers"]), bool(row["near_miss"]), tuple(said.get(str(row["id"]), ())))
        for row in gold
    )


def _shown(told: Sequence[Told]) -> list[Told]:
    """Questions spread evenly over all."""
    return list(told) if len(told) <= SHOWN else [told[len(told) * place // SHOWN] for place in range(SHOWN)]


def _lines(record: FightRecord, rows: Rows) -> list[tuple[str, str, str, list[Cell]]]:
    """Title, explanation, facts and a cell for every side, for every measure."""
    lines = []
    for name in dict.fromkeys(row.name for row in rows.all if row.subject in record.subjects):
        several = [rows.get(name, subject) for subject in record.subjects]
        first = next((row for row in several if row is not None and row.value is not None), None)
        if first is None:
            continue
        words = metric_words(name)
        facts = [f"n = {first.n}"] if first.n else []
        over = next((row.interval_over for row in several if row is not None and row.low is not None), "")
        facts += [f"95 % interval over {over}"] if over else []
        lines.append((words.title, words.explanation, ", ".join(facts), [_cell(row) for row in several]))
    return lines


def _pairs(record: FightRecord, rows: Rows) -> list[tuple[str, Cell]]:
    """The paired difference of every two sides, by what decides."""
    found = []
    names = record.subjects
    for row in rows.all:
        one, minus, other = row.subject.partition(" - ")
        if row.name == JUDGED_BY and minus and one in names and other in names:
            found.append((f"{names[one]} less {names[other][:1].casefold()}{names[other][1:]}", _gap(row)))
    return found


def _cell(row: Measurement | None) -> Cell:
    if row is None or row.value is None:
        return Cell(note=f"not measured: {row.note}" if row is not None and row.note else "–")
    if row.name == "preparation_seconds":
        return Cell(duration(row.value))
    ends = [number(end, row) for end in (row.low, row.high) if end is not None]
    value = f"{number(row.value, row)} {row.unit}" if row.unit == "GiB" else number(row.value, row)
    return Cell(value, span(*ends) if len(ends) == 2 else "", no_interval(row))


def _gap(row: Measurement) -> Cell:
    if row.value is None:
        return Cell(note=row.note)
    ends = [signed(end, row) for end in (row.low, row.high) if end is not None]
    said = judged(row, row) if ends else ""
    return Cell(signed(row.value, row), span(*ends) if len(ends) == 2 else "", no_interval(row), said)


def _fact(row: Measurement) -> tuple[str, str, Cell]:
    return metric_words(row.name).title, f"n = {row.n}" if row.n else "", _cell(row)
