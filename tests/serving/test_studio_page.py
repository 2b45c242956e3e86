"""The studio's page as a browser meets it: what is left out is told where it was to stand, and nobody's page costs nothing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import PATIENCE, comes

pytest.importorskip("gradio")

from wellread.serving.listening import served
from wellread.serving.studio import build_studio
from wellread.serving.studio_asking import BASE, BY_HEART
from wellread.serving.studio_door import door_admission

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A visitor of a studio without a run and without a store."""
    from gradio_client import Client

    runs = tmp_path_factory.mktemp("studio") / "runs"
    with served(build_studio(runs, door_admission("127.0.0.1", ""))) as base:
        yield Client(base.removesuffix("/v1"), verbose=False, httpx_kwargs={"timeout": PATIENCE})


@pytest.mark.parametrize(
    ("asked", "said"),
    [(("/write", None, "", 1, 0, True, 10, 0.8, 0.9, 1, 0), "no run is chosen"),
     (("/ask", None, BASE, "hybrid", "When are the stoves lit?", True), "no store is chosen. A store holds texts of yours"),
     (("/ask", None, BASE, BY_HEART, "  ", True), "the question is empty")],
)  # fmt: skip
def test_what_is_left_out_is_told_where_the_text_was_to_stand(page: Any, asked: tuple[Any, ...], said: str) -> None:
    """Beside the message that goes away: what stood there said that a text is coming, and went on saying so."""
    name, *given = asked
    job = page.submit(*given, api_name=name)
    with pytest.raises(Exception, match=said):
        job.result(timeout=PATIENCE)
    first, second = job.outputs()[-1]
    assert said in first
    assert "…" not in first + second


def test_a_page_begins_with_runs_that_can_do_what_its_tabs_are_for(tmp_path: Path) -> None:
    """To be followed: the latest. To write, be read or compared: those with a finished stage; the latest is in training."""
    from wellread.serving.studio_models import Models
    from wellread.serving.studio_tabs import page as built

    for age, (name, finished) in enumerate([("begun", False), ("new", True), ("also-begun", False), ("old", True)]):
        run = tmp_path / name
        (run / "corpus").mkdir(parents=True)
        (run / "recipe.yaml").write_text("name: any\n", encoding="utf-8")
        stage = run / "stages" / "01-read"
        (stage / "checkpoint" if finished else stage).mkdir(parents=True)
        os.utime(run, (1e9 - age, 1e9 - age))
    blocks, _ = built(tmp_path, Models(offline=True))
    [listed] = [each.fn for each in blocks.fns.values() if each.name == "listed"]
    following, writing, reading, _, _, first, second = [each.value for each in listed()]
    assert (following, writing, reading, first, second) == ("begun", "new", "new", "new", "old")


def test_a_studio_that_nobody_looks_at_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradio's queue would look a thousand times a second whether there is something to do. Told by how long whoever looks
    wants to sleep: how often that is on this machine, others at work on it have a say in."""
    looks, sleep = [], asyncio.sleep

    async def counted(seconds: float, *given: Any) -> Any:
        looks.append(seconds)
        return await sleep(seconds, *given)

    monkeypatch.setattr(asyncio, "sleep", counted)
    with served(build_studio(tmp_path, door_admission("127.0.0.1", ""))):
        time.sleep(0.5)
        looks.clear()
        assert comes(lambda: len(looks) >= 10)
        found = looks[:]
    assert sum(found) / len(found) > 0.01
