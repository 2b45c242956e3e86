"""The chunked loss beside the plain one: seconds and peak memory of forward and backward, head trained and frozen.

    python benchmarks/loss.py --vocabulary 49152 --width 576
    python benchmarks/loss.py --vocabulary 262144 --width 640

Each variant in processes of its own, in turn. Peak memory is what the loss adds to the process: logits, their
gradients and those of hidden states and head.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

VARIANTS = ("plain, trained", "chunked, trained", "plain, frozen", "chunked, frozen", "plain, no gradient",
            "chunked, no gradient")  # fmt: skip


def held(which: str) -> int:
    """Bytes this process holds (VmRSS), or the most it did (VmHWM)."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split(f"{which}:")[1].split()[0]) * 1024


def work(variant: str, given: argparse.Namespace) -> None:
    """One variant, in this process: prints a line of JSON."""
    from wellread.training.chunked import Shaping, head_loss

    torch.set_num_threads(given.threads)
    generator = torch.Generator().manual_seed(0)
    way, head = variant.split(", ")
    hidden = torch.randn(given.tokens, given.width, generator=generator).requires_grad_(head != "no gradient")
    weight = torch.randn(given.vocabulary, given.width, generator=generator).mul_(0.02)
    weight.requires_grad_(head == "trained")
    targets = torch.randint(0, given.vocabulary, (given.tokens,), generator=generator)
    autocast = torch.bfloat16 if given.precision == "bfloat16" else None

    def once() -> float:
        hidden.grad = weight.grad = None
        began = time.perf_counter()
        with torch.autocast("cpu", dtype=autocast, enabled=autocast is not None), \
             torch.set_grad_enabled(head != "no gradient"):  # fmt: skip
            if way == "plain":
                loss = cross_entropy(torch.nn.functional.linear(hidden, weight).float(), targets, reduction="sum")
            else:
                loss = head_loss(hidden, weight, None, targets, Shaping())
        if loss.requires_grad:
            torch.autograd.backward(loss)
        return time.perf_counter() - began

    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = held("VmRSS")
    seconds = [once() for _ in range(given.repeats + 1)][1:]
    print(json.dumps({"seconds": statistics.median(seconds), "bytes": held("VmHWM") - before}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=49152)
    parser.add_argument("--width", type=int, default=576)
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--repeats", type=int, default=2, help="in a process, after one that is not timed")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each variant")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.variant:
        work(given.variant, given)
        return
    found: dict[str, list[dict[str, float]]] = {variant: [] for variant in VARIANTS}
    for _ in range(given.rounds):
        for variant, rows in found.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--variant", variant]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8")
            rows.append(json.loads(done.stdout))
    print(f"{given.tokens} tokens, {given.vocabulary} x {given.width}, {given.threads} threads, {given.precision}")
    for head in ("trained", "frozen", "no gradient"):
        middle = {
            way: {key: statistics.median(row[key] for row in found[f"{way}, {head}"]) for key in ("seconds", "bytes")}
            for way in ("plain", "chunked")
        }
        for way, row in middle.items():
            print(f"{way:8} {head:12} {row['seconds']:7.2f} s {row['bytes'] / 1e6:8.0f} MB")
        speed, memory = (middle["chunked"][key] / middle["plain"][key] for key in ("seconds", "bytes"))
        print(f"         chunked / plain: time {speed:.2f}, memory {memory:.2f}")


if __name__ == "__main__":
    main()
