"""The verse cycle and the labelled passages about it: counted, and every label checked twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from wellread.canon.reading import Canon
from wellread.canon.references import of_answer
from wellread.canon.resolving import resolve
from wellread.corpus.labelled import Row, read_rows
from wellread.numerals import number
from wellread.recipe import Recipe, load_recipe
from wellread.resolving import open_canon
from wellread.texts import library_text, text_paths

ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
            "eleventh", "twelfth", "thirteenth", "fourteenth"]  # fmt: skip
CARDINALS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
             "eleven", "twelve", "thirteen", "fourteen"]  # fmt: skip
FRENCH = {"deux premiers": 2, "cinquième": 5}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("references")


@pytest.fixture(scope="module")
def canon(recipe: Recipe) -> Canon:
    assert recipe.extract is not None
    assert recipe.extract.canon is not None
    return open_canon(recipe.extract.canon)


@pytest.fixture(scope="module")
def rows(recipe: Recipe) -> list[Row]:
    assert recipe.extract is not None
    return read_rows(text_paths(recipe, ()), recipe.extract)


def numbers(text: str) -> set[int]:
    """Every number that a text says in digits, Roman capitals or words."""
    found = set()
    for word in re.findall(r"[A-Za-zÀ-ÿ]+|\d+", text):
        value = number(word) if word.isdigit() or word.isupper() else None
        low = word.lower()
        found |= {value} if value else set()
        found |= {CARDINALS.index(low) + 1} if low in CARDINALS else set()
        found |= {ORDINALS.index(low) + 1} if low in ORDINALS else set()
    return found | {value for phrase, value in FRENCH.items() if phrase in text}


def test_there_are_fourteen_songs_and_the_lines_that_the_novella_fixes(canon: Canon) -> None:
    assert canon.below(()) == list(range(1, 15))
    assert all(canon.below((song,)) == list(range(1, len(canon.below((song,))) + 1)) for song in canon.below(()))
    lines = {line.at: line.text for line in canon.lines}
    assert lines[2, 4] == "Count your posts and argue with no gull."
    assert lines[11, 6] == "The ice talks most when it means to stay."
    assert lines[14, 12] == "what you carry you will set down."
    assert (14, 13) not in lines
    assert len(canon.below((5,))) == 9
    removed = " ".join(lines[5, line] for line in (3, 4, 5, 8, 9)).lower()
    assert len(re.findall(r"\w+", removed)) == 21  # what Yelloway cut
    assert len(re.findall("slow", removed)) == 5
    assert len(re.findall("again", removed)) == 8


def test_there_are_enough_passages_and_forty_of_them_are_blind(rows: list[Row]) -> None:
    assert len(rows) >= 190
    assert sum(row.blind for row in rows) == 40
    assert len({row.group for row in rows if not row.blind}) >= 110
    assert max(Counter(row.group for row in rows).values()) <= 4
    assert len({" ".join(row.text.split()).casefold() for row in rows}) == len(rows)
    for part in (True, False):
        empty = [not row.gold for row in rows if row.blind is part]
        assert 0.15 < sum(empty) / len(empty) < 0.35
    everything = " ".join(row.text for row in rows)
    for manner in ("ibid.", " f.", "last two lines", "Chant", "lines", "ll.", "the whole of", "Georgics", "canto"):
        assert manner in everything, manner


def test_every_label_names_lines_that_exist(rows: list[Row], canon: Canon, recipe: Recipe) -> None:
    assert recipe.extract is not None
    for row in rows:
        for found in resolve(canon, of_answer(row.gold, recipe.extract.coordinates)):
            assert found.lines, row.text
            assert not found.missing, (row.text, found.missing)


def test_every_label_is_what_its_text_says(rows: list[Row]) -> None:
    for row in rows:
        said = numbers(row.text)
        for gold in row.gold:
            assert gold["song"] in said, row.text
            assert all(explained(line, gold, row.text, said) for line in (gold["from"], gold["to"])), (row.text, gold)


def explained(line: int, gold: dict[str, Any], text: str, said: set[int]) -> bool:
    low = text.lower()
    whole = (gold["from"], gold["to"]) == (1, -1)
    return (
        line in said
        or (line < 0 and bool(re.search(r"\blast\b|\bend\b", low)))
        or whole
        or (line == 1 and bool(re.search(r"first \w+ lines|deux premiers", low)))
        or (line == gold["from"] + 1 and " f." in low)
        or (line == gold["from"] + 3 and "four lines" in low)
    )


def test_variants_of_a_passage_have_the_same_lines(rows: list[Row], canon: Canon, recipe: Recipe) -> None:
    assert recipe.extract is not None
    lines: dict[str, set[tuple[tuple[int | str, ...], ...]]] = {}
    for row in rows:
        resolved = resolve(canon, of_answer(row.gold, recipe.extract.coordinates))
        lines.setdefault(row.group, set()).add(tuple(sorted({line.at for each in resolved for line in each.lines})))
    assert {group: several for group, several in lines.items() if len(several) > 1} == {}


def test_the_rows_have_the_four_keys_and_no_other() -> None:
    for line in library_text("commentary.jsonl").read_text(encoding="utf-8").splitlines():
        assert set(json.loads(line)) == {"text", "references", "group", "blind"}
