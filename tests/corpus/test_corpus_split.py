from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from wellread.corpus import near
from wellread.corpus.chapters import divide
from wellread.corpus.near import near_duplicates, sharing
from wellread.corpus.split import split
from wellread.errors import CorpusError
from wellread.types import Document, Part


def prose(words: int, seed: int) -> str:
    """Sentences that share no runs with those of another seed."""
    draw = random.Random(seed)
    tokens = [
        f"{draw.choice('bdfgklmnprst')}{draw.choice('aeiou')}{draw.choice('lmnrst')}{draw.choice('aeiou')}"
        for _ in range(words)
    ]
    return "\n\n".join(" ".join(tokens[start : start + 60]).capitalize() + "." for start in range(0, words, 60))


def chapters(
    count: int, words: int = 900, source: str = "book.txt", seed: int = 0, kind: str = "chapter"
) -> list[Document]:
    sizes = random.Random(seed)
    return [
        Document(
            f"{source[:-4]}-{n:04d}",
            prose(words + sizes.randrange(-words // 3, words // 3 + 1), seed * 1000 + n),
            source,
            f"Chapter {n}",
            metadata={"kind": kind},
        )
        for n in range(1, count + 1)
    ]


def parted(
    documents: Sequence[Document],
    *,
    validation: float = 0.1,
    held_out: float = 0.1,
    seed: int = 0,
    near_duplicates: bool = True,
) -> tuple[dict[Part, tuple[str, ...]], tuple[str, ...]]:
    parts, notes = split(
        documents, validation=validation, held_out=held_out, seed=seed, near_duplicates=near_duplicates
    )
    assert sorted(id for ids in parts.values() for id in ids) == sorted(d.id for d in documents)
    order = {d.id: place for place, d in enumerate(documents)}
    assert all([order[id] for id in ids] == sorted(order[id] for id in ids) for ids in parts.values())
    return parts, notes


def shares(documents: Sequence[Document], parts: dict[Part, tuple[str, ...]]) -> dict[str, float]:
    sizes = {d.id: len(d.text) for d in documents}
    return {part: sum(sizes[id] for id in ids) / sum(sizes.values()) for part, ids in parts.items()}


@pytest.mark.parametrize(
    ("count", "validation", "held_out"), [(12, 0.1, 0.1), (40, 0.1, 0.1), (365, 0.05, 0.1), (60, 0.2, 0.3)]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shares_are_met_within_half_a_chapter(count: int, validation: float, held_out: float, seed: int) -> None:
    documents = chapters(count, 300)
    parts, notes = parted(documents, validation=validation, held_out=held_out, seed=seed)
    found = shares(documents, parts)
    assert abs(found["held_out"] - held_out) <= 0.6 / count
    assert abs(found["validation"] - validation) <= 0.6 / count
    assert found["train"] > max(found["held_out"], found["validation"])
    off = [
        part for part, aim in (("validation", validation), ("held_out", held_out)) if abs(found[part] / aim - 1) > 0.2
    ]
    assert [note.partition(":")[0] for note in notes] == off


def test_the_same_seed_gives_the_same_parts_and_another_seed_others() -> None:
    documents = chapters(60, 300)
    first = parted(documents, seed=1)
    assert first == parted(documents, seed=1)
    assert len({parted(documents, seed=seed)[0]["held_out"] for seed in range(8)}) >= 7


def test_parts_come_from_all_over_the_book() -> None:
    documents = chapters(100, 300)
    for part in ("validation", "held_out"):
        numbers = [int(id[-4:]) for id in parted(documents)[0][part]]
        assert all(any(start < n <= start + 25 for n in numbers) for start in (0, 25, 50, 75))


def test_every_source_of_a_folder_gives_its_share() -> None:
    documents = [d for n in range(3) for d in chapters(30 + 10 * n, 300, f"book{n}.txt", n)]
    parts, _ = parted(documents)
    for name in ("book0", "book1", "book2"):
        own = [d for d in documents if d.id.startswith(name)]
        found = shares(own, {part: tuple(id for id in ids if id.startswith(name)) for part, ids in parts.items()})
        assert 0.05 <= found["held_out"] <= 0.15
        assert 0.05 <= found["validation"] <= 0.15


def test_passages_leave_in_runs_so_that_few_boundaries_lie_between_the_parts() -> None:
    documents = divide([Document("x-1", prose(60_000, 1), "essay.txt")])
    parts, _ = parted(documents)
    found = shares(documents, parts)
    part_of = {id: part for part, ids in parts.items() for id in ids}
    line = [part_of[d.id] for d in documents]
    changes = sum(a != b for a, b in pairwise(line))
    assert found["held_out"] == pytest.approx(0.1, abs=0.03)
    assert changes <= 8


def runs(documents: Sequence[Document], ids: Sequence[str], words: int = 50) -> set[tuple[str, ...]]:
    found = set()
    for document in documents:
        if document.id in ids:
            tokens = re.findall(r"\w+", document.text.casefold())
            found |= {tuple(tokens[start : start + words]) for start in range(len(tokens) - words + 1)}
    return found


def planted(documents: list[Document], pairs: Sequence[tuple[int, int]], words: int) -> list[Document]:
    changed = list(documents)
    for number, (one, other) in enumerate(pairs):
        passage = prose(words, 90_000 + number).replace("\n\n", " ").replace(". ", ", ")
        for place in (one, other):
            d = changed[place]
            changed[place] = Document(d.id, f"{d.text}\n\n{passage}", d.source, d.section, metadata=d.metadata)
    return changed


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_no_run_of_fifty_words_stands_in_two_parts(seed: int) -> None:
    pairs = [(n, n + 20) for n in range(0, 16, 2)] + [(3, 33), (33, 7)]
    documents = planted(chapters(60, 400), pairs, 55)
    parts, notes = parted(documents, seed=seed)
    found = {part: runs(documents, ids) for part, ids in parts.items()}
    assert not found["train"] & found["held_out"]
    assert not found["train"] & found["validation"]
    assert not found["validation"] & found["held_out"]
    assert shares(documents, parts)["held_out"] == pytest.approx(0.1, abs=0.02)
    assert any("19 chapters share" in note and "55 words" in note for note in notes)


def test_without_the_search_near_duplicates_stay_where_they_fall() -> None:
    documents = planted(chapters(60, 400), [(n, n + 30) for n in range(30)], 60)
    parts, notes = parted(documents, near_duplicates=False)
    assert runs(documents, parts["train"]) & runs(documents, parts["held_out"])
    assert notes == ()


def test_a_refrain_moves_no_chapter() -> None:
    documents = planted(chapters(30, 400), [(n, n + 15) for n in range(15)], 30)
    assert near_duplicates([d.text for d in documents]) == []
    assert parted(documents)[1] == ()


def test_where_all_is_repeated_the_note_says_so() -> None:
    documents = planted(chapters(30, 400), [(n, n + 1) for n in range(29)], 60)
    parts, notes = parted(documents)
    assert parts["held_out"]
    assert "different parts" in notes[0]
    doubled = planted(chapters(40, 400), [(n, n + 20) for n in range(20)], 60)
    parts, notes = parted(doubled)
    assert not runs(doubled, parts["train"]) & runs(doubled, parts["held_out"])
    assert "into one part" in notes[0]


def test_what_shares_fifty_words_with_one_of_several_texts_is_found_among_many_alike() -> None:
    unseen, others = chapters(6, 300)[:3], chapters(30, 300, seed=9)
    passage = unseen[1].text.split()[100:150]
    holding = {3, *range(10, 25)}  # so many that they are one another's twins before they are the unseen one's
    several = [
        replace(each, text=f"{each.text} {' '.join(passage if place in holding else passage[:40])}")
        for place, each in enumerate(others)
    ]
    assert sharing(several, unseen) == holding
    assert sharing(several, []) == set()
    assert sharing([], unseen) == set()


def test_near_duplicates_are_measured() -> None:
    texts = [prose(500, 1), prose(500, 2), prose(500, 3)]
    texts[2] += "\n\n" + " ".join(texts[0].split()[100:180]).upper()
    scattered = " ".join(" ".join(texts[1].split()[start : start + 30]) + f" x{start}" for start in range(0, 480, 40))
    [run, spread] = near_duplicates([*texts, scattered])
    assert (run.first, run.second, run.words) == (0, 2, 80)
    assert (spread.first, spread.second) == (1, 3)
    assert spread.words == 30
    assert 0.5 < spread.share < 0.95


def test_long_corpora_are_sampled_and_twins_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = planted(chapters(60, 400), [(n, n + 30) for n in range(30)], 80)
    exact = near_duplicates([d.text for d in documents])
    monkeypatch.setattr(near, "MOST", 5_000)
    sampled = near_duplicates([d.text for d in documents])
    assert len(exact) == 30
    assert len(set(exact) & set(sampled)) >= 27


def test_a_text_too_short_says_how_much_it_has_and_needs() -> None:
    with pytest.raises(
        CorpusError, match=r"1,\d\d\d words \(\d,\d\d\d characters\).*needs about 2,000 words\. Add text\.$"
    ):
        parted(chapters(6, 250))
    with pytest.raises(
        CorpusError, match=r"needs about 10,000 words for shares of 2% and 10%\. Add text or raise the shares"
    ):
        parted(chapters(6, 800), validation=0.02)


def test_shares_that_starve_training_are_refused() -> None:
    with pytest.raises(CorpusError, match="validation 40% and held_out 40% leave 20%"):
        parted(chapters(30), validation=0.4, held_out=0.4)


def test_one_document_cannot_be_split() -> None:
    with pytest.raises(CorpusError, match="would be empty"):
        parted([Document("a-1", prose(5000, 1), "a.txt")])


def test_two_documents_with_one_id_are_refused() -> None:
    documents = chapters(30)
    with pytest.raises(ValueError, match="same id"):
        parted([*documents, documents[0]])
