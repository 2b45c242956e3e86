"""The token ids that a document begins after and ends with, and that a window opens with, for any tokenizer."""

from __future__ import annotations

from typing import Any

from wellread.errors import ModelError

SEPARATOR = "<|endoftext|>"
"""What GPT-2, SmolLM2, Qwen and many others were given between two documents in pretraining."""


def document_start(tokenizer: Any) -> int:
    """The id that stands before a document's first token: the pretraining separator, else BOS, else EOS.

    Raises ModelError where the tokenizer has none of them.
    """
    return _boundary(tokenizer, tokenizer.bos_token_id, tokenizer.eos_token_id)


def document_end(tokenizer: Any) -> int:
    """The id that stands after a document's last token: the pretraining separator, else EOS, else BOS.

    A chat model's own EOS ends a turn, not a document, and is therefore the second choice. Raises ModelError.
    """
    return _boundary(tokenizer, tokenizer.eos_token_id, tokenizer.bos_token_id)


def window_start(tokenizer: Any) -> int | None:
    """The id that opens a window inside a document too: `document_start`, where the tokenizer itself puts it before every
    text (Gemma, Llama 3, Mistral), else None.

    A model that has read nothing without it foresees far worse where it is missing, by nats a token (EleutherAI,
    lm-evaluation-harness, issue 2382; llama.cpp's perplexity opens every window with it). Raises ModelError.
    """
    start = document_start(tokenizer)
    return start if list(tokenizer("a")["input_ids"])[:1] == [start] else None


def _boundary(tokenizer: Any, *choices: int | None) -> int:
    for index, token in tokenizer.added_tokens_decoder.items():
        if str(token) == SEPARATOR:
            return int(index)
    for choice in choices:
        if choice is not None:
            return int(choice)
    raise ModelError(
        f"{tokenizer.name_or_path or 'the tokenizer'}: no {SEPARATOR}, BOS or EOS token, so documents cannot be told "
        "apart; choose a base whose tokenizer names one."
    )
