"""What a model wrote, with the places in its book that share the words: for `wellread write` on a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wellread import runs
from wellread.gathering import SHARED_WORDS, as_row, with_matches
from wellread.metrics.longest_recited import excerpt
from wellread.models import corpus_index, read_name
from wellread.types import Sample


def trace(model: str, samples: Sequence[Sample], book: Path | None = None) -> list[dict[str, Any]]:
    """The samples as rows for `--json`; of a run's model, or beside the run `book`, each has its shared runs as in
    samples.jsonl.

    `matches`: runs of at least 8 words that the completion shares with the run's text, train or not, as start, end
    (characters of prompt + completion), words, document, section and offset; `longest`: the longest run of all.
    """
    run = runs.open_run(book) if book else read_name(model).run
    if run is None:
        return [as_row(sample) for sample in samples]
    return with_matches(samples, corpus_index(run))


def place_lines(row: Mapping[str, Any]) -> list[str]:
    """Where the words of one row stand, a line for every run of 8 or more; where there is none, one for the longest.

    None where nothing was looked up.
    """
    if "longest" not in row:
        return []
    if row["matches"]:
        return [_place(row, match) for match in row["matches"]]
    if not row["longest"]:
        return ["no word of it stands in the book"]
    return [f"no run of {SHARED_WORDS} or more words stands in the book; the longest: {_place(row, row['longest'])}"]


def _place(row: Mapping[str, Any], match: Mapping[str, Any]) -> str:
    count = "1 word" if match["words"] == 1 else f"{match['words']} words in a row"
    shown = excerpt(row["prompt"] + row["completion"], match["start"], match["end"])
    return f"{count} from {match['section'] or match['document']}, character {match['offset']:,}: {shown}"
