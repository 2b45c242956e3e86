"""How fast `score` is beside a plain forward pass of transformers over the very same tokens.

    python benchmarks/score.py embedded book.txt --words 3000 --threads 1

Prints tokens per second (of a core, on a CPU) of both, their ratio, and what windows that
overlap by half cost, which is up to twice the tokens by definition.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from wellread.generation.hf import TransformersModel
from wellread.weights import document_start, open_base


def plain(opened: Any, text: str, length: int) -> int:
    """One window after another through the model, whole logits, log-softmax: what a first script would do."""
    ids = opened.tokenizer(text, add_special_tokens=False)["input_ids"]
    start = document_start(opened.tokenizer)
    with torch.inference_mode():
        for begin in range(0, len(ids), length):
            window = ids[begin : begin + length]
            feed = torch.tensor([[start, *window[:-1]]], device=opened.model.device)
            logprobs = opened.model(feed).logits[0].float().log_softmax(-1)
            logprobs.gather(-1, torch.tensor(window, device=opened.model.device)[:, None]).sum().item()
            logprobs.argmax(-1).sum().item()
    return len(ids)


def timed(work: Callable[[], int], repeats: int, clock: Callable[[], float]) -> float:
    """The best of a few repeats, in tokens per second of `clock`."""
    best = 0.0
    for _ in range(repeats):
        begin = clock()
        tokens = work()
        best = max(best, tokens / (clock() - begin))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text", type=Path)
    parser.add_argument("--words", type=int, default=3000)
    parser.add_argument("--length", type=int, default=None)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    opened = open_base(given.model, offline=True)
    text = " ".join(given.text.read_text(encoding="utf-8").split()[: given.words])
    model = TransformersModel(opened.model, opened.tokenizer, opened.name)
    length = given.length or model.window

    def scored(stride: int) -> Callable[[], int]:
        return lambda: len(model.score([text], length=length, stride=stride)[0].logprobs)

    cpu = opened.model.device.type == "cpu"
    clock = time.process_time if cpu else time.perf_counter  # a busy machine does not count against a CPU
    baseline = timed(lambda: plain(opened, text, length), given.repeats, clock)
    same = timed(scored(length), given.repeats, clock)
    overlapping = timed(scored(length // 2), given.repeats, clock)
    per = "core-second" if cpu else "second"
    print(f"{given.words} words, windows of {length} tokens, {given.threads} threads; tokens per {per}")
    print(f"plain forward pass        {baseline:8.0f} tokens")
    print(f"score, same windows       {same:8.0f} tokens, {same / baseline:.2f} of the plain pass")
    print(f"score, half overlapping   {overlapping:8.0f} tokens, {overlapping / baseline:.2f} of the plain pass")


if __name__ == "__main__":
    main()
