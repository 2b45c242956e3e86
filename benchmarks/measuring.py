"""What it costs to measure a book: `python benchmarks/measuring.py MODEL BOOK.txt [--bytes 3000000]`.

All of the book is measured, each metric from nothing: bits per byte, and recitation. Beside them a plain forward pass of
transformers over the same tokens, in the same windows, one window at a time, as a first script would do it. Prints the
time of each, by the clock and of all cores, their ratios (by the cores' time, which a busy machine does not lengthen),
and the most memory that the process held.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from wellread.generation import windows
from wellread.generation.hf import TransformersModel
from wellread.measuring import whole
from wellread.metrics import measure
from wellread.models import open_model
from wellread.types import Corpus, Evidence
from wellread.weights import document_start, open_base


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("book", type=Path)
    parser.add_argument("--bytes", type=int, default=3_000_000, help="of the book's beginning")
    asked = parser.parse_args()
    corpus = shortened(whole([asked.book]), asked.bytes)
    text = "".join(document.text for document in corpus.documents)
    print(f"{len(text.encode()):,} bytes, {len(text.split()):,} words, {torch.get_num_threads()} threads", flush=True)
    model = open_model(asked.model, offline=True)
    assert isinstance(model, TransformersModel)
    window = model.window
    times = {
        f"plain forward pass, windows of {window:,} that overlap by half": timed(
            lambda: plain(asked.model, corpus, window)
        ),
        "bits_per_byte": timed(lambda: measured(model, corpus, "bits_per_byte")),
        "greedy_recited_share": timed(lambda: measured(model, corpus, "greedy_recited_share")),
    }
    base = next(iter(times.values()))[1]
    for name, (clock, cores) in times.items():
        print(f"{name:64} {clock:7.0f} s by the clock, {cores:7.0f} core-seconds, {cores / base:.2f} of the plain pass")
    print(f"most memory held: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def shortened(corpus: Corpus, size: int) -> Corpus:
    """The first documents of a corpus, the last of them cut, that come to so many bytes."""
    kept = []
    for document in corpus.documents:
        text = document.text.encode()[:size].decode(errors="ignore")
        size -= len(text.encode())
        if text:
            kept.append(replace(document, text=text))
    return Corpus(tuple(kept), {"train": (), "validation": (), "held_out": tuple(each.id for each in kept)})


def plain(name: str, corpus: Corpus, length: int) -> None:
    """One window after another through the model, whole logits, log-softmax."""
    opened: Any = open_base(name, offline=True)
    start = document_start(opened.tokenizer)
    with torch.inference_mode():
        for document in corpus.documents:
            ids = opened.tokenizer(document.text, add_special_tokens=False)["input_ids"]
            for each in windows.cut(len(ids), length, length // 2):
                read = torch.tensor([[start, *ids[each.begin : each.end - 1]]])
                wanted = torch.tensor(ids[each.first : each.end])
                logprobs = opened.model(read).logits[0].float().log_softmax(-1)[each.first - each.begin :]
                logprobs.gather(-1, wanted[:, None]).sum().item()
                logprobs.argmax(-1).sum().item()


def measured(model: Any, corpus: Corpus, name: str) -> None:
    print([(row.name, row.value) for row in measure(Evidence("model", corpus, model), [name])], flush=True)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of all cores."""
    began = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began[0], time.process_time() - began[1]


if __name__ == "__main__":
    main()
