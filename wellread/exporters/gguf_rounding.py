"""Rows of numbers in, the same in llama.cpp's 4 to 6 bits out; and which tensor is rounded to how many in a q4_k_m file.

The rounding itself is ggml's own function, in the library that xllamacpp brings. Which tensor gets how many bits is
what `llama-quantize` does for Q4_K_M without an importance matrix.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FUNCTION = "ggml_quantize_chunk"
BLOCK = 256
"""Numbers that share their scales in the formats with K; a row that is no multiple takes the format in the second column."""
INSTEAD = {"Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}


def kind_of(name: str, columns: int, layers: int, *, tied: bool) -> Any:
    """What `llama-quantize` rounds a matrix to, by llama.cpp's name for it, as a GGMLQuantizationType."""
    from gguf import GGMLQuantizationType

    part = name.removesuffix(".weight").rpartition(".")[2]
    last = name == "output.weight" or (tied and name == "token_embd.weight")
    if last or (part in ("attn_v", "ffn_down") and _wants_more(int(name.split(".")[1]), layers)):
        kind = "Q6_K"
    else:
        kind = "Q5_K" if part == "attn_qkv" else "Q4_K"
    if columns % BLOCK:
        kind = INSTEAD[kind] if columns % 32 == 0 else "F16"
    return GGMLQuantizationType[kind]


def _wants_more(layer: int, layers: int) -> bool:
    """The first and the last eighth of the layers, and every third between them."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def rounded(rows: NDArray[np.float32], kind: Any) -> NDArray[np.uint8]:
    """[…, bytes of a row]. Call only where `available`."""
    from gguf import GGML_QUANT_SIZES

    rows = np.ascontiguousarray(rows, np.float32)
    block, size = GGML_QUANT_SIZES[kind]
    columns = rows.shape[-1]
    found = np.zeros((*rows.shape[:-1], columns // block * size), np.uint8)
    count = rows.size // columns
    told = _function()(int(kind), rows.ctypes.data, found.ctypes.data, 0, count, columns, None)
    assert told == found.nbytes, f"{FUNCTION} wrote {told} bytes, not {found.nbytes}"
    return found


def available() -> bool:
    """Whether the GGUF runtime is here, and gives the function away (its packages for Windows do not)."""
    return _function() is not None


@cache
def _function() -> Any:
    package = find_spec("xllamacpp")
    for place in (package.submodule_search_locations or ()) if package else ():
        for path in sorted((*Path(place).glob("*.so"), *Path(place).glob("*.pyd"), *Path(place).glob("*.dylib"))):
            try:
                function = getattr(ctypes.CDLL(str(path)), FUNCTION)
            except (OSError, AttributeError):
                continue
            number = ctypes.c_int64
            function.argtypes = [
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_void_p,
                number,
                number,
                number,
                ctypes.c_void_p,
            ]
            function.restype = ctypes.c_size_t
            return function
    return None
