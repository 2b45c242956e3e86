"""Which text of a part is measured, and its scores, computed once for all the metrics of a subject."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from wellread.errors import ModelError
from wellread.matching import Index
from wellread.types import Document, Evidence, LanguageModel, Scored

GENERAL = "general"
PARTS = ("held_out", "validation", GENERAL, "train")
_BEGINNINGS = 10
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Measured:
    """The documents of a part that are measured, in the order of the book."""

    documents: tuple[Document, ...]
    note: str
    """How much of the part they are; empty where they are all of it."""


def parts(evidence: Evidence) -> list[str]:
    """The parts that hold any text, held-out first. Quickly, not train: how well it is known is recitation's to say."""
    wanted = PARTS if evidence.quick_words is None else PARTS[:3]
    return [part for part in wanted if _holds_text(evidence, part)]


def recited_parts(evidence: Evidence) -> list[str]:
    """Train beside held-out, the floor: a model that reads well foresees some spans of a text it never saw.

    Where held-out text is kept from sight, as while something is still to be chosen, validation is the floor.
    """
    floor = "held_out" if _holds_text(evidence, "held_out") else "validation"
    return [part for part in ("train", floor) if _holds_text(evidence, part)]


def _holds_text(evidence: Evidence, part: str) -> bool:
    return any(document.text.strip() for document in _of(evidence, part))


def measured(evidence: Evidence, part: str) -> Measured:
    """The documents of a part, or a sample of about `evidence.quick_words` words of it, the same for every subject.

    The sample takes whole documents, spread evenly over the part, while they fit within a tenth of what is wanted. If
    they come to less than nine tenths of it, the rest is shared among the beginnings of up to ten further documents,
    each cut at the end of a paragraph.
    """
    documents = tuple(document for document in _of(evidence, part) if document.text.strip())
    sizes = [len(document.text.split()) for document in documents]
    wanted = evidence.quick_words
    if wanted is None or sum(sizes) <= wanted:
        return Measured(documents, "")
    chosen: dict[int, Document] = {}
    total = 0
    order = sorted(range(len(documents)), key=_reversed_bits)
    for index in order:
        if total + sizes[index] <= 1.1 * wanted and total < 0.9 * wanted:
            chosen[index] = documents[index]
            total += sizes[index]
    if total < 0.9 * wanted:
        further = [index for index in order if index not in chosen][:_BEGINNINGS]
        for index in further:
            text = beginning(documents[index].text, (wanted - total) // len(further))
            chosen[index] = replace(documents[index], text=text)
    kept = tuple(chosen[index] for index in sorted(chosen))
    count = sum(len(document.text.split()) for document in kept)
    note = f"a sample: {count:,} of {sum(sizes):,} words, from {len(kept)} of {len(documents)} documents"
    cut = sum(document.text != documents[index].text for index, document in chosen.items())
    return Measured(kept, f"{note}, {cut} of them by their beginnings" if cut else note)


def beginning(text: str, words: int) -> str:
    """At most so many words, ending with a paragraph where one ends in the second half, else with a word."""
    last = next(islice(_WORD.finditer(text), max(words, 1) - 1, None), None)
    if last is None:
        return text
    cut = last.end()
    paragraph = text.rfind("\n", 0, cut + 1)
    return text[:paragraph] if paragraph >= cut / 2 else text[:cut]


def scored(evidence: Evidence, part: str, *, length: int | None = None, stride: int | None = None) -> list[Scored]:
    """The scores of the measured documents of a part, kept for the other metrics. Raises ModelError."""
    texts = [document.text for document in measured(evidence, part).documents]
    return scored_texts(evidence, ("scores", part, length, stride), texts, length=length, stride=stride)


def already_scored(
    evidence: Evidence, part: str, *, length: int | None = None, stride: int | None = None
) -> list[Scored]:
    """What `scored` gave for the same question before; empty where it was not asked."""
    kept: list[Scored] = evidence.cache.get((evidence.subject, ("scores", part, length, stride)), [])
    return kept


def scored_texts(
    evidence: Evidence, key: Hashable, texts: Sequence[str], *, length: int | None = None, stride: int | None = None
) -> list[Scored]:
    """The scores of some texts, kept under the subject and `key`. Raises ModelError."""
    place = (evidence.subject, key)
    if place not in evidence.cache:
        evidence.cache[place] = model_of(evidence).score(texts, length=length, stride=stride)
    kept: list[Scored] = evidence.cache[place]
    return kept


def model_of(evidence: Evidence) -> LanguageModel:
    if evidence.model is None:
        raise ModelError("no model was given to measure.")
    return evidence.model


def corpus_index(evidence: Evidence) -> Index:
    """Every run of words in the corpus, built once."""
    if "index" not in evidence.cache:
        evidence.cache["index"] = Index(evidence.corpus.documents)
    index: Index = evidence.cache["index"]
    return index


def window_note(evidence: Evidence) -> str:
    """The window that the scores of whole documents use, where the model tells it: the one that it sees at once, unless it
    says that it scores in another."""
    window = getattr(evidence.model, "scored_in", None) or getattr(evidence.model, "window", None)
    return f"windows of {window:,} tokens, overlapping by half" if window else ""


def notes(*several: str) -> str:
    """One note of several, without the empty ones."""
    return "; ".join(note for note in several if note)


def _of(evidence: Evidence, part: str) -> tuple[Document, ...]:
    if part == GENERAL:
        return tuple(evidence.general)
    wanted = {name for each, names in evidence.corpus.split.items() if each == part for name in names}
    return tuple(document for document in evidence.corpus.documents if document.id in wanted)


def _reversed_bits(index: int) -> int:
    """Sorted by this, any first few of a range lie evenly over it (van der Corput)."""
    return int(f"{index:032b}"[::-1], 2)
