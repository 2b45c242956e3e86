"""A store on disk, on object storage or on a server in, what answers a query in it out: by words, by meaning, by both.

LanceDB keeps it, under one client: a folder, `s3://…`, `gs://…`, `az://…` or `db://…`. One table holds the chunks, and a tag
names the version of it that is whole: whoever searches looks at that one, while another process writes the next.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from wellread.errors import MissingPackage, StorageError, UsageError, first_line
from wellread.registry import unknown
from wellread.retrieval.about import OVERLEAF, TABLE, About, about_of
from wellread.retrieval.embedders import check_probe, embed_queries, open_embedder
from wellread.retrieval.fusion import DEPTH, hybrid
from wellread.retrieval.keywords import language_of, query_terms
from wellread.runs import is_store
from wellread.types import Chunk, Embedder

Mode = Literal["hybrid", "keyword", "vector"]
WHOLE = "whole"
"""The tag of the version that is searched."""
FIRST = "window = 0"
"""Of a chunk one row for each window that is embedded: the first has its terms, too."""
WINDOWS = 4
"""So many windows are found for every chunk that is wanted."""
TIES = 20
"""So many more, of which those go first that stand first in the documents."""
CELLS = 64
"""So many cells of an index of vectors are searched, where there is one; each of them exactly."""
PLACE = ["document", "number", "source", "start", "end", "section", "page", "text", OVERLEAF]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document of a store."""

    id: str
    source: str
    chunks: int
    file: str
    """By its whole path, as it was when it was indexed."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found, with its document and its number there."""

    place: tuple[str, int]
    chunk: Chunk


class Store:
    """An open store, as it was last finished. A Retriever."""

    def __init__(
        self, path: str | Path, table: Any, *, embedder: Embedder | None = None, offline: bool = False,
        mode: Mode | None = None,
    ) -> None:  # fmt: skip
        self.name, self._mode = str(path), mode
        self._table, self._given, self._version, self._offline = table, embedder, -1, offline
        self._renew()
        self.about = about_of(table, self.name)
        self._place = [name for name in PLACE if name in table.schema.names]
        self.language = self.about.language
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
        if self._mode is not None:
            return self._mode
        return "hybrid" if self.about.has_vectors else "keyword"

    def __len__(self) -> int:
        """Its chunks."""
        self._renew()
        return int(self._table.count_rows(FIRST))

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
        if k < 1:
            return []
        if mode != "hybrid":
            search = self._by_words if mode == "keyword" else self._by_meaning
            return [hit.chunk for hit in search(query, k)]
        rankings = [self._by_words(query, max(k, DEPTH)), self._by_meaning(query, max(k, DEPTH))]
        found = {hit.place: hit for ranking in rankings for hit in ranking}
        keyword, vector = ([hit.place for hit in ranking] for ranking in rankings)
        best = hybrid(keyword, vector, {place: place for place in found})[:k]
        return [replace(found[place].chunk, score=score) for place, score in best]

    def documents(self) -> list[StoredDocument]:
        """What it holds, in order of their ids."""
        self._renew()
        columns = ["document", "source", "file"]
        rows = columns_in(self._table, columns, where=FIRST).group_by(columns).aggregate([([], "count_all")])
        found = sorted(rows.to_pylist(), key=lambda row: str(row["document"]))
        return [StoredDocument(row["document"], row["source"], row["count_all"], row["file"]) for row in found]

    def document_text(self, document: str) -> str:
        """The text that a chunk's `start` and `end` count in. Raises UsageError for a document it does not hold."""
        self._renew()
        where = f"document = {quoted(document)} AND {FIRST}"
        rows = columns_in(self._table, ["start", "end", "before", "text"], where=where).to_pylist()
        if not rows:
            raise UsageError(f"{self.name} holds no document {document!r}; it may have gone since.")
        text = ""
        for row in sorted(rows, key=lambda row: (row["start"], row["end"])):
            text += row["before"]
            text += row["text"][max(0, len(text) - row["start"]) :]
        return text

    def _by_words(self, query: str, k: int) -> list[Hit]:
        from lancedb.query import MatchQuery

        wanted = query_terms(query, language_of(query, self.about.language))
        if not wanted:
            return []
        search = self._table.search(MatchQuery(" ".join(wanted), "terms"), query_type="fts")
        rows = self._rows(search, "_score", k + TIES)
        return best_of([hit_of(row, float(row["_score"])) for row in rows])[:k]

    def _by_meaning(self, query: str, k: int) -> list[Hit]:
        """As near as the nearest window: so many windows are found that `k` chunks are likely among them, or all.

        A window of which the embedder knows no word has no direction, and is not found.
        """
        [vector] = of_width(embed_queries(self._known, [query]), self.about, self.name)
        if not vector.any():
            return []
        search = self._table.search(vector, vector_column_name="vector", query_type="vector").distance_type("cosine")
        wanted = (k + TIES) * WINDOWS
        while True:
            rows = self._rows(search.nprobes(CELLS), "_distance", wanted)
            hits = best_of([hit_of(row, 1.0 - float(row["_distance"])) for row in rows])
            if len(hits) >= k or len(rows) < wanted:
                return hits[:k]
            wanted *= 4

    def _rows(self, search: Any, measured: str, limit: int) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = search.select([*self._place, measured]).limit(limit).to_list()
        except (OSError, RuntimeError) as error:
            raise StorageError(
                f"{self.name}: the store cannot be read ({first_line(error)}); if its files are damaged, delete it and "
                "index the texts again."
            ) from None
        return rows

    @cached_property
    def embedder(self) -> Embedder:
        """What makes vectors of queries: the one given, else the store's own by its name."""
        if self._given is not None:
            return self._given
        embedder = open_embedder(self.about.embedder, offline=self._offline)
        assert embedder is not None, "a store with vectors names an embedder"
        return embedder

    @cached_property
    def _known(self) -> Embedder:
        """The embedder, once it was seen to be the one whose vectors these are."""
        check_probe(self.embedder, self.about.probe, self.name)
        return self.embedder

    def _renew(self) -> None:
        """Look at the version that was finished last: older ones go after a while."""
        version = whole_version(self._table)
        if version is None:
            raise UsageError(f"{self.name}: no index was finished here; run `wellread index` again, it goes on.")
        if version != self._version:
            self._table.checkout(version)
            self._version = version


def open_store(
    path: str | Path, *, embedder: Embedder | None = None, offline: bool = False, mode: Mode | None = None
) -> Store:
    """The store at a folder or address. `embedder` embeds the queries; by default the one that the store names, `offline`
    only if it is on this machine. `mode` is how it searches where nothing else is asked for; by default by both words and
    meaning, if it has vectors.

    Raises UsageError where there is none, where it was never finished, or where its vectors are another embedder's.
    """
    table = open_table(path)
    if table is None:
        raise UsageError(f"{path}: there is no store; `wellread index TEXT… --store {path}` makes one.")
    return Store(path, table, embedder=embedder, offline=offline, mode=mode)


def is_finished(folder: Path) -> bool:
    """Whether a store's folder holds an index that can be searched."""
    return (folder / f"{TABLE}.lance" / "_refs" / "tags" / f"{WHOLE}.json").is_file()


def is_local(path: str | Path) -> bool:
    return "://" not in str(path)


def open_table(path: str | Path) -> Any:
    """The table of a store; None where there is none. Raises UsageError for a name that no folder can have."""
    check_name(path)
    if is_local(path) and not is_store(Path(path)):
        return None
    try:
        return connect(path).open_table(TABLE)
    except ValueError as error:  # also what a process leaves that was killed while it made one
        if "not found" in str(error):
            return None
        raise StorageError(f"{path}: the store cannot be opened ({first_line(error)}); check its address.") from None


def check_name(path: str | Path) -> None:
    """Raises UsageError for a name that is longer than the system allows."""
    if is_local(path):
        try:
            os.lstat(path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise UsageError(
                    f"{str(path)[:60]}…: no folder can have a name of {len(str(path)):,} characters; choose a shorter one."
                ) from None


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


def whole_version(table: Any) -> int | None:
    tags = table.tags.list()
    return int(tags[WHOLE]["version"]) if WHOLE in tags else None


def columns_in(table: Any, columns: Sequence[str], *, where: str = "") -> Any:
    """These columns (an Arrow table) of all rows, or of those of which `where` holds."""
    query = table.search().select(list(columns)).limit(max(1, int(table.count_rows())))
    return (query.where(where) if where else query).to_arrow()


def quoted(text: str) -> str:
    """A string of SQL."""
    return "'" + text.replace("'", "''") + "'"


def of_width(vectors: NDArray[np.float32], about: About, name: str) -> NDArray[np.float32]:
    """The vectors. Raises UsageError where they are of another width than the store's."""
    if vectors.shape[1:] != (about.width,):
        raise UsageError(f"{name}: its vectors have {about.width} numbers, and {about.embedder} now gives {vectors.shape[-1]}: "
                         "another model under the same name; index the texts into another store.")  # fmt: skip
    return vectors


def hit_of(row: Mapping[str, Any], score: float) -> Hit:
    told = {name: row[name] for name in PLACE if name not in ("number", OVERLEAF)}
    return Hit((row["document"], row["number"]), Chunk(**told, score=score, overleaf=tuple(row.get(OVERLEAF) or ())))


def best_of(hits: Iterable[Hit]) -> list[Hit]:
    """The hits, the best first, each chunk once; equal ones in the order of the documents."""
    first: dict[tuple[str, int], Hit] = {}
    for hit in sorted(hits, key=lambda hit: (-hit.chunk.score, hit.place)):
        first.setdefault(hit.place, hit)
    return list(first.values())
