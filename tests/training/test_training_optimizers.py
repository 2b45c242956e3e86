"""What the optimizers do to weights: their rates, decay and clipping, and Muon's directions."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_toy import LENGTH, final, log, toy_model, toy_stage, toy_train

from wellread.recipe import Optimizer
from wellread.training.muon import orthogonalise
from wellread.training.optimizers import make_optimizer


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_weight_decay_shrinks_hidden_matrices_only(tmp_path: Path, kind: str) -> None:
    model, _ = toy_model(toy_stage(), tmp_path)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    settings = Optimizer.model_validate(
        {"kind": kind, "learning_rate": 0.1, "muon_learning_rate": 0.1, "weight_decay": 0.5}
    )
    optimizer = make_optimizer(model, settings)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for name, weight in model.named_parameters():
        factor = 0.95 if weight.dim() == 2 and ".layers." in name else 1.0
        assert torch.allclose(weight, before[name] * factor, atol=1e-6), name


def test_muon_and_adamw_each_have_their_rate(tmp_path: Path) -> None:
    model, _ = toy_model(toy_stage(), tmp_path)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = make_optimizer(
        model, Optimizer(kind="muon", learning_rate=1e-4, muon_learning_rate=0.5, weight_decay=0)
    )
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=generator)
    optimizer.step()
    moved = {name: weight.detach() - before[name] for name, weight in model.named_parameters()}
    matrix = moved["model.layers.0.self_attn.q_proj.weight"]
    assert 0.1 < float(torch.linalg.svdvals(matrix).median()) < 0.7
    # AdamW's first step is its rate, whatever the gradient
    assert moved["lm_head.weight"].abs().median() == pytest.approx(1e-4, rel=0.01)
    assert moved["model.embed_tokens.weight"].abs().max() < 3e-4


def test_orthogonalise_keeps_directions_and_evens_out_their_lengths() -> None:
    matrix = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalise(matrix, steps=5)
    assert torch.linalg.svdvals(found).min() > 0.6
    assert torch.linalg.svdvals(found).max() < 1.3
    along = u.T @ found @ v.T
    assert (along - along.diag().diag()).abs().max() < 1e-4
    assert torch.allclose(orthogonalise(matrix.T, steps=5), found.T, atol=1e-5)


def test_adamw_is_torch_s() -> None:
    """The AdamW beside Muon takes the steps of torch.optim.AdamW."""
    from wellread.training.muon import Muon

    mine, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4)) for _ in range(2))
    options = {"lr": 0.05, "betas": (0.9, 0.95), "eps": 1e-10, "weight_decay": 0.1}
    ours = Muon([{"params": [mine], **options}])
    reference = torch.optim.AdamW([{"params": [theirs], **options}])
    for step in range(5):
        for weight, optimizer in ((mine, ours), (theirs, reference)):
            weight.grad = torch.sin(weight.detach() * (step + 1))
            optimizer.step()
    assert torch.allclose(mine, theirs, atol=1e-6)


def test_batch_and_clip_and_length(tmp_path: Path) -> None:
    """A batch is so many windows; a gradient clipped to almost nothing moves almost nothing."""
    moved = {}
    for clip in (1.0, 1e-13):
        settings = {"kind": "adamw", "batch": 2, "clip": clip, "learning_rate": 1e-3, "warmup": 0, "decay": 0,
                    "weight_decay": 0}  # fmt: skip
        folder = tmp_path / str(clip)
        stage = toy_stage(method={"kind": "scratch"}, budget={"steps": 1}, optimizer=settings)
        toy_train(folder, stage)
        assert log(folder)[-1]["tokens"] == 2 * LENGTH
        start = toy_model(stage, tmp_path / "again")[0].state_dict()
        moved[clip] = max(float((weight - start[name]).abs().max()) for name, weight in final(folder).items())
    assert moved[1.0] == pytest.approx(1e-3, rel=0.01)
    assert moved[1e-13] < 1e-7
