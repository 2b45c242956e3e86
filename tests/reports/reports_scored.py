"""Scores of the fabricated book, word by word, as the run folder keeps them."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from reports_fabricated import Fabricated

from wellread.reports.surprise import UNIT, unit_ends
from wellread.scorefile import BookScores, Spans, Tokens, write_scores


def by_words(text: str, bits: Callable[[int], float]) -> Tokens:
    """A text scored with one token a word, the blanks before it included; what follows the last word is free."""
    ends = unit_ends(text).tolist()
    tail = [len(text.encode())] if ends and ends[-1] < len(text.encode()) else []
    costs = [bits(place) for place in range(len(ends))] + [0.0] * len(tail)
    return Tokens(np.array(ends + tail, np.int64), np.array(costs, np.float32) * np.float32(-math.log(2)))


def spans(text: str, recited: Sequence[int], *, sure: Sequence[int] = (), words_each: int = 10) -> Spans:
    """Spans of so many words from the `words_each`-th on; those of `recited` (by number) are greedy, `sure` likely too."""
    ends = [0, *unit_ends(text).tolist()][words_each::words_each]
    numbers = range(len(ends) - 1)
    greedy = np.array([number in (*recited, *sure) for number in numbers], np.bool_)
    chance = np.array([0.9 if number in sure else 0.2 if number in recited else 1e-9 for number in numbers])
    edges = np.array(ends, np.int64)
    return Spans(edges[:-1], edges[1:], greedy, np.log(chance).astype(np.float32))


def with_scores(folder: Path, stages: dict[str, BookScores]) -> Path:
    """A run folder that `Fabricated.write` wrote, with the scores of these stages."""
    for name, scores in stages.items():
        write_scores(folder / "stages" / name / "scores.npz", scores)
    return folder


def read_through(made: Fabricated) -> dict[str, BookScores]:
    """The whole book scored before and after: as a base and a trained model might, which recites a third of the chapters."""
    chance = random.Random(5)
    both: dict[str, BookScores] = {"00-base": BookScores({}, {}, {}), "01-imprint": BookScores({}, {}, {})}
    for number, each in enumerate(made.documents):
        text, id = each["text"], each["id"]
        held_out = number % 8 == 5
        hard = [min(32.0, abs(chance.gauss(0, 3)) * (1 + len(word) / 4)) for word in re.findall(UNIT, text)]
        known = [bits * (0.8 if held_out else 0.35 + 0.4 * chance.random()) for bits in hard]
        count = max(0, len(hard) // 10 - 1)
        learned = [] if held_out or number % 3 else sorted(chance.sample(range(count), min(count, 4)))
        for stage, bits, by_heart in (("00-base", hard, []), ("01-imprint", known, learned)):
            both[stage].long[id] = both[stage].short[id] = by_words(text, bits.__getitem__)
            both[stage].spans[id] = spans(text, by_heart, sure=by_heart[:2])
    return both
