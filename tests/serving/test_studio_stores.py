"""The studio's stores: made with the embedder that was chosen, searched as asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread.errors import UsageError
from wellread.retrieval.embedders import MULTILINGUAL, NONE, STATIC, packaged
from wellread.retrieval.store import Mode
from wellread.serving.studio_asking import asked_from
from wellread.serving.studio_models import Models, ask_model
from wellread.serving.studio_stores import embedders, keep_store
from wellread.testing import UniformBytes
from wellread.types import LanguageModel, Sampling

HOUSE = "# Heating\n\nThe stoves of both houses are lit on the first of May.\n\n# Boats\n\nNo boat leaves after dusk.\n"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    pytest.importorskip("lancedb")
    (tmp_path / "house.md").write_text(HOUSE)
    return tmp_path / "house.md"


class Untold(Models):
    """In place of the embedded base a model that knows nothing."""

    def plain(self) -> LanguageModel:
        return UniformBytes()


def test_a_store_has_the_embedder_that_was_chosen(tmp_path: Path, house: Path) -> None:
    from wellread.retrieval.store import open_store

    offered = [name for _, name in embedders()]
    assert offered[0] == ""
    assert NONE in offered
    assert (packaged(MULTILINGUAL) is not None) == (MULTILINGUAL in offered)
    place = keep_store("Words", [house], tmp_path / "runs", embedder=NONE)
    assert (open_store(place).embedder_name, open_store(place).mode) == (NONE, "keyword")
    with pytest.raises(UsageError, match="there is no embedder"):
        keep_store("Words", [house], tmp_path / "runs", embedder="../x")
    shown = asked_from(Untold(), None, place, "hybrid", "When are the stoves lit?", Sampling(8, 0.0))
    assert "From words, by words alone" in shown
    with pytest.raises(UsageError, match="holds no vectors"):
        asked_from(Untold(), None, place, "vector", "When are the stoves lit?", Sampling(8, 0.0))


def test_a_store_is_searched_by_words_or_by_meaning_as_asked(tmp_path: Path, house: Path) -> None:
    pytest.importorskip("wordllama")
    place = keep_store("House", [house], tmp_path / "runs", embedder=STATIC)
    question = "Which season warms ovens?"  # not a word of it stands there

    def found(mode: Mode | None) -> int:
        told = ask_model(Untold(), None, place, question, Sampling(8, 0.0), mode=mode)
        return len(told.nearest) + len(told.sample.sources)

    assert found("keyword") == 0
    assert found("vector") > 0
    assert found(None) > 0
    shown = asked_from(Untold(), None, place, "vector", question, Sampling(8, 0.0))
    assert "From house, by meaning alone" in shown
