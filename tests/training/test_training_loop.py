"""What a recipe says about training, each setting by its effect; and what training says about itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from training_toy import BATCH, LENGTH, ToyWindows, log, toy_model, toy_stage, toy_train

from wellread import weights
from wellread.errors import RecipeError, RunError
from wellread.recipe import Budget, Optimizer
from wellread.training.batches import IGNORED, Batches, collate, cut, in_order, pieces_at
from wellread.training.budget import Course, planned_steps, schedule
from wellread.training.dropout import dropout
from wellread.training.estimate import foresee
from wellread.training.fitting import nothing_fitted
from wellread.training.kept import Kept
from wellread.training.log import Log, Progress
from wellread.training.loss import causal_loss, validation_loss
from wellread.training.muon import orthogonalise
from wellread.training.optimizers import make_optimizer


def final(folder: Path) -> dict[str, torch.Tensor]:
    return dict(weights.load_checkpoint(folder / "checkpoint").model.state_dict())


# the loss


def test_loss_is_that_of_transformers(tmp_path: Path) -> None:
    model, _ = toy_model(toy_stage(), tmp_path)
    torch.nn.init.normal_(model.lm_head.weight)
    batch = collate([ToyWindows()[0], ToyWindows()[1]])
    batch["labels"][0, 5:9] = IGNORED
    expected = model(**batch).loss
    count = (batch["labels"] != IGNORED).sum()
    found = causal_loss(model, batch, None) / count
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_an_untrained_model_needs_the_logarithm_of_its_vocabulary(tmp_path: Path) -> None:
    model, tokenizer = toy_model(toy_stage(), tmp_path)
    loss, count = validation_loss(model, ToyWindows(3), 2, None)
    assert loss == pytest.approx(math.log(len(tokenizer)), rel=1e-6)
    assert count == 3 * (LENGTH - 1)


def test_logged_loss_is_the_mean_over_predicted_tokens(tmp_path: Path) -> None:
    toy_train(tmp_path / "run", toy_stage(budget={"steps": 1}))
    [row] = [row for row in log(tmp_path / "run") if "loss" in row]
    assert row["loss"] == pytest.approx(math.log(257), rel=1e-6)


# the data


def test_batches_run_on_from_one_epoch_into_the_next() -> None:
    windows = ToyWindows(5)
    read = iter(Batches(windows, 3))
    seen = torch.cat([next(read)["input_ids"] for _ in range(5)])
    for epoch in range(3):
        windows.set_epoch(epoch)
        expected = torch.tensor([windows[place]["input_ids"] for place in range(5)])
        assert torch.equal(seen[5 * epoch : 5 * epoch + 5], expected)


def test_batches_go_on_from_a_place() -> None:
    first = Batches(ToyWindows(5), 3)
    read = iter(first)
    for _ in range(3):
        next(read)
    again = Batches(ToyWindows(5), 3, epoch=first.epoch, place=first.place)
    assert first.epochs == pytest.approx(9 / 5)
    assert torch.equal(next(read)["input_ids"], next(iter(again))["input_ids"])


def test_no_window_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(RecipeError, match=r"windows\.length"):
        Batches(ToyWindows(0), 3)


def test_validation_reads_every_window_once() -> None:
    assert [len(batch["labels"]) for batch in in_order(ToyWindows(7), 3)] == [3, 3, 1]


def test_from_scratch_windows_grow_with_the_budget() -> None:
    assert [pieces_at(share, 256) for share in (0, 0.39, 0.41, 0.79, 0.81, 1)] == [4, 4, 2, 2, 1, 1]
    assert [pieces_at(0, length) for length in (24, 64, 128, 258)] == [1, 2, 4, 2]
    batch = {"input_ids": torch.arange(16).reshape(2, 8), "labels": torch.arange(16).reshape(2, 8)}
    shorter = cut(batch, 4)
    assert shorter["input_ids"].tolist() == torch.arange(16).reshape(8, 2).tolist()
    assert shorter["labels"][:, 0].tolist() == [IGNORED] * 8


# the budget


def test_planned_steps() -> None:
    assert planned_steps(Budget(epochs=2.5), 10, 4, 64) == 7
    assert planned_steps(Budget(epochs=2.5, least_steps=20), 10, 4, 64) == 20
    assert planned_steps(Budget(epochs=2.5, least_steps=5), 10, 4, 64) == 7
    assert planned_steps(Budget(steps=9), 10, 4, 64) == 9
    assert planned_steps(Budget(tokens=4 * 64 * 3 + 1), 10, 4, 64) == 4
    assert planned_steps(Budget(minutes=1), 10, 4, 64) is None


def test_schedule_rises_stays_and_falls() -> None:
    rates = [schedule(share, warmup=0.1, decay=0.5) for share in (0, 0.05, 0.1, 0.3, 0.5, 0.75, 1)]
    assert rates == pytest.approx([0, 0.5, 1, 1, 1, 0.5, 0])
    assert schedule(1, warmup=0, decay=0) == 1
    assert schedule(0.5, warmup=1, decay=1) == pytest.approx(0.5)


def test_minutes_share_is_the_clock_s_and_leaves_time_for_the_last_validation() -> None:
    now = 100.0
    course = Course(Budget(minutes=1), windows=10, batch=4, length=64, clock=lambda: now)
    now += 15
    assert course.share == pytest.approx(0.25)
    course.reserve = 10
    assert course.share == pytest.approx(0.3)
    course.resume(step=5, seconds=40)
    now += 5
    assert course.seconds == pytest.approx(45)
    assert course.share == pytest.approx(0.9)
    assert course.seconds_left == pytest.approx(15)
    now += 5
    assert course.over


def test_learning_rate_follows_the_budget_in_steps(tmp_path: Path) -> None:
    rates: list[float] = []
    stage = toy_stage(budget={"steps": 10}, evaluations=10,
                      optimizer={"kind": "adamw", "learning_rate": 0.5e-3, "warmup": 0.2, "decay": 0.4})  # fmt: skip
    toy_train(tmp_path / "run", stage)
    rates = [row["learning_rate"] / 0.5e-3 for row in log(tmp_path / "run") if "loss" in row]
    assert rates == pytest.approx([0.25, 0.75, 1, 1, 1, 1, 0.875, 0.625, 0.375, 0.125])


def test_minutes_end_on_time_at_the_end_of_the_decay(tmp_path: Path) -> None:
    stage = toy_stage(budget={"minutes": 0.06}, evaluations=4, optimizer={"decay": 1.0, "warmup": 0.0})
    toy_train(tmp_path / "run", stage)
    rows = log(tmp_path / "run")
    assert 3.5 < rows[-1]["elapsed_seconds"] < 7
    rates = [row["learning_rate"] for row in rows if "loss" in row]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 0.25 * stage.optimizer.muon_learning_rate


def test_a_budget_in_which_no_step_fits_is_no_training(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no step fitted into its 1e-06 minutes.*`--set read\.steps=10`"):
        toy_train(tmp_path / "run", toy_stage(budget={"minutes": 1e-6}))
    assert "`--set read.validation_windows=1` (6 now)" in nothing_fitted(toy_stage(budget={"minutes": 1}), 6)


def test_epochs_read_the_text_so_often(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    windows = ToyWindows(8, watch=lambda epoch, place: seen.append((epoch, place)))
    toy_train(tmp_path / "run", toy_stage(budget={"epochs": 2}), windows=windows)
    assert seen == [(epoch, place) for epoch in (0, 1) for place in range(8)]


# the optimizer


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


# what is kept


def test_average_is_the_mean_of_the_late_weights() -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    kept = Kept("average")
    for step in range(1, 11):
        weight.data.fill_(float(step))
        kept.follow({"w": weight}, step / 10)
    assert kept.average["w"].tolist() == pytest.approx([9.5, 9.5])
    last = Kept("last")
    last.follow({"w": weight}, 1.0)
    assert not last.average


@pytest.mark.parametrize("keep", ["best", "last", "average"])
def test_kept_weights_have_the_logged_validation_loss(tmp_path: Path, keep: str) -> None:
    """A run whose rate is far too high at its end: the best is not the last."""
    settings = {"kind": "adamw", "learning_rate": 3.0, "warmup": 1.0, "decay": 0.0}
    stage = toy_stage(keep=keep, budget={"steps": 20}, evaluations=10, optimizer=settings, method={"kind": "scratch"})
    toy_train(tmp_path / "run", stage)
    rows = [row for row in log(tmp_path / "run") if "validation_loss" in row]
    current = [row["validation_loss"] for row in rows if row["weights"] == "current"]
    average = [row["validation_loss"] for row in rows if row["weights"] == "average"]
    assert len(current) == 11
    assert len(average) == (0 if keep == "last" else 1)
    expected = {"best": min([*current[1:], *average]), "last": current[-1], "average": (average or [0])[0]}[keep]
    model = weights.load_checkpoint(tmp_path / "run" / "checkpoint").model
    found, _ = validation_loss(model, ToyWindows(3, seed=9), BATCH, None)
    assert found == pytest.approx(expected, rel=1e-5)
    if keep == "best":
        assert expected < current[-1]
        assert log(tmp_path / "run")[-1]["kept"].startswith(("step ", "average"))


# dropout, precision, seed


def test_dropout_acts_in_training_only_and_leaves_no_trace(tmp_path: Path) -> None:
    model, _ = toy_model(toy_stage(), tmp_path)
    torch.nn.init.normal_(model.lm_head.weight)
    batch = collate([ToyWindows()[0]])
    plain = causal_loss(model.eval(), batch, None).item()
    with dropout(model, 0.5):
        assert causal_loss(model, batch, None).item() == plain
        noisy = {causal_loss(model.train(), batch, None).item() for _ in range(3)}
        embedded = model.model.embed_tokens(batch["input_ids"])
        assert float((embedded == 0).float().mean()) == pytest.approx(0.5, abs=0.1)
    assert len(noisy) == 3
    assert causal_loss(model, batch, None).item() == plain
    assert not any(module._forward_hooks for module in model.modules())


def test_lora_trains_the_adapter_alone(tmp_path: Path) -> None:
    stage = toy_stage(method={"kind": "lora", "rank": 3}, optimizer={"kind": "adamw", "learning_rate": 0.02})
    saved = toy_train(tmp_path / "run", stage)
    losses = [row["validation_loss"] for row in log(tmp_path / "run") if "validation_loss" in row]
    assert losses[-1] < losses[0] - 0.1
    opened = weights.load_checkpoint(saved.path)
    base = weights.open_base(str(tmp_path / "run-base"))
    theirs = dict(base.model.named_parameters())
    for name, weight in opened.model.named_parameters():
        if "lora_" not in name:
            plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
            assert torch.equal(weight, theirs[plain]), name
    assert (saved.method, saved.base) == ("lora", str(tmp_path / "run-base"))


def test_precision_changes_the_arithmetic_not_the_weights_type(tmp_path: Path) -> None:
    found = {}
    for setting in ("float32", "bfloat16"):
        toy_train(tmp_path / setting, toy_stage(precision=setting, method={"kind": "scratch"}))
        found[setting] = final(tmp_path / setting)
    assert all(weight.dtype == torch.float32 for weight in found["bfloat16"].values())
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(found["float32"][name], found["bfloat16"][name])
    assert torch.allclose(found["float32"]["lm_head.weight"], found["bfloat16"]["lm_head.weight"], atol=0.01)


def test_seed_decides_dropout(tmp_path: Path) -> None:
    runs = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        toy_train(tmp_path / name, toy_stage(budget={"steps": 4}), seed=seed)
        runs[name] = final(tmp_path / name)["lm_head.weight"]
    assert torch.equal(runs["a"], runs["b"])
    assert not torch.equal(runs["a"], runs["c"])


# what it says


def test_log_and_progress(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    heard: list[Progress] = []
    toy_train(tmp_path / "run", toy_stage(budget={"steps": 8}, evaluations=4), progress=heard.append)
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    rows = log(tmp_path / "run")
    place = {"step", "tokens", "epochs", "elapsed_seconds"}
    training = {"loss", "learning_rate", "tokens_per_second", "memory_bytes"}
    assert set(rows[0]) == place | {"validation_loss", "validation_tokens", "weights"}
    assert all(set(row) == place | training for row in rows if "loss" in row)
    assert all(place <= set(row) for row in rows)
    assert [row["step"] for row in rows if "validation_loss" in row] == [0, 2, 4, 6, 8]
    assert rows[-1]["kept"] == "last"
    assert rows[-1]["epochs"] == pytest.approx(8 * BATCH / 10)
    # besides these, a line a second
    assert {0.25, 0.5, 0.75, 1.0} <= {now.share for now in heard}
    assert heard[-1].seconds_left == 0
    assert heard[-1].loss < heard[0].loss


def test_log_drops_what_lies_beyond_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 2, "kept": "last"}\n{"st', encoding="utf-8")
    resumed = Log(path, lines=2)
    resumed.write(step=3)
    assert [row["step"] for row in log(tmp_path)] == [1, 2, 3]
    assert resumed.lines == 3


def test_a_loss_that_is_no_number_is_one_line(tmp_path: Path) -> None:
    model, _ = toy_model(toy_stage(), tmp_path / "base")
    torch.nn.init.constant_(model.model.norm.weight, math.nan)
    with pytest.raises(RunError, match="lower the learning rate"):
        toy_train(tmp_path / "run", toy_stage(), model=model)


# what it would cost


def test_foreseen_counts(tmp_path: Path) -> None:
    def foreseen(**changes: Any) -> Any:
        stage = toy_stage(**changes)
        return foresee(toy_model(stage, tmp_path)[0], ToyWindows(10), stage)

    steps = foreseen(budget={"epochs": 2})
    assert (steps.steps, steps.tokens) == (5, 5 * BATCH * LENGTH)
    minutes = foreseen(budget={"minutes": 2})
    assert minutes.seconds == 120
    assert minutes.steps == pytest.approx(minutes.tokens_per_second * 120 / BATCH / LENGTH, rel=0.01)
    parameters = sum(weight.numel() for weight in toy_model(toy_stage(), tmp_path)[0].parameters())
    assert foreseen(keep="best").disk_bytes > 4 * parameters * (1 + 3 * 3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_foreseen_memory_and_time_are_about_right(tmp_path: Path, kind: str) -> None:
    """Against the peak of a child process that trains the same; a model large enough to stand out from Python."""
    import subprocess
    import sys

    command = [sys.executable, str(Path(__file__).with_name("training_cost.py")), kind, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    foreseen_memory, memory, foreseen_seconds, seconds = map(float, done.stdout.split())
    assert foreseen_memory == pytest.approx(memory, rel=0.3)
    # other work on the machine may slow one of the two
    assert seconds / 3 < foreseen_seconds < seconds * 3
