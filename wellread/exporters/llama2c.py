"""A Llama in, the two files that llama2.c's run.c (float32) or runq.c (int8) opens out.

The format is llama2.c's own (github.com/karpathy/llama2.c, `export.py`): version 0, seven integers and every tensor in
float32; and version 2, a header of 256 bytes, the norms in float32, and every matrix in int8 by groups with a scale each.
Both programs know one base of the rotary angles, one epsilon, and token ids 0 to 258 that mean something; the ids of a
file are therefore its own (`llama2c_tokens`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from wellread.errors import ModelError
from wellread.exporters import Leaving
from wellread.exporters.llama2c_tokens import places, write_tokens
from wellread.exporters.rotary import neighbours

MODEL, TOKENIZER = "model.bin", "tokenizer.bin"
MAGIC, VERSION, HEADER = 0x616B3432, 2, 256
GROUP = 64
"""Numbers that share a scale, or the largest half of it, and half of that, that divides every row."""
THETA, EPSILON = 10_000.0, 1e-5
"""Written into run.c."""


def write_llama2c(leaving: Leaving, folder: Path) -> Path:
    """`model.bin` and `tokenizer.bin`; returns the first. Raises ModelError for what run.c does not compute."""
    config = leaving.model.config
    _refuse_others(config, leaving.name)
    place = places(leaving.tokenizer, config.vocab_size, leaving.name)
    state = {name: tensor.detach().float().numpy() for name, tensor in leaving.model.state_dict().items()}
    with (folder / MODEL).open("wb") as file:
        (_write_int8 if leaving.rounding == "int8" else _write_float32)(file, config, state, np.array(place))
    write_tokens(leaving.tokenizer, place, folder / TOKENIZER)
    return folder / MODEL


def _refuse_others(config: Any, name: str) -> None:
    """One line for what the two programs would compute otherwise."""
    if config.model_type != "llama":
        raise ModelError(f"{name}: run.c computes the Llama architecture only, and this is {config.model_type}; "
                         "--to gguf or --to merged takes it elsewhere.")  # fmt: skip
    rope = dict(config.rope_parameters or {})
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    found = {
        "rope_theta": (rope.get("rope_theta", THETA), THETA),
        "rope_type": (rope.get("rope_type", "default"), "default"),
        "rms_norm_eps": (config.rms_norm_eps, EPSILON),
        "hidden_act": (config.hidden_act, "silu"),
        "attention_bias": (bool(config.attention_bias), False),
        "mlp_bias": (bool(config.mlp_bias), False),
        "head_dim": (head, config.hidden_size // config.num_attention_heads),
    }
    for key, (value, known) in found.items():
        if value != known:
            raise ModelError(f"{name}: run.c knows {key} {known} only, and this model has {value}; --to gguf takes it "
                             "elsewhere.")  # fmt: skip


def _header(config: Any, *, negative: bool = False) -> bytes:
    vocabulary = -config.vocab_size if negative else config.vocab_size
    return struct.pack(
        "<7i", config.hidden_size, config.intermediate_size, config.num_hidden_layers, config.num_attention_heads,
        config.num_key_value_heads, vocabulary, config.max_position_embeddings,
    )  # fmt: skip


def _layers(config: Any, state: dict[str, Any], name: str) -> Iterator[NDArray[np.float32]]:
    """One tensor of every layer, the rows of queries and keys in run.c's order."""
    heads = {"self_attn.q_proj": config.num_attention_heads, "self_attn.k_proj": config.num_key_value_heads}
    for layer in range(config.num_hidden_layers):
        rows = state[f"model.layers.{layer}.{name}.weight"]
        yield neighbours(rows, heads[name]) if name in heads else rows


ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
FEED_FORWARD = ("mlp.gate_proj", "mlp.down_proj", "mlp.up_proj")
NORMS = ("input_layernorm", "post_attention_layernorm")


def _write_float32(file: IO[bytes], config: Any, state: dict[str, Any], place: NDArray[np.int64]) -> None:
    """Version 0. A negative vocabulary says that an output matrix of its own stands at the end."""
    file.write(_header(config, negative=not config.tie_word_embeddings))
    _floats(file, _reordered(state["model.embed_tokens.weight"], place))
    for name in (NORMS[0], *ATTENTION, NORMS[1], *FEED_FORWARD):
        for rows in _layers(config, state, name):
            _floats(file, rows)
    _floats(file, state["model.norm.weight"])
    size = config.hidden_size // config.num_attention_heads
    angles = np.outer(np.arange(config.max_position_embeddings), THETA ** -(np.arange(0, size, 2) / size))
    for table in (np.cos(angles), np.sin(angles)):  # run.c skips them, and reckons its own
        _floats(file, table)
    if not config.tie_word_embeddings:
        _floats(file, _reordered(state["lm_head.weight"], place))


def _write_int8(file: IO[bytes], config: Any, state: dict[str, Any], place: NDArray[np.int64]) -> None:
    """Version 2."""
    group = group_size(config.hidden_size, config.intermediate_size)
    tied = bool(config.tie_word_embeddings)
    head = struct.pack("<Ii", MAGIC, VERSION) + _header(config) + struct.pack("<Bi", tied, group)
    file.write(head.ljust(HEADER, b"\0"))
    for name in NORMS:
        for rows in _layers(config, state, name):
            _floats(file, rows)
    _floats(file, state["model.norm.weight"])
    _rounded(file, _reordered(state["model.embed_tokens.weight"], place), group)
    for name in (*ATTENTION, *FEED_FORWARD):
        for rows in _layers(config, state, name):
            _rounded(file, rows, group)
    if not tied:
        _rounded(file, _reordered(state["lm_head.weight"], place), group)


def group_size(*rows: int) -> int:
    """The largest of 64, 32, 16, … that divides the length of every row."""
    group = GROUP
    while any(each % group for each in rows):
        group //= 2
    return group


def _reordered(rows: NDArray[np.float32], place: NDArray[np.int64]) -> NDArray[np.float32]:
    """Rows by the file's own ids."""
    found = np.empty_like(rows)
    found[place] = rows
    return found


def _floats(file: IO[bytes], array: NDArray[Any]) -> None:
    file.write(np.ascontiguousarray(array, "<f4").tobytes())


def _rounded(file: IO[bytes], matrix: NDArray[np.float32], group: int) -> None:
    """Every number as a whole multiple, -127 to 127, of its group's scale."""
    blocks = np.ascontiguousarray(matrix, np.float32).reshape(-1, group)
    scales = np.abs(blocks).max(1) / 127
    whole = np.rint(blocks / np.where(scales > 0, scales, 1)[:, None]).astype(np.int8)
    file.write(whole.tobytes())
    _floats(file, scales)
