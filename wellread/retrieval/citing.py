"""An answer and the chunks that were laid before the model in, its sentences with what they rest on out.

A model cites by number: `[1]`, `[2, 3]`, `[1-3]`. For each number the sentence of that source is found whose words it shares
most, with its place in the document. Small models cite badly: a sentence for which no source was named, or one with which
it has no word in common, is attributed to the source whose words it shares most, if that are half of its own; such a
citation is marked as ours (`by_words`). Likeness of words is no proof that a source says so; it shows where to look.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wellread.retrieval.keywords import language_of, query_terms, terms
from wellread.types import Chunk

ATTRIBUTED = 0.5
"""Share of a sentence's telling words that a source's sentence must hold for us to attribute it."""
_NUMBERS = r"\d{1,6}(?:\s*(?:[-–—]|[,;]|and|et)\s*\d{1,6})*"
MARK = re.compile(rf"\[\s*(?:sources?\s*)?({_NUMBERS})\s*\]", re.IGNORECASE)
_RANGE = re.compile(r"(\d+)(?:\s*[-–—]\s*(\d+))?")
_ABBREVIATED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|St|No|Nos|Nr|vol|pp?|cf|etc|fig|art|ch|M|Mme|e\.g|i\.e)|\b[A-Z]|^\d{1,3})\.$",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(rf"""[.!?…]+["'”’»)]*(?:\s*{MARK.pattern})*(?=\s|$)|\n+""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Citation:
    number: int
    """[1] is the first chunk that was laid before the model."""
    chunk: Chunk
    start: int
    end: int
    """Characters in the document's text."""
    words: str
    """What stands there: the chunk's sentence that shares most words with the answer's."""
    share: float
    """Of the answer's telling words, how many that sentence holds; 0 to 1."""
    by_words: bool = False
    """Attributed by us; the model named no source, or one with which the sentence shares no word."""
    page: int | None = None
    """On which these words begin, which need not be the chunk's first; None where the source has no pages."""

    @property
    def place(self) -> Chunk:
        """The chunk as a label tells it: with the page of these words."""
        return replace(self.chunk, page=self.page)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer, without its marks."""

    text: str
    start: int
    end: int
    """Characters in the answer, marks included."""
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Cited:
    answer: str
    sentences: tuple[Sentence, ...]
    unknown: tuple[int, ...] = ()
    """Numbers that the answer cites and no source has, each once."""

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every citation, in the order of the answer."""
        return tuple(each for sentence in self.sentences for each in sentence.citations)


def cite(answer: str, chunks: Sequence[Chunk], *, question: str = "", language: str = "") -> Cited:
    """The answer sentence by sentence. Of places that share equally many of its words, the one nearer to the question wins.

    `language` is that of the chunks, told from them where it is empty.
    """
    tongue = language or language_of("\n".join(chunk.text for chunk in chunks))
    places = [_Places(chunk, tongue) for chunk in chunks]
    asked = frozenset(query_terms(question, tongue))
    sentences, unknown = [], []
    for start, end in spans(answer):
        named = [number for found in MARK.finditer(answer, start, end) for number in _numbers(found[1], len(chunks))]
        text = " ".join(MARK.sub(" ", answer[start:end]).split())
        text = re.sub(r"\s+([.,;!?…])", r"\1", text) if named else text
        said = frozenset(query_terms(text, tongue))
        known = list(dict.fromkeys(number for number in named if 1 <= number <= len(chunks)))
        unknown += [number for number in named if number not in known]
        if any(map(str.isalnum, text)) or (text and not named):
            sentences.append(Sentence(text, start, end, _citations(said, asked, known, places)))
        elif sentences and known:  # marks on a line of their own belong to what stands before them
            before = sentences.pop()
            found = _citations(frozenset(query_terms(before.text, tongue)), asked, known, places)
            kept = [each for each in before.citations if not each.by_words and each.number not in known]
            sentences.append(Sentence(before.text, before.start, end, (*kept, *found)))
    return Cited(answer, tuple(sentences), tuple(dict.fromkeys(unknown)))


def without_marks(answer: str) -> str:
    """The answer without its citations."""
    return re.sub(rf"[ \t]*{MARK.pattern}", "", answer, flags=re.IGNORECASE)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """The sentences of a text, and its lines, without white space around them; marks that follow one belong to it."""
    begin = 0
    for found in _END.finditer(text):
        if not found[0].isspace() and _ABBREVIATED.search(text, max(begin, found.start() - 6), found.start() + 1):
            continue
        yield from _seen(text, begin, found.end())
        begin = found.end()
    yield from _seen(text, begin, len(text))


class _Places:
    """The sentences of one chunk, with their terms."""

    def __init__(self, chunk: Chunk, language: str) -> None:
        self.chunk = chunk
        self.sentences = [
            (start, end, frozenset(terms(chunk.text[start:end], language))) for start, end in spans(chunk.text)
        ] or [(0, len(chunk.text), frozenset())]

    def best(self, said: frozenset[str], asked: frozenset[str]) -> tuple[float, float, int, int]:
        """The shares of what is said and of what is asked that its likest sentence holds, and where that begins and ends."""
        rated = [(_share(said, held), _share(asked, held), start, end) for start, end, held in self.sentences]
        return max(rated, key=lambda place: (place[0] + place[1] / 4, -place[2]))


def _citations(
    said: frozenset[str], asked: frozenset[str], named: Sequence[int], places: Sequence[_Places]
) -> tuple[Citation, ...]:
    """Those that the model named; ours where it named none that shares a word, and another shares enough."""
    best = [each.best(said, asked) for each in places]
    own = [_citation(number, places, best) for number in named]
    if any(each.share for each in own) or not places:
        return tuple(own)
    likest = max(range(len(places)), key=lambda at: (best[at][0] + best[at][1] / 4, -at))
    if best[likest][0] < ATTRIBUTED:
        return tuple(own)
    return (_citation(likest + 1, places, best, by_words=True),)


def _citation(
    number: int, places: Sequence[_Places], best: Sequence[tuple[float, float, int, int]], *, by_words: bool = False
) -> Citation:
    chunk, (share, _, start, end) = places[number - 1].chunk, best[number - 1]
    return Citation(number, chunk, chunk.start + start, chunk.start + end, chunk.text[start:end], share, by_words,
                    page_at(chunk, chunk.start + start))  # fmt: skip


def page_at(chunk: Chunk, place: int) -> int | None:
    """The page of a place within a chunk, given in characters of the document's text."""
    return None if chunk.page is None else chunk.page + bisect_right(chunk.overleaf, place)


def _share(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def _numbers(mark: str, count: int) -> Iterator[int]:
    """The numbers of a mark; of a range that goes beyond the `count` sources only its own last number is named there."""
    for found in _RANGE.finditer(mark):
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            yield from (first, last)
        yield from range(first, min(last, count) + 1)
        if last > max(first - 1, count):
            yield last


def _seen(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if piece.strip():
        yield start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
