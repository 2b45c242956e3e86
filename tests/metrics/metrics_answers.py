"""Answers made by hand, and fakes that judge them by rules known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wellread.types import Answer, Corpus, Evidence, Grade, Part, Question, QuestionKind

NOWHERE = Corpus((), {"train": (), "validation": (), "held_out": ()})


def answer(
    term: str, said: str, *expected: str, kind: QuestionKind = "forward", facts: Sequence[str] = (), part: Part = "held_out",
    taught: bool = True, prompt: str = "", number: int = 1,
) -> Answer:  # fmt: skip
    question = Question(f"{kind}-{term}-{number}", prompt or f"What is {term}?", expected, kind, term, tuple(facts))
    return Answer(question, said, part, "stop", taught)


def of(*answers: Answer, **given: Any) -> Evidence:
    return Evidence(given.pop("subject", "model"), NOWHERE, answers=answers, **given)


class Letters:
    """An embedder whose vectors count letters: texts of the same letters are the same to it."""

    name = "letters"

    def embed(self, texts: Sequence[str]) -> Any:
        return np.array([[text.lower().count(chr(97 + letter)) for letter in range(26)] for text in texts], float)


class Lengths:
    """A cross-encoder by which texts are as like as their lengths."""

    name = "lengths"

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [min(len(one), len(other)) / max(len(one), len(other), 1) for one, other in pairs]


class Strict:
    """A judge who finds right what is written in capitals, and mumbles where there is nothing to read."""

    name = "strict"

    def grade(self, answers: Sequence[Answer]) -> list[Grade]:
        return [Grade(None, "hm") if not each.text else Grade(each.text.isupper(), "capitals") for each in answers]
