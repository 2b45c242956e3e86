"""How well the measures of style tell novels apart, and whether an author's voice outlives a translator.

    python benchmarks/style.py FOLDER [--words 5000,20000]

FOLDER holds novels as text files, named `author_title[_translator].txt`, all in one language. For every length, each
novel's second half is measured as a model's writing would be, its first half as the book, the first halves of the rest
as the other texts: how often the book ranks first, how many passages are given to it, and how long that takes. Then,
of the novels that name a translator, the distance to every other text.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from wellread.corpus.ingest import read_documents
from wellread.metrics.style_attribution import style_attribution
from wellread.metrics.style_rank import style_rank
from wellread.metrics.style_texts import excerpt, style_texts
from wellread.metrics.stylometry import VARIANTS, Distances, cosine, distances
from wellread.recipe import CorpusSettings
from wellread.testing import evidence
from wellread.types import Document, Evidence, Sample, Sampling

TRANSLATORS = ("garnett", "maude")
Halves = dict[str, tuple[list[Document], list[Document]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--words", default="5000,20000", help="lengths at which to measure")
    parser.add_argument("--passages", action="store_true", help="attribute passages too, which takes longer")
    asked = parser.parse_args()
    novels = halves(asked.folder)
    for size in map(int, asked.words.split(",")):
        given = gathered(novels, size)
        tell_apart(given, passages=asked.passages)
        translated(given)


def halves(folder: Path) -> Halves:
    """Every novel's chapters, in two halves of about as many characters."""
    found = {}
    for path in sorted(folder.glob("*.txt")):
        documents, _, _ = read_documents([path], CorpusSettings())
        middle, half = 0, sum(len(document.text) for document in documents) / 2
        while half > 0:
            half -= len(documents[middle].text)
            middle += 1
        found[path.stem] = documents[:middle], documents[middle:]
    return found


def gathered(novels: Halves, size: int) -> dict[str, Evidence]:
    """Of every novel the second half as what was written, the first as the book, other novels' first halves beside it.

    First halves are cut to what is measured of them once, not for every novel again.
    """
    cut = {}
    for name, (first, _) in novels.items():
        taken = excerpt(name, first, 4 * size) or excerpt(name, first, size)
        assert taken is not None, f"{name} is shorter than {size} words"
        text = " ".join(word for several in taken.words for word, _, _ in several)
        cut[name] = Document(name, text, source=f"{name}.txt")
    return {
        name: evidence(
            None, train=cut[name].text, references=[each for other, each in cut.items() if other != name],
            passages=[Sample(document.id, document.text, Sampling(), 0) for document in second],
            style_words=size, subject=name,
        )
        for name, (_, second) in novels.items()
    }  # fmt: skip


def tell_apart(novels: dict[str, Evidence], *, passages: bool) -> None:
    first = {variant: 0 for variant in VARIANTS}
    shares: list[float] = []
    seconds = [0.0, 0.0]
    for name, given in novels.items():
        began = time.perf_counter()
        for variant, row in zip(VARIANTS, style_rank(given), strict=True):
            first[variant] += row.value == 1
            if row.value != 1:
                print(f"  {name}: {row.name} {row.value} [{row.low}, {row.high}], {row.note}")
        seconds[0] += time.perf_counter() - began
        if passages:
            began = time.perf_counter()
            [row] = style_attribution(given)
            shares.append(row.value or 0.0)
            seconds[1] += time.perf_counter() - began
            print(f"  {name}: {shares[-1]:.2f} of {row.n} passages attributed")
    size = next(iter(novels.values())).style_words
    print(f"{size:,} words: book first for {first['']} of {len(novels)} by most frequent words, "
          f"{first['_function_words']} by function words; {seconds[0] / len(novels):.1f} s each")  # fmt: skip
    if shares:
        print(f"  {sum(shares) / len(shares):.2f} of passages attributed; {seconds[1] / len(novels):.1f} s each")


def translated(novels: dict[str, Evidence]) -> None:
    """The nearest texts to every translated novel, those of its translator and of its author marked."""
    for name, given in novels.items():
        translator = next((each for each in TRANSLATORS if name.endswith(each)), "")
        if not translator:
            continue
        texts = style_texts(given)
        assert not isinstance(texts, str), texts
        for variant in VARIANTS:
            found = distances(given, texts, cosine, variant)
            assert isinstance(found, Distances), found
            print(f"  {name}{variant.replace('_', ' ')}: {', '.join(_marked(found, name, translator))}")


def _marked(found: Distances, name: str, translator: str) -> Sequence[str]:
    author = name.partition("_")[0]
    told = []
    for each in found.nearest[:5]:
        same = [word for word in (author, translator) if word in each.name.split("_")]
        told.append(f"{each.name} {each.value:.2f}{' (same ' + ' and '.join(same) + ')' if same else ''}")
    return told


if __name__ == "__main__":
    main()
