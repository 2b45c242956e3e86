"""A run or an answer in, what a notebook shows of it out: training while it goes on, losses, pages, citations.

Made of IPython's own display, so that it is the same in JupyterLab, on Colab and in an editor; loads nothing from elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.commands.terminal import progress_line
from wellread.gathering import Watch
from wellread.replying import Told
from wellread.runs import Run, open_run
from wellread.serving.studio_shown import answered, curve
from wellread.storage import stream_rows
from wellread.training.log import Progress

if TYPE_CHECKING:
    from IPython.display import HTML

REDRAWN = 0.5
"""Seconds between two drawings."""
LINES = 8
"""Of what a run said, the last so many stay in sight."""
STYLE = """<style>
.wr-curve { display: inline-block; width: min(340px, 100%); margin: 0 16px 8px 0; }
.wr-curve figcaption { font-size: .85rem; }
.wr-curve svg { width: 100%; height: auto; }
.wr-curve path { fill: none; stroke: #2f6fb3; stroke-width: 1.6; vector-effect: non-scaling-stroke; }
.wr-curve line { stroke: currentColor; stroke-opacity: .2; }
.wr-curve text { fill: currentColor; font-size: 9px; text-anchor: end; }
.wr-said, .wr-text { white-space: pre-wrap; }
.wr-said { font-size: .85rem; }
.wr-text mark { background: #ffd98a; color: #1c1400; }
.wr-passage summary { cursor: pointer; }
</style>"""
"""Colours that stand on light and dark; the rest is the notebook's own."""


def live() -> Watch:
    """A Watch that draws below the cell, in place: what the run said last, its bar, the loss of the stage that trains."""
    from IPython.display import HTML, display

    shown = display(HTML(""), display_id=True)
    said: list[str] = []
    losses: list[tuple[int, float]] = []
    drawn = 0.0

    def draw(line: str = "") -> None:
        nonlocal drawn
        drawn = time.monotonic()
        text = escape("\n".join([*said[-LINES:], *([line] if line else [])]))
        chart = curve("Loss", "nats per token, training", losses, smooth=True) if losses else ""
        if shown is not None:  # it is where no notebook listens
            shown.update(HTML(f'{STYLE}<div class="wr-said">{text}</div>{chart}'))

    def say(line: str) -> None:
        said.append(line)
        draw()

    def progress(now: Any) -> None:
        ended = False
        if isinstance(now, Progress):  # else it writes or scores
            if losses and now.step < losses[-1][0]:
                losses.clear()  # the next stage, or the next fold
            losses.append((now.step, now.loss))
            ended = bool(now.stopped)
        if ended or time.monotonic() - drawn >= REDRAWN:
            draw(progress_line(now))

    return Watch(say, progress)


def losses(run: Run | str | Path) -> HTML:
    """The losses of every stage of a run, as its `log.jsonl` has them: of training, and on the validation part.

    Raises UsageError where `run` is no run folder.
    """
    from IPython.display import HTML

    this = run if isinstance(run, Run) else open_run(run)
    shown = ""
    for stage in this.stages():
        log = stage.path / "log.jsonl"
        if log.is_file():
            rows = list(stream_rows(log))
            shown += f"<h4>{escape(stage.name)}</h4>"
            shown += curve("Training", "loss, nats per token", _points(rows, "loss"), smooth=True)
            shown += curve("Validation", "loss, nats per token", _points(rows, "validation_loss"))
    return HTML(STYLE + (shown or "<p>No stage has trained yet.</p>"))


def page(path: str | Path, *, height: int = 720) -> HTML:
    """A page that a run wrote (its certificate, its reading view), whole, in a frame of `height` pixels.

    The page travels within the output, so it is there on Colab too and after the notebook was sent to someone; its own
    script runs, and reaches nothing of the notebook.
    """
    from IPython.display import HTML

    content = escape(Path(path).read_text(encoding="utf-8"), quote=True)
    return HTML(
        f'<div><iframe sandbox="allow-scripts" srcdoc="{content}" title="{escape(Path(path).name, quote=True)}" '
        f'style="width: 100%; height: {height}px; border: 1px solid #8884; background: Canvas"></iframe></div>'
    )


def answer(told: Told, store: str | Path) -> HTML:
    """An answer below its question, its sentences numbered; each source opens in its place in the document.

    Raises UsageError where `store` is none.
    """
    from IPython.display import HTML

    from wellread.retrieval.store import open_store

    return HTML(STYLE + answered(told.question, told, open_store(store).document_text))


def _points(rows: Iterable[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    return [(row["step"], row[key]) for row in rows if row.get(key) is not None and row.get("weights") != "average"]
