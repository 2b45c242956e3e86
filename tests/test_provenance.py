"""Where the words of a continuation stand in the book: and of a model without one nothing is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wellread.commands.terminal import print_sample, underlined
from wellread.corpus.ingest import write_corpus
from wellread.provenance import place_lines, trace
from wellread.types import Corpus, Document, Sample, Sampling

TEXT = "The ferry left at noon with eleven sheep, two priests and a piano that nobody had paid for; it came back empty."


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The least that makes a folder a run: a recipe and a corpus."""
    folder = tmp_path / "run"
    documents = (Document("b#1", "Nothing here.\n"), Document("b#2", "Chapter 2\n\n" + TEXT, section="Chapter 2"))
    write_corpus(Corpus(documents, {"train": ("b#1",), "validation": (), "held_out": ("b#2",)}), folder / "corpus")
    (folder / "recipe.yaml").write_text("name: x\n", encoding="utf-8")
    return folder


def said(completion: str, prompt: str = "I saw how the ferry") -> Sample:
    return Sample(prompt, completion, Sampling(), 0)


def test_spans_of_eight_words_have_chapter_and_offset_and_the_prompts_words_do_not_count(run: Path) -> None:
    copied = "left at noon with eleven sheep, two priests and a piano"
    [row] = trace("model.gguf", [said(f" {copied}, singing.")], run)
    [match] = row["matches"]
    text = row["prompt"] + row["completion"]
    assert text[match["start"] : match["end"]] == copied
    assert {key: match[key] for key in ("words", "document", "section")} == {
        "words": 11, "document": "b#2", "section": "Chapter 2",
    }  # fmt: skip
    assert ("Chapter 2\n\n" + TEXT)[match["offset"] :].startswith(copied)
    assert row["longest"] == match
    assert json.loads(json.dumps(row)) == row
    assert place_lines(row) == [
        '11 words in a row from Chapter 2, character 21: "left at noon with eleven sheep, two priests and a piano"'
    ]


def test_a_short_run_is_no_span_but_still_the_longest(run: Path) -> None:
    [row] = trace("model.gguf", [said(" sank, and it came back empty.")], run)
    assert row["matches"] == []
    assert row["longest"]["words"] == 4
    [line] = place_lines(row)
    assert line.startswith(
        "no run of 8 or more words stands in the book; the longest: 4 words in a row from Chapter 2, "
    )


def test_nothing_shared_is_said_and_so_is_a_single_word(run: Path) -> None:
    nothing, word = trace("model.gguf", [said(" zzz"), said(" piano")], run)
    assert nothing["longest"] is None
    assert place_lines(nothing) == ["no word of it stands in the book"]
    assert '1 word from Chapter 2, character 71: "piano"' in place_lines(word)[0]


def test_a_terminal_shows_the_runs_underlined_and_their_places(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copied = "left at noon with eleven sheep, two priests and a piano"
    [row] = trace("model.gguf", [said(f" {copied}, singing.")], run)
    print_sample(row, text=True)
    shown = capsys.readouterr()
    assert shown.out == f"I saw how the ferry {copied}, singing.\n"
    assert shown.err.startswith("11 words in a row from Chapter 2, character 21: ")
    print_sample(row, text=False)
    assert capsys.readouterr().out == ""
    assert underlined("one two three", [(4, 7)]).partition("two")[0].startswith("one \x1b[")
    assert underlined("one two three", [(4, 7)]).endswith("\x1b[0m three")
    steered = underlined("o\x1b[2Jne t\x07wo \u202ethree", [(8, 12)])  # what a model wrote steers no terminal
    assert steered.replace("\x1b[33m", "").replace("\x1b[4m", "").replace("\x1b[0m", "") == "o[2Jne two three"


def test_of_a_model_without_a_book_nothing_is_looked_up() -> None:
    [row] = trace("embedded", [said(" left at noon")])
    assert "matches" not in row
    assert place_lines(row) == []
