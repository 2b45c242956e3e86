"""A model and questions in, its answers out: asked alike of every subject, kept as rows and as a table, and watched in training."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wellread.errors import ModelError, UsageError
from wellread.facts import Asked, sampled
from wellread.models import open_model
from wellread.recipe import Recipe, Stage
from wellread.recipe.questions import HONEST, Answering
from wellread.retrieval.reranking import open_cross_encoder
from wellread.runs import Stage as StageFolder
from wellread.showing import visible
from wellread.similarity import open_embedder
from wellread.storage import write_rows, write_text
from wellread.types import Answer, Corpus, Evidence, Judge, LanguageModel, Part, Question, Sampling

Keys = Callable[[str], str]
"""The key for the endpoint of that name; empty where none is needed."""
ASKED: tuple[Part, ...] = ("held_out", "validation")
COLUMNS = ("part", "kind", "term", "question", "expected", "answer", "right", "refused", "judge", "cut off", "id")
_FORMULA = tuple("=+-@\t\r\n|＝＋－＠")
"""What a spreadsheet takes for the beginning of a formula, or of a command."""


def no_key(name: str) -> str:
    return ""


def answers(
    model: LanguageModel,
    questions: Sequence[Question],
    settings: Answering,
    *,
    part: Part,
    taught: frozenset[str] | None = None,
) -> list[Answer]:
    """What a model answers to each question, asked alone, greedily, up to the first stop."""
    sampling = Sampling(max_tokens=settings.max_tokens, temperature=0.0, top_p=1.0)
    prompts = [[{"role": "user", "content": each.prompt}] for each in questions]
    found = []
    for question, sample in zip(questions, model.generate(prompts, sampling), strict=True):
        text = cut(sample.completion, settings.stops)
        finish = "stop" if text != sample.completion else sample.finish
        known = taught is None or question.term in taught
        found.append(Answer(question, text.strip(), part, finish, known))
    return found


def cut(text: str, stops: Sequence[str]) -> str:
    """A text before the first of some stops; one that it begins with is passed over, blanks aside."""
    text = text.lstrip()
    for stop in stops:
        text = text.partition(stop)[0]
    return text


def ask(
    gathered: Evidence, model: LanguageModel, asked: Asked, settings: Answering, *, seed: int = 0,
    offline: bool = False, keys: Keys = no_key,
) -> None:  # fmt: skip
    """Have the evidence hold a model's answers, and whoever judges them."""
    said: list[Answer] = []
    for part in ASKED:
        chosen = sampled(asked.parts.get(part, ()), settings.most, seed)
        said += answers(model, chosen, settings, part=part, taught=asked.taught)
    gathered.answers = said
    gathered.asked_of = {part: len(several) for part, several in asked.parts.items()}
    gathered.embedder = open_embedder(settings.embedder, offline=offline)
    gathered.cross_encoder = (
        None if settings.cross_encoder is None else open_cross_encoder(settings.cross_encoder, offline=offline)
    )
    gathered.judge = None if settings.judge is None else open_judge(settings.judge, offline=offline, keys=keys)


def open_judge(name: str, *, offline: bool = False, keys: Keys = no_key) -> Judge:
    """The MODEL of that name as a judge, opened when it is first asked: it raises ModelError then where there is none."""
    from wellread.metrics.judging import ModelJudge

    def opened() -> LanguageModel:
        try:
            return open_model(name, offline=offline, key=keys(name))
        except UsageError as error:
            raise ModelError(str(error)) from None

    return ModelJudge(name, opened)


def write_answers(folder: StageFolder, gathered: Evidence) -> None:
    """Keep a subject's answers beside its measurements, as rows and as a table for spreadsheets."""
    rows = answer_rows(gathered)
    write_rows(folder.answers, rows)
    write_table(folder.table, rows)


def answer_rows(gathered: Evidence) -> list[dict[str, Any]]:
    """Every answer with its question, and what each way of judging says of it; None where one says nothing."""
    from wellread.metrics.recall_exact import exact
    from wellread.metrics.recall_judge import GRADES
    from wellread.metrics.refusals import defines, refuses

    grades = gathered.cache.get((gathered.subject, GRADES), {})
    rows = []
    for each in gathered.answers:
        question, grade = each.question, grades.get(each.question.id)
        recall = question.kind not in ("invented", "outside")
        rows.append({
            **asdict(question), "subject": gathered.subject, "part": each.part, "taught": each.taught, "answer": each.text,
            "finish": each.finish, "exact": exact(each) if recall else None, "refused": refuses(each.text, question.term),
            "defined": defines(each.text, question.term) if question.kind == "invented" else None,
            "judge": None if grade is None else grade.right, "judge_reason": "" if grade is None else grade.reason,
        })  # fmt: skip
    return rows


def write_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Answers as CSV that Excel opens as it stands: UTF-8 with a mark, and no cell that it would take for a formula."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(COLUMNS)
    for row in rows:
        right = row["exact"] if row["defined"] is None else not row["defined"]
        expected = " / ".join(row["expected"]) or "; ".join(row["facts"])
        cells = (row["part"], row["kind"], row["term"], row["prompt"], expected, row["answer"], _mark(right), _mark(row["refused"]),
                 _mark(row["judge"]), _mark(row["finish"] == "length"), row["id"])  # fmt: skip
        table.writerow([plain_cell(cell) for cell in cells])
    write_text(path, "\ufeff" + text.getvalue())


def plain_cell(text: str) -> str:
    """A text that no spreadsheet computes: before what looks like a formula stands an apostrophe. It steers no terminal either."""
    text = visible(text)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _mark(value: bool | float | None) -> str:
    """`yes`, `no`, a share of the key facts, or nothing where nothing was said."""
    if value is None:
        return ""
    return "yes" if value == 1 else "no" if value == 0 else f"{value:.2f}"


def hot_test(recipe: Recipe, stage: Stage, asked: Asked, tokenizer: Any) -> Callable[[Any], Mapping[str, float]] | None:
    """How the model in training answers a few validation questions: its recall, and what became of its honesty.

    Recall goes by `recall_exact`. None where nothing is to be asked.
    """
    settings = recipe.answers
    questions = sampled(asked.parts.get("validation", ()), settings.watched, recipe.seed)
    if not questions:
        return None
    from wellread.generation.hf import TransformersModel
    from wellread.metrics import measure

    names = ("recall_exact", *HONEST)

    def watched(model: Any) -> dict[str, float]:
        opened = TransformersModel(model, tokenizer, stage.name)
        said = answers(opened, questions, settings, part="validation", taught=asked.taught)
        gathered = Evidence(stage.name, Corpus((), {"train": (), "validation": (), "held_out": ()}), answers=said)
        rows = measure(gathered, names)
        return {row.name: row.value for row in rows if row.name in names and row.value is not None}

    return watched
