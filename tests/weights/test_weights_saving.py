"""What a checkpoint says about itself, and what the system says when it cannot be written."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from wellread import weights
from wellread.errors import StorageError
from wellread.testing import tiny_model
from wellread.weights.saving import fill_once, new_folder


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    assert weights.read_checkpoint(tmp_path) is None
    (tmp_path / "wellread.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        weights.read_checkpoint(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_weights_have_the_mode_that_the_umask_leaves(tmp_path: Path, umask: int, mode: int) -> None:
    def private(folder: Path) -> None:
        (folder / "model.safetensors").touch(mode=0o600)

    before = os.umask(umask)
    try:
        with new_folder(tmp_path / "a") as unfinished:
            private(unfinished)
        fill_once(tmp_path / "b", private)
        opened = weights.open_base(str(tiny_model(tmp_path / "base", ["It rained."], vocabulary=300)))
        weights.save(opened.model, opened.tokenizer, tmp_path / "c", method="full")
    finally:
        os.umask(before)
    for name in "abc":
        assert (tmp_path / name / "model.safetensors").stat().st_mode & 0o777 == mode
