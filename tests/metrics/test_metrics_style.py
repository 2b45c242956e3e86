"""Distances of style: by hand, of a text to itself, among texts of other habits, and what is too little to say anything."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wellread.function_words import ENGLISH, FRENCH, language
from wellread.metrics import STYLE, measure, measure_ceiling
from wellread.metrics.burrows_delta import burrows_delta
from wellread.metrics.cosine_delta import cosine_delta
from wellread.metrics.style_attribution import Predictor, style_attribution
from wellread.metrics.style_rank import style_rank
from wellread.metrics.style_texts import excerpt
from wellread.metrics.stylometry import burrows, cosine, most_frequent, space
from wellread.testing import evidence, prose
from wellread.types import REAL_CHAPTERS, Document, Evidence, Measurement, Sample, Sampling

COMMON = tuple(sorted(ENGLISH)[:120])
NEARNESS = ("burrows_delta", "cosine_delta", "style_rank")
NOUNS = ["river", "lamp", "ferry", "bell", "winter", "letter", "captain", "garden", "stone", "window"]


@cache
def author(habits: int, words: int = 7_000, seed: int = 0, lexicon: tuple[str, ...] = COMMON, name: str = "") -> str:
    """Prose of an author who has habits of their own in common words; another seed writes another text. No sense."""
    likes = random.Random(f"habits {habits}")
    weights = [likes.lognormvariate(0, 0.8) for _ in lexicon] + [3.0] * len(NOUNS) + [4.0 if name else 0.0]
    drawn = random.Random(f"{habits} {seed}").choices([*lexicon, *NOUNS, name], weights, k=words)
    return "\n".join(" ".join(drawn[begin : begin + 40]) + "." for begin in range(0, words, 40))


def references(count: int, **given: Any) -> list[Document]:
    return [Document(f"{n}-1", author(n, **given), source=f"others/author{n}.txt") for n in range(1, count + 1)]


def said(text: str, prompts: int = 12) -> list[Sample]:
    """A text as passages after so many prompts."""
    words = text.split()
    edges = [len(words) * number // prompts for number in range(prompts + 1)]
    return [
        Sample(f"prompt {number}", " ".join(words[edges[number] : edges[number + 1]]), Sampling(), 0)
        for number in range(prompts)
    ]


def gathered(written: str, others: int = 8, **given: Any) -> Evidence:
    """The book is by author 0, in twelve chapters."""
    book = author(0).split("\n")
    chapters = ["\n".join(book[begin : begin + 15]) for begin in range(0, len(book), 15)]
    return evidence(None, author(0, seed=7), train=chapters, subject="new", passages=said(written),
                    references=references(others), **given)  # fmt: skip


def values(rows: Sequence[Measurement]) -> dict[str, float | None]:
    return {row.name: row.value for row in rows}


def test_both_deltas_by_hand() -> None:
    """Three texts of ten words; `a` 2, 4, 6 times and `b` 5, 5, 2: means .4 and .4, deviations .2 and .1732."""
    texts = [Counter(a=2, b=5, c=3), Counter(a=4, b=5, c=1), Counter(a=6, b=2, c=2)]
    here = space(texts, ["a", "b"])
    new = here.place(Counter(a=5, b=4, d=1))
    first = here.place(texts[0])
    assert new.tolist() == pytest.approx([0.5, 0.0])
    assert first.tolist() == pytest.approx([-1.0, 0.57735], abs=1e-5)
    assert burrows(new, first)[0] == pytest.approx((1.5 + 0.57735) / 2, abs=1e-5)
    assert cosine(new, first)[0] == pytest.approx(1 + 1 / np.sqrt(1 + 1 / 3))


@pytest.mark.parametrize("distance", [burrows, cosine])
def test_gradients_are_what_a_small_step_changes(distance: Any) -> None:
    one, other = np.array([0.4, -1.2, 2.0]), np.array([1.0, 0.3, -0.5])
    gradient = distance(one, other)[1]
    for place in range(3):
        step = np.zeros(3)
        step[place] = 1e-6
        change = (distance(one + step, other)[0] - distance(one - step, other)[0]) / 2e-6
        assert gradient[place] == pytest.approx(change, abs=1e-6)


def test_words_that_all_texts_use_alike_are_left_out_and_ties_are_ordered() -> None:
    texts = [Counter(a=2, b=2, c=2), Counter(a=2, b=3, c=1), Counter(a=2, b=1, c=3)]
    assert space(texts, ["a", "b", "c"]).words == ("b", "c")
    assert most_frequent(texts, 2) == ["a", "b"]


def test_a_text_against_itself_is_at_no_distance_and_ranks_first() -> None:
    own = gathered("")
    own.passages = said("\n".join(document.text for document in own.corpus.part("train")))
    rows = values(measure(own, NEARNESS))
    for name in ("burrows_delta", "cosine_delta", "burrows_delta_function_words", "cosine_delta_function_words"):
        assert rows[name] == pytest.approx(0, abs=0.25 if name.startswith("b") else 0.05)
    assert rows["style_rank"] == rows["style_rank_function_words"] == 1


def test_an_authors_other_text_is_near_and_anothers_is_far() -> None:
    like, unlike = (measure(gathered(author(who, seed=3)), NEARNESS) for who in (0, 4))
    assert values(like)["style_rank"] == 1
    assert values(unlike)["style_rank"] > 1
    for near, far in zip(like, unlike, strict=True):
        assert near.name == far.name
        assert near.low is not None
        assert near.high is not None
        assert near.low <= near.value <= near.high
        assert near.interval_over == "passages"
        if "delta" in near.name:
            assert near.high < far.low
    assert "author4 0." in next(row.note for row in unlike if row.name == "burrows_delta")
    assert "nearest first: author4" in next(row.note for row in unlike if row.name == "style_rank")


def test_real_chapters_are_measured_by_the_same_metrics() -> None:
    rows = measure_ceiling(gathered("said nothing"), NEARNESS)
    assert {row.subject for row in rows} == {REAL_CHAPTERS}
    assert values(rows)["style_rank"] == 1
    short = evidence(None, author(0, 900), validation=author(0, 800), train=author(0), references=references(3))
    assert "1,700 words, at least 5,000" in measure_ceiling(short)[0].note


def test_function_words_do_not_hear_a_name() -> None:
    """Author 1 writes of Aldous; so does the model that has all of author 0's habits."""
    others = [Document("1-1", author(1, name="Aldous"), source="1.txt"), *references(9)[1:]]
    named = gathered(author(0, seed=3, name="Aldous"))
    named.references = others
    plain = gathered(author(0, seed=3))
    plain.references = others
    by_all = values(burrows_delta(named))["burrows_delta"] - values(burrows_delta(plain))["burrows_delta"]
    by_few = [values(burrows_delta(each))["burrows_delta_function_words"] for each in (named, plain)]
    assert by_all > 0.01
    assert by_few[0] == pytest.approx(by_few[1], abs=0.1)


def test_too_few_words_or_texts_are_a_reason_and_no_number() -> None:
    for row in measure(gathered(author(0, 4_900)), STYLE):
        assert (row.value, row.note) == (None, "4,900 words generated, at least 5,000 needed; set measure.style_words")
    [two] = burrows_delta(gathered(author(0, seed=3), others=2))
    assert two.value is None
    assert two.note.startswith(
        "2 other texts of 5,000 words to compare with, at least 3 needed: name some in `references:`"
    )
    three = gathered(author(0, seed=3), others=3)
    delta = cosine_delta(three)[0]
    assert delta.value is not None
    assert all(f"author{n} " in delta.note for n in (1, 2, 3))
    [rank] = style_rank(three)
    assert rank.value is None
    assert "at least 8 needed for a rank" in rank.note


def test_style_words_sets_the_length_of_every_text() -> None:
    longer = gathered(author(0, 6_500, seed=3), style_words=6_500)
    assert burrows_delta(longer)[0].n == 6_500
    assert "6,500 needed" in burrows_delta(gathered(author(0, 6_000), style_words=6_500))[0].note


def test_the_book_itself_short_texts_and_other_languages_are_left_out() -> None:
    given = gathered(author(0, seed=3))
    whole = given.corpus.part("train")
    given.references = [
        *references(3),
        *(Document(f"b-{n}", document.text, source="shelf/book.txt") for n, document in enumerate(whole)),
        Document("s-1", author(9, 4_000), source="short.md"),
        Document("f-1", author(9, lexicon=tuple(sorted(FRENCH)[:120])), source="conte.md"),
    ]
    row = burrows_delta(given)[0]
    assert row.value is not None
    assert row.note.endswith("left out: book (the book itself), short (too short), conte (French)")
    edition = "A foreword. " + "\n".join(document.text for document in whole).upper().replace(".", " --")
    given = gathered(author(0, seed=3), others=3)
    given.references = [
        *given.references,
        Document("e-1", edition, source="edition.epub"),
        Document("g-1", author(9, lexicon=tuple(f"w{n}" for n in range(120))), source="german.txt"),
    ]
    assert burrows_delta(given)[0].note.endswith("left out: edition (the book itself), german (another language)")


def test_a_language_without_a_list_has_the_most_frequent_words_only() -> None:
    lexicon = tuple(f"w{n}" for n in range(150))
    given = evidence(None, "x", train=author(0, lexicon=lexicon), passages=said(author(0, seed=3, lexicon=lexicon)),
                     references=references(3, lexicon=lexicon))  # fmt: skip
    all_words, function_words = burrows_delta(given)
    assert all_words.value is not None
    assert function_words.value is None
    assert "English and French only" in function_words.note


def test_languages_are_told_by_their_function_words() -> None:
    assert (
        language(
            Counter(["it", "was", "the", "best", "of", "times", "and", "it", "was", "the", "worst", "of", "times"])
        )
        == "en"
    )
    assert (
        language(Counter(["je", "suis", "de", "ceux", "qui", "ne", "vont", "pas", "à", "la", "mer", "en", "hiver"]))
        == "fr"
    )
    assert language(Counter(["arma", "virumque", "cano", "Troiae", "qui", "primus", "ab", "oris"])) == ""
    assert not {word for word in ENGLISH | FRENCH if not word.isalpha()}


def test_an_excerpt_has_so_many_words_spread_over_the_whole() -> None:
    documents = [
        Document(str(n), " ".join(f"{n}x{place}" for place in range(size))) for n, size in enumerate((700, 30, 953))
    ]
    for size in (1, 250, 999, 1_682, 1_683):
        taken = excerpt("t", documents, size)
        assert taken is not None
        assert len(taken.counts) == taken.counts.total() == size
    assert excerpt("t", documents, 1_684) is None
    spread = excerpt("t", documents, 400)
    assert len(spread.words[0]) < 300
    assert len(spread.words[2]) > 150


def test_ten_prompts_are_units_and_fewer_are_blocks() -> None:
    few = gathered(author(0, seed=3))
    few.passages = said(author(0, seed=3), prompts=4)
    assert burrows_delta(few)[0].interval_over == "blocks of 300 words"
    same = [Sample("one prompt", sample.completion, Sampling(), 0) for sample in said(author(0, seed=3), prompts=15)]
    few = gathered("")
    few.passages = same
    assert len(burrows_delta(few)[0].tallies) == 15


def test_passages_go_to_the_author_whose_text_foretells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wellread.metrics.style_attribution.MOST_BYTES", 4_000)
    [like], [unlike] = (style_attribution(gathered(author(who, seed=3), others=3)) for who in (0, 2))
    assert unlike.value < 0.2
    assert like.value > 0.7
    assert like.low <= like.value <= like.high
    assert (like.n, like.unit, like.better) == (50, "share", "higher")
    assert "passages of 100 words, 4 authors of 4,000 bytes each; by chance 0.25" in like.note


def test_a_predictor_that_has_read_a_passage_foretells_it() -> None:
    passage = prose(100, 5).encode()
    knows, does_not = Predictor(author(1, 900).encode() + passage), Predictor(author(1, 1_000).encode())
    assert knows.cost(passage) < 0.5 * does_not.cost(passage)
    assert does_not.cost(passage) == does_not.cost(passage) > 0


def halves(folder: Path) -> dict[str, tuple[list[Document], list[Document]]]:
    """Every novel's chapters, in two halves of about as many words."""
    from wellread.corpus.ingest import read_documents
    from wellread.recipe import CorpusSettings

    found = {}
    for path in sorted(folder.glob("*.txt")):
        documents, _, _ = read_documents([path], CorpusSettings())
        sizes = np.cumsum([len(document.text) for document in documents])
        middle = int(np.searchsorted(sizes, sizes[-1] / 2))
        found[path.stem] = documents[:middle], documents[middle:]
    return found


@pytest.fixture(scope="module")
def english(novels: Path) -> dict[str, tuple[list[Document], list[Document]]]:
    return halves(novels / "en")


@pytest.mark.slow
def test_every_half_novels_other_half_is_first_among_twelve(
    english: dict[str, tuple[list[Document], list[Document]]],
) -> None:
    assert len(english) == 12
    samples = {name: excerpt(name, first, 20_000) for name, (first, _) in english.items()}
    spelt = {
        name: Document(name, " ".join(word for several in each.words for word, _, _ in several), source=name)
        for name, each in samples.items()
    }
    for name, (first, second) in english.items():
        others = [each for other, each in spelt.items() if other != name]
        given = evidence(None, train=[document.text for document in first], references=others, style_words=20_000,
                         passages=[Sample(document.id, document.text, Sampling(), 0) for document in second])  # fmt: skip
        ranks = values(style_rank(given))
        assert ranks == {"style_rank": 1, "style_rank_function_words": 1}, name


@pytest.mark.slow
def test_delta_agrees_with_an_independent_implementation(
    english: dict[str, tuple[list[Document], list[Document]]],
) -> None:
    oracle = pytest.importorskip("faststylometry", reason="the oracle needs the test-only package faststylometry")
    from wellread.matching import words

    def corpus(half: int) -> Any:
        tokens = [[word for document in each[half] for word, _, _ in words(document.text)] for each in english.values()]
        return oracle.Corpus(list(english), [f"half {half}"] * len(english), tokens)

    known, new = corpus(0), corpus(1)
    table = oracle.calculate_burrows_delta(known, new, vocab_size=150, tok_match_pattern="")
    counts = [[Counter(tokens) for tokens in each.tokens] for each in (known, new)]
    here = space(counts[0], most_frequent(counts[0], 150))
    for row, name in enumerate(english):
        for column, other in enumerate(english):
            ours = burrows(here.place(counts[1][row]), here.place(counts[0][column]))[0]
            assert ours == pytest.approx(table.loc[other, f"{name} - half 1"], rel=1e-9)
