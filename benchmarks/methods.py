"""Every method on the same book and budget, and every brake with and without: `python benchmarks/methods.py BOOK`.

Each variant is a run of its own in a process of its own, kept in the folder that --out names: started again, the benchmark goes on
where it was. Prints one table in Markdown for docs/methods.md. Tokens per second and memory are those of training alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

RECIPE = """
name: {name}
{base}
stages:
  - name: imprint
    method: {method}
    windows: {{length: 256}}
    budget: {{{budget}}}
    optimizer: {{{optimizer}batch: 4}}
    evaluations: 4
    validation_windows: 12
    {further}
sampling: {{max_tokens: 60, n: 1}}
measure: {{quick_words: {words}, metrics: [bits_per_byte, greedy_recited_share]}}
"""
MUON = "kind: muon, learning_rate: 0.016, muon_learning_rate: 0.025, "
METHODS = {
    "scratch": ("{kind: scratch}", MUON, ""),
    "full": ("{kind: full}", "", ""),
    "lora": ("{kind: lora}", "", ""),
    "qlora (nf4)": ("{kind: qlora}", "", ""),
}
"""What a user gets who names the method and nothing else (from scratch: the shipped recipe's optimizer)."""
HARD = "learning_rate: 2.0e-4, warmup: 0.05, "
"""Full tuning pushed until it recites, so that a brake has something to hold."""
BRAKES = {
    "no brake": ("{kind: full}", HARD, ""),
    "replay, a third of the windows": ("{kind: full}", HARD, "mix: {texts: [library:novella], share: 0.3333}"),
    "goldfish, one token in 4": ("{kind: full}", HARD, "goldfish: 4"),
    "average of the late weights": ("{kind: full}", HARD, "keep: average"),
    "best on validation": ("{kind: full}", HARD, "keep: best"),
}
CHILD = "import sys, wellread; wellread.run(sys.argv[1], [sys.argv[2]], out=sys.argv[3], offline=True)"


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("book", help="a text of the reader's own")
    words.add_argument("--short", default="", help="a short text for the brakes; default: the embedded tale")
    words.add_argument("--base", default="embedded")
    words.add_argument("--tokens", type=int, default=120_000, help="budget of every method, in tokens read")
    words.add_argument("--epochs", type=int, default=10, help="budget of every brake, in passes over the short text")
    words.add_argument("--words", type=int, default=4_000, help="words of each part that are measured")
    words.add_argument("--only", default="", help="variants whose names contain this")
    words.add_argument("--out", type=Path, default=Path("runs/methods"))
    asked = words.parse_args()
    short = asked.short or "library:conte"
    for title, table, book, budget in (
        ("Methods", METHODS, asked.book, f"tokens: {asked.tokens}"),
        ("Brakes", BRAKES, short, f"epochs: {asked.epochs}"),
    ):
        rows = {name: variant(name, parts, book, budget, asked) for name, parts in table.items() if asked.only in name}
        if not rows:
            continue
        print(f"\n### {title}: `{Path(book).name}`, {budget.replace(': ', ' ')}\n\n{markdown(rows)}", flush=True)


def variant(
    name: str, parts: tuple[str, str, str], book: str, budget: str, asked: argparse.Namespace
) -> dict[str, Any]:
    """Run one variant, unless it is there, and read its figures from the run folder."""
    method, optimizer, further = parts
    short = "".join(letter if letter.isalnum() else "-" for letter in name)
    out = asked.out / short
    recipe = asked.out / f"{short}.yaml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    base = "" if name == "scratch" else f"base: {asked.base}"
    recipe.write_text(
        RECIPE.format(name=short.strip("-"), base=base, method=method, budget=budget, optimizer=optimizer,
                      further=further, words=asked.words), encoding="utf-8",
    )  # fmt: skip
    share_base(asked.out, out, {"book": book, "base": base, "words": asked.words})
    subprocess.run([sys.executable, "-c", CHILD, str(recipe), book, str(out)], check=True)
    return figures(out)


def share_base(folder: Path, out: Path, told: dict[str, Any]) -> None:
    """What another variant measured of the same base on the same book is not measured again."""
    for other in sorted(folder.glob("*/told.json")):
        measured = other.parent / "stages" / "00-base"
        same = told["base"] and json.loads(other.read_text(encoding="utf-8")) == told
        if same and (measured / "measurements.jsonl").is_file() and not out.exists():
            shutil.copytree(measured, out / "stages" / "00-base")
    out.mkdir(parents=True, exist_ok=True)
    (out / "told.json").write_text(json.dumps(told), encoding="utf-8")


def figures(run: Path) -> dict[str, Any]:
    rows = [json.loads(line) for line in (run / "measurements.jsonl").read_text(encoding="utf-8").splitlines()]
    log = [json.loads(line) for line in (run / "stages/01-imprint/log.jsonl").read_text(encoding="utf-8").splitlines()]

    def value(metric: str, split: str, subject: str) -> float | None:
        found = [
            row["value"] for row in rows if (row["name"], row["split"], row["subject"]) == (metric, split, subject)
        ]
        return found[0] if found else None

    base = next((row["subject"] for row in rows if row["subject"] != "imprint"), "")
    recited = [value("greedy_recited_share", split, "imprint") for split in ("train", "held_out")]
    speeds = [line["tokens_per_second"] for line in log if "tokens_per_second" in line]
    return {
        "held-out bits per byte": value("bits_per_byte", "held_out", "imprint"),
        "before": value("bits_per_byte", "held_out", base),
        "recited, train less held-out": None if None in recited else recited[0] - recited[1],
        "general before": value("bits_per_byte", "general", base),
        "general after": value("bits_per_byte", "general", "imprint"),
        "tokens/s": statistics.median(speeds),
        "memory, GiB": max(line.get("memory_bytes", 0) for line in log) / 2**30,
    }


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    columns = list(next(iter(rows.values())))
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in rows.items():
        lines.append(f"| {name} | " + " | ".join(cell(column, row[column]) for column in columns) + " |")
    return "\n".join(lines)


def cell(column: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0%}" if "recited" in column else f"{value:,.0f}" if column == "tokens/s" else f"{value:.3f}"


if __name__ == "__main__":
    main()
