"""A server on loopback, in this process, with a tiny model: one for the whole room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving_fakes import Cupboard, Letters, Librarian

from wellread.generation.hf import TransformersModel
from wellread.matching import Index
from wellread.retrieval.rag import with_retrieval
from wellread.serving.app import build
from wellread.serving.listening import served
from wellread.serving.settings import Admission, Limits
from wellread.serving.shelf import Served, Shelf
from wellread.testing import tiny_model
from wellread.types import Document

BOOK = "the cat sat on the mat and the dog sat on the log"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"), [BOOK] * 3, vocabulary=300, positions=128)


def opened(folder: Path, name: str) -> TransformersModel:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    return TransformersModel(network, tokenizer, name, index=Index([Document("book", BOOK)]))


@pytest.fixture(scope="session")
def model(tiny: Path) -> TransformersModel:
    return opened(tiny, "tiny")


@pytest.fixture(scope="session")
def shelf(model: TransformersModel, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    wide = opened(tiny_model(tmp_path_factory.mktemp("wide"), [BOOK] * 3, vocabulary=300, positions=2048), "wide")
    every = [
        Served("tiny", model, index=Index([Document("book", BOOK)])),
        Served("letters", embedder=Letters()),
        Served("tiny+handbook", Librarian(), Letters()),
        Served("tiny+store", with_retrieval(wide, Cupboard())),
    ]
    return Shelf({each.id: each for each in every})


@pytest.fixture(scope="session")
def url(shelf: Shelf) -> Iterator[str]:
    limits = Limits(max_tokens=200, body=100_000)
    with served(build(shelf, Admission(), limits), limits) as base:
        yield base
