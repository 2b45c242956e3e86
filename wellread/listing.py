"""What there is of a kind, a name and a line each, without importing any of it."""

from __future__ import annotations

from pathlib import Path

from wellread import registry, runs
from wellread.errors import UsageError


def listing(kind: str, folder: Path = Path("runs")) -> list[tuple[str, str]]:
    """Names with one line about each. Raises UsageError for a kind there is not."""
    from wellread import corpus, metrics
    from wellread.recipe import load_recipe, shipped
    from wellread.reports.wording import metric_words
    from wellread.retrieval.store import is_finished
    from wellread.runs import is_store
    from wellread.texts import ABOUT, library_data, library_texts

    if kind == "recipes":
        return [(name, load_recipe(name).about) for name in shipped()]
    if kind == "metrics":
        return [(name, metric_words(name).explanation) for name in registry.names("metrics", metrics.METRICS)]
    if kind == "loaders":
        return [(name, corpus.ABOUT.get(name, "")) for name in registry.names("loaders", corpus.LOADERS)]
    if kind == "texts":
        return [(f"library:{name}", ABOUT.get(name, "")) for name in (*library_texts(), *library_data())]
    if kind == "runs":
        found = sorted(path for path in folder.iterdir() if runs.is_run(path)) if folder.is_dir() else []
        return [(str(path), "finished" if (path / "measurements.jsonl").is_file() else "unfinished") for path in found]
    if kind == "stores":
        kept = sorted(path for path in Path().iterdir() if is_store(path))
        return [(str(path), "finished" if is_finished(path) else "unfinished") for path in kept]
    kinds = ("recipes", "metrics", "loaders", "texts", "runs", "stores")
    raise UsageError(registry.unknown(f"kind {kind!r}", kind, kinds))
