"""`--set place.key=value`, and the grid that a comma list stands for: settings laid over a resolved recipe."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from wellread.errors import RecipeError
from wellread.registry import unknown

BUDGETS = ("epochs", "steps", "tokens", "minutes")
"""In which a budget can be told, and each in place of another."""
LEAST = "least_steps"
"""Goes with a budget in epochs, and goes when another is told."""


def expand_grid(settings: Sequence[str]) -> list[list[str]]:
    """`a.rank=8,32` stands for two runs: every combination of the listed values; brackets protect a comma."""
    choices = []
    for setting in settings:
        path, equals, text = setting.partition("=")
        values = _listed(text) if equals else [text]
        choices.append([f"{path}{equals}{value}" for value in values])
    return [list(combination) for combination in itertools.product(*choices)]


def _listed(text: str) -> list[str]:
    """The values between the commas that stand in no bracket."""
    values, depth = [""], 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            values.append("")
        else:
            values[-1] += letter
    return values


def override(raw: dict[str, Any], settings: Sequence[str]) -> None:
    """Lay settings over a resolved recipe, in their order; but what goes with a budget after it, wherever it was named."""
    for setting in sorted(settings, key=lambda each: each.partition("=")[0].rpartition(".")[2] == LEAST):
        _override(raw, setting)


def _override(raw: dict[str, Any], setting: str) -> None:
    """Apply one `place.key=value`: the exact path, or the only such key below `place`."""
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise RecipeError(f"--set wants place.key=value; found {setting!r}")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set {path}: {text!r} is not a YAML value") from None
    *places, key = path.split(".")
    node: Any = raw
    for place in places:
        node = _step(node, place, path)
    holders = [node] if isinstance(node, dict) and key in node else list(_holders(node, key))
    if not holders:
        raise RecipeError(unknown(f"setting {path!r}", key, _all_keys(node), under=path.removesuffix(key)))
    if len(holders) > 1:
        raise RecipeError(
            f"--set {path}: {len(holders)} settings have this name; write the whole path, as in recipe.yaml"
        )
    if key in BUDGETS and holders[0].keys() >= {*BUDGETS}:  # one budget replaces another, with what went with it
        holders[0].update(dict.fromkeys((*BUDGETS, LEAST)))
    holders[0][key] = value


def _step(node: Any, place: str, path: str) -> Any:
    if isinstance(node, dict) and isinstance(node.get(place), dict | list):
        return node[place]
    stages = node.get("stages", []) if isinstance(node, dict) else node
    stages = [item for item in stages if isinstance(item, dict)] if isinstance(stages, list) else []
    for item in stages:
        if item.get("name") == place:
            return item
    known = [*node, *(item["name"] for item in stages)] if isinstance(node, dict) else [i["name"] for i in stages]
    raise RecipeError(unknown(f"setting {path!r}", place, known))


def _holders(node: Any, key: str) -> Iterable[dict[str, Any]]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        if isinstance(child, dict) and key in child:
            yield child
        yield from _holders(child, key)


def _all_keys(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [*node, *(key for child in node.values() for key in _all_keys(child))]
    return [key for child in node for key in _all_keys(child)] if isinstance(node, list) else []
