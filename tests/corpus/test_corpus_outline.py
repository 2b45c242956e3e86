"""The headings of a PDF's outline, found again in its text; and files whose outlines are no help."""

from __future__ import annotations

import pytest

from wellread.corpus.outline import MOST, TITLE, Entry, headings

TEXT = """1 Of lamps

The lamps are lit at dusk. Of oil there is enough.

1.1 Of oil

Oil is kept in the cellar.

2 OF BOATS and the slip, where a heading ran into its line.

The end."""
PAGES = (0, TEXT.index("1.1"), TEXT.index("2 OF"))


def found(*outline: Entry, text: str = TEXT, pages: tuple[int, ...] = PAGES) -> list[tuple[str, int, str]]:
    return [(text[start:].partition("\n")[0], level, title) for start, level, title in headings(outline, text, pages)]


def test_a_heading_is_the_line_of_its_page_that_is_its_words() -> None:
    entries = Entry(1, "Of lamps", 0), Entry(2, "Of oil", 0), Entry(1, "Of  boats", 2)
    assert found(*entries) == [
        ("1 Of lamps", 1, "Of lamps"), ("1.1 Of oil", 2, "Of oil"), (TEXT.split("\n\n")[4], 1, "Of  boats")
    ]  # fmt: skip


def test_one_that_is_not_there_is_left_out_and_most_of_them_mean_another_text() -> None:
    there, strange = Entry(1, "Of lamps", 0), Entry(1, "Of storms", 1)
    assert len(found(there, strange, Entry(1, "1.1 Of oil", 1))) == 2
    assert found(there, strange) == []
    assert found(there, Entry(1, "The end", 2), strange, strange, strange) == []
    assert found() == []


def test_headings_come_in_order_and_from_their_pages() -> None:
    assert found(Entry(1, "Of oil", 1), Entry(1, "Of lamps", 0), Entry(1, "The end", 2))[-1][0] == "The end."
    far = "x\n" * 20_000 + TEXT
    assert found(Entry(1, "Of lamps", 0), Entry(1, "Of oil", 0), text=far, pages=(0, 40_000)) == []


@pytest.mark.parametrize("title", ["", "(?:", "a" * (TITLE + 1), "\\", "1 Of lamps\n"])
def test_no_title_does_harm(title: str) -> None:
    assert len(found(*[Entry(1, title, 99)] * MOST)) <= 1
