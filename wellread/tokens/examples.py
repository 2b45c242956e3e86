"""Documents that hold examples in, rows with a mask of what counts out, and windows over them: loss on answers only.

On disk an example is a row as in `rows.py` with a column more, `mask` (1: an answer's token, or the one that ends it),
so the folder opens as plain rows, and with `datasets.load_from_disk`, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wellread.errors import CorpusError, RecipeError, StorageError
from wellread.storage import new_folder, storage_errors
from wellread.tokens.chats import Rendering, Turned
from wellread.tokens.packing import pack
from wellread.tokens.rows import (
    ARROW,
    FLUSH,
    FORMAT,
    MEND,
    Rows,
    damaged,
    dataset_state,
    read_counts,
    read_table,
    write_json,
)
from wellread.tokens.windows import IGNORED, FixedWindows, Ints, spread
from wellread.types import Document

Mask = npt.NDArray[np.uint8]
SHARED = 8
"""Tokens of a common beginning from which on it is worth a mask of its own."""


def prepare_examples(documents: Iterable[Document], tokenizer: Any, folder: Path, *, length: int) -> ExampleRows:
    """Tokenise every document that has `metadata["messages"]` into `folder`, at most `length` tokens each, and open it.

    `tokenizer` is a transformers tokenizer; `chats.Rendering` says how it writes an example. One longer than `length`
    is cut at the prompt's beginning; one whose last answer alone is longer is left out. Both are counted, and `notes`
    says so. The folder is whole or absent, and reused for the same examples, tokenizer and length. Raises CorpusError
    where no example is left, and what `Rendering.examples` raises; StorageError where the disk refuses.
    """
    rendering = Rendering(tokenizer)
    examples = [document for document in documents if "messages" in document.metadata]
    if not examples:
        raise CorpusError("no examples to tokenise: give rows of `prompt` and `completion`, or of `messages`")
    mark = _mark(examples, rendering, tokenizer, length)
    if folder.exists() and any(folder.iterdir()) and read_counts(folder).get("fingerprint") == mark:
        try:
            return open_examples(folder)
        except StorageError:
            pass  # damaged: it is made again
    what = f"cannot write the examples to {folder}"
    with storage_errors(folder, what=what, mend=MEND), new_folder(folder) as unfinished:
        _write(examples, rendering, unfinished, length, mark)
    return open_examples(folder)


class ExampleRows(Rows):
    """Examples as token ids with the mask of what counts; memory-mapped."""

    def __init__(self, folder: Path, counts: dict[str, Any], table: Any) -> None:
        super().__init__(folder, counts, table)
        self.length: int = counts["length"]
        """Tokens of the longest example that was kept whole."""
        self.counted: int = counts["counted"]
        """Tokens on which there is loss."""
        self.notes: tuple[str, ...] = tuple(counts["notes"])
        """What could not be taken as it stands, for people: examples cut, left out, or naming special tokens."""
        self._masks: list[Mask] = [chunk.values.to_numpy(zero_copy_only=True) for chunk in table.column("mask").chunks]

    def __reduce__(self) -> tuple[Any, ...]:
        return open_examples, (self.folder,)

    def mask(self, index: int) -> npt.NDArray[np.bool_]:
        """Which tokens of an example count."""
        row = int(self._first[index])
        start = self._start[row]
        found: npt.NDArray[np.bool_] = self._masks[self._chunk[row]][start : start + int(self.lengths[index])].astype(
            bool
        )
        return found


def open_examples(folder: Path) -> ExampleRows:
    """The examples that `prepare_examples` wrote. Raises StorageError where they are absent or damaged."""
    counts, table = read_table(folder)
    try:
        return ExampleRows(folder, counts, table)
    except KeyError:
        raise damaged(folder, "they have no mask of what counts") from None


class ExampleWindows:
    """Windows filled with whole examples, shuffled anew in every epoch; a map-style dataset.

    An item holds `input_ids` and `labels` of exactly `length`, and, where examples share windows, `position_ids` that
    restart at each. Labels are the ids of answers and of the tokens that end them; `IGNORED` at prompts and at padding,
    also where `pad` is the very token that ends an answer. An item depends on (seed, epoch, index) only.

    With `share`, what all examples begin with (a chat template's system message, an instruction) stands in a window
    once, and `segments` say who sees whom: an example's tokens see those of their own segment, and of segment 0, the
    beginning. What is learned is the same; there are fewer windows.
    """

    def __init__(self, rows: ExampleRows, *, length: int, seed: int = 0, pad: int = 0, share: bool = False) -> None:
        self.length = length
        self.seed = seed
        self._pack = _Pack(rows, length, pad, share)
        self.set_epoch(0)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> dict[str, Ints]:
        return self._pack.window(int(self._order[index]), 0, 1)

    def set_epoch(self, epoch: int) -> None:
        """Shuffle as this epoch does, from 0 on."""
        self.epoch = epoch
        count = len(self._pack.groups)
        self._order = np.random.default_rng([self.seed % 2**64, epoch]).permutation(count)


def validation_examples(
    rows: ExampleRows, length: int, *, most: int | None = None, pad: int = 0, share: bool = False
) -> FixedWindows:
    """The same windows of examples each time; with `most`, at most so many of them, spread evenly. `share` as there."""
    packed = _Pack(rows, length, pad, share)
    places = np.zeros((len(packed.groups), 3), np.int64)
    places[:, 0] = np.arange(len(places))
    return FixedWindows(packed, spread(places, most))


class _Pack:
    """Which examples share a window, and how it is filled."""

    def __init__(self, rows: ExampleRows, length: int, pad: int, share: bool) -> None:
        if len(rows) and int(rows.lengths.max()) > length:
            raise RecipeError(
                f"examples of up to {int(rows.lengths.max())} tokens do not fit windows of {length}; prepare them again"
            )
        self.rows, self.length, self.pad = rows, length, pad
        self.shared = common_beginning(rows) if share else 0
        own = (rows.lengths - self.shared).tolist()
        self.groups = sorted(sorted(group) for group in pack(own, length - self.shared))
        self.restarts = any(len(group) > 1 for group in self.groups)

    def window(self, number: int, start: int, fresh: int) -> dict[str, Ints]:
        """One item; `start` and `fresh` are those of windows into a text, and mean nothing here."""
        ids = np.full(self.length, self.pad, np.int64)
        labels = np.full(self.length, IGNORED, np.int64)
        positions = np.zeros(self.length, np.int64)
        segments = np.zeros(self.length, np.int64)
        group = self.groups[number]
        at = self.shared
        ids[:at], positions[:at] = self.rows.document(group[0])[:at], np.arange(at)
        for segment, example in enumerate(group, 1):
            tokens = self.rows.document(example)[self.shared :].astype(np.int64)
            stop = at + len(tokens)
            ids[at:stop] = tokens
            labels[at:stop] = np.where(self.rows.mask(example)[self.shared :], tokens, IGNORED)
            labels[at] = IGNORED
            positions[at:stop] = self.shared + np.arange(len(tokens))
            segments[at:stop] = segment
            at = stop
        positions[at:] = np.arange(self.length - at)
        segments[at:] = len(group) + 1
        item = {"input_ids": ids, "labels": labels}
        if self.restarts:
            item["position_ids"] = positions
        if self.shared:
            item["segments"] = segments
        return item


def common_beginning(rows: ExampleRows) -> int:
    """How many tokens all examples begin with that no loss counts, and that leave each something of its own.

    0 where that is fewer than SHARED.
    """
    first = rows.document(0)[~np.logical_or.accumulate(rows.mask(0))][:-1]
    for number in range(1, len(rows)):
        tokens = rows.document(number)
        size = min(len(first), len(tokens) - 1, int(np.argmax(rows.mask(number))) - 1)
        differs = np.flatnonzero(first[: max(0, size)] != tokens[: max(0, size)])
        first = first[: int(differs[0]) if len(differs) else max(0, size)]
        if len(first) < SHARED:
            return 0
    return len(first)


def _mark(examples: Sequence[Document], rendering: Rendering, tokenizer: Any, length: int) -> str:
    """What decides the rows, as a hash: the examples, how they are written, and how long they may be."""
    how = [tokenizer.backend_tokenizer.to_str(), rendering.template, rendering.start, rendering.end, length]
    digest = hashlib.sha256(json.dumps(["wellread examples 1", *how]).encode())
    for document in examples:
        digest.update(json.dumps([document.id, document.metadata["messages"]]).encode())
    return digest.hexdigest()


def _fitted(turned: Turned, length: int) -> Turned | None:
    """The example in at most `length` tokens, its prompt's beginning cut; None where its last answer is longer.

    An answer whose beginning is cut away no longer counts.
    """
    if len(turned.ids) <= length:
        return turned
    ids, counts = turned.ids[-length:], list(turned.counts[-length:])
    if counts[0]:
        if all(counts):
            return None
        head = counts.index(False)
        counts[:head] = [False] * head
    return Turned(ids, tuple(counts)) if any(counts) else None


def _rows(
    examples: Iterable[Document], rendering: Rendering, length: int, told: dict[str, int]
) -> Iterator[tuple[str, Turned]]:
    for document in examples:
        messages = document.metadata["messages"]
        told["bytes"] += sum(len(message["content"].encode(errors="replace")) for message in messages)
        told["special"] += any(name in message["content"] for name in rendering.names for message in messages)
        turns = rendering.examples(messages, document.id)
        for number, turned in enumerate(turns, 1):
            fitted = _fitted(turned, length)
            told["long" if fitted is None else "cut" if fitted is not turned else "whole"] += 1
            if fitted is not None:
                yield document.id if len(turns) == 1 else f"{document.id}/{number}", fitted


def _notes(told: dict[str, int], rendering: Rendering, length: int) -> list[str]:
    of = f"of {told['whole'] + told['cut'] + told['long']:,} examples"
    notes = []
    if told["long"]:
        notes.append(
            f"{told['long']:,} {of} left out: the answer alone is longer than {length} tokens; lengthen windows.length"
        )
    if told["cut"]:
        notes.append(f"{told['cut']:,} {of} cut at the prompt's beginning to {length} tokens")
    if told["special"] and rendering.template:
        notes.append(f"{told['special']:,} {of} name tokens of the chat template in their text, and are read so")
    return notes


def _write(examples: Sequence[Document], rendering: Rendering, folder: Path, length: int, mark: str) -> None:
    import pyarrow as pa

    lists = {"input_ids": pa.list_(pa.int32()), "mask": pa.list_(pa.uint8())}
    schema = pa.schema({"id": pa.string(), "piece": pa.int32(), **lists})
    told = dict.fromkeys(("whole", "cut", "long", "special", "bytes"), 0)
    tokens = counted = number = 0
    with open(folder / ARROW, "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        batch: list[tuple[str, Turned]] = []
        size = 0
        for row in _rows(examples, rendering, length, told):
            batch.append(row)
            size += len(row[1].ids)
            counted += sum(row[1].counts)
            if size >= FLUSH:
                stream.write_batch(_record_batch(batch, schema))
                tokens, number, batch, size = tokens + size, number + len(batch), [], 0
        if batch:
            stream.write_batch(_record_batch(batch, schema))
        tokens, number = tokens + size, number + len(batch)
    if not number:
        raise CorpusError(f"every answer is longer than windows.length, {length} tokens; lengthen the windows")
    write_json(folder / "state.json", dataset_state(mark))
    write_json(folder / "dataset_info.json", {})
    counts = {
        "format": FORMAT,
        "documents": number,
        "tokens": tokens,
        "counted": counted,
        "bytes": told["bytes"],
        "length": length,
        "notes": _notes(told, rendering, length),
        "fingerprint": mark,
        "data_bytes": (folder / ARROW).stat().st_size,
    }
    write_json(folder / "counts.json", counts)


def _record_batch(rows: Sequence[tuple[str, Turned]], schema: Any) -> Any:
    import pyarrow as pa

    edges = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(turned.ids) for _, turned in rows], out=edges[1:])
    offsets = pa.array(edges)
    ids = np.concatenate([np.array(turned.ids, np.int32) for _, turned in rows])
    masks = np.concatenate([np.array(turned.counts, np.uint8) for _, turned in rows])
    columns = [
        pa.array([name for name, _ in rows]),
        pa.array(np.zeros(len(rows), np.int32)),
        pa.ListArray.from_arrays(offsets, pa.array(ids)),
        pa.ListArray.from_arrays(offsets, pa.array(masks)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
