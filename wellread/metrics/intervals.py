"""95 % bootstrap intervals of ratios, exact ones of shares of nothing or all, and the paired difference of two subjects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from wellread.metrics.tallies import BLOCKS, PIECE_WORDS
from wellread.types import Measurement, Tally

RESAMPLES = 2000
LEVEL = 0.95
_BLOCK = 300 // PIECE_WORDS
_AT_ONCE = 2_000_000
_EXPONENTIAL = frozenset({"perplexity"})
"""Measurements that are exp of their ratio."""


def with_interval(measurement: Measurement, *, seed: int = 0, trials: tuple[int, str] | None = None) -> Measurement:
    """The measurement with `low` and `high`, from its tallies; `interval_over` says what they are.

    A percentile bootstrap of sum(numerators) / sum(denominators), 2,000 resamples. Of documents as many are drawn as
    there are; of `blocks of 300 words` as many as the text holds, each ten neighbouring pieces of one document. At a
    document's end a block goes on at its beginning, so that every piece weighs the same (circular blocks: Politis and
    Romano 1992). Percentiles are widened for few units, or 10 of them would cover 90 % (Hesterberg 2015, 1411.5279).
    With fewer than two units there is no interval, nor where all are the same: resampled they are always that, which says
    nothing of others. The note says so. What is the same everywhere keeps its `interval_over`, for differences to others.

    A share of which nothing was found, or everything, is resampled to itself; its interval is the exact one of so many
    independent `trials` (how many, of what; by default the units that are resampled), and the note says so.
    """
    if measurement.value is None or not measurement.tallies:
        return replace(measurement, interval_over="")
    sums, draws = _pool(measurement.tallies, measurement.interval_over)
    if _extreme(measurement):
        counted = sum(each.denominator > 0 for each in measurement.tallies)
        n, things = trials or (max(1, min(draws, counted)), measurement.interval_over)
        found = n if measurement.value else 0
        low, high = exact(found, n)
        said = f"{found:,} of {n:,} {things}: exact interval (Clopper-Pearson), were they independent"
        return replace(measurement, low=low, high=high, note="; ".join(filter(None, (measurement.note, said))))
    if draws < 2:
        short = f"no interval: the text has fewer than 2 {measurement.interval_over}"
        return replace(measurement, interval_over="", note="; ".join(filter(None, (measurement.note, short))))
    values = _transformed(measurement.name, _resample([sums], draws, seed)[0])
    if _same(values):
        alike = _alike("have the same value", measurement.interval_over)
        return replace(measurement, note="; ".join(filter(None, (measurement.note, alike))))
    low, high = _percentiles(values, draws)
    return replace(measurement, low=low, high=high)


def exact(found: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a share of which all of `n` independent trials were found, or none (Clopper and Pearson
    1934, Biometrika 26: 404). Its open end lies where so one-sided a result has a chance of 2.5 %: of 0 in 10, at 0.308.
    """
    bound = ((1 - LEVEL) / 2) ** (1 / n)
    return (0.0, 1 - bound) if found == 0 else (bound, 1.0)


def difference(trained: Measurement, base: Measurement, *, seed: int = 0) -> Measurement:
    """`trained` less `base`, subject "trained - base", with the interval of a paired bootstrap.

    Both are resampled alike, so that what makes a chapter easy for both does not widen the interval. Where the two
    were not tallied over the same units the difference stands without an interval, and the note says why. Where both are
    shares of nothing or of everything, the interval runs between the ends of their exact ones; where else they differ by the
    same in every unit, there is none. Raises ValueError where the two do not count the same unit of the same split.
    """
    result = replace(
        trained,
        value=None,
        low=None,
        high=None,
        subject=f"{trained.subject} - {base.subject}",
        interval_over="",
        tallies=(),
        note="one of the two was not measured",
    )
    if trained.value is None or base.value is None:
        return result
    if (trained.unit, trained.split) != (base.unit, base.split):
        raise ValueError(f"{trained.name}, {trained.unit}, {trained.split} less {base.name}, {base.unit}, {base.split}")
    result = replace(result, value=trained.value - base.value, note="")
    why = _unpaired(trained, base)
    if why:
        keep = trained.name not in _EXPONENTIAL
        return replace(result, value=result.value if keep else None, note=why)
    pools = [_pool(each.tallies, each.interval_over) for each in (trained, base)]
    draws = pools[0][1]
    if draws < 2:
        return replace(result, note=f"no interval: the text has fewer than 2 {trained.interval_over}")
    if _extreme(trained) and _extreme(base):
        if trained.low is None or trained.high is None or base.low is None or base.high is None:
            return replace(result, note="no interval: one of the two has none")
        low, high = trained.low - base.high, trained.high - base.low
        return replace(
            result, low=low, high=high, interval_over=trained.interval_over, note="from their exact intervals"
        )
    ours, theirs = _resample([sums for sums, _ in pools], draws, seed)
    gaps = _transformed(trained.name, ours) - _transformed(base.name, theirs)
    if _same(gaps):
        return replace(result, note=_alike("differ by the same", trained.interval_over))
    low, high = _percentiles(gaps, draws)
    return replace(result, low=low, high=high, interval_over=trained.interval_over)


def resampled_alike(
    several: Sequence[Sequence[Tally]], over: str, *, seed: int = 0
) -> list[NDArray[np.float64]] | None:
    """Of every one of some measurements, tallied over the same units, its ratio in each of 2,000 resamples that are the
    same for all. None where there are fewer than two units."""
    pools = [_pool(tallies, over) for tallies in several]
    draws = pools[0][1]
    return _resample([sums for sums, _ in pools], draws, seed) if draws >= 2 else None


def _extreme(measurement: Measurement) -> bool:
    """Whether it is a share of which nothing was found, or everything."""
    if not measurement.unit.startswith("share"):
        return False
    nothing = not any(each.numerator for each in measurement.tallies)
    return nothing or all(each.numerator == each.denominator for each in measurement.tallies)


def _unpaired(trained: Measurement, base: Measurement) -> str:
    """Why the two cannot be paired; empty where they can."""
    if not trained.tallies or not base.tallies:
        return "no interval: one of the two has no tallies"
    ours, theirs = ([(t.unit, t.denominator) for t in each.tallies] for each in (trained, base))
    if [unit for unit, _ in ours] != [unit for unit, _ in theirs]:
        return "no interval: the two were measured on different text"
    if trained.name in _EXPONENTIAL and ours != theirs:
        return "the two have different tokenizers: their perplexities do not compare"
    if not trained.interval_over or trained.interval_over != base.interval_over:
        return "no interval: one of the two has none"
    return ""


def _pool(tallies: Sequence[Tally], over: str) -> tuple[NDArray[np.float64], int]:
    """What is drawn from, as (2, units): numerators and denominators; and how many are drawn."""
    sums = np.array([[each.numerator for each in tallies], [each.denominator for each in tallies]])
    if over != BLOCKS:
        return sums, len(tallies)
    documents: dict[str, list[int]] = {}
    for place, each in enumerate(tallies):
        documents.setdefault(each.unit.rpartition("#")[0], []).append(place)
    blocks = []
    for places in documents.values():
        ring = (np.arange(len(places))[:, None] + np.arange(_BLOCK)) % len(places)
        blocks.append(sums[:, np.array(places)[ring]].sum(-1))
    return np.concatenate(blocks, axis=1), round(len(tallies) / _BLOCK)


def _resample(pools: Sequence[NDArray[np.float64]], draws: int, seed: int) -> list[NDArray[np.float64]]:
    """For each pool 2,000 ratios of what was drawn, all pools drawn alike. A draw without a denominator is left out."""
    rng = np.random.default_rng(seed)
    ratios: list[list[NDArray[np.float64]]] = [[] for _ in pools]
    done, most = 0, max(1, _AT_ONCE // draws)
    while done < RESAMPLES:
        chosen = rng.integers(pools[0].shape[1], size=(min(most, RESAMPLES - done), draws))
        totals = [[np.take(row, chosen).sum(1) for row in pool] for pool in pools]
        whole = np.all([denominators > 0 for _, denominators in totals], axis=0)
        for found, (numerators, denominators) in zip(ratios, totals, strict=True):
            found.append(numerators[whole] / denominators[whole])
        done += len(chosen)
    return [np.concatenate(found) for found in ratios]


def _percentiles(values: NDArray[np.float64], units: int) -> tuple[float, float]:
    normal = NormalDist()
    tail = normal.cdf(-((units / (units - 1)) ** 0.5) * _student(1 - (1 - LEVEL) / 2, units - 1))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _same(values: NDArray[np.float64]) -> bool:
    """Whether resamples are all one value, but for how floats are rounded."""
    return bool(np.ptp(values) <= 1e-9 * max(1.0, float(np.abs(values).max())))


def _alike(what: str, over: str) -> str:
    return f"no interval: all {over} {what}, so that resampling shows no spread"


def _student(share: float, freedom: int) -> float:
    """The quantile of Student's t, by its expansion about the normal one (Abramowitz and Stegun 26.7.5)."""
    z = NormalDist().inv_cdf(share)
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, 1))


def _transformed(name: str, ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(ratios) if name in _EXPONENTIAL else ratios
