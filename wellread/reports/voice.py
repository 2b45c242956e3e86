"""Measurements of style in, one sentence out: whether what it writes sounds like the book, beside the base and the author."""

from __future__ import annotations

from collections.abc import Sequence

from wellread.reports.rows import Rows
from wellread.reports.wording import number, span
from wellread.types import REAL_CHAPTERS, Measurement


def voice(rows: Rows, trained: str | None, base: str | None) -> str:
    """The sentence; empty where no style was measured, for the table says why."""
    rank, share = rows.get("style_rank", trained), rows.get("style_attribution", trained)
    delta = rows.get("cosine_delta", trained)
    said = []
    if rank is not None and rank.value is not None:
        first = rank.value == 1
        near = "to the book than to any" if first else f"to {count_of(rank.value - 1)} than to the book, out"
        beside = _beside(rows, "style_rank", base, "rank ", _how_sure(rows, rank, trained))
        said.append(f"Its writing is nearer {near} of {rank.n - 1} other texts{beside}")
    elif delta is not None and delta.value is not None:
        beside = _beside(rows, "cosine_delta", base)
        said.append(
            f"Its use of common words lies {number(delta.value, delta)} from the book's by cosine Delta{beside}"
        )
    if share is not None and share.value is not None:
        taken = f"{number(share.value, share)} of its passages are taken for the author's"
        said.append(f"{taken}{_beside(rows, 'style_attribution', base)}")
    return f"{'; '.join(said)}." if said else ""


def count_of(texts: float) -> str:
    return "one text" if texts == 1 else f"{texts:.0f} texts"


def _how_sure(rows: Rows, rank: Measurement, trained: str | None) -> list[str]:
    """What holds a rank back: an interval that reaches further, and another rank where names do not count."""
    few = rows.value("style_rank_function_words", trained)
    told = []
    if rank.low is not None and rank.high is not None and rank.low != rank.high:
        told.append(f"95 % interval of its rank {span(number(rank.low, rank), number(rank.high, rank))}")
    if few is not None and few != rank.value:
        told.append(f"by function words alone rank {number(few, rank)}")
    return told


def _beside(rows: Rows, name: str, base: str | None, what: str = "", own: Sequence[str] = ()) -> str:
    """` (before training rank 7, the author's own held-out text rank 1)`, as far as they were measured, after `own`."""
    found = [("before training", rows.get(name, base) if base else None),
             ("the author's own held-out text", rows.get(name, REAL_CHAPTERS))]  # fmt: skip
    told = [f"{who} {what}{number(row.value, row)}" for who, row in found if row is not None and row.value is not None]
    return f" ({', '.join((*own, *told))})" if own or told else ""
