"""`wellread measure`: any model, on the parts of a run or on texts that nobody has split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread import runs
from wellread.errors import UsageError
from wellread.models import open_model
from wellread.pipeline import Watch, evidence, opening_lines, sampling
from wellread.recipe import CorpusSettings, parse_recipe
from wellread.types import Corpus, Evidence, Measurement

SAMPLED = "longest_recited_words"


def measure_model(
    model: str,
    *,
    run_folder: Path | None = None,
    texts: Sequence[Path] = (),
    metrics: Sequence[str] = (),
    quick: bool = False,
    seed: int = 0,
    offline: bool = False,
    watch: Watch = Watch(),  # noqa: B008 (frozen)
) -> list[Measurement]:
    """Measurements of one model; on `texts` all of them are held out, on a run its own parts are used.

    Without texts, a MODEL that is a run is measured on its own parts. Raises UsageError where there is no text.
    """
    from wellread.metrics import measure

    if texts:
        gathered = Evidence(model, whole(texts), open_model(model, offline=offline), seed=seed, progress=watch.say)
        return measure(gathered, metrics)
    folder = run_folder or (Path(model) if runs.is_run(Path(model)) else None)
    if folder is None:
        raise UsageError("measure needs a text: name files with --text, or a run with --run.")
    from wellread.corpus.ingest import read_corpus

    this = runs.open_run(folder)
    recipe = parse_recipe(
        this.recipe.read_text(encoding="utf-8"), [f"measure.quick={quick}", f"seed={seed}"], source=str(this.recipe)
    )
    corpus = read_corpus(this.corpus)
    opened = open_model(model, offline=offline)
    wanted = not metrics or SAMPLED in metrics
    samples = opened.generate(opening_lines(recipe, corpus), sampling(recipe)) if wanted else []
    return measure(evidence(recipe, corpus, model, model=opened, samples=samples, watch=watch), metrics)


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
