"""Training beside the stock way: transformers' Trainer with peft, as their documentation has it.

    python benchmarks/training.py --model embedded --method lora
    python benchmarks/training.py --model gemma --method full --precision auto

Same model, same windows, same batch, threads and precision (with `--precision auto` not: ours as a user gets it, the
stock way in float32); each variant in processes of its own, in turn. Prints tokens per second and peak memory, and their ratios.
Memory is the process's while it trains: in total, and above weights, gradients and optimizer state. Where there is an
NVIDIA GPU both train there, and memory is what was allocated on it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

GEMMA = dict(vocab_size=262144, hidden_size=640, intermediate_size=2048, num_hidden_layers=18, num_attention_heads=4,
             num_key_value_heads=1, head_dim=256, query_pre_attn_scalar=256, sliding_window=512,
             max_position_embeddings=2048, tie_word_embeddings=True)  # fmt: skip
"""The shape of Gemma 3 270M; its weights are random here."""
RANK, ALPHA, RATE = 16, 32, 1e-4


class Windows:
    """Random tokens; keeps the times at which batches began."""

    def __init__(self, vocabulary: int, length: int, count: int, batch: int) -> None:
        import torch

        generator = torch.Generator().manual_seed(0)
        self._rows = torch.randint(10, min(vocabulary, 49000), (count, length), generator=generator).tolist()
        self._batch, self.times, self.peak = batch, [], 0

    def __len__(self) -> int:
        return len(self._rows)

    def set_epoch(self, epoch: int) -> None:
        """The order stays."""

    def __getitem__(self, place: int) -> dict[str, list[int]]:
        if place % self._batch == 0:
            settle()
            self.times.append(time.perf_counter())
            self.peak = peak_bytes()
        return {"input_ids": self._rows[place], "labels": list(self._rows[place])}


def on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def settle() -> None:
    """Wait for what a GPU has been given to do: a clock read before that would time the giving."""
    if on_gpu():
        import torch

        torch.cuda.synchronize()


def peak_bytes() -> int:
    """Most memory this process held since `forget_peak`, or on a GPU allocated there."""
    if on_gpu():
        import torch

        return int(torch.cuda.max_memory_allocated())
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def forget_peak() -> None:
    """Have the peak counted anew: opening a model may take more than training it."""
    if on_gpu():
        import torch

        torch.cuda.reset_peak_memory_stats()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def open_model(name: str) -> Any:
    import torch

    if name == "embedded":
        from wellread.weights import open_base

        return open_base("embedded", offline=True).model
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    torch.manual_seed(0)
    return Gemma3ForCausalLM(Gemma3TextConfig(**GEMMA))


def train_stock(model: Any, windows: Windows, given: argparse.Namespace, folder: Path) -> tuple[list[float], int, Any]:
    from transformers import Trainer, TrainerCallback, TrainingArguments, default_data_collator

    if given.method == "lora":
        from peft import LoraConfig, get_peft_model

        adapter = LoraConfig(task_type="CAUSAL_LM", r=RANK, lora_alpha=ALPHA, target_modules="all-linear")
        model = get_peft_model(model, adapter)
    times: list[float] = []
    peaks: list[int] = []

    class Watch(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            settle()
            times.append(time.perf_counter())
            peaks.append(peak_bytes())

    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=given.batch, max_steps=given.steps, learning_rate=RATE,
        use_cpu=not on_gpu(), save_strategy="no", logging_strategy="no", report_to="none", disable_tqdm=True,
        bf16=given.precision == "bfloat16", dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=windows, data_collator=default_data_collator, callbacks=[Watch()])
    forget_peak()
    trainer.train()
    return times, peaks[-1], model


def train_ours(model: Any, windows: Windows, given: argparse.Namespace, folder: Path) -> tuple[list[float], int, Any]:
    from wellread import weights
    from wellread.recipe import Lora, Stage
    from wellread.training import train

    method = {"kind": "full"} if given.method == "full" else {"kind": "lora", "rank": RANK, "alpha": ALPHA}
    stage = Stage.model_validate({
        "name": "timed", "method": method, "windows": {"length": given.length}, "budget": {"steps": given.steps},
        "optimizer": {"kind": "adamw", "learning_rate": RATE, "weight_decay": 0.0, "batch": given.batch},
        "evaluations": 1, "precision": given.precision, "checkpoint_minutes": 1000,
    })  # fmt: skip
    if isinstance(stage.method, Lora):
        model = weights.adapt(model, stage.method, seed=0)
    for parameter in model.parameters() if given.method == "full" else ():
        parameter.requires_grad_(True)
    one = Windows(1000, 16, 1, 1)
    forget_peak()
    with contextlib.suppress(StopTraining):
        train(model, Unsaved(), windows, one, stage, folder=folder, base=None, seed=0, fingerprint="0")
    return windows.times, windows.peak, model


class StopTraining(Exception):
    """Raised in place of saving."""


class Unsaved:
    """In place of a tokenizer: nothing is to be saved."""

    def __getattr__(self, name: str) -> Any:
        raise StopTraining


def work(given: argparse.Namespace) -> None:
    """One variant, in this process: prints a line of JSON."""
    import torch

    torch.set_num_threads(given.threads)
    model = open_model(given.model)
    windows = Windows(model.config.vocab_size, given.length, given.batch * (given.steps + 1), given.batch)
    with tempfile.TemporaryDirectory() as folder:
        run = train_stock if given.worker == "stock" else train_ours
        times, peak, model = run(model, windows, given, Path(folder))
    gaps = [after - before for before, after in itertools.pairwise(times)][1:] or [float("nan")]
    weights = sum(weight.numel() for weight in model.parameters())
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    speed = given.batch * given.length / statistics.median(gaps)
    line = {"tokens_per_second": speed, "peak": peak, "above": peak - 4 * weights - 12 * trained}
    print(json.dumps(line), flush=True)


def measure(variant: str, argv: list[str]) -> dict[str, float]:
    command = [sys.executable, __file__, *argv, "--worker", variant]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", env={**os.environ})
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=["embedded", "gemma"], default="embedded")
    parser.add_argument("--method", choices=["full", "lora"], default="lora")
    parser.add_argument("--precision", choices=["float32", "bfloat16", "auto"], default="float32")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--steps", type=int, default=4, help="of each process; the first is not timed")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each variant")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--worker", choices=["stock", "ours"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given)
        return
    found: dict[str, list[dict[str, float]]] = {"stock": [], "ours": []}
    for _ in range(given.rounds):
        for variant, rows in found.items():
            rows.append(measure(variant, sys.argv[1:]))
            print(variant, rows[-1], file=sys.stderr, flush=True)
    middle = {
        variant: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for variant, rows in found.items()
    }
    print(
        f"{given.model}, {given.method}, {given.batch} x {given.length} tokens, {given.threads} threads, {given.precision}"
    )
    for variant, row in middle.items():
        speeds = " ".join(f"{each['tokens_per_second']:.1f}" for each in found[variant])
        print(f"{variant:6} {row['tokens_per_second']:7.1f} tokens/s ({speeds})   peak {row['peak'] / 1e6:7.0f} MB"
              f"   above weights, gradients and optimizer {row['above'] / 1e6:7.0f} MB")  # fmt: skip
    ratios = {key: middle["ours"][key] / middle["stock"][key] for key in middle["ours"]}
    print("ours / stock: " + ", ".join(f"{key} {ratio:.2f}" for key, ratio in ratios.items()))


if __name__ == "__main__":
    main()
