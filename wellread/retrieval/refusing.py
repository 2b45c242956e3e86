"""Signs of whether what was found answers a question in, "the sources do not say" or not out.

A small model cannot judge it: it answers whatever it is asked. The signs come of retrieval alone: how much of what the
question asks for stands in one place, and how near in meaning the nearest sentence is that could answer it. A logistic regression of
our own weighs them. Its threshold is set so that few questions that the sources do answer are refused; how well that
holds on questions it has not seen is measured by nested cross-validation (Varma and Simon 2006, BMC Bioinformatics 7:91).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wellread.errors import StorageError, UsageError
from wellread.retrieval.citing import spans
from wellread.retrieval.embedders import NONE, embed, embed_queries
from wellread.retrieval.expecting import expected
from wellread.retrieval.keywords import language_of_all, query_terms, terms
from wellread.retrieval.reranking import Reranked
from wellread.storage import read_json, write_json
from wellread.types import Chunk, Embedder, Retriever

Floats = NDArray[np.float64]
REFUSAL = "refusal.json"
"""In the folder of a store."""
WIDE = 50
"""Passages by keywords from which it is judged how rare a term is."""
TONGUE = 10
"""Passages from which the language is told."""
PENALTIES = (0.03, 0.3, 3.0, 30.0)
"""What weights may cost, of which the inner folds choose."""
FOLDS = 5
WRONG = 0.08
"""Share of answerable questions that the threshold refuses where it is set; a tenth is the most that is wanted elsewhere."""
LEAST = 10
"""Questions of either kind without which nothing is fitted."""
RESAMPLES = 500


@runtime_checkable
class Searching(Protocol):
    """A Retriever that searches by keywords alone, too."""

    @property
    def embedder_name(self) -> str:
        """`none` where there is no search by meaning; else the retriever has an `embedder`."""
        ...

    def search(self, query: str, k: int, *, mode: str) -> list[Chunk]: ...


@dataclass(frozen=True, slots=True)
class Signs:
    """What is seen of one question; each is higher where the sources are likelier to answer."""

    covered: float
    """Share of the question's terms that one passage holds, the rare ones counting more; of the best passage."""
    fitting: float
    """The same of one sentence under its heading that holds the kind of words the question expects (expecting.py)."""
    likest: float
    """Cosine of the nearest such sentence; 0 where there is none, or no meaning is known."""
    terms: float
    """Logarithm of how many terms the question has, by which the others are read."""


NAMES = tuple(each.name for each in fields(Signs))


@dataclass(frozen=True, slots=True)
class Rating:
    """How well a refusal did on questions that it was not fitted on."""

    answerable: int
    unanswerable: int
    auc: float
    auc_low: float
    auc_high: float
    """95 % bootstrap over questions."""
    refused: float
    """Share of the unanswerable that was refused."""
    refused_low: float
    refused_high: float
    wrong: float
    """Share of the answerable that was refused."""
    wrong_low: float
    wrong_high: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """When to say that the sources do not: where the weighed signs stay below the threshold."""

    weights: Mapping[str, float]
    bias: float
    threshold: float
    """In the unit of `score`."""
    embedder: str = ""
    """Whose cosines it was fitted to; empty where none was used."""
    rating: Rating | None = None
    """By nested cross-validation; None where there were too few questions."""
    questions: tuple[str, ...] = ()
    """Marks of the questions that it was fitted on (`question_mark`): of these it says nothing that holds of others."""

    def score(self, signs: Signs) -> float:
        """Log-odds that the sources answer, among questions such as it was fitted on."""
        return self.bias + sum(weight * float(getattr(signs, name)) for name, weight in self.weights.items())

    def refuses(self, signs: Signs) -> bool:
        return self.score(signs) < self.threshold


def signs(question: str, found: Sequence[Chunk], retriever: Retriever) -> Signs:
    """The signs of one question, of which `found` is what the retriever gives, the best first."""
    if isinstance(retriever, Reranked):
        retriever = retriever.inner
    searching = retriever if isinstance(retriever, Searching) else None
    embedder: Embedder | None = getattr(searching, "embedder", None) if has_meaning(searching) else None
    wide = searching.search(question, WIDE, mode="keyword") if searching else retriever.retrieve(question, WIDE)
    language = language_of_all([chunk.text for chunk in [*found, *wide[:TONGUE]]])
    asked = list(dict.fromkeys(query_terms(question, language)))
    spread = Counter(term for chunk in wide for term in set(terms(chunk.text, language)).intersection(asked))
    weights = {term: math.log(1 + (WIDE + 0.5) / (spread[term] + 0.5)) for term in asked}

    def share(text: str) -> float:
        has = frozenset(terms(text, language))
        return sum(weights[term] for term in asked if term in has) / sum(weights.values()) if asked else 0.0

    fits = expected(question, language)
    headed = [f"{_heading(chunk)}: {text}" for chunk in found for text in _sentences(chunk) if fits(text)]
    cosines = embed(embedder, headed) @ embed_queries(embedder, [question])[0] if embedder and headed else np.zeros(1)
    return Signs(
        covered=max((share(chunk.text) for chunk in found), default=0.0),
        fitting=max(map(share, headed), default=0.0),
        likest=float(cosines.max()),
        terms=math.log(1 + len(asked)),
    )


def question_mark(question: str) -> str:
    """By which a question is known again, without its words; case and blanks make no difference."""
    return hashlib.sha256(" ".join(question.casefold().split()).encode()).hexdigest()[:16]


def has_meaning(searching: Searching | None) -> bool:
    return searching is not None and searching.embedder_name not in ("", NONE)


def fit_refusal(
    seen: Sequence[Signs], answerable: Sequence[bool], *, embedder: str = "", wrong: float = WRONG, seed: int = 0,
    groups: Sequence[str] = (), questions: Iterable[str] = (),
) -> Refusal:  # fmt: skip
    """Weights and threshold for a store, from questions of which it is known whether the sources answer them.

    `questions` are their words, which are kept as marks alone. At most `wrong` of the answerable are refused where the
    threshold is set, on folds left out of the weights. `groups` (documents, say) stay together in the folds. Raises
    UsageError where there are fewer than LEAST of either kind.
    """
    enough(answerable)
    known = np.array(answerable, bool)
    table = np.array([[getattr(each, name) for name in NAMES] for each in seen], float)
    used = table.std(axis=0) > 0
    table = table[:, used]
    folds = _folds(known, groups, seed)
    rating = _rated(table, known, folds, groups, wrong, seed)
    penalty, threshold = _chosen(table, known, folds, wrong)
    weights, bias = _logistic(table, known, penalty)
    named = [name for name, use in zip(NAMES, used, strict=True) if use]
    return Refusal(
        {name: float(weight) for name, weight in zip(named, weights, strict=True)}, bias, threshold, embedder, rating,
        tuple(map(question_mark, questions)),
    )  # fmt: skip


def enough(answerable: Sequence[bool]) -> None:
    """Raises UsageError where there are fewer than LEAST questions of either kind."""
    there = sum(answerable)
    if min(there, len(answerable) - there) < LEAST:
        raise UsageError(f"{there} questions that the sources answer and {len(answerable) - there} that they do not: to learn when to "
                         f"refuse, give at least {LEAST} of each.")  # fmt: skip


def refused_unseen(
    seen: Sequence[Signs],
    answerable: Sequence[bool],
    *,
    wrong: float = WRONG,
    seed: int = 0,
    groups: Sequence[str] = (),
) -> list[bool]:
    """Of every question whether it is refused by what was fitted without it: what `fit_refusal` rates, one by one."""
    known = np.array(answerable, bool)
    table = np.array([[getattr(each, name) for name in NAMES] for each in seen], float)
    table = table[:, table.std(axis=0) > 0]
    return [bool(margin < 0) for margin in _margins(table, known, _folds(known, groups, seed), groups, wrong, seed)]


def write_refusal(path: Path, refusal: Refusal) -> None:
    """One JSON file, whole or the old one. Raises StorageError."""
    write_json(path, asdict(refusal))


def read_refusal(path: Path) -> Refusal | None:
    """What `write_refusal` wrote; None where there is no file. Raises StorageError for one that is damaged."""
    row = read_json(path, mend="Calibrate the store again.", optional=True)
    if row is None:
        return None
    try:
        rating = None if row["rating"] is None else Rating(**row["rating"])
        weights = {name: float(row["weights"][name]) for name in row["weights"]}
        if not set(weights) <= set(NAMES):
            raise KeyError
        marks = tuple(map(str, row.get("questions", ())))
        return Refusal(weights, float(row["bias"]), float(row["threshold"]), str(row["embedder"]), rating, marks)
    except (KeyError, TypeError, ValueError):
        raise StorageError(
            f"{path}: not what wellread writes about when to refuse. Calibrate the store again."
        ) from None


def refusal_for(store: str | Path, embedder: str) -> Refusal:
    """What a store was calibrated to with the same embedder; else what was fitted to the embedded texts, for that embedder
    or, where it is another, by words alone. Raises StorageError for a damaged file."""
    from wellread.retrieval.thresholds import DEFAULTS

    own = None if "://" in str(store) else read_refusal(Path(store) / REFUSAL)
    return own if own and own.embedder == embedder else DEFAULTS.get(embedder) or DEFAULTS[""]


def auc(scores: Floats, known: NDArray[np.bool_]) -> float:
    """The chance that an answerable question scores higher than another, ties counting half."""
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    yes, no = int(known.sum()), int((~known).sum())
    return float((ranks[known].sum() - yes * (yes + 1) / 2) / (yes * no)) if yes and no else math.nan


def _sentences(chunk: Chunk) -> list[str]:
    return [chunk.text[start:end] for start, end in spans(chunk.text)]


def _heading(chunk: Chunk) -> str:
    """The nearest one that a chunk stands under."""
    return chunk.section.rpartition(" › ")[2]


def _folds(known: NDArray[np.bool_], groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """A fold from 0 on for each question: both kinds spread evenly, or whole groups."""
    draw = np.random.default_rng(seed)
    folds = np.zeros(len(known), np.int64)
    if groups:
        names = sorted(set(groups))
        numbers = dict(zip(names, (draw.permutation(len(names)) % FOLDS).tolist(), strict=True))
        return np.array([numbers[group] for group in groups], np.int64)
    for kind in (True, False):
        rows = np.flatnonzero(known == kind)
        folds[draw.permutation(rows)] = np.arange(len(rows)) % FOLDS
    return folds


def _rated(
    table: Floats, known: NDArray[np.bool_], folds: NDArray[np.int64], groups: Sequence[str], wrong: float, seed: int
) -> Rating:
    """How well the margins do, with intervals over questions."""
    margins = _margins(table, known, folds, groups, wrong, seed)
    refused = margins < 0
    draw = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        rows = draw.integers(0, len(known), len(known))
        if 0 < known[rows].sum() < len(rows):
            kinds = known[rows]
            drawn.append([auc(margins[rows], kinds), refused[rows][~kinds].mean(), refused[rows][kinds].mean()])
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return Rating(
        int(known.sum()), int((~known).sum()), auc(margins, known), float(low[0]), float(high[0]),
        float(refused[~known].mean()), float(low[1]), float(high[1]),
        float(refused[known].mean()), float(low[2]), float(high[2]),
    )  # fmt: skip


def _chosen(table: Floats, known: NDArray[np.bool_], folds: NDArray[np.int64], wrong: float) -> tuple[float, float]:
    """The penalty whose scores on the folds left out tell the kinds apart best, and the threshold on them that refuses
    `wrong` of the answerable."""
    best = (-1.0, 0.0, 0.0)
    for penalty in PENALTIES:
        scores = np.zeros(len(known))
        for fold in np.unique(folds):
            out = folds == fold
            weights, bias = _logistic(table[~out], known[~out], penalty)
            scores[out] = table[out] @ weights + bias
        best = max(best, (auc(scores, known), penalty, float(np.quantile(scores[known], wrong))))
    return best[1], best[2]


def _logistic(table: Floats, known: NDArray[np.bool_], penalty: float) -> tuple[Floats, float]:
    """Weights and bias of the likeliest logistic regression (Newton's method), both kinds counting alike, its weights
    normal beforehand with precision `penalty` in units of each sign's own spread."""
    middle, spread = table.mean(axis=0), np.maximum(table.std(axis=0), 1e-9)
    rows = np.column_stack([(table - middle) / spread, np.ones(len(table))])
    target = known.astype(float)
    shares = np.where(known, 0.5 / max(1, known.sum()), 0.5 / max(1, (~known).sum())) * len(known)
    cost = np.diag([*[penalty] * table.shape[1], 1e-6])
    weights = np.zeros(rows.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (shares * (target - chance)) - cost @ weights
        curve = (rows * (shares * np.maximum(chance * (1 - chance), 1e-6))[:, None]).T @ rows + cost
        step = np.linalg.solve(curve, slope)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    own = weights[:-1] / spread
    return own, float(weights[-1] - own @ middle)


def _margins(
    table: Floats, known: NDArray[np.bool_], folds: NDArray[np.int64], groups: Sequence[str], wrong: float, seed: int
) -> Floats:
    """Of every question how far it lies above the threshold, by weights, penalty and threshold that were chosen without it."""
    margins = np.zeros(len(known))
    for fold in np.unique(folds):
        out = folds == fold
        rest = [group for group, left in zip(groups, out, strict=True) if not left] if groups else ()
        inner = _folds(known[~out], rest, seed + 1)
        penalty, threshold = _chosen(table[~out], known[~out], inner, wrong)
        weights, bias = _logistic(table[~out], known[~out], penalty)
        margins[out] = table[out] @ weights + bias - threshold
    return margins
