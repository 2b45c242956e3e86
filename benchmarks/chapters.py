"""Whether choosing among candidates makes chapters more like the book.

    python benchmarks/chapters.py RUN [--chapters 4] [--words 300] [--best-of 4]

RUN writes chapters with one candidate for each passage and with several, same seeds, same settings. Candidates are chosen by
the most frequent words of the training part. Told are the angles to the held-out part, which chose nothing, of frequent words that are
no function words, of function words, and of words too rare to choose by; and the share of distinct 4-grams. Lower angles are nearer, but
chapters nearer than held-out ones are to each other are no better for it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from wellread import runs
from wellread.chapters.choosing import Yardstick, distinct, spoken, yardstick_of
from wellread.chapters.continued import last_pages
from wellread.chapters.drafting import Desk, Draft, draft_chapters
from wellread.chapters.manner import manner_of
from wellread.corpus.ingest import read_corpus
from wellread.function_words import LISTS, language
from wellread.matching import Index
from wellread.metrics.stylometry import MOST_FREQUENT, Space, cosine, frequencies, most_frequent
from wellread.types import Corpus, Sampling
from wellread.writing import open_writer

FREQUENT = 200
RARER = slice(MOST_FREQUENT, 800)
"""Ranks of words that candidates are not chosen by."""
STRETCH = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--chapters", type=int, default=4)
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--best-of", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=60)
    asked = parser.parse_args()
    run = runs.open_run(asked.run)
    corpus = read_corpus(run.corpus)
    index, measure = Index(corpus.documents), yardstick_of(corpus)
    model = open_writer(str(asked.run), index=index)
    book = list(corpus.documents)
    print(f"{asked.chapters} chapters of {asked.words} words; chosen by {measure.kind}")
    for count in (1, asked.best_of):
        sampling = Sampling(max_tokens=asked.max_tokens, no_recite=8)
        desk = Desk(model, sampling, manner_of(book), measure, index, count, asked.words, last_pages(book))
        chapters = [spoken(chapter.text) for chapter in draft_chapters(desk, Draft(), asked.chapters)]
        told(f"best of {count}", chapters, corpus, measure)
    told("held out", [list(own[: asked.words]) for own in measure.own], corpus, measure)


def told(name: str, chapters: list[list[str]], corpus: Corpus, measure: Yardstick) -> None:
    """One line: means over chapters."""
    angles = [apart(chapter, corpus) for chapter in chapters]
    count = len(chapters)
    other, function, rarer = (sum(angle[place] for angle in angles) / count for place in range(3))
    chosen = sum(measure.style(chapter) for chapter in chapters) / count
    share = sum(map(distinct, chapters)) / count
    wins = " ".join(f"{angle[0]:.3f}" for angle in angles)
    print(f"{name:12} held-out: other frequent words {other:.4f}, function words {function:.4f}, ranks 301 to 800 {rarer:.4f}; "
          f"training part, as chosen: {chosen:.4f}; distinct 4-grams {share:.4f}; per chapter {wins}")  # fmt: skip


def apart(chapter: list[str], corpus: Corpus) -> tuple[float, float, float]:
    """Angles to the held-out part: of frequent words that are no function words, and of function words."""
    train = [word for document in corpus.part("train") for word in spoken(document.text)]
    held = Counter(word for document in corpus.part("held_out") for word in spoken(document.text))
    counts = Counter(train)
    function = LISTS.get(language(counts), frozenset())
    other = [word for word in most_frequent([counts], FREQUENT) if word not in function]
    stretches = [Counter(train[place : place + STRETCH]) for place in range(0, len(train) - STRETCH // 2, STRETCH)]
    rarer = most_frequent([counts], RARER.stop)[RARER]
    return (
        angle(chapter, held, other, stretches),
        angle(chapter, held, sorted(function & set(counts)), stretches),
        angle(chapter, held, rarer, stretches),
    )


def angle(chapter: list[str], held: Counter[str], words: list[str], stretches: list[Counter[str]]) -> float:
    import numpy as np

    deviation = np.array([frequencies(each, words) for each in stretches]).std(axis=0, ddof=1)
    here = Space(tuple(words), np.zeros(len(words)), np.where(deviation > 0, deviation, 1.0))
    return cosine(here.place(Counter(chapter)), here.place(held))[0]


if __name__ == "__main__":
    main()
