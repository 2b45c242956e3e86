"""A transformers configuration in, what llama.cpp calls the same thing out: its architecture, its keys, its tensors.

Llama (and Mistral without a window), GPT-2 and the text models of Gemma 3. What llama.cpp would compute otherwise than
transformers does is refused here, in one line, rather than written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wellread.errors import ModelError
from wellread.exporters.rotary import neighbours

SLIDING = 6
"""Of Gemma 3's layers every sixth sees all that came before, by llama.cpp's own rule."""
SLIDING_THETA = 10_000.0
"""The rotary base of its other layers."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """How one model is written."""

    architecture: str
    describe: Callable[[Any], None]
    """Adds the keys to a GGUFWriter."""
    name_of: Callable[[str], str]
    change: Callable[[str, Any], Any]
    """A tensor of transformers as llama.cpp wants it."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Tensors that transformers computes from the configuration."""


def shaped(config: Any, name: str) -> Shaped:
    """Raises ModelError for an architecture, or a setting of one, that is not written."""
    known = {"llama": _llama, "mistral": _llama, "gpt2": _gpt2, "gemma3_text": _gemma3}
    if config.model_type not in known:
        raise ModelError(f"{name}: a GGUF file is written of Llama, Mistral, GPT-2 and Gemma 3 (text) models; found "
                         f"{config.model_type}. --to merged writes a folder for llama.cpp's own converter.")  # fmt: skip
    return known[config.model_type](config, name)


def _refuse(name: str, found: Mapping[str, tuple[Any, Any]]) -> None:
    """`found` holds value and the one value that is computed alike."""
    for key, (value, known) in found.items():
        if value != known:
            raise ModelError(f"{name}: llama.cpp computes this architecture with {key} {known} only, and the model has "
                             f"{value}; no GGUF file is written.")  # fmt: skip


def _llama(config: Any, name: str) -> Shaped:
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    rope = dict(config.rope_parameters)
    window = getattr(config, "sliding_window", None)
    _refuse(name, {"hidden_act": (config.hidden_act, "silu"), "sliding_window": (window, None)})
    scaled = rope.get("rope_type", "default")
    if scaled not in ("default", "linear", "llama3"):
        raise ModelError(f"{name}: rotary positions of type {scaled} are not written into a GGUF file.")

    def describe(writer: Any) -> None:
        _common(writer, config, config.intermediate_size, config.max_position_embeddings)
        writer.add_head_count_kv(kv_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_rope_dimension_count(size)
        writer.add_key_length(size)
        writer.add_value_length(size)
        writer.add_rope_freq_base(rope["rope_theta"])
        if scaled == "linear":
            _linear(writer, rope["factor"])

    def change(tensor: str, rows: Any) -> Any:
        if ".self_attn.q_proj." in tensor:
            return neighbours(rows, heads)
        return neighbours(rows, kv_heads) if ".self_attn.k_proj." in tensor else rows

    extra = {"rope_freqs.weight": _stretched(rope, size)} if scaled == "llama3" else {}
    return Shaped("llama", describe, _names("LLAMA", config.num_hidden_layers), change, extra)


def _gemma3(config: Any, name: str) -> Shaped:
    layers = config.num_hidden_layers
    full, sliding = config.rope_parameters["full_attention"], config.rope_parameters["sliding_attention"]
    expected = ["sliding_attention" if (each + 1) % SLIDING else "full_attention" for each in range(layers)]
    _refuse(name, {
        "hidden_activation": (config.hidden_activation, "gelu_pytorch_tanh"),
        "query_pre_attn_scalar": (config.query_pre_attn_scalar, config.head_dim),
        "final_logit_softcapping": (config.final_logit_softcapping, None),
        "attn_logit_softcapping": (config.attn_logit_softcapping, None),
        "layer_types": (list(config.layer_types), expected),
        "rope_theta (sliding)": (sliding["rope_theta"], SLIDING_THETA),
        "attention_bias": (bool(config.attention_bias), False),
        "use_bidirectional_attention": (bool(getattr(config, "use_bidirectional_attention", False)), False),
    })  # fmt: skip
    if full.get("rope_type", "default") not in ("default", "linear"):
        raise ModelError(f"{name}: rotary positions of type {full['rope_type']} are not written into a GGUF file.")

    def describe(writer: Any) -> None:
        _common(writer, config, config.intermediate_size, config.max_position_embeddings)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
        writer.add_sliding_window(config.sliding_window)
        writer.add_rope_freq_base(full["rope_theta"])
        if full.get("rope_type") == "linear":
            _linear(writer, full["factor"])

    def change(tensor: str, rows: Any) -> Any:
        return rows + 1 if tensor.endswith("norm.weight") else rows  # transformers multiplies with 1 + weight

    return Shaped("gemma3", describe, _names("GEMMA3", layers), change)


def _gpt2(config: Any, name: str) -> Shaped:
    _refuse(name, {
        "activation_function": (config.activation_function, "gelu_new"),
        "scale_attn_weights": (config.scale_attn_weights, True),
        "scale_attn_by_inverse_layer_idx": (config.scale_attn_by_inverse_layer_idx, False),
    })  # fmt: skip

    def describe(writer: Any) -> None:
        _common(writer, config, config.n_inner or 4 * config.hidden_size, config.max_position_embeddings)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)

    def change(tensor: str, rows: Any) -> Any:
        return rows.T if ".c_" in tensor and rows.ndim == 2 else rows  # GPT-2 keeps inputs by rows

    return Shaped("gpt2", describe, _names("GPT2", config.num_hidden_layers), change)


def _common(writer: Any, config: Any, inner: int, positions: int) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(positions)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(config.num_attention_heads)


def _linear(writer: Any, factor: float) -> None:
    from gguf import RopeScalingType

    writer.add_rope_scaling_type(RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(factor)


def _names(architecture: str, layers: int) -> Callable[[str], str]:
    from gguf import MODEL_ARCH, get_tensor_name_map

    table = get_tensor_name_map(MODEL_ARCH[architecture], layers)

    def name_of(tensor: str) -> str:
        found = "rope_freqs.weight" if tensor == "rope_freqs.weight" else table.get_name(tensor, (".weight", ".bias"))
        if found is None:
            raise ModelError(
                f"{tensor}: llama.cpp has no such tensor in {architecture.lower()}; no GGUF file is written."
            )
        return str(found)

    return name_of


def _stretched(rope: Mapping[str, Any], size: int) -> Any:
    """By how much Llama 3.1 slows each angle: not at all where it turns fast, by `factor` where it turns slowly."""
    import torch

    angles = 1 / rope["rope_theta"] ** (np.arange(0, size, 2) / size)
    turns = rope["original_max_position_embeddings"] * angles / (2 * np.pi)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return torch.tensor(1 / ((1 - smooth) / rope["factor"] + smooth), dtype=torch.float32)
