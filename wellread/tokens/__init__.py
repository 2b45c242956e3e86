"""Documents in, rows of token ids out: the tokenizer, the rows on disk, the windows a model trains on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellread.tokens.bpe import fitting_vocabulary as fitting_vocabulary
    from wellread.tokens.bpe import train_tokenizer as train_tokenizer
    from wellread.tokens.rows import Rows as Rows
    from wellread.tokens.rows import open_rows as open_rows
    from wellread.tokens.rows import prepare as prepare
    from wellread.tokens.windows import Windows as Windows
    from wellread.tokens.windows import validation_windows as validation_windows

_HOMES = {
    "train_tokenizer": "bpe",
    "fitting_vocabulary": "bpe",
    "prepare": "rows",
    "Rows": "rows",
    "open_rows": "rows",
    "Windows": "windows",
    "validation_windows": "windows",
}
__all__ = [
    "Rows", "Windows", "fitting_vocabulary", "open_rows", "prepare", "train_tokenizer", "validation_windows",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
