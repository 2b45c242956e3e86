"""A stage and its run in, what the run has measured already of the two ends of the stage's dial out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from wellread.environment import version_of
from wellread.metrics import STYLE
from wellread.metrics.scores import measured, parts, recited_parts
from wellread.recipe import Recipe, fingerprint, parse_recipe
from wellread.recipe.requirements import measured_by
from wellread.runs import BASE_STAGE, Run, Stage
from wellread.storage import read_json, stream_rows
from wellread.texts import digest, found, reference_names
from wellread.types import FEWER_BITS, Evidence, Measurement

SCORED = {
    "bits_per_byte": parts,
    "perplexity": parts,
    "greedy_recited_share": recited_parts,
    "probable_recited_share": recited_parts,
}
"""Metrics that follow from what a model foresees of each part of the text, and the parts that they are measured on."""


def measured_ends(this: Run, checkpoint: Path, recipe: Recipe, *, note: str) -> dict[float, list[Measurement]]:
    """What the run has measured of a stage, 1 on its dial, and of what that was tuned from, 0, by setting.

    Nothing where `recipe` measures otherwise than the run did: another sample, seed or texts; nor where the texts beside
    the book have changed since, or wellread has. Nothing of weights in another precision than the dial's, whose `note`
    tells it; nor of a base that was rounded for the adapter: the run has measured it as it was before.
    """
    from wellread.weights.saving import adapter_quantization

    ran = parse_recipe(this.recipe.read_text(encoding="utf-8"), source=str(this.recipe))
    if _how(recipe) != _how(ran) or not _as_it_was(this, recipe):
        return {}
    folders = {1.0: checkpoint.parent}
    if adapter_quantization(checkpoint) is None:
        origin = ran.dial.origin
        folders[0.0] = this.last_checkpoint(origin).parent if origin else this.path / "stages" / BASE_STAGE
    return {
        alpha: [row for row in _rows(Stage(folder).measurements) if _as_precise(row, note)]
        for alpha, folder in folders.items()
    }


def still_to_measure(
    known: Sequence[Measurement], gathered: Evidence, metric: str
) -> tuple[list[Measurement], Evidence | None]:
    """Which rows of a metric are known, as the subject's own, and the evidence without the parts that they are of; None
    where nothing is left to measure.

    A style is known as it is after beginnings of validation, which is what runs measure.
    """
    if metric in SCORED:
        wanted = SCORED[metric](gathered)
    elif metric in STYLE and gathered.style_words and not gathered.corpus.split.get("held_out"):
        wanted = [""]
    else:
        return [], gathered
    taken: list[Measurement] = []
    left: list[str] = []
    for split in wanted:
        rows = [row for row in known if row.split == split and measured_by(row.name, metric)]
        if rows and all(row.value is not None and _of_the_sample(row, gathered) for row in rows):
            taken += [row.of(gathered.subject) for row in rows]
        else:
            left.append(split)
    if not taken or not left:
        return taken, None if taken else gathered
    corpus = replace(
        gathered.corpus, split={part: ids if part in left else () for part, ids in gathered.corpus.split.items()}
    )
    return taken, replace(gathered, corpus=corpus, general=gathered.general if "general" in left else ())


def beside(recipe: Recipe) -> str:
    """A mark of the texts that a dial is measured with beside the book. Raises UsageError for one that is not there."""
    general = recipe.general if recipe.base is not None else ()
    names = [*general, *(reference_names(recipe) if recipe.measure.style_words else ())]
    return fingerprint([digest(path) for path in found(names)])


def _how(recipe: Recipe) -> object:
    """Whatever of a recipe decides a measurement of a text or a style; which metrics are named does not."""
    measure = recipe.measure.model_copy(update={"metrics": ()})
    return recipe.base, recipe.seed, recipe.sampling, measure, recipe.general, recipe.references, recipe.corpus


def _as_it_was(this: Run, recipe: Recipe) -> bool:
    """Whether this is the version of wellread that began the run, and the texts beside the book are those of then."""
    environment: Mapping[str, Any] = read_json(this.environment, optional=True) or {}
    same_version = environment.get("versions", {}).get("wellread") == version_of("wellread")
    return bool(same_version and environment.get("texts_beside") == beside(recipe))


def _rows(path: Path) -> Iterable[Measurement]:
    return map(Measurement.from_json, stream_rows(path, optional=True))


def _as_precise(row: Measurement, note: str) -> bool:
    return note in row.note if note else FEWER_BITS not in row.note


def _of_the_sample(row: Measurement, gathered: Evidence) -> bool:
    """Whether a row is of the very text that would be measured now."""
    if not row.split:
        return True
    sample = measured(gathered, row.split)
    size = sum(len(document.text.encode()) for document in sample.documents)
    same = sample.note in row.note if sample.note else "a sample: " not in row.note
    return same and (row.n == size or row.name != "bits_per_byte")
