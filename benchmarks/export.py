"""GGUF files beside the model they were made of: greedy texts, bits per byte, and speed beside the bare runtime.

    python benchmarks/export.py CHECKPOINT TEXT [--prompts 100] [--tokens 64] [--kinds f32,f16,q8_0] [--pairs 9]

CHECKPOINT is any MODEL that `wellread export` could write; TEXT a file that it was not trained on. Of every greedy text
that goes apart it is shown by how much the model preferred its own token there, beside how far the two runtimes differ on
other tokens at that place: what rounding can turn is no mistake.
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
from wellread.exporters.parity import compare, foresee, go_on
from wellread.exporting import passages_of
from wellread.generation.gguf import GgufModel
from wellread.types import Corpus, Document, Sampling
from wellread.verifying import LIKELIEST, Written, check, compare_texts

PROMPT, BATCH = 24, 10
"""Tokens that each text begins with; texts that transformers writes side by side."""
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
    written = Written(prompts, [
        each for at in range(0, len(prompts), BATCH)
        for each in go_on(model, start, prompts[at : at + BATCH], given.tokens, likeliest=LIKELIEST)
    ])  # fmt: skip
    for kind in given.kinds.split(","):
        with tempfile.TemporaryDirectory() as folder:
            path = find("gguf")(Leaving(model, tokenizer, "model", kind), Path(folder))
            found = check("gguf", path, tokenizer, passages)
            assert found.foreseen is not None, found.unverified
            parity = compare(before, found.foreseen, passages, rounding=kind, part=part, spelled=found.spelled)
            print(f"\n{kind}, {path.stat().st_size / 1e6:.1f} MB", *parity.lines(), sep="\n", flush=True)
            for exact in (True, False):
                file = GgufModel(path, kind, exact=exact)
                print(
                    f"cache in {32 if exact else 16} bits:",
                    *compare_texts(file, start, written).lines(),
                    sep="\n",
                    flush=True,
                )
            print(speed(file, text[:400], given.tokens, given.pairs), flush=True)


def beginnings(text: str, tokenizer: Any, count: int) -> list[tuple[int, ...]]:
    """Stretches of PROMPT tokens, spread evenly, each from the beginning of a word."""
    found = []
    for place in range(count):
        begin = text.find(" ", len(text) * place // count) + 1
        ids = tokenizer(text[begin : begin + 12 * PROMPT], add_special_tokens=False)["input_ids"]
        found.append(tuple(ids[:PROMPT]))
    return found


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
