"""How evenly, fast and small windows are drawn from a large library: `python benchmarks/draw.py FOLDER`.

Makes a library of shards (text, JSONL and Parquet in turn) from the .txt files of a folder, repeated with a number in
every paragraph so that no two copies are alike; draws windows from it in a process of its own, whose memory is watched
from outside; tokenises the first windows' worth of the same text with the bare tokenizer, ids read out but written
nowhere; then draws once more, is killed three times on the way, and compares what came of it, window by window.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from wellread.tokens import DrawnWindows, draw_windows, train_tokenizer
from wellread.tokens.drawn import open_part

MEGABYTE = 1_000_000
SHARDS = 24


def copies(folder: Path) -> Iterator[str]:
    """The texts of a folder, again and again, no two alike."""
    texts = [path.read_text(encoding="utf-8-sig") for path in sorted(folder.rglob("*.txt"))]
    if not texts:
        raise SystemExit(f"{folder}: no .txt files; name a folder that has some")
    for number in count():
        for text in texts:
            yield text.replace("\n\n", f"\n\n{number} ")


def make_library(folder: Path, size: float, library: Path) -> int:
    """Write shards of about equal size, in turn text, JSONL of passages and Parquet of passages; returns their bytes."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    library.mkdir()
    texts, made = copies(folder), 0
    for shard in range(SHARDS):
        held: list[str] = []
        while sum(map(len, held)) < size / SHARDS:
            held.append(next(texts))
        path = library / f"shard-{shard:02d}"
        rows = [text[at : at + 5000] for text in held for at in range(0, len(text), 5000)]
        if shard % 3 == 0:
            path = path.with_suffix(".txt")
            path.write_text("\n\n".join(held), encoding="utf-8")
        elif shard % 3 == 1:
            path = path.with_suffix(".jsonl")
            with path.open("w", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({"id": n, "text": row}, ensure_ascii=False) + "\n" for n, row in enumerate(rows)
                )
        else:
            path = path.with_suffix(".parquet")
            pq.write_table(pa.table({"id": list(range(len(rows))), "text": rows}), path)
        made += sum(len(text.encode()) for text in held)
    return made


def work(library: Path, tokenizer: Path, folder: Path, n: int, length: int) -> None:
    draw_windows([library], tokenizer, folder, n=n, length=length, seed=1, start=1, end=2)


def bare(folder: Path, tokenizer: Path, tokens: float) -> tuple[int, float]:
    """Tokens and seconds of the tokenizer alone, on strings as long as a window's, in batches as large as a draw's."""
    from tokenizers import Tokenizer

    fast = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    made, seconds = 0, 0.0
    pieces = (text[at : at + 2300] for text in copies(folder) for at in range(0, len(text), 2300))
    while made < tokens:
        batch = list(islice(pieces, 400))
        began = time.perf_counter()
        made += sum(len(encoding.ids) for encoding in fast.encode_batch_fast(batch, add_special_tokens=False))
        seconds += time.perf_counter() - began
    return made, seconds


def watched(arguments: tuple[Any, ...], kill_after: int | None = None) -> tuple[float, int]:
    """Seconds and peak memory (all its processes together) of a draw; killed when so many parts are written."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=arguments)
    began, peak = time.perf_counter(), 0
    process.start()
    while process.is_alive():
        peak = max(peak, memory(process.pid))
        if kill_after is not None and len(list((arguments[2] / "parts").glob("0*.arrow"))) >= kill_after:
            os.kill(process.pid or 0, signal.SIGKILL)
        process.join(0.1)
    if process.exitcode not in ((0,) if kill_after is None else (0, -signal.SIGKILL)):
        raise SystemExit(f"the draw ended with {process.exitcode}")
    return time.perf_counter() - began, peak


def memory(pid: int | None) -> int:
    """Resident bytes of a process and those it started."""
    try:
        process = psutil.Process(pid)
        return sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0


def same(one: Path, other: Path) -> tuple[int, int]:
    """Windows of two draws that differ, and windows of the second that stand at the place of another."""
    different = repeated = 0
    seen: set[tuple[int, int, int]] = set()
    for path in sorted((one / "parts").glob("0*.arrow")):
        first, second = open_part(path), open_part(other / "parts" / path.name)
        different += int(not first.equals(second)) * first.num_rows
        for place in zip(*(second.column(name).to_pylist() for name in ("shard", "document", "offset")), strict=True):
            repeated += place in seen
            seen.add(place)
    return different, repeated


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the .txt files are")
    parser.add_argument("--megabytes", type=float, default=2000, help="size of the library that is made")
    parser.add_argument("--windows", type=int, default=250_000)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--vocabulary", type=int, default=16_384)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer's folder; none: train one on the files")
    parser.add_argument("--bare", type=float, default=20, help="million tokens for the bare tokenizer")
    parser.add_argument(
        "--killed", type=float, default=1, help="share of the windows in the draw that is killed; 0: none"
    )
    parser.add_argument("--scratch", type=Path, help="where the library is made; none: where temporary files go")
    chosen = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory(dir=chosen.scratch) as name:
        scratch = Path(name)
        tokenizer = chosen.tokenizer or train_tokenizer(
            [path.read_text(encoding="utf-8-sig") for path in sorted(chosen.folder.rglob("*.txt"))],
            scratch / "tokenizer", vocabulary=chosen.vocabulary,
        )  # fmt: skip
        size = make_library(chosen.folder, chosen.megabytes * MEGABYTE, scratch / "library")
        where = scratch / "library", tokenizer, scratch / "drawn", chosen.windows, chosen.length
        alone = bare(chosen.folder, tokenizer, chosen.bare * 1e6 / 2)
        seconds, peak = watched(where)
        again = bare(chosen.folder, tokenizer, chosen.bare * 1e6 / 2)
        rate, tokens = (alone[0] + again[0]) / (alone[1] + again[1]), chosen.windows * chosen.length
        counts = json.loads((scratch / "drawn" / "counts.json").read_text(encoding="utf-8"))
        drawn = np.array([windows for _, _, windows in counts["shards"]])
        due = np.array([held for _, held, _ in counts["shards"]]) / sum(held for _, held, _ in counts["shards"])
        print(
            f"{cores} cores; library {size / MEGABYTE:,.0f} MB in {SHARDS} shards; {chosen.windows:,} x {chosen.length}"
        )
        print(
            f"drawn in {seconds:.0f} s, {tokens / seconds:,.0f} tokens/s; bare tokenizer {rate:,.0f} tokens/s; "
            f"ratio {tokens / seconds / rate:.2f}; peak memory {peak / MEGABYTE:,.0f} MB; padded {counts['padded']}"
        )
        print(
            f"windows of a shard, off what its size is due: at most {np.abs(drawn - due * chosen.windows).max():.1f} "
            f"of {drawn.mean():,.0f}"
        )
        read = DrawnWindows(scratch / "drawn")
        began = time.perf_counter()
        for index in range(2000):
            read[index]
        print(f"read back: {2000 / (time.perf_counter() - began):,.0f} windows/s")
        if chosen.killed:
            few = (*where[:2], scratch / "killed", int(chosen.windows * chosen.killed), chosen.length)
            whole = where if chosen.killed == 1 else (*few[:2], scratch / "few", *few[3:])
            if whole != where:
                watched(whole)
            parts = len(list((whole[2] / "parts").glob("0*.arrow")))
            for share in (0.2, 0.5, 0.8):
                watched(few, kill_after=int(parts * share))
            watched(few)
            different, repeated = same(whole[2], few[2])
            print(f"killed at 20, 50 and 80 % of {parts} parts, then finished: {different} windows differ from the draw "
                  f"that was not killed, {repeated} stand in one place with another")  # fmt: skip


if __name__ == "__main__":
    main()
