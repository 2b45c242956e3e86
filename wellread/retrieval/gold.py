"""A file of questions in, gold questions out: JSON lines of wellread's own, or a file as SQuAD has them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wellread.errors import CorpusError, first_line
from wellread.retrieval.keywords import language_of, language_of_all
from wellread.types import Document, GoldPassage, GoldQuestion

FIELDS = ("id", "question", "answers", "passages", "near_miss", "language")


def read_gold(path: Path) -> list[GoldQuestion]:
    """The questions of a file: of a `.json` file as SQuAD has them, of any other one a line.

    A line is `{"id", "question", "answers": [...], "passages": [{"quote", "source", "section"}], "near_miss", "language"}`;
    only the question must be there. Without an id its number in the file is one, without a language its own words tell it, or
    those of the whole file. Raises CorpusError, which names file and line.
    """
    if path.suffix.lower() == ".json":
        return read_squad(path)[1]
    rows = list(_rows(path, _text(path)))
    usual = language_of_all([str(row.get("question", "")) for _, row in rows if isinstance(row, dict)]) or "en"
    questions = [_question(row, f"{path.name}, line {number}", str(number), usual) for number, row in rows]
    if not questions:
        raise CorpusError(f"{path.name}: no question in it; give one JSON object a line.")
    seen: dict[str, int] = {}
    for number, question in enumerate(questions, 1):
        if question.id in seen:
            raise CorpusError(
                f"{path.name}: questions {seen[question.id]} and {number} have the same id {question.id!r}; "
                "give every question its own."
            )
        seen[question.id] = number
    return questions


def read_squad(path: Path) -> tuple[list[Document], list[GoldQuestion]]:
    """The paragraphs of a SQuAD-style file, as documents, and its questions, each with its paragraph as gold passage: in a section
    of the article's title, and of no named source, since files that hold the articles are rarely called so.

    SQuAD 1.1, 2.0 (a question that is impossible has no answers and no passages, and is a near miss) and XQuAD. Raises
    CorpusError where the file is not of this form.
    """
    try:
        read = json.loads(_text(path))
        documents: list[Document] = []
        questions: list[GoldQuestion] = []
        for article in read["data"]:
            title = str(article.get("title") or path.stem)
            for number, paragraph in enumerate(article["paragraphs"], 1):
                document = Document(f"{title}#{number}", paragraph["context"], source=title)
                documents.append(document)
                questions += [_asked(row, document) for row in paragraph["qas"]]
    except json.JSONDecodeError as error:
        raise CorpusError(f"{path.name}: not JSON ({first_line(error)}).") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"{path.name}: not as SQuAD has it ({type(error).__name__}: {first_line(error)}); expected "
            '{"data": [{"title", "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text"}]}]}]}]}; '
            "questions of your own go one a line into a file that ends in .jsonl."
        ) from None
    return documents, questions


def _asked(row: Mapping[str, Any], document: Document) -> GoldQuestion:
    answers = tuple(dict.fromkeys(str(answer["text"]) for answer in row.get("answers", ())))
    impossible = bool(row.get("is_impossible"))
    return GoldQuestion(
        str(row["id"]),
        str(row["question"]),
        () if impossible else answers,
        () if impossible else (GoldPassage(document.text, section=document.source),),
        near_miss=impossible,
        language=language_of(document.text, "en"),
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CorpusError(f"{path.name}: not UTF-8; questions are text, one JSON object a line.") from None
    except OSError as error:
        raise CorpusError(f"{path}: questions cannot be read: {error.strerror or first_line(error)}.") from None


def _rows(path: Path, text: str) -> Iterator[tuple[int, Any]]:
    # by line feed alone: a question may hold other characters that end lines
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise CorpusError(f"{path.name}, line {number}: not JSON ({first_line(error)}).") from None


def _question(row: Any, place: str, number: str, usual: str) -> GoldQuestion:
    if not isinstance(row, dict):
        raise CorpusError(f"{place}: a question is a JSON object, found {type(row).__name__}.")
    if odd := sorted(set(row) - set(FIELDS)):
        raise CorpusError(f"{place}: unknown {odd[0]!r}; a question has {', '.join(FIELDS)}.")
    if not isinstance(row.get("question"), str) or not row["question"].strip():
        raise CorpusError(f"{place}: `question` is missing or no text.")
    answers, passages = row.get("answers") or [], row.get("passages") or []
    if not isinstance(answers, list) or not all(isinstance(each, str) and each.strip() for each in answers):
        raise CorpusError(
            f"{place}: `answers` is a list of texts, found {json.dumps(answers, ensure_ascii=False)[:60]}."
        )
    if not isinstance(passages, list):
        raise CorpusError(f"{place}: `passages` is a list, found {type(passages).__name__}.")
    near_miss = row.get("near_miss", False)
    language = row["language"] if "language" in row else language_of(row["question"], usual)
    if not isinstance(near_miss, bool):
        raise CorpusError(f"{place}: `near_miss` is true or false, found {near_miss!r}.")
    if near_miss and (answers or passages):
        raise CorpusError(f"{place}: a near miss is not answered by the documents; leave out its answers and passages.")
    if not isinstance(language, str):
        raise CorpusError(f"{place}: `language` is a tag like `en`, found {language!r}.")
    return GoldQuestion(
        str(row.get("id") or number),
        row["question"],
        tuple(answers),
        tuple(_passage(each, place) for each in passages),
        near_miss,
        language,
    )


def _passage(row: Any, place: str) -> GoldPassage:
    told = isinstance(row, dict) and not set(row) - {"quote", "source", "section"}
    if not told or not all(isinstance(value, str) for value in row.values()) or not row.get("quote", "").strip():
        raise CorpusError(
            f"{place}: a passage has `quote`, the exact words, and may have `source` and `section`, "
            f"found {json.dumps(row, ensure_ascii=False)[:60]}."
        )
    return GoldPassage(row["quote"], row.get("source", ""), row.get("section", ""))
