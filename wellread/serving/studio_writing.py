"""A folder of runs in, the studio's tab Write out: a beginning goes on, tuned and untuned beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from wellread.errors import WellreadError
from wellread.serving.studio_models import Models, has_dial, write_on
from wellread.serving.studio_parts import HERE, ONE_AT_A_TIME, STOPPED, TURN, failed, refreshed, told
from wellread.serving.studio_runs import run_named
from wellread.serving.studio_shown import written
from wellread.types import Sampling


def write_tab(runs: Path, models: Models) -> Any:
    """The choice of a run; the rest of the tab is wired here."""
    import gradio as gr

    with gr.Row():
        with gr.Column(scale=1, min_width=300):
            chosen = gr.Dropdown([], label="Run", filterable=False)
            prompt = gr.Textbox(
                label="Beginning", lines=4, placeholder="for example: It was the last evening of October when",
                info="Left empty: the opening line of the run's own samples.",
            )  # fmt: skip
            dial = gr.Slider(
                0,
                1.2,
                value=1,
                step=0.1,
                label="Dial",
                info="How much of your text: 0 is the model before it, 1 as taught.",
            )
            guard = gr.Slider(
                0,
                30,
                value=0,
                step=1,
                label="Guard",
                info="At most so many words in a row from your text; 0: no guard.",
            )
            beside = gr.Checkbox(
                True, label="The base beside it", info="The same beginning, before your text was taught."
            )
            with gr.Accordion("Sampling", open=False):
                tokens = gr.Slider(
                    10, 800, value=120, step=10, label="Tokens", info="Length: about 4 tokens are 3 words."
                )
                temperature = gr.Slider(
                    0, 2, value=0.8, step=0.05, label="Temperature", info="Low is sober, high is daring."
                )
                top_p = gr.Slider(
                    0.05, 1, value=0.95, step=0.05, label="Top-p", info="Lower leaves out what is unlikely."
                )
                penalty = gr.Slider(
                    1, 2, value=1, step=0.05, label="Repetition penalty", info="Above 1: against repeating itself."
                )
                seed = gr.Number(
                    0, label="Seed", info="Another number, another text.", precision=0, minimum=0, maximum=2**32 - 1
                )
            with gr.Row():
                go, halt = gr.Button("Write", variant="primary"), gr.Button("Stop writing")
        with gr.Column(scale=2, min_width=300), gr.Row(elem_classes="wr-beside"):
            tuned = gr.HTML(
                HERE.format("Choose a run, give a beginning or none, and press Write; the text grows here."),
                min_height=80,
            )
            base = gr.HTML(min_height=80)

    def write(
        name: str | None, prompt: str, dial: float, guard: int, beside: bool, tokens: int, temperature: float, top_p: float,
        penalty: float, seed: int,
    ) -> Iterator[tuple[str, str]]:  # fmt: skip
        sampling = Sampling(
            int(tokens), temperature, top_p, repetition_penalty=penalty, seed=int(seed or 0), no_recite=int(guard)
        )
        try:
            this = run_named(name, runs)
            turned = has_dial(this)
            titles = [f"Tuned, dial at {dial:g}" if turned else "Trained from scratch: it has no dial"]
            dials = [dial if turned else None]
            if turned and beside:
                titles, dials = [*titles, "Base, dial at 0"], [*dials, 0.0]
            yield written(titles[0], {"prompt": prompt, "completion": ""}, "opening the model …"), ""
            with closing(write_on(models, this, prompt, sampling, dials)) as grown:
                for rows in grown:
                    shown = [written(title, row, "" if "matches" in row else "writing …")
                             for title, row in zip(titles, rows, strict=True)]  # fmt: skip
                    yield shown[0], shown[-1] if len(shown) > 1 else ""
        except WellreadError as error:
            yield failed(error), ""
            raise told(error) from None

    given = [chosen, prompt, dial, guard, beside, tokens, temperature, top_p, penalty, seed]
    cards = [tuned, base]
    go.click(None, None, cards, js=TURN, api_visibility="private")
    writes = go.click(write, given, cards, api_name="write", show_progress="hidden", **ONE_AT_A_TIME)
    writes.failure(None, cards, cards, js=STOPPED, api_visibility="private")
    halt.click(None, cards, cards, cancels=[writes], js=STOPPED, api_visibility="private")
    refreshed(chosen, runs)
    return chosen
