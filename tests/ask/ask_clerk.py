"""A handbook, a clerk who says one thing of whatever is asked, and the command line called in this process."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout

import pytest

from wellread import cli
from wellread.testing import UniformBytes
from wellread.types import Prompt, Sample, Sampling, last_words

HANDBOOK = """# Handbook

## Hours

The Reading Room opens at nine in the morning and closes at dusk. On Mondays it stays shut.

## Cards

A card costs three crowns a year. Lost cards are paid for twice.
"""


class Clerk(UniformBytes):
    """Says one thing, whatever it reads."""

    name, window = "clerk", 2000

    def __init__(self, says: str) -> None:
        self.says, self.read, self.drawn = says, list[Prompt](), list[Sampling]()

    def count(self, prompt: Prompt) -> int:
        return len(last_words(prompt)) // 4

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        self.read += prompts
        self.drawn.append(sampling)
        asked = [prompt for prompt in prompts for _ in range(sampling.n)]
        return [Sample(last_words(prompt), self.says, sampling, sampling.seed, self.name, "stop") for prompt in asked]


def wellread(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["wellread", *words])
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as end:
            cli.main()
    return subprocess.CompletedProcess(words, int(end.value.code or 0), out.getvalue(), err.getvalue())
