"""Known surprise has its known shade, at its own word, and recited words are marked where the spans lie."""

from __future__ import annotations

import math

import numpy as np
import pytest

from wellread.reports.surprise import DIGITS, SHADES, STEP, digits, marks, shade, shades, surprise, unit_ends
from wellread.scorefile import Spans, Tokens


def tokens(*pieces: tuple[str, float]) -> Tokens:
    """Pieces of a text, each with its bits."""
    sizes = [len(piece.encode()) for piece, _ in pieces]
    return Tokens(np.cumsum(sizes), np.array([-bits * math.log(2) for _, bits in pieces], np.float32))


def of(*pieces: tuple[str, float]) -> list[float]:
    text = "".join(piece for piece, _ in pieces)
    return [round(bits, 3) for bits in surprise(text, unit_ends(text), tokens(*pieces)).tolist()]


def test_a_words_surprise_is_that_of_all_its_tokens() -> None:
    assert of(("The", 1.5), (" fer", 4), ("ry", 0.25), (" lay", 6), (".", 0.5)) == [1.5, 4.25, 6.5]


def test_blanks_count_with_the_word_after_them_and_at_the_end_with_the_last() -> None:
    assert of(("Chapter", 1), (" 1", 2), ("\n\n", 3), ("Snow", 4), ("\n", 5)) == [1, 2, 12]


def test_a_token_with_blanks_at_its_end_belongs_to_the_word_it_ends() -> None:
    assert of(("done", 2), (".\n\n", 3), ("Then", 1)) == [5, 1]


def test_a_token_over_several_words_counts_with_the_last() -> None:
    assert of(("of the", 3), (" sea", 1)) == [0, 3, 1]


def test_words_are_found_by_bytes_where_letters_take_several() -> None:
    assert unit_ends("l’été où").tolist() == [9, 13]
    assert of(("l’", 1), ("ét", 2), ("é", 3), (" où", 4)) == [6, 4]


def test_a_letter_in_two_tokens_is_one_word_and_ideographs_are_words() -> None:
    text = "雪が降る"
    ends = unit_ends(text)
    assert ends.tolist() == [3, 6, 9, 12]
    split = Tokens(np.array([2, 3, 6, 12]), np.array([-1, -1, -1, -1], np.float32) * np.float32(math.log(2)))
    assert surprise(text, ends, split).round(3).tolist() == [2, 1, 0, 1]


def test_only_words_that_were_scored_whole_have_a_surprise() -> None:
    text = "One two three four"
    assert surprise(text, unit_ends(text), tokens(("One", 1), (" two", 2), (" th", 3))).tolist() == pytest.approx(
        [1, 2]
    )
    assert not len(surprise(text, unit_ends(text), tokens()))
    assert not len(surprise("", unit_ends(""), tokens()))


@pytest.mark.parametrize(
    ("bits", "expected"), [(0, 0), (0.9, 0), (1, 1), (2.9, 1), (3, 2), (6, 3), (14.9, 4), (15, 5), (40, 5)]
)
def test_known_surprise_has_its_known_shade(bits: float, expected: int) -> None:
    assert shade(bits) == expected


def test_digits_round_to_half_a_bit_and_carry_their_shade() -> None:
    drawn = digits(np.array([0, 0.2, 0.3, 1.0, 15.1, 31.5, 400, math.inf, math.nan]))
    assert [DIGITS.index(digit) * STEP for digit in drawn] == [0, 0, 0.5, 1, 15, 31.5, 31.5, 31.5, 31.5]
    assert "".join(shades()[DIGITS.index(digit)] for digit in drawn) == "000155555"
    assert len(shades()) == len(DIGITS) == len(set(DIGITS)) == 64
    assert set(shades()) == set("012345"[: len(SHADES) + 1])


def test_recited_words_are_marked_where_the_spans_lie() -> None:
    text = "a bb ccc dd e ff g"
    found = Spans(
        np.array([0, 4, 8, 11]), np.array([4, 8, 11, 16]), np.array([False, True, True, True]),
        np.log(np.array([0.001, 0.3, 0.7, 0.2])).astype(np.float32),
    )  # fmt: skip
    assert marks(unit_ends(text), found) == [2, 1, 1, 3, 1, 2, 4, 2, 1]
    assert marks(unit_ends(""), found) == []


def test_a_span_within_words_takes_the_whole_words() -> None:
    text = "aaaa bbbb cccc dddd"
    found = Spans(np.array([6]), np.array([12]), np.array([True]), np.array([-3.0], np.float32))
    assert marks(unit_ends(text), found) == [1, 2, 1]
