"""`wellread resolve`: a canon and references as people name them in, the lines out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from wellread.canon.reading import Canon, Key, read_canon
from wellread.canon.references import Reference, of_answer, parse
from wellread.canon.resolving import Resolved, resolve
from wellread.errors import CorpusError, RecipeError, UsageError, first_line
from wellread.recipe import parse_recipe, recipe_text
from wellread.recipe.extraction import CanonSettings, Coordinates
from wellread.texts import library_path


def resolve_references(name: str, references: str) -> list[Resolved]:
    """The lines that references name in a canon.

    `name` is a recipe with a canon, shipped or a file, or a YAML file of a `canon:` block alone; `references` is text
    such as `V 3-5; XI 6`, or JSON as the recipe's models answer (a list of objects of the levels, or of first and last
    coordinates). Raises UsageError for what cannot be read; what does not exist is said in each `missing`.
    """
    settings, where = canon_settings(name)
    canon = open_canon(settings)
    return resolve(canon, read_references(references, canon, where))


def canon_settings(name: str) -> tuple[CanonSettings, Coordinates | None]:
    """The canon of a recipe, and where its answers have their coordinates; None where only a canon is given."""
    if library_path(name) != name:
        raise UsageError(
            f"{name} is a text, and a canon says where its coordinates are: name a recipe that has one, such as "
            "references, or a YAML file of a `canon:` block."
        )
    text = recipe_text(name)
    try:
        raw: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"{name}: not valid YAML") from None
    if isinstance(raw, dict) and set(raw) == {"canon"}:
        try:
            return CanonSettings.model_validate(raw["canon"]), None
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            raise RecipeError(f"{name}: canon.{'.'.join(map(str, found['loc']))}: {found['msg']}") from None
    recipe = parse_recipe(text, source=name)
    if recipe.extract is None or recipe.extract.canon is None:
        raise RecipeError(f"{name}: the recipe has no canon; give extract.canon, or a YAML file with a `canon:` block.")
    return recipe.extract.canon, recipe.extract.coordinates


def open_canon(settings: CanonSettings) -> Canon:
    """The canon that settings describe, read from its file. Raises CorpusError where it cannot be."""
    path = Path(library_path(settings.text))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"cannot read the canon {settings.text}: {first_line(error)}") from None
    return read_canon(text, settings, path.stem)


def read_references(text: str, canon: Canon, where: Coordinates | None = None) -> list[Reference]:
    """References from text or JSON. Raises UsageError."""
    if not text.lstrip().startswith(("[", "{")):
        return parse(text, canon)
    try:
        answer = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"the references are not valid JSON: {error.msg}, column {error.colno}") from None
    found = of_answer(answer, where or Coordinates(start=canon.levels))
    if not found and answer not in ([], {}):
        raise UsageError(f"no references in this JSON; their coordinates are {', '.join(_paths(canon.levels, where))}")
    return found


def named(at: Sequence[Key]) -> str:
    """A place in short: `5.3`."""
    return ".".join(map(str, at))


def _paths(levels: Sequence[str], where: Coordinates | None) -> Sequence[str]:
    return levels if where is None else (*where.start, *where.end)
