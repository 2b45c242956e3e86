"""A run along its dial: measured at several settings on validation, one chosen for a wish, that one told on held-out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wellread.errors import UsageError
from wellread.gathering import SILENT, Watch, add_style, evidence, opening_samples, wants_style, watched
from wellread.metrics import STYLE
from wellread.models import dial_origin, read_name
from wellread.recipe import Recipe, parse_recipe
from wellread.runs import Run
from wellread.storage import read_rows, write_rows
from wellread.types import Corpus, LanguageModel, Measurement, Part

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
    `measure.style_words`; `overrides` are settings of the recipe. Raises UsageError where MODEL is no run, has a setting
    in its name already, or no base.
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
    turning = _Turning(dial, opened, recipe, Path(named.place).parent.name.partition("-")[2], watch)
    rows: list[Measurement] = []
    for alpha in wanted:
        rows += _measured(turning, alpha, _only(corpus, "train", "validation"), asked)
    choice = chosen(rows, turning.stage, wanted)
    rows += [choice, *_told(turning, wanted, choice.value, corpus, asked)]
    _keep(named.run, turning.stage, rows)
    return rows


@dataclass(frozen=True, slots=True)
class _Turning:
    """A stage whose dial is turned."""

    dial: Dial
    model: LanguageModel
    recipe: Recipe
    stage: str
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
    """The metrics at a setting, on the parts that `corpus` has; general text goes with validation."""
    from wellread.metrics import measure

    turning.dial.turn(alpha)
    of, recipe, watch = subject(turning.stage, alpha), turning.recipe, turning.watch
    held_out = bool(corpus.split.get("held_out"))
    watch.say(f"measuring {of} on held-out text" if held_out else f"measuring {of}")
    sampled = not set(metrics) <= {BITS, RECITED, *STYLE}
    samples = opening_samples(turning.model, recipe, corpus) if sampled else []
    gathered = evidence(recipe, corpus, of, model=turning.model, samples=samples, watch=watch)
    if held_out:
        gathered.general = ()
    if recipe.measure.style_words and wants_style(metrics):
        add_style(gathered, recipe, part="held_out" if held_out else "validation")
    return measure(gathered, metrics)


def _only(corpus: Corpus, *parts: Part) -> Corpus:
    """The corpus with these parts alone, so that nothing else can be measured."""
    return replace(corpus, split={part: ids if part in parts else () for part, ids in corpus.split.items()})


def _keep(this: Run, stage: str, rows: Sequence[Measurement]) -> None:
    """Write the rows of a stage, in place of what was measured of it before."""
    kept = read_rows(this.dial) if this.dial.is_file() else []
    others = [row for row in kept if row["subject"].partition("@")[0] != stage]
    write_rows(this.dial, [*others, *(row.as_json() for row in rows)])
