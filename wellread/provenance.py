"""What a model wrote, with the places in its book that share the words: for `wellread write` on a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wellread import runs
from wellread.gathering import with_matches
from wellread.matching import Index
from wellread.types import Sample

SHOWN = 12


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


def longest_line(rows: Sequence[Mapping[str, Any]]) -> str:
    """The longest run of all samples and where it stands, in one line; empty where nothing was looked up."""
    looked_up = [row for row in rows if "longest" in row]
    found = [row for row in looked_up if row["longest"]]
    if not found:
        return "no word of it stands in the book" if looked_up else ""
    best = max(found, key=lambda row: int(row["longest"]["words"]))
    match = best["longest"]
    shared = (best["prompt"] + best["completion"])[match["start"] : match["end"]].split()
    excerpt = " ".join(shared[:SHOWN]) + (" …" if len(shared) > SHOWN else "")
    count = "1 word" if match["words"] == 1 else f"{match['words']} words"
    return (
        f"longest run shared with the book: {count}, in {match['section'] or match['document']} "
        f'from character {match["offset"]:,}: "{excerpt}"'
    )
