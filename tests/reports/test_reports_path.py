"""A run of three stages in, its path out: what each gained, forgot and copied, and what it wrote on the way."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from reports_curriculum import fabricate_curriculum
from reports_eyes import certificate, line, seen, told
from reports_fabricated import Fabricated, fabricate
from reports_rows import gap, general

from wellread.reports import verdict
from wellread.reports.wording import stopped_words
from wellread.types import Measurement


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    return certificate(fabricate_curriculum(), tmp_path_factory.mktemp("run"))


def steps(page: BeautifulSoup) -> dict[str, list[str]]:
    """The rows of the path's table by the name of their step."""
    rows = page.select("table.stages tbody tr")
    return {told(row.select_one(".name")): [" ".join(seen(cell).split()) for cell in row.select("td")] for row in rows}


def test_every_step_has_its_figures_and_its_paired_difference_to_the_step_before(page: BeautifulSoup) -> None:
    table = steps(page)
    assert list(table) == ["Before", "acculturate", "lengthen", "imprint"]
    assert table["Before"][0] == "1.310 1.279 to 1.339"
    assert table["imprint"][0] == "1.124 1.093 to 1.153 −0.103 (−0.115 to −0.091) better than the step before"
    assert table["lengthen"][0].endswith("−0.002 (−0.014 to +0.010) no clear difference")
    assert table["lengthen"][1].endswith("+0.018 (+0.007 to +0.029) worse than before training")
    assert table["imprint"][2] == "3.7 % 3.9 % less 0.21 %"
    assert table["imprint"][3] == "819 k tokens 8 min 00 s"


def test_every_step_says_what_was_done_and_why_it_ended_early(page: BeautifulSoup) -> None:
    [_, first, second, third] = [told(row.select_one(".fine")) for row in page.select("table.stages tbody tr")]
    assert first == "full tuning, on 20,000 windows of 512 tokens drawn from french_novels"
    assert "windows of 1,024 tokens, 20 % of it replay of other text" in second
    assert second.endswith("ended early: no lower validation loss in 3 evaluations")
    assert third.endswith("ended early: the dose was reached, “Recited word for word” at 3.9 %, above 2.0 %")


def test_the_drawing_has_a_point_for_every_step_and_dots_what_may_be_chance(page: BeautifulSoup) -> None:
    strips = page.select(".path .strip")
    assert [told(strip.strong) for strip in strips] == ["What it gained", "What it forgot", "What it copied"]
    assert [len(strip.select("circle")) for strip in strips] == [4, 4, 4]
    assert ["unsure" in leg["class"] for leg in strips[0].select(".leg")] == [False, True, False]
    heights = [float(circle["cy"].rstrip("%")) for circle in strips[0].select("circle")]
    assert heights == sorted(heights)
    assert [told(name) for name in page.select(".path .steps li")] == ["before", "acculturate", "lengthen", "imprint"]
    assert told(page.select_one("#path > p")) == (
        "On held-out chapters most was gained in imprint, 0.103 bits per byte fewer; what lengthen changed cannot be "
        "told from chance."
    )


def test_the_verdict_names_the_last_stage_against_the_base_and_what_it_forgot(page: BeautifulSoup) -> None:
    learning, _, forgetting = [told(each) for each in page.select("#verdict .said")]
    assert "1.124 bits per byte against 1.310" in learning
    assert forgetting == (
        "It forgot something on the way: general text, which is not the book, costs it 0.953 bits per byte where it cost "
        "0.901, 0.052 more (95 % interval 0.041 to 0.063: it excludes 0)."
    )
    assert "taught in three stages: acculturate, lengthen and imprint" in told(page.header)


def test_every_stage_has_its_samples_and_its_curve(page: BeautifulSoup) -> None:
    first = page.select_one("article.pair")
    assert [told(title) for title in first.select("h4")] == [
        "Before", "After imprint", "After acculturate", "After lengthen",
    ]  # fmt: skip
    assert told(first.details.summary) == "On the way: after acculturate, after lengthen"
    assert "a man of few words" in told(first.details)
    assert [told(title) for title in page.select(".curves h3")] == ["acculturate", "lengthen", "imprint"]
    assert len(page.select(".curves .view.tokens")) == 3
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))


def test_a_folded_table_has_every_measure_after_every_stage(page: BeautifulSoup) -> None:
    table = page.select_one("#measurements details table")
    assert [told(column) for column in table.select("thead th")][1:] == ["Before", "acculturate", "lengthen", "imprint"]
    [row] = [row for row in table.select("tbody tr") if "general text" in told(row.th)]
    assert [told(cell.select_one(".number")) for cell in row.select("td")] == ["0.901", "0.942", "0.919", "0.953"]


def test_a_stage_that_could_not_be_measured_leaves_the_way_open(tmp_path: Path) -> None:
    made = fabricate_curriculum()
    made.measurements = [
        replace(row, value=math.nan) if (row.name, row.subject) == ("bits_per_byte", "lengthen") else row
        for row in made.measurements
    ]
    found = certificate(made, tmp_path)
    assert steps(found)["lengthen"][0] == "not measured: the value is not finite: the model has diverged"
    assert len(found.select(".gained circle")) == 3
    assert len(found.select(".gained .leg")) == 2
    assert "not measured" in told(found.select_one(".gained svg"))


def branched() -> Fabricated:
    """`acculturate` and `lengthen` both start from the base, `imprint` from `acculturate`."""
    made = fabricate_curriculum()
    made.settings = ("lengthen.start=base", "imprint.start=acculturate")
    made.measurements = [row for row in made.measurements if row.subject not in CHAIN]
    made.measurements += [
        gap("bits_per_byte", -0.105, "imprint - acculturate", "held_out", (-0.117, -0.093)),
        gap("greedy_recited_share", 0.036, "imprint - acculturate", "train", (0.032, 0.040)),
    ]
    return made


CHAIN = ("lengthen - acculturate", "imprint - lengthen")


def test_the_path_follows_what_a_stage_really_started_from(tmp_path: Path) -> None:
    page = certificate(branched(), tmp_path)
    table = steps(page)
    assert table["acculturate"][0].endswith("better than the step before")
    assert table["lengthen"][0].endswith("−0.083 (−0.095 to −0.071) better than the base, from which it started")
    assert table["imprint"][0].endswith("−0.105 (−0.117 to −0.093) better than acculturate, from which it started")
    assert table["imprint"][1].endswith("worse than before training")
    abouts = [told(row.select_one(".fine")) for row in page.select("table.stages tbody tr")]
    assert ["; started from " in each for each in abouts] == [False, False, True, True]
    assert "; started from the base; ended early" in abouts[2]
    legs = [(leg["x1"], leg["x2"], "unsure" in leg["class"]) for leg in page.select(".path .gained .leg")]
    assert legs == [("12.5%", "37.5%", False), ("12.5%", "62.5%", False), ("37.5%", "87.5%", False)]
    assert told(page.select_one("#path > p")) == (
        "On held-out chapters most was gained in imprint, 0.105 bits per byte fewer."
    )
    assert "taught in two stages: acculturate and imprint" in told(page.header)


def test_to_a_stage_from_scratch_no_way_leads(tmp_path: Path) -> None:
    made = branched()
    made.settings = ("lengthen.method={kind: scratch}", "imprint.start=lengthen")
    page = certificate(made, tmp_path)
    assert steps(page)["lengthen"][0] == "1.228 1.197 to 1.256"
    assert steps(page)["imprint"][1] == "0.953 0.913 to 0.993"
    legs = [(leg["x1"], leg["x2"]) for leg in page.select(".path .forgot .leg")]
    assert legs == [("12.5%", "37.5%"), ("62.5%", "87.5%")]
    assert "as read by a new model, taught in two stages: lengthen and imprint" in told(page.header)


@pytest.mark.parametrize(
    ("settings", "said", "measured"),
    [((), "Holds", "0.1861"), (("lengthen.method={kind: scratch}",), "Does not hold", "0.1032")],
)
def test_what_must_fall_does_so_from_the_earliest_that_the_last_stage_comes_from(
    settings: tuple[str, ...], said: str, measured: str, tmp_path: Path
) -> None:
    made = fabricate_curriculum()
    made.settings = (*settings, "require=[held_out bits_per_byte falls > 0.15]")
    [found] = certificate(made, tmp_path).select(".required li")
    assert told(found) == f"{said}: held_out bits_per_byte falls > 0.15 (measured {measured})"


def test_a_run_of_one_stage_has_no_path_but_says_what_it_forgot(tmp_path: Path) -> None:
    made = fabricate()
    made.measurements += [general("embedded", 0.9), general("imprint", 0.95)]
    made.measurements.append(gap("bits_per_byte", 0.05, "imprint - embedded", "general", (0.04, 0.06)))
    found = certificate(made, tmp_path)
    assert found.find(id="path") is None
    assert line(found, "bits_per_byte", "general text")[2] == "+0.050 +0.040 to +0.060 worse"
    [row] = [row for row in found.select("table.measured tbody tr") if "general text" in told(row.th)]
    assert "something was forgotten" in told(row.select_one(".explanation"))
    assert "It forgot something on the way" in told(found.find(id="verdict"))


@pytest.mark.parametrize(("low", "high"), [(-0.01, 0.03), (-0.03, -0.01)])
def test_what_did_not_surely_rise_was_not_forgotten(low: float, high: float) -> None:
    rows = [general("base", 0.9), general("new", 0.9 + (low + high) / 2)]
    rows.append(gap("bits_per_byte", (low + high) / 2, "new - base", "general", (low, high)))
    assert verdict(rows).forgetting == ""


def test_a_diverged_model_is_not_measured() -> None:
    row = Measurement("bits_per_byte", math.nan, "bits per byte", "new", "held_out", 900)
    assert verdict([row], trained="new").learning == (
        "How well the book was learned was not measured: the value is not finite: the model has diverged."
    )


def test_a_text_without_chapters_is_not_said_to_have_them(tmp_path: Path) -> None:
    made = fabricate_curriculum()
    for number, each in enumerate(made.documents):
        each.update(section=f"passage {number}", metadata={"kind": "passage"})
    found = certificate(made, tmp_path / "run")
    for quoted in found.select("#making, #places, #samples, #book .aside, .title"):
        quoted.decompose()
    text = found.body.get_text().replace('in "Chapter 5"', "")
    assert "hapter" not in text
    assert told(found.select_one("#verdict .said")).startswith("Passages of the book that it never saw")


@pytest.mark.parametrize(
    ("over", "said"), [("passages", "Passages of"), ("documents", "Sections of"), ("chapters", "Chapters of")]
)
def test_rows_alone_tell_what_the_book_is_made_of(over: str, said: str) -> None:
    rows = [Measurement("bits_per_byte", value, "bits per byte", name, "held_out", interval_over=over)
            for name, value in (("base", 2.0), ("new", 1.5))]  # fmt: skip
    assert verdict(rows).learning.startswith(said)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("patience: no lower validation loss in 3 evaluations", "no lower validation loss in 3 evaluations"),
        (
            "until: bits_per_byte(validation) < 1.2, measured 1.19",
            "the dose was reached, “Surprise, in bits per byte” at 1.190, below 1.200",
        ),
        ("the loss is not finite.", "the loss is not finite"),
    ],
)
def test_why_a_stage_stopped_is_said_in_words(why: str, said: str) -> None:
    assert stopped_words(why) == said
