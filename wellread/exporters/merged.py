"""A model in, a folder that plain transformers (and vLLM, TGI, …) opens out."""

from __future__ import annotations

from pathlib import Path

from wellread import weights
from wellread.exporters import Leaving


def write_merged(leaving: Leaving, folder: Path) -> Path:
    """Weights, tokenizer and generation settings; returns the folder. Raises StorageError."""
    import torch

    model = leaving.model.to(getattr(torch, leaving.rounding))
    weights.save(model, leaving.tokenizer, folder, method="merged")
    return folder
