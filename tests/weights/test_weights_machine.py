"""Arithmetic, attention kernels, and what fits into memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from weights_toy import IDS, logits, stage

from wellread import weights
from wellread.errors import MissingPackage, ModelError, RecipeError
from wellread.testing import byte_tokenizer, tiny_model

FULL = {"kind": "full"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def test_precision_says_what_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    both = torch.bfloat16
    for features, expected in (({"amx_bf16": True}, both), ({"avx512_bf16": True}, both), ({"avx512_f": True}, None)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda f=features: f, raising=False)
        found = weights.precision("auto", cpu)
        assert found.autocast == expected
        assert ("bfloat16 products" if expected else "float32: ") in found.reason
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert weights.precision("auto", cpu).autocast is None
    assert weights.precision("auto", torch.device("mps")).autocast is None
    assert weights.precision("bfloat16", cpu).autocast == torch.bfloat16
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    assert weights.precision("float32", torch.device("cuda")).autocast is None
    assert weights.precision("auto", torch.device("cuda")).autocast == torch.bfloat16


def test_frozen_weights_are_bfloat16_only_on_a_gpu_that_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread.weights.machine import frozen_dtype

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    asked = [stage(FULL, precision=setting) for setting in ("auto", "float32", "bfloat16")]
    assert [frozen_dtype(each, torch.device("cuda")) for each in asked] == [
        torch.bfloat16,
        torch.float32,
        torch.bfloat16,
    ]
    assert [frozen_dtype(each, torch.device("cpu")) for each in asked] == [torch.float32] * 3


# attention


@pytest.mark.parametrize("method", [FULL, {"kind": "lora", "rank": 2}])
def test_the_attention_kernel_is_the_one_asked_for(tiny: Path, tmp_path: Path, method: dict[str, Any]) -> None:
    said = {}
    for kernel in ("eager", "sdpa", "auto"):
        trainee = weights.open_to_train(
            stage(method, attention=kernel), str(tiny), folder=tmp_path, text_bytes=0, seed=1
        )
        said[kernel] = trainee.model.config._attn_implementation
        torch.testing.assert_close(logits(trainee.model), logits(weights.open_base(str(tiny)).model))
    assert said == {"eager": "eager", "sdpa": "sdpa", "auto": "sdpa"}


def test_a_model_from_scratch_has_the_kernel_asked_for(tmp_path: Path) -> None:
    tokenizer = weights.open_tokenizer(byte_tokenizer(tmp_path))
    asked = stage({"kind": "scratch", "size": "tiny"}, attention="eager", gradient_checkpointing="on")
    model = weights.create(asked, tokenizer, text_bytes=1, seed=0)
    assert model.config._attn_implementation == "eager"
    assert model.is_gradient_checkpointing


def test_flash_attention_is_for_cuda_and_needs_its_package(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread.weights.machine import set_attention

    model = weights.open_base(str(tiny)).model
    with pytest.raises(RecipeError, match="needs an NVIDIA GPU, and training is on CPU"):
        set_attention(model, "flash_attention_2", torch.device("cpu"), half=True)
    with pytest.raises(MissingPackage, match="pip install flash-attn"):
        set_attention(model, "flash_attention_2", torch.device("cuda"), half=True)
    chosen: list[str] = []

    def note(kernel: str) -> None:
        chosen.append(kernel)
        model.config._attn_implementation = kernel

    monkeypatch.setattr(model, "set_attn_implementation", note)
    monkeypatch.setattr("wellread.weights.machine.find_spec", lambda name: object())
    set_attention(model, "auto", torch.device("cuda"), half=False)
    set_attention(model, "auto", torch.device("cpu"), half=True)
    assert chosen == []
    set_attention(model, "auto", torch.device("cuda"), half=True)
    assert chosen == ["flash_attention_2"]


def test_a_model_without_the_kernel_is_one_line(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread.weights.machine import set_attention

    model = weights.open_base(str(tiny)).model
    monkeypatch.setattr(type(model), "_supports_sdpa", False)
    model.set_attn_implementation("eager")
    with pytest.raises(ModelError, match=r"attention sdpa: this model cannot .*take auto") as caught:
        set_attention(model, "sdpa", torch.device("cpu"), half=False)
    assert "\n" not in str(caught.value)


# what fits


def test_layers_are_computed_twice_where_they_would_not_fit() -> None:
    assert weights.computes_twice("on", needed=1, free=10**9)
    assert not weights.computes_twice("off", needed=10**9, free=1)
    assert not weights.computes_twice("auto", needed=79, free=100)
    assert weights.computes_twice("auto", needed=81, free=100)


@pytest.mark.parametrize(
    ("setting", "free", "expected"),
    [("auto", 10**4, True), ("auto", 10**12, False), ("off", 1, False), ("on", 10**12, True)],
)
def test_checkpointed_layers_keep_less_and_give_the_same_gradients(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, free: int, expected: bool
) -> None:
    monkeypatch.setattr("wellread.weights.machine.free_memory", lambda on: free)
    asked = stage({"kind": "lora", "rank": 2}, gradient_checkpointing=setting)
    trainee = weights.open_to_train(asked, str(tiny), folder=tmp_path, text_bytes=0, seed=1)
    assert trainee.model.is_gradient_checkpointing == expected
    assert any("computed twice" in note for note in trainee.notes) == (expected and setting == "auto")
    plain = weights.open_to_train(stage({"kind": "lora", "rank": 2}, gradient_checkpointing="off"), str(tiny),
                                  folder=tmp_path, text_bytes=0, seed=1)  # fmt: skip
    for model in (trainee.model, plain.model):
        torch.autograd.backward(model.train()(IDS, labels=IDS).loss)
    for mine, theirs in zip(trainee.model.parameters(), plain.model.parameters(), strict=True):
        assert mine.grad is theirs.grad is None or torch.allclose(mine.grad, theirs.grad, atol=1e-6)
    if expected:
        assert kept_bytes(trainee.model) < kept_bytes(plain.model) / 2


@pytest.mark.parametrize("kernel", ["sdpa", "eager"])
def test_the_estimate_of_activations_is_near_what_is_kept(tmp_path: Path, kernel: str) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = LlamaConfig(vocab_size=64, hidden_size=96, intermediate_size=256, num_hidden_layers=4,
                        num_attention_heads=4, num_key_value_heads=2)  # fmt: skip
    model = LlamaForCausalLM(shape)
    model.set_attn_implementation(kernel)
    kept = kept_bytes(model.model, torch.ones(3, 64, dtype=torch.long))
    assert weights.activation_bytes(model.config, 3, 64) == pytest.approx(kept, rel=0.2)


def kept_bytes(model: Any, ids: torch.Tensor = IDS) -> int:
    """Bytes that autograd keeps for the backward pass, weights not counted."""
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    found: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            found[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model.train()(ids)
    del output
    return sum(found.values())
