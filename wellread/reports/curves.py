"""A training log in, the geometry of the loss curves out; certificate_charts.html draws it as inline SVG.

Places are percentages of the plot, and lines run in a square of 1,000 units that stretches with it: a chart fills a
phone as well as a page, while its type keeps the size, the face and the colours of the text around it, light, dark or
printed. A plotting library draws at one size and brings its own type; for two charts of this kind it would be 30 MB of
dependency for a picture that reads aloud worse. That is why these are made by hand.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wellread.reports.reading import LogRow
from wellread.reports.wording import short_tokens, stopped_words

RAW_POINTS = 600
"""A longer log is thinned to about this many points: a screen shows no more."""
SMOOTH_SHARE = 0.04
"""Width of the smoothing window, as a share of the log."""


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    """Per cent from the left, or from the top."""
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What a view counts along."""

    key: str
    title: str
    place: Callable[[LogRow], float]
    label: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Curve:
    """One view of the losses; every path is in the plot's square of 1,000 by 1,000."""

    key: str
    x_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    raw: str
    smooth: str
    validation: str
    points: tuple[tuple[float, float], ...]
    """Validation measurements, in per cent from left and top; that of the average of late weights is off the line."""
    marked: tuple[float, float] | None
    """The weights that were kept, likewise."""


@dataclass(frozen=True, slots=True)
class Curves:
    title: str
    """The stage's name, where there are several."""
    views: tuple[Curve, ...]
    """By tokens and by minutes."""
    told: str
    """The same in a sentence or two."""
    marked_label: str
    averaged: bool
    """Whether one of the validation measurements is that of the average of the late weights."""


def curves(log: Sequence[LogRow], *, title: str = "", unit: str = "chapter") -> Curves | None:
    """Loss by tokens and by minutes; None where fewer than two losses were logged. `unit`: what validation is made of."""
    train = [row for row in log if row.loss is not None and math.isfinite(row.loss)]
    if len(train) < 2:
        return None
    validated = [row for row in log if row.validation_loss is not None and math.isfinite(row.validation_loss)]
    said = next((row.kept for row in reversed(log) if row.kept), "")
    marked = _marked(validated, said)
    axes = (
        Axis("tokens", "tokens read", lambda row: float(row.tokens), short_tokens),
        Axis("minutes", "minutes of training", lambda row: row.minutes, lambda minutes: f"{minutes:g}"),
    )
    views = tuple(_curve(axis, train, validated, marked) for axis in axes)
    label = {"": "the lowest so far", "last": "kept: the last", "average": "kept: the average of the late weights"}
    stopped = next((row.stopped for row in reversed(log) if row.stopped), "")
    told = _told(train, validated, marked, said, unit)
    return Curves(
        title,
        views,
        f"{told} It ended before its budget did: {stopped_words(stopped)}." if stopped else told,
        label.get(said, "kept: the best"),
        any(row.average for row in validated),
    )


def too_few(log: Sequence[LogRow]) -> str:
    """What a log of a single loss tells, in nats per token; empty where there are more, or none."""
    train = [row for row in log if row.loss is not None and math.isfinite(row.loss)]
    if len(train) != 1:
        return ""
    validated = [
        row.validation_loss for row in log if row.validation_loss is not None and math.isfinite(row.validation_loss)
    ]
    steps = max(row.step for row in log)
    taken = "One step was taken" if steps == 1 else f"{steps:,} steps were taken"
    after = f", validation {validated[-1]:.3f}" if validated else ""
    return f"{taken}: loss {train[0].loss:.3f}{after}; too few to draw."


def _marked(validated: Sequence[LogRow], said: str) -> LogRow | None:
    """The validation of the weights that the log's last line says were kept; while training goes on, the lowest."""
    own = [row for row in validated if not row.average]
    if said == "average":
        return next((row for row in validated if row.average), None)
    if said.startswith("step"):
        return next((row for row in own if str(row.step) == said.removeprefix("step").strip()), None)
    if said:
        return own[-1] if own else None
    return min(own, key=lambda row: row.validation_loss or 0.0, default=None)


def _curve(axis: Axis, train: Sequence[LogRow], validated: Sequence[LogRow], marked: LogRow | None) -> Curve:
    losses = [row.loss or 0.0 for row in train]
    smooth = smoothed(losses)
    everything = [*losses, *(row.validation_loss or 0.0 for row in validated)]
    y_ticks = ticks(min(everything), max(everything))
    bottom, top = min(*everything, y_ticks[0]), max(*everything, y_ticks[-1])
    right = max(axis.place(row) for row in (*train, *validated)) or 1.0

    def x(row: LogRow) -> float:
        return 100 * axis.place(row) / right

    def y(loss: float) -> float:
        return 100 * (top - loss) / ((top - bottom) or 1.0)

    step = max(1, len(train) // RAW_POINTS)
    thinned = [*range(0, len(train) - 1, step), len(train) - 1]
    spots = {row: (round(x(row), 2), round(y(row.validation_loss or 0.0), 2)) for row in validated}
    return Curve(
        axis.key, axis.title,
        tuple(Tick(round(100 * at / right, 2), axis.label(at)) for at in ticks(0, right) if 0 <= at <= right),
        tuple(Tick(round(y(at), 2), f"{at:g}") for at in y_ticks if bottom <= at <= top),
        _path([(x(train[i]), y(losses[i])) for i in thinned]), _path([(x(train[i]), y(smooth[i])) for i in thinned]),
        _path([spot for row, spot in spots.items() if not row.average]), tuple(spots.values()),
        spots[marked] if marked else None,
    )  # fmt: skip


def _path(points: Sequence[tuple[float, float]]) -> str:
    """Percentages to a path in the plot's square."""
    return "M" + "L".join(f"{10 * x:.1f} {10 * y:.1f}" for x, y in points) if points else ""


def smoothed(values: Sequence[float]) -> list[float]:
    """A centred moving average; at both ends, of the part of the window that is there."""
    reach = max(1, round(len(values) * SMOOTH_SHARE / 2))
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    found = []
    for i in range(len(values)):
        first, last = max(0, i - reach), min(len(values), i + reach + 1)
        found.append((sums[last] - sums[first]) / (last - first))
    return found


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers that reach from `low` to `high`: steps of 1, 2 or 5 times a power of ten."""
    span = (high - low) or abs(high) or 1.0
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(each for each in (1, 2, 5, 10) if each * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, last + 1)]


def _told(train: Sequence[LogRow], validated: Sequence[LogRow], marked: LogRow | None, said: str, unit: str) -> str:
    smooth = smoothed([row.loss or 0.0 for row in train])
    told = (
        f"Training loss went from {smooth[0]:.2f} to {smooth[-1]:.2f} nats per token over {train[-1].tokens:,} tokens "
        f"in {train[-1].minutes:.1f} minutes."
    )
    if not validated:
        return f"{told} Validation was not measured on the way."
    best = min(validated, key=lambda row: row.validation_loss or 0.0)
    where = "with the average of the late weights" if best.average else f"at step {best.step:,}"
    told += f" On validation {unit}s it was lowest, {best.validation_loss:.2f}, {where}"
    if not said:
        return f"{told}; training is not finished."
    if marked is None or marked == best:
        return f"{told}; these weights were kept." if marked else f"{told}."
    what = "the average of the late weights" if marked.average else "the last weights"
    return f"{told}; kept were {what}, {marked.validation_loss:.2f}."
