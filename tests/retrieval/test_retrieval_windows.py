"""Windows: they cover the text, end with sentences, overlap by half, and are never longer than they may be."""

from __future__ import annotations

from wellread.retrieval.windows import chunk_terms, embedded_texts, windows
from wellread.types import Chunk

PROSE = "One two three four. Five six seven eight! Nine ten eleven twelve? Thirteen fourteen fifteen sixteen."


def cut(text: str, words: int) -> list[str]:
    return [text[start:end] for start, end in windows(text, words=words)]


def test_windows_are_whole_sentences_that_overlap_by_half() -> None:
    assert cut(PROSE, 8) == [
        "One two three four. Five six seven eight!",
        "Five six seven eight! Nine ten eleven twelve?",
        "Nine ten eleven twelve? Thirteen fourteen fifteen sixteen.",
    ]
    assert cut(PROSE, 100) == [PROSE]
    assert cut(PROSE, 5) == PROSE.replace("! ", "!|").replace("? ", "?|").replace(". ", ".|").split("|")


def test_every_word_is_in_a_window_and_none_is_too_long() -> None:
    text = "word " * 95 + "\n\n- an item\n- another item\n\n| a | row |\n| b | row |\n" + "« Où ? » Élise dit non. " * 9
    found = windows(text, words=20)
    assert {place for start, end in found for place in range(start, end)} >= {
        place for place, sign in enumerate(text) if not sign.isspace()
    }
    assert all(len(text[start:end].split()) <= 20 for start, end in found)
    assert windows(" \n ") == []


def test_sentences_end_before_capitals_items_and_blank_lines_only() -> None:
    assert cut("He said e.g. this. It rained.", 4) == ["He said e.g. this.", "It rained."]
    assert cut("It rained.\nand so on\n- first thing\n- second\n\nlast", 4) == [
        "It rained.\nand so", "on\n- first thing", "- second\n\nlast",
    ]  # fmt: skip


def test_a_script_without_blanks_has_windows_of_its_sentences() -> None:
    assert cut("湖は深い。鐘は朝に鳴る。舟は夜に出る。", 8) == ["湖は深い。", "鐘は朝に鳴る。", "舟は夜に出る。"]
    assert max(map(len, cut("鐘" * 100, 8))) == 8


def test_the_heading_goes_with_every_window() -> None:
    chunk = Chunk("d", 0, 9, "Twelve\ndays.", section="Handbook › Leave")
    assert embedded_texts(chunk) == ["Leave. Twelve days."]
    assert embedded_texts(Chunk("d", 0, 1, " ")) == [""]
    assert chunk_terms(chunk, "en") == ["handbook", "leav", "twelv", "day"]
