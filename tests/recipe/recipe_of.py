"""A recipe of a line for each stage."""

from __future__ import annotations

from wellread.recipe import Recipe, parse_recipe


def stages(*texts: str, base: str | None = "embedded") -> Recipe:
    head = "name: x\n" + (f"base: {base}\n" if base else "")
    return parse_recipe(head + "stages:\n" + "".join(f"  - {{{text}, budget: {{steps: 1}}}}\n" for text in texts))
