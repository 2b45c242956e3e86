from __future__ import annotations

import os
from pathlib import Path

import pytest
from books import write_book

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # as the command line does, before torch is loaded


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return write_book(tmp_path / "book.txt")


@pytest.fixture(scope="session")
def novels() -> Path:
    """The public-domain novels beside a development checkout; no part of the product."""
    folder = Path(__file__).parents[2] / "shared" / "data" / "novels"
    if not folder.is_dir():
        pytest.skip("the novels are not beside this checkout")
    return folder
