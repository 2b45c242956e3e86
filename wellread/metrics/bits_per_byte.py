"""How many bits each byte of the text costs a model: the one number that compares across tokenizers."""

from __future__ import annotations

import math

import numpy as np

from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import measured, notes, parts, scored, window_note
from wellread.metrics.tallies import Counts, ratio, resampled, tally
from wellread.types import Evidence, Measurement


def bits_per_byte(evidence: Evidence) -> list[Measurement]:
    """-log2 p(text) / UTF-8 bytes of each part that holds text; n counts the bytes. Lower is better.

    Each document is scored from its own beginning. Raises ModelError where the model cannot score.
    """
    rows = [_of_part(evidence, part) for part in parts(evidence)]
    return rows or [Measurement("bits_per_byte", None, subject=evidence.subject, note="there is no text to measure")]


def _of_part(evidence: Evidence, part: str) -> Measurement:
    sample = measured(evidence, part)
    counts = [
        Counts(np.asarray(each.starts, np.int64),
               np.asarray(each.logprobs, np.float64) / -math.log(2),
               np.subtract(each.ends, each.starts).astype(np.float64))
        for each in scored(evidence, part)
    ]  # fmt: skip
    tallies = tally(sample.documents, counts)
    return with_interval(Measurement(
        "bits_per_byte", ratio(tallies), "bits per byte", evidence.subject, part,
        n=sum(len(document.text.encode()) for document in sample.documents), better="lower",
        note=notes(window_note(evidence), sample.note),
        interval_over=resampled(sample.documents), tallies=tallies,
    ), seed=evidence.seed)  # fmt: skip
