"""Outlines of documents in, a store of their chunks out: whole or as it was before, whatever happens on the way.

Rows are added to the table file by file, a file's rows each saying how many they are; nobody sees them until the last
step moves the tag to the new version. A killed process leaves rows that no tag names: the next one keeps the files that
are complete, and does the others again.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellread.errors import RunError, UsageError
from wellread.retrieval.about import OVERLEAF, TABLE, About, about_of, schema_of
from wellread.retrieval.chunking import Outline, chunks_of
from wellread.retrieval.embedders import check_probe, embed
from wellread.retrieval.keywords import language_of_all
from wellread.retrieval.locking import LOCK, locked
from wellread.retrieval.store import (
    FIRST,
    WHOLE,
    check_name,
    columns_in,
    connect,
    is_local,
    of_width,
    open_table,
    quoted,
    whole_version,
)
from wellread.retrieval.windows import chunk_terms, embedded_texts
from wellread.runs import is_store
from wellread.storage import storage_errors
from wellread.types import Chunk, Embedder

BATCH = 2048
"""Windows that are embedded and written together."""
INDEXED = 20_000
"""From so many windows on vectors are searched by an index; below, a look at all of them takes 35 ms at most, and is exact."""
CELL = 800
"""Windows in a cell of that index, about."""
REBUILT = 300_000
"""Up to so many windows both indices are made anew, which takes 4 s for 100,000; above, new rows are merged into them."""
EMBEDDED = 256
"""Windows that are embedded at once: after so many it is told how far the file is."""
KEPT = timedelta(minutes=10)
"""How long a version that nobody names stays, for those who still read it."""


Follow = Callable[[Mapping[str, float]], None]
"""Told of files the share of them that is done, 0 to 1."""


def untold(now: Mapping[str, float]) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Row:
    """A window of a chunk on its way into the table."""

    file: str
    content: str
    parts: int
    """Rows of the file,"""
    place: int
    """of which this is so many'th, counted from 1."""
    chunk: Chunk
    number: int
    """Of the chunk in its document."""
    window: int
    """Of the window in its chunk."""
    embedded: str
    before: str = ""
    """What stands between the chunk before and this one."""
    terms: str | None = None
    """Of the first window: those of the whole chunk."""


@dataclass
class Filling:
    """A store that is being written, by this process alone. There is no `table` before `make`."""

    path: str
    table: Any = None
    embedder: Embedder | None = None
    known: bool = False
    """Whether the embedder was seen to be the one whose vectors are there."""
    held: list[Row] = field(default_factory=list)
    follow: Follow = untold
    """Who is told which share of a file is embedded, or written where nothing is embedded."""

    @property
    def about(self) -> About:
        return about_of(self.table, self.path)

    def __len__(self) -> int:
        """Its chunks."""
        return 0 if self.table is None else int(self.table.count_rows(FIRST))

    def files(self) -> dict[str, str]:
        """The files it holds completely, finished or not -> the hash of their content."""
        return complete(self.table)[0]

    def incomplete(self) -> set[str]:
        """The files that a killed process left in part."""
        return complete(self.table)[1]

    def finished(self) -> dict[str, str]:
        """The files of the version that is searched -> the hash of their content."""
        version = whole_version(self.table) if self.table is not None else None
        if version is None:
            return {}
        self.table.checkout(version)
        files, _ = complete(self.table)
        self.table.checkout_latest()
        return files

    def documents(self) -> dict[str, str]:
        """The files it holds -> the ids of their documents."""
        if self.table is None or not self.table.count_rows():
            return {}
        rows = columns_in(self.table, ["file", "document"]).group_by(["file", "document"]).aggregate([])
        return dict(zip(rows["file"].to_pylist(), rows["document"].to_pylist(), strict=True))

    def make(self, about: About, embedder: Embedder | None) -> None:
        """Make the store, where there is none."""
        mode = "create" if open_table(self.path) is None else "overwrite"
        with storage_errors(Path(self.path)):
            self.table = connect(self.path).create_table(TABLE, schema=schema_of(about), mode=mode)
        self.embedder, self.known = embedder, True

    def open(self, wanted: About, embedder: Embedder | None) -> None:
        """Go on with the store that is there; one that was never finished, and is wanted otherwise, is forgotten. Raises
        UsageError where it was made otherwise."""
        if wanted == self.about:
            self.embedder = embedder
        elif whole_version(self.table) is None:
            self.table = None
        else:
            raise UsageError(f"{self.path}: {difference(self.about, wanted)}; index into another store.")

    def remove(self, files: Iterable[str]) -> None:
        """Take these files out."""
        gone = sorted(files)
        for first in range(0, len(gone), 500):
            self.table.delete(f"file IN ({', '.join(map(quoted, gone[first : first + 500]))})")

    def add(self, file: str, content: str, outline: Outline) -> int:
        """Put a file in, which is not there; the number of its chunks."""
        chunks = chunks_of(outline, self.about.chunking)
        self.add_chunks(file, content, chunks, outline.text)
        return len(chunks)

    def add_chunks(self, file: str, content: str, chunks: Sequence[Chunk], whole: str) -> None:
        """The same of a file that is cut already: its chunks in order, and the text that they were cut of."""
        rows: list[Row] = []
        done = 0
        language = language_of_all([chunk.text for chunk in chunks]) or self.about.language
        windows = [embedded_texts(chunk) if self.embedder else [""] for chunk in chunks]
        parts = sum(map(len, windows))
        for number, chunk in enumerate(chunks):
            terms = " ".join(chunk_terms(chunk, language))
            first, *others = windows[number]
            rows.append(
                Row(file, content, parts, len(rows) + 1, chunk, number, 0, first, whole[done : chunk.start], terms)
            )
            for window, text in enumerate(others, 1):
                rows.append(Row(file, content, parts, len(rows) + 1, chunk, number, window, text))
            done = max(done, chunk.end)
        for row in rows:
            self.held.append(row)
            if len(self.held) >= BATCH:
                self._flush()

    def finish(self) -> None:
        """Index what was written, and have the tag name it. Raises RunError where another process wrote meanwhile."""
        self._flush()
        if not self.incomplete() and self.files() == self.finished():
            return
        with storage_errors(Path(self.path)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a server says that it does by itself what optimize asks for
            self.table.optimize(cleanup_older_than=timedelta(days=36500))
            self._index()
            if self.incomplete():
                raise RunError(f"{self.path}: another process has written to it meanwhile; run the same command again.")
            version, tags = self.table.version, self.table.tags
            if WHOLE in tags.list():
                tags.update(WHOLE, version)
            else:
                tags.create(WHOLE, version)
            self.table.optimize(cleanup_older_than=KEPT)

    def _index(self) -> None:
        from lancedb.index import FTS, IvfFlat

        words = FTS(base_tokenizer="whitespace", lower_case=False, stem=False, remove_stop_words=False,
                    ascii_folding=False, max_token_length=None)  # fmt: skip
        rows = self.table.count_rows()
        there = {column for index in self.table.list_indices() for column in index.columns}
        if "terms" not in there or rows <= REBUILT:
            self.table.create_index("terms", config=words, replace=True)
        if self.about.has_vectors and rows >= INDEXED and ("vector" not in there or rows <= REBUILT):
            cells = IvfFlat(
                distance_type="cosine", num_partitions=max(1, rows // CELL), sample_rate=64, max_iterations=20
            )
            self.table.create_index("vector", config=cells, replace=True)

    def _flush(self) -> None:
        if not self.held:
            return
        import pyarrow as pa

        about = self.about
        columns: dict[str, Any] = columns_of(self.held)
        if self.embedder is not None:
            if not self.known:
                check_probe(self.embedder, about.probe, self.path)
                self.known = True
            vectors = np.concatenate([*self._embedded(self.embedder)])
            columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), about.width)
        with storage_errors(Path(self.path)):
            self.table.add(pa.table(columns, schema=self.table.schema))  # its own: an older store has fewer columns
        self.follow(shares(self.held))
        self.held.clear()

    def _embedded(self, embedder: Embedder) -> Iterator[NDArray[np.float32]]:
        """The vectors of what is held, some rows at a time."""
        for first in range(0, len(self.held), EMBEDDED):
            rows = self.held[first : first + EMBEDDED]
            yield of_width(embed(embedder, [row.embedded for row in rows]), self.about, self.path)
            self.follow(shares(rows))


def shares(rows: Sequence[Row]) -> dict[str, float]:
    """Of each file the share of its rows that is behind with the last of these."""
    return {row.file: row.place / row.parts for row in rows}


def complete(table: Any) -> tuple[dict[str, str], set[str]]:
    """The files that a table holds with all their rows, and the hash of their content; and those of which it does not."""
    if table is None or not table.count_rows():
        return {}, set()
    columns = ["file", "content", "parts"]
    counted = columns_in(table, columns).group_by(columns).aggregate([([], "count_all")]).to_pylist()
    several = Counter(row["file"] for row in counted)
    broken = {row["file"] for row in counted if row["count_all"] != row["parts"] or several[row["file"]] > 1}
    return {row["file"]: row["content"] for row in counted if row["file"] not in broken}, broken


def columns_of(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """What the table keeps of chunks, column by column."""
    own = ("file", "content", "parts", "number", "window", "before", "terms")
    place = ("document", "source", "start", "end", "section", "page", "text", OVERLEAF)
    return {
        **{name: [getattr(row, name) for row in rows] for name in own},
        **{name: [getattr(row.chunk, name) for row in rows] for name in place},
    }


@contextmanager
def filling(path: str | Path) -> Iterator[Filling]:
    """A store to write to, or the place for one. Raises RunError while another process writes to it, and UsageError for a
    folder that holds other things."""
    folder = Path(path)
    check_name(path)
    if is_local(path) and folder.exists() and not is_store(folder):
        others = [each.name for each in folder.iterdir() if each.name != LOCK] if folder.is_dir() else ["a text"]
        if others:
            raise UsageError(f"{path} is no store, and holds {others[0]}; name a new --store.")
    with locked(Path(path)) if is_local(path) else nothing():
        yield Filling(str(path), open_table(path))


def exists(path: str | Path) -> bool:
    """Whether there is a store to go on with; an address is taken at its word."""
    return is_store(Path(path)) if is_local(path) else True


@contextmanager
def nothing() -> Iterator[None]:
    """Where there is no file to lock: writers are told apart at the end, see `Filling.finish`."""
    yield


def difference(there: About, wanted: About) -> str:
    """In which way a store is not as wanted."""
    if there.embedder != wanted.embedder:
        return f"its vectors are by {there.embedder}, not by {wanted.embedder}"
    if there.chunking != wanted.chunking:
        have, want = (
            f"{how.chunker} of {how.size} tokens, {how.overlap} repeated" for how in (there.chunking, wanted.chunking)
        )
        return f"its chunks are {have}, not {want}"
    return f"its language is {there.language}, not {wanted.language}"
