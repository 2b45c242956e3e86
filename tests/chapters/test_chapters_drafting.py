"""Chapters as they are drafted: headed, ended, without circles, kept from the book's own words, the same when resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from wellread.chapters.choosing import distinct, loop_start, spoken, yardstick_of
from wellread.chapters.drafting import (
    Desk,
    Draft,
    closed,
    draft_chapters,
    joinable,
    restored,
    still_allowed,
    trailing_run,
)
from wellread.chapters.manner import manner_of
from wellread.chapters.writing import _telling, tongue_of
from wellread.gathering import Watch
from wellread.generation.progress import Work, untold
from wellread.matching import Index
from wellread.testing import prose
from wellread.types import Corpus, Document, Prompt, Sample, Sampling


class Scripted:
    """A model that says, of each prompt and seed, what it is told to; `tell` as any other."""

    name = tokenizer_name = "scripted"
    window = 64

    def __init__(self, said: Callable[[str, int], str], finish: str = "length") -> None:
        self.said, self.finish, self.asked, self.prompts = said, finish, [], []  # type: ignore[var-annotated]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        self.asked.append(sampling)
        self.prompts += prompts
        return [
            Sample(str(prompt), self.said(str(prompt), seed), sampling, seed, finish=self.finish)  # type: ignore[arg-type]
            for prompt in prompts
            for seed in range(sampling.seed, sampling.seed + sampling.n)
        ]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[object]:
        raise AssertionError


def corpus() -> Corpus:
    texts = [f"Chapter {number}\n\n" + prose(150, number) for number in range(1, 11)]
    documents = tuple(Document(f"b-{n}", text, "my_book.txt", f"Chapter {n}") for n, text in enumerate(texts, 1))
    ids = [document.id for document in documents]
    return Corpus(documents, {"train": tuple(ids[:8]), "validation": (ids[8],), "held_out": (ids[9],)})


def desk(model: Scripted, *, words: int = 100, best_of: int = 1, **sampling: float) -> Desk:
    book = corpus()
    settings = Sampling(**{"max_tokens": 60, **sampling})  # type: ignore[arg-type]
    manner, index = manner_of(book.documents), Index(book.documents)
    return Desk(model, settings, manner, yardstick_of(book), index, best_of, words, "The last page.")  # type: ignore[arg-type]


def fresh(prompt: str, seed: int) -> str:
    return " " + prose(40, 1000 + seed) + " Then he"


def test_chapters_are_headed_on_end_with_a_sentence_and_see_what_came_before() -> None:
    model = Scripted(fresh)
    chapters = draft_chapters(desk(model), Draft(), 2)
    assert [chapter.label for chapter in chapters] == ["Chapter 11", "Chapter 12"]
    for chapter in chapters:
        assert chapter.text.endswith(".")
        assert 80 <= len(chapter.text.split()) <= 130
        assert not chapter.note
    assert model.prompts[0] == "The last page.\n\nChapter 11\n\n"
    assert any(chapters[0].text[-50:] + "\n\nChapter 12\n\n" in prompt for prompt in model.prompts)
    assert max(map(len, model.prompts)) <= 8 * model.window


def test_no_new_title_stands_twice() -> None:
    headings = [f"Chapter {n}: Of the {letter} House" for n, letter in enumerate("ABCDEFGHIJ", 1)]
    documents = [Document(head, f"{head}\n\nIt rained.", "b.txt", head) for head in headings]
    said = {0: "The Ferry\n", 3: "The ferry.\n", 4: "12 and 13\n", 5: "Of the J House\n", 6: "The Storm\n"}
    model = Scripted(lambda prompt, seed: said.get(seed) or fresh(prompt, seed))
    draft = Draft()
    index = Index([*documents, Document("more", "A ferry came through the storm.")])
    chapters = draft_chapters(replace(desk(model, words=60), manner=manner_of(documents), index=index), draft, 2)
    assert [chapter.label for chapter in chapters] == ["Chapter 11: The Ferry", "Chapter 12: The Storm"]
    assert draft.titles == ["theferry", "thestorm"]


def test_a_title_that_is_not_in_the_books_manner_gives_way_to_the_next_or_to_the_number_alone() -> None:
    """Numbers that follow on from nothing, words that nobody has read, the heading of another part: none heads a chapter."""
    headings = [f"{n}\n\n{title}" for n, title in ((1, "The Ferry"), (2, "I Go Ashore"), (3, "The Captain's Map"))]
    documents = [Document(head, f"{head}\n\nIt rained.", "b.txt", head.replace("\n\n", ": ")) for head in headings]
    said = {0: "847 PRESBYTERNY\n", 1: "The Presbyterny\n", 2: "Part Two\n", 3: "Ashore With Maps\n",
            6: "847 Ferry\n", 7: "XII. The Ferry\n", 8: "The Ferrny\n", 9: "848\n"}  # fmt: skip
    model = Scripted(lambda prompt, seed: said.get(seed) or fresh(prompt, seed))
    index = Index([*documents, Document("more", "He went with them.")])
    table = replace(desk(model, words=60), manner=manner_of(documents), index=index)
    chapters = draft_chapters(table, Draft(), 2)
    assert [chapter.label for chapter in chapters] == ["4: Ashore With Maps", "5"]
    assert chapters[1].head == "5"


class TellingModel(Scripted):
    """Tells how far it is with every text, as a model does that writes."""

    tell = staticmethod(untold)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        for share in (0.0, 0.5, 1.0):
            self.tell(Work("writing", round(share), 1, "texts", share, 1.0))
        return super().generate(prompts, sampling)


def test_progress_never_goes_back_where_a_passage_is_taken_back_or_short() -> None:
    def circling(prompt: str, seed: int) -> str:
        return (
            " and so it went round and round" * 12 + " and" if seed in (1, 3) else " " + prose(8, 1000 + seed) + " so"
        )

    model, seen = TellingModel(circling), list[Work]()
    [chapter] = draft_chapters(desk(model), Draft(), 1, told=_telling(model, 100, Watch(progress=seen.append)))
    assert chapter.mended
    assert [each.share for each in seen] == sorted(each.share for each in seen)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert 0.9 < seen[-1].share <= 1


def test_progress_waits_until_as_much_is_written_again() -> None:
    model, seen = TellingModel(fresh), list[Work]()
    told = _telling(model, 200, Watch(progress=seen.append))
    told(40, 60)
    model.generate([], Sampling())
    told(50, 60)  # 50 words of those were taken back
    model.generate([], Sampling())
    assert [each.done for each in seen] == [40, 40, 70, 100, 100, 100, 100, 110]


def test_a_model_that_begins_the_next_chapter_or_stops_ends_this_one() -> None:
    model = Scripted(lambda prompt, seed: " " + prose(70, seed + 50) + "\n\nChapter 12\n\nIt went on")
    [chapter] = draft_chapters(desk(model), Draft(), 1)
    assert "Chapter" not in chapter.text
    assert len(chapter.text.split()) == 70
    silent = draft_chapters(desk(Scripted(lambda prompt, seed: "", "stop")), Draft(), 1)
    assert silent[0].text == ""
    assert "the model ended it after 0 of 100 words" in silent[0].note


def test_circles_are_drawn_again_from_where_they_began() -> None:
    def circling(prompt: str, seed: int) -> str:
        return " and so it went round and round" * 12 + " and" if seed == 2 else fresh(prompt, seed)

    model = Scripted(circling)
    [chapter] = draft_chapters(desk(model), Draft(), 1)
    assert chapter.mended == 1
    assert chapter.text.count("round and round") <= 1
    assert chapter.distinct >= 0.9 * chapter.own_distinct
    assert [each.repetition_penalty for each in model.asked[:4]] == [1.0, 1.0, 1.0, 1.1]


def test_what_cannot_be_mended_is_said() -> None:
    model = Scripted(lambda prompt, seed: " and so it went round and round" * 12)
    [chapter] = draft_chapters(desk(model), Draft(), 1)
    assert chapter.mended == 4
    assert "it goes in circles" in chapter.note


def test_where_a_loop_begins() -> None:
    said = [*"abcdefgh", *"xyzwv" * 10]
    assert loop_start(said) == 13
    assert loop_start([*"abcdefgh"]) == 8
    assert distinct(said) == pytest.approx((8 + 5) / 55)


def test_a_draft_resumed_anywhere_becomes_the_same_chapters() -> None:
    kept: list[str] = []

    def keep(draft: Draft) -> None:
        from dataclasses import asdict

        kept.append(json.dumps(asdict(draft)))

    whole = draft_chapters(desk(Scripted(fresh)), Draft(), 2, keep=keep)
    for line in kept:
        row = json.loads(line)
        assert draft_chapters(desk(Scripted(fresh)), restored(row), 2) == whole


def test_no_run_of_the_book_grows_across_a_seam() -> None:
    book = corpus().documents[3].text.split("\n\n", 1)[1].split()
    limit = 8

    def reciting(prompt: str, seed: int) -> str:
        """As a guarded model that knows the book by heart: as much of it as it may, from where it stands in it."""
        allowed = model.asked[-1].no_recite
        last = prompt.rsplit(maxsplit=1)[-1]
        place = book.index(last) + 1 if last in book else 0
        return " " + " ".join(book[place : place + allowed]) + " brrr"

    model = Scripted(reciting)
    table = desk(model, no_recite=limit, words=60)
    [chapter] = draft_chapters(table, Draft(), 1)
    longest = table.index.longest(chapter.text)
    assert longest is not None
    assert 4 <= longest.words <= limit


def test_the_guard_holds_after_circles_that_end_in_the_books_words() -> None:
    """Taken back to where it began to repeat itself, the chapter ends in as many words of the book as it may have."""
    book = corpus().documents[3].text.split("\n\n", 1)[1].split()
    limit = 8
    circle = " and so it went " + " ".join(book[5 : 5 + limit])

    def said(prompt: str, seed: int) -> str:
        if seed == 0:
            return " " + prose(30, 77).rstrip(".") + circle * 6 + " and"
        allowed = model.asked[-1].no_recite or 50  # what 0 means to a model: no guard
        return " " + " ".join(book[5 + limit : 5 + limit + allowed]) + " brrr " + prose(30, 1000 + seed)

    model = Scripted(said)
    table = desk(model, no_recite=limit)
    [chapter] = draft_chapters(table, Draft(), 1)
    assert chapter.mended == 1
    assert all(asked.no_recite >= limit // 2 for asked in model.asked)
    longest = table.index.longest(chapter.text)
    assert longest is not None
    assert longest.words <= limit


def test_a_guard_that_was_asked_for_is_never_none() -> None:
    index = Index([Document("1", "one two three four five six seven eight")])
    assert still_allowed("zzz three four", index, 8) == 6
    assert still_allowed("zzz three four", index, 0) == 0
    with pytest.raises(ValueError, match="ends in 4 words of the book"):
        still_allowed("three four five six", index, 4)


def test_a_text_is_joined_where_few_of_its_last_words_stand_in_the_book() -> None:
    index = Index([Document("1", "one two three four five six seven eight")])
    assert trailing_run("zzz three four five", index, 8) == 3
    assert trailing_run("one two three four five six seven eight", index, 4) == 4
    assert joinable("zzz one two three four five six.", index, 8) == "zzz one two three four"
    assert joinable("one two", index, 8) == "one two"


def test_of_several_candidates_the_one_in_the_books_words_is_taken() -> None:
    """The book says `the` and `of` evenly; one candidate in four does, too."""
    text = "the cat of the house and the dog of the yard were here " * 60
    documents = tuple(Document(str(n), text, "b.txt", f"Chapter {n}") for n in range(1, 4))
    measure = yardstick_of(Corpus(documents, {"train": ("1", "2"), "validation": (), "held_out": ("3",)}))
    alien = spoken("you will not if you may but they shall never when she would")
    like = spoken("the hen of the farm and the fox of the wood were here")
    assert measure.choose([], [alien, like, alien, alien[:3]]) == 1
    assert measure.style(like) < measure.style(alien)
    assert "most frequent words" in measure.kind


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ('"No," he said. "It is late.', '"No," he said. "It is late."'),
        ("“No,” he said. “It is late.", "“No,” he said. “It is late.”"),
        ("« Non. Il est tard.", "« Non. Il est tard.\N{NO-BREAK SPACE}»"),
        ('"No," he said.\n\nIt was late.', '"No," he said.\n\nIt was late.'),
        ('of the parrot." And he left.', 'of the parrot." And he left.'),
        ('"It is late."', '"It is late."'),
        ("", ""),
    ],
)
def test_a_chapter_leaves_no_speech_open(text: str, ended: str) -> None:
    assert closed(text) == ended


@pytest.mark.parametrize(
    ("stated", "tag"),
    [("en-GB", "en-GB"), ("en_US", "en-US"), ("sr-Latn-RS", "sr-Latn-RS"), ("de-DE-1996", "de-DE"), ("eng; fre", "eng"),
     (" fr\n", "fr"), ("English", "en"), ("x", "en"), ("", "en"), ("en-12", "en")],
)  # fmt: skip
def test_a_language_that_is_no_tag_is_told_by_the_words(stated: str, tag: str) -> None:
    text = "It was the last of the year, and there was nobody in the house with whom he could have been at odds."
    assert tongue_of([Document("1", text, metadata={"language": stated})]) == tag


def test_longer_texts_are_expected_to_repeat_more() -> None:
    measure = yardstick_of(corpus())
    assert measure.own_distinct(20) >= measure.own_distinct(150)
    assert measure.least_distinct(50) == pytest.approx(0.9 * measure.own_distinct(50))
