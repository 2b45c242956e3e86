"""What a step reads, in which order, and the loss that it costs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from training_toy import LENGTH, ToyWindows, log, toy_model, toy_stage, toy_train

from wellread.errors import RecipeError
from wellread.training.batches import IGNORED, Batches, collate, cut, in_order, pieces_at
from wellread.training.loss import causal_loss, validation_loss


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
