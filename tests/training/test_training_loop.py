"""Which weights a stage ends with, and what it says: what is kept, dropout, precision, the seed, the log."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from training_toy import BATCH, ToyWindows, final, log, toy_model, toy_stage, toy_train

from wellread import weights
from wellread.errors import RunError
from wellread.training.batches import collate
from wellread.training.dropout import dropout
from wellread.training.kept import Kept
from wellread.training.log import Log, Progress
from wellread.training.loss import causal_loss, validation_loss


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
