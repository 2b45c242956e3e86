"""How well documents are searched: FairytaleQA's stories, all in one index, and XQuAD's paragraphs, by words, by meaning and by both.

    python benchmarks/retrieval.py fairytaleqa FOLDER val          # FOLDER has val.stories.jsonl and val.qa.jsonl
    python benchmarks/retrieval.py squad xquad.en.json
    python benchmarks/retrieval.py gold QUESTIONS.jsonl TEXT       # any text, cut as a store cuts it, and questions about it

`--embedder NAME` searches by another one, `--cache FILE` keeps its vectors. The search is the exact one in memory, its BM25 with
the constants of `exact.py` or of `--bm25 K1 B`; with `--store` it is that of a store of the same chunks, as `wellread ask` has it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wellread.corpus.whole import read_whole
from wellread.metrics.intervals import difference
from wellread.metrics.retrieval import retrieval_mrr, retrieval_recall
from wellread.retrieval.about import About
from wellread.retrieval.chunking import Chunking, Outline, chunks_of
from wellread.retrieval.embedders import embed, embed_queries, open_embedder
from wellread.retrieval.exact import K1, B, ExactRetriever, Mode
from wellread.retrieval.filling import filling
from wellread.retrieval.gold import read_gold, read_squad
from wellread.retrieval.keywords import language_of_all
from wellread.retrieval.store import Store, open_store
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
    retriever: ExactRetriever | Store

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


def stored(chunks: Sequence[Chunk], embedder: Embedder, place: Path) -> Store:
    """A store of these chunks as they are, a file for every document."""
    language = language_of_all([chunk.text for chunk in chunks]) or "en"
    width = int(embed(embedder, ["wide"]).shape[1])
    with filling(place) as work:
        work.make(About(embedder.name, width, language=language), embedder)
        for document in dict.fromkeys(chunk.document for chunk in chunks):
            several = [chunk for chunk in chunks if chunk.document == document]
            work.add_chunks(document, "", several, "")
        work.finish()
    return open_store(place, embedder=embedder)


def measured(retriever: ExactRetriever | Store, questions: Sequence[GoldQuestion]) -> None:
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
    parser.add_argument("--bm25", type=float, nargs=2, default=(K1, B), metavar=("K1", "B"))
    parser.add_argument("--store", action="store_true")
    asked = parser.parse_args()
    opened = open_embedder(asked.embedder)
    assert opened is not None
    if asked.data == "fairytaleqa":
        chunks, questions = fairytales(asked.path, asked.second)
    elif asked.data == "squad":
        chunks, questions = squad(asked.path)
    else:
        chunks, questions = cut(Path(asked.second), asked.path)
    questions = [question for question in questions if question.passages]
    embedder = Remembering(opened, asked.cache)
    began = time.perf_counter()
    embed_queries(embedder, [question.question for question in questions])
    with tempfile.TemporaryDirectory() as place:
        k1, b = asked.bm25
        retriever = (
            stored(chunks, embedder, Path(place) / "store")
            if asked.store
            else ExactRetriever(chunks, embedder, k1=k1, b=b)
        )
        spent = time.perf_counter() - began
        print(f"{len(chunks):,} chunks and {len(questions):,} questions embedded in {spent:.0f} s")
        measured(retriever, questions)


if __name__ == "__main__":
    main()
