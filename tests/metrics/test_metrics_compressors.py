"""The yardsticks: what compressors need, beside what their programs give."""

from __future__ import annotations

import lzma
from typing import Any

import pytest

from wellread.metrics import measure, measure_yardsticks
from wellread.metrics.compressors import ppmd_bits_per_byte, xz_bits_per_byte
from wellread.testing import UniformBytes, evidence, prose

TRAIN = [prose(600, seed) for seed in range(3)]
NEW = prose(600, 9)


def test_yardsticks_are_rows_of_their_own_subjects() -> None:
    rows = measure_yardsticks(evidence(None, NEW, train=TRAIN, validation=TRAIN[0][:500]))
    assert [(m.name, m.subject, m.split) for m in rows] == [
        ("ppmd_bits_per_byte", "ppmd", "held_out"), ("ppmd_bits_per_byte", "ppmd", "validation"),
        ("xz_bits_per_byte", "xz", "held_out"), ("xz_bits_per_byte", "xz", "validation"),
    ]  # fmt: skip
    assert all(m.unit == "bits per byte" and m.better == "lower" for m in rows)
    assert rows[0].n == len(NEW.encode())


@pytest.mark.parametrize("metric", [ppmd_bits_per_byte, xz_bits_per_byte])
def test_what_was_read_before_is_cheap(metric: Any) -> None:
    [known] = metric(evidence(None, TRAIN[1], train=TRAIN))
    [unknown] = metric(evidence(None, NEW, train=TRAIN))
    [unprimed] = metric(evidence(None, TRAIN[1]))
    assert known.value < 0.4
    assert 1.5 < unknown.value < 8
    assert unprimed.value > 3 * known.value


def test_ppmd_agrees_with_the_size_of_what_the_package_compresses() -> None:
    import pyppmd

    [m] = ppmd_bits_per_byte(evidence(None, NEW, train=TRAIN))
    before = "".join(text + "\n\n" for text in TRAIN).encode()

    def size(data: bytes) -> int:
        return len(pyppmd.compress(data, max_order=8, mem_size=256 << 20, variant="I"))

    expected = 8 * (size(before + NEW.encode()) - size(before)) / len(NEW.encode())
    assert m.value == pytest.approx(expected, abs=8 * 8 / len(NEW.encode()))


def test_tallies_of_ppmd_are_those_of_a_model_on_the_same_text() -> None:
    for texts in ([NEW], [prose(60, seed) for seed in range(12)]):
        gathered = evidence(UniformBytes(), texts, train=TRAIN)
        [ppmd] = ppmd_bits_per_byte(gathered)
        [model] = measure(gathered, ["bits_per_byte"])[:1]
        assert [(t.unit, t.denominator) for t in ppmd.tallies] == [(t.unit, t.denominator) for t in model.tallies]


def test_xz_is_the_difference_of_two_sizes() -> None:
    [m] = xz_bits_per_byte(evidence(None, NEW, train=TRAIN))
    before = "".join(text + "\n\n" for text in TRAIN).encode()
    sizes = [len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)) for data in (before + NEW.encode(), before)]
    assert m.value == pytest.approx(8 * (sizes[0] - sizes[1]) / len(NEW.encode()), abs=0.02)
    assert m.low is None
    assert "no interval" in m.note


def test_a_sample_is_what_the_models_are_given() -> None:
    [m] = xz_bits_per_byte(evidence(None, [prose(100, seed) for seed in range(20)], train=TRAIN, quick_words=500))
    assert "a sample: 500 of 2,000 words" in m.note
