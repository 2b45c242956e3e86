"""How well documents are searched: FairytaleQA's stories, all in one index, and XQuAD's paragraphs, by words, by meaning and by both.

    python benchmarks/retrieval.py fairytaleqa FOLDER val          # FOLDER has val.stories.jsonl and val.qa.jsonl
    python benchmarks/retrieval.py squad xquad.en.json
    python benchmarks/retrieval.py gold QUESTIONS.jsonl TEXT       # any text, cut as a store cuts it, and questions about it

`--embedder NAME` searches by another one, `--cache FILE` keeps its vectors.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wellread.corpus.whole import read_whole
from wellread.metrics.intervals import difference
from wellread.metrics.retrieval import retrieval_mrr, retrieval_recall
from wellread.retrieval.chunking import Chunking, Outline, chunks_of
from wellread.retrieval.embedders import embed, embed_queries, open_embedder
from wellread.retrieval.exact import ExactRetriever, Mode
from wellread.retrieval.gold import read_gold, read_squad
from wellread.types import Chunk, Corpus, Embedder, Evidence, GoldPassage, GoldQuestion, Measurement

MODES: tuple[Mode, ...] = ("keyword", "vector", "hybrid")


class Remembering:
    """An embedder that embeds no text twice, nor in the next run where a file keeps its vectors."""

    def __init__(self, embedder: Embedder, file: Path | None) -> None:
        self.name, self._embedder, self._file = embedder.name, embedder, file
        self._known: dict[str, Any] = {}
        if file is not None and file.is_file():
            with np.load(file) as kept:
                self._known = dict(zip(kept["keys"].tolist(), kept["vectors"], strict=True))

    def embed(self, texts: Sequence[str]) -> Any:
        return self._all(texts, "text", embed)

    def embed_queries(self, texts: Sequence[str]) -> Any:
        return self._all(texts, "question", embed_queries)

    def _all(self, texts: Sequence[str], kind: str, by: Any) -> Any:
        keys = [hashlib.sha256(f"{self.name}\0{kind}\0{text}".encode()).hexdigest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            self._known.update(zip(new, by(self._embedder, list(new.values())), strict=True))
            if self._file is not None:
                np.savez(self._file, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        return np.stack([self._known[key] for key in keys])


@dataclass
class By:
    """A retriever that searches in one mode."""

    name: Mode
    retriever: ExactRetriever

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        return self.retriever.search(query, k, mode=self.name)


def fairytales(folder: Path, split: str) -> tuple[list[Chunk], list[GoldQuestion]]:
    """A chunk for every section; a question's gold passages are its sections. A story's name is not searched."""
    chunks, texts = [], {}
    for story in _rows(folder / f"{split}.stories.jsonl"):
        at = 0
        for section in story["sections"]:
            text = section["text"]
            texts[story["story"], section["section"]] = text
            chunks.append(Chunk(story["story"], at, at + len(text), text, source=story["story"]))
            at += len(text) + 2
    questions = [
        GoldQuestion(
            str(number),
            row["question"],
            tuple(row["answers"]),
            tuple(GoldPassage(texts[row["story"], place], row["story"]) for place in row["gold_sections"]),
        )
        for number, row in enumerate(_rows(folder / f"{split}.qa.jsonl"))
    ]
    return chunks, questions


def squad(path: Path) -> tuple[list[Chunk], list[GoldQuestion]]:
    """A chunk for every paragraph; an article is a document."""
    documents, questions = read_squad(path)
    return [Chunk(each.source, 0, len(each.text), each.text, each.source) for each in documents], questions


def cut(path: Path, questions: Path) -> tuple[list[Chunk], list[GoldQuestion]]:
    """The chunks of a text as a store cuts it by default."""
    whole = read_whole(path)
    outline = Outline(path.name, whole.text, path.name, whole.sections, whole.pages)
    return chunks_of(outline, Chunking()), read_gold(questions)


def _rows(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def measured(chunks: Sequence[Chunk], questions: Sequence[GoldQuestion], embedder: Embedder) -> None:
    began = time.perf_counter()
    embed_queries(embedder, [question.question for question in questions])
    retriever = ExactRetriever(chunks, embedder)
    print(f"{len(chunks):,} chunks and {len(questions):,} questions embedded in {time.perf_counter() - began:.0f} s")
    rows: dict[str, list[Measurement]] = {}
    for mode in MODES:
        began = time.perf_counter()
        evidence = Evidence(mode, Corpus((), {}), retriever=By(mode, retriever), gold=questions)
        rows[mode] = [*retrieval_recall(evidence), *retrieval_mrr(evidence)]
        told = " ".join(
            f"{row.name.removeprefix('retrieval_')} {row.value:.4f} [{row.low:.3f}, {row.high:.3f}]"
            for row in rows[mode]
            if row.value is not None
        )
        spent = (time.perf_counter() - began) / len(questions)
        print(f"{mode:8} {told}  ({rows[mode][0].interval_over}; {1000 * spent:.1f} ms a question)")
    for number, row in enumerate(rows["hybrid"]):
        best = max((rows["keyword"][number], rows["vector"][number]), key=lambda other: other.value or 0.0)
        more = difference(row, best)
        print(f"hybrid - {best.subject} {row.name}: {more.value:+.4f} [{more.low:+.4f}, {more.high:+.4f}]")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["fairytaleqa", "squad", "gold"])
    parser.add_argument("path", type=Path)
    parser.add_argument("second", nargs="?", default="val")
    parser.add_argument("--embedder", default="auto")
    parser.add_argument("--cache", type=Path)
    asked = parser.parse_args()
    opened = open_embedder(asked.embedder)
    assert opened is not None
    if asked.data == "fairytaleqa":
        chunks, questions = fairytales(asked.path, asked.second)
    elif asked.data == "squad":
        chunks, questions = squad(asked.path)
    else:
        chunks, questions = cut(Path(asked.second), asked.path)
    measured(chunks, [question for question in questions if question.passages], Remembering(opened, asked.cache))


if __name__ == "__main__":
    main()
