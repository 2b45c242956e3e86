"""Recited shares and longest runs: of a model that knows by heart, one that knows nothing, and one in between."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from wellread.metrics.longest_recited import longest_recited_words
from wellread.metrics.recitation import byte_cuts, greedy_recited_share, probable_recited_share
from wellread.testing import Memorised, UniformBytes, evidence, prose
from wellread.types import Document, Measurement, Sample, Sampling, Scored

TRAIN, HELD_OUT = prose(400, 1), prose(400, 2)


class Scripted(UniformBytes):
    """Every byte is a token, known with certainty but for the places given, which have the probability given."""

    def __init__(self, doubtful: Sequence[int], probability: float) -> None:
        self.doubtful, self.probability = list(doubtful), probability
        self.windows: list[tuple[int | None, int | None]] = []

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        self.windows.append((length, stride))
        scores = []
        for text in texts:
            size = len(text.encode())
            logprobs: Any = np.zeros(size)
            greedy: Any = np.ones(size, bool)
            logprobs[[place for place in self.doubtful if place < size]] = math.log(self.probability)
            greedy[[place for place in self.doubtful if place < size]] = False
            edges: Any = np.arange(size + 1)
            scores.append(Scored(text, edges[:-1], edges[1:], logprobs, greedy))
        return scores


def by_key(rows: list[Measurement]) -> dict[tuple[str, str], Measurement]:
    return {(m.name.removeprefix("greedy_recited_share") or m.unit, m.split): m for m in rows}


def test_what_is_known_by_heart_is_recited_and_the_rest_is_not() -> None:
    rows = greedy_recited_share(evidence(Memorised(TRAIN), HELD_OUT, train=TRAIN))
    assert [m.split for m in rows] == ["train", "train", "held_out", "held_out"]
    values = {key: m.value for key, m in by_key(rows).items()}
    assert values == {
        ("share", "train"): 1,
        ("share", "held_out"): 0,
        ("_200_bytes", "train"): 1,
        ("_200_bytes", "held_out"): 0,
    }
    assert {m.better for m in rows} == {None}
    probable = probable_recited_share(evidence(Memorised(TRAIN), HELD_OUT, train=TRAIN))
    assert [(m.split, m.unit, m.value) for m in probable] == [
        ("train", "share with p >= 0.5", 1.0), ("train", "share with p >= 0.001", 1.0),
        ("held_out", "share with p >= 0.5", 0.0), ("held_out", "share with p >= 0.001", 0.0),
    ]  # fmt: skip


def test_spans_are_fifty_tokens_after_fifty_in_windows_of_a_hundred() -> None:
    model = Scripted([120], 0.4)
    rows = by_key(greedy_recited_share(evidence(model, "x" * 330)))
    share = rows["share", "held_out"]
    assert (share.n, share.value) == (5, 0.8)  # 50..99 to 250..299; what is left is no span
    assert (100, 50) in model.windows


def test_the_prefix_need_not_be_greedy() -> None:
    rows = by_key(greedy_recited_share(evidence(Scripted(range(50), 0.4), "x" * 330)))
    assert rows["share", "held_out"].value == 1


def test_probabilities_multiply_over_a_span() -> None:
    def shares(doubtful: Sequence[int]) -> list[float | None]:
        return [m.value for m in probable_recited_share(evidence(Scripted(doubtful, 0.6), "x" * 100))]

    assert shares([]) == [1, 1]
    assert shares([60]) == [1, 1]  # 0.6
    assert shares([60, 70]) == [0, 1]  # 0.36
    assert shares(range(50, 63)) == [0, 1]  # 0.6 ** 13 = 0.0013
    assert shares(range(50, 64)) == [0, 0]  # 0.6 ** 14 = 0.0008


def test_two_hundred_bytes_after_two_hundred_are_cut_before_a_space() -> None:
    text = " ".join(["né"] * 300)
    cuts = byte_cuts(Document("d", text))
    written = text.encode()
    assert cuts[:3] == [0, 203, 403]
    assert all(written[cut : cut + 1] in {b" ", b""} for cut in cuts[1:])
    assert all(200 <= end - begin <= 250 for begin, end in pairwise(cuts))


def test_without_spaces_the_cut_lies_between_characters() -> None:
    text = "中" * 200
    for cut in byte_cuts(Document("d", text)):
        text.encode()[:cut].decode()
    assert byte_cuts(Document("d", text))[1] == 201
    assert byte_cuts(Document("d", "short")) == [0]


def test_only_the_second_half_of_a_byte_span_counts() -> None:
    text = ("a" * 9 + " ") * 100
    spans = [m for m in greedy_recited_share(evidence(Scripted([5], 0.4), text)) if m.name.endswith("bytes")]
    assert [m.value for m in spans] == [1]
    spans = [m for m in greedy_recited_share(evidence(Scripted([250], 0.4), text)) if m.name.endswith("bytes")]
    assert [m.value for m in spans] == [0]


def test_documents_shorter_than_a_span_are_left_out_and_counted() -> None:
    rows = by_key(greedy_recited_share(evidence(Memorised(TRAIN), ["tiny", TRAIN])))
    assert rows["share", "held_out"].value == 1
    assert "1 of 2 documents are too short" in rows["share", "held_out"].note
    for m in greedy_recited_share(evidence(UniformBytes(), "tiny")):
        assert m.value is None
        assert "long enough" in m.note


def test_nothing_found_is_not_nothing_there() -> None:
    for text in (TRAIN, TRAIN[:150]):
        share = by_key(greedy_recited_share(evidence(UniformBytes(), text)))["share", "held_out"]
        assert share.value == 0
        assert (share.low, share.high) == (0, pytest.approx(1 - 0.025 ** (1 / share.n)))
        assert f"0 of {share.n} spans: exact interval" in share.note


def test_recited_shares_have_intervals_over_blocks() -> None:
    long = [prose(1500, seed) for seed in range(4)]
    [share, _] = greedy_recited_share(evidence(Memorised(long[0]), long))
    assert share.value == pytest.approx(0.25, abs=0.03)
    assert share.low is not None
    assert share.high is not None
    assert share.low < 0.25 < share.high
    assert share.interval_over == "blocks of 300 words"


def said(prompt: str, completion: str) -> Sample:
    return Sample(prompt, completion, Sampling(), 0)


def test_the_longest_run_and_its_place() -> None:
    words = TRAIN.split()
    samples = [
        said("Once", " there " + " ".join(words[10:13])),
        said("Then", " came " + " ".join(words[200:215]) + " again"),
    ]
    [m] = longest_recited_words(evidence(None, HELD_OUT, train=["other", TRAIN], samples=samples, subject="s"))
    assert (m.value, m.unit, m.subject) == (15, "words", "s")
    assert m.n == 4 + 17
    assert m.note.startswith('in "Chapter 2" (train): "' + words[200])
    assert words[211] + ' …"' in m.note


def test_what_the_prompt_brought_along_is_not_the_models() -> None:
    words = TRAIN.split()
    [m] = longest_recited_words(
        evidence(None, train=TRAIN, samples=[said(" ".join(words[:30]), " " + " ".join(words[30:36]) + " zzz")])
    )
    assert m.value == 6


def test_what_was_written_for_the_style_is_searched_too() -> None:
    words = TRAIN.split()
    [m] = longest_recited_words(
        evidence(None, train=TRAIN, samples=[said("a", " " + " ".join(words[:4]))],
                 passages=[said("b", " " + " ".join(words[20:41]))])
    )  # fmt: skip
    assert (m.value, m.n) == (21, 25)


def test_runs_of_nothing() -> None:
    [none] = longest_recited_words(evidence(None, train=TRAIN))
    assert (none.value, none.note) == (None, "the model wrote no samples")
    [zero] = longest_recited_words(evidence(None, train=TRAIN, samples=[said("a", " QQQQ WWWWW")]))
    assert zero.value == 0
    assert zero.note
