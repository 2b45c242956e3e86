"""Fakes whose numbers are known beforehand, and a tiny model on disk: for our tests and for users'."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wellread.types import Corpus, Document, Evidence, LanguageModel, Part, Prompt, Sample, Sampling, Scored, last_words

SEPARATOR = "<|endoftext|>"
_LETTERS = "abcdefghijklmnopqrstuvwxyz      "


class UniformBytes:
    """A LanguageModel that knows nothing: every byte has 1 chance in 256, so every text costs 8 bits per byte."""

    name = "uniform"
    tokenizer_name = "bytes"

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        """Random letters, one a token."""
        return [
            Sample(
                prompt,
                _letters(f"{prompt}{sampling.seed + place}", sampling.max_tokens),
                sampling,
                sampling.seed + place,
                self.name,
            )
            for prompt in map(last_words, prompts)
            for place in range(sampling.n)
        ]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """One token a byte, each with probability 1/256, none of them greedy."""
        return [_by_bytes(text, -math.log(256), greedy=False) for text in texts]


class Memorised:
    """A LanguageModel that knows some texts by heart and nothing else.

    A text that stands in what it knows is foreseen to the last byte (probability 0.999 each, always greedy); any
    other is scored as by UniformBytes. It goes on from a prompt it knows as the text does.
    """

    name = "memorised"
    tokenizer_name = "bytes"

    def __init__(self, *texts: str | Document) -> None:
        self._texts = [text.text if isinstance(text, Document) else text for text in texts]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        """What follows the prompt in the first text that holds it, a letter a token, the same for every seed; random
        letters after any other prompt."""
        samples = []
        for prompt in map(last_words, prompts):
            known = next((text.partition(prompt)[2] for text in self._texts if prompt in text), None)
            for seed in range(sampling.seed, sampling.seed + sampling.n):
                text = _letters(f"{prompt}{seed}", sampling.max_tokens) if known is None else known
                samples.append(
                    Sample(
                        prompt,
                        text[: sampling.max_tokens],
                        sampling,
                        seed,
                        self.name,
                        "stop" if len(text) < sampling.max_tokens else "length",
                    )
                )
        return samples

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """One token a byte: known, or one chance in 256."""
        known = [any(text in mine for mine in self._texts) for text in texts]
        return [
            _by_bytes(text, math.log(0.999) if by_heart else -math.log(256), greedy=by_heart)
            for text, by_heart in zip(texts, known, strict=True)
        ]


def evidence(
    model: LanguageModel | None,
    held_out: str | Sequence[str] = (),
    *,
    train: str | Sequence[str] = (),
    validation: str | Sequence[str] = (),
    **given: Any,
) -> Evidence:
    """What a metric is given, made of texts: one Document each, `Chapter 1`, … of its part (ids `train-1`, …).

    `given` are further fields of Evidence, such as `samples` or `quick_words`.
    """
    texts: dict[Part, str | Sequence[str]] = {"train": train, "validation": validation, "held_out": held_out}
    parts = {
        part: [
            Document(f"{part}-{place}", text, section=f"Chapter {place}")
            for place, text in enumerate([several] if isinstance(several, str) else several, 1)
        ]
        for part, several in texts.items()
    }
    documents = tuple(document for part in parts.values() for document in part)
    split = {part: tuple(document.id for document in several) for part, several in parts.items()}
    subject = given.pop("subject", model.name if model else "")
    return Evidence(subject, Corpus(documents, split), model, **given)


def prose(words: int, seed: int = 0) -> str:
    """Paragraphs of invented words, four hundred different ones: text that no model has seen."""
    draw = random.Random(seed)
    lexicon = ["".join(draw.choices(_LETTERS.strip(), k=draw.randint(2, 9))) for _ in range(400)]
    drawn = draw.choices(lexicon, k=words)
    return "\n\n".join(" ".join(drawn[begin : begin + 60]) + "." for begin in range(0, words, 60))


def byte_tokenizer(folder: str | Path, texts: Iterable[str] = (), *, vocabulary: int = 257) -> Path:
    """Save a byte-level BPE tokenizer that transformers can load: 256 bytes, `<|endoftext|>`, and the merges that
    `texts` teach it up to `vocabulary` tokens. Returns the folder."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[SEPARATOR],
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=SEPARATOR, eos_token=SEPARATOR)
    fast.save_pretrained(folder)
    return Path(folder)


def tiny_model(
    folder: str | Path, texts: Iterable[str] = (), *, vocabulary: int = 257, positions: int = 128, seed: int = 0
) -> Path:
    """Save a random Llama of two layers, 32 wide, with `byte_tokenizer`; it takes `positions` tokens at once.

    Its weights are drawn wide enough that what stands far back changes its predictions. Returns the folder.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = byte_tokenizer(folder, texts, vocabulary=vocabulary)
    tokens = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    end = tokens["added_tokens"][0]["id"]
    config = LlamaConfig(
        vocab_size=len(tokens["model"]["vocab"]),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        initializer_range=0.2,
        bos_token_id=end,
        eos_token_id=end,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def _by_bytes(text: str, logprob: float, *, greedy: bool) -> Scored:
    size = len(text.encode())
    edges: Any = np.arange(size + 1)
    logprobs: Any = np.full(size, logprob)
    flags: Any = np.full(size, greedy)
    return Scored(text, edges[:-1], edges[1:], logprobs, flags)


def _letters(seed: str, count: int) -> str:
    return "".join(random.Random(seed).choices(_LETTERS, k=count))
