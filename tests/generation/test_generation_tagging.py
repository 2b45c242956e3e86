"""The encoder baseline: which words an answer is from, how marked words are read, and that a classifier learns to mark."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread.errors import ModelError
from wellread.generation import tagging
from wellread.generation.tagging import Tagger, marked, read_marks
from wellread.recipe.extraction import Coordinates, Patterns
from wellread.testing import byte_tokenizer

WHERE = Coordinates(start=("song", "from"), end=("song", "to"))
PATTERNS = Patterns(words={"fifth": 5, "three": 3}, same={"to": "from"}, defaults={"from": 1, "to": -1})
NONE, SONG, FROM, TO = range(4)


@pytest.mark.parametrize(
    ("text", "items", "marks"),
    [
        ("see V , 3 – 4 .", [(5, 3, 4)], [NONE, SONG, NONE, FROM, NONE, TO, NONE]),
        ("line three of the fifth song", [(5, 3, 3)], [NONE, FROM, NONE, NONE, SONG, NONE]),
        ("all of V", [(5, 1, -1)], [NONE, NONE, SONG]),
        ("IV , 1 and 9", [(4, 1, 1), (4, 9, 9)], [SONG, NONE, NONE, NONE, FROM]),  # 1 is what `from` is by default
        (
            "XI , 2 ; 5 kilos ; IV , 5 – 6",
            [(11, 2, 2), (4, 5, 6)],
            [SONG, NONE, FROM, NONE, NONE, NONE, NONE, SONG, NONE, FROM, NONE, TO],
        ),
        ("nothing", [(5, 3, 4)], [NONE]),
    ],
)
def test_the_nearest_words_that_say_the_values_are_marked(
    text: str, items: list[tuple[int, int, int]], marks: list[int]
) -> None:
    wanted = [dict(zip(("song", "from", "to"), item, strict=True)) for item in items]
    assert marked(text, wanted, WHERE, PATTERNS) == marks


def test_marks_are_read_in_order_and_a_field_that_comes_again_begins_anew() -> None:
    text = "V , 3 – 4 , then 6 ; XI"
    marks = [SONG, NONE, FROM, NONE, TO, NONE, NONE, FROM, NONE, SONG]
    assert read_marks(text, marks, WHERE, PATTERNS) == [
        {"from": 3, "to": 4, "song": 5}, {"from": 6, "to": 6, "song": 11},
    ]  # fmt: skip
    assert read_marks("V 3 ; 6", [SONG, FROM, NONE, FROM], WHERE, PATTERNS) == [
        {"from": 3, "to": 3, "song": 5}, {"from": 6, "to": 6, "song": 5},
    ]  # fmt: skip
    assert read_marks("a b", [NONE, FROM], WHERE, PATTERNS) == []


def encoder(folder: Path) -> Path:
    import torch
    from transformers import BertConfig, BertForMaskedLM

    byte_tokenizer(folder, ["line three of the fifth song V , 3"] * 9, vocabulary=300)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=300, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    BertForMaskedLM(config).save_pretrained(folder)
    return folder


def test_a_classifier_learns_to_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagging, "RATE", 2e-2)
    rows = [(f"at V , {n} it", [{"song": 5, "from": n, "to": n}]) for n in range(2, 10)] + [("at noon , it", [])] * 4
    tagger = Tagger(str(encoder(tmp_path / "bert")), WHERE, PATTERNS, seed=0, offline=True)
    tagger.fit(rows)
    found = tagger.find([text for text, _ in rows])
    assert sum(mine == items for mine, (_, items) in zip(found, rows, strict=True)) >= 10


def test_what_is_no_encoder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no encoder that transformers can load"):
        Tagger(str(tmp_path), WHERE, PATTERNS, seed=0, offline=True)
