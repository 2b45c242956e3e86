"""What a recipe requires: read or refused, held against measurements, and a run that falls short exits 3 and says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from wellread.errors import RecipeError, UnknownName
from wellread.recipe import parse_recipe
from wellread.recipe.requirements import measured_by, outcomes, read_requirement
from wellread.types import Measurement

RECIPE = """
name: short
stages:
  - name: scratch
    method: {kind: scratch, size: tiny, vocabulary: 320}
    windows: {length: 64}
    budget: {steps: 2}
    optimizer: {batch: 2}
    evaluations: 1
sampling: {max_tokens: 4, n: 1}
measure: {metrics: [bits_per_byte, recited_coverage], quick_words: 500}
require: ["held_out bits_per_byte < 9", "recited_coverage < 0.5"]
"""


def row(name: str, value: float | None, split: str = "", subject: str = "new", note: str = "") -> Measurement:
    return Measurement(name, value, subject=subject, split=split, note=note or ("why not" if value is None else ""))


ROWS = [
    row("bits_per_byte", 2.0, "held_out", "base"), row("bits_per_byte", 1.5, "held_out"),
    row("bits_per_byte", 1.9, "general", "base"), row("bits_per_byte", 2.0, "general"),
    row("bits_per_byte", 0.1, "general", "new - base"), row("ppmd_bits_per_byte", 1.6, "held_out", "ppmd"),
    row("greedy_recited_share", 0.03, "train"), row("greedy_recited_share", 0.01, "held_out"),
    row("longest_recited_words", 7), row("style_rank", None, note="240 words generated"),
    row("perplexity", float("nan"), "held_out"),
]  # fmt: skip


def held(requirements: Sequence[str], before: str | None = "base") -> list[tuple[bool, float | None]]:
    found = outcomes(requirements, ROWS, trained="new", before=before)
    return [(each.holds, each.value if each.value is None else round(each.value, 6)) for each in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("held_out bits_per_byte < 1.7", (True, 1.5)),
        ("bits_per_byte(held_out) < 1.5", (False, 1.5)),
        ("bits_per_byte <= 1.5", (True, 1.5)),
        ("greedy_recited_share(train) - greedy_recited_share(held_out) < 0.01", (False, 0.02)),
        ("train greedy_recited_share - held_out greedy_recited_share < 2.5e-2", (True, 0.02)),
        ("greedy_recited_share > 0.02", (True, 0.03)),
        ("general bits_per_byte rises < 0.05", (False, 0.1)),
        ("general bits_per_byte rises < .2", (True, 0.1)),
        ("held_out bits_per_byte falls >= 0.5", (True, 0.5)),
        ("longest_recited_words<8", (True, 7)),
        ("bits_per_byte(held_out) - ppmd_bits_per_byte(held_out) < 0", (True, -0.1)),
        ("style_rank < 2", (False, None)),
        ("validation bits_per_byte < 9", (False, None)),
        ("perplexity < 100", (False, None)),
    ],
)
def test_requirements_against_known_measurements(text: str, expected: tuple[bool, float | None]) -> None:
    assert held([text]) == [expected]


def test_what_was_not_measured_says_why() -> None:
    texts = ["style_rank < 2", "validation bits_per_byte < 9", "perplexity < 9"]
    notes = [each.note for each in outcomes(texts, ROWS, trained="new", before="base")]
    assert notes == ["240 words generated", "bits_per_byte(validation) is not among the measurements",
                     "perplexity is not finite: the model has diverged"]  # fmt: skip
    assert str(outcomes(["style_rank < 2"], ROWS, trained="new", before=None)[0]) == (
        "style_rank < 2: not measured, 240 words generated"
    )
    assert "nothing before" in outcomes(["bits_per_byte rises < 1"], ROWS, trained="new", before=None)[0].note


@pytest.mark.parametrize(
    "text", ["bits_per_byte", "bits_per_byte < low", "heldout bits_per_byte < 1", "bits_per_byte(test) < 1", "< 2",
             "train bits_per_byte(train) < 1", "bits_per_byte jumps < 1", "a - b - c < 1"],
)  # fmt: skip
def test_what_is_no_requirement_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"^require: .*such as held_out bits_per_byte < 1\.7$"):
        read_requirement(text)


def test_a_recipe_is_refused_before_the_work(book: Path, tmp_path: Path) -> None:
    from wellread import pipeline

    with pytest.raises(RecipeError, match=r"perplexity is not among measure\.metrics"):
        parse_recipe(RECIPE, ["require=[perplexity < 3]"])
    with pytest.raises(RecipeError, match="nothing was measured before"):
        parse_recipe(RECIPE, ["require=[bits_per_byte rises < 3]"])
    stages = [f"{{name: {kind}, method: {{kind: {kind}}}, budget: {{steps: 1}}}}" for kind in ("lora", "scratch")]
    with pytest.raises(RecipeError, match="nothing was measured before"):
        parse_recipe(RECIPE, ["base=embedded", f"stages=[{', '.join(stages)}]", "require=[bits_per_byte rises < 3]"])
    with pytest.raises(RecipeError, match="is no requirement"):
        parse_recipe(RECIPE, ["require=[bits_per_byte is low]"])
    with pytest.raises(UnknownName, match="bits_per_bite"):
        pipeline.run(
            parse_recipe(RECIPE, ["measure.metrics=[]", "require=[bits_per_bite < 3]"]), [book], out=tmp_path / "r"
        )
    with pytest.raises(RecipeError, match=r"set measure\.style_words"):
        parse_recipe(RECIPE, ["measure.metrics=[]", "require=[style_rank_function_words < 2]"])
    parse_recipe(RECIPE, ["measure.metrics=[]", "measure.style_words=5000", "require=[style_rank_function_words < 2]"])
    with pytest.raises(RecipeError, match="only where a base could forget it"):
        parse_recipe(RECIPE, ["require=[general bits_per_byte < 3]"])
    parse_recipe(RECIPE, ["require=[bits_per_byte - ppmd_bits_per_byte < 0]"])


@pytest.mark.parametrize(
    ("metric", "name", "expected"),
    [
        ("bits_per_byte", "bits_per_byte", True),
        ("greedy_recited_share_200_bytes", "greedy_recited_share", True),
        ("retrieval_recall@5", "retrieval_recall", True),
        ("bits_per_bytes", "bits_per_byte", False),
        ("ppmd_bits_per_byte", "bits_per_byte", False),
    ],
)
def test_a_variant_is_its_metrics_and_a_slip_of_the_pen_is_nobodys(metric: str, name: str, expected: bool) -> None:
    assert measured_by(metric, name) is expected


@pytest.mark.slow
def test_a_run_that_falls_short_exits_3_and_several_seeds_are_told_together(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    from typer.testing import CliRunner

    from wellread.cli import app

    monkeypatch.chdir(tmp_path)
    Path("short.yaml").write_text(RECIPE, encoding="utf-8")
    short = ["run", "short.yaml", str(book), "--set", "require=[held_out bits_per_byte < 0.5, bits_per_byte < 9]"]
    fails = CliRunner().invoke(app, [*short, "--repeats", "2", "--seed", "4"])
    assert fails.exit_code == 3
    assert fails.stderr.count("held_out bits_per_byte < 0.5: does not hold, measured") == 2
    assert "bits_per_byte < 9" not in fails.stderr
    assert "2 runs, seeds 4, 5" in fails.stderr
    assert "Surprise, in bits per byte, held-out" in fails.stderr
    folders = sorted(Path("runs").iterdir())
    assert len(folders) == 2
    page = (folders[0] / "report.html").read_text(encoding="utf-8")
    assert "Does not hold" in page
    assert "One of 2 runs" in page

    again = CliRunner().invoke(app, [*short, "--repeats", "2", "--seed", "4", "--json"])
    *each, together = map(json.loads, again.stdout.splitlines())
    values = [line["require"][0]["value"] for line in each]
    assert [line["require"][1]["holds"] for line in each] == [True, True]
    [bits] = [one for one in together["spread"] if (one["name"], one["split"]) == ("bits_per_byte", "held_out")]
    assert bits["values"] == pytest.approx(values)
    assert bits["standard_deviation"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5)
    assert again.exit_code == 3


def test_a_run_that_has_what_is_required_exits_0_and_says_that_it_is_single(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from wellread.cli import app

    monkeypatch.chdir(tmp_path)
    Path("short.yaml").write_text(RECIPE, encoding="utf-8")
    done = CliRunner().invoke(app, ["run", "short.yaml", str(book), "--out", "run"])
    assert done.exit_code == 0, done.output
    page = Path("run/report.html").read_text(encoding="utf-8")
    assert "A single run, under one seed" in page
    assert page.count("<strong>Holds</strong>") == 2
