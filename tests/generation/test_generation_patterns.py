"""The baseline of regular expressions."""

from __future__ import annotations

import pytest

from wellread.generation.patterns import find
from wellread.recipe import load_recipe
from wellread.recipe.extraction import Patterns

SONGS = Patterns(
    find=(r"song (?P<song>\w+),? lines? (?P<from>\w+)(?: to (?P<to>\w+))?", r"\b(?P<song>[ivx]+),? (?P<from>\d+)", r"song (?P<song>\w+)"),
    words={"five": 5, "three": 3}, same={"to": "from"}, defaults={"from": 1, "to": -1},
)  # fmt: skip


def test_values_are_digits_roman_numerals_or_words_and_missing_ones_are_filled() -> None:
    text = "Song Five, lines three to 5; XI, 6; then Song V. Again XI, 6. A song of nothing."
    assert find(text, SONGS) == [
        {"from": 3, "to": 5, "song": 5}, {"from": 6, "to": 6, "song": 11}, {"from": 1, "to": -1, "song": 5},
    ]  # fmt: skip


def test_an_earlier_pattern_takes_the_text_from_a_later_one() -> None:
    assert find("Song V, line 3", SONGS) == [{"from": 3, "to": 3, "song": 5}]


def test_paths_open_into_objects() -> None:
    patterns = Patterns(
        find=(r"(?P<start__book>genesis|exodus) (?P<start__chapter>\d+)",), words={"Genesis": "Gen", "Exodus": "Exod"},
        same={"end.book": "start.book", "end.chapter": "start.chapter"}, defaults={"start.verse": None, "end.verse": None},
    )  # fmt: skip
    place = {"book": "Gen", "chapter": 3, "verse": None}
    assert find("See Genesis 3", patterns) == [{"start": place, "end": place}]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("quoted XI, 6 at whoever", [(11, 6, 6)]),
        ("lines three to five of the fifth Song", [(5, 3, 5)]),
        ("the sixth line of the eleventh Song", [(11, 6, 6)]),
        ("Song XII, line 2; it stands", [(12, 2, 2)]),
        ("the eighth Song, lines 5 to 8", [(8, 5, 8)]),
        ("V 6–7 are sung", [(5, 6, 7)]),
        ("the whole of the ninth Song", [(9, 1, -1)]),
        ("nothing at Post 52 in Winter 143", []),
    ],
)
def test_the_patterns_of_the_shipped_recipe(text: str, found: list[tuple[int, int, int]]) -> None:
    extract = load_recipe("references").extract
    assert extract is not None
    assert [(item["song"], item["from"], item["to"]) for item in find(text, extract.patterns)] == found
