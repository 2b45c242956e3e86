"""Among how many equally likely tokens a model hesitates, on average."""

from __future__ import annotations

import math

import numpy as np

from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import measured, model_of, notes, parts, scored, window_note
from wellread.metrics.tallies import Counts, ratio, resampled, tally
from wellread.types import Evidence, Measurement

LARGEST = 500.0
"""Nats a token; exp overflows at 710, and the interval's upper end needs room."""


def perplexity(evidence: Evidence) -> list[Measurement]:
    """exp of the mean negative log-probability of a token, for each part that holds text; n counts the tokens.

    The note names the tokenizer: perplexities of two tokenizers do not compare. From the scores of `bits_per_byte`.
    Raises ModelError where the model cannot score.
    """
    rows = [_of_part(evidence, part) for part in parts(evidence)]
    return rows or [Measurement("perplexity", None, subject=evidence.subject, note="there is no text to measure")]


def _of_part(evidence: Evidence, part: str) -> Measurement:
    sample = measured(evidence, part)
    counts = [
        Counts(np.asarray(each.starts, np.int64), -np.asarray(each.logprobs, np.float64), np.ones(len(each.logprobs)))
        for each in scored(evidence, part)
    ]
    tallies = tally(sample.documents, counts)
    loss = ratio(tallies)
    if not loss < LARGEST:  # true of NaN as well
        note = f"the mean loss is {loss:.4g} nats a token: the model has diverged"
        return Measurement("perplexity", None, "per token", evidence.subject, part, better="lower", note=note)
    return with_interval(Measurement(
        "perplexity", math.exp(loss), "per token", evidence.subject, part,
        n=sum(len(each.at) for each in counts), better="lower",
        note=notes(f"tokenizer: {model_of(evidence).tokenizer_name}", window_note(evidence), sample.note),
        interval_over=resampled(sample.documents), tallies=tallies,
    ), seed=evidence.seed)  # fmt: skip
