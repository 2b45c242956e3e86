"""Where documents begin and end; weights that know nothing."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from weights_toy import logits

from wellread import weights
from wellread.errors import ModelError, RecipeError
from wellread.recipe import Budget, Stage
from wellread.testing import byte_tokenizer

# documents' boundaries


def tokenizer_with(bos: int | None, eos: int | None, *added: str) -> Any:
    return SimpleNamespace(
        bos_token_id=bos, eos_token_id=eos, name_or_path="some", added_tokens_decoder=dict(enumerate(added))
    )


@pytest.mark.parametrize(
    ("tokenizer", "start", "end"),
    [
        (tokenizer_with(7, 8, "<s>", "<|endoftext|>"), 1, 1),
        (tokenizer_with(7, 8, "<s>"), 7, 8),
        (tokenizer_with(None, 8), 8, 8),
        (tokenizer_with(0, None), 0, 0),
    ],
)
def test_documents_begin_and_end_with_the_separator_else_bos_and_eos(tokenizer: Any, start: int, end: int) -> None:
    assert (weights.document_start(tokenizer), weights.document_end(tokenizer)) == (start, end)


def test_a_tokenizer_without_any_boundary_is_one_line() -> None:
    with pytest.raises(ModelError, match="BOS or EOS"):
        weights.document_start(tokenizer_with(None, None))


# creating


def stage(size: str = "tiny", length: int = 32) -> Stage:
    method = {"kind": "scratch", "size": size}
    return Stage.model_validate(
        {"name": "read", "method": method, "windows": {"length": length}, "budget": {"minutes": 5}}
    )


def test_created_weights_depend_on_the_seed_alone(tmp_path: Path) -> None:
    tokenizer = weights.open_tokenizer(byte_tokenizer(tmp_path))
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(len(states))
        states.append(weights.create(stage(), tokenizer, text_bytes=10**6, seed=seed).state_dict())
    name = "model.layers.1.mlp.up_proj.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_a_created_model_knows_nothing_and_loads_with_plain_transformers(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = weights.open_tokenizer(byte_tokenizer(tmp_path / "tokenizer"))
    model = weights.create(stage(), tokenizer, text_bytes=10**6, seed=1)
    ids = torch.arange(1, 20)[None]
    assert model(ids, labels=ids).loss.item() == pytest.approx(math.log(len(tokenizer)), rel=1e-5)
    torch.nn.init.normal_(model.lm_head.weight)
    saved = weights.save(model, tokenizer, tmp_path / "model", method="scratch", fingerprint="12345678")
    again = AutoModelForCausalLM.from_pretrained(saved.path)
    assert torch.equal(logits(again), logits(model))
    assert AutoTokenizer.from_pretrained(saved.path).encode("naïve") == tokenizer.encode("naïve")
    assert (again.config.max_position_embeddings, again.config.eos_token_id) == (32, weights.document_end(tokenizer))
    assert weights.read_checkpoint(tmp_path / "model") == saved


def test_the_dial_of_sizes_goes_up(tmp_path: Path) -> None:
    tokenizer = weights.open_tokenizer(byte_tokenizer(tmp_path))
    counts = []
    for size in weights.SIZES:
        with torch.device("meta"):
            counts.append(weights.create(stage(size), tokenizer, text_bytes=10**6, seed=0).num_parameters())
    assert list(weights.SIZES) == ["tiny", "small", "medium", "large"]
    assert all(2 * small < large for small, large in pairwise(counts))


def test_auto_grows_with_the_text() -> None:
    order = list(weights.SIZES)
    chosen = [order.index(weights.fitting_size(size, Budget(minutes=20))) for size in (10**4, 10**6, 10**8)]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[-1]


def test_creating_for_an_adapter_s_stage_is_an_error() -> None:
    lora = Stage.model_validate({"name": "read", "method": {"kind": "lora"}, "budget": {"steps": 1}})
    with pytest.raises(RecipeError, match="starts from a base"):
        weights.create(lora, None, text_bytes=1, seed=0)
