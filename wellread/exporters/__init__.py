"""Weights and their tokenizer in, files that other programs open out; and how far what is in them is the same model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellread import registry
from wellread.errors import UsageError

EXPORTERS = {
    "merged": "wellread.exporters.merged:write_merged",
    "adapter": "wellread.exporters.adapter:write_adapter",
    "gguf": "wellread.exporters.gguf:write_gguf",
    "llama2c": "wellread.exporters.llama2c:write_llama2c",
    "ollama": "wellread.exporters.ollama:write_ollama",
}
ROUNDINGS = {
    "merged": ("float32", "bfloat16", "float16"),
    "adapter": ("float32",),
    "gguf": ("q8_0", "f16", "f32", "q4_k_m"),
    "llama2c": ("float32", "int8"),
    "ollama": ("q8_0", "f16", "f32", "q4_k_m"),
}
"""What the numbers of each format may be; the first one is taken where nothing is said."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """What an exporter is given."""

    model: Any
    """A plain transformers model in float32 on the CPU; for `adapter`, the peft model."""
    tokenizer: Any
    name: str
    """Of the run, for files and for the fields of formats that have a name."""
    rounding: str
    """One of ROUNDINGS."""
    alpha: float = 1.0
    """Where the dial stands. Whole weights stand there already; an adapter's difference is still to be scaled."""
    base: str | None = None
    """What it was tuned from, as the recipe names it; None from scratch."""
    hub_base: str = ""
    """The base's name on the hub; empty for one that is not there."""
    license: str = ""
    """What a file that has room for one line says of the base's and the text's licences."""


Exporter = Callable[[Leaving, Path], Path]
"""Fills a folder that is there and empty, and returns what is to be opened."""


def find(to: str) -> Exporter:
    """The exporter of a format. Raises UnknownName."""
    found: Exporter = registry.resolve("exporters", EXPORTERS, to)
    return found


def rounding(to: str, wanted: str | None) -> str:
    """The rounding that is meant, in the format's own name for it.

    Raises UsageError for one that the format has not, MissingPackage for one that nothing installed here can do.
    """
    known = ROUNDINGS.get(to, ("",))
    if wanted is None:
        return known[0]
    found = wanted.lower()
    if found not in known:
        raise UsageError(f"--to {to} writes {' or '.join(known)}; found --quantize {wanted}.")
    if found == "q4_k_m":
        from wellread.exporters.gguf import check_four_bits

        check_four_bits()
    return found
