"""A MODEL's name in, weights and tokenizer out: `embedded`, a folder, an adapter, a GGUF file or a hub id."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.errors import ModelError, StorageError, first_line
from wellread.weights.adapting import merge
from wellread.weights.gguf import embedded_file, read_gguf, unpacked
from wellread.weights.hub import fetch
from wellread.weights.quantising import requantise
from wellread.weights.saving import EMBEDDED, adapter_base, adapter_quantization, is_adapter, quiet

if TYPE_CHECKING:
    import torch

INDEX = "model.safetensors.index.json"
SEEING = "gemma3"
"""What transformers calls a Gemma 3 with eyes; its text alone is `gemma3_text`."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Weights ready to generate or to train, on the CPU, in evaluation mode; float32 unless asked otherwise."""

    model: Any
    """A transformers model, or a peft model around one."""
    tokenizer: Any
    name: str
    """The MODEL as it was asked for."""
    note: str = ""
    """What its measurements are to say of it."""


def find_weights(name: str, *, offline: bool = False) -> Path:
    """The folder or .gguf file that `name` stands for, fetched from the hub where it is no local path.

    Raises ModelError (not found, no network), MissingPackage (no embedded model), each in one line.
    """
    if name == EMBEDDED:
        return embedded_file()
    path = Path(name).expanduser()
    if path.is_dir() or (path.suffix == ".gguf" and path.is_file()):
        return path
    if path.suffix == ".gguf" or path.exists() or not re.fullmatch(r"[\w][\w.-]*(/[\w][\w.-]*)?", name):
        found = "a file" if path.exists() else "no such file" if path.suffix == ".gguf" else "no such folder"
        raise ModelError(f"{name}: {found}; a MODEL is embedded, a folder, a .gguf file or a hub id.")
    return fetch(name, offline=offline)


def open_base(name: str, *, offline: bool = False, dtype: torch.dtype | None = None) -> Opened:
    """Open what `name` stands for; `offline` asks the hub nothing and takes what its cache holds.

    An adapter comes on its base, which is rounded first as it was while the adapter trained. The weights are float32,
    or `dtype`. Code that comes with a model is never run. Raises ModelError (not found, not a causal language model, no
    network), StorageError (damaged weights) and MissingPackage (no embedded model), each in one line.
    """
    place = find_weights(name, offline=offline)
    if place.is_dir():
        return load_checkpoint(place, name=name, offline=offline, dtype=dtype)
    with quiet(), _opening(name, [place]):
        copy = unpacked(place) if name == EMBEDDED else None
        if copy is not None:
            return _open_folder(copy, name, dtype)
        model, tokenizer = read_gguf(place)
    for weight in model.parameters() if dtype is not None else ():  # buffers (rotary frequencies) stay float32
        weight.data = weight.data.to(dtype)
    return Opened(model.eval(), tokenizer, name)


def load_checkpoint(
    folder: Path, *, name: str | None = None, offline: bool = False, dtype: torch.dtype | None = None
) -> Opened:
    """Open a folder that transformers or peft wrote; an adapter's base is opened first.

    See `open_base`. Raises ModelError where the folder holds no model, StorageError where a weights file is truncated
    or lacks tensors.
    """
    name = name or str(folder)
    if is_adapter(folder):
        return _open_adapter(folder, name, offline=offline, dtype=dtype)
    if not (folder / "config.json").is_file():
        raise ModelError(f"{name}: holds neither config.json nor adapter_config.json, so it is no model's folder.")
    return _open_folder(folder, name, dtype)


def open_tokenizer(folder: Path) -> Any:
    """The tokenizer alone of a folder that transformers can load. Raises ModelError where there is none."""
    with quiet(), _opening(str(folder), []):
        return _tokenizer(folder)


def stored_dtype(place: Path) -> torch.dtype:
    """The 16-bit type that all weights of a folder are stored in; float32 for any other folder, or a GGUF file.

    Opening in this type loses nothing, and takes half the memory of float32.
    """
    import torch

    kinds, _ = saved_weights(place)
    return {frozenset({"BF16"}): torch.bfloat16, frozenset({"F16"}): torch.float16}.get(kinds, torch.float32)


def saved_weights(place: Path) -> tuple[frozenset[str], int]:
    """The types that the weights of a folder are stored in, as safetensors names them (F32, BF16, …), and how many
    numbers they are; none of a GGUF file, or where a file is damaged."""
    from safetensors import SafetensorError, safe_open

    kinds, count = set(), 0
    for path in place.glob("*.safetensors") if place.is_dir() else ():
        try:
            with safe_open(path, framework="pt") as file:
                names = file.keys()
                slices = [file.get_slice(name) for name in names]
        except (SafetensorError, OSError):
            return frozenset(), 0
        kinds |= {each.get_dtype() for each in slices}
        count += sum(math.prod(each.get_shape()) for each in slices)
    return frozenset(kinds), count


def _open_folder(folder: Path, name: str, dtype: torch.dtype | None) -> Opened:
    import torch
    from transformers import AutoModelForCausalLM

    weights = _weights_files(folder, name)
    with quiet(), _opening(name, weights):
        model, loaded = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype or torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
        if loaded["missing_keys"]:
            first, *_ = lacking = sorted(loaded["missing_keys"])
            raise StorageError(f"{name}: {len(lacking)} tensors are not in its weights, first {first}; fetch it again.")
        return Opened(text_alone(model).eval(), _tokenizer(folder), name)


def text_alone(model: Any) -> Any:
    """Of a model that reads pictures too (Gemma 3 from 4B up) the part that reads and writes text, a model of its own with
    the same weights; any other model as it is."""
    if model.config.model_type != SEEING:
        return model
    import torch
    from transformers import Gemma3ForCausalLM

    config = model.config.text_config
    config.tie_word_embeddings = model.config.tie_word_embeddings
    with torch.device("meta"):
        alone = Gemma3ForCausalLM(config)
    alone.model, alone.lm_head = model.model.language_model, model.lm_head
    alone.generation_config = model.generation_config
    return alone


def _weights_files(folder: Path, name: str) -> list[Path]:
    """The .safetensors files of a folder, all of those that its index names where it has one."""
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        held = "only .bin weights, which can run code when they are opened" if [*folder.glob("*.bin")] else "no weights"
        raise ModelError(f"{name}: holds {held}; convert the model to .safetensors first, or fetch it again.")
    if (folder / "model.safetensors").is_file() or not (folder / INDEX).is_file():
        return weights
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        shards = sorted(set(index["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise StorageError(f"{folder / INDEX}: damaged ({first_line(error)}); fetch it again.") from error
    lacking = [shard for shard in shards if not (folder / shard).is_file()]
    if lacking:
        raise StorageError(f"{name}: {len(lacking)} of its {len(shards)} weights files are not there, first "
                           f"{lacking[0]}; fetch it again.")  # fmt: skip
    return weights


def _open_adapter(folder: Path, name: str, *, offline: bool, dtype: torch.dtype | None) -> Opened:
    base = open_plain(adapter_base(folder), offline=offline, dtype=dtype)
    quantization = adapter_quantization(folder)
    if quantization is not None:
        requantise(base.model, quantization)
    with quiet(), _opening(name, sorted(folder.glob("*.safetensors"))):
        from peft import PeftModel

        model = PeftModel.from_pretrained(base.model, str(folder), local_files_only=True)
    return Opened(model.eval(), adapter_tokenizer(folder, base.tokenizer), name)


def open_plain(name: str, *, offline: bool = False, dtype: torch.dtype | None = None) -> Opened:
    """What `open_base` opens, but never a peft model: an adapter is merged."""
    opened = open_base(name, offline=offline, dtype=dtype)
    return replace(opened, model=merge(opened.model)) if hasattr(opened.model, "peft_config") else opened


def adapter_tokenizer(folder: Path, base: Any) -> Any:
    """The tokenizer that an adapter was saved with, else that of its base."""
    return open_tokenizer(folder) if (folder / "tokenizer_config.json").is_file() else base


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


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
