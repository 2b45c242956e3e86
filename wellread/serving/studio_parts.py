"""What every tab of the studio needs: how an error is shown, what stands where something will, lists of runs read anew."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from wellread.errors import WellreadError
from wellread.serving.studio_runs import runs_in

ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
HERE = '<p class="wr-note">{}</p>'
"""What stands where something will."""
TURN = f"() => ['{HERE.format('waiting for its turn: one text is written at a time …')}', '']"
"""Run by the browser when a button is pressed whose work may have to wait for another's: the server says nothing until then."""
STOPPED = """(...cards) => cards.map(card => (card || '').replace(
  /<p class="wr-note">(waiting|opening|writing|looking|remembering)[^<]* …<.p>/g, '<p class="wr-note">stopped</p>'))"""
"""Run by the browser when that work ends before its end, for then the server says no more: what has grown stays, and nothing
says that more is coming."""


def told(error: WellreadError) -> Exception:
    """What the page shows of an error that a visitor can mend."""
    import gradio as gr

    shown: Exception = gr.Error(str(error), print_exception=False, duration=None)
    return shown


def failed(error: WellreadError) -> str:
    """The same, to stand in the place of what was to come: nothing there may say that it still does."""
    return f'<p class="wr-note wr-failed">{escape(str(error))}</p>'


def refreshed(chosen: Any, runs: Path) -> None:
    """A list of runs that is read anew whenever it is opened."""
    import gradio as gr

    chosen.focus(
        lambda: gr.Dropdown(choices=runs_in(runs)), None, chosen, api_visibility="private", show_progress="hidden"
    )
