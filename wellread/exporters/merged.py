"""A model in, a folder that plain transformers (and vLLM, TGI, …) opens out."""

from __future__ import annotations

from pathlib import Path

from wellread import storage, weights
from wellread.exporters import Leaving


def write_merged(leaving: Leaving, folder: Path) -> Path:
    """Weights, tokenizer and generation settings; returns the folder. Raises StorageError."""
    import torch

    model = leaving.model.to(getattr(torch, leaving.rounding))
    weights.save(model, leaving.tokenizer, folder, method="merged")
    tell_older_readers(folder)
    return folder


def tell_older_readers(folder: Path) -> None:
    """What transformers 4, and what is built on it, looks for under other names than 5 writes: the kind of tokenizer, the
    rotary base (without it, 10000 is taken in silence) and the numbers. What 5 notes of this machine's folders goes."""
    path = folder / "tokenizer_config.json"
    told = storage.read_json(path)
    if told.get("tokenizer_class") == "TokenizersBackend":
        told["tokenizer_class"] = "PreTrainedTokenizerFast"
    storage.write_json(path, {key: told[key] for key in told if key not in ("backend", "is_local", "local_files_only")})
    path = folder / "config.json"
    config = storage.read_json(path, optional=True)
    if config is None:
        return
    rope = config.get("rope_parameters") or {}
    if "rope_theta" in rope:
        config["rope_theta"] = rope["rope_theta"]
        if rope.get("rope_type", "default") != "default":
            config["rope_scaling"] = {key: value for key, value in rope.items() if key != "rope_theta"}
    storage.write_json(path, config | {"torch_dtype": config["dtype"]})
