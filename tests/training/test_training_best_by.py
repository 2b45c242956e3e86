"""Weights chosen by answers rather than by the loss, and the curve of answers in the log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from training_toy import log, toy_stage, toy_train

from wellread import weights
from wellread.errors import RunError


def scripted(name: str, *values: float) -> Any:
    """Says one value after another, and takes a random number, as asking might."""
    said = iter(values)
    modes: list[bool] = []

    def watched(model: Any) -> Mapping[str, float]:
        modes.append(model.training)
        torch.rand(3)
        return {name: next(said), "over_refusal_rate": 0.5}

    return watched


def kept(folder: Path) -> str:
    return str(log(folder)[-1]["kept"])


@pytest.mark.parametrize(
    ("by", "values", "step"),
    [
        ("recall_exact", (0.0, 0.2, 0.9, 0.4), 8),
        ("false_definition_rate", (1.0, 0.1, 0.3, 0.4), 4),
        # of equals the lower loss: the toy's falls from evaluation to evaluation
        ("recall_exact", (0.0, 0.9, 0.9, 0.9), 12),
    ],
)
def test_the_weights_that_answered_best_are_kept(tmp_path: Path, by: str, values: tuple[float, ...], step: int) -> None:
    stage = toy_stage(keep="best", best_by=by)
    # the average of the late weights is asked too, and answers worst
    toy_train(tmp_path / "run", stage, watched=scripted(by, *values, 1.0 if by.endswith("_rate") else 0.0))
    assert kept(tmp_path / "run") == f"step {step}"
    rows = [row for row in log(tmp_path / "run") if "validation_loss" in row]
    assert [row[by] for row in rows if row["weights"] == "current"] == list(values)
    assert all(row["over_refusal_rate"] == 0.5 for row in rows)


def test_watching_changes_no_weight(tmp_path: Path) -> None:
    stage = toy_stage()
    toy_train(tmp_path / "alone", stage)
    toy_train(tmp_path / "watched", stage, watched=scripted("recall_exact", *[0.5] * 9), base=tmp_path / "alone-base")
    alone, watched = (
        dict(weights.load_checkpoint(tmp_path / name / "checkpoint").model.state_dict())
        for name in ("alone", "watched")
    )
    assert all(torch.equal(alone[name], watched[name]) for name in alone)


def test_an_interrupted_stage_remembers_what_answered_best(tmp_path: Path) -> None:
    stage = toy_stage(keep="best", best_by="recall_exact")

    def until_the_third(values: list[float]) -> Any:
        said = iter(values)

        def watched(model: Any) -> Mapping[str, float]:
            value = next(said, None)
            if value is None:
                raise KeyboardInterrupt
            return {"recall_exact": value}

        return watched

    with pytest.raises(KeyboardInterrupt):
        toy_train(tmp_path / "run", stage, watched=until_the_third([0.0, 0.9]))
    toy_train(tmp_path / "run", stage, watched=until_the_third([0.3, 0.2, 0.1]))
    assert kept(tmp_path / "run") == "step 4"


def test_what_cannot_choose_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="did you mean 'recall_exact'"):
        toy_stage(keep="best", best_by="recal_exact")
    with pytest.raises(ValidationError, match="set keep: best"):
        toy_stage(keep="last", best_by="recall_exact")
    with pytest.raises(ValidationError, match="no dose"):
        toy_stage(until="recall_exact > 0.9")
    with pytest.raises(RunError, match="no validation question"):
        toy_train(tmp_path / "run", toy_stage(keep="best", best_by="recall_exact"))
    with pytest.raises(RunError, match="was not measured on the validation questions"):
        toy_train(
            tmp_path / "other",
            toy_stage(keep="best", best_by="recall_exact"),
            watched=scripted("false_definition_rate", 0.5),
        )
