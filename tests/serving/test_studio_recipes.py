"""What the studio starts from what is uploaded: which files, and for how long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wellread.commands.options import recipes_of
from wellread.errors import UsageError
from wellread.recipe import load_recipe, shipped
from wellread.serving import studio_runs
from wellread.serving.studio_files import keep_upload
from wellread.serving.studio_recipes import RECIPES, every_kind, suited
from wellread.serving.studio_runs import start_run
from wellread.texts import found


def test_what_may_be_started_is_shipped_and_told_in_a_line() -> None:
    assert set(RECIPES) <= set(shipped())
    assert {"glossary", "backstories"} <= set(RECIPES)
    assert all(40 < len(each.about) < 130 for each in RECIPES.values())


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_taught_from_one_upload_alone(name: str) -> None:
    """Nothing else of these recipes is the visitor's: no file but the text that is uploaded in place of the recipe's own."""
    recipe = load_recipe(name)
    assert (recipe.questions, recipe.extract, recipe.fight) == ((), None, None)
    assert not [stage for stage in recipe.stages if stage.random_windows or (stage.examples and stage.examples.files)]
    assert recipe.base in (None, "embedded")
    own = {Path(path).suffix for path in found(recipe.corpus.texts)} if recipe.corpus.texts else set()
    assert own <= set(RECIPES[name].reads)


@pytest.mark.parametrize(
    ("recipe", "names", "said"),
    [("glossary", ["a.epub"], "glossary does not read that; upload one of .csv"), ("glossary", ["a.csv", "b.csv"], "one file"),
     ("novel", ["a.tsv"], "a.tsv"), ("backstories", ["a.jsonl", "b.txt"], "b.txt"), ("handbook", ["a.md"], "starts no recipe"),
     ("../novel", [], "starts no recipe")],
)  # fmt: skip
def test_files_that_a_recipe_does_not_read_are_refused(recipe: str, names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        suited(recipe, names)


def test_every_recipe_s_own_kinds_can_be_uploaded(tmp_path: Path) -> None:
    assert {".tsv", ".yaml", ".epub", ".jsonl"} <= set(every_kind())
    (tmp_path / "Terms.TSV").write_text("term\tdefinition\nAPI\ta permit\n")
    with pytest.raises(UsageError, match=r"found \.tsv"):
        keep_upload(tmp_path / "Terms.TSV", tmp_path / "uploads")
    kept = keep_upload(tmp_path / "Terms.TSV", tmp_path / "uploads", reads=suited("glossary", ["Terms.TSV"]).reads)
    assert kept.name == "terms.tsv"


def words_of(this: Any) -> list[str]:
    return list(json.loads((this.path / "studio.json").read_text())["words"])


def test_a_recipe_trains_as_long_as_it_says_or_as_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio_runs, "_MAIN", "")
    table = tmp_path / "terms.csv"
    table.write_text("term,definition\nAPI,a permit\n")
    own = words_of(start_run("glossary", [table], tmp_path / "runs", minutes=None))
    told = words_of(start_run("glossary", [table], tmp_path / "runs", minutes=3))
    assert "--minutes" not in own
    assert told[told.index("--minutes") + 1] == "3"
    [as_it_says], [as_told] = (recipes_of("glossary", None, None, minutes, True) for minutes in (None, 3.0))
    assert as_it_says.stages[0].budget == load_recipe("glossary").stages[0].budget
    assert (as_told.stages[0].budget.epochs, as_told.stages[0].budget.minutes) == (None, 3)
