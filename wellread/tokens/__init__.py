"""Documents in, windows of token ids out: the tokenizer, rows on disk, text, examples and draws to train on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellread.tokens.bpe import fitting_vocabulary as fitting_vocabulary
    from wellread.tokens.bpe import train_tokenizer as train_tokenizer
    from wellread.tokens.distributed import draw_distributed as draw_distributed
    from wellread.tokens.draw import Drawn as Drawn
    from wellread.tokens.draw import draw as draw_windows
    from wellread.tokens.drawn import DrawnWindows as DrawnWindows
    from wellread.tokens.examples import ExampleRows as ExampleRows
    from wellread.tokens.examples import ExampleWindows as ExampleWindows
    from wellread.tokens.examples import prepare_examples as prepare_examples
    from wellread.tokens.examples import validation_examples as validation_examples
    from wellread.tokens.mixed import Mixed as Mixed
    from wellread.tokens.rows import Rows as Rows
    from wellread.tokens.rows import open_rows as open_rows
    from wellread.tokens.rows import prepare as prepare
    from wellread.tokens.windows import Windows as Windows
    from wellread.tokens.windows import validation_windows as validation_windows

_HOMES = {
    "Drawn": "draw:Drawn",
    "DrawnWindows": "drawn:DrawnWindows",
    "ExampleRows": "examples:ExampleRows",
    "ExampleWindows": "examples:ExampleWindows",
    "Mixed": "mixed:Mixed",
    "Rows": "rows:Rows",
    "Windows": "windows:Windows",
    "draw_distributed": "distributed:draw_distributed",
    # not `draw`: that is the module's name
    "draw_windows": "draw:draw",
    "fitting_vocabulary": "bpe:fitting_vocabulary",
    "open_rows": "rows:open_rows",
    "prepare": "rows:prepare",
    "prepare_examples": "examples:prepare_examples",
    "train_tokenizer": "bpe:train_tokenizer",
    "validation_examples": "examples:validation_examples",
    "validation_windows": "windows:validation_windows",
}
__all__ = [
    "Drawn", "DrawnWindows", "ExampleRows", "ExampleWindows", "Mixed", "Rows", "Windows", "draw_distributed",
    "draw_windows", "fitting_vocabulary", "open_rows", "prepare", "prepare_examples", "train_tokenizer",
    "validation_examples", "validation_windows",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute)
