"""A run of extraction in, its certificate out: every subject on the same texts, and the texts that none of them read right."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.recipe import Recipe, parse_recipe, recipe_text
from wellread.recipe.requirements import Outcome, outcomes
from wellread.reports.facts import as_run, date, recipe_told
from wellread.reports.reading import title_of_files
from wellread.reports.rows import sign
from wellread.reports.seal import seal
from wellread.reports.table import Cell, judged, no_interval
from wellread.reports.wording import count, listed, metric_words, number, signed, span
from wellread.storage import read_json, stream_rows
from wellread.types import Measurement

if TYPE_CHECKING:
    from jinja2 import Environment

SPLITS = {
    "held_out": "Texts it was not taught on, fold by fold",
    "blind": "The blind test: texts that nothing was chosen by",
}
OTHERS = ("few-shot", "pattern", "encoder")
"""Sides that the taught model is held against, beside its base."""
OPEN, SHOWN = 5, 60
"""Texts of each list that are seen at once, and those on the page at most."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One text: what is there, and what each subject said."""

    text: str
    gold: str
    said: tuple[tuple[str, str, bool], ...]
    """Subject, answer, whether it is right."""


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    subjects: tuple[str, ...]
    lines: tuple[tuple[str, str, str, tuple[Cell, ...]], ...]
    """Title, explanation, facts, and a cell for every subject."""
    differences: tuple[tuple[str, tuple[Cell, ...]], ...]
    """For each metric the taught model less each of the others."""


@dataclass(frozen=True, slots=True)
class ExtractionRecord:
    name: str
    title: str
    """Of the files that its texts are from; the run's name where nobody kept these."""
    recipe: Recipe
    recipe_yaml: str
    environment: Mapping[str, Any]
    measurements: tuple[Measurement, ...]
    asked: tuple[Asked, ...]
    trained: str


def is_extraction(folder: Path) -> bool:
    """Whether a run folder is one of extraction: its rows stand beside its corpus."""
    return (folder / "corpus" / "rows.jsonl").is_file()


def read_extraction(folder: Path) -> ExtractionRecord:
    """Everything the page needs. Raises StorageError for a damaged file."""
    yaml = recipe_text(str(folder / "recipe.yaml"))
    recipe = parse_recipe(yaml, source=str(folder / "recipe.yaml"))
    trained = recipe.stages[0].name
    subjects = {"pattern": "pattern", "base": str(recipe.base), "few-shot": "few-shot", "encoder": "encoder",
                trained: trained}  # fmt: skip
    said: dict[str, dict[str, tuple[str, bool]]] = {}
    folders = [*sorted((folder / "folds").glob("*")), folder]
    for file, subject in subjects.items():
        for each in folders:
            for row in stream_rows(each / "answers" / f"{file}.jsonl", optional=True):
                answer = _compact(row["answer"]) if row["valid"] else str(row["said"])
                said.setdefault(str(row["row"]), {})[subject] = (answer, bool(row["right"]))
    asked = tuple(
        Asked(
            row["text"], _compact(row["gold"]), tuple((who, *found) for who, found in said.get(row["id"], {}).items())
        )
        for row in stream_rows(folder / "corpus" / "rows.jsonl", optional=True)
    )
    measurements = tuple(map(Measurement.from_json, stream_rows(folder / "measurements.jsonl", optional=True)))
    environment = read_json(folder / "environment.json", optional=True) or {}
    name, texts = folder.resolve().name, as_run(recipe, environment).corpus.texts
    title = title_of_files(texts) if texts else name
    return ExtractionRecord(name, title, recipe, yaml, environment, measurements, asked, trained)


def extraction_required(record: ExtractionRecord) -> list[Outcome]:
    return outcomes(record.recipe.require, record.measurements, trained=record.trained, before=str(record.recipe.base))


def extraction_verdict(record: ExtractionRecord) -> str:
    """Two or three sentences: what it finds, what it leaves alone, and whether it beats the others for sure."""
    rows = {(row.name, row.subject, row.split): row for row in record.measurements}

    def told(name: str) -> str:
        row = rows.get((name, record.trained, "held_out"))
        if row is None or row.value is None:
            return ""
        ends = [number(end, row) for end in (row.low, row.high) if end is not None]
        return number(row.value, row) + (f" ({span(*ends)})" if len(ends) == 2 else "")

    parts = {
        "reference_exact": (
            "of texts it was not taught on, {} were read without a fault",
            "how many texts were read without a fault",
        ),
        "work_f1": ("the F1 of works is {}", "the F1 of works"),
        "line_f1": ("the F1 of lines is {}", "the F1 of lines"),
        "abstention": (
            "texts without references were left alone {} of the time",
            "how many texts without references were left alone",
        ),
    }
    found = [words.format(told(name)) for name, (words, _) in parts.items() if told(name)]
    missing = [words for name, (_, words) in parts.items() if not told(name)]
    sentences = [f"{text[:1].upper()}{text[1:]}." for text in ["; ".join(found)] if text]
    sentences += [f"Not measured: {listed(missing)}."] if missing else []
    return " ".join([*sentences, *_beside(record, rows), *_of_blind(record, rows)])


def _beside(record: ExtractionRecord, rows: Mapping[tuple[str, str, str], Measurement]) -> list[str]:
    """Whom it surely beats on lines, whom not, and who surely beats it: of those the best is the one to use."""
    gaps = _gaps(record, rows, "held_out", (str(record.recipe.base), *OTHERS))
    beaten = [f"{who} by {signed(gap.value or 0.0, gap)}" for who, gap in gaps.items() if _surely(gap) == 1]
    unsure = [who for who, gap in gaps.items() if not _surely(gap)]
    ahead = {who: gap for who, gap in gaps.items() if _surely(gap) == -1}
    told = [f"On lines it surely beats {listed(beaten)}."] if beaten else []
    told += [f"It does not surely beat {listed(unsure, 'or')}."] if unsure else []
    if ahead:
        best = min(ahead, key=lambda who: ahead[who].value or 0.0)
        more = [f"{who} by {signed(-(gap.value or 0.0), gap)}" for who, gap in ahead.items()]
        told.append(f"On lines it is surely beaten by {listed(more)}: of these sides {best} is the one to use here.")
    return told


def _of_blind(record: ExtractionRecord, rows: Mapping[tuple[str, str, str], Measurement]) -> list[str]:
    """What the blind texts say, where there are any: lines found, whom it does not surely beat on them, and who beats it."""
    row = rows.get(("line_f1", record.trained, "blind"))
    if row is None or row.value is None:
        return []
    gaps = _gaps(record, rows, "blind", OTHERS)
    level = [who for who, gap in gaps.items() if not _surely(gap)]
    ahead = [who for who, gap in gaps.items() if _surely(gap) == -1]
    unsure = f", and does not surely beat {listed(level, 'or')} there" if level else ""
    beaten = f", and is surely beaten by {listed(ahead)} there" if ahead else ""
    return [f"On {count(row.n, 'blind text')} it found lines with {number(row.value, row)}{unsure}{beaten}."]


def _gaps(
    record: ExtractionRecord, rows: Mapping[tuple[str, str, str], Measurement], split: str, others: Sequence[str]
) -> dict[str, Measurement]:
    """The model less each of the others, by line F1; only those that were measured."""
    gaps = {each: rows.get(("line_f1", f"{record.trained} - {each}", split)) for each in others}
    return {each: gap for each, gap in gaps.items() if gap is not None and gap.value is not None}


def _surely(gap: Measurement) -> int:
    """1 where the model is ahead, -1 where the other is, 0 where the interval holds 0, or there is none to be sure by."""
    return 0 if gap.low is None or gap.high is None else sign(gap)


def render_extraction(record: ExtractionRecord, environment: Environment) -> str:
    """The page. Every text in it is escaped."""
    failed = [each for each in record.asked if each.said and not any(right for _, _, right in each.said)]
    wrong = [each for each in record.asked if any(who == record.trained and not right for who, _, right in each.said)]
    wrong = [each for each in wrong if each not in failed]
    wanted = ("line_f1", record.trained, "held_out")
    lines = next((row.value for row in record.measurements if (row.name, row.subject, row.split) == wanted), None)
    return environment.get_template("extraction.html").render(
        record=record, date=date(record), recipe_told=recipe_told(record), seal=seal(record.name),
        figure=None if lines is None else f"{lines:.2f}", verdict=extraction_verdict(record), open=OPEN,
        required=extraction_required(record),
        tables=[table for split in SPLITS if (table := _table(record, split)).lines],
        notes=[row for row in record.measurements if row.subject == "encoder" and row.value is None and not row.n],
        failed=failed[:SHOWN], more_failed=max(0, len(failed) - SHOWN), wrong=wrong[:SHOWN],
        more_wrong=max(0, len(wrong) - SHOWN), count=len(record.asked),
    )  # fmt: skip


def _table(record: ExtractionRecord, split: str) -> Table:
    here = [row for row in record.measurements if row.split == split and (row.n or row.subject != "encoder")]
    subjects = [row.subject for row in here if " - " not in row.subject]
    order = tuple(dict.fromkeys(subjects))
    rows = {(row.name, row.subject): row for row in here}
    lines, differences = [], []
    others = [subject for subject in order if subject != record.trained]
    for name in dict.fromkeys(row.name for row in here):
        several = [rows.get((name, subject)) for subject in order]
        words = metric_words(name)
        first = next(row for row in several if row is not None)
        over = next((f", 95 % interval over {row.interval_over}" for row in several if row and row.low is not None), "")
        lines.append((words.title, words.explanation, f"n = {first.n}{over}", tuple(map(_cell, several))))
        gaps = [rows.get((name, f"{record.trained} - {subject}")) for subject in others]
        differences.append((words.title, tuple(map(_gap, gaps))))
    return Table(SPLITS[split], order, tuple(lines), tuple(differences))


def _cell(row: Measurement | None) -> Cell:
    if row is None or row.value is None:
        return Cell(note=f"not measured: {row.note}" if row else "not measured")
    ends = [number(end, row) for end in (row.low, row.high) if end is not None]
    return Cell(number(row.value, row), _interval(ends), no_interval(row))


def _gap(row: Measurement | None) -> Cell:
    if row is None or row.value is None:
        return Cell(note=f"not measured: {row.note}" if row else "not measured")
    ends = [signed(end, row) for end in (row.low, row.high) if end is not None]
    return Cell(signed(row.value, row), _interval(ends), row.note, judged(row) if ends else "")


def _interval(ends: Sequence[str]) -> str:
    return span(*ends) if len(ends) == 2 else ""


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
