"""A folder of runs in, the studio's tab Ask out: stores are made of texts, and answer with their passages, or a model by heart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from wellread.errors import WellreadError
from wellread.retrieval.store import Mode, open_store
from wellread.runs import Run
from wellread.serving.studio_files import keep_uploads, kinds
from wellread.serving.studio_models import Models, ask_model
from wellread.serving.studio_parts import HERE, ONE_AT_A_TIME, STOPPED, TURN, failed, told
from wellread.serving.studio_runs import run_named, runs_in
from wellread.serving.studio_shown import answered
from wellread.serving.studio_stores import embedders, keep_store, store_named, stores_in
from wellread.types import Sampling

BASE = "the untouched base"
BY_HEART = "by heart"
SEARCHES = {
    "words and meaning": "hybrid",
    "words alone": "keyword",
    "meaning alone": "vector",
    "none, by heart": BY_HEART,
}
"""How a store is searched, as the page names it and as stores do."""

FIRST = (
    "Make a store of your texts, or choose one, then ask: the answer names the passages that it was found in. "
    "Without a store, choose the search “none, by heart”."
)


def ask_tab(runs: Path, models: Models) -> tuple[Any, Any]:
    """The choice of a model and of a store; the rest of the tab is wired here."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            store = gr.Dropdown([], label="Store", filterable=False,
                                info="Texts of yours, cut into passages in which answers are looked up.")  # fmt: skip
            with gr.Accordion("A new store", open=not stores_in(runs)):
                uploads = gr.File(label="Texts", file_count="multiple", file_types=kinds(), height=120)
                name = gr.Textbox(label="Name", placeholder="my documents", max_lines=1)
                embedder = gr.Dropdown(embedders(), value="", label="Meaning by", filterable=False,
                                       info="The model that tells which passages mean what is asked.")  # fmt: skip
                make = gr.Button("Make the store")
                kept = gr.HTML()
            chosen = gr.Dropdown([BASE], value=BASE, label="Model", info="Who answers.", filterable=False)
            search = gr.Radio(list(SEARCHES.items()), value="hybrid", label="Search")
            question = gr.Textbox(label="Question", lines=2, placeholder="for example: When are the stoves lit?")
            beside = gr.Checkbox(True, label="By heart beside it", info="The same model, without looking anything up.")
            go = gr.Button("Ask", variant="primary")
        with gr.Column(scale=2, min_width=300), gr.Row(elem_classes="wr-beside"):
            sourced = gr.HTML(HERE.format(FIRST), min_height=80)
            closed = gr.HTML(min_height=80)

    def made(files: list[str] | None, name: str, embedder: str) -> Any:
        try:
            place = keep_store(name, keep_uploads(files, runs / "uploads"), runs, embedder=embedder or "")
        except WellreadError as error:
            raise told(error) from None
        said = HERE.format(f"{place.name} is made and chosen: ask it below.")  # a safe name
        return gr.Dropdown(choices=stores_in(runs), value=place.name), said

    def ask(store: str | None, name: str | None, search: str, question: str, beside: bool) -> Iterator[tuple[str, str]]:
        sampling = Sampling(150, 0.0, 1.0)
        try:
            this: Run | None = None if name in (None, BASE) else run_named(name, runs)
            left = ""
            if search != BY_HEART:
                place = store_named(store, runs)
                yield HERE.format("looking it up, and reading …"), ""
                left = asked_from(models, this, place, search, question, sampling)
            if beside or not left:
                yield left or HERE.format("remembering …"), HERE.format("remembering …") if left else ""
                by_heart = answered("By heart", ask_model(models, this, None, question, sampling), lambda document: "")
                yield (left, by_heart) if left else (by_heart, "")
            else:
                yield left, ""
        except WellreadError as error:
            yield failed(error), ""
            raise told(error) from None

    make.click(made, [uploads, name, embedder], [store, kept], api_visibility="private")
    given = [store, chosen, search, question, beside]
    cards = [sourced, closed]
    go.click(None, None, cards, js=TURN, api_visibility="private")
    asks = go.click(ask, given, cards, api_name="ask", show_progress="hidden", **ONE_AT_A_TIME)
    asks.failure(None, cards, cards, js=STOPPED, api_visibility="private")
    chosen.focus(lambda: gr.Dropdown(choices=[BASE, *runs_in(runs)]), None, chosen, api_visibility="private")
    store.focus(lambda: gr.Dropdown(choices=stores_in(runs)), None, store, api_visibility="private")
    return chosen, store


def asked_from(models: Models, this: Run | None, store: Path, search: str, question: str, sampling: Sampling) -> str:
    """The answer from a store that is searched in this way, as HTML. Raises UsageError for a way that the store has not;
    one without vectors is searched by words where both are asked for."""
    opened = open_store(store)
    mode = next((each for each in get_args(Mode) if each == search), None)
    mode = opened.mode if mode == "hybrid" else mode
    told = ask_model(models, this, store, question, sampling, mode=mode)
    ways = {mode: way for way, mode in SEARCHES.items()}
    return answered(f"From {store.name}, by {ways[mode or opened.mode]}", told, opened.document_text)
