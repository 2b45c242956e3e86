"""A store on disk, on object storage or on a server in, what answers a query in it out: by words, by meaning, by both.

LanceDB keeps it, under one client: a folder, `s3://…`, `gs://…`, `az://…` or `db://…`. One table holds the chunks, and a tag
names the version of it that is whole: whoever searches looks at that one, while another process writes the next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from wellread.errors import MissingPackage, StorageError, UsageError, first_line
from wellread.registry import unknown
from wellread.retrieval.chunking import Chunking
from wellread.retrieval.embedders import NONE, embed_queries, open_embedder
from wellread.retrieval.fusion import fuse
from wellread.retrieval.keywords import query_terms
from wellread.types import Chunk, Embedder

Mode = Literal["hybrid", "keyword", "vector"]
TABLE = "chunks"
WHOLE = "whole"
"""The tag of the version that is searched."""
ABOUT = b"wellread"
"""Where the table's schema says how the store was made."""
DEPTH = 50
"""How many of each kind are found before they are fused."""
CELLS = 64
"""So many cells of an index of vectors are searched, where there is one; each of them exactly."""
PLACE = ["document", "source", "start", "end", "section", "page", "text"]


@dataclass(frozen=True, slots=True)
class About:
    """What a store was made with; it takes no chunks made otherwise."""

    embedder: str = NONE
    """Its name; `none` where there are no vectors, and search is by words alone."""
    width: int = 0
    """Numbers in a vector."""
    chunking: Chunking = field(default_factory=Chunking)
    language: str = "en"
    """Whose words the keywords are taken for."""

    @property
    def has_vectors(self) -> bool:
        return self.width > 0

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> About:
        return cls(**{**row, "chunking": Chunking(**row["chunking"])})


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of a store."""

    id: str
    source: str
    chunks: int


class Store:
    """An open store, as it was last finished. A Retriever."""

    def __init__(self, path: str | Path, table: Any, *, embedder: Embedder | None = None) -> None:
        self.name = str(path)
        self._table, self._given, self._version = table, embedder, -1
        self._renew()
        self.about = about_of(table, self.name)
        if embedder is not None and embedder.name != self.about.embedder:
            raise UsageError(
                f"{self.name}: its vectors are by {self.about.embedder}, not by {embedder.name}; search it "
                "with its own, or index the texts into another store."
            )

    @property
    def embedder_name(self) -> str:
        """The name of the model whose vectors it holds; `none` where there are none."""
        return self.about.embedder

    @property
    def mode(self) -> Mode:
        """How `retrieve` searches."""
        return "hybrid" if self.about.has_vectors else "keyword"

    def __len__(self) -> int:
        """Its chunks."""
        self._renew()
        return int(self._table.count_rows())

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return self.search(query, k)

    def search(self, query: str, k: int, *, mode: Mode | None = None) -> list[Chunk]:
        """At most `k` chunks, the best first; equal ones in the order of the documents.

        `score` is BM25 for keywords, the cosine for vectors, and for both what their ranks are worth together. Raises
        UsageError for a mode there is not, or one that wants vectors of a store without.
        """
        mode = mode or self.mode
        if mode not in get_args(Mode):
            raise UsageError(unknown(f"mode {mode!r}", mode, get_args(Mode)))
        if mode != "keyword" and not self.about.has_vectors:
            raise UsageError(
                f"{self.name} holds no vectors: search it by keyword, or index the texts with an embedder."
            )
        self._renew()
        if mode == "keyword":
            return self._by_words(query, k)
        if mode == "vector":
            return self._by_meaning(query, k)
        depth = max(k, DEPTH)
        rankings = [self._by_words(query, depth), self._by_meaning(query, depth)]
        chunks = {place(chunk): chunk for ranking in rankings for chunk in ranking}
        best = fuse([[place(chunk) for chunk in ranking] for ranking in rankings])[:k]
        return [replace(chunks[where], score=score) for where, score in best]

    def documents(self) -> list[StoredDocument]:
        """What it holds, in order of their ids."""
        self._renew()
        rows = scan(self._table, ["document", "source"])
        counts: dict[tuple[str, str], int] = {}
        for row in rows:
            key = row["document"], row["source"]
            counts[key] = counts.get(key, 0) + 1
        return [StoredDocument(document, source, count) for (document, source), count in sorted(counts.items())]

    def document_text(self, document: str) -> str:
        """The text that a chunk's `start` and `end` count in. Raises UsageError for a document it does not hold."""
        self._renew()
        rows = scan(self._table, ["start", "end", "before", "text"], where=f"document = {quoted(document)}")
        if not rows:
            raise UsageError(f"{self.name} holds no document {document!r}; it may have gone since.")
        text = ""
        for row in sorted(rows, key=lambda row: (row["start"], row["end"])):
            text += row["before"]
            text += row["text"][max(0, len(text) - row["start"]) :]
        return text

    def _by_words(self, query: str, k: int) -> list[Chunk]:
        from lancedb.query import MatchQuery

        wanted = query_terms(query, self.about.language)
        if not wanted:
            return []
        search = self._table.search(MatchQuery(" ".join(wanted), "terms"), query_type="fts")
        return self._found(search, "_score", k)

    def _by_meaning(self, query: str, k: int) -> list[Chunk]:
        [vector] = of_width(embed_queries(self.embedder, [query]), self.about, self.name)
        search = self._table.search(vector, vector_column_name="vector", query_type="vector").distance_type("dot")
        return self._found(search.nprobes(CELLS), "_distance", k)

    def _found(self, search: Any, measured: str, k: int) -> list[Chunk]:
        rows = search.select([*PLACE, measured]).limit(k + DEPTH).to_list()
        chunks = [
            Chunk(**{key: row[key] for key in PLACE},
                  score=float(row[measured]) if measured == "_score" else 1.0 - float(row[measured]))
            for row in rows
        ]  # fmt: skip
        return sorted(chunks, key=best_first)[:k]

    @cached_property
    def embedder(self) -> Embedder:
        """What makes vectors of queries: the one given, else the store's own by its name."""
        if self._given is not None:
            return self._given
        embedder = open_embedder(self.about.embedder)
        assert embedder is not None, "a store with vectors names an embedder"
        return embedder

    def _renew(self) -> None:
        """Look at the version that was finished last: older ones go after a while."""
        version = whole_version(self._table)
        if version is None:
            raise UsageError(f"{self.name}: no index was finished here; run `wellread index` again, it goes on.")
        if version != self._version:
            self._table.checkout(version)
            self._version = version


def open_store(path: str | Path, *, embedder: Embedder | None = None) -> Store:
    """The store at a folder or address. `embedder` embeds the queries; by default the one that the store names.

    Raises UsageError where there is none, where it was never finished, or where its vectors are another embedder's.
    """
    table = open_table(path)
    if table is None:
        raise UsageError(f"{path}: there is no store; `wellread index TEXT… --store {path}` makes one.")
    return Store(path, table, embedder=embedder)


def is_store(path: Path) -> bool:
    return (path / f"{TABLE}.lance").is_dir()


def is_local(path: str | Path) -> bool:
    return "://" not in str(path)


def open_table(path: str | Path) -> Any:
    """The table of a store; None where there is none."""
    if is_local(path) and not is_store(Path(path)):
        return None
    db = connect(path)
    return db.open_table(TABLE) if TABLE in table_names(db) else None


def connect(path: str | Path) -> Any:
    """LanceDB's connection. Raises MissingPackage, or StorageError where the address cannot be reached."""
    try:
        import lancedb
    except ImportError:
        raise MissingPackage("a store needs lancedb: pip install 'wellread[retrieval]'") from None
    try:
        return lancedb.connect(str(path))
    except (OSError, ValueError, RuntimeError) as error:
        raise StorageError(f"{path}: the store cannot be opened ({first_line(error)}); check its address.") from None


def table_names(db: Any) -> list[str]:
    return list(db.table_names(limit=1000))


def whole_version(table: Any) -> int | None:
    tags = table.tags.list()
    return int(tags[WHOLE]["version"]) if WHOLE in tags else None


def about_of(table: Any, name: str) -> About:
    """How a store was made. Raises StorageError for a table that is none of ours."""
    told = (table.schema.metadata or {}).get(ABOUT)
    try:
        return About.from_json(json.loads(told))
    except (TypeError, ValueError, KeyError):
        raise StorageError(
            f"{name}: holds a table {TABLE!r} that wellread did not make; choose another --store."
        ) from None


def schema_of(about: About) -> Any:
    """The table's columns, and how the store is made."""
    import pyarrow as pa

    text, number = pa.string(), pa.int32()
    columns = [
        ("file", text), ("content", text), ("parts", number), ("document", text), ("source", text), ("start", number),
        ("end", number), ("section", text), ("page", number), ("before", text), ("text", text), ("terms", text),
    ]  # fmt: skip
    if about.has_vectors:
        columns.append(("vector", pa.list_(pa.float32(), about.width)))
    return pa.schema(columns, metadata={ABOUT: json.dumps(asdict(about)).encode()})


def scan(table: Any, columns: Sequence[str], *, where: str = "") -> list[dict[str, Any]]:
    """These columns of all rows, or of those of which `where` holds."""
    query = table.search().select(list(columns)).limit(max(1, int(table.count_rows())))
    rows: list[dict[str, Any]] = (query.where(where) if where else query).to_list()
    return rows


def quoted(text: str) -> str:
    """A string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def of_width(vectors: NDArray[np.float32], about: About, name: str) -> NDArray[np.float32]:
    """The vectors. Raises UsageError where they are of another width than the store's."""
    if vectors.shape[1:] != (about.width,):
        raise UsageError(f"{name}: its vectors have {about.width} numbers, and {about.embedder} now gives {vectors.shape[-1]}: "
                         "another model under the same name; index the texts into another store.")  # fmt: skip
    return vectors


def place(chunk: Chunk) -> tuple[str, int, int]:
    return chunk.document, chunk.start, chunk.end


def best_first(chunk: Chunk) -> tuple[float, str, int]:
    return -chunk.score, chunk.document, chunk.start
