"""The token ids that a document begins after and ends with, for any tokenizer."""

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
