"""Tokenizers that put their BOS before every text, as those of Gemma and Llama 3 do."""

from __future__ import annotations

from typing import Any


def with_bos(tokenizer: Any) -> Any:
    """The same tokenizer, which from now on opens whatever it encodes with its BOS."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    name = str(tokenizer.bos_token)
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.post_processor = TemplateProcessing(
        single=f"{name} $A", pair=f"{name} $A {name} $B", special_tokens=[(name, tokenizer.bos_token_id)]
    )
    opening = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=name, eos_token=str(tokenizer.eos_token))
    assert opening("a")["input_ids"][0] == tokenizer.bos_token_id
    return opening
