"""Answers scored one by one in, Measurements out: by part, by kind of question, with intervals over terms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import notes
from wellread.metrics.tallies import ratio
from wellread.types import Answer, Better, Evidence, Measurement, Tally

RECALL = ("forward", "reverse", "context", "definition")
"""Kinds of questions that a right answer is expected to."""
REAL = ("forward", "context", "definition", "outside")
"""Kinds that ask what a real term is."""
PARTS = ("held_out", "validation", "train")
TERMS = "terms"
"""What intervals are over: the answers about one term depend on each other."""
UNASKED = "no questions were asked: name `questions` in the recipe, or give a glossary and `synthesis`"

Score = Callable[[Answer], float | None]
"""What an answer is worth; None where that cannot be told, so that it does not count."""


def answers_of(evidence: Evidence, part: str, kinds: Sequence[str] = RECALL, *, taught: bool = True) -> list[Answer]:
    """The answers to questions of these kinds in a part, about terms that training named, or about those it did not."""
    return [each for each in evidence.answers
            if each.part == part and each.question.kind in kinds and each.taught == taught]  # fmt: skip


def parts_asked(evidence: Evidence) -> list[str]:
    """The parts of which anything was asked, held-out first."""
    return [part for part in PARTS if any(each.part == part for each in evidence.answers)]


def scored_row(
    evidence: Evidence, name: str, part: str, answers: Sequence[Answer], score: Score, *, unit: str = "share",
    better: Better = "higher", note: str = "", uncounted: str = "answers could not be judged",
) -> Measurement:  # fmt: skip
    """The mean score of some answers; n counts them. The interval resamples terms, each with all of its answers.

    What cannot be scored is left out and counted in the note, as `uncounted`; where not all questions of the part were asked,
    the note says so, too.
    """
    scores = [(each, score(each)) for each in answers]
    counted = [(each, value) for each, value in scores if value is not None]
    if not counted:
        why = f"all {len(answers)} {uncounted}" if answers else "there was no such question"
        return Measurement(name, None, unit, evidence.subject, part, better=better, note=notes(why, note))
    tallies = by_term(counted)
    value = ratio(tallies)
    left = len(scores) - len(counted)
    cut = sum(each.finish == "length" for each, _ in counted)
    said = notes(
        note, f"{left} of {len(scores)} {uncounted} and do not count" if left else "",
        f"{cut} answers were cut at the longest length" if cut else "", _sampled(evidence, part),
    )  # fmt: skip
    return with_interval(
        Measurement(name, value, unit, evidence.subject, part, n=len(counted), better=better, note=said,
                    interval_over=TERMS, tallies=tallies),
        seed=evidence.seed,
    )  # fmt: skip


def _sampled(evidence: Evidence, part: str) -> str:
    asked, there = sum(each.part == part for each in evidence.answers), evidence.asked_of.get(part, 0)
    return f"a sample: {asked:,} of the part's {there:,} questions were asked" if asked < there else ""


def told(answers: Sequence[Answer], values: Iterable[float | None]) -> Score:
    """A score that was computed for these very answers, all together."""
    found = dict(zip(map(id, answers), values, strict=True))
    return lambda answer: found[id(answer)]


def by_term(counted: Sequence[tuple[Answer, float]]) -> tuple[Tally, ...]:
    """One tally a term, in the order of the questions; a question without a term stands for itself."""
    sums: dict[str, list[float]] = defaultdict(list)
    for answer, value in counted:
        sums[answer.question.term or answer.question.id].append(value)
    return tuple(Tally(term, sum(values), float(len(values))) for term, values in sums.items())


def unasked(evidence: Evidence, name: str, unit: str = "share") -> list[Measurement]:
    """What stands in place of a number where nothing was asked."""
    return [Measurement(name, None, unit, evidence.subject, note=UNASKED)]
