"""The notebooks: they are read as they are committed, run top to bottom on tiny settings, and show what a run left."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wellread.errors import UsageError
from wellread.storage import write_rows

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
JOBS = ["documents", "from-scratch", "glossary", "novel", "references"]


def cells(path: Path, kind: str = "code") -> list[dict[str, Any]]:
    book = json.loads(path.read_text(encoding="utf-8"))
    return [{**cell, "source": "".join(cell["source"])} for cell in book["cells"] if cell["cell_type"] == kind]


def test_there_is_one_for_each_job() -> None:
    assert [path.stem for path in NOTEBOOKS] == JOBS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_is_stripped_and_knows_no_machine(path: Path) -> None:
    for cell in cells(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
        assert not re.search(r"""["'(](/|~|[A-Z]:\\)""", cell["source"])
    tags = [tag for cell in cells(path) for tag in cell["metadata"].get("tags", ())]
    assert tags == ["install", "parameters"]


def test_losses_are_told_stage_by_stage(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    from wellread import notebook
    from wellread.runs import Run

    assert "No stage has trained yet" in notebook.losses(Run(tmp_path)).data
    rows = [{"step": 1, "loss": 4.0}, {"step": 2, "loss": 3.0}, {"step": 2, "validation_loss": 3.5, "weights": "current"},
            {"step": 2, "validation_loss": 9.0, "weights": "average"}]  # fmt: skip
    write_rows(tmp_path / "stages" / "01-imprint" / "log.jsonl", rows)
    shown = notebook.losses(Run(tmp_path)).data
    assert "<h4>imprint</h4>" in shown
    assert "4.00 at step 1, 3.00 at step 2" in shown
    assert "3.50 at step 2" in shown
    assert "9.00" not in shown
    with pytest.raises(UsageError, match="is not a run folder"):
        notebook.losses(tmp_path)


def test_a_page_stands_whole_in_a_frame_that_reaches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    from wellread import notebook

    (tmp_path / "report.html").write_text('<p title="é">"quoted" & <b>bold</b></p>', encoding="utf-8")
    shown = notebook.page(tmp_path / "report.html", height=300).data
    [content] = re.findall(r'srcdoc="([^"]*)"', shown)
    assert html.unescape(content) == '<p title="é">"quoted" & <b>bold</b></p>'
    assert 'sandbox="allow-scripts"' in shown
    assert "height: 300px" in shown


def test_training_is_drawn_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = pytest.importorskip("IPython.display")
    from wellread import notebook
    from wellread.generation.progress import Work
    from wellread.training import Progress

    drawn: list[str] = []
    handle = SimpleNamespace(update=lambda shown: drawn.append(shown.data))
    monkeypatch.setattr(ipython, "display", lambda shown, display_id: handle)
    monkeypatch.setattr(notebook, "REDRAWN", 0.0)
    watch = notebook.live()
    watch.say("reading <novella.md>")
    assert "reading &lt;novella.md&gt;" in drawn[-1]
    watch.progress(Progress(1, 0.1, 4.0, None, 50.0, 90.0))
    watch.progress(Progress(2, 0.2, 3.5, None, 50.0, 80.0))
    assert "4.00 at step 1, 3.50 at step 2" in drawn[-1]
    assert "20%" in drawn[-1]
    watch.progress(Work("scoring", 3, 4, "texts", 0.75, 1.0))
    assert "scoring: 3 of 4 texts" in drawn[-1]
    watch.progress(Progress(1, 0.1, 2.0, None, 50.0, 90.0))  # the next stage begins anew
    assert "2.00 at step 1, 2.00 at step 1" in drawn[-1]


def test_the_package_is_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "wellread", "--help"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    assert "studio" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_top_to_bottom(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    for module in re.findall(r'find_spec\("(\w+)"\)', cells(path)[0]["source"]):
        if find_spec(module) is None:
            pytest.skip(f"{module} is not here, and a test installs nothing")
    monkeypatch.setenv("WELLREAD_TINY", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        book, timeout=3600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = "\n".join(
        str(output["data"].get("text/html", ""))
        for cell in book.cells
        for output in cell.get("outputs", ())
        if "data" in output
    )
    [run] = (tmp_path / "runs").iterdir()
    assert html.escape((run / "report.html").read_text(encoding="utf-8"), quote=True) in shown
    assert shown.count("loss, nats per token") >= 2
    if path.stem == "documents":
        assert "open one to see it in its place" in shown
        assert "The sources do not say." in shown
