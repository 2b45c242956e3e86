"""GGUF files beside the model they were made of: greedy texts, bits per byte, and speed beside the bare runtime.

    python benchmarks/export.py CHECKPOINT TEXT [--prompts 100] [--tokens 64] [--kinds f32,f16,q8_0] [--pairs 9]

CHECKPOINT is any MODEL that `wellread export` could write; TEXT a file that it was not trained on. Where a greedy text
goes apart, the margin by which the model preferred its own token is shown: a margin within rounding is no mistake.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from wellread import weights
from wellread.exporters import Leaving, find
from wellread.exporters.parity import compare, foresee
from wellread.exporting import passages_of
from wellread.generation.gguf import GgufModel
from wellread.types import Corpus, Document, Sampling
from wellread.verifying import check

PROMPT = 24
"""Tokens that each text begins with."""
RAW = {"temperature": 0.0, "cache_prompt": False, "seed": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("text", type=Path)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--kinds", default="f32,f16,q8_0")
    parser.add_argument("--pairs", type=int, default=9)
    given = parser.parse_args()
    opened = weights.open_base(given.checkpoint, offline=True)
    model, tokenizer = weights.merge(opened.model), opened.tokenizer
    text = given.text.read_text(encoding="utf-8")
    corpus = Corpus((Document("text", text),), {"train": (), "validation": (), "held_out": ("text",)})
    part, passages = passages_of(corpus, tokenizer, model.config)
    start = weights.document_start(tokenizer)
    before = foresee(model, start, passages)
    prompts = beginnings(text, tokenizer, given.prompts)
    greedy = [
        continued(model, [start, *tokenizer(each, add_special_tokens=False)["input_ids"]], given.tokens)
        for each in prompts
    ]
    for kind in given.kinds.split(","):
        with tempfile.TemporaryDirectory() as folder:
            path = find("gguf")(Leaving(model, tokenizer, "model", kind), Path(folder))
            found = check("gguf", path, tokenizer, passages)
            assert found.foreseen is not None, found.unverified
            parity = compare(before, found.foreseen, passages, rounding=kind, part=part, spelled=found.spelled)
            print(f"\n{kind}, {path.stat().st_size / 1e6:.1f} MB", *parity.lines(), sep="\n", flush=True)
            for exact in (True, False):
                file = GgufModel(path, kind, exact=exact)
                margins = apart(file, tokenizer, prompts, greedy, given.tokens)
                same = f"{len(prompts) - len(margins)} of {len(prompts)} greedy texts of {given.tokens} tokens are the same"
                told = f"; the others part where the model's margin was {listed(margins)}" if margins else ""
                print(f"cache in {32 if exact else 16} bits: {same}{told}", flush=True)
            print(speed(file, prompts[0], given.tokens, given.pairs), flush=True)


def beginnings(text: str, tokenizer: Any, count: int) -> list[str]:
    """Stretches of about PROMPT tokens, spread evenly, from word to word."""
    found = []
    for place in range(count):
        begin = text.find(" ", len(text) * place // count) + 1
        words = text[begin : begin + 400].split(" ")
        while len(tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]) > PROMPT and len(words) > 1:
            words.pop()
        found.append(" ".join(words))
    return found


def continued(model: Any, ids: list[int], tokens: int) -> tuple[list[int], list[float]]:
    """Greedy ids after a beginning, and the margin of each over the second choice, in nats."""
    import torch

    with torch.inference_mode():
        told = model.generate(
            torch.tensor([ids]),
            max_new_tokens=tokens,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
    margins = []
    for logits in told.logits:
        first, second = torch.log_softmax(logits[0].float(), -1).topk(2).values.tolist()
        margins.append(first - second)
    return told.sequences[0, len(ids) :].tolist(), margins


def apart(
    file: GgufModel, tokenizer: Any, prompts: list[str], greedy: list[tuple[list[int], list[float]]], tokens: int
) -> list[float]:
    """The model's margin where each text that differs first does."""
    special = {*tokenizer.all_special_ids}
    found = []
    for prompt, (ids, margins) in zip(prompts, greedy, strict=True):
        ours = [index for index in ids if index not in special]
        [sample] = file.generate([prompt], Sampling(max_tokens=tokens, temperature=0))
        if sample.completion == tokenizer.decode(ours):
            continue
        place = next(
            (at for at in range(1, len(ours) + 1) if not sample.completion.startswith(tokenizer.decode(ours[:at]))), 0
        )
        found.append(margins[max(0, place - 1)])
    return sorted(found)


def listed(margins: list[float]) -> str:
    return f"{statistics.median(margins):.2g} nats (median; {margins[0]:.2g} to {margins[-1]:.2g})"


def speed(file: GgufModel, prompt: str, tokens: int, pairs: int) -> str:
    """Tokens per second through `GgufModel.generate` over those of the server it holds, called as its package shows; by
    turns one and the other goes first."""
    sampling = Sampling(max_tokens=tokens, temperature=0)
    ids = file._context(prompt, tokens)

    def ours() -> None:
        file.generate([prompt], sampling)

    def bare() -> None:
        done = file._server.handle_completions({"prompt": ids, "max_tokens": tokens, **RAW})
        assert done["timings"]["prompt_n"] == len(ids), "the bare runtime took the prompt from its cache"

    ratios, rates = [], []
    for pair in range(pairs + 1):
        took = {}
        for way in (ours, bare) if pair % 2 else (bare, ours):
            began = time.perf_counter()
            way()
            took[way] = time.perf_counter() - began
        ratios.append(took[bare] / took[ours])
        rates.append(tokens / took[ours])
    ratios, rates = ratios[1:], rates[1:]
    return (f"speed beside the bare runtime: {statistics.median(ratios):.3f} (median of {pairs} pairs, {min(ratios):.3f} to "
            f"{max(ratios):.3f}); {statistics.median(rates):.0f} tokens per second")  # fmt: skip


if __name__ == "__main__":
    main()
