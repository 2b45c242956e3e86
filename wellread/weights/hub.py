"""A hub id in, the folder of its files out: fetched, or from the hub's cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread.errors import ModelError, first_line
from wellread.weights.saving import quiet

FILES_OF_A_MODEL = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
"""Configuration, weights and tokenizer: all that opening reads, so that nothing else asks the hub. Never code."""


def fetch(name: str, *, offline: bool, files: Sequence[str] = FILES_OF_A_MODEL) -> Path:
    """The snapshot of a model on the hub, of `files` at least; `offline` asks nothing and takes what the cache holds.

    Raises ModelError in one line: no such model, no network, or terms to accept and where.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    # beside its own errors, those of the HTTP library below it
    network: tuple[type[BaseException], ...] = (HfHubHTTPError, *HfHubHTTPError.__mro__[1:2], OSError, RuntimeError)
    try:
        with quiet():
            return Path(
                snapshot_download(name, allow_patterns=list(files), ignore_patterns=["*/*"], local_files_only=offline)
            )
    except GatedRepoError as error:
        raise ModelError(
            f"{name}: its owner asks you to accept terms first: accept them at https://huggingface.co/{name}, "
            "then log in here with `hf auth login`."
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(f"{name}: no such folder here and no such model on the hub.") from error
    except LocalEntryNotFoundError as error:
        hub = "the hub's cache does not hold it, and offline" if offline else "the hub cannot be reached"
        raise ModelError(f"{name}: no such folder here, and {hub}; `embedded` needs no network.") from error
    except network as error:
        raise ModelError(f"{name}: cannot be fetched from the hub ({first_line(error)}).") from error
