"""Uploaded texts in, a store below the runs folder out, by a safe name; and the stores that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread.errors import UsageError
from wellread.indexing import index_texts
from wellread.retrieval.embedders import EMBEDDED, MULTILINGUAL, NONE, STATIC, packaged
from wellread.retrieval.store import is_finished
from wellread.runs import is_store
from wellread.serving.studio_files import safe_name

EMBEDDERS = {
    "": "as usual: English, or what the store has",
    EMBEDDED: "English (minilm)",
    MULTILINGUAL: "French and some 90 languages (e5)",
    STATIC: "English, quickest (wordllama)",
    NONE: "none: by words alone, any language",
}
"""Names of embedders, each with what it reads."""


def stores_in(runs: Path) -> list[str]:
    """Names of the finished stores that were made here."""
    folder = runs / "stores"
    return (
        sorted(each.name for each in folder.iterdir() if is_store(each) and is_finished(each))
        if folder.is_dir()
        else []
    )


def store_named(name: str | None, runs: Path) -> Path:
    """Raises UsageError for a name that no store has, and for none."""
    if not name:
        raise UsageError("no store is chosen. A store holds texts of yours, cut into passages in which answers are looked up: choose "
                         "one, or make one under “A new store” (upload texts, name it, press “Make the store”). To ask the model "
                         "without one, choose the search “none, by heart”.")  # fmt: skip
    if name not in stores_in(runs):
        raise UsageError("there is no such store here; make one of your texts first, under “A new store”.")
    return runs / "stores" / name


def embedders() -> list[tuple[str, str]]:
    """What a store may be searched by, as the page names it and as `index_texts` does; those that are installed."""
    found = [(label, name) for name, label in EMBEDDERS.items() if name in ("", NONE) or packaged(name) is not None]
    return found


def keep_store(name: str, texts: Sequence[Path], runs: Path, *, embedder: str = "") -> Path:
    """Make the store, or add the texts to the one of this name; where it lies. Without an `embedder` it has the usual one, or
    its own. Raises UsageError for one that the page does not offer, or another than the store has."""
    if embedder not in dict(embedders()).values():
        raise UsageError(f"there is no embedder {embedder[:80]!r} here; choose one from the list.")
    place = runs / "stores" / safe_name(f"{name}." if name.strip() else texts[0].name, otherwise="store")
    place.parent.mkdir(parents=True, exist_ok=True)
    index_texts(texts, place, embedder=embedder or None)
    return place
