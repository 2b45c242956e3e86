"""A folder of runs in, the studio's pages out: the Gradio page, and the certificates, reading views and comparisons it frames."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from starlette.types import ASGIApp

from wellread.comparing import compare
from wellread.errors import UsageError, WellreadError
from wellread.reports import comparison_page
from wellread.serving.settings import Admission
from wellread.serving.studio_door import Door
from wellread.serving.studio_files import LARGEST
from wellread.serving.studio_models import Models
from wellread.serving.studio_runs import run_named
from wellread.serving.studio_tabs import page

PAGES = {"report": "report.html", "reading": "reading.html"}
FRAMED = {"Content-Security-Policy": "sandbox allow-scripts; frame-ancestors 'self'", "Cache-Control": "no-store"}
"""A framed page is nobody's: it reaches neither the studio nor its password, whatever the book it shows says. What it may
load it says itself, and that is nothing."""

IDLE = 0.05
"""Seconds between two looks at what visitors asked for. Gradio's own queue looks a thousand times a second, on Windows so often:
a studio that nobody looks at would keep a processor awake."""


def build_studio(runs: Path, admission: Admission, *, offline: bool = False) -> ASGIApp:
    """The studio over a folder of runs, for any ASGI server to run."""
    import gradio as gr

    app = FastAPI(title="wellread studio", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/pages/{name}/{which}.html", response_class=HTMLResponse)
    def framed(name: str, which: str) -> HTMLResponse:
        try:
            place = run_named(name, runs).path / PAGES.get(which, "report.html")
        except UsageError as error:
            return HTMLResponse(plain(str(error)), 404, FRAMED)
        if not place.is_file():
            missing = ("No scores are kept for a reading view; `wellread report RUN --reading` makes them."
                       if which == "reading" else "The certificate is written when the run is finished.")  # fmt: skip
            return HTMLResponse(plain(missing), 404, FRAMED)
        return HTMLResponse(place.read_text(encoding="utf-8"), headers=FRAMED)

    @app.get("/compare.html", response_class=HTMLResponse)
    def side_by_side(a: str, b: str) -> HTMLResponse:
        try:
            names = [str(run_named(name, runs).path) for name in (a, b)]
            return HTMLResponse(comparison_page(compare(names, runs_folder=runs)), headers=FRAMED)
        except WellreadError as error:
            return HTMLResponse(plain(str(error)), 404, FRAMED)

    blocks, looks = page(runs, Models(offline=offline))
    mounted = gr.mount_gradio_app(
        app, blocks, "/", footer_links=[], run_history=False, ssr_mode=False, pwa=False, enable_monitoring=False,
        max_file_size=LARGEST, show_error=True, mcp_server=False, **looks,
    )  # fmt: skip
    queue = getattr(blocks, "_queue", None)  # it has no setting for this
    if queue is not None:
        queue.sleep_when_free, queue.progress_update_sleep_when_free = IDLE, 2 * IDLE
    return Door(mounted, admission)


def plain(line: str) -> str:
    """A page of one line, in the colours that the reader prefers."""
    from html import escape

    return ('<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
            f'<title>wellread</title><p style="font: 1rem system-ui, sans-serif">{escape(line)}</p>')  # fmt: skip
