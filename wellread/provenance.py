"""What a model wrote, with the places in its book that share the words: for `wellread write` on a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wellread import runs
from wellread.gathering import SHARED_WORDS, with_matches
from wellread.matching import Index
from wellread.metrics.longest_recited import excerpt
from wellread.types import Sample


def trace(model: str, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """The samples as rows for `--json`; of a run's model each has its shared runs as in samples.jsonl.

    `matches`: runs of at least 8 words that the completion shares with the run's text, train or not, as start, end
    (characters of prompt + completion), words, document, section and offset; `longest`: the longest run of all.
    """
    folder = run_folder(model)
    if folder is None:
        return [asdict(sample) for sample in samples]
    from wellread.corpus.ingest import read_corpus

    return with_matches(samples, Index(read_corpus(runs.open_run(folder).corpus).documents))


def run_folder(model: str) -> Path | None:
    """The run that MODEL names, be it RUN, RUN:stage or RUN@alpha; None for any other model."""
    undialled = model.rpartition("@")[0]
    names = (model, model.rpartition(":")[0], undialled, undialled.rpartition(":")[0])
    return next((Path(name) for name in names if name and runs.is_run(Path(name))), None)


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
