"""A store of the handbook, a tiny model that has read it, and the clerk in the place of a model of that name."""

from __future__ import annotations

from pathlib import Path

import pytest
from ask_clerk import HANDBOOK, Clerk

from wellread import models
from wellread.indexing import index_texts
from wellread.testing import tiny_model


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    index_texts([folder / "handbook.md"], folder / "store", embedder="none")
    return folder / "store"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"), [HANDBOOK], vocabulary=400, positions=600)


@pytest.fixture
def clerk(monkeypatch: pytest.MonkeyPatch) -> Clerk:
    one = Clerk("The Reading Room opens at nine [1].")
    real = models.open_model
    monkeypatch.setattr(models, "open_model", lambda name, **how: one if name == "clerk" else real(name, **how))
    return one
