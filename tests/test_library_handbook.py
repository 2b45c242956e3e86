"""The handbook and the questions about it and about the French tale: counted, and every quote found in its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from wellread.corpus.cleaning import clean
from wellread.corpus.reading import load
from wellread.texts import library_text
from wellread.types import Document

GOLD = [("handbook_questions.jsonl", "handbook.md"), ("conte_questions.jsonl", "conte.md")]
TOO_COMMON = frozenset(re.findall(r"\w+", """
a an and at for from in of on the to which with what does how many much that
aux des de du la le les l un une
"""))  # fmt: skip


def flat(text: str) -> str:
    return " ".join(text.split())


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def documents(name: str) -> list[Document]:
    return clean(load([library_text(name)], strict=True)[0])[0]


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in library_text(name).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def handbook() -> list[Document]:
    return documents("handbook.md")


def test_the_handbook_is_as_long_as_a_handbook_and_has_tables_and_lists(handbook: list[Document]) -> None:
    source = library_text("handbook.md").read_text(encoding="utf-8")
    assert len(words(source)) > 8500
    assert len(re.findall(r"^\|[-|]+\|$", source, re.M)) >= 15
    assert len(re.findall(r"^(?:-|\d+\.) ", source, re.M)) >= 40
    sections = [document.section for document in handbook]
    assert len(sections) == len(set(sections)) > 100
    sentences = Counter(s for s in re.split(r"(?<=[.:;])\s+", re.sub(r"^\|.*", "", source, flags=re.M)) if len(s) > 30)
    assert [sentence for sentence, count in sentences.items() if count > 1] == []


def test_a_section_refers_only_to_sections_that_exist(handbook: list[Document]) -> None:
    source = library_text("handbook.md").read_text(encoding="utf-8")
    numbers = {document.section.split()[0] for document in handbook}
    referred = re.findall(r"\(?section (\d+\.\d+)", source) + re.findall(r"\| (\d+\.\d) \|$", source, re.M)
    assert len(referred) > 30
    assert set(referred) <= numbers


@pytest.mark.parametrize(("name", "source"), GOLD)
def test_every_quote_stands_once_in_its_text_under_the_section_named(name: str, source: str) -> None:
    texts = {document.section: flat(document.text) for document in documents(source)}
    for row in rows(name):
        for passage in row["passages"]:
            assert set(passage) == {"quote", "source", "section"}
            assert passage["source"] == source
            counts = {
                section: text.count(passage["quote"]) for section, text in texts.items() if passage["quote"] in text
            }
            assert counts == {passage["section"]: 1}, row["id"]


@pytest.mark.parametrize(("name", "source"), GOLD)
def test_answers_are_short_and_mostly_in_the_words_of_their_quotes(name: str, source: str) -> None:
    loose = []
    for row in rows(name):
        assert bool(row["answers"]) == bool(row["passages"])
        assert all(1 <= len(words(answer)) <= 8 for answer in row["answers"]), row["id"]
        said = set(words(" ".join(passage["quote"] for passage in row["passages"])))
        if row["answers"] and not any(set(words(answer)) - TOO_COMMON <= said for answer in row["answers"]):
            loose.append(row["id"])
            assert all(len(words(answer)) <= 4 for answer in row["answers"]), row["id"]
    assert len(loose) <= 4  # a no, a son père for mon père, a sum


@pytest.mark.parametrize(("name", "source"), GOLD)
def test_no_id_and_no_question_comes_twice(name: str, source: str) -> None:
    found = rows(name)
    assert all(set(row) == {"id", "question", "answers", "passages", "near_miss", "language"} for row in found)
    assert len({row["id"] for row in found}) == len(found)
    assert len({" ".join(words(row["question"])) for row in found}) == len(found)
    assert {row["language"] for row in found} == {"fr" if source == "conte.md" else "en"}
    assert all(row["question"].endswith("?") or row["question"].startswith("Give ") for row in found)


def test_there_are_enough_of_each_kind() -> None:
    english, french = (rows(name) for name, _ in GOLD)
    assert sum(bool(row["answers"]) for row in english) >= 160
    assert sum(len(row["passages"]) == 2 for row in english) >= 20
    assert sum(not row["answers"] for row in english) >= 60
    assert sum(row["near_miss"] for row in english) >= 30
    assert len(french) >= 30
    assert sum(not row["answers"] for row in french) >= 8
    assert not any(row["near_miss"] and row["answers"] for row in (*english, *french))


def test_every_part_of_the_handbook_is_asked_about(handbook: list[Document]) -> None:
    asked = {passage["section"] for row in rows("handbook_questions.jsonl") for passage in row["passages"]}
    # a chapter's own heading has no text below it
    silent = {document.section for document in handbook if flat(document.text) == document.section}
    unasked = {document.section for document in handbook} - asked - silent
    assert unasked <= {"The Winter Way: A Handbook for Its Staff"}


@pytest.mark.parametrize(("name", "source"), GOLD)
def test_near_misses_are_in_the_texts_own_words(name: str, source: str) -> None:
    told = {word for document in documents(source) for word in words(document.text)}
    for row in rows(name):
        own = [word for word in words(row["question"]) if len(word) > 3 and word not in TOO_COMMON]
        if row["near_miss"]:
            assert sum(word in told for word in own) >= 0.6 * len(own), row["question"]


@pytest.mark.parametrize("form", ["pdf", "docx"])
def test_the_other_forms_hold_every_heading_cell_and_quote(form: str, handbook: list[Document]) -> None:
    path = library_text(f"handbook.{form}")
    assert path.stat().st_size < 300_000
    found = documents(path.name)
    if form == "docx":
        assert [document.section for document in found] == [document.section for document in handbook]
    else:
        assert found[0].metadata["pages"] >= 15
    told = flat(" ".join(document.text for document in found))
    place = 0
    for document in handbook:
        place = told.index(document.section, place)  # in their order
    for cell in cells(library_text("handbook.md")):
        assert cell in told, cell
    for row in rows("handbook_questions.jsonl"):
        for passage in row["passages"]:
            assert passage["quote"] in told, passage
    # word for word, but for the marks of lists and the head of a table that goes on overleaf
    here, there = (Counter(words(text)) for text in (" ".join(d.text for d in handbook), told))
    assert not here - there
    heads = set(
        words(" ".join(re.findall(r"^(\|.+)\n\|-", library_text("handbook.md").read_text(encoding="utf-8"), re.M)))
    )
    assert all(word.isdigit() or word in heads for word in there - here)


def cells(path: Path) -> list[str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [cell.strip().replace("*", "") for line in lines for cell in line.strip("|").split("|") if cell.strip()]


def test_the_other_forms_are_made_from_this_markdown(tmp_path: Path) -> None:
    pytest.importorskip("reportlab")
    pytest.importorskip("docx")
    import runpy

    formats = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "handbook_formats.py"))
    parts = list(formats["read"](library_text("handbook.md").read_text(encoding="utf-8")))
    made = tmp_path / "handbook.docx"
    made.write_bytes(formats["docx"](parts))
    again = load([made], strict=True)[0]
    shipped = load([library_text("handbook.docx")], strict=True)[0]
    assert [document.text for document in again] == [document.text for document in shipped]
