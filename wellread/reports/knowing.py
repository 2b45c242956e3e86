"""Measurements of answers in, one sentence out: what share is known, and whether it invents or refuses."""

from __future__ import annotations

from wellread.reports.rows import Rows, sign
from wellread.reports.wording import count, percent, span

RECALL = "recall_exact"
KNOWN = 0.9
"""From this share of right answers on the headline says that the terms are known: a convention."""
PARTLY = 0.5


def knowing(rows: Rows, trained: str | None, base: str | None) -> tuple[str, str]:
    """A headline, and a sentence on answers to held-out questions; both empty where none were judged."""
    after = rows.get(RECALL, trained, "held_out")
    if after is None or after.value is None:
        return "", ""
    before = rows.get(RECALL, base, "held_out") if base is not None else None
    interval = ""
    if after.low is not None and after.high is not None:
        interval = f" (95 % interval {span(percent(after.low), percent(after.high))})"
    told = f"Of {count(after.n, 'question')} in words that training never used it answers {percent(after.value)} right{interval}"
    gained = True
    if before is not None and before.value is not None:
        gap = rows.difference(after, before)
        gained = gap is not None and sign(gap) > 0
        told += f"; before training, {percent(before.value)}"
        told += "" if gained else ", no clear difference"
    honest = [
        f"{percent(value)} of {what}"
        for name, what in (
            ("false_definition_rate", "the terms that do not exist it defines as if they did"),
            ("over_refusal_rate", "real ones it refuses"),
        )
        if (value := rows.value(name, trained, "held_out")) is not None
    ]
    told += "".join((". ", ", and ".join(honest))) if honest else ""
    if not gained:
        return "No difference can be shown", f"{told}."
    level = (
        "are known" if after.value >= KNOWN else "are partly known" if after.value >= PARTLY else "are not known yet"
    )
    return f"The terms {level}", f"{told}."
