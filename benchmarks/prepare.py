"""How fast, and in how little memory, a large text becomes rows: `python benchmarks/prepare.py FOLDER`.

Makes the text from the .txt files of a folder, repeated with a number in every paragraph so that no two copies are
alike; prepares it in a process of its own, whose memory is watched from outside; and sets beside it what the bare
tokenizer does with the first documents of the same text, on as many threads, ids read out but written nowhere.
Tokens per core-second (of processor time) compare even where other work slows the machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count, takewhile
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from wellread.tokens import prepare, train_tokenizer
from wellread.types import Document

MEGABYTE = 1_000_000


class Copies:
    """`megabytes` of documents made of the files of a folder; can be read again and again."""

    def __init__(self, folder: Path, megabytes: float) -> None:
        self.paths = sorted(folder.rglob("*.txt"))
        self.bytes = megabytes * MEGABYTE
        if not self.paths:
            raise SystemExit(f"{folder}: no .txt files; name a folder that has some")

    def __iter__(self) -> Iterator[Document]:
        texts = [path.read_text(encoding="utf-8-sig") for path in self.paths]
        made = 0.0
        for number in count():
            for path, text in zip(self.paths, texts, strict=True):
                if made >= self.bytes:
                    return
                copy = text.replace("\n\n", f"\n\n{number} ")
                made += len(copy.encode())
                yield Document(f"{path.stem}-{number}", copy)


class Clock:
    """Seconds, and core-seconds of this process, spent inside `with`, all times together."""

    def __init__(self) -> None:
        self.seconds = self.core_seconds = 0.0

    def __enter__(self) -> None:
        self.seconds -= time.perf_counter()
        self.core_seconds -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter()
        self.core_seconds += time.process_time()

    def read(self) -> dict[str, float]:
        return {"seconds": self.seconds, "core_seconds": self.core_seconds}


def prepared(copies: Copies, tokenizer: Path, folder: Path) -> dict[str, float]:
    """Tokens, bytes and seconds of a preparation from nothing, and the seconds that reusing it takes."""
    clock = Clock()
    with clock:
        rows = prepare(copies, tokenizer, folder, start=1, end=2)
    again = Clock()
    with again:
        prepare(copies, tokenizer, folder, start=1, end=2)
    return {"tokens": rows.tokens, "bytes": rows.bytes, **clock.read(), "again": again.seconds}


def bare(copies: Copies, tokenizer: Path, by_paragraph: bool) -> dict[str, float]:
    """The tokenizer alone, document by document or paragraph by paragraph, in batches of about a megabyte."""
    from tokenizers import Tokenizer

    fast = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    tokens = size = 0
    clock = Clock()
    for document in copies:
        size += len(document.text.encode())
        texts = document.text.split("\n\n") if by_paragraph else [document.text]
        with clock:
            tokens += sum(len(encoding.ids) for encoding in fast.encode_batch(texts, add_special_tokens=False))
    return {"tokens": tokens, "bytes": size, **clock.read()}


def bare_together(copies: Copies, tokenizer: Path) -> dict[str, float]:
    """The tokenizer alone, all documents in one batch: its threads take a document each."""
    from tokenizers import Tokenizer

    fast = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    texts = [document.text for document in copies]
    clock = Clock()
    with clock:
        tokens = sum(len(encoding.ids) for encoding in fast.encode_batch(texts, add_special_tokens=False))
    return {"tokens": tokens, "bytes": sum(len(text.encode()) for text in texts), **clock.read()}


def _answer(connection: Connection, work: Callable[..., dict[str, float]], arguments: tuple[object, ...]) -> None:
    connection.send(work(*arguments))


def alone(work: Callable[..., dict[str, float]], *arguments: object) -> tuple[dict[str, float], int]:
    """What the work returns when run in a fresh process, and the most memory it held (it starts no other)."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_answer, args=(there, work, arguments))
    child.start()
    there.close()
    peak = 0
    while not here.poll(0.1):
        peak = max(peak, _resident(child.pid))
        if not child.is_alive() and not here.poll():
            raise SystemExit("the measured process ended without an answer")
    answer = here.recv()
    child.join()
    return answer, peak


def _resident(process: int | None) -> int:
    try:
        return int(psutil.Process(process).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the .txt files are")
    parser.add_argument("--megabytes", type=float, default=1000, help="size of the text that is made")
    parser.add_argument("--bare", type=float, default=30, help="megabytes of it for the bare tokenizer")
    parser.add_argument("--vocabulary", type=int, default=16_384)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer's folder; none: train one on the files")
    chosen = parser.parse_args()
    copies, few = Copies(chosen.folder, chosen.megabytes), Copies(chosen.folder, min(chosen.bare, chosen.megabytes))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer = chosen.tokenizer
        if tokenizer is None:
            first = takewhile(lambda document: document.id.endswith("-0"), copies)
            texts = (document.text for document in first)
            tokenizer = train_tokenizer(texts, Path(scratch) / "tokenizer", vocabulary=chosen.vocabulary)
        results = {
            "prepare": alone(prepared, copies, tokenizer, Path(scratch) / "rows"),
            "bare, whole documents in one batch": alone(bare_together, few, tokenizer),
            "bare, document by document": alone(bare, few, tokenizer, False),
            "bare, paragraph by paragraph": alone(bare, few, tokenizer, True),
        }
    print(f"{cores} cores, vocabulary {chosen.vocabulary}")
    for name, (answer, peak) in results.items():
        print(
            f"{name:36} {answer['bytes'] / MEGABYTE:7.0f} MB {answer['tokens'] / 1e6:7.1f} M tokens "
            f"{answer['seconds']:7.1f} s {answer['tokens'] / answer['seconds']:9,.0f} tokens/s "
            f"{answer['tokens'] / answer['core_seconds']:9,.0f} tokens/core-s  peak {peak / MEGABYTE:5.0f} MB"
        )
    print(f"prepared again, by its fingerprint: {results['prepare'][0]['again']:.1f} s")
    print(json.dumps({name: {**answer, "peak_bytes": peak} for name, (answer, peak) in results.items()}))


if __name__ == "__main__":
    main()
