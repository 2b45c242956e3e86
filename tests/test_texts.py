"""Libraries named in a recipe are looked at before anything long begins."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread.errors import CorpusError
from wellread.recipe import Recipe, parse_recipe
from wellread.texts import shards

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
