"""The words of a language that templates are filled with, as a record; `WORDINGS` maps a language to where they stand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from wellread.registry import resolve

PLACE = re.compile(r"{(\w)}(\.?)")
Pairs = tuple[tuple[str, str], ...]
WORDINGS = {"en": "wellread.synthesis.wording_en:WORDING", "fr": "wellread.synthesis.wording_fr:WORDING"}


@dataclass(frozen=True, slots=True)
class Phrasings:
    """Ways to ask one thing: those that train, and those that are only asked afterwards. None stands in both."""

    trained: tuple[str, ...]
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """Placeholders: `{x}` a name, `{e}` what it stands for, `{d}` what it means, `{y}`, `{f}` another name and its
    meaning, `{a}` an alias."""

    forward: Phrasings
    """An acronym, to be spelled out."""
    reverse: Phrasings
    """What an acronym stands for, to be abbreviated."""
    meaning: Phrasings
    """A word, to be defined."""
    naming: Phrasings
    """A definition, to be given its word."""
    describing: Phrasings
    """An acronym, to be defined and not only spelled out."""
    context: Phrasings
    """A name in a sentence."""
    same: tuple[str, ...]
    """Are two names one? The answer begins with `no`."""
    differ: tuple[str, ...]
    """How do two names differ?"""
    quoted: str
    """A word, with `{x}`, where these and the next two name it; acronyms stand bare."""
    confirm: tuple[str, ...]
    """Does a name stand for this?"""
    alias: tuple[str, ...]
    stands_for: tuple[str, ...]
    shortened: tuple[str, ...]
    means: tuple[str, ...]
    """Where the definition goes on from an article or a small letter; `states` where it does not."""
    states: tuple[str, ...]
    named: tuple[str, ...]
    described: tuple[str, ...]
    """With `{x}`, `{e}` and `{d}`."""
    senses: str
    """With `{x}` and `{list}`."""
    yes: str
    no: str
    also: str
    glossary: str
    """The word for one: a question that has it in it asks what the glossary says, and nothing else."""
    absent: str
    """The answer to an invented name, with `{x}`."""
    absent_meaning: str
    """The answer to an invented meaning."""
    leads: tuple[str, ...]
    """What may stand before a question; the first is nothing."""
    swaps: Pairs
    """Words of a definition that others may take the place of."""
    articles: frozenset[str]
    modifiers: tuple[str, ...]
    """What makes another name of a name `{x}`: names that a glossary might have, and has not."""


def wording(language: str) -> Wording:
    """The words of a language. Raises UnknownName where templates do not speak it."""
    found: Wording = resolve("languages", WORDINGS, language)
    return found


def fill(template: str, values: Mapping[str, str]) -> str:
    """A template with its placeholders filled, one sentence end where two would meet; braces in values stay."""

    def put(found: re.Match[str]) -> str:
        value, end = values.get(found[1], found[0]), found[2]
        return value if end and value.endswith((".", "?", "!")) else value + end

    return PLACE.sub(put, template)
