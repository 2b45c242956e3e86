"""Which texts a style is measured by: what was written, the book, and others, each as a sample of equal length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from wellread.function_words import NAMES, language
from wellread.matching import Index, words
from wellread.metrics.scores import corpus_index, notes
from wellread.metrics.tallies import FEWEST_DOCUMENTS
from wellread.types import REAL_CHAPTERS, Document, Evidence, Sample

LEAST_WORDS = 5_000
"""Below this, distances of style are mostly chance (Eder 2015, "Does size matter?")."""
FEWEST_TEXTS = 3
RANKED_TEXTS = 8
STRETCH = 100
"""Words that are taken together from one place of a text."""
RUN_WORDS = 8
SAME_SHARE = 0.2
"""A text that shares more of its runs of 8 words with the book is that book: two novels by one author share next to none."""
Word: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """So many words of a text, in stretches of 100 spread evenly over it."""

    name: str
    documents: tuple[Document, ...]
    """The whole text."""
    words: tuple[tuple[Word, ...], ...]
    """Of every document the words taken, with their places."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(word for several in self.words for word, _, _ in several)


@dataclass(frozen=True, slots=True)
class Texts:
    """What was written, the book, and the other texts."""

    written: Excerpt
    book: Excerpt
    others: tuple[Excerpt, ...]
    size: int
    """Words of each."""
    language: str
    """`en`, `fr`, or empty for any other."""
    left_out: str
    """Other texts that could not serve, with the reason; empty where all could."""


def style_texts(evidence: Evidence) -> Texts | str:
    """The texts to measure a subject's style by, or why it cannot be measured; found once for all metrics of style."""
    key = (evidence.subject, "style")
    if key not in evidence.cache:
        evidence.cache[key] = _texts(evidence)
    found: Texts | str = evidence.cache[key]
    return found


def written(evidence: Evidence) -> tuple[Document, ...]:
    """What the subject wrote, a document for every prompt, or for every sample where there are fewer than 10 prompts;
    of the subject `REAL_CHAPTERS` the held-out chapters themselves, with the validation chapters where they are short.
    """
    if evidence.subject == REAL_CHAPTERS:
        held_out = evidence.corpus.part("held_out")
        enough = sum(len(words(document.text)) for document in held_out) >= _size(evidence)
        return held_out if enough else (*evidence.corpus.part("validation"), *held_out)
    samples = evidence.passages or evidence.samples
    by_prompt: dict[str, list[Sample]] = {}
    for sample in samples:
        by_prompt.setdefault(sample.prompt, []).append(sample)
    groups = list(by_prompt.values()) if len(by_prompt) >= FEWEST_DOCUMENTS else [[sample] for sample in samples]
    return tuple(
        Document(f"passage-{number}", "\n\n".join(sample.completion for sample in group), metadata={"kind": "passage"})
        for number, group in enumerate(groups, 1)
    )


def excerpt(name: str, documents: Sequence[Document], size: int) -> Excerpt | None:
    """`size` words of the documents; None where they have fewer."""
    read = [words(document.text) for document in documents]
    total = sum(map(len, read))
    if total < size or not size:
        return None
    stretches = list(_stretches(total, size))
    taken, first = [], 0
    for several in read:
        mine = [range(max(begin - first, 0), min(end - first, len(several))) for begin, end in stretches]
        taken.append(tuple(several[place] for stretch in mine for place in stretch))
        first += len(several)
    return Excerpt(name, tuple(documents), tuple(taken))


def _stretches(total: int, size: int) -> Iterator[tuple[int, int]]:
    """Begin and end of stretches of about 100 words that come to `size` words of `total`, evenly spread."""
    count = -(-size // STRETCH)
    end = 0
    for number in range(count):
        taken = size * number // count
        begin = max(end, min(total * number // count, total - size + taken))
        end = begin + size * (number + 1) // count - taken
        yield begin, end


def _size(evidence: Evidence) -> int:
    return max(LEAST_WORDS, evidence.style_words)


def _texts(evidence: Evidence) -> Texts | str:
    size = _size(evidence)
    documents = written(evidence)
    theirs = excerpt(evidence.subject, documents, size)
    if theirs is None:
        count = sum(len(words(document.text)) for document in documents)
        if evidence.subject == REAL_CHAPTERS:
            return f"the held-out and validation parts have {count:,} words, at least {size:,} needed"
        return f"{count:,} words generated, at least {size:,} needed; set measure.style_words"
    train = evidence.corpus.part("train")
    book = excerpt("the book", train, size)
    if book is None:
        count = sum(len(words(document.text)) for document in train)
        return f"the training part has {count:,} words, at least {size:,} needed"
    tongue = language(book.counts)
    others, left_out = _others(evidence, size, tongue)
    if len(others) < FEWEST_TEXTS:
        found = f"{len(others)} other text{'' if len(others) == 1 else 's'} of {size:,} words to compare with"
        return notes(f"{found}, at least {FEWEST_TEXTS} needed: name some in `references:`", left_out)
    return Texts(theirs, book, tuple(others), size, tongue, left_out)


def _others(evidence: Evidence, size: int, tongue: str) -> tuple[list[Excerpt], str]:
    """One text for every file of the references; the book itself, short texts and other languages are left out."""
    others, left_out = [], []
    for source, several in groupby(evidence.references, key=lambda document: document.source):
        documents = list(several)
        name = Path(source).stem
        found = excerpt(name, documents, size)
        theirs = language(found.counts) if found else ""
        if found is None:
            left_out.append(f"{name} (too short)")
        elif _is_the_book(corpus_index(evidence), found):
            left_out.append(f"{name} (the book itself)")
        elif theirs != tongue:
            left_out.append(f"{name} ({NAMES.get(theirs, 'another language')})")
        else:
            others.append(found)
    return others, f"left out: {', '.join(left_out)}" if left_out else ""


def _is_the_book(index: Index, text: Excerpt) -> bool:
    """Whether runs of words from all over a text stand in the corpus: the book, whatever file or edition it comes from."""
    runs = [
        [word for word, _, _ in several[begin : begin + RUN_WORDS]]
        for several in text.words
        for begin in range(0, len(several) - RUN_WORDS + 1, STRETCH)
    ]
    return sum(map(index.holds, runs)) > SAME_SHARE * len(runs)
