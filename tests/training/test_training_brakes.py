"""What ends a stage early, what is then kept, what is left out of the loss, and what trackers hear."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from training_toy import BATCH, LENGTH, Clock, ToyWindows, die_at, in_child, log, toy_model, toy_stage, toy_train

from wellread import weights
from wellread.errors import MissingPackage, RecipeError, RunError
from wellread.recipe import Optimizer
from wellread.training.batches import IGNORED, Batches, Slice
from wellread.training.fitting import dear_validation, fitting
from wellread.training.goldfish import leave_out
from wellread.training.kept import Kept
from wellread.training.log import Progress
from wellread.training.loss import validation_loss
from wellread.training.optimizers import kind_of, make_optimizer
from wellread.training.tracking import check_trackers
from wellread.training.trainer import step_seed

ADAMW = {"kind": "adamw", "learning_rate": 0.01, "warmup": 0.0}
CALM = {"kind": "scratch", "dropout": 0.0}


# patience and dose


def test_patience_stops_when_validation_falls_no_more(tmp_path: Path) -> None:
    """A rate far too high: validation only rises."""
    heard: list[Progress] = []
    said: list[str] = []
    stage = toy_stage(budget={"steps": 40}, evaluations=20, patience=2, keep="best",
                      optimizer={**ADAMW, "learning_rate": 3.0})  # fmt: skip
    toy_train(tmp_path / "run", stage, progress=heard.append, say=said.append)
    rows = log(tmp_path / "run")
    current = [row["validation_loss"] for row in rows if row.get("weights") == "current"]
    lowest = current.index(min(current))
    assert len(current) == lowest + 3
    assert rows[-1]["step"] == 2 * (len(current) - 1) < 40
    assert rows[-1]["stopped"] == heard[-1].stopped == "patience: no lower validation loss in 2 evaluations"
    assert [now.stopped for now in heard[:-1]] == [""] * (len(heard) - 1)
    assert [line for line in said if "stopped before its budget" in line]


def test_validation_that_eats_a_budget_in_minutes_is_told(tmp_path: Path) -> None:
    stage = toy_stage(budget={"minutes": 1}, evaluations=9, validation_windows=64)
    assert dear_validation(stage, 1.4, 64) == ""
    assert "about 0.3 of its 1 minutes" in (told := dear_validation(stage, 1.6, 64))
    assert "`--set read.validation_windows=1` (64 now)" in told
    assert "validation_windows" not in dear_validation(stage, 1.6, 1)
    assert dear_validation(toy_stage(budget={"steps": 1}), 1000.0, 64) == ""
    said: list[str] = []
    with suppress(RunError):  # a machine may be quick enough for a step
        toy_train(tmp_path / "run", toy_stage(budget={"minutes": 0.0001}, evaluations=100), say=said.append)
    assert [line for line in said if "`--set read.evaluations=1` (100 now)" in line]


def test_validation_is_cut_to_what_a_budget_in_minutes_has_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All six windows of a tenth of a second each, four times, would take 2.4 of 3.6 seconds."""
    clock = Clock(monkeypatch)
    slow = ToyWindows(6, watch=clock.each(0.1))
    said: list[str] = []
    stage = toy_stage(budget={"minutes": 0.06}, evaluations=3, optimizer=ADAMW, method=CALM, checkpoint_minutes=0.005)

    def trained(name: str, validation: ToyWindows, read: Callable[[int, int], None] | None = None) -> list[int]:
        """How many tokens each validation read, where a window of training takes a sixteenth of a second."""
        windows = ToyWindows(watch=clock.each(1 / 16, read))
        toy_train(tmp_path / name, stage, validation=validation, windows=windows, say=said.append)
        return [row["validation_tokens"] for row in log(tmp_path / name) if "validation_tokens" in row]

    assert trained("run", slow) == [2 * (LENGTH - 1)] * 4
    assert len([line for line in said if "of its 6 windows" in line]) == 1
    toy_train(tmp_path / "steps", toy_stage(budget={"steps": 1}), validation=slow)
    assert log(tmp_path / "steps")[0]["validation_tokens"] == 6 * (LENGTH - 1)

    # killed, it goes on with as many as it began with, however long they take by now
    assert in_child(lambda: trained("killed", slow, die_at(5 * BATCH + 2))) == -signal.SIGKILL
    assert list((tmp_path / "killed" / "resume").glob("step-*"))
    assert trained("killed", ToyWindows(6)) == [2 * (LENGTH - 1)] * 4


@pytest.mark.parametrize(
    ("budget", "window", "times", "there", "world", "fit"),
    [(60, 0.1, 5, 8, 1, 8), (60, 1.0, 5, 8, 1, 3), (60, 1.0, 5, 8, 2, 6), (60, 20.0, 5, 8, 1, 1), (60, 0.0, 5, 8, 1, 8)],
)  # fmt: skip
def test_a_quarter_of_the_minutes_is_for_validation(
    budget: float, window: float, times: int, there: int, world: int, fit: int
) -> None:
    assert fitting(budget, window, times, there, world=world) == fit


def test_patience_lets_a_stage_that_learns_go_on(tmp_path: Path) -> None:
    toy_train(tmp_path / "run", toy_stage(method=CALM, patience=1, optimizer=ADAMW))
    assert log(tmp_path / "run")[-1]["stopped"] == "budget"
    assert log(tmp_path / "run")[-1]["step"] == 12


def test_until_stops_at_the_dose_that_is_logged(tmp_path: Path) -> None:
    doses = iter([0.0, 0.01, 0.03, 0.9])
    modes: list[bool] = []

    def dose(model: Any) -> float:
        modes.append(model.training)
        torch.rand(3)  # a dose may sample: later steps do not change
        return next(doses)

    stage = toy_stage(budget={"steps": 40}, evaluations=10, until="bits_per_byte(validation) > 0.02")
    toy_train(tmp_path / "run", stage, dose=dose)
    rows = log(tmp_path / "run")
    assert [(row["step"], row["dose"]) for row in rows if "dose" in row] == [(0, 0.0), (4, 0.01), (8, 0.03)]
    assert (rows[-1]["step"], rows[-1]["stopped"]) == (8, "until: bits_per_byte(validation) > 0.02, measured 0.03")
    assert modes == [False] * 3
    losses = [row["validation_loss"] for row in rows if "validation_loss" in row]
    toy_train(tmp_path / "plain", toy_stage(budget={"steps": 40}, evaluations=10))
    assert losses == [row["validation_loss"] for row in log(tmp_path / "plain") if "validation_loss" in row][:3]


def test_until_without_a_dose_is_the_caller_s_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give a dose"):
        toy_train(tmp_path / "run", toy_stage(until="bits_per_byte(validation) > 0"))


def test_a_dose_that_holds_at_the_beginning_teaches_nothing(tmp_path: Path) -> None:
    toy_train(tmp_path / "run", toy_stage(until="bits_per_byte(validation) >= 0"), dose=lambda model: 0.5)
    assert log(tmp_path / "run")[-1]["step"] == 0


def test_an_average_that_may_be_cut_short_is_of_the_late_weights() -> None:
    weight = torch.nn.Parameter(torch.zeros(1))
    kept = Kept("average", early=True)
    for step in range(1, 101):
        weight.data.fill_(float(step))
        kept.follow({"w": weight}, step / 1000)
        if step in (10, 40, 100):
            # the mean age of the last fifth's weights is a tenth of the course
            assert 0.85 * step < kept.average["w"].item() < 0.95 * step


@pytest.mark.parametrize("keep", ["best", "last", "average"])
def test_what_is_kept_when_a_stage_stops_early_is_what_the_log_says(tmp_path: Path, keep: str) -> None:
    doses = iter([0, 0, 0, 1, 1])
    stage = toy_stage(method=CALM, budget={"steps": 40}, evaluations=10, keep=keep, until="x > 0", optimizer=ADAMW)
    toy_train(tmp_path / "run", stage, dose=lambda model: next(doses))
    rows = log(tmp_path / "run")
    wanted = "average" if rows[-1]["kept"] == "average" else "current"
    expected = [row["validation_loss"] for row in rows if row.get("weights") == wanted][-1]
    model = weights.load_checkpoint(tmp_path / "run" / "checkpoint").model
    assert validation_loss(model, ToyWindows(3, seed=9), BATCH, None)[0] == pytest.approx(expected, rel=1e-5)
    assert (keep == "average") == (rows[-1]["kept"] == "average")


# tokens and micro-batches


def test_tokens_end_the_budget(tmp_path: Path) -> None:
    toy_train(tmp_path / "run", toy_stage(budget={"tokens": 5 * BATCH * LENGTH}))
    assert (log(tmp_path / "run")[-1]["step"], log(tmp_path / "run")[-1]["tokens"]) == (5, 5 * BATCH * LENGTH)


def test_micro_batches_add_up_to_the_batch(tmp_path: Path) -> None:
    """The loss is one over the whole step's tokens, however few of them a micro-batch predicts."""

    class Uneven(ToyWindows):
        def __getitem__(self, place: int) -> dict[str, list[int]]:
            row = super().__getitem__(place)
            row["labels"][: 6 * place] = [IGNORED] * (6 * place)
            return row

    found = {}
    for micro in (None, 1, 3):
        settings = {**ADAMW, "batch": 5, "micro_batch": micro}
        stage = toy_stage(method=CALM, optimizer=settings, budget={"steps": 6}, evaluations=6)
        toy_train(tmp_path / str(micro), stage, windows=Uneven())
        found[micro] = [row["loss"] for row in log(tmp_path / str(micro)) if "loss" in row]
    assert found[1] == pytest.approx(found[None], rel=1e-5)
    assert found[3] == pytest.approx(found[None], rel=1e-5)


def test_processes_share_every_step_out_in_order() -> None:
    """Five windows a step among three processes: the same windows as one process reads, and fillers without labels."""
    whole = iter(Batches(ToyWindows(7), 5))
    shares = [iter(Batches(ToyWindows(7), 5, rank=rank, world=3, micro=1)) for rank in range(3)]
    for _ in range(4):
        expected = next(whole)
        read = [next(share) for share in shares for _ in range(2)]
        counted = [batch for batch in read if (batch["labels"] != IGNORED).any()]
        assert torch.equal(torch.cat([batch["input_ids"] for batch in counted]), expected["input_ids"])
        assert len(read) == 6


def test_validation_is_sliced_without_loss() -> None:
    slices = [Slice(ToyWindows(7), rank, 3) for rank in range(3)]
    assert [len(each) for each in slices] == [3, 3, 3]
    rows = [each[place] for place in range(3) for each in slices]
    assert [row["input_ids"] for row in rows[:7]] == [ToyWindows(7)[place]["input_ids"] for place in range(7)]
    assert [sum(label != IGNORED for label in row["labels"]) for row in rows[7:]] == [0, 0]


def test_every_step_and_process_has_random_numbers_of_its_own() -> None:
    seeds = {step_seed(seed, step, rank) for seed in (0, 1) for step in range(50) for rank in (0, 1)}
    assert len(seeds) == 200
    assert step_seed(3, 7, 0) == step_seed(3, 7, 0)


# goldfish


def test_goldfish_leaves_out_one_in_k_by_the_thirteen_tokens_before() -> None:
    ids = torch.randint(0, 50_000, (40, 256), generator=torch.Generator().manual_seed(0))
    ids[20:, 100:150] = ids[:20, 50:100]
    batch = {"input_ids": ids, "labels": ids.clone()}
    leave_out(batch, 4)
    out = batch["labels"] == IGNORED
    assert not out[:, :13].any()
    assert float(out[:, 13:].float().mean()) == pytest.approx(0.25, abs=0.015)
    # the same thirteen tokens before, the same decision, wherever they stand
    assert torch.equal(out[20:, 113:150], out[:20, 63:100])
    assert not torch.equal(out[20:, 13:50], out[:20, 13:50])


def test_goldfish_looks_back_no_further_than_the_document() -> None:
    ids = torch.arange(64).repeat(1, 1)
    positions = torch.cat([torch.arange(40), torch.arange(24)])[None]
    batch = {"input_ids": ids, "labels": ids.clone(), "position_ids": positions}
    leave_out(batch, 2)
    assert (batch["labels"][0, 40:53] != IGNORED).all()
    assert (batch["labels"][0, 13:40] == IGNORED).any()


def test_goldfish_acts_in_training_alone_and_the_same_in_every_epoch(tmp_path: Path) -> None:
    predicted: list[int] = []
    read = iter(Batches(ToyWindows(4), 4, goldfish=3))
    for _ in range(2):
        rows = next(read)
        order = rows["input_ids"][:, 0].argsort()
        predicted.append(int((rows["labels"][order] != IGNORED).sum()))
    assert predicted[0] == predicted[1] < 4 * (LENGTH - 1)
    toy_train(tmp_path / "run", toy_stage(goldfish=3, budget={"steps": 1}))
    assert log(tmp_path / "run")[0]["validation_tokens"] == 3 * (LENGTH - 1)


# optimizers


def test_auto_is_adamw_here_and_8_bits_need_a_gpu(tmp_path: Path) -> None:
    model, _ = toy_model(toy_stage(), tmp_path)
    settled = {"learning_rate": 1e-3, "weight_decay": 0.0}
    assert type(make_optimizer(model, Optimizer(**settled))) is torch.optim.AdamW
    if model.device.type != "cuda":
        with pytest.raises(RecipeError, match=r"needs CUDA.*take adamw"):
            make_optimizer(model, Optimizer(kind="paged_adamw_8bit", **settled))
    with pytest.raises(ValueError, match="not settled"):
        make_optimizer(model, Optimizer())


def test_auto_on_cuda_is_paged_where_the_base_is_packed() -> None:
    packed = [torch.zeros(2, dtype=torch.uint8), torch.zeros(2)]
    for kind, parameters, expected in (("cuda", packed, "paged_adamw_8bit"), ("cuda", packed[1:], "adamw"),
                                       ("cpu", packed, "adamw")):  # fmt: skip
        model = SimpleNamespace(parameters=lambda p=parameters: p, device=torch.device(kind))
        assert kind_of(model, Optimizer()) == expected


# trackers


def test_trackers_hear_what_the_log_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import TrainerCallback
    from transformers.integrations import integration_utils

    heard: list[tuple[int, dict[str, float]]] = []
    names: list[str] = []

    class Fake(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            names.append(args.run_name)

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            heard.append((state.global_step, dict(logs)))

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "trackio", Fake)
    monkeypatch.setattr(integration_utils, "get_available_reporting_integrations", lambda: ["trackio"])
    stage = toy_stage(budget={"steps": 4}, evaluations=2)
    toy_train(tmp_path / "run", stage, report_to=("trackio",), run_name="novel-read")
    rows = log(tmp_path / "run")
    assert names == ["novel-read"]
    assert [(step, row["eval_loss"]) for step, row in heard if "eval_loss" in row] == [
        (row["step"], row["validation_loss"]) for row in rows if "validation_loss" in row
    ]
    said = {step: row for step, row in heard if "loss" in row}
    for row in rows:
        if "loss" in row:
            for key in ("loss", "learning_rate", "tokens_per_second"):
                assert said[row["step"]][key] == row[key]
            assert math.isclose(said[row["step"]]["epoch"], row["epochs"], abs_tol=1e-4)


def test_a_tracker_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.integrations import integration_utils

    monkeypatch.setattr(integration_utils, "get_available_reporting_integrations", list)
    with pytest.raises(MissingPackage, match="pip install trackio"):
        check_trackers(["trackio"])
    with pytest.raises(RecipeError, match="tensorboard"):
        check_trackers(["tensorbord"])
