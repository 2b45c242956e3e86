"""How well `wellread plan` foresees: `python benchmarks/plan.py [TEXT]`.

For each method, one process plans and another, fresh, trains the very same for a few steps and reports the most memory
it held (VmHWM, on Linux) and the seconds its steps took. `scratch` is a small model of its own; `full`, `lora` and
`qlora` tune the embedded base (batch 4, windows of 256 tokens). Measured without the sampling and measuring of a run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

METHODS = {
    "scratch": "{kind: scratch, size: tiny, vocabulary: 2048}",
    "full": "{kind: full}",
    "lora": "{kind: lora, rank: 16}",
    "qlora": "{kind: qlora, rank: 16}",
}
RECIPE = """
name: {name}
{base}
stages:
  - name: read
    method: {method}
    windows: {{length: {length}}}
    budget: {{steps: {steps}}}
    optimizer: {{batch: {batch}}}
    keep: {keep}
    evaluations: 1
    validation_windows: 4
"""


def recipe_text(name: str, chosen: argparse.Namespace) -> str:
    """The recipe of one method."""
    base = "" if name == "scratch" else f"base: {chosen.base}"
    return RECIPE.format(
        name=name, base=base, method=METHODS[name], length=chosen.length, batch=chosen.batch, steps=chosen.steps,
        keep=chosen.keep,
    )  # fmt: skip


def foreseen(text: str, book: str) -> dict[str, Any]:
    """What `plan` says of the only stage."""
    from wellread.planning import plan
    from wellread.recipe import parse_recipe

    return dict(plan(parse_recipe(text), [book]).as_json()["stages"][0])


def measured(text: str, book: str) -> dict[str, Any]:
    """The peak of this process after training, and the seconds that training and validation took."""
    from wellread.corpus.ingest import ingest
    from wellread.recipe import parse_recipe, settle
    from wellread.teaching import prepare_stage
    from wellread.training import train

    recipe = settle(parse_recipe(text))
    [stage] = recipe.stages
    corpus = ingest([Path(book)], recipe.corpus, seed=0, strict=False)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        ready = prepare_stage(recipe, corpus, stage, place / "tokens", start=recipe.base, place=place, offline=True)
        opened = peak_memory()
        train(
            ready.model, ready.tokenizer, ready.windows, ready.validation, stage,
            folder=place, base=ready.base, seed=0, fingerprint="plan",
        )  # fmt: skip
        last = (place / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    return {"memory_bytes": peak_memory(), "opened": opened, "seconds": json.loads(last)["elapsed_seconds"]}


def peak_memory() -> int:
    """VmHWM of this process, in bytes."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this benchmark reads /proc/self/status: it runs on Linux")


def alone(work: str, text: str, book: str) -> dict[str, Any]:
    """The answer of one of the two functions above, from a fresh process."""
    command = [sys.executable, __file__, book, "--work", work]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1] if done.stderr else f"{work} failed")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="?", default="library:novella")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--keep", default="last")
    parser.add_argument("--work", choices=["foreseen", "measured"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.work:
        work = {"foreseen": foreseen, "measured": measured}[chosen.work]
        print(json.dumps(work(sys.stdin.read(), chosen.text)))
        return
    from wellread.texts import found

    [book] = found([chosen.text])
    print(f"batch {chosen.batch}, windows of {chosen.length} tokens, keep: {chosen.keep}; MB of 2^20 bytes")
    print("method      foreseen  measured  ratio   foreseen s  measured s   opened  foreseen by part")
    for name in chosen.methods.split(","):
        text = recipe_text(name, chosen)
        seen, did = alone("foreseen", text, str(book)), alone("measured", text, str(book))
        ratio = seen["memory_bytes"] / did["memory_bytes"]
        parts = ", ".join(f"{part} {size / 2**20:.0f}" for part, size in seen["memory"].items() if size)
        print(f"{name:10}  {seen['memory_bytes'] / 2**20:8,.0f}  {did['memory_bytes'] / 2**20:8,.0f}  {ratio:5.2f}"
              f"   {seen['seconds']:10.1f}  {did['seconds']:10.1f}  {did['opened'] / 2**20:7,.0f}  {parts}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
