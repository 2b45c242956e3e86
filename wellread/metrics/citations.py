"""Whether answers cite the passages that answer, and whether these passages are cited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PureWindowsPath

from wellread.matching import words
from wellread.metrics.replies import Scored, answerable, replies_row
from wellread.types import Chunk, Evidence, GoldPassage, GoldQuestion, Measurement, Reply

NO_SOURCES = "nothing is retrieved for it: it has no source to cite"
NOTHING_CITED = "it cites nothing"
STRANGE = "nothing that was found is of a source that the gold questions name, such as {}: check the names"
LEAST = 5
"""So many words of a gold passage in a row, or all that it has, show that a text holds it."""


def citation_precision(evidence: Evidence) -> list[Measurement]:
    """Of all sources that answers to answerable questions cite, the share that holds a gold passage of its question."""
    return [_row(evidence, "citation_precision", _precise)]


def citation_recall(evidence: Evidence) -> list[Measurement]:
    """Of all gold passages of answerable questions, the share that stands in a cited source; a refusal cites none."""
    return [_row(evidence, "citation_recall", _recalled)]


def _row(evidence: Evidence, name: str, score: Scored) -> Measurement:
    replies = answerable(evidence)
    if replies and all(each.sources is None for each in replies):
        return Measurement(name, None, "share", evidence.subject, "held_out", better="higher", note=NO_SOURCES)
    why = NOTHING_CITED if _silent(replies) else strange((each.question, each.sources or ()) for each in replies)
    return replies_row(evidence, name, replies, score, note=why)


def strange(found: Iterable[tuple[GoldQuestion, Sequence[Chunk]]]) -> str:
    """That nothing which was found is of a source that its question names, in words; empty where something is, or nothing was
    found at all."""
    pairs = [(passage, chunk) for question, chunks in found for chunk in chunks for passage in question.passages]
    if not pairs or any(is_of_source(chunk, passage) for passage, chunk in pairs):
        return ""
    return STRANGE.format(pairs[0][0].source)


def _silent(replies: list[Reply]) -> bool:
    return not any(each.cited for each in replies)


def _precise(reply: Reply) -> tuple[float, float]:
    cited = () if reply.refused else reply.cited
    right = sum(any(holds(chunk, passage) for passage in reply.question.passages) for chunk in cited)
    return float(right), float(len(cited))


def _recalled(reply: Reply) -> tuple[float, float]:
    cited = () if reply.refused else reply.cited
    found = sum(any(holds(chunk, passage) for chunk in cited) for passage in reply.question.passages)
    return float(found), float(len(reply.question.passages))


def holds(chunk: Chunk, passage: GoldPassage) -> bool:
    """Whether a chunk holds at least half of a passage's words in a row, however they are spelt and spaced.

    Five words at least, or all of a passage that has fewer: two or three stand in many places. And it is of the source
    that the passage names, see `is_of_source`.
    """
    if not is_of_source(chunk, passage):
        return False
    quote = [word for word, _, _ in words(passage.quote)]
    text = [word for word, _, _ in words(chunk.text)]
    size = max(min(len(quote), LEAST), -(-len(quote) // 2))
    wanted = {tuple(quote[at : at + size]) for at in range(len(quote) - size + 1)} if size else set()
    return any(tuple(text[at : at + size]) in wanted for at in range(len(text) - size + 1))


def is_of_source(chunk: Chunk, passage: GoldPassage) -> bool:
    """Whether a chunk may be of the source that a passage names: the last parts of their paths agree, whatever the format
    (`handbook.md` is the source of what was read from `texts/handbook.pdf`). One that names none may be of any."""
    if not passage.source or not chunk.source:
        return True
    there, named = (_parts(source) for source in (chunk.source, passage.source))
    shared = min(len(there), len(named))
    return there[-shared:] == named[-shared:]


def _parts(source: str) -> tuple[str, ...]:
    """The parts of a path, the last one without its suffix."""
    path = PureWindowsPath(source.casefold())
    return *path.parts[:-1], path.stem
