"""Rows with right answers: how they are read, and how folds keep variants together and strata even."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from wellread.corpus.labelled import Row, read_rows, stratified
from wellread.errors import CorpusError
from wellread.recipe.extraction import Coordinates, Extraction

ASKED = Extraction(form={"type": "array"}, coordinates=Coordinates(start=("n",)), folds=2)


def write(path: Path, rows: list[object]) -> list[Path]:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return [path]


def some(count: int = 6, **more: object) -> list[object]:
    return [{"text": f"text {n}", "references": [{"n": n}], "group": f"g{n}", **more} for n in range(count)]


def test_rows_are_read_by_the_keys_of_the_recipe(tmp_path: Path) -> None:
    asked = ASKED.model_copy(update={"text": "input", "gold": "answer", "group": "of", "blind": "test"})
    rows = [{"input": f"t{n}", "answer": {"a": n}, "of": n % 5, "test": n == 4} for n in range(5)] + [
        {"input": "x", "answer": None}
    ]
    found = read_rows(write(tmp_path / "rows.jsonl", rows), asked)
    assert found[4] == Row("rows-0005", "t4", {"a": 4}, "4", True)
    assert found[5] == Row("rows-0006", "x", None, "rows-0006")


def test_rows_of_one_text_are_of_one_group_whatever_they_are_called(tmp_path: Path) -> None:
    rows = [
        *some(),
        {"text": "Text  1", "references": [], "group": "z"},
        {"text": "new", "references": [], "group": "z"},
    ]
    found = read_rows(write(tmp_path / "rows.jsonl", rows), ASKED)
    assert [row.group for row in found[-2:]] == ["g1", "g1"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([*some(), {"text": 5, "references": []}], "line 7: a row has a text"),
        ([*some(), {"text": "a"}], "'references'"),
        ([*some(), {"text": "a", "references": [], "group": "g1", "blind": True}], "'g1' is partly blind"),
        (
            [*some(), {"text": "a", "references": [], "blind": "false"}],
            "'blind' is true or false, without quotation marks",
        ),
        (some(3), "3 passages are too few for 2 folds"),
    ],
)
def test_what_is_wrong_with_rows_is_told(tmp_path: Path, rows: list[object], told: str) -> None:
    with pytest.raises(CorpusError, match=told):
        read_rows(write(tmp_path / "rows.jsonl", rows), ASKED)


def test_a_folder_where_rows_are_wanted_is_told_what_is(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"is a folder, and rows are wanted: name a JSONL file, .*\('text'\).*\('references'\)"
    ):
        read_rows([tmp_path], ASKED)


def test_an_empty_group_is_none_and_an_empty_mark_is_not_blind(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "references": [], "group": "", "blind": ""} for n in range(4)]
    found = read_rows(write(tmp_path / "rows.jsonl", [*rows]), ASKED)
    assert len({row.group for row in found}) == 4
    assert not any(row.blind for row in found)
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    with pytest.raises(CorpusError, match="line 1: nested too deeply"):
        read_rows([tmp_path / "deep.jsonl"], ASKED)


def test_folds_keep_groups_whole_and_strata_even() -> None:
    rows = [Row(f"r{n}", str(n), [], f"g{n // 2}") for n in range(200)]
    strata = ["none" if n // 2 % 4 == 0 else "some" for n in range(200)]
    folds = stratified(rows, strata, 5, seed=3)
    assert all(folds[n] == folds[n + 1] for n in range(0, 200, 2))
    assert Counter(folds) == dict.fromkeys(range(5), 40)
    assert Counter(fold for fold, stratum in zip(folds, strata, strict=True) if stratum == "none") == dict.fromkeys(
        range(5), 10
    )
    assert folds == stratified(rows, strata, 5, seed=3) != stratified(rows, strata, 5, seed=4)


def test_parts_are_even_where_every_stratum_is_small() -> None:
    rows = [Row(f"r{n}", str(n), [], f"g{n}") for n in range(60)]
    assert set(Counter(stratified(rows, [n // 3 for n in range(60)], 10, seed=0)).values()) == {6}
    assert sorted(stratified(rows[:3], ["a", "b", "b"], 10, seed=0)) == [0, 1, 2]
