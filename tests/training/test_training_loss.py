"""The chunked loss beside the plain one: value and every gradient, whatever the model's head and wrapping."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from waiting import PATIENCE

from wellread import weights
from wellread.training import chunked
from wellread.training.batches import IGNORED
from wellread.training.chunked import Chunked, Shaping, chunk_rows, head_loss
from wellread.training.loss import MASKED, causal_loss, takes_segments, validation_loss

VOCABULARY = 300
SHAPE: dict[str, Any] = dict(vocab_size=VOCABULARY, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                             num_attention_heads=4, num_key_value_heads=2, initializer_range=0.3)  # fmt: skip
MODELS: dict[str, Callable[[], Any]] = {
    "tied": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE, tie_word_embeddings=True)),
    "untied": lambda: LlamaForCausalLM(LlamaConfig(**SHAPE)),
    "capped": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**SHAPE, head_dim=8, final_logit_softcapping=2.0)),
    "divided": lambda: GraniteForCausalLM(GraniteConfig(**SHAPE, logits_scaling=3.0)),
    "multiplied": lambda: CohereForCausalLM(
        CohereConfig(**SHAPE, logit_scale=0.3, pad_token_id=0, bos_token_id=1, eos_token_id=2)
    ),
    "bias": lambda: PhiForCausalLM(PhiConfig(**{**SHAPE, "num_key_value_heads": 4}, resid_pdrop=0.0)),
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
        )
    ),
}


def made(name: str) -> Any:
    torch.manual_seed(0)
    model = MODELS[name]()
    if name == "bias":
        torch.nn.init.normal_(model.lm_head.bias)
    return model.train()


def batch(rows: int = 3, length: int = 20) -> dict[str, torch.Tensor]:
    ids = torch.randint(3, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, 0] = IGNORED
    labels[1, 5:12] = IGNORED
    return {"input_ids": ids, "labels": labels}


def plain(model: Any, given: dict[str, torch.Tensor], autocast: torch.dtype | None = None) -> torch.Tensor:
    inputs = {name: ids for name, ids in given.items() if name != "labels"}
    with torch.autocast("cpu", dtype=autocast, enabled=autocast is not None):
        logits = model(**inputs, use_cache=False).logits
    return functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), given["labels"][:, 1:].flatten(), ignore_index=IGNORED, reduction="sum"
    )


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    torch.autograd.backward(loss)
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm().clamp(min=1e-30))


def assert_same(model: Any, given: dict[str, torch.Tensor], tolerance: float = 1e-5, **options: Any) -> None:
    ours, theirs = causal_loss(model, given, options.get("autocast")), plain(model, given, **options)
    assert ours.item() == pytest.approx(theirs.item(), rel=tolerance)
    found, expected = gradients(model, ours / 7), gradients(model, theirs / 7)
    assert found.keys() == expected.keys()
    assert {
        name: apart(found[name], expected[name]) for name in found if apart(found[name], expected[name]) > tolerance
    } == {}


@pytest.fixture(autouse=True)
def _several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked, "FEWEST_ROWS", 7)
    monkeypatch.setattr(chunked, "MOST_ROWS", 7)


@pytest.mark.parametrize("name", MODELS)
def test_value_and_gradients_are_those_of_the_plain_loss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    monkeypatch.setattr(chunked, "head_loss", lambda *given: runs.append(given[-1]) or head_loss(*given))
    assert_same(made(name), batch())
    kinds = {"capped": Shaping(cap=2.0), "divided": Shaping(scale=1 / 3), "multiplied": Shaping(scale=0.3)}
    [shaping] = runs
    expected = kinds.get(name, Shaping())
    assert (shaping.scale, shaping.cap) == (pytest.approx(expected.scale), expected.cap)


def test_in_bfloat16_products() -> None:
    assert_same(made("tied"), batch(), tolerance=0.02, autocast=torch.bfloat16)


def test_with_positions_and_checkpointed_layers() -> None:
    model = made("untied")
    given = batch(2, 16)
    given["position_ids"] = torch.arange(8).repeat(2, 2)
    assert_same(model, given)
    weights.checkpoint_layers(model)
    assert_same(model, given)


def test_through_peft_the_frozen_head_gets_no_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(made("tied"), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    kept: list[Any] = []
    monkeypatch.setattr(chunked, "_empty_gradients", lambda *given: kept.append(empty(*given)) or kept[-1])
    assert_same(model, batch())
    assert [grad is None for grad in kept[0]] == [False, True, True]


empty = chunked._empty_gradients


def test_an_adapted_head_takes_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(made("untied"), LoraConfig(r=4, target_modules=["lm_head"], init_lora_weights=False))
    monkeypatch.setattr(chunked, "head_loss", lambda *given: pytest.fail("chunked"))
    assert_same(model, batch())


def test_an_unknown_shaping_takes_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(LlamaForCausalLM):
        def forward(self, *given: Any, labels: Any = None, **options: Any) -> Any:
            output = super().forward(*given, **options)
            output.logits = output.logits.abs().sqrt()
            output.loss = None if labels is None else self.loss_function(output.logits, labels, VOCABULARY)
            return output

    monkeypatch.setattr(chunked, "head_loss", lambda *given: pytest.fail("chunked"))
    torch.manual_seed(0)
    assert_same(Odd(LlamaConfig(**SHAPE)), batch())


def test_nothing_is_left_on_the_model() -> None:
    model = made("tied")
    before = set(vars(model)), set(vars(model.lm_head))
    causal_loss(model, batch(), None)
    assert (set(vars(model)), set(vars(model.lm_head))) == before
    broken = {**batch(), "input_ids": torch.zeros(1)}
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        causal_loss(model, broken, None)
    assert (set(vars(model)), set(vars(model.lm_head))) == before


def test_rows_without_a_label_never_reach_the_head() -> None:
    hidden = torch.randn(40, 8, requires_grad=True)
    weight = torch.randn(50, 8, requires_grad=True)
    targets = torch.full((40,), IGNORED)
    targets[[3, 20, 21]] = torch.tensor([1, 2, 3])
    with torch.no_grad():
        hidden[5] = float("nan")
    loss = head_loss(hidden, weight, None, targets, Shaping())
    torch.autograd.backward(loss)
    assert hidden.grad is not None
    assert weight.grad is not None
    assert torch.isfinite(loss)
    assert torch.isfinite(weight.grad).all()
    assert hidden.grad.abs().sum(1).nonzero().flatten().tolist() == [3, 20, 21]


def test_a_batch_without_labels_costs_nothing_and_moves_nothing() -> None:
    model = made("tied")
    given = batch()
    given["labels"].fill_(IGNORED)
    loss = causal_loss(model, given, None)
    assert loss.item() == 0
    assert all(grad.abs().max() == 0 for grad in gradients(model, loss).values())


def test_evaluation_makes_no_gradients_and_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made("tied")
    kept: list[Any] = []
    monkeypatch.setattr(chunked, "_empty_gradients", lambda *given: kept.append(empty(*given)) or kept[-1])
    with torch.no_grad():
        loss = causal_loss(model, batch(), None)
        assert loss.item() == pytest.approx(plain(model, batch()).item(), rel=1e-6)
    assert kept == [(None, None, None)]
    assert not loss.requires_grad
    assert validation_loss(model, [{name: row for name, row in zip(batch(), pair, strict=True)}
                                   for pair in zip(*batch().values(), strict=True)], 2, None)[1] == 50  # fmt: skip


def test_extreme_logits_stay_finite_and_right() -> None:
    hidden = torch.eye(4)[:2].mul(500).requires_grad_()
    weight = torch.eye(4).requires_grad_()
    targets = torch.tensor([0, 2])
    loss = head_loss(hidden, weight, None, targets, Shaping())
    expected = functional.cross_entropy(hidden @ weight.t(), targets, reduction="sum")
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    found = torch.autograd.grad(loss, (hidden, weight))
    for mine, theirs in zip(found, torch.autograd.grad(expected, (hidden, weight)), strict=True):
        assert apart(mine, theirs) < 1e-6


def test_chunks_hold_about_as_many_bytes_whatever_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert chunk_rows(1000) == chunked.MOST_ROWS
    assert chunk_rows(49_152) * 49_152 * 4 <= chunked.CHUNK_BYTES
    assert chunk_rows(10**6) == chunked.FEWEST_ROWS


def test_any_chunk_gives_the_same() -> None:
    torch.manual_seed(0)
    hidden, weight, targets = torch.randn(30, 8), torch.randn(50, 8), torch.randint(0, 50, (30,))
    losses = [Chunked.apply(hidden, weight, None, targets, Shaping(), rows, False).item() for rows in (1, 7, 30, 99)]
    assert losses == pytest.approx([losses[0]] * 4, rel=1e-6)


def _rank(rank: int, port: int, answers: Any) -> None:
    from torch import distributed

    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    model = made("tied")
    half = {name: ids[2 * rank : 2 * rank + 2] for name, ids in batch(4).items()}
    wrapped = torch.nn.parallel.DistributedDataParallel(copy.deepcopy(model))
    found = {"ddp": gradients(wrapped.module, causal_loss(wrapped, half, None))}
    sharded = copy.deepcopy(model)
    for part in (*sharded.model.layers, sharded):
        distributed.fsdp.fully_shard(part, mesh=distributed.init_device_mesh("cpu", (2,)))
    of_shards = gradients(sharded, causal_loss(sharded, half, None))
    found["fsdp"] = {name: grad.full_tensor() for name, grad in of_shards.items()}
    if rank == 0:
        answers.put({kind: {name: grad.numpy() for name, grad in grads.items()} for kind, grads in found.items()})
    distributed.barrier()
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_average_the_gradients_of_their_halves() -> None:
    """Through DistributedDataParallel and through FSDP the gradient hooks fire: both give half of the whole batch's."""
    context = torch.multiprocessing.get_context("spawn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answers = context.Queue()
    ranks = [context.Process(target=_rank, args=(rank, port, answers)) for rank in range(2)]
    for process in ranks:
        process.start()
    results = answers.get(timeout=PATIENCE)
    for process in ranks:
        process.join(timeout=PATIENCE)
        assert process.exitcode == 0
    model = made("tied")
    expected = gradients(model, plain(model, batch(4)) / 2)
    for kind, found in results.items():
        for name, grad in found.items():
            assert apart(torch.from_numpy(grad), expected[name]) < 1e-5, (kind, name)


SLIDING = dict(head_dim=8, sliding_window=16, layer_types=["full_attention", "sliding_attention"])
SEGMENTED: dict[str, Callable[[], Any]] = {
    "llama": MODELS["tied"],
    "mistral": lambda: MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=None)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SHAPE)),
    "qwen3": lambda: Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=8)),
    "gemma3_text": lambda: Gemma3ForCausalLM(Gemma3TextConfig(**SHAPE, **{**SLIDING, "sliding_window": 64})),
}


@pytest.mark.parametrize("name", MASKED)
def test_examples_that_share_their_beginning_are_learned_as_they_are_alone(name: str) -> None:
    torch.manual_seed(0)
    model = SEGMENTED[name]().train()
    draw = torch.Generator().manual_seed(1)
    beginning, *own = (torch.randint(3, VOCABULARY, (size,), generator=draw) for size in (9, 7, 11, 5))
    alone = torch.zeros(())
    for each in own:
        ids = torch.cat([beginning, each])[None]
        labels = torch.where(torch.arange(ids.shape[1]) > 11, ids, IGNORED)
        alone = alone + causal_loss(model, {"input_ids": ids, "labels": labels}, None)
    torch.autograd.backward(alone)
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    places = [torch.arange(9), *(torch.arange(9, 9 + len(each)) for each in own)]
    ids, positions = torch.cat([beginning, *own])[None], torch.cat(places)[None]
    segments = torch.cat([torch.full((len(each),), number) for number, each in enumerate(places)])[None]
    labels = torch.where(positions > 11, ids, IGNORED)
    batch = {"input_ids": ids, "labels": labels, "position_ids": positions, "segments": segments}
    assert takes_segments(model, ids.shape[1])
    together = causal_loss(model, batch, None)
    torch.autograd.backward(together)
    assert together.item() == pytest.approx(alone.item(), rel=1e-5)
    for name_, weight in model.named_parameters():
        assert torch.allclose(weight.grad, expected[name_], atol=1e-4), name_


def test_no_beginning_is_shared_where_attention_is_not_all_that_a_mask_says() -> None:
    sliding = Gemma3ForCausalLM(Gemma3TextConfig(**SHAPE, **SLIDING))
    assert takes_segments(sliding, 16)
    assert not takes_segments(sliding, 17)
    assert not takes_segments(MODELS["gpt2"](), 16)
    eager = LlamaForCausalLM(LlamaConfig(**SHAPE, attn_implementation="eager"))
    assert not takes_segments(eager, 16)


def test_a_window_that_slides_in_every_layer_is_one_too() -> None:
    mistral = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=16))
    assert takes_segments(mistral, 16)
    assert not takes_segments(mistral, 17)
