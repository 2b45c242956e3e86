"""A tokenizer in, its words in a GGUF file out: tokens, merges, how words are split, the chat template and what ends a text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wellread.errors import ModelError
from wellread.weights import document_start

SPACE = "▁"
SPLITTERS = {
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "llama-bpe",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+": "qwen2",
}  # fmt: skip
"""llama.cpp's name of each rule that splits words before they are merged."""


def write_vocabulary(writer: Any, tokenizer: Any, model: Any, name: str) -> None:
    """Raises ModelError for a tokenizer that llama.cpp does not have."""
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    if told["model"]["type"] != "BPE":
        raise ModelError(f"{name}: a GGUF file is written of BPE tokenizers; found {told['model']['type']}.")
    if told["model"].get("byte_fallback"):
        _sentence_pieces(writer, told, tokenizer, model.config.vocab_size)
    else:
        _byte_level(writer, told, tokenizer, model.config.vocab_size, name)
    for key in ("bos", "eos", "unk", "pad"):
        index = getattr(tokenizer, f"{key}_token_id")
        if index is not None and index < model.config.vocab_size:
            getattr(writer, f"add_{key}_token_id")(int(index))
    begins = list(tokenizer("a")["input_ids"])[:1] == [tokenizer.bos_token_id]
    own = not tokenizer.chat_template and document_start(tokenizer) == tokenizer.bos_token_id
    # a text model has read every document after this token, whether or not its tokenizer writes it
    writer.add_add_bos_token(begins or own)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _byte_level(writer: Any, told: Mapping[str, Any], tokenizer: Any, size: int, name: str) -> None:
    if not told["model"]["merges"]:
        raise ModelError(f"{name}: llama.cpp opens no byte-level tokenizer without a merge, and this one has none.")
    vocabulary, types = _tokens(told, size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_splitter(told, name))
    writer.add_add_space_prefix(False)
    writer.add_token_list(vocabulary)
    writer.add_token_types(types)
    writer.add_token_merges([
        merge if isinstance(merge, str) else " ".join(part.replace(" ", "Ġ") for part in merge)
        for merge in told["model"]["merges"]
    ])  # fmt: skip


def _sentence_pieces(writer: Any, told: Mapping[str, Any], tokenizer: Any, size: int) -> None:
    """As Gemma and Llama 2 have it: spaces are written as ▁, what has no token is spelled by bytes. A piece's score is
    minus the rank of the first merge that makes it, so that llama.cpp merges in the same order."""
    from gguf import TokenType

    tokens, types = _tokens(told, size)
    ranks: dict[str, int] = {}
    for rank, merge in enumerate(told["model"]["merges"]):
        ranks.setdefault("".join(merge if isinstance(merge, list) else merge.split(" ")), rank)
    for index, token in enumerate(tokens):
        if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            types[index] = TokenType.BYTE
        # Gemma's runs of spaces: they are merged like others, and of an added token llama.cpp would print the sign itself
        if types[index] == TokenType.USER_DEFINED and SPACE in token and token in ranks:
            types[index] = TokenType.NORMAL
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id < size:
        types[tokenizer.unk_token_id] = TokenType.UNKNOWN
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_add_space_prefix(_begins_with_a_space(told))
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(ranks.get(token, len(ranks))) for token in tokens])
    writer.add_token_types(types)


def _begins_with_a_space(told: Mapping[str, Any]) -> bool:
    """Whether a text is read as if a space stood before it: by what normalises it, or (Llama 2) by what splits it."""
    normalizer, splitter = (json.dumps(told.get(part) or {}) for part in ("normalizer", "pre_tokenizer"))
    return '"Prepend"' in normalizer or ('"Metaspace"' in splitter and '"never"' not in splitter)


def _tokens(told: Mapping[str, Any], size: int) -> tuple[list[str], list[int]]:
    """Every id's token and kind; ids that the tokenizer has no token for are filled up, and tokens that the model has no row
    for (of pictures, in Gemma 3's smallest) are left out: it neither reads nor writes them."""
    from gguf import TokenType

    tokens = [f"[PAD{index}]" for index in range(size)]
    types = [int(TokenType.UNUSED)] * size
    found = [(index, token, TokenType.NORMAL) for token, index in told["model"]["vocab"].items()]
    found += [
        (added["id"], added["content"], TokenType.CONTROL if added["special"] else TokenType.USER_DEFINED)
        for added in told["added_tokens"]
    ]
    for index, token, kind in found:
        if index < size:
            tokens[index], types[index] = token, int(kind)
    return tokens, types


def _splitter(told: Mapping[str, Any], name: str) -> str:
    """llama.cpp's name for how a byte-level tokenizer splits words. Raises ModelError where it has none."""
    split = told.get("pre_tokenizer") or {}
    steps = split["pretokenizers"] if split.get("type") == "Sequence" else [split]
    kinds = [step.get("type") for step in steps]
    by_gpt2 = bool(steps) and kinds[-1] == "ByteLevel" and not steps[-1]["add_prefix_space"]
    if by_gpt2 and steps[-1]["use_regex"]:
        if kinds == ["ByteLevel"]:
            return "gpt-2"
        if kinds == ["Digits", "ByteLevel"] and steps[0]["individual_digits"]:
            return "smollm"
    if by_gpt2 and kinds == ["Split", "ByteLevel"]:
        found = SPLITTERS.get(steps[0]["pattern"].get("Regex", ""))
        if found:
            return found
    raise ModelError(f"{name}: llama.cpp has no name for how its tokenizer splits words ({', '.join(map(str, kinds))}); no "
                     "GGUF file is written. --to merged keeps the tokenizer as it is.")  # fmt: skip
