"""A run folder in, its reading view out: the book as the models see it, a page with every chapter's numbers and its text on demand."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from functools import reduce
from importlib import resources
from itertools import pairwise
from operator import add
from pathlib import Path
from typing import Any

from wellread.reports import surprise
from wellread.reports.known import Figures, Known, Shaded, Subject, in_long_windows, know
from wellread.reports.page import environment
from wellread.reports.passages import title_of
from wellread.reports.reading import RunRecord, unit_of
from wellread.reports.ribbon import ribbon
from wellread.reports.split import PARTS
from wellread.reports.wording import count, of_text, percent
from wellread.runs import BASE_STAGE
from wellread.scorefile import read_scores
from wellread.storage import new_folder, storage_errors, stream_rows, write_text

PAGE, FOLDER = "reading.html", "reading"
INLINE = 1_500_000
"""Characters of chapters that the page carries itself; those of a longer book lie beside it, in files of `FILE`."""
FILE = 250_000
MEND = "free some space or make the folder writable, then `wellread report` writes it again"
MOST_ROWS = 500
"""Chapters that the table names, at most."""
_ESCAPED = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def write_reading(folder: Path, record: RunRecord) -> Path | None:
    """Write `reading.html`, and for a long book the folder `reading`; None, and nothing written, where no scores are kept.

    Raises StorageError where a file cannot be read or written.
    """
    subjects = scored_subjects(folder, record)
    if not subjects or not record.chapters:
        return None
    pairs = list(know(stream_rows(folder / "corpus" / "documents.jsonl"), record.chapters, subjects))
    chapters, shaded = [known for known, _ in pairs], [in_json(_payload(each)) for _, each in pairs]
    inline = sum(map(len, shaded)) <= INLINE
    files = [] if inline else list(_files(shaded))
    page = render(record, chapters, subjects, inline=shaded if inline else [], firsts=[first for first, _ in files])
    if files:
        _write_files(folder / FOLDER, files)
    write_text(folder / PAGE, page, what=f"cannot write {folder / PAGE}", mend=MEND)
    if not files:
        shutil.rmtree(folder / FOLDER, ignore_errors=True)  # of a time when the text was longer
    return folder / PAGE


def _write_files(folder: Path, files: Sequence[tuple[int, str]]) -> None:
    with storage_errors(folder, what=f"cannot write {folder}", mend=MEND), new_folder(folder) as unfinished:
        for number, (first, content) in enumerate(files):
            call = f"wellreadChapters({first},[{content}]);\n"
            (unfinished / f"{number:04}.js").write_text(call, encoding="utf-8", newline="\n")


def scored_subjects(folder: Path, record: RunRecord) -> list[Subject]:
    """Every model of the path whose scores of the book are kept, in order."""
    found = []
    numbered = [stage.name for stage in record.recipe.stages]
    for each in record.milestones:
        stage = BASE_STAGE if each.stage is None else f"{numbered.index(each.subject) + 1:02}-{each.subject}"
        scores = read_scores(folder / "stages" / stage / "scores.npz")
        if scores is not None and (scores.long or scores.short):
            found.append(Subject(title_of(each, len(record.milestones)), scores))
    return found


def render(
    record: RunRecord, chapters: Sequence[Known], subjects: Sequence[Subject], *, inline: Sequence[str],
    firsts: Sequence[int],
) -> str:  # fmt: skip
    """The page. Every text in it is escaped: a book may hold anything."""
    script = resources.files("wellread.reports").joinpath("reading_view.js").read_text(encoding="utf-8")
    told = in_json(_told(chapters, subjects, firsts))
    return environment().get_template("reading_view.html").render(
        **context(record, chapters, subjects), script=script, told=told, inline=inline,
        allowed=f"'sha256-{_digest(script)}'" + (" 'self' file:" if firsts else ""),
    )  # fmt: skip


def context(record: RunRecord, chapters: Sequence[Known], subjects: Sequence[Subject]) -> dict[str, Any]:
    """What the template may speak of."""
    unit = unit_of(record.chapters) if record.chapters else "chapter"
    words, scored = sum(each.words for each in chapters), sum(each.scored_words for each in chapters)
    return {
        "record": record,
        "unit": unit,
        "thing": of_text("the book", unit),
        "titles": [subject.title for subject in subjects],
        "ribbon": ribbon(chapters),
        "parts": _parts(chapters),
        "purposes": {key: PARTS[key] for key in PARTS},
        "chapters": [_row(each) for each in chapters] if len(chapters) <= MOST_ROWS else [],
        "how_many": len(chapters),
        "words": count(words, "word"),
        "scored": f"{scored:,}",
        "share": percent(scored / words) if words else "",
        "all_scored": scored == words,
        "long": in_long_windows(subjects),
        "otherwise": sum(each.otherwise for each in chapters),
        "steps": _steps(),
    }


def _steps() -> list[str]:
    """What each shade stands for, lightest first."""
    edges = [f"{bits:g}" for bits in surprise.SHADES]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"under {edges[0]}", *between, f"{edges[-1]} or more"]


def _parts(chapters: Sequence[Known]) -> list[dict[str, Any]]:
    """A row for every part, and one for the book."""
    rows = []
    for key, (title, _) in PARTS.items():
        mine = [each for each in chapters if each.part == key]
        if mine:
            rows.append({"key": key, "name": title, **_numbers(mine)})
    return [*rows, {"key": "", "name": "The whole book", **_numbers(chapters)}] if len(rows) != 1 else rows


def _row(chapter: Known) -> dict[str, Any]:
    part = PARTS[chapter.part][0].lower() if chapter.part in PARTS else ""
    return {"number": chapter.number, "name": chapter.name, "part": part, **_numbers([chapter])}


def _numbers(chapters: Sequence[Known]) -> dict[str, Any]:
    """Words, and for each model bits per byte and recited share, as the reader should see them."""
    totals = [
        reduce(add, (each.figures[place] for each in chapters), Figures()) for place in range(len(chapters[0].figures))
    ]
    words, scored = sum(each.words for each in chapters), sum(each.scored_words for each in chapters)
    return {
        "words": count(words, "word"),
        "scored": "all scored" if scored == words else f"{scored:,} scored" if scored else "not scored",
        "bits": ["–" if each.bits_per_byte is None else f"{each.bits_per_byte:.2f}" for each in totals],
        "recited": ["–" if each.recited_share is None else percent(each.recited_share) for each in totals],
    }


def _payload(shaded: Shaded) -> dict[str, Any]:
    return {"text": shaded.text, "digits": shaded.digits, "marks": shaded.marks}


def _told(chapters: Sequence[Known], subjects: Sequence[Subject], firsts: Sequence[int]) -> dict[str, Any]:
    """What the script must know before any chapter: their names, parts and lengths, and how a text is cut and shaded."""
    return {
        "chapters": [[each.name, each.part, each.characters, each.scored_words] for each in chapters],
        "parts": {key: title.lower() for key, (title, _) in PARTS.items()},
        "subjects": [subject.title for subject in subjects],
        "firsts": list(firsts),
        "folder": FOLDER,
        "unit": surprise.UNIT,
        "digits": surprise.DIGITS,
        "step": surprise.STEP,
        "shades": surprise.shades(),
    }


def _files(shaded: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Chapters in files of about `FILE` characters: the number of the first, and them all, comma between."""
    first, size = 0, 0
    held: list[str] = []
    for number, each in enumerate(shaded):
        if held and size + len(each) > FILE:
            yield first, ",\n".join(held)
            first, held, size = number, [], 0
        held.append(each)
        size += len(each)
    yield first, ",\n".join(held)


def in_json(value: Any) -> str:
    """JSON that may stand in a script element and in a script alike: nothing in it ends either."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
