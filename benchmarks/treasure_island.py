"""What 2, 10 and 40 readings of one book make of a small model: `python benchmarks/treasure_island.py FOLDER`.

FOLDER holds English novels as text files, `stevenson_treasure_island.txt` among them. A small base is trained from scratch on all
the others; then *Treasure Island* is imprinted on it three times, every weight free, no brake, the last weights kept: only the number
of epochs differs. Style, recitation and held-out bits per byte are measured before and after, beside the other novels. Prints one table
in Markdown.

Every run is `wellread run` with a recipe that --out keeps, in a folder each: `base`, `epochs-2`, `epochs-10`, `epochs-40`; started again,
the benchmark goes on where it was. `--set` goes to the imprinting runs as it would to `wellread run`. Training is foreseen, on two
cores, at ten minutes for the base and, for 40 readings, a quarter of an hour with `--size small`, half of that with `--size tiny`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BOOK = "stevenson_treasure_island.txt"
BASE = """
name: treasure-island-base
about: A small model of English novels, from scratch, for one of them to be imprinted on.
corpus: {{validation: 0.03, held_out: 0.03}}
references: []
stages:
  - name: novels
    method: {{kind: scratch, size: {size}, vocabulary: 4096, dropout: 0}}
    windows: {{length: 256}}
    budget: {{minutes: {minutes}}}
    optimizer: {{kind: muon, learning_rate: 0.016, muon_learning_rate: 0.025, weight_decay: 0.1, batch: 8, warmup: 0.01}}
    keep: best
    evaluations: 6
sampling: {{max_tokens: 60, n: 1}}
measure: {{quick_words: 5000, metrics: [bits_per_byte]}}
"""
IMPRINT = """
name: treasure-island
about: One novel read {epochs} times by a small model of other novels.
base: {base}
corpus: {{validation: 0.15, held_out: 0.15}}
general: ["library:general_en", "library:novella"]
references: {references}
stages:
  - name: imprint
    method: {{kind: full}}
    windows: {{length: 256}}
    budget: {{epochs: {epochs}}}
    optimizer: {{kind: muon, learning_rate: 0.006, muon_learning_rate: 0.015, batch: 4, warmup: 0.02}}
    keep: last
    evaluations: 10
sampling: {{max_tokens: 200, n: 2}}
measure: {{quick: false, style_words: 8000}}
"""
COLUMNS = {
    "held-out bits per byte": ("bits_per_byte", "held_out"),
    "recited, train": ("greedy_recited_share", "train"),
    "recited, held-out": ("greedy_recited_share", "held_out"),
    "longest run, words": ("longest_recited_words", ""),
    "coverage, train": ("recited_coverage", "train"),
    "cosine Delta": ("cosine_delta", ""),
    "style rank": ("style_rank", ""),
    "by function words": ("style_rank_function_words", ""),
    "attributed": ("style_attribution", ""),
    "general bits per byte": ("bits_per_byte", "general"),
}
SHARES = ("recited", "coverage", "attributed")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("folder", type=Path)
    words.add_argument("--epochs", default="2,10,40")
    words.add_argument("--size", default="small", choices=("tiny", "small", "medium"), help="of the base")
    words.add_argument("--minutes", type=float, default=10, help="of training of the base")
    words.add_argument("--set", action="append", default=[], dest="settings", help="for the imprinting runs")
    words.add_argument("--out", type=Path, default=Path("runs/treasure-island"))
    asked = words.parse_args()
    others = [path for path in sorted(asked.folder.glob("*.txt")) if path.name != BOOK]
    base = asked.out / "base"
    wellread_run(BASE.format(size=asked.size, minutes=asked.minutes), others, base)
    runs = []
    for epochs in asked.epochs.split(","):
        runs.append(asked.out / f"epochs-{epochs}")
        share_base(runs[0], runs[-1])
        recipe = IMPRINT.format(
            epochs=epochs, base=json.dumps(base.as_posix()), references=json.dumps([path.as_posix() for path in others])
        )
        wellread_run(recipe, [asked.folder / BOOK], runs[-1], asked.settings)
    print(f"\n{markdown(runs)}\n\nside by side: wellread compare {' '.join(map(str, runs))}")


def wellread_run(recipe: str, texts: Sequence[Path], out: Path, settings: Sequence[str] = ()) -> None:
    """One run in a process of its own; 3 is what it exits with where a requirement of `--set` does not hold."""
    kept = out.with_suffix(".yaml")
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(recipe.lstrip(), encoding="utf-8")
    command = [sys.executable, "-m", "wellread.cli", "run", str(kept), *map(str, texts), "--out", str(out), "--offline"]
    command += [word for setting in settings for word in ("--set", setting)]
    print(" ".join(command), flush=True)
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 3):
        sys.exit(code)


def share_base(first: Path, run: Path) -> None:
    """What the first run measured of the base is not measured again."""
    measured = first / "stages" / "00-base"
    if (measured / "measurements.jsonl").is_file() and not run.exists():
        shutil.copytree(measured, run / "stages" / "00-base")


def markdown(runs: Sequence[Path]) -> str:
    """A line for the base, one for every run, and one for the author's own held-out chapters."""
    measured = [read(run / "measurements.jsonl") for run in runs]
    first = measured[0]
    table = [("before", first, first[0]["subject"], "–")]
    table += [(run.name, rows, "imprint", minutes(run)) for run, rows in zip(runs, measured, strict=True)]
    table += [("the author's own", first, "real chapters", "–")]
    lines = ["| | " + " | ".join(COLUMNS) + " | minutes |", "|---" * (len(COLUMNS) + 2) + "|"]
    for title, rows, subject, took in table:
        lines.append(f"| {title} | {' | '.join(cell(column, rows, subject) for column in COLUMNS)} | {took} |")
    return "\n".join(lines)


def minutes(run: Path) -> str:
    """Of training with its validation."""
    return f"{read(run / 'stages' / '01-imprint' / 'log.jsonl')[-1]['elapsed_seconds'] / 60:.1f}"


def cell(column: str, rows: Sequence[dict[str, Any]], subject: str) -> str:
    """`1.612 [1.58, 1.65]`, as far as it was measured."""
    name, split = COLUMNS[column]
    for row in rows:
        if (row["name"], row["split"], row["subject"]) == (name, split, subject) and row["value"] is not None:
            ends = [row["low"], row["high"]]
            told = "" if None in ends else f" [{', '.join(figure(column, end) for end in ends)}]"
            return figure(column, row["value"]) + told
    return "–"


def figure(column: str, value: float) -> str:
    if column.startswith(SHARES):
        return f"{value:.1%}"
    return f"{value:.3f}" if "per byte" in column or "Delta" in column else f"{value:.0f}"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
