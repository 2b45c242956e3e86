"""A folder of runs in, the Gradio page over it out: five tabs, wired to the plain functions that do the work."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from wellread.errors import UsageError, WellreadError
from wellread.serving.studio_asking import BASE, ask_tab
from wellread.serving.studio_files import LARGEST, keep_uploads
from wellread.serving.studio_looks import CSS, HEAD
from wellread.serving.studio_models import Models
from wellread.serving.studio_parts import HERE, refreshed, told
from wellread.serving.studio_recipes import RECIPES, every_kind, suited
from wellread.serving.studio_runs import (
    is_working,
    last_sign,
    resume_run,
    run_named,
    runs_in,
    start_run,
    status,
    stop_run,
    taught_in,
    works_elsewhere,
)
from wellread.serving.studio_shown import followed, framed
from wellread.serving.studio_stores import stores_in
from wellread.serving.studio_writing import write_tab

EVERY = 2.0
"""Seconds between two looks at a run."""
NO_RUN = "No run yet. Upload a text and start one."
NO_READING = "The text of a finished run, its words shaded by how much they surprised the model."
MINUTES = "0: as long as the recipe says. Writing and measuring come on top."


def page(runs: Path, models: Models) -> tuple[Any, dict[str, Any]]:
    """The page, and how it looks."""
    import gradio as gr

    theme = gr.themes.Base(
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"], primary_hue="teal"
    )
    theme = theme.set(  # what is small or coloured can be read: contrasts of 4.5 and more, light and dark
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400",
        button_primary_background_fill="*primary_700", button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700", button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white", button_primary_text_color_dark="white",
        color_accent="*primary_700", link_text_color="*primary_700", link_text_color_dark="*primary_300",
    )  # fmt: skip
    with gr.Blocks(title="wellread studio", analytics_enabled=False, delete_cache=(3600, 3600)) as blocks:
        gr.HTML('<h1 class="wr-title">wellread studio</h1>')
        with gr.Tabs(overflow_behavior="wrap"):
            with gr.Tab("Runs"):
                following = _runs_tab(runs)
            with gr.Tab("Write"):
                writing = write_tab(runs, models)
            with gr.Tab("Read"):
                reading = _read_tab(runs)
            with gr.Tab("Ask"):
                asking, store = ask_tab(runs, models)
            with gr.Tab("Compare"):
                first, second = _compare_tab(runs)

        def listed() -> list[Any]:
            names, taught, stores = runs_in(runs), taught_in(runs), stores_in(runs)
            one, other = [*taught[:2], None, None][:2]
            chosen = [gr.Dropdown(choices=names, value=value) for value in (names[0] if names else None, one, one)]
            return [*chosen, gr.Dropdown(choices=[BASE, *names], value=BASE),
                    gr.Dropdown(choices=stores, value=stores[0] if stores else None),
                    gr.Dropdown(choices=names, value=one), gr.Dropdown(choices=names, value=other)]  # fmt: skip

        blocks.load(listed, None, [following, writing, reading, asking, store, first, second], api_visibility="private")
    return blocks, {"theme": theme, "css": CSS, "head": HEAD}


def _runs_tab(runs: Path) -> Any:
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            gr.Markdown("### A new run")
            uploads = gr.File(label="Texts", file_count="multiple", file_types=every_kind(), height=140)
            reads = gr.HTML(_reads("novel"))
            recipe = gr.Dropdown(
                list(RECIPES), value="novel", label="Recipe", info=RECIPES["novel"].about, filterable=False
            )
            minutes = gr.Number(
                RECIPES["novel"].minutes, label="Minutes of training", info=MINUTES, minimum=0, maximum=10080
            )
            start = gr.Button("Start", variant="primary")
        with gr.Column(scale=2, min_width=300):
            chosen = gr.Dropdown([], label="Run", filterable=False)
            with gr.Row():
                stop, resume = gr.Button("Stop", interactive=False), gr.Button("Resume", interactive=False)
            state = gr.HTML(HERE.format(NO_RUN))
    certificate = gr.HTML()
    timer, seen = gr.Timer(EVERY), gr.State("")

    def follow(name: str | None) -> tuple[str, str, Any, Any, str]:
        if not name:
            return HERE.format(NO_RUN), "", gr.Button(interactive=False), gr.Button(interactive=False), ""
        try:
            look = looked(name, runs)[1]  # before it is read: what is written meanwhile is seen the next time
            now = status(run_named(name, runs))
        except WellreadError as error:
            raise told(error) from None
        certificate = framed(page_of(name, "report"), "Certificate") if now.verdict_there else ""
        may_stop, may_resume = gr.Button(interactive=now.may_stop), gr.Button(interactive=now.may_resume)
        return followed(now), certificate, may_stop, may_resume, look

    def chose(recipe: str) -> tuple[Any, Any, str]:
        this = RECIPES[recipe]
        return gr.Dropdown(info=this.about), gr.Number(value=this.minutes), _reads(recipe)

    def started(files: list[str] | None, recipe: str, minutes: float | None) -> Any:
        try:
            reads = suited(recipe, files).reads
            this = start_run(recipe, keep_uploads(files, runs / "uploads", reads=reads), runs, minutes=minutes or None)
        except WellreadError as error:
            raise told(error) from None
        return gr.Dropdown(choices=runs_in(runs), value=this.name)

    def stopped(name: str | None) -> None:
        try:
            stop_run(run_named(name, runs))
        except WellreadError as error:
            raise told(error) from None

    def resumed(name: str | None) -> None:
        try:
            resume_run(run_named(name, runs))
        except WellreadError as error:
            raise told(error) from None

    shown = [state, certificate, stop, resume, seen]
    recipe.change(chose, recipe, [recipe, minutes, reads], api_visibility="private", show_progress="hidden")
    start.click(started, [uploads, recipe, minutes], chosen, api_name="start").then(
        follow, chosen, shown, api_visibility="private"
    )
    stop.click(stopped, chosen, None, api_name="stop").then(follow, chosen, shown, api_visibility="private")
    resume.click(resumed, chosen, None, api_name="resume").then(follow, chosen, shown, api_visibility="private")
    chosen.change(follow, chosen, shown, api_name="follow")
    refreshed(chosen, runs)

    def again(name: str | None, seen: str) -> tuple[Any, ...]:
        """What changes while a run works; a certificate that is open stays as it is, wherever its reader is."""
        works, look = looked(name, runs)
        return follow(name) if works or look != seen else (gr.skip(),) * len(shown)

    timer.tick(again, [chosen, seen], shown, api_visibility="private", show_progress="hidden")
    return chosen


def _reads(recipe: str) -> str:
    this = RECIPES[recipe]
    how = f"up to {LARGEST >> 20} MB" + (" each" if this.several else ", one file")
    return HERE.format(f"{' '.join(sorted(this.reads))}, {how}")


def looked(name: str | None, runs: Path) -> tuple[bool, str]:
    """Whether a run works; and words that are others as soon as anything is written to it, or it works no more."""
    try:
        this = run_named(name, runs)
    except UsageError:
        return False, ""
    works = is_working(this) or works_elsewhere(this)
    return works, f"{name} {works} {last_sign(this)}"


def page_of(name: str | None, which: str) -> str:
    """Where a run's certificate (`report`) or reading view (`reading`) is served, whatever the run is called."""
    return f"/pages/{quote(name or '', safe='')}/{which}.html"


def _read_tab(runs: Path) -> Any:
    import gradio as gr

    chosen = gr.Dropdown([], label="Run", filterable=False)
    view = gr.HTML(HERE.format(NO_READING))

    def read(name: str | None) -> str:
        if name not in runs_in(runs):
            return HERE.format(NO_READING)
        if run_named(name, runs).reading.is_file():
            return framed(page_of(name, "reading"), "The book as the model read it")
        return HERE.format(f"{escape(name or '')} has no reading view yet: it is written when a run is finished.")

    chosen.change(read, chosen, view, api_visibility="private")
    refreshed(chosen, runs)
    return chosen


def _compare_tab(runs: Path) -> tuple[Any, Any]:
    import gradio as gr

    with gr.Row():
        first, second = (gr.Dropdown([], label=label, filterable=False) for label in ("First", "Second"))
    go = gr.Button("Compare", variant="primary")
    view = gr.HTML(HERE.format("Two finished runs, measurement by measurement."))

    def compared(a: str | None, b: str | None) -> str:
        known = runs_in(runs)
        if a not in known or b not in known or a == b:
            raise told(UsageError("choose two runs that are not the same."))
        for name in (a, b):
            if not run_named(name, runs).measurements.is_file():
                raise told(UsageError(f"{name} is not finished, so there is nothing to compare yet."))
        return framed(f"/compare.html?{urlencode({'a': a, 'b': b})}", f"{a} beside {b}")

    go.click(compared, [first, second], view, api_visibility="private")
    for each in (first, second):
        refreshed(each, runs)
    return first, second
