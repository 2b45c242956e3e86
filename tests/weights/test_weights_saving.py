"""What a checkpoint says about itself, and what the system says when it cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread import weights
from wellread.errors import StorageError


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    assert weights.read_checkpoint(tmp_path) is None
    (tmp_path / "wellread.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        weights.read_checkpoint(tmp_path)
