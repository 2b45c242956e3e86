"""Libraries named in a recipe are looked at before anything long begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread.errors import CorpusError
from wellread.gathering import Watch
from wellread.pipeline import run
from wellread.recipe import Recipe, load_recipe, parse_recipe
from wellread.texts import library_path, shards, unnamed

RECIPE = """
name: far
base: embedded
stages:
  - name: acculturate
    method: {kind: lora}
    random_windows: {texts: ["%s"], n: 100}
    windows: {length: 64}
    budget: {epochs: 1}
"""


def reading(library: Path) -> Recipe:
    return parse_recipe(RECIPE % library.as_posix())


def test_a_library_of_books_that_cannot_be_drawn_from_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "book.epub").write_bytes(b"PK")
    with pytest.raises(CorpusError, match="no shards in this folder"):
        shards(reading(tmp_path))
    (tmp_path / "book.txt").write_text("It was late.", encoding="utf-8")
    assert "book.txt 12" in shards(reading(tmp_path))


def test_a_run_that_names_no_text_says_which_embedded_one_it_reads(tmp_path: Path) -> None:
    said: list[str] = []
    recipe = load_recipe("references", ["extract.gold=nowhere"])  # no row has such an answer, which ends it at once
    for texts in ((), (library_path("library:commentary.jsonl"),)):
        with pytest.raises(CorpusError, match="nowhere"):
            run(recipe, texts, out=tmp_path / "run", watch=Watch(say=said.append))
    assert said.count("no text was named: the embedded commentary") == 1
    assert unnamed(load_recipe("glossary"), ()) == "no text was named: the embedded glossary"
    own = parse_recipe(
        "name: x\nbase: b\ncorpus: {texts: [mine.csv]}\nstages: [{name: s, method: {kind: lora}, budget: {epochs: 1}}]"
    )
    assert unnamed(own, ()) == unnamed(load_recipe("glossary"), ["mine.csv"]) == ""
