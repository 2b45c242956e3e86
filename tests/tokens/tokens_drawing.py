"""A library of every kind of shard, draws from it, and what is in a finished one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from wellread.testing import prose
from wellread.tokens import DrawnWindows, draw_windows

LENGTH = 32


def book(number: int, words: int = 3000) -> str:
    return prose(words, seed=number) + " l’été n’est pas fini\r\n"


def write_library(folder: Path) -> Path:
    """Three kinds of shards: texts, JSONL with a bad row among good ones, Parquet of two row groups."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    (folder / "inner").mkdir()
    (folder / "a.txt").write_text(book(1), encoding="utf-8", newline="")
    (folder / "inner" / "b.md").write_text("\ufeff" + book(2, 6000), encoding="utf-8", newline="")
    rows: list[object] = [{"text": book(3 + n, 40 + 10 * n), "other": n} for n in range(60)]
    rows[30:30] = [{"text": None}, 3, {"text": ""}]
    lines = [json.dumps(row, ensure_ascii=n % 2 == 0) for n, row in enumerate(rows)]
    lines.insert(10, "{broken")
    lines.insert(20, "")
    (folder / "c.jsonl").write_text("\n".join(lines), encoding="utf-8")
    texts = [book(100 + n, 30 + n) if n % 7 else None for n in range(150)]
    pq.write_table(pa.table({"text": texts, "n": list(range(150))}), folder / "d.parquet", row_group_size=80)
    (folder / ".hidden.txt").write_text("hidden " * 1000)
    (folder / "notes.pdf").write_text("no shard")
    return folder


def drawn(library, tokenizer, folder: Path, n: int = 400, seed: int = 1, **how):
    given = {"length": LENGTH, "start": 1, "end": 2, **how}
    return draw_windows([library], tokenizer, folder, n=n, seed=seed, **given)


def contents(folder: Path) -> list[tuple]:
    windows = DrawnWindows(folder)
    windows._order = np.arange(len(windows))
    return [(*windows.place(i), tuple(windows[i]["input_ids"])) for i in range(len(windows))]
