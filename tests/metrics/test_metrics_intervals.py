"""Intervals: what they cover, over what they are, and differences that are paired."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from wellread.metrics.intervals import _student, difference, exact, with_interval
from wellread.metrics.tallies import BLOCKS
from wellread.types import Measurement, Tally


def measurement(
    numerators: list[float], denominators: list[float] | None = None, *, over: str = "chapters", subject: str = "a",
    name: str = "bits_per_byte",
) -> Measurement:  # fmt: skip
    denominators = denominators or [1.0] * len(numerators)
    unit = "d#{}" if over == BLOCKS else "chapter {}"
    tallies = tuple(Tally(unit.format(i), n, d) for i, (n, d) in enumerate(zip(numerators, denominators, strict=True)))
    value = sum(numerators) / sum(denominators)
    value = math.exp(value) if name == "perplexity" else value
    return Measurement(name, value, "u", subject, "held_out", interval_over=over, tallies=tallies)


@pytest.mark.parametrize("chapters", [10, 40])
def test_the_interval_over_chapters_covers_the_truth_95_times_in_100(chapters: int) -> None:
    rng = np.random.default_rng(1)
    covered, trials = 0, 300
    for _ in range(trials):
        sizes = rng.integers(500, 2000, chapters).astype(float)
        bits = sizes * rng.normal(1.5, 0.2, chapters)
        m = with_interval(measurement(bits.tolist(), sizes.tolist()))
        assert m.low is not None
        assert m.high is not None
        covered += m.low <= 1.5 <= m.high
    assert 0.92 <= covered / trials <= 0.98


def test_the_interval_over_blocks_covers_what_neighbours_share() -> None:
    """Pieces that resemble their neighbours: resampled one by one they would seem far surer than they are."""
    rng = np.random.default_rng(2)
    covered, alone, trials = 0, 0, 100
    for _ in range(trials):
        noise = rng.normal(0, 0.3, 253)
        pieces = 1.5 + np.convolve(noise, np.ones(4), "valid")
        m = with_interval(measurement(pieces.tolist(), over=BLOCKS))
        single = with_interval(measurement(pieces.tolist()))
        assert m.low is not None
        assert m.high is not None
        assert single.low is not None
        assert single.high is not None
        covered += m.low <= 1.5 <= m.high
        alone += single.low <= 1.5 <= single.high
    assert 0.91 <= covered / trials <= 0.99
    assert alone / trials < 0.75


def test_a_ratio_that_is_the_same_everywhere_has_no_interval_and_says_why() -> None:
    """An interval of no width would claim that nothing else can be."""
    m = with_interval(measurement([0.2, 0.4, 0.6] * 5, [0.1, 0.2, 0.3] * 5))
    assert (m.value, m.low, m.high, m.interval_over) == (pytest.approx(2), None, None, "chapters")
    assert m.note == "no interval: all chapters have the same value, so that resampling shows no spread"


def test_what_is_the_same_everywhere_still_pairs_with_what_is_not() -> None:
    some = with_interval(measurement([0.0, 1.0] * 6))
    gap = difference(some, with_interval(measurement([1.0] * 12, subject="b")))
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low < -0.5 < gap.high < 0


def test_two_that_differ_by_the_same_everywhere_have_no_interval_and_say_why() -> None:
    values = np.random.default_rng(8).normal(2, 0.5, 12)
    base = with_interval(measurement(values.tolist(), subject="base"))
    for gap, by in ((difference(with_interval(measurement((values + by).tolist())), base), by) for by in (0.0, 0.1)):
        assert (gap.value, gap.low, gap.high) == (pytest.approx(by), None, None)
        assert gap.note == "no interval: all chapters differ by the same, so that resampling shows no spread"


def test_the_interval_narrows_as_chapters_grow() -> None:
    rng = np.random.default_rng(3)
    widths = []
    for chapters in (20, 320):
        m = with_interval(measurement(rng.normal(2, 0.5, chapters).tolist()))
        assert m.low is not None
        assert m.high is not None
        widths.append(m.high - m.low)
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.4)


def test_the_same_seed_gives_the_same_interval() -> None:
    m = measurement(np.random.default_rng(0).normal(2, 1, 20).tolist())
    assert with_interval(m, seed=7) == with_interval(m, seed=7)
    assert with_interval(m, seed=7).low != with_interval(m, seed=8).low


def test_blocks_never_leave_their_document() -> None:
    """Two documents of ten equal pieces each: a block is one of them, so any draw of two is a mean of two."""
    tallies = tuple(
        Tally(f"{name}#{i}", value, 1.0) for name, value in (("low", 1.0), ("high", 3.0)) for i in range(10)
    )
    m = with_interval(Measurement("bits_per_byte", 2.0, interval_over=BLOCKS, tallies=tallies))
    assert (m.low, m.high) == (1.0, 3.0)


def test_what_cannot_have_an_interval_says_why() -> None:
    short = with_interval(measurement([1.0] * 14, over=BLOCKS))
    assert (short.low, short.interval_over) == (None, "")
    assert "fewer than 2 blocks of 300 words" in short.note
    untold = Measurement("x", None, note="no model", interval_over="chapters")
    assert with_interval(untold) == replace(untold, interval_over="")


def test_perplexity_is_resampled_on_its_own_scale() -> None:
    rng = np.random.default_rng(4)
    losses = rng.normal(3, 0.3, 30).tolist()
    bits = with_interval(measurement(losses))
    perplexity = with_interval(measurement(losses, name="perplexity"))
    assert bits.low is not None
    assert perplexity.low == pytest.approx(math.exp(bits.low), rel=1e-3)


def test_a_paired_difference_is_surer_than_its_two_sides() -> None:
    rng = np.random.default_rng(5)
    hard = rng.normal(2, 0.5, 30)
    base = with_interval(measurement(hard.tolist(), subject="base"))
    trained = with_interval(measurement((hard - 0.1 + rng.normal(0, 0.02, 30)).tolist(), subject="tuned"))
    assert trained.high is not None
    assert base.low is not None
    assert trained.high > base.low
    gap = difference(trained, base)
    assert gap.value == pytest.approx(-0.1, abs=0.02)
    assert gap.low is not None
    assert gap.high is not None
    assert -0.13 < gap.low < gap.high < -0.07
    assert (gap.subject, gap.split, gap.interval_over, gap.tallies) == ("tuned - base", "held_out", "chapters", ())


def test_the_paired_interval_covers_the_true_difference() -> None:
    rng = np.random.default_rng(6)
    covered, trials = 0, 300
    for _ in range(trials):
        hard = rng.normal(2, 0.5, 15)
        base = measurement(hard.tolist(), subject="base")
        gap = difference(measurement((hard + rng.normal(-0.1, 0.1, 15)).tolist()), base)
        assert gap.low is not None
        assert gap.high is not None
        covered += gap.low <= -0.1 <= gap.high
    assert 0.91 <= covered / trials <= 0.99


def test_different_text_is_subtracted_without_an_interval() -> None:
    gap = difference(with_interval(measurement([1.0] * 12)), with_interval(measurement([2.0] * 11, subject="b")))
    assert (gap.value, gap.low, gap.high) == (-1.0, None, None)
    assert "different text" in gap.note


def test_what_was_not_measured_is_not_subtracted() -> None:
    missing = Measurement("bits_per_byte", None, subject="b", note="mute")
    gap = difference(with_interval(measurement([1.0] * 12)), missing)
    assert gap.value is None
    assert gap.note


def test_perplexities_of_two_tokenizers_are_not_subtracted() -> None:
    one = with_interval(measurement([3.0] * 12, name="perplexity"))
    other = with_interval(measurement([3.0] * 12, [2.0] * 12, name="perplexity", subject="b"))
    gap = difference(one, other)
    assert gap.value is None
    assert "tokenizers" in gap.note


def test_two_units_or_two_splits_are_a_mistake() -> None:
    one = measurement([1.0] * 12)
    for other in (replace(one, unit="other"), replace(one, split="train")):
        with pytest.raises(ValueError, match="less"):
            difference(one, other)


@pytest.mark.parametrize(("freedom", "quantile"), [(5, 2.571), (9, 2.262), (30, 2.042), (1000, 1.962)])
def test_student_quantiles_are_those_of_the_tables(freedom: int, quantile: float) -> None:
    assert _student(0.975, freedom) == pytest.approx(quantile, abs=0.005)


def share(found: float, terms: int, *, subject: str = "a", over: str = "terms") -> Measurement:
    """Two answers to each term, all of them right or none."""
    return replace(measurement([2 * found] * terms, [2.0] * terms, subject=subject, over=over), unit="share")


def test_exact_intervals_are_those_of_clopper_and_pearson() -> None:
    """As R's binom.test has them."""
    assert exact(0, 10) == (0, pytest.approx(0.3084971, abs=1e-6))
    assert exact(10, 10) == (pytest.approx(0.6915029, abs=1e-6), 1)
    assert exact(0, 1000) == (0, pytest.approx(0.0036821, abs=1e-6))


def test_a_share_of_nothing_and_of_everything_has_an_interval_with_a_width() -> None:
    none, all_of = with_interval(share(0, 10)), with_interval(share(1, 10))
    assert (none.value, none.low, none.high) == (0, 0, pytest.approx(0.3084971, abs=1e-6))
    assert (all_of.value, all_of.low, all_of.high) == (1, pytest.approx(0.6915029, abs=1e-6), 1)
    assert none.note == "0 of 10 terms: exact interval (Clopper-Pearson), were they independent"
    assert all_of.note.startswith("10 of 10 terms: exact")
    assert with_interval(share(0, 10), trials=(1000, "spans")).high == pytest.approx(0.0036821, abs=1e-6)
    assert with_interval(share(0, 400, over=BLOCKS)).high == pytest.approx(1 - 0.025 ** (1 / 40))


def test_units_that_count_nothing_are_no_trials() -> None:
    m = replace(measurement([0.0] * 12, [1.0] * 10 + [0.0] * 2, over="passages"), unit="share")
    assert with_interval(m).high == pytest.approx(0.3084971, abs=1e-6)


def test_what_is_no_share_has_no_exact_interval() -> None:
    assert with_interval(measurement([0.0] * 10)).low is None


def test_the_difference_of_two_shares_of_nothing_or_everything_has_a_width() -> None:
    none, all_of = with_interval(share(0, 10, subject="base")), with_interval(share(1, 10))
    still_none = difference(with_interval(share(0, 10)), none)
    ends = (still_none.low, still_none.high)
    assert (still_none.value, *ends) == (0, pytest.approx(-0.3085, abs=1e-4), pytest.approx(0.3085, abs=1e-4))
    learned = difference(all_of, none)
    assert (learned.value, learned.low, learned.high) == (1, pytest.approx(0.6915 - 0.3085, abs=1e-3), 1)
    some = replace(measurement([2.0] * 3 + [0.0] * 7, [2.0] * 10, over="terms", subject="base"), unit="share")
    lost = difference(with_interval(share(0, 10)), with_interval(some))
    assert lost.value == pytest.approx(-0.3)
    assert lost.low is not None
    assert lost.low < -0.3
