"""A subject and gold questions in, its replies out: asked alike, kept as rows, and as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from wellread.asking import cut, plain_cell
from wellread.metrics.answer_match import exact, f1, normalised
from wellread.metrics.refusals import refuses
from wellread.recipe.questions import Answering
from wellread.retrieval.citing import cite, without_marks
from wellread.retrieval.prompt import build_prompt, refusal
from wellread.retrieval.prompt import declines as declined
from wellread.retrieval.rag import RetrievalModel
from wellread.storage import read_rows, write_rows, write_text
from wellread.types import Answer, Chunk, GoldQuestion, LanguageModel, Prompt, Question, Reply, Sample, Sampling

TOGETHER = 32_000
"""Tokens that lie before a model at once, about: long prompts are asked in smaller groups."""
COLUMNS = ("subject", "id", "question", "right answers", "near miss", "answer", "refused", "exact", "F1", "sources", "cited",
           "seconds", "tokens")  # fmt: skip


@runtime_checkable
class Counting(Protocol):
    """A model that says how many tokens a prompt takes."""

    def count(self, prompt: Prompt) -> int: ...


def replies(
    model: LanguageModel, questions: Sequence[GoldQuestion], settings: Answering, *,
    prompts: Sequence[Prompt] | None = None, at_once: int | None = None,
) -> list[Reply]:  # fmt: skip
    """What a model says to each question, asked alone, greedily, up to the first stop.

    `prompts` stand in the place of the questions themselves; `at_once` is how many are asked together. Questions that
    were asked together share the time evenly.
    """
    asked = prompts or [[{"role": "user", "content": each.question}] for each in questions]
    sampling = Sampling(max_tokens=settings.max_tokens, temperature=0.0, top_p=1.0)
    size = at_once or max(1, len(asked))
    samples: list[tuple[Sample, float]] = []
    for start in range(0, len(asked), size):
        group = asked[start : start + size]
        begun = time.perf_counter()
        said = model.generate(group, sampling)
        seconds = (time.perf_counter() - begun) / len(group)
        samples += [(sample, seconds) for sample in said]
    retrieves = isinstance(model, RetrievalModel) or any(sample.sources for sample, _ in samples)
    return [
        _reply(model, question, sample, seconds, settings, None if prompts is None else prompt, retrieves)
        for question, prompt, (sample, seconds) in zip(questions, asked, samples, strict=True)
    ]


def _reply(
    model: LanguageModel, question: GoldQuestion, sample: Sample, seconds: float, settings: Answering,
    prompt: Prompt | None, retrieves: bool,
) -> Reply:  # fmt: skip
    text = cut(sample.completion, settings.stops)
    ended = "stop" if text != sample.completion.lstrip() else sample.finish
    text = text.strip()
    cited = (
        cite(text, sample.sources, question=question.question, language=question.language) if sample.sources else None
    )
    read, written = _tokens(model, question, sample, prompt)
    plain = without_marks(text).strip()
    right = bool(plain) and exact(plain, question.answers, question.language)  # "none" may be what is right
    return Reply(
        question, plain, declines(text) and not right, sample.sources if retrieves else None,
        tuple(dict.fromkeys(each.chunk for each in cited.citations)) if cited else (),
        max((chunk.score for chunk in sample.sources), default=None), seconds, read, written, ended == "length",
    )  # fmt: skip


def _tokens(model: LanguageModel, question: GoldQuestion, sample: Sample, prompt: Prompt | None) -> tuple[int, int]:
    """Tokens of what was laid before the model, and of what it said: as a server counted them, or the model does; nothing for
    one that does not."""
    if sample.tokens_read or sample.tokens_written:
        return sample.tokens_read, sample.tokens_written
    if not isinstance(model, Counting):
        return 0, 0
    if prompt is None:
        said: Prompt = [{"role": "user", "content": question.question}]
        if sample.sources:
            laid = build_prompt(question.question, sample.sources, count=len, budget=10**9, language=question.language)
            said = laid.messages
        prompt = said
    return model.count(prompt), max(0, model.count(sample.completion) - model.count(""))


def declines(text: str) -> bool:
    """Whether an answer says that it cannot tell: in the words it was told to say so, in others that refuse, or not at all."""
    return not normalised(text) or declined(text) or refuses(text)


def below(found: Sequence[Reply], refused: Sequence[bool]) -> list[Reply]:
    """The replies, of which those that are `refused` were not let answer."""
    return [replace(reply, refused=reply.refused or no) for reply, no in zip(found, refused, strict=True)]


def as_answers(found: Sequence[Reply]) -> list[Answer]:
    """The replies to answerable questions, as embedders, cross-encoders and judges read answers."""
    return [
        Answer(Question(each.question.id, each.question.question, each.question.answers, "forward", each.question.id),
               refusal(each.question.language) if each.refused else each.text, "held_out", "length" if each.cut else "stop")
        for each in found if each.question.answers
    ]  # fmt: skip


def write_replies(path: Path, found: Sequence[Reply]) -> None:
    """Keep a subject's replies, one a line; questions by their ids."""
    write_rows(path, ({**asdict(each), "question": each.question.id} for each in found))


def read_replies(path: Path, questions: Sequence[GoldQuestion]) -> list[Reply]:
    by_id = {question.id: question for question in questions}
    return [_of_row(row, by_id) for row in read_rows(path)]


def _of_row(row: Mapping[str, Any], by_id: Mapping[str, GoldQuestion]) -> Reply:
    sources = None if row["sources"] is None else _chunks(row["sources"])
    return Reply(**{**row, "question": by_id[row["question"]], "sources": sources, "cited": _chunks(row["cited"])})


def _chunks(rows: Sequence[Mapping[str, Any]]) -> tuple[Chunk, ...]:
    return tuple(Chunk(**{**row, "overleaf": tuple(row.get("overleaf", ()))}) for row in rows)


def write_replies_table(path: Path, by_subject: Mapping[str, Sequence[Reply]]) -> None:
    """Every subject's replies as CSV that a spreadsheet opens as it stands, question by question."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for several in zip(*by_subject.values(), strict=True):
        for subject, reply in zip(by_subject, several, strict=True):
            table.writerow([plain_cell(cell) for cell in _cells(subject, reply)])
    write_text(path, "\ufeff" + text.getvalue())


def _cells(subject: str, reply: Reply) -> list[str]:
    question, asks = reply.question, bool(reply.question.answers)
    right = exact(reply.text, question.answers, question.language) if not reply.refused else 0.0
    near = f1(reply.text, question.answers, question.language) if not reply.refused else 0.0
    return [
        subject, question.id, question.question, " / ".join(question.answers), "yes" if question.near_miss else "no",
        reply.text, "yes" if reply.refused else "no", ("yes" if right else "no") if asks else "", f"{near:.2f}" if asks else "",
        "; ".join(map(_place, reply.sources or ())), "; ".join(map(_place, reply.cited)), f"{reply.seconds:.2f}",
        str(reply.read + reply.written),
    ]  # fmt: skip


def _place(chunk: Chunk) -> str:
    parts = (chunk.source or chunk.document, chunk.section, f"page {chunk.page}" if chunk.page else "")
    return ", ".join(filter(None, parts))
