"""What a run does beside its training: writing, measuring, turning the dial; and about how long that takes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wellread.gathering import (
    MOST_AT_ONCE,
    STYLE_PROMPTS,
    WORDS_PER_TOKEN,
    general_documents,
    opening_lines,
    writes_for_style,
)
from wellread.recipe import Recipe
from wellread.types import Corpus, Part, Sampling

PATIENCE = 2.0
"""Seconds that the first try may take for a longer one to follow."""
TRIED = 6000
"""Characters that scoring is timed on."""
ROWS = 16
OVERLAP = 2
"""How often a token is read where windows overlap by half."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a model writes and scores on this machine."""

    scored: float
    """Tokens a second."""
    step: float
    """Seconds for a token of one continuation."""
    more: float
    """Seconds for a token of each further one beside it."""
    spelled: float
    """Tokens for a word."""

    def writing(self, batches: int, rows: float, tokens: int) -> float:
        """Seconds for so many batches of so many continuations."""
        return batches * tokens * (self.step + self.more * max(0.0, rows - 1))


@dataclass(frozen=True, slots=True)
class After:
    what: str
    seconds: float | None
    """About; None where it is not known."""


def pace_of(model: Any, tokenizer: Any, text: str) -> Pace:
    """Time a few tokens: scored and written by an open model."""
    from wellread.generation.hf import TransformersModel

    opened = TransformersModel(model, tokenizer, "timed")
    prompt = " ".join(text.split()[:16])

    def scored(characters: int) -> float:
        """Tokens a second."""
        tokens: list[int] = []
        seconds = _timed(lambda: tokens.append(len(opened.score([text[:characters]])[0].logprobs)))
        # of a short text, nothing overlaps
        return (OVERLAP if tokens[0] > opened.window else 1) * tokens[0] / max(seconds, 1e-6)

    def writing(rows: int, tokens: int) -> float:
        return _timed(lambda: opened.generate([prompt], Sampling(max_tokens=tokens, n=rows)))

    [spelled] = opened.score([prompt])  # the first, too, of what is made only once
    tokens = len(spelled.logprobs) / max(1, len(prompt.split()))
    rate = scored(TRIED // 10)
    first = writing(1, 2)
    if first > PATIENCE:
        return Pace(rate, first / 2, 0.0, tokens)
    if TRIED / 10 / rate < PATIENCE:
        rate = scored(TRIED)
    alone, beside = ((writing(rows, 8) - writing(rows, 2)) / 6 for rows in (1, ROWS))
    alone = max(alone, 1e-6)
    return Pace(rate, alone, max(0.0, beside - alone) / (ROWS - 1), tokens)


def afterwards(recipe: Recipe, corpus: Corpus, pace: Pace | None) -> tuple[After, ...]:
    """What comes on top of training, with about how long it takes where the model's pace is known."""
    measure, sampled = recipe.measure, recipe.sampling
    subjects = len(recipe.stages) + (recipe.base is not None)
    sizes = {part: _words(corpus, part, measure.quick_words if measure.quick else None) for part in corpus.split}
    general = sum(len(document.text.split()) for document in general_documents(recipe))
    names = measure.metrics
    bits = not names or bool({"bits_per_byte", "perplexity"} & set(names))
    recited = not names or any("recited_share" in name for name in names)
    # recitation reads its spans twice over: of so many tokens, and of so many bytes
    foreseen = OVERLAP * (sizes["held_out"] + sizes["validation"] + general + (0 if measure.quick else sizes["train"]))
    by_heart = 2 * OVERLAP * (sizes["train"] + sizes["held_out"])
    rounds = math.ceil(measure.style_words / (sampled.max_tokens * WORDS_PER_TOKEN * STYLE_PROMPTS))
    style = rounds * STYLE_PROMPTS if writes_for_style(recipe) else 0

    def scoring(words: float) -> float:
        return 0.0 if pace is None else words * pace.spelled / pace.scored

    def seconds(scored: float, written: float) -> float | None:
        return None if pace is None else scoring(scored) + written

    writing = styling = 0.0
    if pace is not None:
        prompts = len(opening_lines(recipe, corpus))
        batches = prompts * math.ceil(sampled.n / MOST_AT_ONCE)
        writing = pace.writing(batches, min(sampled.n, MOST_AT_ONCE), sampled.max_tokens)
        # beginnings of 16 words are enough alike in length to be written side by side
        styling = pace.writing(math.ceil(style / MOST_AT_ONCE), min(style, MOST_AT_ONCE), sampled.max_tokens)
    each = bits * foreseen + recited * by_heart
    found = [After(f"sampling and measuring {_count(subjects)}", seconds(subjects * each, subjects * writing))]
    if style:
        told = f"writing {measure.style_words:,} words to measure a style by, {_count(subjects)}"
        found.append(After(told, seconds(0, subjects * styling)))
    if recipe.dial.wish:
        settings = {*recipe.dial.settings, 1.0}
        # of QLoRA 0 is the base as it was rounded, which no run measures
        ends = len(settings & ({1.0} if recipe.stages[-1].method.kind == "qlora" else {0.0, 1.0}))
        # on validation at every setting; on held-out text at every setting again, and by all measures at two
        turned = len(settings) * (foreseen + by_heart) + 2 * by_heart
        # what the run has measured of the ends stays; what is recited of validation text is not among it
        turned -= ends * (bits * foreseen + recited * (by_heart - 2 * OVERLAP * sizes["validation"]))
        told = f"the dial curve of {len(settings)} settings"
        found.append(After(told, seconds(turned, (len(settings) - ends + 2) * styling)))
    if recipe.questions or recipe.synthesis:
        found.append(After("answering questions", None))
    if any(name.startswith("lm_eval_") for name in names):
        found.append(After("tasks of lm-evaluation-harness", None))
    return tuple(found)


def _count(subjects: int) -> str:
    return "the model" if subjects == 1 else f"{subjects} models"


def _words(corpus: Corpus, part: Part, most: int | None) -> int:
    words = sum(len(document.text.split()) for document in corpus.part(part))
    return words if most is None else min(words, most)


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
