"""A library too large to read whole: its shards, how large each is, and its texts from any place on, one at a time.

A shard is a text file, a JSONL or Parquet file, or one shard of a dataset on the hub. Places in it count in its own
bytes: of the text, in JSONL of the lines, in Parquet and on the hub of the text column.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wellread.errors import CorpusError, first_line

KINDS: dict[str, Literal["text", "jsonl", "parquet"]] = {
    ".txt": "text",
    ".text": "text",
    ".md": "text",
    ".markdown": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
MARK = 1 << 24
"""Bytes of JSONL between two lines whose numbers are kept."""
BLOCK = 1 << 16
"""Bytes that are read from a text file at once."""
_HUB = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class Shard:
    name: str
    """As the draw's table names it."""
    path: str
    """A file, or the dataset's id on the hub with its configuration."""
    kind: Literal["text", "jsonl", "parquet", "hub"]
    size: int = 0
    """Bytes of the file."""
    changed: int = 0
    """When the file was last written, in nanoseconds."""
    part: int = 0
    parts: int = 1
    """Which of how many shards of a dataset on the hub."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What reading a shard once told."""

    size: int
    """Bytes by which places in the shard count."""
    marks: tuple[tuple[int, int, int], ...] = ((0, 0, 0),)
    """Where reading may begin: (place, number of the document there, byte of the file or row group)."""


class Text:
    """One document of a shard, at the places `begin` to `end` of it; its content is looked at when it is needed."""

    __slots__ = ("_line", "_text", "begin", "column", "end", "number", "shard")

    def __init__(self, shard: int, number: int, begin: int, end: int, line: bytes | str, column: str = "") -> None:
        self.shard, self.number, self.begin, self.end = shard, number, begin, end
        self.column = column
        """Where the line is JSON: the key of its text."""
        self._line = line
        self._text: bytes | None = None

    @property
    def size(self) -> int:
        """UTF-8 bytes of the text; 0 for a row without one."""
        return len(self._content())

    def read(self, offset: int, count: int) -> bytes:
        return self._content()[offset : offset + count]

    def _content(self) -> bytes:
        if self._text is None:
            found = _text_of(self._line, self.column) if self.column else self._line
            self._text = found if isinstance(found, bytes) else found.encode(errors="replace")
            self._line = b""
        return self._text


class FileText(Text):
    """A whole text file, of which blocks are read as they are needed."""

    __slots__ = ("_at", "_block", "_path")

    def __init__(self, shard: int, path: str, size: int) -> None:
        super().__init__(shard, 0, 0, size, b"")
        self._path, self._at, self._block = path, 0, b""

    @property
    def size(self) -> int:
        return self.end

    def read(self, offset: int, count: int) -> bytes:
        inside = offset - self._at
        if inside < 0 or inside + count > len(self._block):
            with open(self._path, "rb") as file:
                file.seek(offset)
                self._at, self._block, inside = offset, file.read(max(BLOCK, count)), 0
        return self._block[inside : inside + count]


def find_shards(sources: Sequence[str | Path]) -> list[Shard]:
    """The shards of files, folders and hub datasets (`owner/name`, `owner/name:config`), in a fixed order.

    Raises CorpusError for a source that is none of these, and for a folder without a text, JSONL or Parquet file.
    """
    shards: list[Shard] = []
    seen: set[Path] = set()
    for source in map(str, sources):
        path = Path(source)
        if path.is_dir():
            files = sorted(each for each in path.rglob("*") if each.suffix.lower() in KINDS and each.is_file())
            files = [each for each in files if not any(part.startswith(".") for part in each.relative_to(path).parts)]
            if not files:
                raise CorpusError(f"{source}: no shards in this folder; there may be {', '.join(KINDS)} files")
        elif path.is_file():
            files = [path]
            if path.suffix.lower() not in KINDS:
                raise CorpusError(
                    f"{source}: not a shard that can be drawn from; there may be {', '.join(KINDS)} files"
                )
        elif _HUB.fullmatch(source):
            parts = int(open_hub(source).num_shards)
            shards += [Shard(f"{source}#{part}", source, "hub", part=part, parts=parts) for part in range(parts)]
            continue
        else:
            raise CorpusError(f"{source}: neither a file nor a folder, nor the id of a dataset on the hub (owner/name)")
        for each in files:
            if each.resolve() in seen or not each.stat().st_size:
                continue
            seen.add(each.resolve())
            name = each.relative_to(path.parent).as_posix() if path.is_dir() else each.name
            state = each.stat()
            shards.append(Shard(name, str(each), KINDS[each.suffix.lower()], state.st_size, state.st_mtime_ns))
    return shards


def passed_over(sources: Sequence[str | Path]) -> dict[str, int]:
    """How many files of the folders are not read, by their suffix; hidden files do not count."""
    found: Counter[str] = Counter()
    for path in (Path(source) for source in sources):
        for each in path.rglob("*") if path.is_dir() else ():
            hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
            if each.is_file() and not hidden and each.suffix.lower() not in KINDS:
                found[each.suffix.lower() or "no suffix"] += 1
    return dict(sorted(found.items()))


def open_hub(source: str) -> Any:
    """A dataset of the hub, or a local folder in its layout, streamed. Raises CorpusError in one line."""
    from datasets import load_dataset

    name, _, config = source.partition(":")
    try:
        return load_dataset(name, config or None, split="train", streaming=True)
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{source}: the dataset cannot be streamed from the hub ({first_line(error)}); check its id, your network and, if it "
            f"asks for consent, accept its terms at https://huggingface.co/datasets/{name} and log in."
        ) from None


def measure(shard: Shard, column: str) -> Measured:
    """How large a shard is, and where reading may begin. Reads it once, but for text files.

    Raises CorpusError where it has no such column, or is not what its suffix says.
    """
    if shard.kind == "text":
        _check_utf8(shard)
        return Measured(shard.size)
    if shard.kind == "jsonl":
        return _measure_lines(shard, column)
    if shard.kind == "parquet":
        return _measure_parquet(shard, column)
    return Measured(sum(len(_utf8(text)) for text in _hub_texts(shard, column)))


def texts(number: int, shard: Shard, measured: Measured, column: str, start: int) -> Iterator[Text]:
    """The texts of a shard, `number` in its library, from the one that stands at place `start` on."""
    at, document, where = max((mark for mark in measured.marks if mark[0] <= start), default=(0, 0, 0))
    if shard.kind == "text":
        yield FileText(number, shard.path, shard.size)
    elif shard.kind == "jsonl":
        with open(shard.path, "rb") as file:
            file.seek(where)
            for line in file:
                end = at + len(line)
                if end > start:
                    yield Text(number, document, at, end, line, column)
                at, document = end, document + 1
    elif shard.kind == "parquet":
        for _, values, sizes in _parquet(shard, column, where):
            for row, size in enumerate(sizes.tolist()):
                if size and at + size > start:
                    yield Text(number, document, at, at + size, values[row].as_py())
                at, document = at + size, document + 1
    else:
        for text in _hub_texts(shard, column):
            content = _utf8(text)
            if content and at + len(content) > start:
                yield Text(number, document, at, at + len(content), content)
            at, document = at + len(content), document + 1


def _check_utf8(shard: Shard) -> None:
    with open(shard.path, "rb") as file:
        head = file.read(1 << 16)
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(head) - error.start > 3:
            raise CorpusError(f"{shard.path}: not UTF-8 (byte {error.start:,}); save it as UTF-8 first") from None


def _text_of(line: bytes | str, column: str) -> str:
    """The text of a line of JSONL; empty for a row that has none."""
    try:
        row = json.loads(line)
    except ValueError:
        return ""
    text = row.get(column) if isinstance(row, dict) else None
    return text if isinstance(text, str) else ""


def _measure_lines(shard: Shard, column: str) -> Measured:
    marks = [(0, 0, 0)]
    at = number = 0
    first = True
    with open(shard.path, "rb") as file:
        for line in file:
            if first and line.strip():
                first = False
                _check_row(shard, line, number, column)
            at, number = at + len(line), number + 1
            if at - marks[-1][0] >= MARK:
                marks.append((at, number, at))
    return Measured(at, tuple(marks))


def _check_row(shard: Shard, line: bytes, number: int, column: str) -> None:
    try:
        row = json.loads(line)
    except ValueError:
        raise CorpusError(f"{shard.path}, line {number + 1}: not valid JSON; a shard has one object a line") from None
    if not isinstance(row, dict) or not isinstance(row.get(column), str):
        raise _no_column(shard.path, column, list(row) if isinstance(row, dict) else [])


def _no_column(where: str, column: str, found: Sequence[str]) -> CorpusError:
    return CorpusError(
        f"{where}: no texts in a column {column!r}; found {', '.join(found) or 'no columns'}: set `column`"
    )


def _measure_parquet(shard: Shard, column: str) -> Measured:
    marks: list[tuple[int, int, int]] = []
    at = number = 0
    for group, _, sizes in _parquet(shard, column, 0):
        if not marks or marks[-1][2] != group:
            marks.append((at, number, group))
        at, number = at + int(sizes.sum()), number + len(sizes)
    return Measured(at, tuple(marks) or ((0, 0, 0),))


def _parquet(shard: Shard, column: str, first: int) -> Iterator[tuple[int, Any, Any]]:
    """(row group, values, their sizes in bytes as numpy), in batches of about 16 MB, a page at a time from disk."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import parquet as pq

    try:
        with pq.ParquetFile(shard.path, pre_buffer=False, buffer_size=1 << 20) as file:
            schema = file.schema_arrow
            if column not in schema.names or not _is_text(schema.field(column).type):
                raise _no_column(shard.path, column, schema.names)
            mean = file.metadata.row_group(0).total_byte_size / max(1, file.metadata.row_group(0).num_rows) + 1
            batch = int(min(8192, max(1, MARK / mean)))
            for group in range(first, file.num_row_groups):
                for rows in file.iter_batches(batch, row_groups=[group], columns=[column], use_threads=False):
                    values = rows.column(0).cast(pa.large_binary())
                    yield group, values, pc.binary_length(values).fill_null(0).to_numpy(zero_copy_only=False)
    except pa.ArrowException as error:
        raise CorpusError(f"{shard.path}: not a Parquet file that can be read ({first_line(error)})") from None


def _is_text(kind: Any) -> bool:
    return str(kind) in {"string", "large_string", "string_view"}


def _hub_texts(shard: Shard, column: str) -> Iterator[str]:
    rows = open_hub(shard.path)
    if rows.column_names and column not in rows.column_names:
        raise _no_column(shard.path, column, rows.column_names)
    try:
        for row in rows.shard(num_shards=shard.parts, index=shard.part):
            text = row.get(column)
            yield text if isinstance(text, str) else ""
    except (OSError, RuntimeError) as error:
        raise CorpusError(
            f"{shard.path}: reading stopped ({first_line(error)}); run again: what is drawn stays."
        ) from None


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")
