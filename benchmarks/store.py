"""How fast, small and right a store is with many chunks: `python benchmarks/store.py FOLDER`, FOLDER of novels.

Indexes the folder's texts but the last, adds that one, then asks sentences drawn from the texts: by keyword, by vectors, by
both. What the vectors find is compared with a look at all of them. Short chunks make many of them (45 tokens: 100,000 of 22 MB
of novels), and static vectors (`--embedder wordllama`) take a minute of them where a sentence model takes a quarter of an hour;
how long a query takes depends on neither, but for the embedding of the query itself.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from wellread.indexing import Wanted, index_texts
from wellread.retrieval.embedders import embed_queries
from wellread.retrieval.store import Mode, Store, open_store

MODES: tuple[Mode, ...] = ("keyword", "vector", "hybrid")
WORDS = 10
K = 10


def memory() -> int:
    """The most that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def queries(store: Store, count: int) -> list[str]:
    """Runs of words from chunks all over the store."""
    import lancedb

    rows = lancedb.connect(store.name).open_table("chunks").search().select(["text"]).limit(10**7).to_list()
    texts = [row["text"].split() for row in random.Random(0).sample(rows, count)]
    return [" ".join(words[len(words) // 3 : len(words) // 3 + WORDS]) for words in texts]


def vectors(store: Store) -> tuple[list[tuple[str, int]], Any]:
    """All vectors of the store, with document and first character of the chunk that each belongs to."""
    import lancedb

    table = lancedb.connect(store.name).open_table("chunks")
    rows = table.search().select(["document", "start", "vector"]).limit(10**7).to_arrow()
    places = list(zip(rows["document"].to_pylist(), rows["start"].to_pylist(), strict=True))
    flat = rows["vector"].combine_chunks().flatten().to_numpy()
    return places, flat.reshape(len(places), -1)


def recall(store: Store, asked: list[str]) -> float:
    """The share of the 10 nearest chunks that a search by vectors finds."""
    places, every = vectors(store)
    shares = []
    for query, vector in zip(asked, embed_queries(store.embedder, asked), strict=True):
        order = np.argsort(-(every @ vector), kind="stable")[: 10 * K]
        nearest = list(dict.fromkeys(places[place] for place in order))[:K]
        found = {(chunk.document, chunk.start) for chunk in store.search(query, K, mode="vector")}
        shares.append(len(found & set(nearest)) / K)
    return float(np.mean(shares))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder", default="wordllama")
    parser.add_argument("--size", type=int, default=45, help="tokens of a chunk")
    parser.add_argument("--queries", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        texts, store = Path(place) / "texts", Path(place) / "store"
        texts.mkdir()
        novels = sorted(asked.folder.rglob("*.txt"))
        for novel in novels[:-1]:
            shutil.copy(novel, texts)
        told: dict[str, Any] = {"files": len(novels), "embedder": asked.embedder, "memory_before_mb": memory()}
        wanted = Wanted("tokens", asked.size, 0)
        report = index_texts([texts], store, wanted=wanted, embedder=asked.embedder)
        told |= {"chunks": report.chunks, "index_seconds": report.seconds, "memory_mb": memory()}
        shutil.copy(novels[-1], texts)
        added = index_texts([texts], store)
        told |= {"added_chunks": added.chunks - report.chunks, "add_one_file_seconds": added.seconds}
        told["nothing_new_seconds"] = index_texts([texts], store).seconds
        told["store_mb"] = sum(file.stat().st_size for file in store.rglob("*") if file.is_file()) // 10**6
        opened = open_store(store)
        questions = queries(opened, asked.queries)
        for mode in MODES:
            took = []
            for query in questions:
                began = time.perf_counter()
                opened.search(query, K, mode=mode)
                took.append(1000 * (time.perf_counter() - began))
            told[mode] = {"first_ms": round(took[0]), "p50_ms": round(float(np.percentile(took[5:], 50)), 1),
                          "p99_ms": round(float(np.percentile(took[5:], 99)), 1)}  # fmt: skip
        told |= {"memory_with_queries_mb": memory(), f"vector_recall@{K}": round(recall(opened, questions), 4)}
    print(json.dumps(told, indent=2))


if __name__ == "__main__":
    main()
