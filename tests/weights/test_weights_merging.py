"""For every method: a checkpoint opens, merges and exports as the weights that were trained against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from weights_toy import IDS, logits, needs_bitsandbytes, stage, teach, tensors

from wellread import weights
from wellread.errors import MissingPackage, ModelError, RecipeError
from wellread.testing import tiny_model

NF4 = {"kind": "qlora", "rank": 4}
PLAIN_NF4 = {**NF4, "double_quantization": False}
INT8 = {**NF4, "quantization": "int8"}
LORA = {"kind": "lora", "rank": 4}
ADAPTERS = [
    pytest.param(LORA, id="lora"),
    pytest.param({**LORA, "rslora": True}, id="rslora"),
    pytest.param(NF4, id="nf4", marks=needs_bitsandbytes),
    pytest.param(PLAIN_NF4, id="nf4-plain-scales", marks=needs_bitsandbytes),
    pytest.param(INT8, id="int8", marks=needs_bitsandbytes),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Layers that hold their matrices transposed, with biases, and tied embeddings."""
    from transformers import GPT2Config, GPT2LMHeadModel

    from wellread.testing import byte_tokenizer

    folder = byte_tokenizer(tmp_path_factory.mktemp("gpt2"))
    config = GPT2Config(vocab_size=257, n_embd=32, n_layer=2, n_head=2, n_positions=64, initializer_range=0.2)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


def opened(start: Path, method: dict[str, Any], folder: Path) -> weights.Trainee:
    return weights.open_to_train(stage(method), str(start), folder=folder, text_bytes=10**6, seed=1)


def taught(start: Path, method: dict[str, Any], folder: Path) -> tuple[Path, torch.Tensor]:
    """The checkpoint of a stage on `start`, and what its model said at the end of training."""
    trainee = opened(start, method, folder)
    said = logits(teach(trainee.model))
    kind = str(method["kind"])
    path = weights.save(trainee.model, trainee.tokenizer, folder / "checkpoint", method=kind, base=trainee.base).path
    return path, said


def loads_plainly(folder: Path) -> torch.Tensor:
    from transformers import AutoModelForCausalLM

    return logits(AutoModelForCausalLM.from_pretrained(folder))


@pytest.mark.parametrize("base", ["tiny", "gpt2"])
@pytest.mark.parametrize("method", ADAPTERS)
def test_merged_says_what_base_and_adapter_said(
    base: str, method: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    start = request.getfixturevalue(base)
    trainee = opened(start, method, tmp_path)
    before = logits(weights.open_base(str(start)).model)
    said = logits(teach(trainee.model))
    assert (said - before).abs().max() > 0.1
    checkpoint = weights.save(trainee.model, trainee.tokenizer, tmp_path / "c", method="x", base=trainee.base).path
    reopened = weights.load_checkpoint(checkpoint).model
    torch.testing.assert_close(logits(reopened), said, rtol=0, atol=1e-5)
    for model in (reopened, trainee.model):
        merged = weights.merge(model)
        torch.testing.assert_close(logits(merged), said, rtol=0, atol=1e-5)
        assert {weight.dtype for weight in merged.parameters()} == {torch.float32}
        assert type(merged).__name__ == type(weights.open_base(str(start)).model).__name__
    whole = weights.save(merged, trainee.tokenizer, tmp_path / "merged", method="x").path
    assert not (whole / "adapter_config.json").exists()
    torch.testing.assert_close(loads_plainly(whole), said, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ADAPTERS)
def test_full_weights_follow_an_adapter(method: dict[str, Any], tiny: Path, tmp_path: Path) -> None:
    adapter, said = taught(tiny, method, tmp_path / "one")
    trainee = opened(adapter, {"kind": "full"}, tmp_path / "two")
    torch.testing.assert_close(logits(trainee.model), said, rtol=0, atol=1e-5)
    assert all(weight.requires_grad for weight in trainee.model.parameters())
    assert any("merged" in note for note in trainee.notes)
    after = logits(teach(trainee.model))
    saved = weights.save(trainee.model, trainee.tokenizer, tmp_path / "c", method="full", base=trainee.base).path
    assert torch.equal(loads_plainly(saved), after)
    assert torch.equal(logits(weights.open_base(str(saved)).model), after)


def test_tied_embeddings_stay_tied_through_every_step(gpt2: Path, tmp_path: Path) -> None:
    trainee = opened(gpt2, {"kind": "full"}, tmp_path)
    for start in (trainee, opened(taught(gpt2, LORA, tmp_path / "one")[0], {"kind": "full"}, tmp_path / "two")):
        model = teach(start.model)
        assert model.lm_head.weight is model.transformer.wte.weight
        saved = weights.save(model, start.tokenizer, tmp_path / "c", method="full", base=start.base).path
        again = weights.open_base(str(saved)).model
        assert again.lm_head.weight is again.transformer.wte.weight
        assert torch.equal(logits(again), logits(model))


def test_an_adapter_follows_full_weights_and_finds_them_after_a_move(tiny: Path, tmp_path: Path) -> None:
    whole, _ = taught(tiny, {"kind": "full"}, tmp_path / "run" / "one")
    _, said = taught(whole, LORA, tmp_path / "run" / "two")
    (tmp_path / "run").rename(tmp_path / "moved")
    found = weights.open_base(str(tmp_path / "moved" / "two" / "checkpoint"))
    assert torch.equal(logits(found.model), said)


# in four or eight bits


@needs_bitsandbytes
@pytest.mark.parametrize(("method", "most"), [(NF4, 0.12), (PLAIN_NF4, 0.12), (INT8, 0.02)])
def test_packed_layers_hold_the_base_roughly_and_take_less_memory(
    tiny: Path, tmp_path: Path, method: dict[str, Any], most: float
) -> None:
    trainee = opened(tiny, method, tmp_path)
    packed = trainee.model.get_base_model().model.layers[0].mlp.up_proj.base_layer
    plain = weights.open_base(str(tiny)).model.model.layers[0].mlp.up_proj.weight
    error = (packed.unpack() - plain).norm() / plain.norm()
    assert 0 < error < most
    taken = sum(weight.numel() * weight.element_size() for weight in packed.parameters())
    # 4 bits and a scale of 32 or about 8 bits for 64 weights (and a code of 1 KB), or 8 bits and a scale a row
    most_bytes = {"nf4": plain.numel() * 4.5 / 8, "int8": plain.numel() + 4 * len(plain)}
    assert taken <= most_bytes[method.get("quantization", "nf4")] + (1100 if method is NF4 else 0)
    assert all("lora_" in name for name, weight in trainee.model.named_parameters() if weight.requires_grad)
    assert "MB in float32" in trainee.notes[0]


@needs_bitsandbytes
def test_gradients_through_packed_layers_are_those_of_the_weights_they_stand_for(tiny: Path, tmp_path: Path) -> None:
    for method in (NF4, INT8):
        packed = opened(tiny, method, tmp_path).model
        checkpoint = weights.save(packed, weights.open_tokenizer(tiny), tmp_path / "c", method="qlora", base=str(tiny))
        plain = weights.load_checkpoint(checkpoint.path).model
        gradients = []
        for model in (packed, plain):
            for name, weight in model.named_parameters():
                weight.requires_grad_("lora_" in name)
            torch.autograd.backward(model(IDS, labels=IDS).loss)
            gradients.append([w.grad for n, w in sorted(model.named_parameters()) if "lora_B" in n])
        for mine, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


@needs_bitsandbytes
def test_packed_layers_keep_nothing_for_the_backward_pass_but_what_the_adapter_needs(
    tiny: Path, tmp_path: Path
) -> None:
    def kept(method: dict[str, Any]) -> int:
        model = opened(tiny, method, tmp_path).model.train()
        found: dict[int, int] = {}
        own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

        def note(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                found[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            loss = model(IDS, labels=IDS).loss
        del loss
        return sum(found.values())

    assert kept(NF4) <= kept(LORA)


@needs_bitsandbytes
def test_packed_layers_compute_in_bfloat16_under_autocast(tiny: Path, tmp_path: Path) -> None:
    model = opened(tiny, NF4, tmp_path).model
    plain = logits(model)
    with torch.autocast("cpu", torch.bfloat16):
        half = logits(model)
        loss = model(IDS, labels=IDS).loss
    torch.autograd.backward(loss)
    assert 0 < (half.float() - plain).abs().max() < 0.2


@needs_bitsandbytes
def test_an_adapter_may_go_on_in_another_precision_of_its_base(tiny: Path, tmp_path: Path) -> None:
    first, said = taught(tiny, NF4, tmp_path / "one")
    second = opened(first, LORA, tmp_path / "two")  # lora goes on against the same rounded base
    torch.testing.assert_close(logits(second.model), said, rtol=0, atol=1e-5)
    again = weights.save(second.model, second.tokenizer, tmp_path / "again", method="lora", base=second.base).path
    torch.testing.assert_close(logits(weights.open_base(str(again)).model), said, rtol=0, atol=1e-5)
    same = opened(first, NF4, tmp_path / "three")
    torch.testing.assert_close(logits(same.model), said, rtol=0, atol=1e-5)
    other = opened(first, INT8, tmp_path / "four")
    assert any("trained against the base in nf4 with double" in note and "in int8" in note for note in other.notes)
    assert torch.equal(
        *(tensors(path)["base_model.model.model.layers.0.mlp.up_proj.lora_B.weight"] for path in (first, again))
    )


@needs_bitsandbytes
def test_the_record_says_how_the_base_was_rounded(tiny: Path, tmp_path: Path) -> None:
    for place, (method, kind) in enumerate(((NF4, "nf4"), (INT8, "int8"), (LORA, None))):
        path, _ = taught(tiny, method, tmp_path / str(place))
        found = json.loads((path / "wellread.json").read_text())["quantization"]
        assert (found and found["kind"]) == kind


@needs_bitsandbytes
def test_the_gap_is_the_loss_on_four_models(tiny: Path, tmp_path: Path) -> None:
    checkpoint, _ = taught(tiny, NF4, tmp_path / "one")

    def loss(model: Any) -> float:
        with torch.no_grad():
            return float(model.eval()(IDS, labels=IDS).loss)

    gap = weights.quantisation_gap(checkpoint, loss)
    assert gap.base == loss(weights.open_base(str(tiny)).model)
    assert gap.rounded == pytest.approx(loss(opened(tiny, NF4, tmp_path / "two").model), abs=1e-5)
    assert gap.adapter_on_rounded == pytest.approx(loss(weights.open_base(str(checkpoint)).model), abs=1e-6)
    assert len({gap.base, gap.rounded, gap.adapter_on_base, gap.adapter_on_rounded}) == 4
    assert "\n" not in str(gap)
    # merged into weights that were rounded already, the base is rounded again, and loses again
    merged, _ = taught(checkpoint, {**NF4, "adapter": "merge"}, tmp_path / "three")
    again = weights.quantisation_gap(merged, loss)
    assert again.base == pytest.approx(gap.adapter_on_rounded, abs=1e-5)
    assert again.rounded != pytest.approx(again.base, abs=1e-5)
    with pytest.raises(ModelError, match="no gap"):
        weights.quantisation_gap(tiny, loss)


def test_qlora_without_its_package_names_the_command(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wellread.weights.quantising.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="pip install bitsandbytes"):
        opened(tiny, NF4, tmp_path)


def test_a_stage_from_scratch_opens_nothing(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="creates its weights"):
        opened(tiny, {"kind": "scratch"}, tmp_path)


def test_sixteen_bit_weights_are_packed_without_passing_through_float32(tiny: Path, tmp_path: Path) -> None:
    from wellread.weights.opening import stored_dtype

    model = weights.open_base(str(tiny)).model.to(torch.bfloat16)
    weights.save(model, weights.open_tokenizer(tiny), tmp_path / "half", method="full")
    assert stored_dtype(tmp_path / "half") == torch.bfloat16
    assert stored_dtype(tiny) == torch.float32
    assert {w.dtype for w in weights.open_base(str(tmp_path / "half")).model.parameters()} == {torch.float32}


@needs_bitsandbytes
def test_packing_sixteen_bits_gives_what_opening_in_float32_gives(tiny: Path, tmp_path: Path) -> None:
    model = weights.open_base(str(tiny)).model.to(torch.bfloat16)
    half = weights.save(model, weights.open_tokenizer(tiny), tmp_path / "half", method="full").path
    for place, method in enumerate((NF4, INT8)):
        checkpoint, said = taught(half, method, tmp_path / str(place))
        torch.testing.assert_close(logits(weights.load_checkpoint(checkpoint).model), said, rtol=0, atol=1e-5)
