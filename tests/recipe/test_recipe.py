from __future__ import annotations

import pytest

from wellread.errors import RecipeError
from wellread.recipe import fingerprint, load_recipe, parse_recipe, recipe_yaml, shipped
from wellread.recipe.overriding import expand_grid

RECIPE = """
name: short
base: embedded
stages:
  - name: imprint
    method: {kind: lora}
    budget: {epochs: 3}
"""


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_recipe_parses_says_what_it_is_for_and_survives_a_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.about
    assert parse_recipe(recipe_yaml(recipe)) == recipe


def test_set_finds_the_one_key_below_a_stage() -> None:
    recipe = parse_recipe(RECIPE, ["imprint.rank=8", "imprint.learning_rate=1e-3", "seed=7"])
    [stage] = recipe.stages
    assert (stage.method.rank, stage.optimizer.learning_rate, recipe.seed) == (8, 1e-3, 7)


def test_set_takes_the_whole_path_too() -> None:
    assert parse_recipe(RECIPE, ["stages.imprint.windows.length=64"]).stages[0].windows.length == 64


def test_a_budget_that_is_set_replaces_the_recipes() -> None:
    budget = parse_recipe(RECIPE, ["stages.minutes=5"]).stages[0].budget
    assert (budget.minutes, budget.epochs) == (5, None)
    least = RECIPE.replace("epochs: 3", "epochs: 3, least_steps: 40")
    assert parse_recipe(least).stages[0].budget.least_steps == 40
    for setting in ("stages.minutes=5", "stages.epochs=1", "stages.steps=2"):  # whoever says how long means it
        assert parse_recipe(least, [setting]).stages[0].budget.least_steps is None
    both = ["stages.least_steps=9", "stages.epochs=1"]
    for settings in (both, both[::-1]):
        budget = parse_recipe(least, settings).stages[0].budget
        assert (budget.epochs, budget.least_steps) == (1, 9)
    sized = least + "sizes: {small: [stages.epochs=2, stages.least_steps=20]}"
    assert parse_recipe(sized, ["size=small"]).stages[0].budget.least_steps == 20
    assert parse_recipe(sized, ["size=small", "stages.epochs=1"]).stages[0].budget.least_steps is None


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("imprint.rnk=8", "did you mean 'imprint.rank'"),
        ("sede=8", "did you mean 'seed'"),
        ("imprit.rank=8", "did you mean 'imprint'"),
        ("imprint.rank=0", "rank"),
        ("imprint.rank", "place.key=value"),
        ("name=x y", "name"),
        ("imprint.rank=[", "not a YAML value"),
    ],
)
def test_a_wrong_setting_gets_one_clear_line(setting: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(RECIPE, [setting])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: [", "not valid YAML"),
        ("- a", "mapping"),
        ("name: x\nstages: []", "stages"),
        (RECIPE.replace("epochs: 3", "epochs: 3, minutes: 2"), "exactly one"),
        (RECIPE.replace("epochs: 3", "steps: 3, least_steps: 9"), "least_steps goes with epochs"),
        (RECIPE.replace("base: embedded\n", ""), "needs a `base`"),
        (RECIPE.replace("lora", "scratch"), "has no base"),
        (RECIPE.replace("base:", "bsae:"), "did you mean 'base'"),
    ],
)
def test_a_wrong_recipe_gets_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_comma_list_runs_the_grid_and_brackets_protect_a_comma() -> None:
    assert expand_grid(["a.rank=8,32", "b=1"]) == [["a.rank=8", "b=1"], ["a.rank=32", "b=1"]]
    assert expand_grid(["texts=[a,b]"]) == [["texts=[a,b]"]]
    assert expand_grid(["m={kind: lora, modules: [q, v]},{kind: full}"]) == [
        ["m={kind: lora, modules: [q, v]}"], ["m={kind: full}"]
    ]  # fmt: skip
    assert expand_grid([]) == [[]]


def test_the_fingerprint_follows_the_recipe_and_the_texts() -> None:
    recipe = parse_recipe(RECIPE)
    assert fingerprint(recipe, ["a"]) == fingerprint(parse_recipe(recipe_yaml(recipe)), ["a"])
    assert fingerprint(recipe, ["a"]) != fingerprint(recipe, ["b"])
    assert fingerprint(recipe, ["a"]) != fingerprint(parse_recipe(RECIPE, ["seed=1"]), ["a"])
