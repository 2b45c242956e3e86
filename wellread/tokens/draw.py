"""Windows drawn evenly from a library too large to read whole into memory: tokenised, written in parts, resumable.

    request.json        what is drawn, with which tokenizer, from which shards
    measured/N.json     how large shard N is, and where reading in it may begin
    plan.json           bytes of a token of this library
    parts/N.arrow       windows: input_ids, begins, tokens, shard, document, offset
    counts.json         windows of every shard; written last

`plan.py` says where the windows lie. `draw` measures the shards, draws the parts and counts them; `distributed.py` runs
the same steps in many processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from wellread.errors import CorpusError, StorageError
from wellread.storage import new_file, write_json
from wellread.tokens.drawn import DrawnWindows, open_part
from wellread.tokens.encode import Ids
from wellread.tokens.plan import Plan, Say, begin, measure_shards, noted, part_path, refusals
from wellread.tokens.stretches import Piece, Place, Reader, Stretch, keeps_space

__all__ = ["Drawn", "DrawnWindows", "begin", "draw", "draw_parts", "finish", "measure_shards"]

BATCH = 1 << 20
"""Bytes of text that are tokenised at once."""
MOST = 3.0
"""How many times the text that a window needs on the average it may need at most."""
LEAST = 64
"""Bytes of text that are added to a window at least."""
SPARE = 3
"""Tokens behind a window's last that must be there where its text ends inside a word: these may still change."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a finished draw gave."""

    folder: Path
    windows: int
    tokens: int
    padded: int
    """Windows at the library's end that its text does not fill."""
    shards: tuple[tuple[str, int, int], ...]
    """(name, size in bytes, windows that begin in it)"""


def draw(
    sources: Sequence[str | Path], tokenizer_folder: Path | str, folder: Path, *, n: int, length: int, seed: int,
    start: int, end: int, column: str = "text", say: Say = lambda line: None,
) -> Drawn:  # fmt: skip
    """Draw `n` windows of `length` tokens from files, folders or hub datasets into `folder`; go on where it stopped.

    Documents stand between `start` and `end`. A window begins at a document's beginning or at a word, and goes on with
    the documents after it where its own ends. Tokenises about `n * length` tokens, whatever the library's size, reads
    its shards in order, and holds a few megabytes of it at a time. The same draw again returns at once; another draw
    replaces it. In a library of fewer than `n` windows they overlap, and what its text does not fill is padded.
    Raises CorpusError for a library that is not there or cannot be read, StorageError where the disk refuses or the
    folder is somebody else's.
    """
    begin(sources, tokenizer_folder, folder, n=n, length=length, seed=seed, start=start, end=end, column=column)
    measure_shards(folder, say=say)
    draw_parts(folder, say=say)
    return finish(folder)


def draw_parts(folder: Path, rank: int = 0, world: int = 1, *, say: Say = lambda line: None) -> None:
    """Draw and write the parts of one of `world` runs of parts, those that are there already left out.

    Raises StorageError where a shard was not measured.
    """
    plan = Plan.of(folder)
    mine = range(rank * plan.parts // world, (rank + 1) * plan.parts // world)
    missing = [part for part in mine if not part_path(folder, part).exists()]
    if not missing:
        return
    windows = _windows(plan, missing)
    with refusals(folder):
        for done, part in enumerate(missing, 1):
            _write_part(part_path(folder, part), plan, list(islice(windows, len(plan.windows(part)))))
            say(f"drew {done:,} of {len(missing):,} parts of {len(plan.windows(part)):,} windows")


def finish(folder: Path) -> Drawn:
    """Count what all parts hold, write counts.json, and say it. Raises StorageError while parts are missing."""
    plan = Plan.of(folder)
    missing = [part for part in range(plan.parts) if not part_path(folder, part).exists()]
    if missing:
        raise StorageError(f"{folder}: {len(missing)} of {plan.parts} parts are missing; run the draw again")
    counts = noted(folder, "counts.json")
    if counts is None:
        windows = np.zeros(len(plan.shards), np.int64)
        tokens = padded = several = 0
        for part in range(plan.parts):
            table = open_part(part_path(folder, part))
            windows += np.bincount(table.column("shard").to_numpy(), minlength=len(windows))
            held = table.column("tokens").to_numpy()
            tokens, padded = tokens + int(held.sum()), padded + int((held < plan.length).sum())
            several += any(len(chunk.values) for chunk in table.column("begins").chunks)
        shards = [
            [shard.name, size, int(count)] for shard, size, count in zip(plan.shards, plan.sizes, windows, strict=True)
        ]
        counts = {"windows": plan.n, "length": plan.length, "tokens": tokens, "padded": padded,
                  "several": bool(several), "parts": plan.parts, "shards": shards}  # fmt: skip
        with refusals(folder):
            for leftover in (folder / "parts").glob(".*.partial"):
                leftover.unlink()
            write_json(folder / "counts.json", counts)
    return Drawn(
        folder, counts["windows"], counts["tokens"], counts["padded"], tuple(tuple(row) for row in counts["shards"])
    )


@dataclass(slots=True)
class Window:
    """A window that fills up with tokens; fewer than its length stay only where there is no more text."""

    stretch: Stretch
    ids: list[Ids] = field(default_factory=list)
    size: int = 0
    """Tokens."""
    begins: list[int] = field(default_factory=list)
    """Where documents begin in it, but for its own beginning."""
    taken: int = 0
    """Bytes of text asked for."""
    goes_on: Place | None = None

    def take(self, size: int) -> list[Piece]:
        """The next pieces of text, of about so many bytes; from its beginning, and more, where it could not go on."""
        if self.goes_on is None:
            self.ids, self.size, self.begins = [], 0, []
            size += self.taken
            self.taken = 0
        self.taken += size
        pieces, self.goes_on = self.stretch.pieces(size, self.goes_on)
        return pieces

    def add(self, pieces: Sequence[Piece], encoded: Iterator[Ids], ends: tuple[Ids, Ids]) -> None:
        for piece in pieces:
            if piece.opens and self.size:
                self.begins.append(self.size)
            new = [*([ends[0]] if piece.opens else []), next(encoded), *([ends[1]] if piece.closes else [])]
            self.ids += new
            self.size += sum(map(len, new))

    def lacks(self, length: int) -> int:
        """Tokens that are missing, of those that its text can still give."""
        if self.goes_on is None:
            return max(0, length + SPARE - self.size)
        return max(0, length - self.size) if self.goes_on[0] < len(self.stretch.texts) else 0


def _windows(plan: Plan, parts: Sequence[int]) -> Iterator[Window]:
    """The windows of parts, in order; one batch is being tokenised, by native threads, while the next is read."""
    ratio = plan.bytes_per_token
    with ThreadPoolExecutor(1) as pool:
        waiting: tuple[list[Window], list[list[Piece]], Future[list[Ids]]] | None = None
        for batch in _batches(plan, parts):
            pieces = [window.take(int(plan.length * ratio)) for window in batch]
            coming = batch, pieces, pool.submit(_encoded, plan, pieces)
            if waiting:
                ratio = _fill(plan, *waiting)
                yield from waiting[0]
            waiting = coming
        if waiting:
            _fill(plan, *waiting)
            yield from waiting[0]


def _batches(plan: Plan, parts: Sequence[int]) -> Iterator[list[Window]]:
    """Windows that need about BATCH bytes of text in all, each with as many documents behind it as it may ever need."""
    size = int(plan.length * plan.bytes_per_token * MOST) + 64
    enough = max(1, round(BATCH * MOST / size))
    keep = keeps_space(plan.tokenizer)
    reader: Reader | None = None
    batch: list[Window] = []
    for part in parts:
        for place in plan.places(part):
            reader = reader or Reader(plan.shards, plan.measured, plan.column, place)
            stretch = reader.stretch(place, size, keep_space=keep)
            if stretch is None:
                raise CorpusError("the library ends before its last window; no row there has a text: look at its end")
            batch.append(Window(stretch))
            if len(batch) >= enough:
                yield batch
                batch = []
    if batch:
        yield batch


def _fill(plan: Plan, batch: list[Window], pieces: list[list[Piece]], encoded: Future[list[Ids]]) -> float:
    """Add what was tokenised, then more text until every window is full or has none; returns bytes of a token here."""
    ends = np.array([plan.ends[0]], np.int32), np.array([plan.ends[1]], np.int32)
    size = sum(len(piece.text.encode()) for each in pieces for piece in each)
    arrays = iter(encoded.result())
    for window, new in zip(batch, pieces, strict=True):
        window.add(new, arrays, ends)
    ratio = max(1.0, size / max(1, sum(window.size for window in batch)))
    while short := [window for window in batch if window.lacks(plan.length)]:
        pieces = [window.take(int(window.lacks(plan.length) * ratio * 1.15) + LEAST) for window in short]
        arrays = iter(_encoded(plan, pieces))
        for window, new in zip(short, pieces, strict=True):
            window.add(new, arrays, ends)
    return ratio


def _encoded(plan: Plan, pieces: list[list[Piece]]) -> list[Ids]:
    texts = [piece.text for each in pieces for piece in each]
    encoded = plan.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [np.array(each.ids, np.int32) for each in encoded]


def _write_part(path: Path, plan: Plan, windows: Sequence[Window]) -> None:
    """One record batch of fixed-size lists: uint16 where every id fits, else int32."""
    import pyarrow as pa

    small = plan.tokenizer.get_vocab_size() <= 1 << 16 and max(plan.ends) < 1 << 16
    ids = np.zeros((len(windows), plan.length), np.uint16 if small else np.int32)
    sizes = [min(window.size, plan.length) for window in windows]
    for place, (window, size) in enumerate(zip(windows, sizes, strict=True)):
        ids[place, :size] = np.concatenate(window.ids)[:size]
    begins = [[at for at in window.begins if at < plan.length] for window in windows]
    origins = [(window.stretch.texts[0], window.stretch.offset) for window in windows]
    columns = {
        "input_ids": pa.FixedSizeListArray.from_arrays(pa.array(ids.reshape(-1)), plan.length),
        "begins": pa.array(begins, pa.list_(pa.int32())),
        "tokens": pa.array(sizes, pa.int32()),
        "shard": pa.array([text.shard for text, _ in origins], pa.int32()),
        "document": pa.array([text.number for text, _ in origins], pa.int64()),
        "offset": pa.array([offset for _, offset in origins], pa.int64()),
    }
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    with new_file(path) as unfinished, unfinished.open("wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        stream.write_batch(batch)
