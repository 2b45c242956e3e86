"""A MODEL's name in, its configuration and tokenizer out: enough to foresee what it would cost, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellread.errors import ModelError, first_line
from wellread.weights.gguf import embedded_file, unpacked
from wellread.weights.hub import fetch
from wellread.weights.opening import SEEING, find_weights
from wellread.weights.saving import EMBEDDED, adapter_base, is_adapter, quiet

FILES_OF_AN_OUTLINE = ("*.json", "*.model", "*.txt", "*.jinja")


@dataclass(frozen=True, slots=True)
class Outline:
    """What a model is, without what it knows."""

    config: Any
    """Of transformers."""
    tokenizer: Any
    here: bool
    """Whether its weights are on this machine."""


def outline(name: str, *, offline: bool = False) -> Outline:
    """The configuration and tokenizer of what `name` stands for; of a hub model nothing else is fetched.

    For an adapter, its base's. Raises ModelError where there is none, or terms must be accepted first.
    """
    from transformers import AutoConfig, AutoTokenizer

    place = _place(name, offline=offline)
    if place.is_dir() and is_adapter(place):
        return outline(adapter_base(place), offline=offline)
    gguf = {"gguf_file": place.name} if place.is_file() else {}
    folder = place if place.is_dir() else place.parent
    try:
        with quiet():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **gguf)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **gguf)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{name}: its configuration cannot be read ({first_line(error)}).") from error
    config = config.text_config if config.model_type == SEEING else config  # as it is opened
    return Outline(config, tokenizer, bool(gguf) or any(folder.glob("*.safetensors")))


def _place(name: str, *, offline: bool) -> Path:
    if name == EMBEDDED:
        file = embedded_file()
        return unpacked(file) or file
    path = Path(name).expanduser()
    if path.exists() or path.suffix == ".gguf" or name.count("/") > 1:
        return find_weights(name, offline=offline)
    return fetch(name, offline=offline, files=FILES_OF_AN_OUTLINE)
