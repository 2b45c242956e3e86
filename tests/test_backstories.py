"""The recipe `backstories`: rows that are what they are called, and, in small, samples for characters that were held out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wellread import pipeline
from wellread.gathering import opening_lines
from wellread.recipe import load_recipe
from wellread.storage import read_rows
from wellread.testing import tiny_model
from wellread.texts import library_text
from wellread.types import Corpus, Document

ROWS = [json.loads(line) for line in library_text("backstories").read_text(encoding="utf-8").splitlines()]


def test_every_row_is_a_character_and_sixty_to_a_hundred_and_twenty_words_about_them() -> None:
    names = [row["prompt"].removeprefix("Write the backstory of ").split(",")[0] for row in ROWS]
    assert len(set(names)) == len(ROWS) >= 40
    for name, row in zip(names, ROWS, strict=True):
        assert 60 <= len(row["completion"].split()) <= 120
        assert row["completion"].startswith(name)
        assert row["completion"].endswith(".")
        assert row["prompt"].count(";") == 1


def test_the_recipe_in_small_writes_about_characters_that_did_not_train(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base", [row["completion"] for row in ROWS], vocabulary=600, positions=300)
    smaller = [
        "backstories.steps=2",
        "backstories.evaluations=1",
        "sampling.max_tokens=8",
        "measure.metrics=[bits_per_byte]",
    ]
    recipe = load_recipe("backstories", [f"base={base}", *smaller])
    this = pipeline.run(recipe, out=tmp_path / "run")
    split = json.loads((this.corpus / "split.json").read_text(encoding="utf-8"))
    held_out = {ROWS[int(name.rpartition("-")[2]) - 1]["prompt"] for name in split["held_out"]}
    prompts = [row["prompt"].strip() for row in read_rows(this.stage(1, "backstories").samples)]
    assert len(prompts) == 6
    assert set(prompts) <= held_out


@pytest.mark.parametrize("prompts", [(), ("Who is Orm?",)])
def test_examples_are_asked_as_chats_and_books_begun(prompts: tuple[str, ...]) -> None:
    recipe = load_recipe("backstories", [f"sampling.prompts={list(prompts)}"])
    told = [{"role": role, "content": role} for role in ("system", "user", "assistant", "user")]
    chat = Document("c", "system user assistant", metadata={"kind": "example", "messages": told})
    book = Document("b", "It was late and nobody came.")
    lines = [
        opening_lines(recipe, Corpus((each,), {"validation": (each.id,), "held_out": (each.id,)}))
        for each in (chat, book)
    ]
    if prompts:
        assert lines == [[[{"role": "user", "content": "Who is Orm?"}]], ["Who is Orm?"]]
    else:
        assert lines == [[told[:2]], ["It was late and nobody came."]]
