"""`wellread index` killed at known moments of its writing: the store is the old one or the new one, and the next run finishes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
from hashing import Hashing

from wellread.errors import UsageError
from wellread.indexing import index_texts
from wellread.retrieval import filling
from wellread.retrieval.store import Mode, open_store

pytest.importorskip("lancedb")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no kill -9")
THINGS = ["lake", "snow", "ferry", "bell", "oar", "lantern", "heron", "quay", "ice", "rope", "winter", "stove"]
QUERIES = ["ferry on the ice", "heron of day 512", "bell and rope"]
FRESH = ["create_table 1 begun", "create_table 1 done", "add 1 begun", "add 2 done", "add 4 begun", "optimize 1 begun",
         "create_index 1 begun", "create_index 2 begun", "create_index 2 done", "create 1 begun", "create 1 done"]  # fmt: skip
UPDATED = ["delete 1 begun", "delete 1 done", "delete 2 begun", "add 1 begun", "add 2 done", "optimize 1 begun",
           "create_index 1 begun", "create_index 1 done", "create_index 2 begun", "update 1 begun", "update 1 done",
           "optimize 2 begun"]  # fmt: skip


class State(NamedTuple):
    """What a store holds and finds."""

    texts: dict[str, str]
    answers: list[Any]


def state(store: Path) -> State | None:
    """None of a store that was never finished."""
    try:
        held = open_store(store, embedder=Hashing())
    except UsageError as error:
        if "no index was finished here" in str(error) or "there is no store" in str(error):
            return None
        raise
    return State(
        {document.id: held.document_text(document.id) for document in held.documents()},
        [held.search(query, 8, mode=mode) for query in QUERIES for mode in get_args(Mode)],
    )


def write(folder: Path, numbers: Sequence[int], day: int) -> None:
    folder.mkdir(exist_ok=True)
    draw = random.Random(day)
    for number in numbers:
        told = (f"The {' and the '.join(draw.sample(THINGS, 5))} of day {day + n}. " * 2 for n in range(20))
        (folder / f"{number}.txt").write_text("\n\n".join(told), encoding="utf-8")


class Killing:
    """A process that indexes a folder in processes of its own, and ends these at a moment."""

    def __init__(self, texts: Path) -> None:
        here = Path(__file__).parent
        paths = os.pathsep.join([str(here.parent), *filter(None, [os.environ.get("PYTHONPATH", "")])])
        self._process = subprocess.Popen(
            [sys.executable, str(here / "killing.py"), str(texts)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip

    def index(self, store: Path, at: str = "") -> tuple[int, list[str]]:
        """How the process ended, and the moments that it went through."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(store), at]) + "\n")
        self._process.stdin.flush()
        moments: list[str] = []
        for line in self._process.stdout:
            if line.startswith("ended "):
                return int(line.split()[1]), moments
            moments.append(line.strip())
        raise AssertionError("it is gone")

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture
def killing(tmp_path: Path) -> Iterator[Killing]:
    process = Killing(tmp_path / "texts")
    yield process
    process.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is finished here is finished as in the processes that are killed."""
    from killing import SMALL

    for name, value in SMALL.items():
        monkeypatch.setattr(filling, name, value)


def killed_at(moments: Sequence[str], killing: Killing, texts: Path, start: Path | None, folder: Path) -> None:
    """Kill a process at each moment, each time from the same start, and let the next one finish."""
    old = None if start is None else state(start)
    calm = folder / "calm"
    if start is not None:
        shutil.copytree(start, calm)
    ended, known = killing.index(calm)
    assert (ended, set(moments) - set(known)) == (0, set()), known
    new = state(calm)
    assert new is not None
    assert new != old
    tagged = next(place for place, moment in enumerate(known) if moment in ("create 1 begun", "update 1 begun"))
    for number, moment in enumerate(moments):
        store = folder / str(number)
        if start is not None:
            shutil.copytree(start, store)
        assert killing.index(store, moment) == (-signal.SIGKILL, [])
        left = state(store)
        if known.index(moment) == tagged:
            assert left in (old, new)
        else:
            assert left == (old if known.index(moment) < tagged else new), moment
        report = index_texts([texts], store, embedder=Hashing())
        assert report.files == len(new.texts)
        assert state(store) == new, moment
        indices = open_store(store, embedder=Hashing())._table.list_indices()
        assert {column for index in indices for column in index.columns} == {"terms", "vector"}


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_a_fresh_index_that_is_killed_is_whole_or_absent_and_goes_on(killing: Killing, tmp_path: Path) -> None:
    write(tmp_path / "texts", range(8), 500)
    killed_at(FRESH, killing, tmp_path / "texts", None, tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_an_update_that_is_killed_leaves_the_old_store_or_the_new_one_and_goes_on(
    killing: Killing, tmp_path: Path
) -> None:
    """Of the files some stay, some change, some go and some come."""
    texts, old = tmp_path / "texts", tmp_path / "old"
    write(texts, range(8), 0)
    index_texts([texts], old, embedder=Hashing())
    write(texts, range(4, 10), 500)
    (texts / "0.txt").unlink()
    killed_at(UPDATED, killing, texts, old, tmp_path)
