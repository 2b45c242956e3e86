"""A store and questions of which it is known whether it answers them in, when to say "the sources do not say" out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread.errors import UsageError
from wellread.retrieval.gold import read_gold
from wellread.retrieval.rag import FOUND
from wellread.retrieval.refusing import REFUSAL, WRONG, Refusal, enough, fit_refusal, signs, write_refusal
from wellread.retrieval.reranking import Reranked, open_cross_encoder
from wellread.retrieval.store import Store, is_local, open_store
from wellread.texts import library_path
from wellread.types import GoldQuestion, PairScorer, Retriever


def calibrate(
    store: str | Path,
    questions: str | Path,
    *,
    rerank: str = "",
    wrong: float = WRONG,
    seed: int = 0,
    offline: bool = False,
) -> Refusal:
    """What `refusal.json` in the store's folder then holds, for everyone who asks it.

    `questions` is a file of gold questions, or `library:NAME`; those without answers are not answered by the store. `rerank` is
    the cross-encoder that will read again what is found. Raises UsageError for a store that is no folder, and where there are
    too few questions of either kind.
    """
    asked = questions_for(store, questions)
    scorer = open_cross_encoder(rerank, offline=offline) if rerank else None
    found = fitted(open_store(store, offline=offline), asked, scorer=scorer, wrong=wrong, seed=seed)
    write_refusal(Path(store) / REFUSAL, found)
    return found


def questions_for(store: str | Path, questions: str | Path) -> list[GoldQuestion]:
    """The questions that a store is to be calibrated on. Raises UsageError for a store that is no folder, and where there are too
    few of either kind; CorpusError for a file that is none of questions."""
    if not is_local(store):
        raise UsageError(f"{store}: only a store in a folder keeps when to refuse.")
    asked = read_gold(Path(library_path(str(questions))))
    enough([each.answered for each in asked])
    return asked


def fitted(
    store: Store, questions: Sequence[GoldQuestion], *, scorer: PairScorer | None = None, wrong: float = WRONG,
    seed: int = 0,
) -> Refusal:  # fmt: skip
    """The refusal that fits a store and its questions, not yet kept; `scorer` is who reads again what is found."""
    retriever: Retriever = store if scorer is None else Reranked(store, scorer)
    seen = [signs(each.question, retriever.retrieve(each.question, FOUND), retriever) for each in questions]
    return fit_refusal(
        seen,
        [each.answered for each in questions],
        embedder=store.embedder_name,
        wrong=wrong,
        seed=seed,
        questions=[each.question for each in questions],
    )


def rating_lines(refusal: Refusal) -> list[str]:
    """How well it does on questions that it was not fitted on, in words."""
    rated = refusal.rating
    if rated is None:
        return []
    return [
        f"of {rated.unanswerable} questions that the sources do not answer {rated.refused:.0%} are refused "
        f"[{rated.refused_low:.0%}, {rated.refused_high:.0%}], of {rated.answerable} that they do {rated.wrong:.0%} "
        f"[{rated.wrong_low:.0%}, {rated.wrong_high:.0%}]",
        f"by nested cross-validation; area under the curve {rated.auc:.2f} [{rated.auc_low:.2f}, {rated.auc_high:.2f}]",
    ]
