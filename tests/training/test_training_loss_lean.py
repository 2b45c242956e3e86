"""Leaner layers beside the models' own: the same losses and gradients, less kept, and nothing left behind."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from test_training_loss import apart, batch, gradients, made

from wellread import weights
from wellread.training.dropout import dropout
from wellread.training.fast import Recipe, gated_product, recomputing, rms_norm
from wellread.training.lean import Copies, lean
from wellread.training.loss import causal_loss


def adapted(name: str, **changes: Any) -> Any:
    options = {"r": 4, "lora_alpha": 12, "target_modules": "all-linear", "init_lora_weights": False, **changes}
    torch.manual_seed(1)
    return get_peft_model(made(name), LoraConfig(**options)).train()


def patched(model: Any) -> set[str]:
    return {type(module).__name__ for module in model.modules() if "forward" in vars(module)}


def assert_same(model: Any, autocast: torch.dtype | None = None, tolerance: float = 1e-5) -> None:
    expected_loss = causal_loss(model, batch(), autocast)
    expected = gradients(model, expected_loss)
    with lean(model):
        found_loss = causal_loss(model, batch(), autocast)
        found = gradients(model, found_loss)
    assert found_loss.item() == pytest.approx(expected_loss.item(), rel=tolerance)
    assert found.keys() == expected.keys()
    wrong = {name: apart(found[name], expected[name]) for name in found}
    assert {name: off for name, off in wrong.items() if off > tolerance} == {}


@pytest.mark.parametrize("name", ["tied", "untied", "capped", "divided"])
def test_full_tuning_is_the_same(name: str) -> None:
    assert_same(made(name))


@pytest.mark.parametrize("name", ["tied", "capped", "bias", "gpt2"])
def test_lora_is_the_same(name: str) -> None:
    assert_same(adapted(name))


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_in_bfloat16_products_it_is_no_further_from_float32(kind: str) -> None:
    model = made("capped") if kind == "full" else adapted("tied")
    exact = gradients(model, causal_loss(model, batch(), None))
    stock = gradients(model, causal_loss(model, batch(), torch.bfloat16))
    with lean(model):
        found = gradients(model, causal_loss(model, batch(), torch.bfloat16))
    errors = [(apart(found[name], exact[name]), apart(stock[name], exact[name])) for name in exact]
    ours, theirs = (sum(column) for column in zip(*errors, strict=True))
    assert ours < 1.2 * theirs


def test_with_checkpointed_layers() -> None:
    model = made("tied")
    weights.checkpoint_layers(model)
    assert_same(model)


def test_what_stands_in() -> None:
    with lean(model := adapted("tied")):
        assert patched(model) == {"LlamaRMSNorm", "LlamaMLP", "Linear"}
    with lean(model := made("capped")):
        assert patched(model) == {"Gemma3RMSNorm", "Gemma3MLP"}
    with lean(model := made("gpt2")):
        assert patched(model) == set()


@pytest.mark.parametrize("changes", [{"lora_dropout": 0.5}, {"use_dora": True}, {"bias": "all"}])
def test_adapters_of_other_kinds_stay_as_they_are(changes: dict[str, Any]) -> None:
    model = adapted("bias", **changes)
    with lean(model):
        assert "Linear" not in patched(model)


def test_a_norm_that_computes_something_else_stays_as_it_is() -> None:
    model = made("tied")
    norm = model.model.norm
    stock = type(norm).forward

    class OddRMSNorm(type(norm)):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return stock(self, x) + 0.01

    norm.__class__ = OddRMSNorm
    with lean(model):
        assert "forward" not in vars(norm)
        assert "forward" in vars(model.model.layers[0].input_layernorm)


def test_it_leaves_no_trace_and_may_be_nested() -> None:
    model = adapted("tied")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    with lean(model):
        inside = patched(model)
        with lean(model):
            assert patched(model) == inside
        assert patched(model) == inside
        assert list(model.state_dict()) == list(before)
    assert patched(model) == set()
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    with pytest.raises(KeyError), lean(model):
        raise KeyError
    assert patched(model) == set()


def test_dropout_still_acts() -> None:
    model = made("tied")
    with dropout(model, 0.5), lean(model):
        assert "LlamaMLP" in patched(model)
        assert len({causal_loss(model, batch(), None).item() for _ in range(3)}) == 3


def storages() -> dict[int, int]:
    """Bytes by address of every tensor that Python knows of."""
    gc.collect()
    tensors = [thing for thing in gc.get_objects() if type(thing) in (torch.Tensor, torch.nn.Parameter)]
    return {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}


def kept_bytes(model: Any, hooks: Any) -> int:
    """What the graph of a loss holds on to."""
    given = batch(4, 64)
    before = storages()
    with hooks:
        loss = causal_loss(model, given, None)
    after = storages()
    del loss
    return sum(size for place, size in after.items() if place not in before)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "lora"])
def test_less_is_kept_for_the_backward_pass(kind: str) -> None:
    model = made("tied") if kind == "full" else adapted("tied")
    stock = kept_bytes(model, torch.autograd.graph.saved_tensors_hooks(torch.Tensor.detach, lambda kept: kept))
    before = storages()
    assert kept_bytes(model, lean(model)) < 0.7 * stock
    # and a graph that is dropped without a backward pass is let go
    assert sum(storages().values()) <= sum(before.values())


def test_a_recipe_is_made_once_for_all_and_then_let_go() -> None:
    made_times = []

    def make() -> torch.Tensor:
        made_times.append(1)
        return torch.ones(3)

    recipe = Recipe(make)
    for _ in range(3):
        recipe.promise()
    assert len({id(recipe.redeem()) for _ in range(3)}) == 1
    assert len(made_times) == 1
    assert recipe._made is None


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_norm_s_gradient(offset: float) -> None:
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, weight: rms_norm(x, weight, 1e-6, offset), (x, weight))


@pytest.mark.parametrize("activation", ["silu", "gelu_tanh", "gelu"])
def test_gated_product_s_gradient(activation: Any) -> None:
    gate, up = (torch.randn(3, 5, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda gate, up: gated_product(gate, up, activation), (gate, up))


def test_recipes_give_what_they_stand_for() -> None:
    gate, up = (torch.randn(2, 3, 5, requires_grad=True) for _ in range(2))
    weight = torch.randn(4, 5, requires_grad=True)
    found = []
    for hooks in (False, True):
        with recomputing() if hooks else torch.enable_grad():
            y = torch.nn.functional.linear(gated_product(gate, up, "silu"), weight)
        found.append(torch.autograd.grad(y.square().sum(), (gate, up, weight)))
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_frozen_weights_are_cast_once_and_the_numbers_stay() -> None:
    model = adapted("tied")
    frozen = {id(layer.base_layer.weight) for layer in model.modules() if hasattr(layer, "lora_A")}

    def learned(copies: Copies) -> tuple[float, dict[str, torch.Tensor], int]:
        cast = 0
        to = torch.Tensor.to

        def counting(tensor: torch.Tensor, *options: Any, **named: Any) -> torch.Tensor:
            nonlocal cast
            cast += id(tensor) in frozen or (not tensor.requires_grad and tensor.data_ptr() in pointers)
            return to(tensor, *options, **named)

        pointers = {weight.data_ptr() for weight in model.parameters() if id(weight) in frozen}
        with lean(model, copies), pytest.MonkeyPatch.context() as patch:
            causal_loss(model, batch(), torch.bfloat16)
            patch.setattr(torch.Tensor, "to", counting)
            loss = causal_loss(model, batch(), torch.bfloat16)
            found = gradients(model, loss)
        return loss.item(), found, cast

    loss, expected, every_time = learned(Copies(most=0))
    assert every_time > 0
    again, found, never = learned(Copies())
    assert again == loss
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    # `.to` of what already has the type does nothing, and is not asked of the weight itself
    assert never == 0


def test_copies_end_where_their_room_ends() -> None:
    first, second = torch.ones(8, 8), torch.ones(8, 8)
    copies = Copies(most=8 * 8 * 2)
    assert copies.of(first, torch.bfloat16).dtype == torch.bfloat16
    assert copies.of(first, torch.bfloat16) is copies.of(first, torch.bfloat16)
    assert copies.of(second, torch.bfloat16) is second
    assert copies.of(second, torch.float32) is second
