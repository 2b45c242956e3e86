"""The longest run of words that what a model wrote shares with the corpus."""

from __future__ import annotations

from wellread.matching import words
from wellread.metrics.scores import corpus_index
from wellread.types import Evidence, Match, Measurement, Sample

_SHOWN = 12


def longest_recited_words(evidence: Evidence) -> list[Measurement]:
    """Words in the longest run that anything the model wrote shares with any part of the corpus; n counts the words written.

    Of a run that crosses out of the prompt only the generated words count. The note shows the run and its place.
    """
    said = (*evidence.samples, *evidence.passages)
    if not said:
        note = "the model wrote no samples"
        return [Measurement("longest_recited_words", None, "words", evidence.subject, note=note)]
    index = corpus_index(evidence)
    best: tuple[Match, Sample] | None = None
    written = 0
    for sample in said:
        written += len(words(sample.completion))
        match = index.longest(sample.prompt + sample.completion, from_char=len(sample.prompt))
        if match is not None and (best is None or match.words > best[0].words):
            best = match, sample
    count = best[0].words if best else 0
    note = _place(evidence, *best) if best else "no word of what it wrote stands in the corpus"
    return [Measurement("longest_recited_words", float(count), "words", evidence.subject, n=written, note=note)]


def _place(evidence: Evidence, match: Match, sample: Sample) -> str:
    """Where the run stands and how it begins: `in "Chapter 3" (train): "It was …"`."""
    part = next((part for part, ids in evidence.corpus.split.items() if match.document in ids), "no part")
    shown = excerpt(sample.prompt + sample.completion, match.start, match.end)
    return f'in "{match.section or match.document}" ({part.replace("_", "-")}): {shown}'


def excerpt(text: str, start: int, end: int) -> str:
    """The first 12 words of a run, in quotation marks."""
    shown = text[start:end].split()
    return f'"{" ".join(shown[:_SHOWN])}{" …" if len(shown) > _SHOWN else ""}"'
