"""A name in, an object out: a room's own table, what other packages registered, and "did you mean …?"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from wellread.errors import UnknownName


def names(kind: str, table: Mapping[str, str]) -> list[str]:
    """Every name of a kind ("loaders", "metrics", …), built in and registered by others; imports nothing."""
    return sorted({*table, *(entry.name for entry in entry_points(group=f"wellread.{kind}"))})


def resolve(kind: str, table: Mapping[str, str], name: str) -> Any:
    """The object that `name` stands for. Raises UnknownName with the nearest known name."""
    if name in table:
        module, _, attribute = table[name].partition(":")
        return getattr(import_module(module), attribute)
    for entry in entry_points(group=f"wellread.{kind}"):
        if entry.name == name:
            return entry.load()
    raise UnknownName(unknown(f"{kind.rstrip('s')} {name!r}", name, names(kind, table)))


def unknown(what: str, name: str, known: Iterable[str], *, under: str = "") -> str:
    """The one line for a name that is not there; the name that is meant is told with `under` before it."""
    choices = list(known)
    near = difflib.get_close_matches(name, choices, n=1)
    hint = f"did you mean {under + near[0]!r}?" if near else f"there are: {', '.join(choices) or 'none'}."
    return f"no {what}; {hint}"
