"""What training says as it goes: `log.jsonl` for the report, Progress for whoever watches.

`log.jsonl` holds one JSON object a line, by step. Every line has `step`, `tokens` (read so far), `epochs` (passes over
the training part so far) and `elapsed_seconds` (training and validation, before an interruption too).

- A line of training adds `loss` (nats per token, mean since the line before), `learning_rate` (the first group's, in
  the step just done), `tokens_per_second` (since the line before) and `memory_bytes` (resident now; on a GPU the most
  that was allocated).
- A line of validation adds `validation_loss` (nats per token), `validation_tokens` (predicted) and `weights`:
  `current` or, once at the end, `average`; `dose`, where the stage has an `until`; and what is watched of answers to
  validation questions: `recall_exact`, `false_definition_rate`, `over_refusal_rate`.
- A line of text, after a line of validation, adds `prompt` and `completion`, what the model wrote as it was then, and `seconds`,
  what that took; they are not among the `elapsed_seconds`.
- The last line adds `kept`: `last`, `average`, or the `step N` whose weights were best; and `stopped`: `budget`, or
  `patience: …` or `until: …` with what was found.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellread.storage import new_file, storage_errors


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training is; losses in nats per token."""

    step: int
    share: float
    """Of the budget, 0 to 1."""
    loss: float
    """Mean since the last report."""
    validation_loss: float | None
    """The latest; None before the first."""
    tokens_per_second: float
    seconds_left: float
    stopped: str = ""
    """What ended the stage, in the last report: `budget`, `patience: …` or `until: …`."""


class Log:
    """`log.jsonl`, open for appending; of what an interrupted run had written, the first `lines` lines are kept.

    Not `written`, it is the log of a process that is not the first: it counts lines and leaves the file alone.
    """

    def __init__(self, path: Path, *, lines: int = 0, written: bool = True) -> None:
        self._path, self._written = path, written
        self.lines = lines
        """How many lines there are: part of a checkpoint."""
        if not written:
            return
        with storage_errors(path):
            kept = path.read_text(encoding="utf-8", errors="replace").splitlines()[:lines] if path.exists() else []
            with new_file(path) as rewritten:
                rewritten.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self.lines = len(kept)

    def write(self, **row: Any) -> None:
        """Append one line; it is in the file when this returns."""
        self.lines += 1
        if self._written:
            with storage_errors(self._path), self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
