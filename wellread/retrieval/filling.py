"""Outlines of documents in, a store of their chunks out: whole or as it was before, whatever happens on the way.

Rows are added to the table file by file, a file's rows each saying how many they are; nobody sees them until the last
step moves the tag to the new version. A killed process leaves rows that no tag names: the next one keeps the files that
are complete, and does the others again.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from wellread.errors import RunError, UsageError
from wellread.retrieval.chunking import Outline, chunks_of, searched
from wellread.retrieval.embedders import embed
from wellread.retrieval.keywords import terms
from wellread.retrieval.locking import locked
from wellread.retrieval.store import (
    TABLE,
    WHOLE,
    About,
    about_of,
    connect,
    is_local,
    of_width,
    open_table,
    quoted,
    scan,
    schema_of,
    whole_version,
)  # fmt: skip
from wellread.storage import storage_errors
from wellread.types import Chunk, Embedder

BATCH = 2048
"""Chunks that are embedded and written together."""
INDEXED = 20_000
"""From so many chunks on vectors are searched by an index; below, a look at all of them takes 35 ms at most, and is exact."""
CELL = 800
"""Chunks in a cell of that index, about."""
REBUILT = 300_000
"""Up to so many chunks both indices are made anew, which takes 4 s for 100,000; above, new rows are merged into them."""
KEPT = timedelta(minutes=10)
"""How long a version that nobody names stays, for those who still read it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk on its way into the table."""

    file: str
    content: str
    parts: int
    before: str
    chunk: Chunk


@dataclass
class Filling:
    """A store that is being written, by this process alone."""

    path: str
    table: Any
    about: About
    embedder: Embedder | None
    tell: Callable[[int], None]
    """Told the number of chunks written, as it grows."""
    written: int = 0
    held: list[Row] = field(default_factory=list)

    def files(self) -> dict[str, str]:
        """The files it holds completely, finished or not -> the hash of their content."""
        complete, _ = self._state()
        return complete

    def sources(self) -> dict[str, str]:
        """The files it holds -> the ids of their documents."""
        return {row["file"]: row["document"] for row in scan(self.table, ["file", "document"])}

    def clear(self) -> None:
        """Take out the files that a killed process left incomplete."""
        self.remove(self._state()[1])

    def remove(self, files: Iterable[str]) -> None:
        """Take these files out."""
        gone = sorted(files)
        for first in range(0, len(gone), 500):
            self.table.delete(f"file IN ({', '.join(map(quoted, gone[first : first + 500]))})")

    def add(self, file: str, content: str, outline: Outline) -> int:
        """Put a file in, which is not there; the number of its chunks."""
        chunks = chunks_of(outline, self.about.chunking)
        done = 0
        for chunk in chunks:
            self.held.append(Row(file, content, len(chunks), outline.text[done : chunk.start], chunk))
            done = max(done, chunk.end)
            if len(self.held) >= BATCH:
                self._flush()
        return len(chunks)

    def finish(self) -> None:
        """Index what was written, and have the tag name it. Raises RunError where another process wrote meanwhile."""
        self._flush()
        if whole_version(self.table) == self.table.version:
            return
        with storage_errors(Path(self.path)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a server says that it does by itself what optimize asks for
            self.table.optimize(cleanup_older_than=timedelta(days=36500))
            self._index()
            if self._state()[1]:
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
        rows, there = (
            self.table.count_rows(),
            {column for index in self.table.list_indices() for column in index.columns},
        )
        if "terms" not in there or rows <= REBUILT:
            self.table.create_index("terms", config=words, replace=True)
        if self.about.has_vectors and rows >= INDEXED and ("vector" not in there or rows <= REBUILT):
            cells = IvfFlat(distance_type="dot", num_partitions=max(1, rows // CELL), sample_rate=64, max_iterations=20)
            self.table.create_index("vector", config=cells, replace=True)

    def _flush(self) -> None:
        if not self.held:
            return
        import pyarrow as pa

        schema = schema_of(self.about)
        columns = {name: values for name, values in columns_of(self.held, self.about).items() if name in schema.names}
        if self.embedder is not None:
            texts = [searched(row.chunk) for row in self.held]
            vectors = of_width(embed(self.embedder, texts), self.about, self.path)
            columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), self.about.width)
        with storage_errors(Path(self.path)):
            self.table.add(pa.table(columns, schema=schema))
        self.written += len(self.held)
        self.held.clear()
        self.tell(self.written)

    def _state(self) -> tuple[dict[str, str], set[str]]:
        """The complete files with their hashes, and the incomplete ones."""
        rows = Counter(
            (row["file"], row["content"], row["parts"]) for row in scan(self.table, ["file", "content", "parts"])
        )
        several = Counter(file for file, _, _ in rows)
        broken = {file for (file, _, parts), count in rows.items() if count != parts or several[file] > 1}
        return {file: content for file, content, _ in rows if file not in broken}, broken


def columns_of(rows: Sequence[Row], about: About) -> dict[str, list[Any]]:
    """What the table keeps of chunks, column by column."""
    chunks = [row.chunk for row in rows]
    own = ("document", "source", "start", "end", "section", "page", "text")
    return {
        "file": [row.file for row in rows],
        "content": [row.content for row in rows],
        "parts": [row.parts for row in rows],
        "before": [row.before for row in rows],
        **{name: [getattr(chunk, name) for chunk in chunks] for name in own},
        "terms": [" ".join(terms(searched(chunk), about.language)) for chunk in chunks],
    }


@contextmanager
def filling(
    path: str | Path,
    about: About | None,
    embedder: Embedder | None,
    *,
    tell: Callable[[int], None] = lambda chunks: None,
) -> Iterator[Filling]:
    """A store to write to, made where there is none. `about` may be left away for one that is there.

    Raises UsageError for a store that was made otherwise, and RunError while another process writes to it.
    """
    with locked(Path(path)) if is_local(path) else nothing():
        table = open_table(path)
        if table is None:
            assert about is not None, "a new store is told how it is to be made"
            with storage_errors(Path(path)):
                table = connect(path).create_table(TABLE, schema=schema_of(about), exist_ok=True)
        there = about_of(table, str(path))
        if about is not None and there != about:
            raise UsageError(f"{path}: {difference(there, about)}; index into another store.")
        yield Filling(str(path), table, there, embedder, tell)


@contextmanager
def nothing() -> Iterator[None]:
    """Where there is no file to lock: writers are told apart at the end, see `Filling.finish`."""
    yield


def difference(there: About, wanted: About) -> str:
    """In which way a store is not as wanted."""
    if there.embedder != wanted.embedder or there.width != wanted.width:
        have, want = (
            f"{about.embedder} ({about.width} numbers)" if about.embedder else "no embedder"
            for about in (there, wanted)
        )
        return f"its vectors are by {have}, not by {want}"
    if there.chunking != wanted.chunking:
        have, want = (
            f"{how.chunker} of {how.size} tokens, {how.overlap} repeated" for how in (there.chunking, wanted.chunking)
        )
        return f"its chunks are {have}, not {want}"
    return f"its language is {there.language}, not {wanted.language}"
