"""What a subject's scores said of every document, kept in the run folder: the book can be drawn again without the model."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellread.errors import StorageError, first_line
from wellread.storage import new_file, storage_errors


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text from its beginning, token by token: arrays of equal length."""

    ends: NDArray[np.int64]
    """The byte at which each token ends; the next begins there, the first at 0."""
    logprobs: NDArray[np.float32]
    """Natural logarithms; from a file, as exact as float16."""


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans that recitation is measured by, in the order of the text: arrays of equal length."""

    begins: NDArray[np.int64]
    """Bytes of the text."""
    ends: NDArray[np.int64]
    greedy: NDArray[np.bool_]
    """Whether greedy decoding writes the whole span after the text before it."""
    logprobs: NDArray[np.float32]
    """Of the whole span."""


@dataclass(frozen=True, slots=True)
class BookScores:
    """One subject's scores by document id. A document that is not named was not scored."""

    long: Mapping[str, Tokens] = field(default_factory=dict)
    """Scored in the model's whole window."""
    short: Mapping[str, Tokens] = field(default_factory=dict)
    """Scored with the 50 to 99 tokens before each, as recitation is."""
    spans: Mapping[str, Spans] = field(default_factory=dict)


def together(earlier: BookScores | None, later: BookScores) -> BookScores:
    """The scores of both; of a document that both have, the later ones."""
    if earlier is None:
        return later
    return BookScores(
        {**earlier.long, **later.long}, {**earlier.short, **later.short}, {**earlier.spans, **later.spans}
    )


def write_scores(path: Path, scores: BookScores) -> None:
    """A few bytes a token, whole or not at all. Raises StorageError."""
    arrays: dict[str, Any] = {}
    for name, documents in (("long", scores.long), ("short", scores.short)):
        lengths = [np.diff(each.ends, prepend=0) for each in documents.values()]
        logprobs = [each.logprobs for each in documents.values()]
        arrays |= _flat(name, list(documents), {"lengths": (lengths, np.int32), "logprobs": (logprobs, np.float16)})
    spans = list(scores.spans.values())
    arrays |= _flat("spans", list(scores.spans), {
        "begins": ([each.begins for each in spans], np.int32), "ends": ([each.ends for each in spans], np.int32),
        "greedy": ([each.greedy for each in spans], np.bool_),
        "logprobs": ([np.maximum(each.logprobs, -6e4) for each in spans], np.float16),
    })  # fmt: skip
    with storage_errors(path.parent), new_file(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_scores(path: Path) -> BookScores | None:
    """What `write_scores` wrote; None where there is no file. Raises StorageError for a damaged one."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            flat = {name: arrays[name] for name in arrays.files}
        long, short = ({id: _tokens(**columns) for id, columns in _each(flat, name)} for name in ("long", "short"))
        return BookScores(long, short, {id: _spans(**columns) for id, columns in _each(flat, "spans")})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        found = first_line(error)
        raise StorageError(
            f"cannot read {path}: {found}. Delete it; `wellread report --reading` makes it anew."
        ) from None


def _flat(name: str, ids: list[str], columns: Mapping[str, tuple[list[Any], Any]]) -> dict[str, Any]:
    """Documents one after another: their ids and sizes, and every column as one array."""
    sizes = [len(each) for each in next(iter(columns.values()))[0]]
    arrays = {f"{name}_documents": np.array(ids, dtype=np.str_), f"{name}_sizes": np.array(sizes, dtype=np.int64)}
    for column, (parts, kind) in columns.items():
        arrays[f"{name}_{column}"] = np.concatenate([np.zeros(0, kind), *(np.asarray(part, kind) for part in parts)])
    return arrays


def _each(flat: Mapping[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    edges = np.cumsum([0, *flat[f"{name}_sizes"]])
    columns = [key.removeprefix(f"{name}_") for key in flat if key.startswith(f"{name}_")]
    return [
        (str(id), {key: flat[f"{name}_{key}"][begin:end] for key in columns if key not in {"documents", "sizes"}})
        for id, begin, end in zip(flat[f"{name}_documents"], edges[:-1], edges[1:], strict=True)
    ]


def _tokens(lengths: NDArray[np.int32], logprobs: NDArray[np.float16]) -> Tokens:
    return Tokens(np.cumsum(lengths, dtype=np.int64), logprobs.astype(np.float32))


def _spans(begins: Any, ends: Any, greedy: Any, logprobs: Any) -> Spans:
    return Spans(begins.astype(np.int64), ends.astype(np.int64), greedy, logprobs.astype(np.float32))
