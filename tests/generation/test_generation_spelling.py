"""Byte spans of tokenizers of several families, and text from ids that end within a character."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from wellread.errors import ModelError
from wellread.generation.spelling import Spelling

TEXTS = [
    "plain words here",
    " leading and  double  spaces ",
    "naïve café — 🙂 <|endoftext|> ▁ 中文\n\nnew\tline",
    "",
    " ",
    "é",
]
LEARNED = ["plain words and naïve words in the café by the words"]


def wrapped(tokenizer: Tokenizer) -> Any:
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def byte_level(*, space: bool = False, normalizer: Any = None) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(LEARNED, trainer)
    return wrapped(tokenizer)


def sentencepiece(*, space: bool) -> Any:
    """As Llama 2 and Gemma spell: `▁` for a space, `<0x..>` for bytes without a token of their own."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *sorted(set("plainwordshe")), "▁w", "▁wo"]
    merges = [("▁", "w"), ("▁w", "o")]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={p: i for i, p in enumerate(pieces)},
            merges=merges,
            unk_token="<unk>",
            byte_fallback=True,
            fuse_unk=True,
        )
    )
    steps = [normalizers.Prepend("▁")] if space else []
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return wrapped(tokenizer)


@pytest.mark.parametrize(
    "tokenizer",
    [
        byte_level(),
        byte_level(space=True),
        byte_level(normalizer=normalizers.NFD()),
        byte_level(normalizer=normalizers.Lowercase()),
        sentencepiece(space=False),
        sentencepiece(space=True),
    ],
)
def test_spans_cover_the_text_in_order(tokenizer: Any) -> None:
    for text, spelled in zip(TEXTS, Spelling(tokenizer).spell(TEXTS), strict=True):
        ends = spelled.ends.tolist()
        assert ends == sorted(ends)
        assert (ends[-1] if ends else 0) == len(text.encode())
        assert len(ends) == len(spelled.ids)


@pytest.mark.parametrize("tokenizer", [byte_level(), sentencepiece(space=False)])
def test_the_bytes_of_a_span_are_the_bytes_of_its_token(tokenizer: Any) -> None:
    spelling = Spelling(tokenizer)
    texts = [text.replace("▁", "") for text in TEXTS]
    for text, spelled in zip(texts, spelling.spell(texts), strict=True):
        starts = [0, *spelled.ends.tolist()]
        for index, start, end in zip(spelled.ids.tolist(), starts, spelled.ends.tolist(), strict=False):
            alone = tokenizer.convert_ids_to_tokens(index)
            plain = alone.replace("Ġ", " ").replace("▁", " ").encode()
            if plain.isascii() and not alone.startswith("<0x"):
                assert text.encode()[start:end] == plain
            else:
                assert end - start in {1, len(alone)}
        assert spelling.decode(spelled.ids.tolist()) == text


def test_the_space_that_a_tokenizer_adds_has_no_bytes() -> None:
    [spelled] = Spelling(sentencepiece(space=True)).spell(["word"])
    assert spelled.ends.tolist() == [2, 3, 4]  # ▁wo r d
    [spelled] = Spelling(byte_level(space=True)).spell(["words"])
    assert spelled.ends[-1] == 5


def test_a_token_that_holds_part_of_a_character_has_the_bytes_it_holds() -> None:
    for tokenizer in (byte_level(), sentencepiece(space=False)):
        [spelled] = Spelling(tokenizer).spell(["🙂"])
        assert spelled.ends.tolist() == [1, 2, 3, 4]


def test_a_rewriting_tokenizer_still_gives_the_bytes_of_the_text_as_it_was() -> None:
    [spelled] = Spelling(byte_level(normalizer=normalizers.NFD())).spell(["né à"])
    assert spelled.ends[-1] == len("né à".encode())
    assert len(spelled.ids) > len("né à")


def test_an_unfinished_character_is_dropped_and_a_broken_one_replaced() -> None:
    spelling = Spelling(byte_level())
    [spelled] = spelling.spell(["aé🙂"])
    ids = spelled.ids.tolist()
    assert [spelling.decode(ids[:size]) for size in range(1, 7)] == ["a", "aé", "aé", "aé", "aé", "aé🙂"]
    assert spelling.decode([ids[2], ids[0]]) == "\ufffda"


def test_special_tokens_are_left_out_of_what_was_written() -> None:
    tokenizer = byte_level()
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    spelling = Spelling(tokenizer)
    assert spelling.decode([*spelling.encode("a"), end, *spelling.encode("b")]) == "ab"
    assert end not in spelling.encode("<|endoftext|>")


def test_equal_vocabularies_have_equal_names() -> None:
    assert Spelling(byte_level()).name == Spelling(byte_level()).name
    assert Spelling(byte_level()).name != Spelling(sentencepiece(space=False)).name
    assert Spelling(byte_level()).name.startswith("BPE of ")


def test_a_slow_tokenizer_is_refused() -> None:
    class Slow:
        name_or_path = "old"

    with pytest.raises(ModelError, match="fast format"):
        Spelling(Slow())
