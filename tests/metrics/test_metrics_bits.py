"""Bits per byte and perplexity: known answers, parts, samples, and scores that are shared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from wellread.errors import ModelError, UnknownName
from wellread.metrics import EXTRACTION, METRICS, STYLE, YARDSTICKS, measure
from wellread.metrics.bits_per_byte import bits_per_byte
from wellread.metrics.perplexity import perplexity
from wellread.metrics.scores import beginning, measured
from wellread.metrics.tallies import BLOCKS, piece_starts, resampled
from wellread.recipe.questions import ANSWERED, FOUND, REPLIED
from wellread.testing import Memorised, UniformBytes, evidence, prose
from wellread.types import Evidence, Scored


class OneTokenAWord(UniformBytes):
    """Words with their spaces are tokens; the first letter's code says what each costs, in nats."""

    name = "words"
    tokenizer_name = "words of spaces"
    window = 512
    asked = 0

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        self.asked += 1
        scores = []
        for text in texts:
            words = text.split(" ")
            ends: Any = np.minimum(np.cumsum([len(w.encode()) + 1 for w in words]), len(text.encode()))
            logprobs: Any = np.array([-float(ord(w[0])) / 100 for w in words])
            flags: Any = np.zeros(len(words), bool)
            starts: Any = np.concatenate([[0], ends[:-1]])
            scores.append(Scored(text, starts, ends, logprobs, flags))
        return scores


@pytest.mark.parametrize("text", ["naïve", "🙂 emoji 🙂", "plain words", prose(1000)])
def test_uniform_model_needs_eight_bits_per_byte(text: str) -> None:
    [m] = bits_per_byte(evidence(UniformBytes(), text))
    assert m.value == pytest.approx(8.0)
    assert (m.split, m.n, m.unit, m.better) == ("held_out", len(text.encode()), "bits per byte", "lower")
    assert (m.low, m.high) == (None, None) or (m.low, m.high) == (pytest.approx(8), pytest.approx(8))


def test_bits_are_divided_by_the_bytes_of_the_text() -> None:
    [m] = bits_per_byte(evidence(OneTokenAWord(), "a é"))
    nats = (ord("a") + ord("é")) / 100
    assert m.value == pytest.approx(nats / math.log(2) / 4)


def test_every_part_with_text_is_measured_held_out_first() -> None:
    rows = bits_per_byte(evidence(UniformBytes(), "held", train="train", validation=["valid", "  \n"]))
    assert [(m.split, m.n) for m in rows] == [("held_out", 4), ("validation", 5), ("train", 5)]


def test_perplexity_is_exp_of_the_mean_loss_and_names_the_tokenizer() -> None:
    [m] = perplexity(evidence(OneTokenAWord(), ["a b", "c"]))
    assert m.value == pytest.approx(math.exp((97 + 98 + 99) / 300))
    assert m.n == 3
    assert "tokenizer: words of spaces" in m.note
    assert "windows of 512 tokens" in m.note


class Diverged(UniformBytes):
    """Its losses are beyond what exp can take, or no numbers at all."""

    def __init__(self, logprob: float) -> None:
        self.logprob = logprob

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        return [replace(each, logprobs=[self.logprob] * len(each.starts)) for each in super().score(texts)]


@pytest.mark.parametrize("logprob", [-1000.0, math.nan])
def test_a_diverged_model_has_no_perplexity_and_says_why(logprob: float) -> None:
    [m] = perplexity(evidence(Diverged(logprob), "text"))
    assert m.value is None
    assert "diverged" in m.note


def test_metrics_of_one_subject_share_its_scores() -> None:
    model = OneTokenAWord()
    measure(evidence(model, "a b c", train="d e"), ["bits_per_byte", "perplexity"])
    assert model.asked == 2  # once a part


def test_two_subjects_never_share_scores() -> None:
    cache: dict[Any, Any] = {}
    [one] = bits_per_byte(evidence(UniformBytes(), "text", cache=cache))
    [other] = bits_per_byte(evidence(Memorised("text"), "text", cache=cache))
    assert one.value == pytest.approx(8)
    assert other.value == pytest.approx(-math.log2(0.999))


def test_many_documents_are_tallied_whole_and_few_by_thirty_words() -> None:
    [many] = bits_per_byte(evidence(OneTokenAWord(), [prose(40, seed) for seed in range(10)]))
    assert [t.unit for t in many.tallies] == [f"held_out-{n}" for n in range(1, 11)]
    assert many.interval_over == "chapters"
    assert many.low is not None
    assert many.value is not None
    assert many.low < many.value < (many.high or 0)
    [few] = bits_per_byte(evidence(OneTokenAWord(), [prose(700, seed) for seed in range(2)]))
    assert few.interval_over == BLOCKS
    assert [t.unit for t in few.tallies][:2] == ["held_out-1#0", "held_out-1#1"]
    assert len(few.tallies) == 2 * 24
    for m in (many, few):
        total = sum(t.numerator for t in m.tallies) / sum(t.denominator for t in m.tallies)
        assert m.value == pytest.approx(total)
        assert sum(t.denominator for t in m.tallies) == m.n


@pytest.mark.parametrize(
    ("kinds", "over"), [("chapter", "chapters"), ("passage", "passages"), ("passage chapter", "documents")]
)
def test_passages_are_not_called_chapters(kinds: str, over: str) -> None:
    each = cycle(kinds.split())
    gathered = evidence(None, [prose(40, seed) for seed in range(10)])
    assert resampled([replace(d, metadata={"kind": next(each)}) for d in gathered.corpus.documents]) == over


def test_a_text_of_one_block_has_no_interval_and_says_so() -> None:
    [m] = bits_per_byte(evidence(OneTokenAWord(), prose(200)))
    assert (m.low, m.high, m.interval_over) == (None, None, "")
    assert "no interval" in m.note


def test_pieces_begin_every_thirty_words_at_a_byte() -> None:
    text = "  " + " ".join(["né"] * 70)
    starts = piece_starts(text).tolist()
    assert starts == [0, 2 + 30 * 4, 2 + 60 * 4]
    assert piece_starts("one").tolist() == [0]


def test_a_sample_takes_whole_chapters_spread_over_the_part() -> None:
    gathered = evidence(None, [prose(100, seed) for seed in range(32)], quick_words=800)
    sample = measured(gathered, "held_out")
    places = [int(document.id.rpartition("-")[2]) for document in sample.documents]
    assert places == list(range(1, 33, 4))
    assert sample.note == "a sample: 800 of 3,200 words, from 8 of 32 documents"
    assert measured(gathered, "held_out") == sample
    assert all(document in gathered.corpus.documents for document in sample.documents)


def test_a_sample_of_long_chapters_takes_their_beginnings_up_to_a_paragraph() -> None:
    texts = [prose(3000, seed) for seed in range(3)]
    sample = measured(evidence(None, texts, quick_words=600), "held_out")
    assert len(sample.documents) == 3
    for document, text in zip(sample.documents, texts, strict=True):
        assert text.startswith(document.text + "\n")
        assert 100 < len(document.text.split()) <= 200
    assert sample.note.endswith("from 3 of 3 documents, 3 of them by their beginnings")


def test_a_sample_of_one_long_and_some_short_chapters_meets_its_size() -> None:
    texts = [prose(100, 1), prose(5000, 2), prose(100, 3)]
    sample = measured(evidence(None, texts, quick_words=1000), "held_out")
    assert len(sample.documents) == 3
    assert 800 <= sum(len(document.text.split()) for document in sample.documents) <= 1000


def test_a_small_part_is_measured_whole() -> None:
    sample = measured(evidence(None, ["a b c"], quick_words=500), "held_out")
    assert (sample.note, sample.documents[0].text) == ("", "a b c")


def test_a_beginning_ends_with_a_paragraph_else_with_a_word() -> None:
    assert beginning("one two three\nfour five six", 4) == "one two three"
    assert beginning("one two three\nfour five six", 3) == "one two three"
    assert beginning("one\ntwo three four five", 4) == "one\ntwo three four"
    assert beginning("one two", 9) == "one two"


def test_the_quick_note_is_on_the_measurement() -> None:
    [m] = bits_per_byte(evidence(UniformBytes(), [prose(300)] * 3, quick_words=300))
    assert "a sample: 300 of 900 words" in m.note


class Mute(UniformBytes):
    name = "mute"

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        raise ModelError("mute cannot score.")


def test_what_a_model_cannot_do_is_a_row_with_the_reason() -> None:
    rows = measure(evidence(Mute(), "text"))
    unasked = (*YARDSTICKS, *ANSWERED, *REPLIED, *FOUND, *EXTRACTION)
    assert {m.name for m in rows} == {name for name in METRICS if name not in unasked}
    assert all(m.value is None and m.note and m.subject == "mute" for m in rows)
    writing = ("longest_recited_words", "recited_coverage", *STYLE)
    assert {m.note for m in rows if m.name not in writing} == {"mute cannot score."}


def test_no_model_and_no_text_are_reasons_too() -> None:
    [m] = measure(evidence(None, "text"), ["bits_per_byte"])
    assert (m.value, m.note) == (None, "no model was given to measure.")
    for m in measure(evidence(UniformBytes()), list(METRICS)):
        assert m.value is None
        assert m.note


def test_metrics_come_in_the_order_asked_and_unknown_ones_are_named() -> None:
    told: list[str] = []
    gathered: Evidence = evidence(UniformBytes(), "text", progress=told.append)
    assert [m.name for m in measure(gathered, ["perplexity", "bits_per_byte"])] == ["perplexity", "bits_per_byte"]
    assert told == ["measuring perplexity", "measuring bits_per_byte"]
    with pytest.raises(UnknownName, match="did you mean 'perplexity'"):
        measure(gathered, ["perplexit"])
