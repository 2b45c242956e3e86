"""Whether answers cite the passages that answer, and whether these passages are cited."""

from __future__ import annotations

from wellread.matching import words
from wellread.metrics.replies import Scored, answerable, replies_row
from wellread.types import Chunk, Evidence, GoldPassage, Measurement, Reply

NO_SOURCES = "nothing is retrieved for it: it has no source to cite"
NOTHING_CITED = "it cites nothing"


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
    return replies_row(evidence, name, replies, score, note=NOTHING_CITED if _silent(replies) else "")


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
    """Whether a chunk holds at least half of a passage's words in a row, however they are spelt and spaced."""
    quote = [word for word, _, _ in words(passage.quote)]
    text = [word for word, _, _ in words(chunk.text)]
    size = max(1, -(-len(quote) // 2)) if quote else 0
    wanted = {tuple(quote[at : at + size]) for at in range(len(quote) - size + 1)} if size else set()
    return any(tuple(text[at : at + size]) in wanted for at in range(len(text) - size + 1))
