"""`training_cost.py KIND FOLDER` prints what training was foreseen to cost and did: bytes, bytes, seconds, seconds.

Seconds are those of the processor, for one thread: other work on the machine makes neither longer.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from training_toy import ToyWindows, toy_stage

from wellread import weights
from wellread.testing import byte_tokenizer
from wellread.training import estimate, foresee, processes, train


class Wide(ToyWindows):
    """Windows of 192 tokens."""

    def __getitem__(self, place: int) -> dict[str, list[int]]:
        ids = super().__getitem__(place)["input_ids"] * 3
        return {"input_ids": ids, "labels": list(ids)}


def main(kind: str, folder: Path) -> None:
    torch.set_num_threads(1)
    estimate.time = SimpleNamespace(perf_counter=time.process_time)
    processes.Together.now = lambda together: time.process_time()
    tokenizer = weights.open_tokenizer(byte_tokenizer(folder / "tokenizer"))
    # a vocabulary far wider than the text's, so that logits weigh what they weigh in life
    tokenizer.add_tokens([f"<{number}>" for number in range(4096 - len(tokenizer))])
    stage = toy_stage(
        method={"kind": "scratch"}, windows={"length": 192}, budget={"steps": 6}, evaluations=1, keep="best",
        optimizer={"kind": kind, "batch": 8},
    )  # fmt: skip
    shape = weights.Shape(hidden=512, layers=2, heads=8, key_value_heads=8, intermediate=1536)

    def model() -> Any:
        return weights.build(shape, tokenizer, length=192, seed=0)

    # in a child, so that the peak of foreseeing does not count as that of training
    reader, writer = os.pipe()
    if os.fork() == 0:
        seen = foresee(model(), Wide(), stage)
        os.write(writer, f"{seen.memory_bytes} {seen.seconds}".encode())
        os._exit(0)
    foreseen = os.read(reader, 100).decode().split()
    os.wait()
    train(model(), tokenizer, Wide(), Wide(1), stage, folder=folder / "run", base=None, seed=0, fingerprint="f")
    peak = estimate.most_memory()
    last = (folder / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    seconds = last.split('"elapsed_seconds": ')[1].split(",")[0]
    sys.stdout.write(f"{foreseen[0]} {peak} {foreseen[1]} {seconds}\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
