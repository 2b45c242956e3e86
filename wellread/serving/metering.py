"""What happened at a server in, Prometheus' text format out: counts, sums and histograms. Standard library only."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

BOUNDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Seconds, the upper bounds of a histogram's buckets."""
TIMES = {
    "wait": ("wellread_queue_seconds", "From a request to the model's first step for it."),
    "first": ("wellread_first_token_seconds", "From a request to the first token of its answer."),
    "took": ("wellread_request_seconds", "From a request to the end of its answer."),
}


class Meter:
    """Counts since the server began; names of models and paths are those that are served, so that they stay few."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()
        self._times = {name: [0] * (len(BOUNDS) + 1) for name in TIMES}
        self._sums = dict.fromkeys(TIMES, 0.0)
        self.left = 0
        """Requests whose client went away before its answer ended."""

    def request(self, path: str, status: int, seconds: float) -> None:
        self._requests[path, status] += 1
        self.time("took", seconds)

    def time(self, name: str, seconds: float | None) -> None:
        """One observation of `TIMES`."""
        if seconds is not None:
            self._times[name][bisect_left(BOUNDS, seconds)] += 1
            self._sums[name] += seconds

    def tokens(self, model: str, prompt: int, completion: int) -> None:
        self._tokens[model, "prompt"] += prompt
        self._tokens[model, "completion"] += completion

    def text(self, gauges: Mapping[str, tuple[float, str]]) -> str:
        """All of it, with `gauges` (name to value and meaning) as they stand now."""
        lines = _head("wellread_requests_total", "counter", "Requests answered.")
        lines += [f'wellread_requests_total{{path="{path}",status="{status}"}} {count}'
                  for (path, status), count in sorted(self._requests.items())]  # fmt: skip
        lines += _head("wellread_clients_left_total", "counter", "Requests whose client went away before the end.")
        lines.append(f"wellread_clients_left_total {self.left}")
        lines += _head("wellread_tokens_total", "counter", "Tokens read (prompt) and written (completion).")
        lines += [f'wellread_tokens_total{{model="{_escaped(model)}",kind="{kind}"}} {count}'
                  for (model, kind), count in sorted(self._tokens.items())]  # fmt: skip
        for name, (metric, about) in TIMES.items():
            lines += _head(metric, "histogram", about) + self._histogram(metric, name)
        for gauge, (value, about) in gauges.items():
            lines += [*_head(gauge, "gauge", about), f"{gauge} {value:g}"]
        return "\n".join(lines) + "\n"

    def _histogram(self, metric: str, name: str) -> list[str]:
        lines, total = [], 0
        for bound, count in zip([*(f"{bound:g}" for bound in BOUNDS), "+Inf"], self._times[name], strict=True):
            total += count
            lines.append(f'{metric}_bucket{{le="{bound}"}} {total}')
        return [*lines, f"{metric}_sum {self._sums[name]:.6f}", f"{metric}_count {total}"]


def _head(name: str, kind: str, about: str) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
