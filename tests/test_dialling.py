"""The dial of a run: its names, its curve, the setting that is chosen, and what the certificate draws of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from books import write_book
from dials import dialled, dialled_in
from typer.testing import CliRunner

from wellread import cli, measuring, models, pipeline, weights
from wellread.corpus.ingest import ingest, write_corpus
from wellread.dialling import chosen, dial_curve, subject
from wellread.errors import RecipeError, UsageError
from wellread.generation.hf import TransformersModel
from wellread.recipe import lineage, parse_recipe, recipe_yaml
from wellread.reports.dial import dial as drawn
from wellread.runs import Run
from wellread.storage import read_rows, write_text
from wellread.testing import tiny_model
from wellread.types import Measurement, Sampling

DEEPENED = """
  - name: deepen
    method: {kind: full}
    windows: {length: 64}
    budget: {steps: 2}
    optimizer: {batch: 2}
    evaluations: 1
dial: {wish: voice-without-recitation, settings: [0, 0.5, 1]}
sampling: {max_tokens: 12, n: 1}
measure: {quick_words: 1500, metrics: [bits_per_byte]}
"""
SCRATCH = """
name: short
stages:
  - {name: first, method: {kind: scratch, size: tiny, vocabulary: 320}, budget: {steps: 1}}
  - {name: second, method: {kind: full}, budget: {steps: 1}}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run's folder as far as its dial needs it, with its curve."""
    folder = tmp_path_factory.mktemp("dial")
    this = tuned_run(folder, write_book(folder / "book.txt"))
    dial_curve(str(this.path))
    return this


def tuned_run(folder: Path, book: Path, *settings: str) -> Run:
    """The folder of a run: an adapter of random differences, then random steps of every weight."""
    recipe = parse_recipe(dialled_in(folder, DEEPENED), settings)
    this = Run(folder / "run")
    write_corpus(ingest([book], recipe.corpus, seed=0), this.corpus)
    write_text(this.recipe, recipe_yaml(recipe))
    first = this.stage(1, "imprint").checkpoint
    base = str(recipe.base)
    _stray(weights.open_to_train(recipe.stages[0], base, folder=folder, text_bytes=1, seed=0), first, "lora")
    later = weights.open_to_train(recipe.stages[1], str(first), folder=folder, text_bytes=1, seed=0)
    _stray(later, this.stage(2, "deepen").checkpoint, "full")
    return this


def _stray(trainee: weights.Trainee, checkpoint: Path, method: str) -> None:
    """Save a model whose weights took a random step."""
    draw = torch.Generator().manual_seed(1)
    for weight in trainee.model.parameters():
        if weight.requires_grad:
            weight.data += 0.1 * torch.randn(weight.shape, generator=draw)
    weights.save(trainee.model, trainee.tokenizer, checkpoint, method=method, base=trainee.base)


def weights_of(name: str) -> dict[str, torch.Tensor]:
    model: Any = models.open_model(name)
    return {key: value.detach() for key, value in weights.merge(model._model).named_parameters()}


@pytest.mark.slow
def test_a_setting_in_a_model_name_opens_that_model(run: Run) -> None:
    recipe = parse_recipe(run.recipe.read_text(encoding="utf-8"))
    base, half, tuned = (weights_of(name) for name in (str(recipe.base), f"{run.path}@0.5", str(run.path)))
    for name, weight in half.items():
        torch.testing.assert_close(weight, (base[name] + tuned[name]) / 2, rtol=0, atol=1e-7)
    stage = f"{run.path}:imprint"
    for alpha, name in ((0, str(recipe.base)), (1, stage)):
        text = [
            models.open_model(each).generate(["The bell"], Sampling(20))[0].completion
            for each in (f"{stage}@{alpha}", name)
        ]
        assert text[0] == text[1]


@pytest.mark.slow
def test_names_that_have_no_dial_say_so(run: Run, tmp_path: Path) -> None:
    for name, why in (
        ("embedded@0.5", "belongs to a run"),
        (f"{run.path}@3", "from 0"),
        (f"{run.path}:never@1", "no finished stage"),
    ):
        with pytest.raises(UsageError, match=why):
            models.open_model(name)
    with pytest.raises(UsageError, match="no checkpoint"):
        models.locate(f"{run.path}@0.5")


def test_a_folder_may_have_an_at_in_its_name(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "model@1")
    assert models.read_name(str(folder)) == models.Named(str(folder))


@pytest.mark.slow
def test_the_curve_has_every_part_and_held_out_text_comes_after_the_choice(run: Run) -> None:
    rows = [Measurement.from_json(row) for row in read_rows(run.dial) if row["subject"].startswith("deepen")]
    bits = {(row.subject, row.split) for row in rows if row.name == "bits_per_byte" and " - " not in row.subject}
    assert bits == {
        (f"deepen@{alpha}", split) for alpha in ("0", "0.5", "1") for split in ("validation", "general", "held_out")
    }
    place = [row.name for row in rows].index("dial_setting")
    assert {row.split for row in rows[:place]} == {"train", "validation", "general"}
    assert {row.split for row in rows[place + 1 :]} == {"held_out"}
    choice = rows[place].value
    assert choice is not None
    recited = {row.subject for row in rows[place:] if row.name == "greedy_recited_share"}
    assert recited == {subject("deepen", alpha) for alpha in (choice, 1.0)}


@pytest.mark.slow
def test_style_stands_in_the_curve_and_in_the_choice(tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    for number in range(9):
        write_book(tmp_path / "others" / f"other{number}.txt", chapters=5, words=1240, seed=number + 5)
    asked = ("measure.style_words=5000", f"references={[str(tmp_path / 'others')]}", "sampling.max_tokens=64")
    this = tuned_run(tmp_path, write_book(tmp_path / "book.txt", chapters=30, words=1240), *asked)
    rows = dial_curve(str(this.path), (0, 1), metrics=("style_rank", "style_attribution"))
    [choice] = [row for row in rows if row.name == "dial_setting"]
    assert "the best style rank, then" in choice.note
    ranks = {(row.subject, row.split): row for row in rows if row.name == "style_rank"}
    assert {(subject("deepen", alpha), "") for alpha in (0, 1)} <= set(ranks)
    assert {of for of, split in ranks if split == "held_out"} == {f"deepen@{choice.value:g}", "deepen@1"}
    assert all(row.value is not None and row.n == 10 for row in ranks.values())
    figure = drawn(rows, trained="deepen", unit="chapter")
    assert figure is not None
    assert [panel.key for panel in figure.panels] == ["dial-bits", "dial-recited", "dial-rank", "dial-taken"]
    assert "after their beginnings the book has rank" in figure.told


@pytest.mark.slow
def test_measure_draws_the_curve_of_any_stage(run: Run) -> None:
    done = CliRunner().invoke(cli.app, ["measure", f"{run.path}:imprint", "--dial", "0,1", "--quick", "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"imprint@0", "imprint@1", "imprint"} <= {row["subject"] for row in rows}
    kept = {row["subject"].partition("@")[0] for row in read_rows(run.dial)}
    assert kept == {"imprint", "deepen"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dial", "0,1"], []),
        (["--dial", "0,1", "--quick"], ["measure.quick=True"]),
        (["--dial", "0,1", "--full"], ["measure.quick=False"]),
    ],
)
def test_a_dial_is_measured_as_its_run_was_but_where_one_says_otherwise(
    words: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def along(model: str, dial: str, metrics: object, settings: list[str], **rest: object) -> list[Measurement]:
        asked.append(settings)
        return []

    monkeypatch.setattr(measuring, "_along_dial", along)
    assert CliRunner().invoke(cli.app, ["measure", "somewhere", *words]).exit_code == 0
    assert asked == [said]


@pytest.mark.slow
def test_write_takes_dial_and_guard(run: Run) -> None:
    def written(*words: str) -> str:
        done = CliRunner().invoke(cli.app, ["write", *words, "--max-tokens", "40", "--json"])
        assert done.exit_code == 0, done.output
        return str(json.loads(done.stdout)["completion"])

    assert written(str(run.path), "The", "--dial", "0.5") == written(f"{run.path}@0.5", "The")
    recipe = parse_recipe(run.recipe.read_text(encoding="utf-8"))
    assert written(str(run.path), "The", "--no-recite", "8") == written(str(run.path), "The")
    assert written(str(recipe.base), "The", "--no-recite", "8", "--run", str(run.path))
    for words in (["embedded", "The", "--no-recite", "8"], [f"{run.path}@1", "The", "--dial", "1"]):
        refused = CliRunner().invoke(cli.app, ["write", *words])
        assert isinstance(refused.exception, UsageError)


def row(name: str, split: str, alpha: float, value: float) -> Measurement:
    return Measurement(name, value, subject=subject("s", alpha), split=split)


def curve(*points: tuple[float, float, float], floor: float = 0.0, known: float = 0.0) -> list[Measurement]:
    """Rows at settings: bits per byte, and the share recited of the training part."""
    rows = [row("greedy_recited_share", "train", 0, known)]
    for alpha, bits, recited in points:
        rows.append(row("bits_per_byte", "validation", alpha, bits))
        rows.append(row("greedy_recited_share", "validation", alpha, floor))
        rows += [row("greedy_recited_share", "train", alpha, recited)] if alpha else []
    return rows


POINTS = ((0.0, 1.5, 0.0), (0.5, 1.2, 0.004), (0.75, 1.1, 0.03), (1.0, 1.3, 0.4))


def test_the_wish_takes_the_best_reader_that_does_not_recite() -> None:
    assert chosen(curve(*POINTS), "s", [0, 0.5, 0.75, 1]).value == 0.5
    assert chosen(curve(*POINTS, floor=0.025), "s", [0, 0.5, 0.75, 1]).value == 0.75
    assert chosen(curve(*POINTS, known=0.025), "s", [0, 0.5, 0.75, 1]).value == 0.75


def test_style_decides_before_bits_per_byte() -> None:
    ranks = [row("style_rank", "", alpha, rank) for alpha, rank in ((0.0, 1.0), (0.5, 2.0), (0.75, 1.0), (1.0, 1.0))]
    assert chosen(curve(*POINTS) + ranks, "s", [0, 0.5, 0.75, 1]).value == 0.0
    assert chosen(curve(*POINTS) + ranks[1:], "s", [0, 0.5, 0.75, 1]).value == 0.5


def test_held_out_text_chooses_nothing() -> None:
    worse = [row("bits_per_byte", "held_out", alpha, bits) for alpha, bits in ((0.0, 0.1), (0.5, 3.0))]
    ranks = [replace(row("style_rank", "", 0.0, 1.0), split="held_out")]
    assert chosen(worse + ranks + curve(*POINTS), "s", [0, 0.5, 0.75, 1]).value == 0.5


def test_where_every_setting_recites_nothing_is_chosen() -> None:
    choice = chosen(curve(*POINTS[2:]), "s", [0.75, 1])
    assert choice.value is None
    assert "recites more than the floor" in choice.note
    figure = drawn([*curve(*POINTS[2:]), choice], trained="s", unit="chapter")
    assert figure is not None
    assert all(panel.chosen is None for panel in figure.panels)
    assert "No setting is marked" in figure.told


def test_the_chart_marks_the_setting_where_it_lies() -> None:
    rows = curve(*POINTS)
    figure = drawn([*rows, chosen(rows, "s", [0, 0.5, 0.75, 1])], trained="s", unit="chapter")
    assert figure is not None
    assert [panel.key for panel in figure.panels] == ["dial-bits", "dial-recited"]
    assert {panel.chosen for panel in figure.panels} == {50.0}
    assert "Style was not measured along the dial: set measure.style_words." in figure.told
    assert drawn(rows, trained="another", unit="chapter") is None


def test_the_figure_tells_what_held_out_text_says_of_the_choice() -> None:
    rows = curve(*POINTS)
    rows.append(chosen(rows, "s", [0, 0.5, 0.75, 1]))
    rows += [row("style_rank", "", alpha, rank) for alpha, rank in ((0.0, 6.0), (0.5, 2.0), (1.0, 1.0))]
    rows += [row("bits_per_byte", "held_out", 0.5, 1.25), row("bits_per_byte", "held_out", 1.0, 1.4)]
    rows += [row("style_rank", "held_out", 0.5, 3.0), row("style_rank", "held_out", 1.0, 1.0)]
    rows.append(replace(rows[-4], value=-0.15, low=-0.2, high=-0.1, subject="s@0.5 - s@1"))
    figure = drawn(rows, trained="s", unit="chapter")
    assert figure is not None
    assert ("On the held-out chapters it needs 1.250 bits per byte (the trained model itself 1.400; difference −0.150, "
            "95 % interval −0.200 to −0.100); after their beginnings the book has rank 3 in its writing (the trained "
            "model itself 1); of the training chapters it recites 0.40 % (the trained model itself 40.0 %)"
            ) in figure.told  # fmt: skip
    [rank] = [panel for panel in figure.panels if panel.key == "dial-rank"]
    assert all(tick.label.isdigit() and int(tick.label) >= 1 for tick in rank.y_ticks)


def test_a_recipe_knows_what_its_stages_go_back_to(tmp_path: Path) -> None:
    stages = parse_recipe(SCRATCH).stages
    assert lineage(stages) == {"first": (), "second": ("first",)}
    of_a_base = parse_recipe(dialled(DEEPENED)).stages
    assert lineage(of_a_base)["deepen"] == ("imprint", "base")
    with pytest.raises(RecipeError, match="name an earlier stage"):
        parse_recipe(SCRATCH + "dial: {wish: voice-without-recitation}")
    with pytest.raises(RecipeError, match=r"dial\.from"):
        parse_recipe(SCRATCH + "dial: {from: third}")
    with pytest.raises(RecipeError, match="from 0 to"):
        parse_recipe(SCRATCH + "dial: {settings: [0, 2]}")
    asked = parse_recipe(SCRATCH + "dial: {wish: voice-without-recitation, from: first}")
    assert asked.dial.origin == "first"
    assert "from: first" in recipe_yaml(asked)
    assert parse_recipe(recipe_yaml(asked)) == asked
    assert parse_recipe(SCRATCH, ["dial.from=first"]).dial.origin == "first"


@pytest.mark.slow
def test_a_run_with_a_wish_ends_with_its_curve(tmp_path: Path) -> None:
    book = write_book(tmp_path / "book.txt")
    asked = SCRATCH + (
        "dial: {from: first, wish: voice-without-recitation, settings: [0, 0.5, 1]}\n"
        "measure: {quick_words: 1500, metrics: [bits_per_byte]}\nsampling: {max_tokens: 4, n: 1}\n"
    )
    done = pipeline.run(parse_recipe(asked), [book], out=tmp_path / "run")
    rows = [Measurement.from_json(row) for row in read_rows(done.dial)]
    own = {row["split"]: row["value"] for row in read_rows(done.measurements)
           if row["name"] == "bits_per_byte" and row["subject"] == "second"}  # fmt: skip
    tuned = {row.split: row.value for row in rows if row.name == "bits_per_byte" and row.subject == "second@1"}
    assert tuned == pytest.approx({split: own[split] for split in tuned}, rel=1e-4)
    [choice] = [row for row in rows if row.name == "dial_setting"]
    page = done.report.read_text(encoding="utf-8")
    assert 'id="dial"' in page
    assert f"The marked setting, {choice.value:g}," in page


@pytest.mark.slow
def test_a_run_from_scratch_is_blended_with_the_stage_it_names(tmp_path: Path) -> None:
    book = write_book(tmp_path / "book.txt")
    plain = SCRATCH + "measure: {quick_words: 1500, metrics: [bits_per_byte]}\nsampling: {max_tokens: 4, n: 1}\n"
    named = pipeline.run(parse_recipe(plain + "dial: {from: first}"), [book], out=tmp_path / "named")
    assert isinstance(models.open_model(f"{named.path}@0.5"), TransformersModel)
    with pytest.raises(UsageError, match="was not tuned from"):
        models.open_model(f"{named.path}:first@0.5")
    text = named.recipe.read_text(encoding="utf-8")
    named.recipe.write_text(text.replace("from: first", "from: null"), encoding="utf-8")
    with pytest.raises(UsageError, match="began from scratch"):
        models.open_model(f"{named.path}@0.5")
