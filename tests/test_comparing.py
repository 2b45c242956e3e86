"""Run folders in, a comparison out: known differences, refused pairs, what a sweep varied, and what is printed and drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from typer.testing import CliRunner

from wellread.cli import app
from wellread.comparing import compare, differing
from wellread.errors import UnknownName, UsageError
from wellread.recipe import parse_recipe, recipe_yaml
from wellread.reports import comparison_lines, comparison_page
from wellread.reports.comparison import short_keys, told
from wellread.types import Measurement, Tally

RECIPE = """
name: novel
base: embedded
stages:
  - {name: imprint, method: {kind: lora, rank: 8}, budget: {epochs: 1}}
"""
SIZES = [400.0 + 20 * number for number in range(12)]


def bits(value: float, split: str = "held_out", sizes: Sequence[float] = SIZES) -> Measurement:
    """Bits per byte over 12 chapters, a little apart from one another."""
    tallies = tuple(
        Tally(f"book#{n}", size * (value + 0.01 * (n % 3 - 1)) + (-1) ** n * 0.1 * value, size)
        for n, size in enumerate(sizes)
    )
    exact = sum(each.numerator for each in tallies) / sum(sizes)
    return Measurement("bits_per_byte", exact, "bits per byte", "imprint", split, int(sum(sizes)), exact - 0.1,
                       exact + 0.1, "lower", "", "chapters", tallies)  # fmt: skip


def write_run(
    folder: Path, value: float, *settings: str, text: str = "one two three", rows: Sequence[Measurement] = (),
    finished: bool = True,
) -> Path:  # fmt: skip
    """A finished run that measured `value` bits per byte of held-out and validation text."""
    recipe = parse_recipe(RECIPE, settings)
    documents = [{"id": f"book#{n}", "text": f"{text} {n}"} for n in range(12)]
    split = {"train": [], "validation": [], "held_out": [each["id"] for each in documents]}
    share = Measurement("greedy_recited_share", value / 50, "share", "imprint", "train", 100)
    perplexity = Measurement("perplexity", 14 * value, "per token", "imprint", "held_out", 100, better="lower",
                             note="tokenizer: SmolLM2; windows of 256 tokens")  # fmt: skip
    measured = list(rows) or [bits(value), bits(value + 0.1, "validation"), share, perplexity]
    log = [
        {"step": 1, "tokens": 900, "elapsed_seconds": 3.0, "memory_bytes": 2**30},
        {"step": 9, "tokens": 8000, "elapsed_seconds": 65.0, "kept": "last"},
    ]
    write(folder / "recipe.yaml", recipe_yaml(recipe))
    write(folder / "corpus" / "documents.jsonl", "".join(json.dumps(each) + "\n" for each in documents))
    write(folder / "corpus" / "split.json", json.dumps(split))
    write(folder / "stages" / "01-imprint" / "log.jsonl", "".join(json.dumps(each) + "\n" for each in log))
    if finished:
        write(folder / "measurements.jsonl", "".join(json.dumps(row.as_json()) + "\n" for row in measured))
    return folder


def test_a_stage_costs_what_it_and_those_it_comes_from_cost(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 1.5)
    stages = "".join(
        f"  - {{name: {name}, method: {{kind: full}}, budget: {{epochs: 1}}, start: {start}}}\n"
        for name, start in (("imprint", "previous"), ("aside", "base"), ("deepen", "imprint"))
    )
    write(run / "recipe.yaml", RECIPE.partition("  - ")[0] + stages)
    for number, name, seconds in ((1, "imprint", 60), (2, "aside", 700), (3, "deepen", 8)):
        row = {"step": 1, "tokens": seconds, "elapsed_seconds": seconds}
        write(run / "stages" / f"{number:02}-{name}" / "log.jsonl", json.dumps(row) + "\n")
    [deepen, aside] = compare([f"{run}:deepen", f"{run}:aside"]).compared
    assert (deepen.seconds, aside.seconds) == (68, 700)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Three runs that differ in their epochs."""
    for epochs, value in ((1, 1.5), (4, 1.2), (16, 1.3)):
        write_run(tmp_path / "runs" / f"novel-{epochs:02}", value, f"imprint.epochs={epochs}")
    return tmp_path / "runs"


def test_a_folder_of_runs_is_its_finished_runs_each_less_the_first(sweep: Path) -> None:
    write_run(sweep / "novel-under-way", 1.0, finished=False)
    found = compare([str(sweep)])
    assert [each.label for each in found.compared] == ["novel-01", "novel-04", "novel-16"]
    assert found.notes == (f"{sweep}: 1 run not finished and left out",)
    [first, second, _] = found.compared
    assert first.differences == ()
    [gap, _] = second.differences
    assert (gap.subject, gap.split) == ("novel-04 - novel-01", "held_out")
    assert gap.value == pytest.approx(-0.3)
    assert gap.high is not None
    assert gap.high < -0.29, "chapters that are hard for both widen nothing: the difference is paired"


def test_what_a_sweep_varied_and_what_it_cost_is_told(sweep: Path) -> None:
    found = compare([str(sweep)])
    assert found.settings == ("stage.budget.epochs",)
    assert [each.settings for each in found.compared] == [{"stage.budget.epochs": value} for value in (1, 4, 16)]
    assert [(each.seconds, each.tokens, each.memory_bytes) for each in found.compared] == [(65.0, 8000, 2**30)] * 3


def test_runs_on_different_text_are_shown_but_not_paired(tmp_path: Path) -> None:
    one, other = write_run(tmp_path / "a", 1.5), write_run(tmp_path / "b", 1.2, text="another book")
    second = compare([str(one), str(other)]).compared[1]
    assert second.measurements[0].value == pytest.approx(1.2, abs=0.01)
    assert "held_out" not in {gap.split for gap in second.differences}
    assert second.unpaired.startswith("not paired with a on held-out text")
    delta = Measurement("cosine_delta", 0.4, "distance", "imprint", n=5000, interval_over="passages",
                        tallies=tuple(Tally(f"passage-{n}", 40.0, 100.0) for n in range(12)))  # fmt: skip
    styles = [write_run(tmp_path / name, 1.5, text=name, rows=[delta]) for name in ("d", "e")]
    apart = compare(list(map(str, styles)), metrics=["cosine_delta"]).compared[1]
    assert apart.differences == ()
    assert apart.unpaired.startswith("not paired with d on the book as a whole")
    longer = write_run(tmp_path / "c", 1.2, rows=[bits(1.2, sizes=[size + 1 for size in SIZES])])
    third = compare([str(one), str(longer)]).compared[1]
    assert third.differences == ()
    assert "held-out text" in third.unpaired


def test_samples_of_the_same_text_that_differ_are_told_and_how_to_measure_alike(tmp_path: Path) -> None:
    full = write_run(tmp_path / "a", 1.5, "measure.quick=false")
    quick = write_run(tmp_path / "b", 1.2, "measure.quick=true", rows=[bits(1.2, sizes=SIZES[:5])])
    second = compare([str(full), str(quick)]).compared[1]
    assert second.differences == ()
    assert second.unpaired.startswith(
        "not paired with a on held-out text: the text is the same, the samples of it differ"
    )
    assert "run both with --full" in second.unpaired
    elsewhere = write_run(tmp_path / "c", 1.2, "measure.quick=true", text="another", rows=[bits(1.2, sizes=SIZES[:5])])
    apart = compare([str(full), str(elsewhere)]).compared[1]
    assert apart.unpaired == "not paired with a on held-out text: theirs is another"


def test_texts_that_runs_were_given_are_compared_and_not_their_recipes(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / "a", 1.5, "corpus.texts=[library:novella]"), write_run(tmp_path / "b", 1.2)]
    assert compare(list(map(str, runs))).settings == ("corpus.texts",)
    for run in runs:
        write(run / "environment.json", json.dumps({"texts": ["mine.txt"]}))
    assert compare(list(map(str, runs))).settings == ()
    write(runs[1] / "environment.json", json.dumps({"texts": ["other.txt"]}))
    found = compare(list(map(str, runs)))
    assert [each.settings for each in found.compared] == [
        {"corpus.texts": ["mine.txt"]},
        {"corpus.texts": ["other.txt"]},
    ]


def test_runs_of_the_same_name_are_told_apart_and_a_stage_can_be_named(tmp_path: Path) -> None:
    one, other = write_run(tmp_path / "a" / "novel", 1.5), write_run(tmp_path / "b" / "novel", 1.2)
    found = compare([str(one), str(other), f"{one}:imprint"])
    assert [each.label for each in found.compared] == [str(one), str(other), "novel:imprint"]
    with pytest.raises(UsageError, match="imprimt"):
        compare([f"{one}:imprimt"])


def test_a_bare_name_is_looked_for_among_the_runs(sweep: Path) -> None:
    assert [each.label for each in compare(["novel-04", "novel-01"], runs_folder=sweep).compared] == [
        "novel-04",
        "novel-01",
    ]


def test_models_are_measured_where_something_measures_them(sweep: Path) -> None:
    asked = []

    def measured(model: str, metrics: Sequence[str], quick: bool) -> list[Measurement]:
        asked.append((model, quick))
        return [bits(1.8).of(model)]

    with pytest.raises(UsageError, match="embedded is no run"):
        compare(["embedded"])
    run = sweep / "novel-01"
    found = compare([str(run), "embedded"], on=run, measured=measured)
    assert asked == [("embedded", True)], "the run's own text was measured already, quickly"
    assert found.compared[1].differences[0].value == pytest.approx(0.3)
    asked.clear()
    compare([str(run), "embedded"], measured=measured)
    assert asked == [(str(run), False), ("embedded", False)]


def test_an_unfinished_run_and_an_unknown_metric_are_refused(tmp_path: Path, sweep: Path) -> None:
    run = write_run(tmp_path / "a", 1.5, finished=False)
    with pytest.raises(UsageError, match="not finished"):
        compare([str(run)])
    with pytest.raises(UnknownName, match="bits_per_byte"):
        compare([str(sweep)], metrics=["bits_per_bite"])


def test_metrics_choose_what_is_compared(sweep: Path) -> None:
    found = compare([str(sweep)], metrics=["perplexity"])
    assert {row.name for each in found.compared for row in each.measurements} == {"perplexity"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["imprint.rank=32"], {"stage.method.rank": [8, 32]}),
        (["imprint.method={kind: full}"], {"stage.method.kind": ["lora", "full"]}),
        (["imprint.mix={share: 0.5}"], {"stage.mix": [None, {"texts": ["library:novella", "library:conte"], "share": 0.5}]}),
        (["seed=3"], {"seed": [0, 3]}),
        ([], {}),
    ],
)  # fmt: skip
def test_only_the_settings_that_differ_are_told(settings: list[str], told: dict[str, Any]) -> None:
    assert differing([parse_recipe(RECIPE), parse_recipe(RECIPE, settings)]) == told


def test_the_terminal_has_a_line_for_each_and_none_is_too_long(sweep: Path) -> None:
    lines = comparison_lines(compare([str(sweep)]))
    assert lines[0].split() == ["epochs", "tokens", "time", "memory"]
    assert lines[2].split() == ["novel-04", "4", "8", "k", "1", "min", "05", "s", "1.0", "GiB"]
    assert "  novel-04  1.200  1.100 to 1.300  -0.300  -0.300 to -0.300  better" in lines
    assert any(line.startswith("Perplexity: held-out chapters") and "tokenizer: SmolLM2" in line for line in lines)
    assert max(map(len, lines)) <= 100
    "\n".join(lines).encode("ascii")


def test_a_sweep_over_a_number_is_drawn_against_it(sweep: Path) -> None:
    page = BeautifulSoup(comparison_page(compare([str(sweep)])), "html.parser")
    assert page.select_one("#drawn h2").get_text() == "What epochs does"
    marks = page.select(".panel.bits circle.line-1")
    places = [float(mark["cx"].rstrip("%")) for mark in marks]
    assert places == [4.0, 50.0, 96.0], "1, 4 and 16 lie evenly: the axis counts doublings"
    heights = [float(mark["cy"].rstrip("%")) for mark in marks]
    assert heights[1] > heights[2] > heights[0]
    assert [tick.text for tick in page.select(".panel.recited .tick.x")] == ["1", "4", "16"]
    assert not page.select("script, img, link[rel=stylesheet]")


def test_a_grid_is_a_line_for_each_other_setting_and_models_are_bars(tmp_path: Path) -> None:
    for rank in (8, 32):
        for epochs in (1, 2, 4):
            settings = (f"imprint.epochs={epochs}", f"imprint.rank={rank}")
            write_run(tmp_path / f"novel-{rank}-{epochs}", 1.5 - epochs / rank, *settings)
    page = BeautifulSoup(comparison_page(compare([str(tmp_path)])), "html.parser")
    [bits_legend, _] = page.select(".legend")
    assert [each.get_text() for each in bits_legend.select("li")] == ["rank 8", "rank 32"]
    alike = compare([str(tmp_path / "novel-8-1"), str(tmp_path / "novel-8-1") + ":imprint"])
    page = BeautifulSoup(comparison_page(alike), "html.parser")
    assert len(page.select(".bars rect:not(.ground)")) == 2


def test_of_two_runs_that_differ_in_much_each_is_a_column(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", 1.5, "imprint.epochs=1", "imprint.rank=8", "imprint.batch=2")
    other = write_run(tmp_path / "other", 1.2, "imprint.epochs=4", "imprint.rank=32", "imprint.batch=8")
    table = BeautifulSoup(comparison_page(compare([str(one), str(other)])), "html.parser").select_one("#compared table")
    assert [each.get_text(strip=True) for each in table.select("thead th")] == ["Setting", "one", "other"]
    rows = {
        row.th.get_text(strip=True): [cell.get_text(strip=True) for cell in row.select("td")]
        for row in table.select("tbody tr")
    }
    assert {name: rows[name] for name in ("epochs", "rank", "batch")} == {
        "epochs": ["1", "4"], "rank": ["8", "32"], "batch": ["2", "8"],
    }  # fmt: skip


def test_a_number_that_changes_with_something_else_is_not_drawn_as_the_cause(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", 1.5, "imprint.epochs=1", "imprint.rank=8")
    other = write_run(tmp_path / "other", 1.2, "imprint.epochs=4", "imprint.rank=32")
    page = BeautifulSoup(comparison_page(compare([str(one), str(other)])), "html.parser")
    assert not page.select(".panel")
    assert len(page.select(".bars rect:not(.ground)")) == 2


def test_names_are_escaped(tmp_path: Path) -> None:
    run = write_run(tmp_path / "<b>&", 1.5)
    assert not BeautifulSoup(comparison_page(compare([str(run)])), "html.parser").select("b")


def test_the_verb_prints_json_and_writes_the_page(sweep: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["compare", str(sweep), "--json", "--html", str(page)])
    assert done.exit_code == 0, done.output
    rows = [json.loads(each) for each in done.stdout.splitlines()]
    assert [row["name"] for row in rows] == ["novel-01", "novel-04", "novel-16"]
    assert rows[1]["differences"][0]["value"] == pytest.approx(-0.3)
    assert "tallies" not in rows[0]["measurements"][0]
    assert page.read_text(encoding="utf-8").lstrip().startswith("<!DOCTYPE html>")


def test_settings_are_told_in_the_words_of_the_certificate() -> None:
    keys = ["base", "stage.method.kind", "stage.optimizer.learning_rate"]
    assert list(short_keys(keys).values()) == ["base", "method", "learning rate"]
    assert told("embedded", "base") == "SmolLM2-135M-Instruct"
    assert told("lora", "stage.method.kind") == "LoRA"
    assert told({"method": {"kind": "full"}, "budget": {}}, "imprint") == "full tuning"
    assert told("full", "stage.start") == "full"
