"""The guard: what it lets through is judged by a search of its own, over words that a plain pattern finds."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from wellread.errors import ModelError
from wellread.generation.guard import NOTHING, Guard
from wellread.generation.hf import TransformersModel
from wellread.matching import Index
from wellread.testing import tiny_model
from wellread.types import Document, Sampling

BOOK = """The ferryman's bell hung over the landing, and nobody rang it after dark. Ilse couldn't sleep; she counted the
strokes that never came. "You'll wake the river," her father said, who'd been awake himself since the thaw. The river
didn't wake. It lay under its ice like a letter under a door, and the far-off lamps of the customs house went out one
by one. In the morning there was a boat tied up below the bell, with no one in it, and wet footprints on the boards
went as far as the rope and no farther. Ilse's mother cannot have seen them, for she swept the landing before anyone
else was up; but the rope, she'd say later, was warm."""
ANOTHER = "A second document says that whoever keeps the light must keep the ledger too, and must not keep both."
DOCUMENTS = (Document("one", BOOK), Document("two", ANOTHER))


def plain(text: str) -> list[str]:
    return re.findall("[a-z]+", text.lower().replace("'", ""))


def longest_run(text: str) -> int:
    """The most words in a row that stand so in one of the documents."""
    books = [" " + " ".join(plain(document.text)) + " " for document in DOCUMENTS]
    said = plain(text)
    best = 0
    for start in range(len(said)):
        while start + best < len(said) and any(
            f" {' '.join(said[start : start + best + 1])} " in book for book in books
        ):
            best += 1
    return best


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A tiny Llama that knows both documents by heart, and its tokenizer, in which most words are several tokens."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tiny_model(tmp_path_factory.mktemp("learned"), [BOOK, ANOTHER], vocabulary=380, positions=64)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor(tokenizer(f"{BOOK} {ANOTHER}")["input_ids"])
    windows = ids.unfold(0, 47, 1)
    rows = torch.cat([torch.full((len(windows), 1), tokenizer.bos_token_id), windows], 1)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    draw = torch.Generator().manual_seed(0)
    for _ in range(130):
        batch = rows[torch.randint(len(rows), (12,), generator=draw)]
        optimizer.zero_grad()
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
    return model.eval(), tokenizer


@pytest.fixture(scope="module")
def guarded(learned: tuple[Any, Any]) -> TransformersModel:
    return TransformersModel(*learned, "learned", index=Index(DOCUMENTS))


def prompts() -> list[str]:
    """Beginnings taken from the book, ending with a word, within one, or with a space."""
    return [BOOK[at : at + 40] for at in range(0, 480, 131)] + [ANOTHER[:20], "Nobody ever"]


@pytest.mark.parametrize("words", [1, 3, 8])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_no_completion_recites_more_words_than_the_guard_allows(
    guarded: TransformersModel, words: int, temperature: float
) -> None:
    free = Sampling(max_tokens=36, temperature=temperature, seed=3)
    kept = guarded.generate(prompts(), replace(free, no_recite=words))
    assert max(longest_run(sample.completion) for sample in kept) <= words
    if words == 8 and temperature == 0:
        assert max(longest_run(sample.completion) for sample in guarded.generate(prompts(), free)) > 8
        assert max(longest_run(sample.completion) for sample in kept) == 8
        assert all(len(plain(sample.completion)) > 8 for sample in kept)


def test_a_guarded_sample_does_not_depend_on_what_is_written_beside_it(guarded: TransformersModel) -> None:
    sampling = Sampling(max_tokens=40, no_recite=3, n=2, seed=5)
    together = guarded.generate(prompts()[:4], sampling)
    alone = [sample for prompt in prompts()[:4] for sample in guarded.generate([prompt], sampling)]
    assert [sample.completion for sample in together] == [sample.completion for sample in alone]


def test_the_guard_changes_nothing_where_nothing_is_recited(opened: tuple[Any, Any]) -> None:
    model = TransformersModel(*opened, "tiny", index=Index(DOCUMENTS))
    free = Sampling(max_tokens=40, n=3)
    written = [[each.completion for each in model.generate(["the cat"], s)] for s in (free, replace(free, no_recite=8))]
    assert written[0] == written[1]


def test_the_guard_needs_a_corpus(opened: tuple[Any, Any]) -> None:
    with pytest.raises(ModelError, match="needs the corpus"):
        TransformersModel(*opened, "tiny").generate(["the cat"], Sampling(no_recite=8))


def text_of(guard: Guard, pieces: list[str]) -> str:
    """What of these pieces the guard lets through, each refused one left out."""
    written, text = NOTHING, ""
    for piece in pieces:
        after = guard.after(written, piece.encode())
        if after is not None:
            written, text = after, text + piece
    return text


@pytest.mark.parametrize(
    ("pieces", "written"),
    [
        (["the ", "landing", ", and"], "the landing"),  # two words may stand together, a third may not
        (["the landing", "s and nobody"], "the landings and nobody"),  # a longer word is another word
        (["the ", "la", "nd", "ing"], "the landing"),
        (["landing and", " no", " way"], "landing and no way"),  # "nobody" would be refused, and "no" is a word
        (["landing and", " no", "body"], "landing and no"),
        (["Ilse's mother", " can"], "Ilse's mother"),  # of "cannot"; it would be left as a stump
        (["Ilse's mother", " could"], "Ilse's mother could"),
        (["mother", " can", "not", " have"], "mother cannot"),
        (["Ilse couldn", "’t", " sleep"], "Ilse couldn’t"),
        (["dark. Ilse", " can", "’", "t"], "dark. Ilse can’t"),
        (["far-off", "-lamps"], "far-off"),
        (["after dark.", " A second"], "after dark. A second"),  # no run crosses from one document into the next
    ],
)
def test_words_are_judged_as_they_stand(pieces: list[str], written: str) -> None:
    assert text_of(Guard(Index(DOCUMENTS), 2), pieces) == written


def test_elided_french_words_are_two() -> None:
    guard = Guard(Index([Document("fr", "On dit qu'il n'a pas vu l'été, aujourd’hui encore.")]), 3)
    assert text_of(guard, ["dit qu", "'", "il", " n", "'est"]) == "dit qu'il'est"  # "dit qu il n" would be four


def test_bytes_and_marks_that_complete_a_letter_complete_a_word() -> None:
    guard = Guard(Index([Document("fr", "le bel été revient")]), 2)
    halves = ["été".encode()[:-1], "été".encode()[-1:]]
    written = guard.after(guard.after(NOTHING, b"bel ") or NOTHING, halves[0])
    assert written is not None
    assert guard.after(written, halves[1]) is not None  # "bel été"
    written = guard.after(NOTHING, b"le bel ete\xcc\x81")
    assert written is not None
    before = guard.after(NOTHING, "le bel e\u0301te".encode())
    assert before is not None
    assert guard.after(before, "\u0301".encode()) is None  # "le bel été", spelt with combining accents


@pytest.mark.parametrize("words", [1, 2, 3, 8])
def test_any_pieces_at_all_leave_a_text_that_recites_no_more(words: int) -> None:
    draw = random.Random(words)
    guard = Guard(Index(DOCUMENTS), words)
    for _ in range(60):
        pieces = []
        for _ in range(12):
            source = draw.choice((BOOK, ANOTHER))
            start = draw.randrange(len(source))
            cuts = sorted({start, *(start + draw.randrange(60) for _ in range(draw.randrange(1, 12)))})
            pieces += [source[a:b] for a, b in pairwise(cuts)]
        text = text_of(guard, pieces)
        assert longest_run(text) <= words


def test_a_guard_of_no_words_is_none() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Guard(Index(DOCUMENTS), 0)


def test_followers_are_the_words_that_come_next() -> None:
    index = Index(DOCUMENTS)
    assert index.followers(["the"]) == {"ferrymans", "landing", "strokes", "river", "thaw", "far", "customs", "morning",
                                        "bell", "boards", "rope", "light", "ledger"}  # fmt: skip
    assert index.followers(["keep", "the"]) == {"ledger"}
    assert index.followers(["was", "warm"]) == frozenset()
    assert index.followers(["unheard"]) == frozenset()


def test_a_tokenizer_of_words_cannot_be_guarded() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    from wellread.generation.spelling import Spelling

    words = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(ModelError, match="leave the guard away"):
        Spelling(PreTrainedTokenizerFast(tokenizer_object=words)).piece(0)
