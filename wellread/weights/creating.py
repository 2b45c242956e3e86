"""Weights that know nothing yet: a new decoder of a size that fits the text."""

from __future__ import annotations

from typing import Any

from wellread.errors import RecipeError
from wellread.recipe import Scratch, Stage
from wellread.weights.machine import fit_to_machine
from wellread.weights.separators import document_end, document_start
from wellread.weights.sizes import SIZES, Shape, fitting_size


def create(stage: Stage, tokenizer: Any, *, text_bytes: int, seed: int) -> Any:
    """The model of a stage from scratch, of the stage's size or the one that fits `text_bytes` of text and its budget.

    See `build` and `fit_to_machine`. Raises RecipeError for a stage of another method.
    """
    if not isinstance(stage.method, Scratch):
        raise RecipeError(f"stage {stage.name}: method {stage.method.kind} starts from a base, not from scratch.")
    size = stage.method.size
    name = fitting_size(text_bytes, stage.budget) if size == "auto" else size
    model = build(SIZES[name], tokenizer, length=stage.windows.length, seed=seed)
    fit_to_machine(model, stage)
    return model


def build(shape: Shape, tokenizer: Any, *, length: int, seed: int) -> Any:
    """A LlamaForCausalLM with fresh weights, the same for the same seed, that reads windows of `length` tokens.

    RoPE, RMSNorm, SiLU-gated: transformers, llama.cpp and llama2.c all run it. Residual branches and an untied output
    matrix begin at zero, so the first prediction is uniform and the first loss the logarithm of the vocabulary. Other
    matrices are uniform within sqrt(3) / (2 sqrt(inputs)), embeddings normal with deviation 0.02.
    """
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    start, end = document_start(tokenizer), document_end(tokenizer)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        max_position_embeddings=length,
        tie_word_embeddings=shape.tied,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_theta},
        rms_norm_eps=1e-5,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        model = LlamaForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embed_tokens" in name:
                weight.normal_(0, 0.02, generator=generator)
            elif name.endswith(("o_proj.weight", "down_proj.weight", "lm_head.weight")):
                weight.zero_()
            elif weight.dim() == 2:
                bound = 3**0.5 / 2 * weight.shape[1] ** -0.5
                weight.uniform_(-bound, bound, generator=generator)
    model.generation_config = GenerationConfig(bos_token_id=start, eos_token_id=end, pad_token_id=end)
    return model
