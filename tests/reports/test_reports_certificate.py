"""A run folder in, its certificate out: the numbers of the tables and the underlines of the samples."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from reports_eyes import certificate, line, seen, told
from reports_fabricated import fabricate, match, sample

from wellread.reports import verdict_of
from wellread.types import Measurement


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    return certificate(fabricate(), tmp_path_factory.mktemp("run"))


def test_the_table_says_what_was_measured(page: BeautifulSoup) -> None:
    assert line(page, "bits_per_byte", "held-out chapters") == [
        "1.310 1.279 to 1.339", "1.124 1.093 to 1.153", "−0.186 −0.201 to −0.171 better",
    ]  # fmt: skip
    assert line(page, "greedy_recited_share", "training chapters") == [
        "0.24 % 0.12 to 0.48 %", "3.9 % 1.9 to 7.7 %", "+3.6 points +2.1 to +5.2 points",
    ]  # fmt: skip
    assert (
        line(page, "greedy_recited_share", "held-out chapters")[2]
        == "0 points −0.20 to +0.30 points no clear difference"
    )
    assert line(page, "longest_recited_words", "")[1].startswith("20")


def test_every_row_says_its_unit_its_n_its_interval_and_which_way_is_better(page: BeautifulSoup) -> None:
    [first, *_] = page.select("table.measured tbody tr")
    fine = told(first.select_one(".fine"))
    assert fine == (
        "↓ lower is better · bits_per_byte · unit: bits per byte · n = 41,283 · 95 % interval over blocks of 300 words"
    )


def test_what_was_not_measured_is_a_reason(page: BeautifulSoup) -> None:
    assert line(page, "greedy_recited_share_200_bytes", "training") == ["not measured"] * 3
    [row] = [row for row in page.select("table.measured tbody tr") if "greedy_recited_share_200_bytes" in row.text]
    # once, below the measure, for a column is too narrow
    assert (
        told(row.select_one(".remark")) == "Before training, after training — not measured: no document is long enough"
    )


def test_validation_lies_folded_below_what_was_held_out(tmp_path: Path) -> None:
    record = fabricate()
    watched = [replace(row, split="validation") for row in record.measurements if row.split == "held_out"]
    page = certificate(replace(record, measurements=[*record.measurements, *watched]), tmp_path)
    rows = page.select("#measurements table.measured tbody tr")
    folded = [row.find_parent("details") is not None for row in rows if "held-out" in told(row.th)]
    assert folded
    assert not any(folded)
    assert page.select("#measurements details tbody tr")


def test_variants_of_a_metric_are_told_apart(page: BeautifulSoup) -> None:
    assert line(page, "probable_recited_share", "training", "(p ≥ 0.5)")[0].startswith("0.48 %")
    assert line(page, "probable_recited_share", "training", "(p ≥ 0.001)")[0].startswith("0.72 %")


def test_compressors_stand_in_a_table_of_their_own(page: BeautifulSoup) -> None:
    assert line(page, "ppmd_bits_per_byte", "held-out") == [
        "1.601 1.570 to 1.630", "1.124 1.093 to 1.153", "−0.477 −0.501 to −0.452 better",
    ]  # fmt: skip
    assert line(page, "xz_bits_per_byte", "held-out")[2] == "−1.033 no interval"


def test_bars_are_as_long_as_their_numbers(page: BeautifulSoup) -> None:
    widths = {bar["class"][0]: float(bar["width"].rstrip("%")) for bar in page.select(".bars rect:not(.ground)")}
    drawn = [float(bar["width"].rstrip("%")) for bar in page.select(".bars rect:not(.ground)")]
    assert drawn == [pytest.approx(100 * value / 2.1571, abs=0.01) for value in (1.3104, 1.1243, 1.6012, 2.1571)]
    assert widths["trained"] == pytest.approx(52.12, abs=0.01)
    assert "After training: 1.124 (95 % interval 1.093 to 1.153)" in told(page.select_one(".bars desc"))


def test_the_verdict_is_the_one_that_the_command_line_prints(page: BeautifulSoup, tmp_path: Path) -> None:
    sentences = " ".join(told(sentence) for sentence in page.select("#verdict .said"))
    assert sentences == verdict_of(fabricate().write(tmp_path))
    assert "surprise the model 14.2 % less" in sentences
    assert sentences.endswith("is 20 words, from Chapter 5.")


def test_what_was_copied_is_underlined_and_leads_to_its_place(page: BeautifulSoup) -> None:
    [link] = page.select(".spoken a.copied")
    assert seen(link) == "on the posts were lit one after another until the last of them, which was too far off to see"
    offset = fabricate().documents[4]["text"].index(seen(link))
    assert link["title"] == f"20 words in a row from Chapter 5, character {offset:,}"
    assert link["class"] == ["copied", "deep-2"]
    place = page.find(id=link["href"].removeprefix("#"))
    assert seen(place.mark) == seen(link)
    assert told(place.figcaption) == f"20 words in a row, from character {offset:,}"
    assert "Snow came over the lake in columns" in told(place)
    assert told(place.find_previous("h3")) == "Chapter 5"


def test_samples_stand_side_by_side_with_their_prompt_apart(page: BeautifulSoup) -> None:
    first, second = page.select("article.pair")
    assert [told(title) for title in first.select("h4")] == ["Before", "After"]
    assert {told(prompt) for prompt in page.select("blockquote .prompt")} == {
        "By noon the talk in the lane had turned to the ice, and the clerk who was always"
    }
    assert "seed 8" in told(second.h3)
    assert "No run of 8 or more words stands in the book." in told(second)


def test_of_a_sample_without_an_underline_the_longest_run_is_told(tmp_path: Path) -> None:
    made = fabricate()
    made.after[1]["longest"] = {**made.after[0]["matches"][0], "words": 5}
    second = certificate(made, tmp_path).select("article.pair")[1]
    assert "No run of 8 or more words stands in the book; the longest that does has 5 words." in told(second)


def test_underlines_count_characters_not_bytes_and_cross_the_prompt(tmp_path: Path) -> None:
    made = fabricate()
    book = made.documents[0]
    copied = "l’été où l’île d’Œsel n’avait plus ni glace ni 🧊 ni sel"
    book["text"] += f" C’était {copied}, et nul ne venait."
    prompt, completion = "Voilà ! 🜁 C’était l’été où", " l’île d’Œsel n’avait plus ni glace ni 🧊 ni sel — là-bas."
    made.after = [sample("imprint", prompt, completion, 7, [match(prompt + completion, copied, book)])]
    found = certificate(made, tmp_path)
    [link] = found.select(".spoken a.copied")
    assert seen(link) == copied
    assert told(link.select_one(".prompt")) == "l’été où"
    assert seen(link.find_parent("blockquote")) == prompt + completion
    assert seen(found.select_one("#places mark")) == copied


def test_of_two_runs_that_overlap_the_longer_has_the_words(tmp_path: Path) -> None:
    made = fabricate()
    text = "one two three four five six seven eight nine ten eleven twelve"
    book, other = made.documents[0], made.documents[1]
    book["text"] += " one two three four five six seven eight nine."
    other["text"] += " five six seven eight nine ten eleven twelve."
    long = match(text, "one two three four five six seven eight nine", book)
    short = match(text, "five six seven eight nine ten eleven twelve", other)
    made.after = [sample("imprint", "", text, 7, [short, long])]
    links = certificate(made, tmp_path).select(".spoken a.copied")
    assert [seen(link).strip() for link in links] == [
        "one two three four five six seven eight nine",
        "ten eleven twelve",
    ]


def test_short_runs_and_runs_inside_the_prompt_are_not_underlined(tmp_path: Path) -> None:
    made = fabricate()
    book = made.documents[0]
    book["text"] += " one two three four five six seven eight nine"
    prompt, completion = "one two three four five six seven eight", " x one two three four"
    short = match(prompt + completion, " one two three four", book)
    made.after = [sample("imprint", prompt, completion, 7, [match(prompt, prompt, book), {**short, "words": 4}])]
    found = certificate(made, tmp_path)
    assert not found.select(".spoken a.copied")
    assert "None: no sample shares 8 or more words" in told(found.find(id="places"))


def test_a_metric_that_failed_for_one_subject_is_one_row_with_its_reason(tmp_path: Path) -> None:
    made = fabricate()
    failed = Measurement("greedy_recited_share", None, subject="embedded", note="cannot score")
    others = [row for row in made.measurements if (row.name, row.subject) != (failed.name, failed.subject)]
    made.measurements = [failed, *others]
    found = certificate(made, tmp_path)
    assert line(found, "greedy_recited_share", "training chapters")[:2] == [
        "not measured: cannot score",
        "3.9 % 1.9 to 7.7 %",
    ]
    assert len([row for row in found.select("table code") if row.text == "greedy_recited_share"]) == 2
