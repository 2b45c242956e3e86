"""Recipes whose dial can be turned: the first stage trains an adapter on a base."""

from __future__ import annotations

from pathlib import Path

from wellread.testing import prose, tiny_model

BEGINNING = """
name: dialled
base: {base}
general: [{general}]
stages:
  - name: imprint
    method: {{kind: lora, rank: 4, alpha: 8}}
    windows: {{length: 64}}
    budget: {{steps: 4}}
    optimizer: {{batch: 2, learning_rate: 0.03}}
    evaluations: 1
"""


def dialled(rest: str, *, base: str = "embedded", general: str = "general.txt") -> str:
    """The recipe that goes on with `rest`: further stages, and what is measured."""
    return BEGINNING.format(base=base, general=general) + rest


def dialled_in(folder: Path, rest: str) -> str:
    """The same, with a tiny base and a general text that are written to the folder."""
    general = folder / "general.txt"
    general.write_text(prose(300, seed=9), encoding="utf-8")
    return dialled(rest, base=tiny_model(folder / "base").as_posix(), general=general.as_posix())
