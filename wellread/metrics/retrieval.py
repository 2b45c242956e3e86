"""How well a retriever finds the passages that answer gold questions: how many of them, and how far ahead the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from wellread.matching import words
from wellread.metrics.citations import LEAST, holds, strange
from wellread.metrics.intervals import with_interval
from wellread.metrics.tallies import FEWEST_DOCUMENTS, ratio
from wellread.types import Chunk, Evidence, GoldQuestion, Measurement, Retriever, Tally

DEPTHS = (1, 5, 10)
SPLIT = "held_out"
NO_RETRIEVER = "nothing is retrieved for it"
NO_PASSAGES = "no gold question names a passage"
NOWHERE = "{} of {} gold passages are not found by their own words either, such as “{}…”: check their quotes"


def retrieval_recall(evidence: Evidence) -> list[Measurement]:
    """`retrieval_recall@1`, `@5` and `@10`: of a question's gold passages, the share that the first so many chunks hold.

    The mean over the questions that name passages, which n counts; a chunk holds a passage as `citations.holds` has it.
    Intervals resample sources where there are at least 10, else sections, else questions.
    """
    return [_measured(evidence, f"retrieval_recall@{depth}", partial(recall, k=depth)) for depth in DEPTHS]


def retrieval_mrr(evidence: Evidence) -> list[Measurement]:
    """Mean over the questions of 1 / place of the first chunk that holds a gold passage; 0 where none of 10 does."""
    return [_measured(evidence, "retrieval_mrr", reciprocal_rank)]


def recall(places: Sequence[int | None], k: int) -> float:
    """The share of a question's passages that were found at the first `k` places, counted from 1."""
    return sum(place is not None and place <= k for place in places) / len(places)


def reciprocal_rank(places: Sequence[int | None]) -> float:
    """1 / the place of the passage that was found first; 0 where none was."""
    return max((1 / place for place in places if place is not None), default=0.0)


def places_of(question: GoldQuestion, chunks: Sequence[Chunk]) -> list[int | None]:
    """Of every gold passage of a question the place of the first chunk that holds it, counted from 1; None where none does."""
    return [
        next((place for place, chunk in enumerate(chunks, 1) if holds(chunk, passage)), None)
        for passage in question.passages
    ]


def _measured(evidence: Evidence, name: str, score: Callable[[Sequence[int | None]], float]) -> Measurement:
    asked = [question for question in evidence.gold if question.passages]
    if evidence.retriever is None or not asked:
        why = NO_RETRIEVER if evidence.retriever is None else NO_PASSAGES
        return Measurement(name, None, "share", evidence.subject, SPLIT, better="higher", note=why)
    over, units = _units(asked)
    places_found, unknown = _found(evidence, asked)
    sums: dict[str, list[float]] = {}
    for unit, places in zip(units, places_found, strict=True):
        summed = sums.setdefault(unit, [0.0, 0.0])
        summed[0] += score(places)
        summed[1] += 1
    tallies = tuple(Tally(unit, *summed) for unit, summed in sums.items())
    return with_interval(
        Measurement(name, ratio(tallies), "share", evidence.subject, SPLIT, len(asked), better="higher",
                    note="; ".join(filter(None, (f"by {evidence.retriever.name}", unknown))), interval_over=over, tallies=tallies),
        seed=evidence.seed, trials=(len(asked), "questions"),
    )  # fmt: skip


def _found(evidence: Evidence, asked: Sequence[GoldQuestion]) -> tuple[list[list[int | None]], str]:
    """Where the passages of all questions were found, retrieved once for all metrics of a subject; and whether no source
    is known by the names that the questions give, in words."""
    retriever = evidence.retriever
    assert retriever is not None
    key = ("retrieved", evidence.subject, retriever.name)
    if key not in evidence.cache:
        chunks = [retriever.retrieve(question.question, max(DEPTHS)) for question in asked]
        pairs = [*zip(asked, chunks, strict=True)]
        places = [places_of(*pair) for pair in pairs]
        evidence.cache[key] = places, strange(pairs) or nowhere(asked, places, retriever)
    found: tuple[list[list[int | None]], str] = evidence.cache[key]
    return found


def nowhere(asked: Sequence[GoldQuestion], places: Sequence[Sequence[int | None]], retriever: Retriever) -> str:
    """That passages which no question found are not found by their own words either, in words: mistyped, as a rule, or of a text
    that is not there. Empty where there are none; a quote of a few words is not judged."""
    missed = {
        passage
        for question, found in zip(asked, places, strict=True)
        for passage, place in zip(question.passages, found, strict=True)
        if place is None and len(words(passage.quote)) >= LEAST
    }
    gone = [each for each in sorted(missed, key=lambda each: each.quote)
            if not any(holds(chunk, each) for chunk in retriever.retrieve(each.quote, max(DEPTHS)))]  # fmt: skip
    if not gone:
        return ""
    return NOWHERE.format(
        len(gone), sum(len(question.passages) for question in asked), " ".join(gone[0].quote.split())[:60]
    )


def _units(asked: Sequence[GoldQuestion]) -> tuple[str, list[str]]:
    """What depends on each other, and so is drawn together: questions about one source, or about one section."""
    first = [question.passages[0] for question in asked]
    sources = [passage.source for passage in first]
    sections = [f"{passage.source}#{passage.section}" for passage in first]
    for over, units in (("sources", sources), ("sections", sections)):
        if len(set(units)) >= FEWEST_DOCUMENTS:
            return over, units
    return "questions", [question.id for question in asked]
