"""`wellread report RUN --reading`: the whole book scored by the base and the trained model, so that its reading view has no gaps."""

from __future__ import annotations

from pathlib import Path

from wellread import runs
from wellread.gathering import SILENT, Watch, watched
from wellread.models import open_model
from wellread.recipe import parse_recipe
from wellread.scorefile import BookScores, read_scores, write_scores
from wellread.types import Corpus, Evidence


def score_run(folder: Path, *, offline: bool = False, watch: Watch = SILENT) -> None:
    """Score every chapter with the first and the last model of a run, and keep the scores in it; what is there stays.

    Several passes over the book for each model. Raises UsageError where the run has no finished stage, ModelError.
    """
    from wellread.corpus.ingest import read_corpus
    from wellread.metrics.kept import score_book

    this = runs.open_run(folder)
    recipe = parse_recipe(this.recipe.read_text(encoding="utf-8"), source=str(this.recipe))
    last = this.last_checkpoint()
    models = [(runs.Stage(last.parent), str(last))]
    if recipe.base is not None:
        models.insert(0, (runs.Stage(this.path / "stages" / runs.BASE_STAGE), recipe.base))
    corpus = read_corpus(this.corpus)
    with runs.locked(this):
        for stage, model in models:
            if covers(read_scores(stage.scores), corpus):
                continue
            watch.say(f"scoring the whole book with {stage.name}")
            opened = watched(open_model(model, offline=offline), watch)
            evidence = Evidence(stage.name, corpus, opened, seed=recipe.seed, progress=watch.say)
            write_scores(stage.scores, score_book(evidence))


def covers(scores: BookScores | None, corpus: Corpus) -> bool:
    """Whether every document is scored to its end, in both ways."""
    if scores is None:
        return False
    for document in corpus.documents:
        size = len(document.text.encode())
        for kind in (scores.long, scores.short):
            if document.text.strip() and (document.id not in kind or int(kind[document.id].ends[-1]) != size):
                return False
    return True
