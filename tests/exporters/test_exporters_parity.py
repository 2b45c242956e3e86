"""Parity against numbers worked out by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from wellread.exporters.parity import LIMITS, Foreseen, Going, Passage, Texts, compare, part_of, whole

PASSAGE = Passage("ab", (0, 1))


def logs(*rows: tuple[float, ...]) -> np.ndarray:
    return np.log(np.array(rows, np.float32))


MINE = logs((0.5, 0.25, 0.25), (0.5, 0.4, 0.1))


def test_the_same_model_is_the_same() -> None:
    parity = compare([MINE], whole([MINE], [PASSAGE]), [PASSAGE], rounding="f32", part="held-out", spelled=[True])
    assert (parity.greedy, parity.near, parity.kl, parity.difference, parity.widest) == (1, 1, 0, 0, 0)
    assert parity.bits_before == pytest.approx(-(math.log2(0.5) + math.log2(0.4)) / 2)
    assert parity.holds


def test_divergence_and_choices_are_counted_by_token() -> None:
    other = logs((0.25, 0.5, 0.25), (0.5, 0.4, 0.1))
    parity = compare([MINE], whole([other], [PASSAGE]), [PASSAGE], rounding="q4_k_m", part="held-out")
    assert parity.greedy == 0.5
    assert parity.kl == pytest.approx((0.5 * math.log(2) + 0.25 * math.log(0.5)) / 2)
    assert parity.widest == pytest.approx(math.log(2))
    assert parity.bits_after - parity.bits_before == pytest.approx(0.5)
    assert parity.near == 1  # 0.7 nats are within the margin of q4_k_m
    assert not parity.holds
    assert "50.00%, or one within 1 nats of it: 100.00% (at least 90.0%)" in parity.lines()[1]
    finer = compare([MINE], whole([other], [PASSAGE]), [PASSAGE], rounding="q8_0", part="held-out")
    assert finer.near == 0.5


def test_of_the_likeliest_alone_the_rest_counts_as_one() -> None:
    other = logs((0.4, 0.3, 0.3), (0.5, 0.4, 0.1))
    top = Foreseen(np.sort(other)[:, :0:-1][:, :1], other[[0, 1], [0, 1]], np.array([[0], [0]]))
    parity = compare([MINE], [top], [PASSAGE], rounding="f32", part="held-out")
    assert parity.kl == pytest.approx((0.5 * math.log(0.5 / 0.4) + 0.5 * math.log(0.5 / 0.6)) / 2, rel=1e-5)


def test_other_token_ids_are_a_mismatch_whatever_is_foreseen() -> None:
    parity = compare(
        [MINE], whole([MINE], [PASSAGE]), [PASSAGE], rounding="f32", part="held-out", spelled=[True, False]
    )
    assert not parity.holds
    assert "1 of 2 texts" in parity.lines()[-1]


def test_rougher_roundings_are_allowed_more() -> None:
    order = [LIMITS[each] for each in ("float32", "f16", "q8_0", "q4_k_m")]
    assert all(
        a.margin < b.margin and a.near > b.near and a.kl < b.kl and a.bits < b.bits
        for a, b in itertools.pairwise(order)
    )


def going() -> Going:
    """Token 4, then 4 before 5 by 0.01 nats."""
    near = np.array([[4, 5, 6, 7], [4, 5, 6, 7]])
    return Going([4, 4], near, np.array([[-0.1, -3.0, -4.0, -5.0], [-1.0, -1.01, -2.0, -3.0]], np.float32))


@pytest.mark.parametrize(("off", "within"), [(0.006, True), (0.004, False)])
def test_a_text_parts_within_rounding_where_other_tokens_are_as_far_off(off: float, within: bool) -> None:
    """The two in question tell nothing of rounding: they differ, or the texts would not part."""
    told = {4: -2.0, 5: -1.0, 6: -2.0 + off, 7: -3.0, 99: -1.0}
    found = part_of(2, going(), [4, 5], lambda place: told)
    assert found is not None
    assert (found.text, found.token) == (2, 1)
    assert found.gap == pytest.approx(0.01, rel=1e-4)
    assert found.rounding == pytest.approx(off, rel=1e-3)
    assert found.within is within
    texts = Texts(8, 64, (found,))
    parity = compare([MINE], whole([MINE], [PASSAGE]), [PASSAGE], rounding="f32", part="held-out", written=texts)
    assert parity.holds is within
    *_, head, line = parity.lines()
    assert f"7 of 8 the same, {int(within)} parted within rounding, {int(not within)} beyond it" in head
    assert "text 3 parts after 1 tokens" in line
    assert parity.as_json()["written"]["parted"][0]["token"] == 1


def test_a_token_that_the_model_did_not_think_of_is_beyond_rounding_and_equal_texts_do_not_part() -> None:
    found = part_of(0, going(), [4, 77], lambda place: {4: -1.0, 5: -1.01, 6: -2.0, 7: -3.001})
    assert found is not None
    assert not found.within
    assert part_of(0, going(), [4], lambda place: {}) is None  # it ended there, and so did the model
