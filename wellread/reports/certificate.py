"""A run folder in, its learning certificate out: one HTML file that asks nothing of any network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from wellread.recipe import lineage
from wellread.recipe.requirements import Outcome, outcomes
from wellread.reports import facts
from wellread.reports.answers import SHOWN, answered
from wellread.reports.bars import bars
from wellread.reports.curves import Curves, curves, too_few
from wellread.reports.dial import dial
from wellread.reports.extraction import (
    extraction_required,
    extraction_verdict,
    is_extraction,
    read_extraction,
    render_extraction,
)
from wellread.reports.fight import fight_required, fight_verdict_of, is_fight, read_fight, render_fight
from wellread.reports.knowing import RECALL
from wellread.reports.page import environment
from wellread.reports.passages import by_chapter, chapter_names, choruses, find_places
from wellread.reports.path import path
from wellread.reports.reading import RunRecord, read_run, unit_of
from wellread.reports.reading_view import MEND, write_reading
from wellread.reports.rows import BITS, Rows
from wellread.reports.seal import seal
from wellread.reports.split import split
from wellread.reports.table import Line, compared, lines, yardsticks
from wellread.reports.verdict import UNDERLINED_WORDS, Verdict, verdict
from wellread.reports.wording import of_text, percent
from wellread.storage import write_text

UNFINISHED = "Not finished yet"
FEW_STEPS = 10
"""A stage of fewer has hardly begun to learn, and the verdict says so: a convention."""


def write_report(folder: Path) -> Path:
    """Write `report.html` into a run folder, whole or not at all, and, where scores are kept, the reading view beside
    it; the same folder gives the same pages.

    Raises UsageError where `folder` is no run, StorageError where it cannot be read or written.
    """
    if is_extraction(folder):
        page = render_extraction(read_extraction(folder), environment())
    elif is_fight(folder):
        page = render_fight(read_fight(folder), environment())
    else:
        record = read_run(folder)
        reading = write_reading(folder, record)
        page = render(record, reading="" if reading is None else reading.name)
    path = folder / "report.html"
    write_text(path, page, what=f"cannot write {path}", mend=MEND)
    return path


def verdict_of(folder: Path) -> str:
    """The sentences that a run ends with, as plain text."""
    if is_extraction(folder):
        return extraction_verdict(read_extraction(folder))
    return fight_verdict_of(read_fight(folder)) if is_fight(folder) else str(judge(read_run(folder)))


def requirements_of(folder: Path) -> list[Outcome]:
    """What the run's recipe requires, and whether it holds."""
    if is_extraction(folder):
        return extraction_required(read_extraction(folder))
    return fight_required(read_fight(folder)) if is_fight(folder) else required(read_run(folder))


def required(record: RunRecord) -> list[Outcome]:
    """What rises or falls does so from the earliest subject that the last stage comes from."""
    *_, earliest = (None, *lineage(record.recipe.stages)[record.trained])
    before = record.base if earliest == "base" else earliest
    return outcomes(record.recipe.require, record.measurements, trained=record.trained, before=before)


def judge(record: RunRecord) -> Verdict:
    """The verdict; of a run that is not finished, how far it has come."""
    if record.unfinished and not record.measurements:
        return Verdict(UNFINISHED, str(record.unfinished), "")
    unit = unit_of(record.chapters) if record.chapters else ""
    place = _longest_place(record)
    found = verdict(record.measurements, trained=record.trained, base=record.base, place=place, unit=unit)
    return replace(found, training=_hardly_trained(record))


def _hardly_trained(record: RunRecord) -> str:
    """A sentence for every finished stage of very few steps, and what would teach more; named where there are several."""
    told = []
    for each in record.milestones:
        stage, end = each.stage, next((row for row in reversed(each.log) if row.kept), None)
        if stage is None or end is None or not 0 < end.step < FEW_STEPS:
            continue
        where = f" in the stage {stage.name}" if len(record.recipe.stages) > 1 else ""
        more = "a larger budget"
        if stage.budget.minutes is not None:
            more = "more minutes, or lower validation_windows," if stage.validation_windows > 1 else "more minutes"
        # What ended before its budget did would have learned nothing from a larger one.
        advice = "" if end.stopped else f": {more} would teach more"
        told.append(f"Training took {'one step' if end.step == 1 else f'{end.step} steps'}{where}{advice}.")
    return " ".join(told)


def _longest_place(record: RunRecord) -> str:
    """Where in the book the longest run stands that the trained model copied; empty where no sample holds it, but a passage
    written for the style."""
    copied = [match for spoken in record.milestones[-1].spoken for match in spoken.matches]
    longest = max(copied, key=lambda match: match.words, default=None)
    measured = Rows.of(record.measurements).value("longest_recited_words", record.trained)
    if longest is None or (measured is not None and measured > longest.words):
        return ""
    return chapter_names(record.chapters).get(longest.document) or longest.section


def render(record: RunRecord, *, reading: str = "") -> str:
    """The page. Every text in it is escaped: a book may hold anything. `reading` is the reading view's file, if any."""
    return environment().get_template("certificate.html").render(**context(record), reading=reading)


def figure(record: RunRecord) -> tuple[str, str]:
    """The number in the seal, and what it is: how much is known where questions were asked, else held-out surprise."""
    rows = Rows.of(record.measurements)
    right, bits = (rows.value(name, record.trained, "held_out") for name in (RECALL, BITS))
    if right is not None:
        return percent(right), "right answers"
    return ("" if bits is None else f"{bits:.3f}"), "bits per byte"


def context(record: RunRecord) -> dict[str, Any]:
    """What the template may speak of."""
    places = find_places(record.spoken, record.chapters, record.texts)
    unit = unit_of(record.chapters) if record.chapters else "chapter"
    return {
        "record": record,
        "verdict": judge(record),
        "required": required(record),
        "seal": seal(record.name),
        "figure": figure(record),
        "date": facts.date(record),
        "reader": facts.reader(record.recipe),
        "size": facts.size_of_text(record),
        "lines": lines(record.measurements, trained=record.trained, base=record.base, unit=unit),
        "yardsticks": yardsticks(record.measurements, trained=record.trained, unit=unit),
        "answered": answered(record.milestones),
        "answers_shown": SHOWN,
        "path": path(record.milestones, record.measurements, unit=unit),
        "stages": every_stage(record, unit),
        "stage_titles": ["Before" if each.stage is None else each.subject for each in record.milestones],
        "curves": loss_curves(record, unit),
        "undrawn": undrawn(record),
        "roundings": roundings(record),
        "dial": dial(record.dial, trained=record.trained, unit=unit),
        "bars": bars(record.measurements, trained=record.trained, base=record.base),
        "choruses": choruses(record.milestones, places),
        "places": by_chapter(places, record.chapters),
        "split": split(record.chapters),
        "times": facts.times(record.environment),
        "machine": facts.machine(record),
        "versions": facts.versions(record.environment),
        "recipe_told": facts.recipe_told(record),
        "underlined": UNDERLINED_WORDS,
        "unit": unit,
        "thing": of_text("the book", unit),
    }


def loss_curves(record: RunRecord, unit: str) -> list[Curves]:
    """The curves of every stage that logged losses; titled where the recipe has several stages."""
    stages = [each for each in record.milestones if each.stage is not None]
    drawn = [curves(each.log, title=each.subject if len(stages) > 1 else "", unit=unit) for each in stages]
    return [each for each in drawn if each is not None]


def undrawn(record: RunRecord) -> list[str]:
    """What is told of every stage that logged a single loss; named where the recipe has several stages."""
    several = len(record.recipe.stages) > 1
    return [
        f"{each.subject}: {told}" if several else told
        for each in record.milestones
        if (told := too_few(each.log)) and not record.unfinished
    ]


def roundings(record: RunRecord) -> list[str]:
    """What holding the base in few bits cost, for every stage that did; named where the recipe has several stages."""
    several = len(record.recipe.stages) > 1
    return [facts.rounding(each.gap, each.subject if several else "") for each in record.milestones if each.gap]


def every_stage(record: RunRecord, unit: str) -> list[Line]:
    """Every measurement after every stage, for a run that has something between its ends."""
    subjects = [each.subject for each in record.milestones]
    return compared(record.measurements, subjects, unit=unit) if len(subjects) > 2 else []
