"""Low-rank adapters: what begins, how large it is, what goes on, and what an adapter's checkpoint opens as."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from weights_toy import logits, stage, teach, tensors

from wellread import weights
from wellread.errors import ModelError, RecipeError, StorageError
from wellread.recipe import Lora
from wellread.testing import byte_tokenizer, tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def biased(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose layers have bias vectors."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = byte_tokenizer(tmp_path_factory.mktemp("biased"))
    config = LlamaConfig(
        vocab_size=257, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        attention_bias=True, mlp_bias=True, initializer_range=0.2,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def opened(start: Path, method: dict[str, Any], folder: Path, text_bytes: int = 10**6, seed: int = 1) -> Any:
    return weights.open_to_train(stage(method), str(start), folder=folder, text_bytes=text_bytes, seed=seed)


def saved(trainee: Any, folder: Path, method: str = "lora") -> Path:
    return weights.save(trainee.model, trainee.tokenizer, folder, method=method, base=trainee.base).path


# a new adapter


def test_an_adapter_begins_as_no_difference_on_every_linear_layer(tiny: Path, tmp_path: Path) -> None:
    trainee = opened(tiny, {"kind": "lora", "rank": 3}, tmp_path)
    assert torch.equal(logits(trainee.model), logits(weights.open_base(str(tiny)).model))
    trained = {name: weight for name, weight in trainee.model.named_parameters() if weight.requires_grad}
    assert all("lora_" in name for name in trained)
    assert len(trained) == 2 * 7 * 2
    assert {min(weight.shape) for weight in trained.values()} == {3}
    assert trainee.base == str(tiny)


def test_rank_alpha_scaling_dropout_and_seed_of_an_adapter(tiny: Path) -> None:
    def adapted(seed: int = 1, **settings: Any) -> Any:
        model = weights.adapt(weights.open_base(str(tiny)).model, Lora(**settings), seed=seed)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.ones_(weight)
        return model

    plain = logits(adapted(rank=4, alpha=4))
    assert torch.equal(plain, logits(adapted(rank=4, alpha=4)))
    assert not torch.equal(plain, logits(adapted(rank=4, alpha=8)))
    torch.testing.assert_close(logits(adapted(rank=4, alpha=2, rslora=True)), plain)  # 2 / sqrt(4) is 4 / 4
    assert not torch.equal(plain, logits(adapted(seed=2, rank=4, alpha=4)))
    dropping = adapted(rank=4, alpha=4, dropout=0.5).train()
    assert not torch.equal(dropping(torch.tensor([[1, 2]])).logits, dropping(torch.tensor([[1, 2]])).logits)


def test_auto_rank_has_room_for_the_text_at_two_bits_a_parameter(tiny: Path) -> None:
    model = weights.open_base(str(tiny)).model
    per_rank = 2 * (64 + 48 + 48 + 64 + 3 * 96)  # inputs + outputs of two layers' linears
    for text_bytes, rank in ((0, 8), (2 * 8 * per_rank, 8), (2 * 8 * per_rank + 2, 16), (2 * 60 * per_rank, 64)):
        assert weights.fitting_rank(model, Lora(), text_bytes) == rank
    assert weights.fitting_rank(model, Lora(), 10**9) == 128
    assert weights.fitting_rank(model, Lora(modules=("k_proj",)), 2 * 8 * per_rank) == 128
    assert weights.fitting_rank(model, Lora(rank=5), 10**9) == 5
    assert weights.adapt(model, Lora(), seed=0, text_bytes=2 * 16 * per_rank).active_peft_config.r == 16


def test_only_the_modules_named_are_adapted(tiny: Path, tmp_path: Path) -> None:
    trainee = opened(tiny, {"kind": "lora", "modules": ["q_proj", "up_proj"]}, tmp_path)
    trained = {name.split(".")[-4] for name, weight in trainee.model.named_parameters() if weight.requires_grad}
    assert trained == {"q_proj", "up_proj"}


@pytest.mark.parametrize(("name", "says"), [("q_porj", "did you mean q_proj"), ("zz", "there are down_proj, ")])
def test_a_module_that_is_not_there_is_one_line(tiny: Path, tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as caught:
        opened(tiny, {"kind": "lora", "modules": [name]}, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("bias", "modules", "count"), [("none", [], 0), ("all", ["q_proj"], 7), ("lora_only", ["q_proj"], 1)])  # fmt: skip
def test_bias_vectors_train_as_asked_and_are_saved(
    biased: Path, tmp_path: Path, bias: str, modules: list[str], count: int
) -> None:
    trainee = opened(biased, {"kind": "lora", "rank": 2, "bias": bias, "modules": modules}, tmp_path)
    trained = [name for name, weight in trainee.model.named_parameters() if weight.requires_grad]
    assert sum(name.endswith("bias") for name in trained) == count
    before = logits(teach(trainee.model))
    checkpoint = saved(trainee, tmp_path / "checkpoint")
    torch.testing.assert_close(logits(weights.open_base(str(checkpoint)).model), before)
    torch.testing.assert_close(logits(weights.merge(trainee.model)), before, rtol=0, atol=1e-5)
    again = opened(checkpoint, {"kind": "lora", "bias": bias}, tmp_path).model
    assert [name for name, weight in again.named_parameters() if weight.requires_grad] == trained


# an adapter that was saved


def test_a_saved_adapter_opens_on_the_base_it_names(tiny: Path, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM

    trainee = opened(tiny, {"kind": "lora", "rank": 2}, tmp_path)
    before = logits(teach(trainee.model))
    checkpoint = saved(trainee, tmp_path / "adapter")
    assert json.loads((checkpoint / "adapter_config.json").read_text())["base_model_name_or_path"] == str(tiny)
    assert not (checkpoint / "model.safetensors").exists()
    again = weights.open_base(str(checkpoint))
    assert torch.equal(logits(again.model), before)
    assert torch.equal(logits(AutoPeftModelForCausalLM.from_pretrained(checkpoint)), before)
    assert not any(weight.requires_grad for weight in again.model.parameters())
    (checkpoint / "adapter_model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(StorageError, match=r"adapter_model\.safetensors: truncated or damaged"):
        weights.open_base(str(checkpoint))


def test_an_adapter_finds_its_base_after_both_were_moved(tiny: Path, tmp_path: Path) -> None:
    first = opened(tiny, {"kind": "lora", "rank": 2}, tmp_path)
    teach(first.model)
    run = tmp_path / "run"
    start = saved(first, run / "stages" / "01" / "checkpoint")
    second = opened(start, {"kind": "lora", "rank": 2, "adapter": "merge"}, run / "stages" / "02")
    assert second.base == str(run / "stages" / "02" / "base")
    said = logits(teach(second.model))
    saved(second, run / "stages" / "02" / "checkpoint")
    run.rename(tmp_path / "elsewhere")
    moved = tmp_path / "elsewhere" / "stages" / "02" / "checkpoint"
    torch.testing.assert_close(logits(weights.open_base(str(moved)).model), said)
    assert not Path(json.loads((moved / "adapter_config.json").read_text())["base_model_name_or_path"]).exists()
    assert Path(weights.adapter_base(moved)) == tmp_path / "elsewhere" / "stages" / "02" / "base"


def test_an_adapter_s_base_may_be_an_adapter_itself(tiny: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    first = opened(tiny, {"kind": "lora", "rank": 2}, tmp_path)
    teach(first.model)
    inner = saved(first, tmp_path / "inner")
    plain = weights.merge(weights.open_base(str(inner)).model)
    outer = get_peft_model(plain, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM"))
    said = logits(teach(outer))
    outer.peft_config["default"].base_model_name_or_path = str(inner)
    outer.save_pretrained(tmp_path / "outer")
    found = weights.open_base(str(tmp_path / "outer"))
    torch.testing.assert_close(logits(found.model), said, rtol=0, atol=1e-5)


# going on


def test_the_same_adapter_goes_on(tiny: Path, tmp_path: Path) -> None:
    first = opened(tiny, {"kind": "lora", "rank": 4, "modules": ["q_proj", "v_proj"]}, tmp_path)
    said = logits(teach(first.model))
    start = saved(first, tmp_path / "first")
    second = opened(start, {"kind": "lora", "dropout": 0.25}, tmp_path, seed=9)
    assert torch.equal(logits(second.model), said)
    assert second.base == str(tiny)
    assert second.model.active_peft_config.lora_dropout == 0.25
    assert second.model.base_model.model.model.layers[0].self_attn.q_proj.lora_dropout["default"].p == 0.25
    trained = [name for name, weight in second.model.named_parameters() if weight.requires_grad]
    assert trained
    assert trained == [name for name, weight in first.model.named_parameters() if weight.requires_grad]
    teach(second.model)
    before, after = tensors(start), tensors(saved(second, tmp_path / "second"))
    assert {name: tensor.shape for name, tensor in before.items()} == {n: t.shape for n, t in after.items()}
    assert not any(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"rank": 8}, "has rank 4, the recipe asks for 8"),
        ({"rank": 4, "alpha": 16}, "has alpha 32, the recipe asks for 16"),
        ({"rslora": True}, "has rslora false, the recipe asks for true"),
        ({"modules": ["q_proj"]}, "has modules down_proj, .*, the recipe asks for q_proj"),
        ({"bias": "all"}, "has bias none, the recipe asks for all"),
    ],
)
def test_an_adapter_that_does_not_fit_the_recipe_is_one_line(
    tiny: Path, tmp_path: Path, asked: dict[str, Any], says: str
) -> None:
    start = saved(opened(tiny, {"kind": "lora", "rank": 4}, tmp_path), tmp_path / "first")
    with pytest.raises(RecipeError, match=says) as caught:
        opened(start, {"kind": "lora", **asked}, tmp_path)
    assert "\n" not in str(caught.value)


def test_an_adapter_of_another_kind_does_not_go_on_but_merges(tiny: Path, tmp_path: Path) -> None:
    from peft import IA3Config, get_peft_model

    model = get_peft_model(
        weights.open_base(str(tiny)).model,
        IA3Config(target_modules=["k_proj", "down_proj"], feedforward_modules=["down_proj"], task_type="CAUSAL_LM"),
    )
    said = logits(teach(model))
    model.peft_config["default"].base_model_name_or_path = str(tiny)
    model.save_pretrained(tmp_path / "ia3")
    with pytest.raises(ModelError, match="another kind"):
        opened(tmp_path / "ia3", {"kind": "lora"}, tmp_path)
    begun = opened(tmp_path / "ia3", {"kind": "lora", "adapter": "merge"}, tmp_path / "next")
    torch.testing.assert_close(logits(begun.model), said, rtol=0, atol=1e-5)


# merged first


def test_an_adapter_is_merged_and_a_new_one_begins(tiny: Path, tmp_path: Path) -> None:
    first = opened(tiny, {"kind": "lora", "rank": 2}, tmp_path)
    said = logits(teach(first.model))
    start = saved(first, tmp_path / "first")
    method = {"kind": "lora", "rank": 5, "adapter": "merge"}
    second = opened(start, method, tmp_path / "next")
    torch.testing.assert_close(logits(second.model), said, rtol=0, atol=1e-5)
    assert second.model.active_peft_config.r == 5
    assert any("merged" in note for note in second.notes)
    assert all("lora_" in name for name, weight in second.model.named_parameters() if weight.requires_grad)
    written = (tmp_path / "next" / "base" / "model.safetensors").stat().st_mtime_ns
    again = opened(start, method, tmp_path / "next")
    assert torch.equal(logits(again.model), logits(second.model))
    assert (tmp_path / "next" / "base" / "model.safetensors").stat().st_mtime_ns == written
    assert [path.name for path in (tmp_path / "next").iterdir()] == ["base"]
