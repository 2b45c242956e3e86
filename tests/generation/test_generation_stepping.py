"""Rows of unlike length side by side: the same logits as alone, and who is written beside whom."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from wellread.generation.stepping import Stepper, alike, beginning, takes_padding


def test_rows_padded_beside_longer_ones_have_the_logits_that_they_have_alone(opened: tuple[Any, Any]) -> None:
    network, _ = opened
    rows = [[3, 9, 4], [5, 6, 7, 8, 9, 10, 11], [12, 3, 14, 5, 16]]
    together = Stepper(network.eval(), 64, 1000)
    for _ in range(4):
        with torch.no_grad():
            found = together.logits(rows)
            for row, logits in zip(rows, found, strict=True):
                alone = network(torch.tensor([row], device=network.device)).logits[0, -1].cpu()
                torch.testing.assert_close(logits, alone[: together.vocabulary], rtol=1e-4, atol=1e-5)
        rows = [[*row, 20 + number] for number, row in enumerate(rows)]


def test_padding_goes_by_what_a_model_can_be_told(opened: tuple[Any, Any]) -> None:
    class Counts(torch.nn.Module):
        def forward(self, input_ids: Any, attention_mask: Any = None) -> Any: ...

    class Recurrent(torch.nn.Module):
        _is_stateful = True

        def forward(self, input_ids: Any, attention_mask: Any = None, position_ids: Any = None) -> Any: ...

    assert takes_padding(opened[0])
    assert not takes_padding(Counts())
    assert not takes_padding(Recurrent())


@pytest.mark.parametrize(
    ("slack", "rows", "batches"),
    [
        (0.0, 8, [[1], [3], [0, 4], [2]]),  # equal lengths only
        (0.5, 8, [[1, 3], [0, 4], [2]]),  # 10 and 12, then 20 and 20: 31 is more than half as long again
        (9.0, 3, [[1, 3, 0], [4, 2]]),  # as many as there may be
    ],
)
def test_batches_are_of_prompts_alike_in_length(slack: float, rows: int, batches: list[list[int]]) -> None:
    assert list(alike([20, 10, 31, 12, 20], rows=rows, slack=slack)) == batches


def test_the_samples_of_a_prompt_stand_together() -> None:
    assert list(alike([5, 5, 4, 4], rows=8, slack=1.0)) == [[2, 3, 0, 1]]
    assert list(alike([], rows=8, slack=1.0)) == []


def test_rows_that_are_let_go_leave_the_logits_of_the_others_alone(opened: tuple[Any, Any]) -> None:
    """The longest row goes too: what padded the others stays in the cache."""
    network, _ = opened
    rows = [[3, 9, 4], [5, 6, 7, 8, 9, 10, 11], [12, 3, 14, 5, 16]]
    together = Stepper(network.eval(), 64, 1000)
    with torch.no_grad():
        together.logits(rows)
        together.keep(rows, [2, 0])
        rows = [[*rows[2], 7], [*rows[0], 8]]
        for _ in range(3):
            found = together.logits(rows)
            for row, logits in zip(rows, found, strict=True):
                alone = network(torch.tensor([row], device=network.device)).logits[0, -1].float().cpu()
                assert torch.allclose(logits, alone[: len(logits)], atol=1e-4)
            rows = [[*row, 9] for row in rows]


def test_what_all_rows_begin_with_is_counted() -> None:
    assert beginning([[1, 2, 3, 4], [1, 2, 5], [1, 2, 3, 9]]) == 2
    assert beginning([[1, 2], [1, 2, 5], [1, 2, 3]]) == 2
    assert beginning([[4, 2], [1, 2]]) == 0


@pytest.mark.parametrize("own", [[[3, 9, 4], [5, 6, 7, 8, 9, 10, 11], [12, 3]], [[3, 9], [4, 5], [6, 7]]])
def test_a_common_beginning_is_read_once_and_changes_no_logits(opened: tuple[Any, Any], own: list[list[int]]) -> None:
    """Rows of unlike length and of one; a row is let go on the way."""
    network, _ = opened
    rows = [[*range(20, 60), *each] for each in own]
    together, fed = Stepper(network.eval(), 128, 1000), []
    watched = network.register_forward_pre_hook(
        lambda _, __, given: fed.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    with torch.no_grad():
        for step in range(5):
            found = together.logits(rows)
            for row, logits in zip(rows, found, strict=True):
                alone = network(input_ids=torch.tensor([row], device=network.device)).logits[0, -1].float().cpu()
                torch.testing.assert_close(logits, alone[: together.vocabulary], rtol=1e-4, atol=1e-5)
            rows = [[*row, 20 + number] for number, row in enumerate(rows)]
            if step == 2:
                together.keep(rows, [0, 2])
                rows = [rows[0], rows[2]]
    watched.remove()
    assert fed[:2] == [(1, 40), (3, max(map(len, own)))]


def test_a_common_beginning_leaves_with_the_window(opened: tuple[Any, Any]) -> None:
    """Once the window is full, the last half of every row is read anew, whatever stood before it."""
    network, _ = opened
    rows = [[*range(20, 64), 7], [*range(20, 64), 8], [*range(20, 64), 9]]
    together = Stepper(network.eval(), 48, 1000)
    with torch.no_grad():
        for _ in range(3):
            together.logits(rows)
            rows = [[*row, 5] for row in rows]
        rows = [[*row, 6] for row in rows]
        found = together.logits(rows)
        for row, logits in zip(rows, found, strict=True):
            alone = network(torch.tensor([row[-24:]], device=network.device)).logits[0, -1].float().cpu()
            torch.testing.assert_close(logits, alone[: together.vocabulary], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("opens", [False, True])
def test_a_full_window_is_read_anew_behind_the_bos_where_that_is_wanted(opened: tuple[Any, Any], opens: bool) -> None:
    network, tokenizer = opened
    start = int(tokenizer.bos_token_id)
    stepper = Stepper(network.eval(), 16, len(tokenizer), start if opens else None)
    row, begin = [start], 0
    for place in range(40):
        if len(row) - begin > 16:
            begin = len(row) - 8
        seen = [start, *row[begin + 1 :]] if opens and begin else row[begin:]
        with torch.no_grad():
            logits = stepper.logits([row])
            expected = network(torch.tensor([seen], device=network.device)).logits[0, -1].float().cpu()
        torch.testing.assert_close(logits[0], expected[: logits.shape[1]], atol=1e-4, rtol=1e-4)
        row = [*row, 30 + 7 * place % 200]
    assert begin > 16
