"""A MODEL as people write it in, a LanguageModel out: a run, a checkpoint folder, a .gguf file, a hub id, `embedded`."""

from __future__ import annotations

from pathlib import Path

from wellread import runs
from wellread.errors import UsageError
from wellread.types import LanguageModel


def open_model(name: str, *, offline: bool = False, window: int | None = None) -> LanguageModel:
    """The model that `name` stands for, ready to generate and score; `window` caps the tokens it sees at once.

    Its weights are float32 where they fit into memory that way (weights/measured.py). Raises ModelError or UsageError
    where there is no such model.
    """
    from wellread import weights
    from wellread.generation.hf import TransformersModel

    opened = weights.folded(weights.open_to_measure(str(locate(name)), offline=offline))
    return TransformersModel(opened.model, opened.tokenizer, name, window=window, note=opened.note)


def locate(name: str) -> str | Path:
    """The checkpoint that a run folder or RUN:stage means; any other name as it is."""
    if name.startswith(("http://", "https://")):
        raise UsageError(f"{name}: endpoints are not built yet; name a run, a folder, a .gguf file or a hub id.")
    path, colon, stage = name.rpartition(":")
    if runs.is_run(Path(name)):
        return runs.open_run(name).last_checkpoint()
    if colon and runs.is_run(Path(path)):
        return runs.open_run(path).last_checkpoint(stage)
    return name
