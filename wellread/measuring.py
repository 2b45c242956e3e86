"""`wellread measure`: any model, on the parts of a run or on texts that nobody has split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread import runs
from wellread.errors import UsageError
from wellread.gathering import (
    SILENT,
    Watch,
    evidence,
    opening_lines,
    reference_documents,
    sampling,
    style_passages,
    wants_style,
)
from wellread.metrics import STYLE
from wellread.models import open_model
from wellread.recipe import CorpusSettings, MeasureSettings, parse_recipe
from wellread.types import Corpus, Evidence, Measurement

SAMPLED = ("longest_recited_words", "recited_coverage", *STYLE)


def measure_model(
    model: str,
    *,
    run_folder: Path | None = None,
    texts: Sequence[Path] = (),
    metrics: Sequence[str] = (),
    quick: bool = False,
    seed: int | None = None,
    offline: bool = False,
    watch: Watch = SILENT,
) -> list[Measurement]:
    """Measurements of one model; on `texts` all of them are held out, on a run its own parts are used.

    Without texts, a MODEL that is a run is measured on its own parts. Raises UsageError where there is no text.
    """
    from wellread.metrics import find, measure

    find(metrics)
    if texts and run_folder:
        raise UsageError("measure takes a text or a run: leave --text or --run away.")
    if texts:
        words = MeasureSettings().quick_words if quick else None
        opened = open_model(model, offline=offline)
        gathered = Evidence(model, whole(texts), opened, quick_words=words, seed=seed or 0, progress=watch.say)
        return measure(gathered, metrics)
    own = (Path(name) for name in (model, model.rpartition(":")[0]) if name and runs.is_run(Path(name)))
    folder = run_folder or next(own, None)
    if folder is None:
        raise UsageError("measure needs a text: name files with --text, or a run with --run.")
    from wellread.corpus.ingest import read_corpus

    this = runs.open_run(folder)
    settings = [f"measure.quick={quick}", *([] if seed is None else [f"seed={seed}"])]
    recipe = parse_recipe(this.recipe.read_text(encoding="utf-8"), settings, source=str(this.recipe))
    corpus = read_corpus(this.corpus)
    opened = open_model(model, offline=offline)
    wanted = not metrics or any(name in SAMPLED for name in metrics)
    samples = opened.generate(opening_lines(recipe, corpus), sampling(recipe)) if wanted else []
    gathered = evidence(recipe, corpus, model, model=opened, samples=samples, watch=watch)
    as_the_run_did = wanted and wants_style(recipe.measure.metrics)
    if recipe.measure.style_words and (wants_style(metrics) or as_the_run_did):
        gathered.passages = style_passages(opened, recipe, corpus)
        gathered.references = reference_documents(recipe)
    return measure(gathered, metrics)


def whole(texts: Sequence[Path]) -> Corpus:
    """Texts read, cleaned and divided, none of it for training."""
    from wellread.corpus.ingest import read_documents

    documents, cleaning, skipped = read_documents(texts, CorpusSettings())
    return Corpus(
        tuple(documents),
        {"train": (), "validation": (), "held_out": tuple(d.id for d in documents)},
        tuple(cleaning),
        tuple(skipped),
    )
