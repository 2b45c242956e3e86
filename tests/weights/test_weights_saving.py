"""Folders that are whole or not there, and what a checkpoint says about itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread import weights
from wellread.errors import StorageError


def test_a_new_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "folder"
    with weights.new_folder(place) as unfinished:
        (unfinished / "a").write_text("1")
        assert not place.exists()

    def stopped() -> None:
        with weights.new_folder(place) as unfinished:
            (unfinished / "a").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (place / "a").read_text() == "1"
    with weights.new_folder(place) as unfinished:
        (unfinished / "b").write_text("3")
    assert [path.name for path in place.parent.iterdir()] == ["folder"]
    assert [path.name for path in place.iterdir()] == ["b"]


def test_a_damaged_record_is_one_line(tmp_path: Path) -> None:
    assert weights.read_checkpoint(tmp_path) is None
    (tmp_path / "wellread.json").write_text("{")
    with pytest.raises(StorageError, match="damaged"):
        weights.read_checkpoint(tmp_path)
