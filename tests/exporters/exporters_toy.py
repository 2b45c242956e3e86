"""Tiny models of every architecture that leaves, with tokenizers of their kinds, shared by the tests of exporters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wellread import weights
from wellread.testing import byte_tokenizer, prose
from wellread.tokens.bpe import train_tokenizer

TEXT = prose(400, seed=3) + "\n\nDéjà vu: naïve “quotes”, 1914 & 27 %; don't — it’s the end…\n\nAnd  two  spaces."


def scratch(folder: Path, *, tied: bool = False, seed: int = 1) -> tuple[Any, Any]:
    """A Llama as `build` makes them, with queries that share keys, and wide random weights; and a tokenizer of our own."""
    tokenizer = weights.open_tokenizer(train_tokenizer([TEXT] * 3, folder / "tokenizer", vocabulary=340))
    shape = replace(weights.SIZES["tiny"], hidden=64, layers=2, heads=4, key_value_heads=2, intermediate=96, tied=tied)
    model = weights.build(shape, tokenizer, length=96, seed=seed)
    return _stirred(model, seed), tokenizer


def gpt2(folder: Path) -> tuple[Any, Any]:
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = weights.open_tokenizer(byte_tokenizer(folder / "tokenizer", [TEXT] * 3, vocabulary=300))
    with torch.random.fork_rng(devices=[]):
        model = GPT2LMHeadModel(GPT2Config(vocab_size=300, n_positions=96, n_embd=64, n_layer=2, n_head=4))
    return _stirred(model, 2), tokenizer


def gemma3(folder: Path) -> tuple[Any, Any]:
    """Seven layers, of which the sixth sees everything; spaces written as ▁, unknown characters as bytes."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    tokenizer = sentence_pieces(folder / "tokenizer")
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=7, num_attention_heads=4,
        num_key_value_heads=1, head_dim=32, query_pre_attn_scalar=32, sliding_window=16, max_position_embeddings=96,
        bos_token_id=2, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        model = Gemma3ForCausalLM(config)
    return _stirred(model, 3), tokenizer


def llama2(folder: Path) -> tuple[Any, Any]:
    """A Llama with pieces as Llama 2 has them: every text begins with a space that nobody wrote."""
    from tokenizers import decoders, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    trained = _pieces()
    trained.normalizer = None
    trained.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    trained.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    _dressed(trained).save_pretrained(folder / "tokenizer")
    tokenizer = weights.open_tokenizer(folder / "tokenizer")
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=96, bos_token_id=2, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        model = LlamaForCausalLM(config)
    return _stirred(model, 4), tokenizer


def seeing(text: Any, tokenizer: Any, folder: Path) -> Path:
    """A folder with a Gemma 3 as from 4B up: the text model `text`, and a small eye beside it."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, SiglipVisionConfig

    eye = SiglipVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28, patch_size=14
    )
    config = Gemma3Config(text_config=text.config, vision_config=eye, mm_tokens_per_image=4)
    with torch.random.fork_rng(devices=[]):
        whole = Gemma3ForConditionalGeneration(config)
    whole.model.language_model.load_state_dict(text.model.state_dict())
    whole.tie_weights()
    whole.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def sentence_pieces(folder: Path) -> Any:
    """A tokenizer as Gemma has it."""
    from tokenizers import AddedToken

    fast = _dressed(_pieces())
    runs = ["▁▁", "\n\n", "\n\n\n"]
    fast.add_tokens([AddedToken(each, normalized=False, special=False) for each in runs])
    fast.save_pretrained(folder)
    return weights.open_tokenizer(folder)


def _pieces() -> Any:
    """Pieces with ▁ for a space, learned from the text, and a token for every byte; it reads as Gemma does."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    bytes_ = [f"<0x{value:02X}>" for value in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=[*special, *bytes_], show_progress=False)
    plain = TEXT.encode("ascii", "ignore").decode().replace("\n\n", " ")
    tokenizer.train_from_iterator([plain, plain, plain, "a  b   c    d " * 200], trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<bos> $A", special_tokens=[("<bos>", 2)])
    return tokenizer


def _dressed(tokenizer: Any) -> Any:
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<pad>",
        additional_special_tokens=[AddedToken("<start_of_turn>", special=True)],
    )  # fmt: skip


def _stirred(model: Any, seed: int) -> Any:
    """Weights wide enough that every one of them changes what is said."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            spread = 0.3 if weight.dim() == 1 or "norm" in name else 1.2 * weight.shape[-1] ** -0.5
            weight.add_(torch.randn(weight.shape, generator=generator), alpha=spread)
    return model.eval()
