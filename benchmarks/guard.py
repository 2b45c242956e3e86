"""What the guard costs, and whether it holds, by a check of words that shares no code with it.

    python benchmarks/guard.py RUN [--generations 200] [--tokens 300] [--words 8]

Prompts are 30 words each from the run's training part, spread evenly over it. The model goes on from every one of
them, free and guarded, with the same seeds. Printed: the longest run of words that a completion shares with the corpus,
free and guarded; the time of a step of 32 rows, and the share of it that is spent in the guard.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from wellread.corpus.ingest import read_corpus
from wellread.generation import guard
from wellread.generation.hf import ROWS
from wellread.models import corpus_index, open_model
from wellread.runs import open_run
from wellread.types import Document, LanguageModel, Sample, Sampling

PROMPT_WORDS = 30
MOST = 60
"""Longer runs are not told apart."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--generations", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--words", type=int, default=8)
    parser.add_argument("--temperature", type=float, default=0.8)
    asked = parser.parse_args()
    this = open_run(asked.run)
    corpus = read_corpus(this.corpus)
    began = time.perf_counter()
    index = corpus_index(this)
    print(f"index built in {time.perf_counter() - began:.2f} s")
    model = open_model(asked.run, offline=True, index=index)
    prompts = spread(corpus.part("train"), asked.generations)
    free = Sampling(asked.tokens, asked.temperature, seed=1)
    model.generate(prompts[:1], replace(free, max_tokens=8, no_recite=asked.words))
    kept = {0: Written(), asked.words: Written()}
    # by turns, so that a machine that slows down does so for both
    for first in range(0, len(prompts), ROWS):
        for words, written in kept.items():
            written.add(model, prompts[first : first + ROWS], replace(free, no_recite=words))
    grams = Grams(corpus.documents)
    for words, written in kept.items():
        runs = sorted((grams.longest(sample.completion) for sample in written.samples), reverse=True)
        print(f"no_recite {words}: {len(runs)} texts, longest runs {runs[:5]}, over {asked.words} words: "
              f"{sum(run > asked.words for run in runs)}; {1000 * written.seconds / written.steps:.2f} ms a step of up to "
              f"{ROWS} rows, of which the guard {1000 * written.guarding / written.steps:.2f} ms: "
              f"{written.guarding / (written.seconds - written.guarding):.1%} on top")  # fmt: skip


class Written:
    """What was written, and how long it took."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.seconds = self.guarding = 0.0
        self.steps = 0

    def add(self, model: LanguageModel, prompts: Sequence[str], sampling: Sampling) -> None:
        inner = guard.Masking.replaced

        def timed(*given: Any) -> Any:
            began = time.perf_counter()
            ids = inner(*given)
            self.guarding += time.perf_counter() - began
            return ids

        began = time.perf_counter()
        with patch.object(guard.Masking, "replaced", timed):
            self.samples += model.generate(prompts, sampling)
        self.seconds += time.perf_counter() - began
        self.steps += sampling.max_tokens


def spread(documents: Sequence[Document], count: int) -> list[str]:
    """`count` prompts, evenly over the documents."""
    words = " ".join(document.text for document in documents).split()
    places = [(len(words) - PROMPT_WORDS) * number // count for number in range(count)]
    return [" ".join(words[place : place + PROMPT_WORDS]) for place in places]


def plain(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", re.sub("['’]", "", text.casefold()))


class Grams:
    """Every run of up to 60 words of some documents, found by growing it a word at a time."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._books = [plain(document.text) for document in documents]
        self._pairs: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for number, book in enumerate(self._books):
            for place, pair in enumerate(pairwise(book)):
                self._pairs.setdefault(pair, []).append((number, place))

    def longest(self, text: str) -> int:
        """The most words in a row that a text shares with a document; 1 stands for none or one."""
        said, best = plain(text), 1
        for start, pair in enumerate(pairwise(said)):
            for number, place in self._pairs.get(pair, ()):
                book, length = self._books[number], 2
                while (
                    length < MOST and start + length < len(said) and place + length < len(book)
                    and said[start + length] == book[place + length]
                ):  # fmt: skip
                    length += 1
                best = max(best, length)
        return best


if __name__ == "__main__":
    main()
