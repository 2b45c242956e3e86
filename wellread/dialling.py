"""A run along its dial: measured at several settings on validation, one chosen for a wish, that one told on held-out.

What the run has measured of both ends is taken from there; all else is kept metric by metric, until the curve is whole.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wellread.dial_ends import SCORED, beside, measured_ends, still_to_measure
from wellread.environment import version_of
from wellread.errors import UsageError
from wellread.gathering import SILENT, Watch, add_style, evidence, opening_samples, wants_style, watched
from wellread.keeping import Kept, keep, let_go, open_kept
from wellread.metrics import STYLE, measure
from wellread.models import dial_origin, read_name
from wellread.recipe import Recipe, fingerprint, parse_recipe
from wellread.runs import Run, Stage
from wellread.storage import read_rows, write_rows
from wellread.types import Corpus, Evidence, LanguageModel, Measurement, Part

if TYPE_CHECKING:
    from wellread.weights import Dial

BITS = "bits_per_byte"
RECITED = "greedy_recited_share"
RANK = "style_rank"
CHOSEN = "dial_setting"
"""The row that names the chosen setting."""
WISH = "voice-without-recitation"
FLOOR = 0.01
"""Recitation is at its floor while less than this above what the model foresees of text it never saw, or the base of
the same text: a hundredth of the passages."""


def dial_curve(
    model: str,
    settings: Sequence[float] = (),
    *,
    metrics: Sequence[str] = (),
    overrides: Sequence[str] = (),
    offline: bool = False,
    watch: Watch = SILENT,
) -> list[Measurement]:
    """Measure RUN or RUN:stage at every setting (the recipe's, unless given); the rows are kept in `dial.jsonl`.

    First on train, validation and general text, its style after beginnings of validation; by that a setting is chosen.
    Then on held-out text: bits per byte at every setting, recitation and style at the chosen one and at 1, with the
    paired difference of their bits per byte. Subjects are `STAGE@SETTING`; the row `dial_setting` says what was
    chosen, or why nothing was. `metrics` are measured in place of those of style, which take a recipe with
    `measure.style_words`; `overrides` are settings of the recipe.

    What the run has measured of 0 and 1 in the same way is not measured again (`dial_ends`), nor what the same call had
    measured when it was killed. Raises UsageError where MODEL is no run, has a setting in its name already, or no base.
    """
    from wellread import weights
    from wellread.corpus.ingest import read_corpus
    from wellread.generation.hf import TransformersModel
    from wellread.metrics import find

    named = read_name(model)
    if named.run is None or named.alpha is not None:
        raise UsageError(f"{model}: a dial curve is drawn of a run, RUN or RUN:stage.")
    find(metrics)
    recipe = parse_recipe(named.run.recipe.read_text(encoding="utf-8"), overrides, source=str(named.run.recipe))
    asked = tuple(dict.fromkeys((BITS, RECITED, *(metrics or (STYLE if recipe.measure.style_words else ())))))
    wanted = sorted(set(settings or recipe.dial.settings))
    for alpha in wanted:
        weights.check_setting(alpha)
    corpus = read_corpus(named.run.corpus)
    dial = weights.open_dial(named.place, dial_origin(named.run, named.place), offline=offline)
    opened = watched(TransformersModel(dial.model, dial.tokenizer, model, note=dial.note), watch)
    stage = Stage(Path(named.place).parent)
    mark = fingerprint(recipe, asked, beside(recipe), dial.note, version_of("wellread"))
    ends = measured_ends(named.run, Path(named.place), recipe, note=dial.note)
    turning = _Turning(dial, opened, recipe, stage.name, ends, open_kept(stage.dial_so_far, mark), watch)
    rows: list[Measurement] = []
    for alpha in wanted:
        rows += _measured(turning, alpha, _only(corpus, "train", "validation"), asked)
    choice = chosen(rows, turning.stage, wanted)
    rows += [choice, *_told(turning, wanted, choice.value, corpus, asked)]
    _keep(named.run, turning.stage, rows)
    let_go(stage.dial_so_far)
    return rows


@dataclass(frozen=True, slots=True)
class _Turning:
    """A stage whose dial is turned."""

    dial: Dial
    model: LanguageModel
    recipe: Recipe
    stage: str
    ends: Mapping[float, Sequence[Measurement]]
    """What the run has measured at a setting."""
    kept: Kept
    watch: Watch


def subject(stage: str, alpha: float) -> str:
    """The name of a stage at a setting."""
    return f"{stage}@{alpha:g}"


def chosen(rows: Sequence[Measurement], stage: str, settings: Sequence[float]) -> Measurement:
    """The setting with the best style rank, and of equals the fewest bits per byte of validation text, among those at
    which recitation stays at its floor; where no style was ranked, by bits per byte alone.

    The floor is the larger of the share recited of validation text at the same setting, and of the training text at 0.
    """

    def value(name: str, split: str, alpha: float) -> float | None:
        of = subject(stage, alpha)
        return next((row.value for row in rows if (row.name, row.split, row.subject) == (name, split, of)), None)

    known = value(RECITED, "train", 0.0) or 0.0
    order = []
    for alpha in settings:
        bits, recited, rank = (
            value(BITS, "validation", alpha), value(RECITED, "train", alpha), value(RANK, "", alpha)
        )  # fmt: skip
        floor = max(value(RECITED, "validation", alpha) or 0.0, known)
        if bits is not None and recited is not None and recited - floor < FLOOR:
            order.append((math.inf if rank is None else rank, bits, alpha))
    setting, note = None, "at every setting that was measured the model recites more than the floor"
    if order:
        ranked = "the best style rank, then " if min(order)[0] < math.inf else ""
        setting = min(order)[2]
        note = f"{ranked}the fewest bits per byte of the {len(order)} of {len(settings)} settings that recite no more than the floor"
    return Measurement(
        CHOSEN, setting, "share of the difference", stage, "validation", n=len(settings), note=f"{WISH}: {note}"
    )


def dialled(this: Run, stage: str) -> bool:
    """Whether the dial curve of a stage has been drawn."""
    return this.dial.is_file() and any(row["subject"] == stage for row in read_rows(this.dial))


def _told(
    turning: _Turning, settings: Sequence[float], choice: float | None, corpus: Corpus, metrics: Sequence[str]
) -> list[Measurement]:
    """What held-out text says, now that the choice is made: of every setting how well it is foreseen, of the chosen one
    and of the tuned model also what is recited, and the style of what they write after its beginnings."""
    from wellread.metrics.intervals import difference

    unseen, beside_train = _only(corpus, "held_out"), _only(corpus, "train", "held_out")
    style = [name for name in metrics if name in STYLE] if turning.recipe.measure.style_words else []
    rows: list[Measurement] = []
    for alpha in sorted({*settings, 1.0}):
        at_end = alpha in {choice, 1.0}
        rows += _measured(turning, alpha, unseen, (BITS, RECITED) if at_end else (BITS,))
        if at_end and style:
            rows += [replace(row, split="held_out") for row in _measured(turning, alpha, beside_train, style)]
    bits = {row.subject: row for row in rows if row.name == BITS and row.split == "held_out"}
    tuned = bits.get(subject(turning.stage, 1.0))
    best = None if choice is None else bits.get(subject(turning.stage, choice))
    return rows if best is None or tuned is None or best is tuned else [*rows, difference(best, tuned)]


def _measured(turning: _Turning, alpha: float, corpus: Corpus, metrics: Sequence[str]) -> list[Measurement]:
    """The metrics at a setting, on the parts that `corpus` has; general text goes with validation. Only what is not known
    is measured, and the weights are turned only for that."""
    of, kept = subject(turning.stage, alpha), turning.kept
    held_out = bool(corpus.split.get("held_out"))
    where = f"{of} on held-out text" if held_out else of
    gathered = evidence(turning.recipe, corpus, of, model=turning.model, watch=turning.watch)
    if held_out:
        gathered.general = ()
    known = {name: kept.rows[f"{name} of {where}"] for name in metrics if f"{name} of {where}" in kept.rows}
    left: dict[str, Evidence] = {}
    for name in metrics:
        if name not in known:
            known[name], rest = still_to_measure(turning.ends.get(alpha, ()), gathered, name)
            if rest is not None:
                left[name] = rest
    if taken := [f"{name}{_parts(known[name]) if name in left else ''}" for name in metrics if known[name]]:
        turning.watch.say(f"measured already of {where}: {', '.join(taken)}")
    if left:
        turning.watch.say(f"measuring {where}")
        turning.dial.turn(alpha)
        _write(turning, gathered, list(left), metrics)
    for name, rest in left.items():
        known[name] = [*known[name], *measure(rest, [name])]
        keep(kept, f"{name} of {where}", known[name])
    return [row for name in metrics for row in known[name]]


def _parts(rows: Sequence[Measurement]) -> str:
    """The parts that some rows of a metric are of, in brackets."""
    return f" ({', '.join(dict.fromkeys(row.split for row in rows))})"


def _write(turning: _Turning, gathered: Evidence, left: Sequence[str], metrics: Sequence[str]) -> None:
    """Have the model write what it is measured by, where any of the metrics that are left reads that: all that is written
    for `metrics`, for some of them read what is written for others."""
    recipe, corpus = turning.recipe, gathered.corpus
    if set(left) <= set(SCORED):
        return
    if not set(metrics) <= {*SCORED, *STYLE}:
        gathered.samples = opening_samples(turning.model, recipe, corpus)
    if recipe.measure.style_words and wants_style(metrics):
        add_style(gathered, recipe, part="held_out" if corpus.split.get("held_out") else "validation")


def _only(corpus: Corpus, *parts: Part) -> Corpus:
    """The corpus with these parts alone, so that nothing else can be measured."""
    return replace(corpus, split={part: ids if part in parts else () for part, ids in corpus.split.items()})


def _keep(this: Run, stage: str, rows: Sequence[Measurement]) -> None:
    """Write the rows of a stage, in place of what was measured of it before."""
    kept = read_rows(this.dial) if this.dial.is_file() else []
    others = [row for row in kept if row["subject"].partition("@")[0] != stage]
    write_rows(this.dial, [*others, *(row.as_json() for row in rows)])
