"""Recall against terms and rank, on a glossary that no one tuned the recipe for: `python benchmarks/glossary.py GLOSSARY`.

A seeded sample of GLOSSARY's entries for each of `--terms`, taught with the recipe `glossary` once for each of `--rank`; the larger
sample holds the smaller. Prints a table of what was held out in Markdown; recall along the steps of each run is in its report, and in
its `log.jsonl`.

Every run is `wellread run` in a folder of --out; started again, the benchmark goes on where it was. `--set` goes to every run.
On two cores 200 terms took 32 minutes; others in proportion.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wellread.synthesis import load_terms

COLUMNS = {
    "recall": ("recall_exact", "held_out"),
    "forward": ("recall_exact_forward", "held_out"),
    "reverse": ("recall_exact_reverse", "held_out"),
    "context": ("recall_exact_context", "held_out"),
    "false definitions": ("false_definition_rate", "held_out"),
    "refused outside": ("over_refusal_rate_outside", "held_out"),
    "general bits per byte": ("bits_per_byte", "general"),
}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("glossary", type=Path)
    words.add_argument("--terms", default="200", help="how many, parted by commas")
    words.add_argument("--rank", default="32", help="of the adapter, parted by commas")
    words.add_argument("--seed", type=int, default=0, help="of the sample")
    words.add_argument("--set", action="append", default=[], dest="settings", help="for every run")
    words.add_argument("--out", type=Path, default=Path("runs/glossary-curve"))
    asked = words.parse_args()
    runs = []
    for terms in map(int, asked.terms.split(",")):
        entries = asked.out / f"{terms}.jsonl"
        sample(asked.glossary, terms, asked.seed, entries)
        for rank in map(int, asked.rank.split(",")):
            run = asked.out / f"{terms}-terms-rank-{rank}"
            teach(entries, rank, run, asked.settings)
            runs.append((terms, rank, run))
    print("\n" + markdown(runs))


def sample(glossary: Path, terms: int, seed: int, out: Path) -> None:
    """So many entries with different names, drawn by the seed, written as rows."""
    entries = {term.name.casefold(): term for term in load_terms(glossary)}
    chosen = random.Random(seed).sample(sorted(entries), len(entries))[:terms]
    rows = [{"term": entries[name].name, "expansion": entries[name].expansion, "definition": entries[name].definition}
            for name in chosen]  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def teach(entries: Path, rank: int, out: Path, settings: Sequence[str]) -> None:
    """One run in a process of its own; 3 is what it exits with where a requirement does not hold."""
    command = [sys.executable, "-m", "wellread.cli", "run", "glossary", str(entries), "--out", str(out), "--offline"]
    for setting in (f"teach.method.rank={rank}", f"teach.method.alpha={rank}", *settings):
        command += ["--set", setting]
    print(" ".join(command), flush=True)
    code = subprocess.run(command, check=False).returncode
    if code not in (0, 3):
        sys.exit(code)


def markdown(runs: Sequence[tuple[int, int, Path]]) -> str:
    """A line for each run as it was taught, and one for the base of the last."""
    lines = ["| terms | rank | " + " | ".join(COLUMNS) + " | steps | minutes |", "|---" * (len(COLUMNS) + 4) + "|"]
    for terms, rank, run in runs:
        rows, last = read(run / "measurements.jsonl"), read(run / "stages" / "01-teach" / "log.jsonl")[-1]
        cells = [cell(rows, "teach", *column) for column in COLUMNS.values()]
        lines.append(
            f"| {terms} | {rank} | {' | '.join(cells)} | {last['step']} | {last['elapsed_seconds'] / 60:.0f} |"
        )
    if runs:
        terms, _, run = runs[-1]
        rows = read(run / "measurements.jsonl")
        cells = [cell(rows, rows[0]["subject"], *column) for column in COLUMNS.values()]
        lines.append(f"| {terms} | base | {' | '.join(cells)} | | |")
    return "\n".join(lines)


def cell(rows: Sequence[dict[str, Any]], subject: str, name: str, split: str) -> str:
    """`0.953 [0.91, 0.98]`, as far as it was measured."""
    for row in rows:
        if (row["name"], row["split"], row["subject"]) == (name, split, subject) and row["value"] is not None:
            ends = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
            return f"{row['value']:.3f}{ends}"
    return "–"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
