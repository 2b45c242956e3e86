"""Steps taken side by side: the same gradients as one after another, the same bits each time."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from training_toy import toy_stage, toy_train

from wellread import weights
from wellread.testing import tiny_model
from wellread.training.crew import Crew, shares
from wellread.training.loss import causal_loss
from wellread.training.muon import Muon
from wellread.training.twins import Twins, dressed, side_by_side, twins_help


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """What a test takes for the number of cores is not left to the next."""
    own = torch.get_num_threads()
    yield
    torch.set_num_threads(own)


@pytest.fixture
def model(tmp_path: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny_model(tmp_path / "tiny")).train()


@pytest.fixture
def crew() -> Iterator[Crew]:
    crew = Crew(2)
    yield crew
    crew.close()


def batch(rows: int = 5) -> dict[str, torch.Tensor]:
    ids = torch.randint(0, 250, (rows, 24), generator=torch.Generator().manual_seed(1))
    labels = ids.clone()
    labels[:, 0] = -100
    labels[1, 5:9] = -100
    return {"input_ids": ids, "labels": labels}


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return found


def test_the_gradients_are_those_of_the_whole_batch(model: Any, crew: Crew) -> None:
    loss = causal_loss(model, batch(), None) / 100
    loss.backward()
    expected = gradients(model)
    found = Twins(model, crew).backward(batch(), 100, None)
    assert float(found) == pytest.approx(float(loss.detach()), rel=1e-5)
    for name, gradient in gradients(model).items():
        assert torch.allclose(gradient, expected[name], atol=1e-6), name


def test_frozen_weights_are_not_copied_and_trained_ones_are_shared(model: Any, crew: Crew) -> None:
    model.model.embed_tokens.weight.requires_grad_(False)
    one, two = Twins(model, crew).models
    assert two.model.embed_tokens.weight is one.model.embed_tokens.weight
    ours, theirs = one.model.layers[0].mlp.up_proj.weight, two.model.layers[0].mlp.up_proj.weight
    assert ours is not theirs
    with torch.no_grad():
        ours.add_(1)
    assert torch.equal(ours, theirs)


def test_dropped_shares_follow_the_seed_alone(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with dressed(model, 0.5, rows=4) as twins:
        assert twins is not None
        losses = []
        for seed in (1, 1, 2):
            twins.begin(seed)
            losses.append(float(twins.backward(batch(), 100, None)))
    assert losses[0] == losses[1] != losses[2]


def test_draws_of_the_models_own_keep_a_step_whole(model: Any) -> None:
    assert twins_help(model)
    model.extra = torch.nn.Dropout(0.1)
    assert not twins_help(model)
    del model.extra
    checkpointed = copy.deepcopy(model)
    weights.checkpoint_layers(checkpointed)
    assert not twins_help(checkpointed)


@pytest.mark.parametrize(("rows", "cores", "copies", "each"), [
    (1, 2, 1, 2), (2, 2, 2, 1), (3, 2, 2, 1), (4, 1, 1, 1), (1, 8, 1, 8), (2, 8, 2, 4), (4, 8, 4, 2), (16, 8, 8, 1), (4, 6, 4, 1),
])  # fmt: skip
def test_no_core_waits_for_windows_that_are_not_there(rows: int, cores: int, copies: int, each: int) -> None:
    assert side_by_side(rows, cores) == (copies, each)


def test_one_window_at_a_time_is_read_by_all_cores(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    with dressed(model, 0.0, rows=1) as twins:
        assert twins is None
    with dressed(model, 0.0, rows=2) as twins:
        assert twins is not None
        assert len(twins.models) == 2
        assert (twins.crew.size, twins.crew.cores) == (2, 4)
    with dressed(model, 0.0, rows=2, world=2) as twins:
        assert twins is None


@pytest.mark.parametrize(("method", "copies"), [({"kind": "scratch"}, [2]), ({"kind": "lora", "rank": 2}, [])])
def test_a_window_that_is_read_in_pieces_is_several_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: dict[str, Any], copies: list[int]
) -> None:
    """From scratch, one window of 64 is two rows at first, and a model so small gains nothing by two cores for each operation."""
    seen: list[int] = []

    class Seen(Crew):
        def __init__(self, size: int, cores: int = 1) -> None:
            seen.append(size)
            super().__init__(size, cores)

    monkeypatch.setattr("wellread.training.twins.Crew", Seen)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    one = {"batch": 1, "kind": "adamw"}
    toy_train(tmp_path / "run", toy_stage(method=method, optimizer=one, budget={"steps": 1}))
    assert seen == copies


def test_work_is_shared_by_cost_and_errors_come_back(crew: Crew) -> None:
    assert shares([("a", 1), ("b", 5), ("c", 2), ("d", 2)], 2) == [["b"], ["c", "d", "a"]]
    assert crew.each(lambda number: number * 2, [1, 2, 3]) == [2, 4, 6]
    with pytest.raises(ZeroDivisionError):
        crew.each(lambda number: 1 / number, [1, 0])


def test_muon_steps_are_the_same_with_a_crew_and_close_in_bfloat16(crew: Crew) -> None:
    def stepped(crew: Crew | None, half: bool = False) -> list[torch.Tensor]:
        generator = torch.Generator().manual_seed(3)
        weights = [torch.nn.Parameter(torch.randn(n, 16, generator=generator)) for n in (16, 32, 8)]
        optimizer = Muon([{"params": weights, "lr": 0.1, "muon": True}])
        optimizer.crew, optimizer.half = crew, half
        for weight in weights:
            weight.grad = torch.randn(weight.shape, generator=generator)
        optimizer.step()
        return [weight.detach() for weight in weights]

    alone, shared, half = stepped(None), stepped(crew), stepped(crew, half=True)
    for one, two, three in zip(alone, shared, half, strict=True):
        assert torch.equal(one, two)
        assert not torch.equal(one, three)
        assert torch.allclose(one, three, atol=0.02)
