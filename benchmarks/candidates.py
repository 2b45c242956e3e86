"""Whether choosing one of several candidates is worth it, and by what: judged by measures that chose nothing.

    python benchmarks/candidates.py RUN --draw passages.jsonl [--prompts 24] [--best-of 4] [--tokens 200]
    python benchmarks/candidates.py RUN --judge passages.jsonl
    python benchmarks/candidates.py RUN --kept RUN/stages/*/passages.jsonl [--best-of 3]

Candidates of 150 words or so are drawn once, after 150 words of validation chapters, under the guard; or they are taken from
what a run with `measure.style_words` has written after the same few beginnings. Then every way of choosing takes one of each
few, and what it takes is set against their mean, in standard deviations between the candidates of one prompt, with an
interval over prompts. Judges: the angle to the held-out chapters in character trigrams, in those of words too rare to choose
by (the only one that shares no word with `frequent words`), and in function words; distinct 4-grams; and how likely the
book's model finds it beyond its base (bits a byte).
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wellread import runs
from wellread.chapters.choosing import distinct, spoken, yardstick_of
from wellread.chapters.drafting import _to_a_sentence  # cut as the writer cuts
from wellread.corpus.ingest import read_corpus
from wellread.function_words import LISTS, language
from wellread.matching import Index
from wellread.metrics.style_attribution import Predictor
from wellread.metrics.stylometry import MOST_FREQUENT, Space, cosine, frequencies, most_frequent
from wellread.storage import read_rows, write_rows
from wellread.texts import library_text
from wellread.types import Corpus, Sampling
from wellread.writing import open_writer

BEFORE = 150
"""Words that a candidate goes on from."""
GRAMS = 400
READ = 64_000
Vector = np.ndarray[Any, np.dtype[np.float64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--draw", type=Path)
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--kept", type=Path, nargs="+")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--best-of", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=200)
    asked = parser.parse_args()
    corpus = read_corpus(runs.open_run(asked.run).corpus)
    if asked.draw:
        draw(asked.run, corpus, asked.draw, asked.prompts, asked.best_of, asked.tokens)
    if asked.judge:
        judge(asked.run, corpus, read_rows(asked.judge))
    if asked.kept:
        judge(asked.run, corpus, [row for each in asked.kept for row in kept(each, asked.best_of)])


def kept(passages: Path, best_of: int) -> list[dict[str, Any]]:
    """Rows of prompt and candidates, from what a model wrote several times after each of a few beginnings."""
    texts: dict[str, list[str]] = {}
    for row in read_rows(passages):
        texts.setdefault(row["prompt"], []).append(row["completion"])
    return [{"prompt": prompt, "texts": several[at : at + best_of]}
            for prompt, several in texts.items() for at in range(0, len(several) - best_of + 1, best_of)]  # fmt: skip


def draw(run: Path, corpus: Corpus, out: Path, count: int, best_of: int, tokens: int) -> None:
    """Rows of prompt and candidates, with the bits a byte of each under the book's model and its base."""
    whole = [word for document in corpus.part("validation") for word in document.text.split(" ")]
    places = [BEFORE + (len(whole) - BEFORE) * number // count for number in range(count)]
    prompts = [" ".join(whole[place - BEFORE : place]) for place in places]
    model = open_writer(str(run), index=Index(corpus.documents))
    samples = model.generate(prompts, Sampling(max_tokens=tokens, no_recite=8, n=best_of))
    texts = [sample.completion for sample in samples]
    write_rows(out, [{"prompt": prompt, "texts": texts[place * best_of : (place + 1) * best_of], "bits": [], "base": []}
                     for place, prompt in enumerate(prompts)])  # fmt: skip
    bits = []
    for name in (str(run), f"{run}@0"):
        scored = open_writer(name).score([f"{prompt}{text}" for prompt, text in each(prompts, texts, best_of)])
        bits.append([cost(one.starts, one.logprobs, one.text, prompt)
                     for one, (prompt, _) in zip(scored, each(prompts, texts, best_of), strict=True)])  # fmt: skip
    write_rows(out, [
        {"prompt": prompt, "texts": texts[at : at + best_of], "bits": bits[0][at : at + best_of], "base": bits[1][at : at + best_of]}
        for prompt, at in zip(prompts, range(0, len(texts), best_of), strict=True)
    ])  # fmt: skip


def each(prompts: Sequence[str], texts: Sequence[str], best_of: int) -> list[tuple[str, str]]:
    return [(prompts[place // best_of], text) for place, text in enumerate(texts)]


def cost(starts: Any, logprobs: Any, text: str, prompt: str) -> float:
    """Bits a byte of what follows the prompt."""
    begin, size = len(prompt.encode()), len(text.encode())
    return float(-np.asarray(logprobs)[np.asarray(starts) >= begin].sum() / np.log(2) / max(size - begin, 1))


def judge(run: Path, corpus: Corpus, rows: list[dict[str, Any]]) -> None:
    ways, judges = ways_of(corpus), judges_of(corpus)
    if "bits" not in rows[0]:
        ways = {name: way for name, way in ways.items() if not name.startswith("bits")}
    scored: dict[str, Vector] = {
        name: np.array([[judged(_to_a_sentence(text, 150)) for text in row["texts"]] for row in rows])
        for name, judged in judges.items()
    }
    if "bits" in rows[0]:
        scored["gain"] = np.array([row["bits"] for row in rows]) - np.array([row["base"] for row in rows])
    chosen = {name: [way(row) for row in rows] for name, way in ways.items()}
    print(
        f"{run.name}: {len(rows)} prompts, {len(rows[0]['texts'])} candidates; lower is better, 0 is the mean of the candidates"
    )
    for half, places in (("first half", slice(0, None, 2)), ("second half", slice(1, None, 2)), ("all", slice(None))):
        print(f"{half}, by " + ", ".join(scored))
        for name, picks in chosen.items():
            told = [interval(gains(values, picks)[places]) for values in scored.values()]
            print(f"  {name:28} " + "  ".join(told))


def gains(values: Vector, picks: Sequence[int]) -> Vector:
    """The pick less the mean of the candidates, in deviations between candidates of one prompt."""
    spread = np.sqrt(values.var(axis=1, ddof=1).mean()) or 1.0
    taken = values[np.arange(len(picks)), list(picks)]
    return np.asarray((taken - values.mean(axis=1)) / spread)


def interval(values: Vector) -> str:
    draws = np.random.default_rng(0).choice(values, (4000, len(values))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{values.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def ways_of(corpus: Corpus) -> dict[str, Callable[[dict[str, Any]], int]]:
    """Each takes one of a row's candidates."""
    measure = yardstick_of(corpus)
    spread_out = replace(measure, own=())
    book, other = predictors(corpus)

    def said(row: dict[str, Any]) -> list[list[str]]:
        return [spoken(text) for text in row["texts"]]

    def so_far(row: dict[str, Any]) -> int:
        return measure.choose(spoken(row["prompt"]), said(row))

    def least(score: Callable[[str], float]) -> Callable[[dict[str, Any]], int]:
        return lambda row: int(np.argmin([score(text) for text in row["texts"]]))

    def compressed(text: str) -> float:
        passage = text.encode()
        return (book.cost(passage) - other.cost(passage)) / max(len(passage), 1)

    return {
        "as the program": lambda row: measure.choose([], said(row)),
        "the same, with words before": so_far,
        "frequent words, no floor": lambda row: spread_out.choose([], said(row)),
        "distinct 4-grams": least(lambda text: -distinct(spoken(text))),
        "PPMd, book less others": least(compressed),
        "PPMd, book alone": least(lambda text: book.cost(text.encode()) / max(len(text.encode()), 1)),
        "bits a byte": lambda row: int(np.argmin(row["bits"])),
        "bits a byte, most": lambda row: int(np.argmax(row["bits"])),
        "bits a byte less the base's": lambda row: int(np.argmin(np.array(row["bits"]) - np.array(row["base"]))),
    }


def predictors(corpus: Corpus) -> tuple[Predictor, Predictor]:
    """One that has read the training part, one that has read other texts, as much of each."""
    own = "\n\n".join(document.text for document in corpus.part("train")).encode()
    names = ("general_en", "handbook") if language_of(corpus) == "en" else ("general_fr", "conte")
    other = "\n\n".join(library_text(name).read_text(encoding="utf-8") for name in names).encode()
    size = min(len(own), len(other), READ)
    return Predictor(own[:size]), Predictor(other[:size])


def judges_of(corpus: Corpus) -> dict[str, Callable[[str], float]]:
    train = "\n\n".join(document.text for document in corpus.part("train"))
    held = "\n\n".join(document.text for document in corpus.part("held_out"))
    function = sorted(LISTS[language_of(corpus)])
    said = spoken(train)
    word_pieces = [Counter(said[at : at + 500]) for at in range(0, len(said) - 400, 500)]
    gram_pieces = [trigrams(train[at : at + 3000]) for at in range(0, len(train) - 2400, 3000)]
    grams = most_frequent([trigrams(train)], GRAMS)
    words = [word for word in function if sum(piece[word] for piece in word_pieces) > 5]
    by_grams, by_words = scaled(grams, gram_pieces), scaled(words, word_pieces)
    held_grams, held_words = by_grams.place(trigrams(held)), by_words.place(Counter(spoken(held)))
    frequent = set(most_frequent([Counter(said)], MOST_FREQUENT))

    def rarer(text: str) -> Counter[str]:
        return trigrams(" ".join(word if word not in frequent else "·" for word in spoken(text)))

    by_rarer = scaled(
        most_frequent([rarer(train)], GRAMS), [rarer(train[at : at + 3000]) for at in range(0, len(train) - 2400, 3000)]
    )
    held_rarer = by_rarer.place(rarer(held))
    return {
        "trigrams": lambda text: cosine(by_grams.place(trigrams(text)), held_grams)[0],
        "of rarer words": lambda text: cosine(by_rarer.place(rarer(text)), held_rarer)[0],
        "function words": lambda text: cosine(by_words.place(Counter(spoken(text))), held_words)[0],
        "repetition": lambda text: -distinct(spoken(text)),
    }


def scaled(chosen: Sequence[str], pieces: Sequence[Counter[str]]) -> Space:
    deviation = np.array([frequencies(piece, chosen) for piece in pieces]).std(axis=0, ddof=1)
    return Space(tuple(chosen), np.zeros(len(chosen)), np.where(deviation > 0, deviation, 1.0))


def trigrams(text: str) -> Counter[str]:
    plain = " ".join(text.casefold().split())
    return Counter(plain[at : at + 3] for at in range(len(plain) - 2))


def language_of(corpus: Corpus) -> str:
    return language(Counter(word for document in corpus.part("train")[:5] for word in spoken(document.text))) or "en"


if __name__ == "__main__":
    main()
