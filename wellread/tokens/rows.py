"""Documents in, rows of token ids out: on disk whole or absent, memory-mapped, read by any stretch of a document.

The folder is one that `datasets.load_from_disk` loads: an Arrow stream with the columns `id`, `piece` and `input_ids`
(int32), beside `counts.json`. A document is one row; one of more than ROW tokens is several, numbered by `piece`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wellread.errors import CorpusError, StorageError, first_line
from wellread.storage import new_folder, storage_errors
from wellread.tokens.encode import Ids, Tally, open_tokenizer, rows_of
from wellread.tokens.pieces import pieces
from wellread.types import Document

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ARROW = "data-00000-of-00001.arrow"
COUNTS = "counts.json"
FORMAT = "wellread rows 1"
FLUSH = 1 << 20
"""Tokens after which rows go to disk."""
MEND = "free space or choose another folder, then run again"


def prepare(documents: Iterable[Document], tokenizer_folder: Path | str, folder: Path, *, start: int, end: int) -> Rows:
    """Tokenise every document as `[start] + tokens + [end]` into `folder`, and open it.

    The text is data: "<s>" or "<|im_end|>" standing in it becomes ordinary tokens. Long documents are tokenised in
    pieces whose tokens are the whole's (`pieces`), by the tokenizer's own threads. A killed preparation leaves
    nothing behind that counts; the same documents and tokenizer again reuse what is there, provided `documents` can
    be read twice (a generator cannot: it is tokenised anew).
    Raises CorpusError for no documents, ModelError for a folder without a tokenizer, StorageError where the disk is
    full or the folder is somebody else's.
    """
    tokenizer, identity = open_tokenizer(Path(tokenizer_folder))
    identity = f"{identity} {start} {end}"
    if folder.exists() and _reusable(documents, folder, identity):
        return open_rows(folder)
    with storage_errors(folder, what=f"cannot write the rows to {folder}", mend=MEND), new_folder(folder) as unfinished:
        _write(documents, tokenizer, unfinished, (start, end), identity)
    return open_rows(folder)


class Rows:
    """Documents as token ids, each from its opening id to its closing id; holds the open, memory-mapped file."""

    def __init__(self, folder: Path, counts: dict[str, Any], table: Any) -> None:
        self.folder = folder
        self.tokens: int = counts["tokens"]
        """All ids, the opening and closing ones included."""
        self.bytes: int = counts["bytes"]
        """UTF-8 bytes of the documents' text."""
        self._names = table.column("id")
        lists = table.column("input_ids").chunks
        self._values: list[Ids] = [chunk.values.to_numpy(zero_copy_only=True) for chunk in lists]
        edges = [chunk.offsets.to_numpy(zero_copy_only=True).astype(np.int64) for chunk in lists]
        self._chunk = np.repeat(np.arange(len(edges)), [len(each) - 1 for each in edges])
        self._start = np.concatenate([each[:-1] for each in edges])
        self._before = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(each) for each in edges]))])
        first = np.flatnonzero(table.column("piece").to_numpy() == 0)
        self._first = np.append(first, table.num_rows)
        self.lengths: npt.NDArray[np.int64] = np.diff(self._before[self._first])
        """Tokens of each document."""

    def __len__(self) -> int:
        return len(self._first) - 1

    def __reduce__(self) -> tuple[Any, ...]:
        return open_rows, (self.folder,)

    @property
    def ids(self) -> list[str]:
        """The documents' ids, in order."""
        names: list[str] = self._names.take(self._first[:-1]).to_pylist()
        return names

    def document(self, index: int) -> Ids:
        """All token ids of one document, int32, read-only: a view of the file unless the document has several rows."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"document {index} of {len(self)}")
        index %= len(self)
        return self.slice(index, 0, int(self.lengths[index]))

    def slice(self, index: int, start: int, stop: int) -> Ids:
        """The ids start..stop of one document (0 <= start <= stop <= its length), read-only, a view where it can be."""
        base = self._before[self._first[index]]
        row = int(np.searchsorted(self._before, base + start, side="right")) - 1
        row = min(row, int(self._first[index + 1]) - 1)
        parts = []
        while True:
            offset = int(self._before[row] - base)
            last = min(stop, int(self._before[row + 1] - base))
            at = self._start[row] - offset
            parts.append(self._values[self._chunk[row]][at + max(start, offset) : at + last])
            if last >= stop:
                break
            row += 1
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def open_rows(folder: Path) -> Rows:
    """The rows that `prepare` wrote. Raises StorageError where they are absent, truncated or somebody else's."""
    return Rows(folder, *read_table(folder))


def read_table(folder: Path) -> tuple[dict[str, Any], Any]:
    """counts.json and the memory-mapped Arrow table, which agree. Raises StorageError."""
    import pyarrow as pa

    counts = read_counts(folder)
    path = folder / ARROW
    try:
        size = path.stat().st_size
        if size != counts["data_bytes"]:
            raise damaged(folder, f"{ARROW} has {size} bytes, {counts['data_bytes']} were written")
        with pa.ipc.open_stream(pa.memory_map(str(path))) as stream:
            table = stream.read_all()
        rows = Rows(folder, counts, table)
    except (OSError, pa.ArrowInvalid, KeyError, ValueError, TypeError) as error:
        raise damaged(folder, first_line(error)) from None
    if len(rows) != counts["documents"] or rows.lengths.sum() != rows.tokens:
        raise damaged(folder, f"{len(rows)} documents where counts.json says {counts['documents']}")
    return counts, table


def read_counts(folder: Path) -> dict[str, Any]:
    """The content of counts.json. Raises StorageError where the folder has none that `prepare` wrote."""
    try:
        counts = json.loads((folder / COUNTS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StorageError(f"{folder} holds no prepared rows ({COUNTS} is missing); prepare them again") from None
    except (OSError, ValueError) as error:
        raise damaged(folder, f"{COUNTS} cannot be read ({error})") from None
    if not isinstance(counts, dict) or counts.get("format") != FORMAT:
        raise StorageError(f"{folder}: {COUNTS} is not one of {FORMAT!r}; prepare the rows again in another folder")
    return counts


def damaged(folder: Path, found: str) -> StorageError:
    return StorageError(f"{folder}: the prepared rows are damaged: {found}; delete the folder and run again")


def _reusable(documents: Iterable[Document], folder: Path, identity: str) -> bool:
    """Whether the folder holds the rows of these documents; raises StorageError rather than replace foreign files."""
    if folder.is_dir() and not any(folder.iterdir()):
        return False
    fingerprint = read_counts(folder).get("fingerprint")
    if iter(documents) is documents:
        return False
    tally = Tally(hashlib.sha256(identity.encode()))
    for document in documents:
        tally.begin(document)
        for piece in pieces(document.text, "before"):
            tally.add(piece, document.id)
        tally.finish()
    if tally.digest.hexdigest() != fingerprint:
        return False
    try:
        open_rows(folder)
    except StorageError:
        return False
    return True


def _write(
    documents: Iterable[Document], tokenizer: Tokenizer, folder: Path, ends: tuple[int, int], identity: str
) -> None:
    import pyarrow as pa

    schema = pa.schema({"id": pa.string(), "piece": pa.int32(), "input_ids": pa.list_(pa.int32())})
    tally = Tally(hashlib.sha256(identity.encode()))
    with open(folder / ARROW, "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        batch: list[tuple[str, int, Ids]] = []
        flushed = 0
        for row in rows_of(documents, tokenizer, ends, tally):
            batch.append(row)
            tally.tokens += len(row[2])
            if tally.tokens - flushed >= FLUSH:
                stream.write_batch(_record_batch(batch, schema))
                batch, flushed = [], tally.tokens
        if batch:
            stream.write_batch(_record_batch(batch, schema))
    if not tally.documents:
        raise CorpusError("no documents to tokenise; found an empty part: add text, or look at the split")
    fingerprint = tally.digest.hexdigest()
    write_json(folder / "state.json", dataset_state(fingerprint))
    write_json(folder / "dataset_info.json", {})
    counts = {
        "format": FORMAT,
        "documents": tally.documents,
        "tokens": tally.tokens,
        "bytes": tally.bytes,
        "fingerprint": fingerprint,
        "data_bytes": (folder / ARROW).stat().st_size,
    }
    write_json(folder / COUNTS, counts)


def _record_batch(rows: list[tuple[str, int, Ids]], schema: Any) -> Any:
    import pyarrow as pa

    edges = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(ids) for _, _, ids in rows], out=edges[1:])
    lists = pa.ListArray.from_arrays(pa.array(edges), pa.array(np.concatenate([ids for _, _, ids in rows])))
    names, numbers = [name for name, _, _ in rows], [number for _, number, _ in rows]
    return pa.RecordBatch.from_arrays([pa.array(names), pa.array(numbers, pa.int32()), lists], schema=schema)


def dataset_state(fingerprint: str) -> dict[str, Any]:
    """What `datasets.load_from_disk` wants to find beside the Arrow file."""
    return {
        "_data_files": [{"filename": ARROW}],
        "_fingerprint": fingerprint[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
