"""Uploaded texts in, a store below the runs folder out, by a safe name; and the stores that are there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread.errors import UsageError
from wellread.indexing import index_texts
from wellread.retrieval.store import is_finished
from wellread.runs import is_store
from wellread.serving.studio_files import safe_name


def stores_in(runs: Path) -> list[str]:
    """Names of the finished stores that were made here."""
    folder = runs / "stores"
    return (
        sorted(each.name for each in folder.iterdir() if is_store(each) and is_finished(each))
        if folder.is_dir()
        else []
    )


def store_named(name: str | None, runs: Path) -> Path:
    """Raises UsageError for a name that no store has."""
    if not name or name not in stores_in(runs):
        raise UsageError("there is no such store here; make one of your texts first, under “A new store”.")
    return runs / "stores" / name


def keep_store(name: str, texts: Sequence[Path], runs: Path) -> Path:
    """Make the store, or add the texts to the one of this name; where it lies."""
    place = runs / "stores" / safe_name(f"{name}." if name.strip() else texts[0].name, otherwise="store")
    place.parent.mkdir(parents=True, exist_ok=True)
    index_texts(texts, place)
    return place
