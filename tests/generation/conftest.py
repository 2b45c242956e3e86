"""One tiny model for the whole room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wellread.testing import tiny_model

LEARNED = ["the cat sat on the mat and the dog sat on the log, naïve as ever; the end of the day"] * 3


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama that takes 64 tokens, with a few merges in its byte-level tokenizer."""
    return tiny_model(tmp_path_factory.mktemp("tiny"), LEARNED, vocabulary=300, positions=64)


@pytest.fixture(scope="session")
def opened(tiny: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(tiny), AutoTokenizer.from_pretrained(tiny)
