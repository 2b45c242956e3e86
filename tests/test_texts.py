"""Libraries named in a recipe are looked at before anything long begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread.errors import CorpusError, UsageError
from wellread.gathering import Watch
from wellread.pipeline import run
from wellread.recipe import Recipe, load_recipe, parse_recipe
from wellread.texts import keep_apart, library_path, shards, unnamed

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


@pytest.mark.parametrize("beside", ["mix", "random_windows"])
def test_what_is_held_out_and_what_forgetting_is_measured_by_is_not_read_under_another_name(tmp_path, beside):
    """A folder that holds a copy of the text, or of the general text, is refused before anything is read; another text is not."""
    shelf, book, general = tmp_path / "shelf", tmp_path / "book.txt", tmp_path / "general.txt"
    shelf.mkdir()
    book.write_text("The harbour lay in fog. " * 50, encoding="utf-8")
    general.write_text("Trains left on the hour. " * 50, encoding="utf-8")
    (shelf / "another.txt").write_text("Nobody went to sea that day. " * 50, encoding="utf-8")
    library = f"random_windows: {{texts: ['{shelf}'], n: 100}}" if beside == "random_windows" else ""
    replay = f"mix: {{share: 0.2, texts: ['{shelf}']}}" if beside == "mix" else ""
    recipe = parse_recipe(
        f"name: any\nbase: embedded\ngeneral: ['{general}']\nstages:\n"
        f"  - {{name: one, method: {{kind: lora}}, budget: {{steps: 2}}, {library}{replay}}}\n"
    )
    keep_apart(recipe, [book])
    for copied, why in ((book, "is the text itself"), (general, "forgetting is measured by")):
        copy = shelf / "copy.txt"
        copy.write_bytes(copied.read_bytes())
        with pytest.raises(UsageError, match=f"stage one reads .*copy.txt too, which {why}"):
            keep_apart(recipe, [book])
        copy.unlink()
