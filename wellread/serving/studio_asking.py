"""A folder of runs in, the studio's tab Ask out: stores are made of texts, and answer with their passages, or a model by heart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wellread.errors import WellreadError
from wellread.runs import Run
from wellread.serving.studio_files import keep_uploads, kinds
from wellread.serving.studio_models import Models, ask_model
from wellread.serving.studio_parts import HERE, ONE_AT_A_TIME, told
from wellread.serving.studio_runs import run_named, runs_in
from wellread.serving.studio_shown import answered
from wellread.serving.studio_stores import keep_store, store_named, stores_in
from wellread.types import Sampling

BASE = "the untouched base"


def ask_tab(runs: Path, models: Models) -> tuple[Any, Any]:
    """The choice of a model and of a store; the rest of the tab is wired here."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            store = gr.Dropdown([], label="Store", info="The texts that are looked things up in.", filterable=False)
            with gr.Accordion("A new store", open=not stores_in(runs)):
                uploads = gr.File(label="Texts", file_count="multiple", file_types=kinds(), height=120)
                name = gr.Textbox(label="Name", placeholder="my documents", max_lines=1)
                make = gr.Button("Make the store")
            chosen = gr.Dropdown([BASE], value=BASE, label="Model", info="Who answers.", filterable=False)
            question = gr.Textbox(label="Question", lines=2, placeholder="When are the stoves lit?")
            beside = gr.Checkbox(True, label="By heart beside it", info="The same model, without looking anything up.")
            go = gr.Button("Ask", variant="primary")
        with gr.Column(scale=2, min_width=300), gr.Row(elem_classes="wr-beside"):
            sourced = gr.HTML(HERE.format("Make a store of your texts or choose one, then ask; the answer names its passages."),
                              min_height=80)  # fmt: skip
            closed = gr.HTML(min_height=80)

    def made(files: list[str] | None, name: str) -> Any:
        try:
            place = keep_store(name, keep_uploads(files, runs / "uploads"), runs)
        except WellreadError as error:
            raise told(error) from None
        return gr.Dropdown(choices=stores_in(runs), value=place.name)

    def ask(store: str | None, name: str | None, question: str, beside: bool) -> Iterator[tuple[str, str]]:
        from wellread.retrieval.store import open_store

        sampling = Sampling(150, 0.0, 1.0)
        try:
            place = store_named(store, runs)
            this: Run | None = None if name in (None, BASE) else run_named(name, runs)
            yield HERE.format("looking it up, and reading …"), ""
            text = open_store(place).document_text
            left = answered(f"From {place.name}", ask_model(models, this, place, question, sampling), text)
            yield left, HERE.format("remembering …") if beside else ""
            if beside:
                yield left, answered("By heart", ask_model(models, this, None, question, sampling), text)
        except WellreadError as error:
            raise told(error) from None

    make.click(made, [uploads, name], store, api_visibility="private")
    given = [store, chosen, question, beside]
    go.click(ask, given, [sourced, closed], api_name="ask", show_progress="hidden", **ONE_AT_A_TIME)
    chosen.focus(lambda: gr.Dropdown(choices=[BASE, *runs_in(runs)]), None, chosen, api_visibility="private")
    store.focus(lambda: gr.Dropdown(choices=stores_in(runs)), None, store, api_visibility="private")
    return chosen, store
