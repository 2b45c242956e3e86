"""`wellread compare`: runs or models side by side; of runs nothing is measured again, their measurements are read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wellread import runs
from wellread.errors import UsageError
from wellread.recipe import Recipe, lineage, parse_recipe
from wellread.recipe.questions import ANSWERED, REPLIED
from wellread.registry import unknown
from wellread.reports.comparison import Compared, Comparison
from wellread.reports.facts import as_run
from wellread.reports.rows import finite
from wellread.reports.wording import count, listed, split_words
from wellread.storage import read_json, read_rows
from wellread.types import Measurement

MAIN = (
    ("bits_per_byte", "held_out"), ("bits_per_byte", "validation"), ("bits_per_byte", "general"),
    ("greedy_recited_share", "train"), ("greedy_recited_share", "held_out"),
    ("longest_recited_words", ""), ("perplexity", "held_out"), ("recall_exact", "held_out"), ("recall_exact", "validation"),
    ("false_definition_rate", "held_out"), ("over_refusal_rate", "held_out"), ("answer_f1", "held_out"), ("answer_exact", "held_out"),
    ("refusal_rate", "held_out"), ("wrong_refusal_rate", "held_out"),
)  # fmt: skip
"""What is compared where nothing else is asked for: metric and split, in this order."""
ASIDE = {"name", "about", "size", "sizes", "report_to", "dial"}
"""Settings of a recipe that change nothing that is measured, or are told by others."""
SAMPLED = (
    "the text is the same, the samples of it differ; to measure alike, run both with --full, or both with --quick and the same "
    "measure.quick_words"
)
DIFFERENT = "no interval: the two were measured on different text"


@dataclass(frozen=True, slots=True)
class _Subject:
    """A run up to one of its stages, or a MODEL that is no run."""

    name: str
    run: runs.Run | None = None
    stage: str | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """What is compared, with what pairing needs and the record does not keep."""

    compared: Compared
    recipe: Recipe | None
    texts: Mapping[str, str]
    """A digest of every part's text; empty where it is not known."""


def compare(
    names: Sequence[str],
    *,
    metrics: Sequence[str] = (),
    runs_folder: Path = Path("runs"),
    on: Path | None = None,
    measured: Callable[[str, Sequence[str], bool], Sequence[Measurement]] | None = None,
) -> Comparison:
    """Runs, RUN:stage, folders of runs (all finished ones) and MODELs side by side, each against the first.

    Without `measured`, runs alone: their measurements.jsonl is read and no model is opened. `measured(MODEL, metrics,
    quick)` measures a model: all of them or, where `on` names a run on whose parts it measures, those that were not
    measured on that run's text; `quick` is that run's own setting. A bare name is looked for in `runs_folder` too.
    Raises UsageError for a run that is not finished and for a MODEL where nothing can measure it, UnknownName for a
    metric.
    """
    from wellread.metrics import find

    find(metrics)
    subjects, notes = _subjects(names, runs_folder)
    about = None if on is None else runs.open_run(on)
    texts = {} if about is None else _texts(about)
    quick = about is not None and _recipe(about).measure.quick
    asks = about is not None and about.questions.is_dir()
    usual = [name for name, _ in MAIN if name not in REPLIED and (asks or name not in ANSWERED)]
    wanted = tuple(metrics) or tuple(dict.fromkeys(usual))
    found = []
    for subject in subjects:
        read = subject.run is not None and (measured is None or (bool(texts) and _texts(subject.run) == texts))
        if not read and measured is None:
            raise UsageError(
                f"{subject.name} is no run (`wellread list runs` shows yours); a model needs a text to be measured on: "
                "name files with --text, or a run with --run."
            )
        rows = _own_rows(subject) if read or measured is None else measured(subject.name, wanted, quick)
        where = texts if measured is not None or subject.run is None else _texts(subject.run)
        found.append(_found(subject, _chosen(rows, metrics), where))
    found = _labelled(found)
    paired = [found[0].compared, *(_paired(each, found[0]) for each in found[1:])]
    return Comparison(tuple(paired), tuple(notes))


def _subjects(names: Sequence[str], runs_folder: Path) -> tuple[list[_Subject], list[str]]:
    """What the names stand for, and what was left out of folders of runs."""
    subjects: list[_Subject] = []
    notes = []
    for name in names:
        path, colon, stage = name.rpartition(":")
        places: list[tuple[Path, str | None]] = [(place, None) for place in (Path(name), runs_folder / name)]
        places += [(place, stage) for place in (Path(path), runs_folder / path) if colon and path]
        run = next(((place, each) for place, each in places if runs.is_run(place)), None)
        if run is not None:
            place, each = run
            subjects.append(_Subject(f"{place}:{each}" if each else str(place), runs.Run(place), each))
        elif Path(name).is_dir() and (inside := sorted(each for each in Path(name).iterdir() if runs.is_run(each))):
            done = [each for each in inside if (each / "measurements.jsonl").is_file()]
            if not done:
                raise UsageError(f"{name} holds {count(len(inside), 'run')}, none of them finished.")
            if len(done) < len(inside):
                notes.append(f"{name}: {count(len(inside) - len(done), 'run')} not finished and left out")
            subjects += [_Subject(str(each), runs.Run(each)) for each in done]
        else:
            subjects.append(_Subject(name))
    return subjects, notes


def _own_rows(subject: _Subject) -> list[Measurement]:
    """What a run measured of its last, or the named, stage. Raises UsageError where it is not finished."""
    run = subject.run
    assert run is not None, "only a run has measured anything"
    if not run.measurements.is_file():
        raise UsageError(f"{run.path} is not finished; `wellread run` with the same words goes on with it.")
    stage = subject.stage or _recipe(run).stages[-1].name
    return [Measurement.from_json(row) for row in read_rows(run.measurements) if row.get("subject") == stage]


def _found(subject: _Subject, rows: tuple[Measurement, ...], texts: Mapping[str, str]) -> _Found:
    """The record of one subject; a run's with what its training cost."""
    if subject.run is None:
        return _Found(Compared(subject.name, subject.name, rows), None, texts)
    run, recipe = subject.run, _recipe(subject.run)
    names = [stage.name for stage in recipe.stages]
    stage = subject.stage or names[-1]
    if stage not in names:
        raise UsageError(unknown(f"stage {stage!r} of {run.path}", stage, names))
    way = {stage, *lineage(recipe.stages)[stage]}
    logs = [run.stage(number, name).path / "log.jsonl" for number, name in enumerate(names, 1) if name in way]
    name = run.path.resolve().name
    label = f"{name}:{stage}" if subject.stage else name
    told = as_run(recipe, read_json(run.environment, optional=True) or {})
    return _Found(Compared(label, subject.name, rows, **runs.training_costs(logs)), told, texts)


def _recipe(run: runs.Run) -> Recipe:
    return parse_recipe(run.recipe.read_text(encoding="utf-8"), source=str(run.recipe))


def _chosen(rows: Sequence[Measurement], metrics: Sequence[str]) -> tuple[Measurement, ...]:
    """The rows of the named metrics, in that order, or the main ones; every value finite or None."""
    if metrics:
        return tuple(finite(row) for name in metrics for row in rows if row.name.startswith(name))
    return tuple(
        finite(row) for name, split in MAIN for row in rows
        if row.name == name and (row.split == split or (not row.split and row.value is None))
    )  # fmt: skip


def _texts(run: runs.Run) -> dict[str, str]:
    """A digest of every part's text, by the part's name."""
    split, documents = run.corpus / "split.json", run.corpus / "documents.jsonl"
    if not (split.is_file() and documents.is_file()):
        return {}
    text_of = {row["id"]: row["text"] for row in read_rows(documents)}
    return {
        part: hashlib.sha256(json.dumps([(id, text_of.get(id)) for id in ids]).encode()).hexdigest()
        for part, ids in read_json(split).items()
    }


def _labelled(found: Sequence[_Found]) -> list[_Found]:
    """Labels that no two share, as the subjects of the measurements too, and the settings by which the runs differ."""
    labels = [each.compared.label for each in found]
    settings = differing([each.recipe for each in found if each.recipe is not None])
    done: list[_Found] = []
    place = 0
    for number, each in enumerate(found):
        label = each.compared.label if labels.count(each.compared.label) == 1 else each.compared.path
        label = label if label not in {one.compared.label for one in done} else f"{label} ({number + 1})"
        own = {} if each.recipe is None else {key: values[place] for key, values in settings.items()}
        place += each.recipe is not None
        rows = tuple(row.of(label) for row in each.compared.measurements)
        done.append(replace(each, compared=replace(each.compared, label=label, measurements=rows, settings=own)))
    return done


def _paired(found: _Found, first: _Found) -> Compared:
    """The differences to the first, of what both measured on the same text; for the rest, which parts differ."""
    from wellread.metrics.intervals import difference

    one, other = found.compared, first.compared
    differences: list[Measurement] = []
    apart: list[str] = []
    sampled: list[str] = []
    for row in one.measurements:
        same = [
            each for each in other.measurements if (each.name, each.split, each.unit) == (row.name, row.split, row.unit)
        ]
        if not same or row.value is None or same[0].value is None:
            continue
        gap = difference(row, same[0])
        if gap.note == DIFFERENT or not _same_text(found, first, row, same[0]):
            part = split_words(row.split, "text").removesuffix("s") if row.split else "the book as a whole"
            (sampled if _other_sample(found, first, row.split) else apart).append(part)
        elif row.tallies and same[0].tallies:
            differences.append(gap)
    whys = {"theirs is another": apart, SAMPLED: sampled}
    why = "; ".join(f"on {listed(list(dict.fromkeys(parts)))}: {told}" for told, parts in whys.items() if parts)
    return replace(one, differences=tuple(differences), unpaired=f"not paired with {other.label} {why}" if why else "")


def _other_sample(found: _Found, first: _Found, split: str) -> bool:
    """Whether two runs measured more or less of what is the same text, as far as their folders tell."""
    one, other = found.recipe, first.recipe
    if one is None or other is None or not (found.texts and first.texts):
        return False
    same = found.texts.get(split) == first.texts.get(split) if split in first.texts else found.texts == first.texts
    if split == "general":
        same = one.general == other.general
    sizes = [each.measure.quick_words if each.measure.quick else None for each in (one, other)]
    return same and sizes[0] != sizes[1]


def _same_text(found: _Found, first: _Found, row: Measurement, other: Measurement) -> bool:
    """Whether two rows are about one text: the parts' digests, where both are known, and the bytes of every unit."""
    known = bool(found.texts and first.texts)
    if not row.split:  # of all parts, or of what was written after the beginnings of one
        return not (known and row.tallies) or found.texts == first.texts
    if known and found.texts.get(row.split) != first.texts.get(row.split):
        return False
    sizes = [[(tally.unit, tally.denominator) for tally in each.tallies] for each in (row, other)]
    return not row.unit.startswith("bits per byte") or sizes[0] == sizes[1]


def differing(recipes: Sequence[Recipe]) -> dict[str, list[Any]]:
    """Path of every setting that differs, to its value in each recipe; stages stand under their names."""
    raw = [{key: value for key, value in each.model_dump(mode="json").items() if key not in ASIDE} for each in recipes]
    alone = all(len(each["stages"]) == 1 for each in raw)
    for each in raw:
        each |= {"stage" if alone else stage["name"]: stage for stage in each.pop("stages")}
    return dict(_differences("", raw)) if raw else {}


def _differences(path: str, values: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """Leaves that differ. Where a choice of `kind` differs, what only one kind knows is not told as well."""
    if all(value == values[0] for value in values):
        return
    if not all(isinstance(value, Mapping) for value in values):
        yield path, list(values)
        return
    for key in dict.fromkeys(key for value in values for key in value):
        shared = all(key in value for value in values)
        if shared or not path or "kind" not in values[0]:
            below = f"{path}.{key}" if path else key
            yield from _differences(below, [value.get(key) for value in values])
