"""Measurements of subjects that were asked the same gold questions in, a verdict in words out: which way wins, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wellread.reports.rows import Rows, sign
from wellread.reports.wording import listed, percent
from wellread.types import Measurement

JUDGED_BY = "answer_f1"
"""The measure that decides."""
RETRIEVAL = "retrieval"
"""Subject of what is measured of the search alone."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The subjects of a fair fight by their parts in it; empty where there is none."""

    base: str
    retrieval: str = ""
    tuned: str = ""
    both: str = ""
    whole: str = ""

    @property
    def words(self) -> dict[str, str]:
        """Every subject as the page calls it, in the order of the table."""
        called = {self.base: "Base alone", self.retrieval: "Base with retrieval", self.tuned: "Tuned",
                  self.both: "Tuned, with retrieval", self.whole: "Base with the whole text in view"}  # fmt: skip
        return {subject: words for subject, words in called.items() if subject}


def fair_verdict(measurements: Sequence[Measurement], sides: Sides) -> str:
    """Three or four sentences: who wins by how much, what tuning adds to retrieval, what it does alone, who refuses rightly."""
    rows = Rows.of(measurements)
    told = [_winner(rows, sides), _added(rows, sides), _alone(rows, sides), _whole(rows, sides), _refusing(rows, sides)]
    return " ".join(filter(None, told))


def order_verdict(measurements: Sequence[Measurement], subjects: Sequence[str]) -> str:
    """One sentence about subjects of any kind: which answers best, and which of the others it surely beats."""
    rows = Rows.of(measurements)
    scored = [
        (row.value, subject)
        for subject in subjects
        if (row := _score(rows, subject)) is not None and row.value is not None
    ]
    if not scored:
        return "Nothing was measured by which the answers could be compared."
    value, best = max(scored, key=lambda pair: pair[0])
    others = [subject for _, subject in scored if subject != best]
    if not others:
        return f"{best} answers with an F1 of {value:.2f}."
    beaten = [(other, gap) for other in others if (gap := _gap(rows, best, other)) is not None and sign(gap) > 0]
    open_ = [other for other in others if other not in {subject for subject, _ in beaten}]
    said = f"{best} answers best, with an F1 of {value:.2f}"
    if beaten:
        said += f": it beats {listed([f'{other} by {_by(gap)}' for other, gap in beaten])}"
    if open_:
        said += f"{'; ' if beaten else ', but '}no clear difference to {listed(open_, 'or')}"
    return f"{said}."


def _winner(rows: Rows, sides: Sides) -> str:
    """Retrieval or tuning."""
    gap = _gap(rows, sides.retrieval, sides.tuned)
    if gap is None:
        return ""
    scores = [_score(rows, subject) for subject in (sides.retrieval, sides.tuned)]
    values = " against ".join(f"{row.value:.2f}" for row in scores if row is not None and row.value is not None)
    if not sign(gap):
        return f"Neither retrieval nor tuning wins: F1 {values}, no clear difference ({_by(gap, signed=True)})."
    return f"{'Retrieval' if sign(gap) > 0 else 'Tuning'} wins by {_by(gap)} (F1 of answers, retrieval {values} tuned)."


def _added(rows: Rows, sides: Sides) -> str:
    """What tuning does beside retrieval."""
    gap = _gap(rows, sides.both, sides.retrieval)
    if gap is None:
        return ""
    both = _score(rows, sides.both)
    reached = f", to {both.value:.2f}" if both is not None and both.value is not None else ""
    if not sign(gap):
        return f"Tuning adds nothing to it here that could be shown ({_by(gap, signed=True)}{reached})."
    does, where = ("adds", "to") if sign(gap) > 0 else ("takes", "from")
    return f"Tuning with passages in view {does} {_by(gap)} {where} it{reached}."


def _alone(rows: Rows, sides: Sides) -> str:
    gap = _gap(rows, sides.tuned, sides.base)
    if gap is None:
        return ""
    if not sign(gap):
        return f"Tuning alone is not surely better than the untouched base ({_by(gap, signed=True)})."
    return f"Tuning alone {'gains' if sign(gap) > 0 else 'loses'} {_by(gap)} over the untouched base."


def _whole(rows: Rows, sides: Sides) -> str:
    row = _score(rows, sides.whole)
    if not sides.whole or row is None:
        return ""
    if row.value is None:
        return f"The base was not asked with all of the text in view: {row.note.rstrip('.')}."
    gap = _gap(rows, sides.whole, sides.retrieval)
    against = f" ({_by(gap, signed=True)} against retrieval)" if gap is not None else ""
    return f"With the whole text in view the base reaches {row.value:.2f}{against}."


def _refusing(rows: Rows, sides: Sides) -> str:
    told: list[str] = []
    untold = ""
    for subject in (sides.retrieval, sides.both):
        right, wrong = (rows.value(name, subject) for name in ("refusal_rate", "wrong_refusal_rate"))
        if subject and right is not None and wrong is not None:
            name = sides.words[subject] if not told else sides.words[subject].casefold()
            told.append(f"{name}{',' * (',' in name)} refuses {percent(right)} of the questions that the text does not answer, and "
                        f"wrongly {percent(wrong)} of those that it does")  # fmt: skip
        row = rows.get("refusal_rate", subject) if subject else None
        untold = untold or (row.note if row is not None and row.value is None else "")
    if told:
        return f"{'; '.join(told)}."
    return f"When to refuse was {untold.rstrip('.')}." if untold.startswith("not tried") else ""


def _score(rows: Rows, subject: str) -> Measurement | None:
    return rows.get(JUDGED_BY, subject) if subject else None


def _gap(rows: Rows, one: str, other: str) -> Measurement | None:
    """The paired difference of two subjects, whichever way round it was taken; None where it was not."""
    if not one or not other:
        return None
    found = rows.get(JUDGED_BY, f"{one} - {other}")
    if found is None:
        turned = rows.get(JUDGED_BY, f"{other} - {one}")
        found = None if turned is None else _turned(turned)
    return None if found is None or found.value is None else found


def _turned(gap: Measurement) -> Measurement:
    def minus(value: float | None) -> float | None:
        return None if value is None else -value

    return replace(gap, value=minus(gap.value), low=minus(gap.high), high=minus(gap.low))


def _by(gap: Measurement, *, signed: bool = False) -> str:
    """`0.31 ± 0.08`: the difference, and half the width of its interval."""
    value = gap.value or 0.0
    shown = f"{value:+.2f}".replace("-", "−") if signed else f"{abs(value):.2f}"
    if gap.low is None or gap.high is None:
        return f"{shown}, no interval"
    return f"{shown} ± {(gap.high - gap.low) / 2:.2f}"
