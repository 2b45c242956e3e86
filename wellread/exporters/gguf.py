"""A model in, the .gguf file that llama.cpp and everything built on it opens out.

Names, keys and rounding are the `gguf` package's; which tensor is which, and what of a configuration llama.cpp computes
otherwise and is therefore refused, stands here and in `gguf_shapes`. Tensors are written one at a time.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from wellread.errors import MissingPackage, RunError
from wellread.exporters import Leaving, gguf_rounding
from wellread.exporters.gguf_shapes import Shaped, shaped
from wellread.exporters.gguf_vocabulary import write_vocabulary

TOOL = "llama-quantize"
"""The program of llama.cpp that rounds a file to 4 bits, where the runtime in the extra `gguf` does not let itself be asked."""


def write_gguf(leaving: Leaving, folder: Path) -> Path:
    """`NAME-ROUNDING.gguf` in the folder. Raises ModelError for a model that llama.cpp would compute otherwise,
    MissingPackage for 4 bits where neither the runtime nor llama.cpp's program is installed."""
    path = folder / f"{leaving.name}-{leaving.rounding}.gguf"
    if leaving.rounding != "q4_k_m" or gguf_rounding.available():
        _write(leaving, path, leaving.rounding)
        return path
    check_four_bits()
    tool = shutil.which(TOOL)
    assert tool is not None
    whole = folder / f"{leaving.name}-f16.gguf"
    _write(leaving, whole, "f16")
    done = subprocess.run([tool, str(whole), str(path), "Q4_K_M"], capture_output=True, text=True, check=False)
    whole.unlink()
    if done.returncode or not path.is_file():
        said = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        raise RunError(f"{leaving.name}: {TOOL} could not round it to q4_k_m ({said}).")
    return path


def check_four_bits() -> None:
    """Raises MissingPackage where nothing here can round to 4 bits."""
    if not gguf_rounding.available() and shutil.which(TOOL) is None:
        raise MissingPackage("q4_k_m is rounded by the GGUF runtime (pip install 'wellread[gguf]'; not on Windows) or by "
                             f"llama.cpp's own {TOOL}, and neither is here: install one, or take --quantize q8_0.")  # fmt: skip


def _write(leaving: Leaving, path: Path, rounding: str) -> None:
    from gguf import GGUFWriter, LlamaFileType

    shape = shaped(leaving.model.config, leaving.name)
    writer = GGUFWriter(path, shape.architecture)
    writer.add_name(leaving.name)
    if leaving.license:
        writer.add_license(leaving.license)
    shape.describe(writer)
    kinds = {"f32": LlamaFileType.ALL_F32, "f16": LlamaFileType.MOSTLY_F16, "q8_0": LlamaFileType.MOSTLY_Q8_0,
             "q4_k_m": LlamaFileType.MOSTLY_Q4_K_M}  # fmt: skip
    writer.add_file_type(kinds[rounding])
    writer.add_quantization_version(2)
    write_vocabulary(writer, leaving.tokenizer, leaving.model, leaving.name)
    makers = _tensors(leaving.model, shape, rounding)
    for name, (dimensions, kind, size, _) in makers.items():
        writer.add_tensor_info(name, dimensions, np.dtype(np.float32), size, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, _, _, make in makers.values():
        writer.write_tensor_data(make())
    writer.close()


Made = tuple[tuple[int, ...], Any, int, Callable[[], Any]]
"""A tensor's shape, its kind, its bytes in the file, and what makes it."""


def _tensors(model: Any, shape: Shaped, rounding: str) -> dict[str, Made]:
    """Every tensor by llama.cpp's name; those that several names share stand once."""
    from gguf import GGML_QUANT_SIZES

    found: dict[str, Made] = {}
    layers = model.config.num_hidden_layers
    rows = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    for name, tensor in (*rows.items(), *shape.extra.items()):
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue

        def changed(name: str = name, tensor: Any = tensor) -> Any:
            return shape.change(name, np.asarray(tensor.float().numpy(), np.float32))

        dimensions = changed().shape
        target = shape.name_of(name)
        kind = _kind(name, dimensions, rounding)
        if rounding == "q4_k_m" and kind.name != "F32":
            kind = gguf_rounding.kind_of(target, dimensions[-1], layers, tied=model.config.tie_word_embeddings)
        block, size = GGML_QUANT_SIZES[kind]

        def make(changed: Callable[[], Any] = changed, kind: Any = kind) -> Any:
            from gguf.quants import quantize

            if rounding == "q4_k_m" and kind.name not in ("F32", "F16"):
                return gguf_rounding.rounded(changed(), kind)
            return quantize(np.ascontiguousarray(changed()), kind)

        found[target] = (dimensions, kind, int(np.prod(dimensions)) // block * size, make)
    return found


def _kind(name: str, dimensions: tuple[int, ...], rounding: str) -> Any:
    """Matrices are rounded; vectors and positions never. A row that is no multiple of 32 stays in 16 bits."""
    from gguf import GGMLQuantizationType

    if len(dimensions) < 2 or rounding == "f32" or "wpe" in name:
        return GGMLQuantizationType.F32
    if rounding == "q8_0" and dimensions[-1] % 32 == 0:
        return GGMLQuantizationType.Q8_0
    return GGMLQuantizationType.F16
