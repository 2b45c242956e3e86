"""Measurements of an extraction in, its page's verdict and lists of faults out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from bs4 import BeautifulSoup

from wellread.recipe import load_recipe, recipe_text
from wellread.reports import write_report
from wellread.reports.extraction import OPEN, Asked, ExtractionRecord, extraction_verdict, render_extraction
from wellread.reports.page import environment
from wellread.storage import write_rows, write_text
from wellread.types import Measurement


def row(subject: str, value: float, low: float, high: float, split: str = "held_out") -> Measurement:
    return Measurement(
        "line_f1", value, subject=subject, split=split, low=low, high=high, n=40, better="higher", unit="share"
    )


RECORD = ExtractionRecord(
    "run", "commentary", load_recipe("references"), "", {},
    (row("tuned", 0.8, 0.7, 0.9), row("pattern", 0.6, 0.5, 0.7), row("tuned - pattern", 0.2, 0.1, 0.3)), (), "tuned",
)  # fmt: skip


def test_the_verdict_tells_of_the_blind_texts_whatever_they_say() -> None:
    assert "surely beats pattern by +20.0 points" in extraction_verdict(RECORD)
    assert "blind" not in extraction_verdict(RECORD)
    blind = (row("tuned", 0.5, 0.3, 0.7, "blind"), row("tuned - pattern", -0.1, -0.3, 0.1, "blind"))
    told = extraction_verdict(replace(RECORD, measurements=(*RECORD.measurements, *blind)))
    assert told.endswith("On 40 blind texts it found lines with 50.0 %, and does not surely beat pattern there.")


def test_what_was_not_measured_is_said_apart() -> None:
    """Once a page said that texts were "left alone not measured of the time"."""
    told = extraction_verdict(RECORD)
    assert told.startswith("The F1 of lines is 80.0 % (70.0 to 90.0 %). Not measured: ")
    assert "how many texts without references were left alone." in told
    assert "not measured of" not in told
    one = replace(row("tuned", 0.5, 0.3, 0.7, "blind"), n=1)
    assert "On 1 blind text it found" in extraction_verdict(replace(RECORD, measurements=(*RECORD.measurements, one)))


def test_a_side_that_is_surely_better_is_named_as_the_one_to_use() -> None:
    """The interval excludes 0 the other way: that is no doubt about the model, it is a verdict."""
    gaps = (
        row("tuned - SmolLM2", 0.1, 0.05, 0.2), row("tuned - few-shot", -0.1, -0.15, -0.05),
        row("tuned - pattern", -0.37, -0.61, -0.17), row("tuned - encoder", -0.05, -0.2, 0.1),
    )  # fmt: skip
    told = extraction_verdict(replace(RECORD, measurements=(RECORD.measurements[0], *gaps)))
    assert "It does not surely beat encoder." in told
    assert (
        "On lines it is surely beaten by few-shot by +10.0 points and pattern by +37.0 points: "
        "of these sides pattern is the one to use here." in told
    )
    blind = (row("tuned", 0.5, 0.3, 0.7, "blind"), row("tuned - pattern", -0.3, -0.4, -0.1, "blind"))
    told = extraction_verdict(replace(RECORD, measurements=(*RECORD.measurements, *blind)))
    assert told.endswith("found lines with 50.0 %, and is surely beaten by pattern there.")


def test_the_page_is_called_by_the_files_that_were_read_and_names_its_run(tmp_path: Path) -> None:
    write_text(tmp_path / "run" / "recipe.yaml", recipe_text("references"))
    rows = [{"id": "1", "text": "See song II.", "gold": []}]
    write_rows(tmp_path / "run" / "corpus" / "rows.jsonl", rows)
    page = BeautifulSoup(write_report(tmp_path / "run").read_text(encoding="utf-8"), "html.parser")
    heads = [page.select_one(which) for which in ("h1", "title", ".imprint")]
    assert [each.get_text() for each in heads if each] == ["commentary", "commentary: learning certificate", "run"]
    given = {"texts": ["my rows/Notes_on Homer.jsonl", "of others/more.jsonl"], "end": "2026-11-21T10:00:00+00:00"}
    write_text(tmp_path / "run" / "environment.json", json.dumps(given))
    page = BeautifulSoup(write_report(tmp_path / "run").read_text(encoding="utf-8"), "html.parser")
    heads = [page.select_one(which) for which in ("h1", ".imprint")]
    assert [each.get_text() for each in heads if each] == ["Notes on Homer and more", "21 November 2026run"]
    write_text(tmp_path / "run" / "environment.json", "{}")  # a run of before the texts that it was given were kept
    write_text(tmp_path / "run" / "recipe.yaml", recipe_text("references").replace("library:commentary.jsonl", ""))
    assert "<h1>run</h1>" in write_report(tmp_path / "run").read_text(encoding="utf-8")


def test_without_an_interval_nothing_is_sure() -> None:
    bare = replace(row("tuned - pattern", -0.37, 0, 0), low=None, high=None)
    told = extraction_verdict(replace(RECORD, measurements=(RECORD.measurements[0], bare)))
    assert "It does not surely beat pattern." in told
    assert "to use" not in told


def test_of_many_faults_a_few_are_seen_at_once() -> None:
    asked = tuple(Asked(f"text {number}", "[]", (("tuned", "[1]", False),)) for number in range(OPEN + 3))
    page = BeautifulSoup(render_extraction(replace(RECORD, asked=asked), environment()), "html.parser")
    figures = page.select("#failed figure")
    assert len(figures) == OPEN + 3
    assert sum(each.find_parent("details") is None for each in figures) == OPEN
    assert page.select_one("#failed summary").text == "The other 3"


def test_why_a_value_has_no_interval_stands_beside_it() -> None:
    why = "no interval: all passages have the same value, so that resampling shows no spread"
    bare = replace(row("tuned", 1.0, 0, 0), low=None, high=None, note=f"by folds; {why}", interval_over="passages")
    page = BeautifulSoup(render_extraction(replace(RECORD, measurements=(bare,)), environment()), "html.parser")
    assert page.select_one("table.beside .note").text == why
    assert "95 % interval over" not in page.select_one("table.beside").text
