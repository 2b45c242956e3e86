"""The dial: at 0 what it was tuned from, at 1 the tuned model, between them W₀ + α·ΔW to the last weight."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from weights_toy import logits, stage, teach

from wellread import weights
from wellread.errors import ModelError, UsageError
from wellread.testing import tiny_model
from wellread.training.estimate import held_bytes
from wellread.weights.dial import AdapterDial, WeightDial

LORA = {"kind": "lora", "rank": 4}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


def taught(start: Path, method: dict[str, Any], folder: Path) -> Path:
    """The checkpoint of a stage on `start`."""
    trainee = weights.open_to_train(stage(method), str(start), folder=folder, text_bytes=10**6, seed=1)
    kind = str(method["kind"])
    model = teach(trainee.model)
    return weights.save(model, trainee.tokenizer, folder / "checkpoint", method=kind, base=trainee.base).path


def said(name: Path) -> torch.Tensor:
    return logits(weights.open_base(str(name)).model)


def plain(name: Path) -> dict[str, torch.Tensor]:
    """Every weight of a checkpoint with its adapter merged."""
    return {
        key: value.detach().clone()
        for key, value in weights.merge(weights.open_base(str(name)).model).named_parameters()
    }


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        (LORA, AdapterDial),
        ({**LORA, "rslora": True}, AdapterDial),
        ({**LORA, "bias": "all"}, WeightDial),
        ({"kind": "full"}, WeightDial),
    ],
)
def test_the_ends_are_the_base_and_the_tuned_model(
    tiny: Path, tmp_path: Path, method: dict[str, Any], kind: type
) -> None:
    tuned = taught(tiny, method, tmp_path)
    dial = weights.open_dial(str(tuned), str(tiny))
    assert isinstance(dial, kind)
    assert (said(tuned) - said(tiny)).abs().max() > 0.1
    for alpha, end in ((0, tiny), (1, tuned), (0, tiny)):
        dial.turn(alpha)
        torch.testing.assert_close(logits(dial.model), said(end), rtol=0, atol=1e-4)


@pytest.mark.parametrize("alpha", [0.5, 1.2])
@pytest.mark.parametrize("method", [LORA, {"kind": "full"}])
def test_between_the_ends_every_weight_lies_where_the_line_does(
    tiny: Path, tmp_path: Path, method: dict[str, Any], alpha: float
) -> None:
    tuned = taught(tiny, method, tmp_path)
    dial = weights.open_dial(str(tuned), str(tiny))
    dial.turn(alpha)
    start, end = plain(tiny), plain(tuned)
    got = dict(weights.merge(dial.model).named_parameters())
    for name, weight in got.items():
        torch.testing.assert_close(weight, start[name] + alpha * (end[name] - start[name]), rtol=0, atol=1e-6)


def test_half_of_full_tuning_is_the_mean_of_the_weights(tiny: Path, tmp_path: Path) -> None:
    tuned = taught(tiny, {"kind": "full"}, tmp_path)
    dial = weights.open_dial(str(tuned), str(tiny))
    dial.turn(0.5)
    start, end = plain(tiny), plain(tuned)
    for name, weight in dial.model.named_parameters():
        torch.testing.assert_close(weight, (start[name] + end[name]) / 2, rtol=0, atol=1e-7)


def test_half_of_an_adapter_is_half_its_scale(tiny: Path, tmp_path: Path) -> None:
    from peft.tuners.lora import LoraLayer

    tuned = taught(tiny, {**LORA, "alpha": 16}, tmp_path)
    dial = weights.open_dial(str(tuned), str(tiny))
    dial.turn(0.5)
    layers = [module for module in dial.model.modules() if isinstance(module, LoraLayer)]
    assert layers
    assert all(layer.scaling == {"default": 2.0} for layer in layers)


def test_a_chain_of_adapters_is_blended_with_either_end(tiny: Path, tmp_path: Path) -> None:
    first = taught(tiny, LORA, tmp_path / "first")
    second = taught(first, {**LORA, "rank": 2, "adapter": "merge"}, tmp_path / "second")
    whole = weights.open_dial(str(second), str(tiny))
    for alpha, end in ((0, tiny), (1, second)):
        whole.turn(alpha)
        torch.testing.assert_close(logits(whole.model), said(end), rtol=0, atol=1e-4)
    step = weights.open_dial(str(second), str(first))
    for alpha, end in ((0, first), (1, second)):
        step.turn(alpha)
        torch.testing.assert_close(logits(step.model), said(end), rtol=0, atol=1e-4)


def test_an_adapter_that_goes_on_still_turns_by_its_scale(tiny: Path, tmp_path: Path) -> None:
    first = taught(tiny, LORA, tmp_path / "first")
    second = taught(first, LORA, tmp_path / "second")
    dial = weights.open_dial(str(second), str(tiny))
    assert isinstance(dial, AdapterDial)
    dial.turn(0)
    torch.testing.assert_close(logits(dial.model), said(tiny), rtol=0, atol=0)


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    folder = tiny_model(tmp_path / "tied")
    config = AutoConfig.from_pretrained(folder)
    config.tie_word_embeddings = True
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tuned = taught(folder, {"kind": "full"}, tmp_path / "tuned")
    dial = weights.open_dial(str(tuned), str(folder))
    dial.turn(0.25)
    assert dial.model.get_input_embeddings().weight is dial.model.get_output_embeddings().weight
    start, end = plain(folder), plain(tuned)
    name = "model.embed_tokens.weight"
    torch.testing.assert_close(dial.model.get_output_embeddings().weight, start[name].lerp(end[name], 0.25))


def test_a_dial_has_ends(tiny: Path, tmp_path: Path) -> None:
    dial = weights.open_dial(str(taught(tiny, LORA, tmp_path)), str(tiny))
    for alpha in (-0.1, 1.21):
        with pytest.raises(UsageError, match="from 0"):
            dial.turn(alpha)


def test_models_of_other_shapes_are_not_blended(tiny: Path, tmp_path: Path) -> None:
    other = tiny_model(tmp_path / "other", ["more words, more tokens"] * 9, vocabulary=270)
    with pytest.raises(ModelError, match="cannot be blended"):
        weights.open_dial(str(other), str(tiny))


def test_turning_there_and_back_is_exact_and_holds_two_copies_of_the_weights(tiny: Path, tmp_path: Path) -> None:
    tuned = taught(tiny, {"kind": "full"}, tmp_path)
    start, end = plain(tiny), plain(tuned)
    size = held_bytes(weights.open_base(str(tiny)).model)
    before = _tensor_bytes()
    dial = weights.open_dial(str(tuned), str(tiny))
    for alpha in (0, 0.5, 1, 0.25, 0.75, 0, 1, 0.5, 0):
        dial.turn(alpha)
        assert _tensor_bytes() - before < 2.2 * size
        for name, weight in dial.model.named_parameters():
            assert torch.equal(weight, torch.lerp(start[name], end[name], alpha))
            assert alpha not in (0, 1) or torch.equal(weight, (start if alpha == 0 else end)[name])


def _tensor_bytes() -> int:
    """Of every tensor there is, what several share counted once."""
    gc.collect()
    found = [each for each in gc.get_objects() if issubclass(type(each), torch.Tensor)]
    return sum({each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in found}.values())
