"""Measurements in, a few sentences out: was the book learned, its voice caught, was it copied, and what was forgotten.

Written for the book's author.

The sentences use signs that any terminal can print, and claim nothing that an interval does not carry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellread.reports.knowing import knowing
from wellread.reports.rows import BITS, COMPRESSORS, Rows, is_model, sign
from wellread.reports.voice import voice
from wellread.reports.wording import of_text, percent
from wellread.types import Measurement

HEAVY_SHARE = 0.10
"""From this share of training passages on that training memorised (above the floor, and above what the base knew), the
verdict says "memorised heavily": a convention."""
HEAVY_WORDS = 50
"""So does a copied run of this many words: a short paragraph."""
UNDERLINED_WORDS = 8
"""Shorter runs are ordinary phrases; they are neither underlined nor spoken of."""

PERHAPS = "Perhaps learned: no interval was computed"
SMALL_GAIN = 0.05
"""A model surprised by so little less than before has begun to learn the book, however sure that is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    headline: str
    learning: str
    """One sentence: how well held-out text is predicted, beside the base and a file compressor. Empty where questions were
    asked: templates are easily foreseen, and say nothing of what is known."""
    copying: str
    """One sentence: what is known by heart, beside the base, and the longest run that was copied. Empty likewise."""
    forgetting: str = ""
    """One sentence where general text is surely predicted worse than by the base, else empty."""
    style: str = ""
    """One sentence where the style of its writing was measured, else empty."""
    knowing: str = ""
    """One or two sentences where questions were asked, else empty."""
    training: str = ""
    """One sentence where very few steps were taken, else empty."""

    def __str__(self) -> str:
        return " ".join(
            filter(None, (self.training, self.knowing, self.learning, self.style, self.copying, self.forgetting))
        )


def verdict(
    measurements: Sequence[Measurement],
    *,
    trained: str | None = None,
    base: str | None = None,
    place: str = "",
    unit: str = "",
) -> Verdict:
    """Judge `trained` against `base`, or else the last model among the rows against the first.

    Without a base (from scratch) the strongest file compressor takes its place. `place` says where in the book the
    longest copied run stands, `unit` what the book is made of: chapters, passages or sections (empty: what the
    measurements' intervals are over tells it). `str()` of the result is the sentences.
    """
    models = [row.subject for row in measurements if is_model(row.subject)]
    if trained is None and models:
        trained, base = models[-1], models[0] if models[0] != models[-1] else None
    rows = Rows.of(measurements)
    units = f"{unit or rows.unit()}s"
    heavily, copying = _copying(rows, trained, base, place, units)
    headline, learning = (of_text(said, units) for said in _learning(rows, trained, base, units, heavily=heavily))
    forgetting = of_text(_forgetting(rows, trained, base), units)
    known, told = knowing(rows, trained, base)
    if known:
        return Verdict(known, "", "", forgetting, voice(rows, trained, base), told)
    if heavily:
        headline = f"{headline}, and much of it is known by heart"
    return Verdict(headline, learning, copying, forgetting, voice(rows, trained, base))


def _forgetting(rows: Rows, trained: str | None, base: str | None) -> str:
    """Whether general text is surely predicted worse than before; silence where it is not, or was not measured."""
    before, after = rows.get(BITS, base, "general"), rows.get(BITS, trained, "general")
    if before is None or after is None or before.value is None or after.value is None:
        return ""
    gap = _gap(rows, after, before)
    if gap.low is None or sign(gap) <= 0:
        return ""
    return (
        f"It forgot something on the way: general text, which is not the book, costs it {after.value:.3f} bits per byte "
        f"where it cost {before.value:.3f}, {_amount(gap)}."
    )


def _learning(rows: Rows, trained: str | None, base: str | None, units: str, *, heavily: bool) -> tuple[str, str]:
    after = rows.get(BITS, trained, "held_out")
    if after is None or after.value is None:
        why = f": {after.note.rstrip('.')}" if after else ""
        return "Not measured", f"How well the book was learned was not measured{why}."
    if base is None:
        return _from_scratch(rows, after, after.value, units, heavily=heavily)
    before = rows.get(BITS, base, "held_out")
    beaten, clause = _beside_compressor(rows, after, units, heavily=heavily)
    if before is None or before.value is None:
        return "Learned or not: unknown", (
            f"The model needs {after.value:.3f} bits per byte for {units} of the book that it never saw, but its base "
            f"was not measured, so what training changed cannot be said{clause}."
        )
    gap = _gap(rows, after, before)
    figures = f"{after.value:.3f} bits per byte against {before.value:.3f}, {_amount(gap)}{clause}."
    sure = gap.low is not None
    if sign(gap) < 0:
        gain = 1 - after.value / before.value
        less = percent(gain)
        learned = "The book was learned" if gain >= SMALL_GAIN else "The book was learned a little"
        headline = learned if sure else PERHAPS
        if beaten:
            headline = f"{'Better' if sure else 'Perhaps better'} than before, but not learned yet"
        return headline, (
            f"{units.capitalize()} of the book that it never saw surprise the model {less} less than before training: {figures}"
        )
    if sign(gap) > 0:
        times = after.value / before.value
        more = f"{percent(times - 1)} more than before" if times < 2 else f"{times:.1f} times as much as before"
        made = "made" if sure else "may have made"
        return f"Training {made} it worse", (
            f"Training {made} the model worse: {units} of the book that it never saw surprise it {more}, {figures}"
        )
    return "No difference can be shown", (
        f"On {units} of the book that it never saw, no difference between the model before and after training can be "
        f"shown: {figures}"
    )


def _gap(rows: Rows, one: Measurement, other: Measurement) -> Measurement:
    """The difference of two measured rows."""
    found = rows.difference(one, other)
    assert found is not None, "both rows have values"
    return found


def _amount(gap: Measurement) -> str:
    """`0.186 fewer (95 % interval 0.171 to 0.201: it excludes 0)`."""
    value = gap.value or 0.0
    size = "the same to three decimals" if _rounds_to_zero(value) else _side(value)
    if gap.low is None or gap.high is None:
        return f"{size} (no interval was computed: it may be chance)"
    near, far = sorted((abs(gap.low), abs(gap.high)))
    includes = sign(gap) == 0
    if _rounds_to_zero(far):
        return f"{size} (its 95 % interval, all of it under 0.001, {'includes' if includes else 'excludes'} 0)"
    if includes:
        return f"{size} (95 % interval from {_side(gap.low)} to {_side(gap.high)}: it includes 0)"
    begin = "under 0.001" if _rounds_to_zero(near) else f"{near:.3f}"
    return f"{size} (95 % interval {begin} to {far:.3f}: it excludes 0)"


def _side(value: float) -> str:
    """`0.020 fewer`; what rounds to zero is neither more nor fewer."""
    return "0.000" if _rounds_to_zero(value) else f"{abs(value):.3f} {'fewer' if value < 0 else 'more'}"


def _rounds_to_zero(value: float) -> bool:
    """Whether three decimals show nothing of it."""
    return f"{abs(value):.3f}" == "0.000"


def _beside_compressor(rows: Rows, after: Measurement, units: str, *, heavily: bool) -> tuple[bool, str]:
    """Whether a file compressor wins, and a clause about the strongest one to end a sentence with."""
    best = rows.strongest()
    if best is None:
        return False, "; no file compressor was measured beside it"
    figure = f"{COMPRESSORS[best.subject]}, {best.value:.3f}"
    won = sign(_gap(rows, after, best))
    if won > 0:
        if heavily:
            return True, f"; a file compressor foresees them better ({figure}): what it knows by heart is no help there"
        return True, f"; a file compressor knows the book better ({figure}): this model has not learned it yet"
    how = "does worse" if won < 0 else "does about as well"
    return False, f"; a file compressor that read the training {units} first {how} ({figure})"


def _from_scratch(rows: Rows, after: Measurement, value: float, units: str, *, heavily: bool) -> tuple[str, str]:
    """Nothing was known before: only a compressor says what the number is worth."""
    best = rows.strongest()
    if best is None:
        return "Measured, but beside nothing", (
            f"The model needs {value:.3f} bits per byte for {units} of the book that it never saw; no file compressor "
            "was measured beside it, so whether that is good cannot be said."
        )
    gap = _gap(rows, after, best)
    name = COMPRESSORS[best.subject]
    if sign(gap) < 0:
        return "The book was learned" if gap.low is not None else PERHAPS, (
            f"From nothing but this book the model learned to foresee {units} that it never saw: it needs {value:.3f} "
            f"bits per byte where {name}, a file compressor that read the same training {units} first, needs "
            f"{best.value:.3f}, {_amount(gap)}."
        )
    if sign(gap) > 0:
        end = "what it knows by heart is no help there" if heavily else "this model has not learned it yet"
        return "Not learned" if heavily else "Not learned yet", (
            f"A file compressor knows the book better: on {units} that neither has seen the model needs {value:.3f} "
            f"bits per byte and {name} {best.value:.3f}, {_amount(gap)}; {end}."
        )
    return "No better than a file compressor", (
        f"The model foresees {units} that it never saw no better than a file compressor does: {value:.3f} bits per "
        f"byte against {best.value:.3f} ({name}), {_amount(gap)}."
    )


def _copying(rows: Rows, trained: str | None, base: str | None, place: str, units: str) -> tuple[bool, str]:
    """Whether it memorised heavily, and the sentence about it."""
    recited = _by_heart(rows, trained)
    longest = rows.value("longest_recited_words", trained)
    if recited is None and longest is None:
        about = [rows.get(name, trained) for name in ("greedy_recited_share", "longest_recited_words")]
        why = next((f": {row.note.rstrip('.')}" for row in about if row is not None and row.note), "")
        return False, f"What it copied was not measured{why}."
    earlier = _by_heart(rows, base) if base is not None else None
    gained = None if recited is None else recited[2] - max(earlier[2] if earlier else 0.0, 0.0)
    heavily = (gained is not None and gained >= HEAVY_SHARE) or (longest is not None and longest >= HEAVY_WORDS)
    if recited is None:
        opening = f"{'It memorised heavily: how' if heavily else 'How'} much it knows by heart was not measured"
    else:
        on_train, on_held_out, excess = recited
        before = f"; {percent(max(earlier[2], 0.0))} before training" if earlier else ""
        if earlier and earlier[2] > 0 and gained is not None:
            before += f", so that training memorised {percent(max(gained, 0.0))}"
        known = (
            f"{percent(max(excess, 0.0))} of the passages it was trained on ({percent(on_train)} recited, less the "
            f"{percent(on_held_out)} it recites of passages it never saw{before})"
        )
        tested = rows.get("greedy_recited_share", trained, "train")
        if on_train == 0 and tested is not None and tested.n:
            known = f"none of the {tested.n:,} passages of its training text that were tested"
        opening = f"{'It memorised heavily: by' if heavily else 'By'} heart it knows {known}"
    return heavily, f"{opening}, and {_longest_run(longest, place, units)}."


def _longest_run(longest: float | None, place: str, units: str) -> str:
    if longest is None:
        return "how long a run its own writing copies was not measured"
    if longest < UNDERLINED_WORDS:
        return of_text(f"its own writing copies no run of {UNDERLINED_WORDS} or more words from the book", units)
    where = f", from {place}" if place else ""
    return of_text(f"the longest run of the book in its own writing is {longest:.0f} words", units) + where


def _by_heart(rows: Rows, subject: str | None) -> tuple[float, float, float] | None:
    """Recited share of the training part, of the held-out part, and the first less the second."""
    on_train = rows.value("greedy_recited_share", subject, "train")
    on_held_out = rows.value("greedy_recited_share", subject, "held_out")
    return None if on_train is None or on_held_out is None else (on_train, on_held_out, on_train - on_held_out)
