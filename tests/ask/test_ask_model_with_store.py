"""MODEL+STORE wherever a MODEL does: opened, measured, compared, and writing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ask_clerk import wellread

from wellread.errors import UsageError
from wellread.models import locate, open_model, read_name, split_store
from wellread.retrieval.rag import RetrievalModel
from wellread.types import Sampling


def test_a_model_with_a_store_opens_wherever_a_model_does(tiny: Path, store: Path) -> None:
    name = f"{tiny}+{store}"
    model = open_model(name)
    assert isinstance(model, RetrievalModel)
    assert (model.name, read_name(name).store) == (name, str(store))
    [sample] = model.generate(
        [[{"role": "user", "content": "When does the Reading Room open in the morning?"}]], Sampling(4)
    )
    assert any("opens at nine" in chunk.text for chunk in sample.sources)
    assert isinstance(model.model, object)
    with pytest.raises(UsageError, match="no part of a checkpoint"):
        locate(name)


def test_a_path_with_a_plus_that_is_there_as_a_whole_wins(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert split_store(f"x+{store}") == ("x", str(store))
    assert split_store("http://h/v1#a+b") == ("http://h/v1#a+b", "")
    assert split_store(f"http://h/v1#a+b+{store}") == ("http://h/v1#a+b", str(store))
    assert split_store("runs/x+s3://bucket/store") == ("runs/x", "s3://bucket/store")
    (tmp_path / "a+b").mkdir()
    assert split_store("a+b") == ("a+b", "")
    assert split_store(f"a+b+{store}") == ("a+b", str(store))
    with pytest.raises(UsageError, match="there is no store"):
        split_store("a+b+c")


def test_it_is_measured_and_compared_and_writes(tiny: Path, store: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("The Reading Room opens at nine. " * 30, encoding="utf-8")
    name = f"{tiny}+{store}"
    alone, with_store = (
        json.loads(
            wellread("measure", each, "--text", str(text), "--metrics", "bits_per_byte", "--json").stdout.splitlines()[
                0
            ]
        )
        for each in (str(tiny), name)
    )
    assert alone["value"] == with_store["value"]  # what is scored is scored without sources
    assert "texts are scored without any" in with_store["note"]
    rows = [
        json.loads(line)
        for line in wellread(
            "compare", str(tiny), name, "--text", str(text), "--metrics", "bits_per_byte", "--json"
        ).stdout.splitlines()
    ]
    assert len(rows) == 2
    plain, sourced = (
        json.loads(
            wellread("write", each, "The Reading Room opens at", "--max-tokens", "8", "--seed", "1", "--json").stdout
        )
        for each in (str(tiny), name)
    )
    assert (plain["prompt"], sourced["prompt"]) == ("The Reading Room opens at",) * 2
    assert not plain["sources"]
    assert "opens at nine" in str(sourced["sources"])
    assert plain["completion"] != sourced["completion"]  # another text stood before it
