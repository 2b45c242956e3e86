"""Weights to a folder, all of it or none of it; and what a folder says about itself."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from wellread.errors import StorageError
from wellread.types import Checkpoint

RECORD = "wellread.json"
"""Stands in a checkpoint's folder: method, base, fingerprint."""


def save(
    model: Any, tokenizer: Any, folder: Path, *, method: str, base: str | None = None, fingerprint: str = ""
) -> Checkpoint:
    """Write a model (for an adapter: the adapter alone) and its tokenizer so that plain transformers or peft load it.

    An adapter's `base_model_name_or_path` is the base as the recipe names it, so `embedded` stays `embedded` on every
    machine. The folder appears complete or not at all. Raises StorageError (full disk, read-only folder, …).
    """
    if base is not None and hasattr(model, "peft_config"):
        for config in model.peft_config.values():
            config.base_model_name_or_path = base
    with quiet(), new_folder(folder) as unfinished:
        if hasattr(model, "peft_config"):
            # left to itself, peft asks the hub whether the base's vocabulary was resized
            model.save_pretrained(unfinished, save_embedding_layers=False)
        else:
            model.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
        # peft adds a model card with its own idea of the base; the certificate is ours to write
        (unfinished / "README.md").unlink(missing_ok=True)
        record = {"method": method, "base": base, "fingerprint": fingerprint}
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
    path = folder / RECORD
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return Checkpoint(folder, record["method"], record["base"], record["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError(f"{path}: damaged ({first_line(error)}); remove {folder} and run again.") from error


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A sibling folder to write into, which takes the name `folder` once everything in it is on the disk.

    A process killed at any moment leaves either the old folder or the new one, beside at most a hidden `.partial`
    sibling that the next call removes. Raises StorageError, and leaves what was there, when writing fails.
    """
    unfinished = folder.with_name(f".{folder.name}.partial")
    replaced = folder.with_name(f".{folder.name}.replaced")
    with storage_errors(folder):
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        for leftover in (unfinished, replaced):
            if leftover.exists():
                shutil.rmtree(leftover)
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            for path in [*unfinished.rglob("*"), unfinished]:
                _flush(path)
            if folder.exists():
                folder.rename(replaced)
            unfinished.rename(folder)
            _flush(folder.parent)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        shutil.rmtree(replaced, ignore_errors=True)


def _flush(path: Path) -> None:
    """Have the disk hold a file or folder before a rename promises it."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storage_errors(place: Path) -> Iterator[None]:
    """Turn what goes wrong while files are written at `place` into a StorageError of one line."""
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise StorageError(_complaint(place, error.errno, error)) from error
    except SafetensorError as error:
        # safetensors reports the operating system's error in words alone
        found = re.search(r"os error (\d+)", str(error))
        raise StorageError(_complaint(place, int(found[1]) if found else None, error)) from error


def _complaint(place: Path, number: int | None, error: BaseException) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{place}: the disk is full; free some space, then run the same command again: it resumes."
    if number == errno.EFBIG:
        return f"{place}: the system allows no file of this size; raise the limit (ulimit -f), then run again."
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{place}: this folder is read-only; choose another with --out, or make it writable."
    return f"{place}: cannot be written ({first_line(error)}); choose another folder with --out."


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


def first_line(error: BaseException) -> str:
    """What a library says went wrong, without the advice that follows."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
