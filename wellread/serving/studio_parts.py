"""What every tab of the studio needs: how an error is shown, what stands where something will, lists of runs read anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wellread.errors import WellreadError
from wellread.serving.studio_runs import runs_in

ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
HERE = '<p class="wr-note">{}</p>'
"""What stands where something will."""


def told(error: WellreadError) -> Exception:
    """What the page shows of an error that a visitor can mend."""
    import gradio as gr

    shown: Exception = gr.Error(str(error), print_exception=False, duration=None)
    return shown


def refreshed(chosen: Any, runs: Path) -> None:
    """A list of runs that is read anew whenever it is opened."""
    import gradio as gr

    chosen.focus(
        lambda: gr.Dropdown(choices=runs_in(runs)), None, chosen, api_visibility="private", show_progress="hidden"
    )
