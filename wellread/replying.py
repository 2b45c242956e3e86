"""`wellread ask`: a question and a model in, what it answers out, with the words of the sources that it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from wellread.retrieval.citing import Cited, cite
from wellread.retrieval.prompt import declines
from wellread.retrieval.rag import Looked, RetrievalModel
from wellread.types import Chunk, LanguageModel, Message, Sample, Sampling


@dataclass(frozen=True, slots=True)
class Told:
    """One answer to one question."""

    question: str
    sample: Sample
    cited: Cited
    refused: str = ""
    """Who says that the sources do not: `retrieval`, by what was found, or `model`; empty where it is answered."""
    nearest: tuple[Chunk, ...] = ()
    """Of a question that was refused beforehand, what was found nonetheless, the best first."""
    note: str = ""
    looked: Looked | None = None
    """What was found, and by which signs it was judged; None without retrieval."""

    def as_json(self) -> dict[str, Any]:
        """A row for `--json`: offsets of sentences count in `answer`, those of citations in the document's text."""
        looked = self.looked
        return {
            "question": self.question,
            "answer": self.sample.completion.strip(),
            "refused": bool(self.refused),
            "refused_by": self.refused or None,
            "sentences": [
                {"text": each.text, "start": each.start, "end": each.end, "citations": [_cited(c) for c in each.citations]}
                for each in self.cited.sentences
            ],
            "unknown_numbers": list(self.cited.unknown),
            "sources": [{"number": number, **asdict(chunk)} for number, chunk in enumerate(self.sample.sources, 1)],
            "nearest": [asdict(chunk) for chunk in self.nearest],
            "score": None if looked is None else looked.score,
            "signs": None if looked is None or looked.signs is None else asdict(looked.signs),
            "note": self.note,
            "subject": self.sample.subject,
            "finish": self.sample.finish,
            "seed": self.sample.seed,
        }  # fmt: skip


def reply(model: LanguageModel, question: str, sampling: Sampling) -> list[Told]:
    """`sampling.n` answers to one question; a model with retrieval has its sources laid, any other answers by heart."""
    chat: list[Message] = [{"role": "user", "content": question}]
    if not isinstance(model, RetrievalModel):
        return [_told(question, sample, None) for sample in model.generate([chat], sampling)]
    looked = model.look(chat, sampling.max_tokens)
    return [_told(question, sample, looked) for sample in model.write([looked], sampling)]


def _told(question: str, sample: Sample, looked: Looked | None) -> Told:
    answer = sample.completion.strip()
    if looked is None:
        return Told(question, sample, cite(answer, ()))
    if looked.said is not None:
        return Told(question, sample, Cited(answer, ()), "retrieval", looked.found, looked.note, looked)
    if declines(answer):
        return Told(question, sample, Cited(answer, ()), "model", looked.chunks, looked.note, looked)
    return Told(question, sample, cite(answer, sample.sources, question=question), "", (), looked.note, looked)


def numbers(cited: Cited) -> Sequence[int]:
    """The sources that are cited, in the order of their numbers."""
    return sorted({each.number for each in cited.citations})


def _cited(citation: Any) -> dict[str, Any]:
    row = asdict(citation)
    chunk = row.pop("chunk")
    return {**row, **{key: chunk[key] for key in ("document", "source", "section")}}
