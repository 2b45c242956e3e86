"""What is taught in a fair fight: items with their passages in view or not, kept, spread, and never a gold question."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fight_fakes import BELL, CELLAR, LAMP, Shelf
from handbook import write_handbook
from typer.testing import CliRunner

from wellread.cli import app
from wellread.corpus.reading import load
from wellread.errors import CorpusError
from wellread.fight.lessons import chats_of, closed_chats, lesson_corpus, open_chats, spread, write_chats, written_items
from wellread.recipe.questions import Fight
from wellread.retrieval.prompt import refusal
from wellread.storage import read_json
from wellread.synthesis.documents import Item
from wellread.types import GoldQuestion


def item(number: int, task: str = "number", quote: str = LAMP.text, short: bool = True) -> Item:
    return Item(task, f"Question {number}?", "14 litres.", "h", "keeper.md", "1 Lamps", quote, short)


def lessons(items: Sequence[Item], shelf: Shelf, **given: Any) -> list[Any]:
    settings = Fight(**{"passages": 2, "without": 0.0, **given})
    return open_chats(items, shelf, settings, count=lambda text: len(text.split()), budget=400, tongue="en", seed=0)


def test_the_passage_that_answers_is_in_view_and_cited_by_its_number() -> None:
    [chat] = lessons([item(1)], Shelf(CELLAR, LAMP))
    asked, answered = chat.metadata["messages"]
    assert asked["content"].index(CELLAR.text) < asked["content"].index(LAMP.text)
    assert asked["content"].rstrip().endswith("Question 1?")
    assert answered["content"] == "14 litres [2]."


def test_a_passage_that_was_not_found_takes_a_place_of_its_own() -> None:
    [chat] = lessons([item(1)], Shelf(CELLAR, BELL))
    asked, answered = (message["content"] for message in chat.metadata["messages"])
    assert LAMP.text in asked
    assert (CELLAR.text in asked) != (BELL.text in asked) or CELLAR.text in asked
    assert answered in ("14 litres [1].", "14 litres [2].")


def test_without_the_passage_the_answer_is_the_refusal() -> None:
    several = lessons([item(number) for number in range(40)], Shelf(LAMP, CELLAR, BELL), without=0.5)
    refusing = [chat for chat in several if chat.metadata["messages"][1]["content"] == refusal("en")]
    assert 10 < len(refusing) < 30
    assert all(LAMP.text not in chat.metadata["messages"][0]["content"] for chat in refusing)
    assert {chat.metadata["task"] for chat in refusing} == {"number-without"}
    assert not [
        chat for chat in lessons([item(1)] * 9, Shelf(LAMP)) if "not say" in chat.metadata["messages"][1]["content"]
    ]


def test_rows_are_bounded_and_spread_over_tasks() -> None:
    items = [*(item(number) for number in range(20)), item(30, "cell"), item(31, "row", short=False)]
    assert len(lessons(items, Shelf(LAMP), rows=7)) == 7
    assert {each.task for each in spread(items, 3, seed=0)} == {"number", "cell", "row"}
    quotes = [item(number, quote=f"quote {number % 4}") for number in range(12)]
    assert {each.quote for each in spread(quotes, 4, seed=1)} == {f"quote {number}" for number in range(4)}


def test_chats_are_kept_and_watched_apart_by_what_they_were_made_of(tmp_path: Path) -> None:
    chats = closed_chats([item(number, quote=f"quote {number % 5}") for number in range(20)])
    assert chats[0].metadata["messages"][1] == {"role": "assistant", "content": "14 litres."}
    write_chats(tmp_path / "closed.jsonl", chats)
    assert chats_of(tmp_path / "closed.jsonl") == chats
    corpus = lesson_corpus(chats, 0.2, seed=0)
    quotes = [{chat.metadata["quote"] for chat in corpus.part(part)} for part in ("train", "validation")]
    assert (len(quotes[0]), len(quotes[1])) == (4, 1)
    with pytest.raises(CorpusError, match="too few"):
        lesson_corpus(chats[:1], 0.2, seed=0)


def test_items_are_written_once_and_never_a_gold_question(tmp_path: Path) -> None:
    text, _ = write_handbook(tmp_path)
    documents, _ = load([text], strict=True)
    gold = [GoldQuestion("g", "What is the price of tallow?")]
    made = written_items(documents, gold, Fight(phrasings=9), tmp_path / "synthesis", seed=0)
    told = read_json(tmp_path / "synthesis" / "synthesis.json")
    assert told["near_gold_questions"]
    assert not set(told["near_gold_questions"]) & {each.question for each in made}
    assert written_items([], gold, Fight(), tmp_path / "synthesis", seed=0) == made
    with pytest.raises(CorpusError, match="writer"):
        written_items(documents, gold, Fight(writer="nobody"), tmp_path / "other", seed=0)


def test_the_verb_turns_documents_into_examples_that_training_reads(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    words = [
        "synthesise",
        str(text),
        "--documents",
        "--questions",
        str(questions),
        "--out",
        str(tmp_path / "out"),
        "--phrasings",
        "2",
    ]
    dry = CliRunner().invoke(app, [*words, "--dry-run", "--json", "--writer", "http://localhost:9/v1#m"])
    assert json.loads(dry.stdout)["calls"] == 4
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    documents, _ = load([tmp_path / "out" / "examples.jsonl"], strict=True)
    assert told["examples"] == len(documents) > 20
    assert all(document.metadata["messages"][1]["role"] == "assistant" for document in documents)
