"""In which precision a model is opened to be measured, and that a fallback is said with every number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from weights_toy import IDS, logits, needs_bitsandbytes, stage, teach

from wellread import weights
from wellread.models import open_model
from wellread.testing import prose, tiny_model
from wellread.types import Corpus, Document, Evidence

Room = Callable[[dict[str, int]], None]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """Sets how many bytes of weights the devices hold."""

    def set_room(sizes: dict[str, int]) -> None:
        monkeypatch.setattr("wellread.weights.measured.fits", lambda size, on: size <= sizes[on.type])

    return set_room


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose weights are saved in float32."""
    return tiny_model(tmp_path_factory.mktemp("whole"))


def saved(whole: Path, folder: Path, dtype: torch.dtype) -> Path:
    model = weights.open_base(str(whole)).model.to(dtype)
    return weights.save(model, weights.open_tokenizer(whole), folder, method="full").path


def count(folder: Path) -> int:
    return sum(weight.numel() for weight in weights.open_base(str(folder)).model.parameters())


def measured(name: Path) -> list[Any]:
    from wellread.metrics import measure

    document = Document("a", prose(300))
    corpus = Corpus((document,), {"train": (), "validation": (), "held_out": ("a",)})
    rows = measure(Evidence("new", corpus, open_model(str(name))), ["bits_per_byte", "perplexity"])
    return [row for row in rows if row.value is not None]


def test_what_does_not_fit_in_float32_is_measured_in_16_bits_and_says_so(
    whole: Path, tmp_path: Path, room: Room
) -> None:
    half = saved(whole, tmp_path / "half", torch.bfloat16)
    for folder, said in (
        (half, "weights in bfloat16, as they were saved: float32 ("),
        (whole, "weights in bfloat16: "),
    ):
        room({"cpu": 4 * count(folder)})
        exact = measured(folder)
        room({"cpu": 4 * count(folder) - 1})
        rows = measured(folder)
        assert not any("float32" in row.note for row in exact)
        assert len(rows) >= 2
        assert all(said in row.note for row in rows)
        assert [row.value for row in rows] == pytest.approx([row.value for row in exact], rel=0.02)
        assert rows[0].value != exact[0].value
        assert {weight.dtype for weight in weights.open_to_measure(str(folder)).model.parameters()} == {torch.bfloat16}


def test_of_an_adapter_it_is_the_base_that_counts(whole: Path, tmp_path: Path, room: Room) -> None:
    trainee = weights.open_to_train(
        stage({"kind": "lora", "rank": 2}), str(whole), folder=tmp_path, text_bytes=0, seed=1
    )
    said = logits(teach(trainee.model))
    path = weights.save(trainee.model, trainee.tokenizer, tmp_path / "c", method="lora", base=str(whole)).path
    room({"cpu": 4 * count(whole)})
    assert torch.equal(logits(weights.open_to_measure(str(path)).model), said)
    folded = weights.folded(weights.open_to_measure(str(path))).model
    torch.testing.assert_close(logits(folded), said, rtol=1e-4, atol=1e-5)
    layers = [module for module in folded.modules() if hasattr(module, "lora_A")]
    assert layers
    assert all(layer.merged for layer in layers)
    folded.unmerge_adapter()
    torch.testing.assert_close(logits(folded), said, rtol=1e-4, atol=1e-5)
    room({"cpu": 1})
    opened = weights.folded(weights.open_to_measure(str(path)))
    assert not any(getattr(module, "merged", False) for module in opened.model.modules())
    assert opened.note.startswith("weights in bfloat16: float32 (")
    torch.testing.assert_close(logits(opened.model).float(), said, rtol=0.05, atol=0.05)


N = 1000
"""Numbers that a model has, in the table below; four bytes each in float32."""


@pytest.mark.parametrize(
    ("kind", "sizes", "emulated", "expected"),
    [
        ({"BF16"}, {"cuda": 4 * N, "cpu": 4 * N}, False, None),
        ({"BF16"}, {"cuda": 4 * N, "cpu": 2 * N}, False, torch.bfloat16),  # it is opened on the CPU first
        ({"BF16"}, {"cuda": 2 * N, "cpu": 9 * N}, False, torch.bfloat16),
        ({"F32"}, {"cuda": 2 * N, "cpu": 9 * N}, False, torch.bfloat16),
        ({"F16"}, {"cuda": 2 * N, "cpu": 9 * N}, True, torch.float16),
        ({"BF16"}, {"cuda": 2 * N, "cpu": 9 * N}, True, None),  # on the CPU
        ({"BF16"}, {"cuda": N, "cpu": 9 * N}, False, None),
        ({"F16"}, {"cuda": N, "cpu": 2 * N}, False, torch.bfloat16),
        ({"U8", "F32"}, {"cuda": N, "cpu": N}, False, None),
        (set(), {"cuda": N, "cpu": N}, False, None),
    ],
)
def test_what_a_gpu_has_no_room_for(
    monkeypatch: pytest.MonkeyPatch, room: Room, whole: Path, kind: set[str], sizes: dict[str, int], emulated: bool,
    expected: torch.dtype | None,
) -> None:  # fmt: skip
    room(sizes)
    monkeypatch.setattr("wellread.weights.measured.device", lambda: torch.device("cuda"))
    monkeypatch.setattr("wellread.weights.measured.saved_weights", lambda place: (frozenset(kind), N))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: not emulated)
    dtype, note = weights.measuring_dtype(str(whole))
    assert dtype == expected
    assert bool(note) == (expected is not None)


@needs_bitsandbytes
def test_what_rounding_cost_is_measured_in_16_bits_too_where_it_must(whole: Path, tmp_path: Path, room: Room) -> None:
    from wellread.training.loss import validation_loss

    trainee = weights.open_to_train(
        stage({"kind": "qlora", "rank": 2}), str(whole), folder=tmp_path, text_bytes=0, seed=1
    )
    model = teach(trainee.model)
    path = weights.save(model, trainee.tokenizer, tmp_path / "c", method="qlora", base=str(whole)).path

    class Fixed:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, place: int) -> dict[str, list[int]]:
            return {"input_ids": IDS[0].tolist(), "labels": IDS[0].tolist()}

    def loss(model: Any) -> float:
        return validation_loss(model, Fixed(), 1, None)[0]

    exact = weights.quantisation_gap(path, loss)
    room({"cpu": 1})
    rounded = weights.quantisation_gap(path, loss)
    assert exact.note == ""
    assert "weights in bfloat16" in str(rounded)
    for name in ("base", "rounded", "adapter_on_base", "adapter_on_rounded"):
        assert getattr(rounded, name) == pytest.approx(getattr(exact, name), rel=0.05)
