"""The verb `write`: its words in, what a model goes on with on the terminal or in a file out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from wellread import options
from wellread.options import AsJson, KeyFile, ModelName, Offline, key_of, sampling_of
from wellread.terminal import note, print_json, print_sample


def write(
    context: typer.Context,
    model: ModelName,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The beginning to continue; `-` reads stdin.")],
    out: Annotated[Path | None, typer.Option(help="Write the text to this file.")] = None,
    preset: options.Preset = "",
    max_tokens: options.MaxTokens = 200,
    temperature: options.Temperature = 0.8,
    top_p: options.TopP = 0.95,
    top_k: options.TopK = 0,
    min_p: options.MinP = 0.0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    seed: options.SampleSeed = 0,
    n: options.Count = 1,
    dial: options.DialSetting = None,
    no_recite: options.NoRecite = 0,
    run_folder: Annotated[
        Path | None, typer.Option("--run", help="The run whose corpus is not to be recited, where MODEL is none.")
    ] = None,
    key_file: KeyFile = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Continue a text; of a run's model, say which words stand in its book, and where."""
    from wellread.provenance import trace
    from wellread.storage import write_text
    from wellread.writing import continue_texts, exported_file

    beginning = sys.stdin.buffer.read().decode("utf-8", "replace") if prompt == "-" else prompt
    sampling = sampling_of(context, preset, no_recite)
    key = key_of(model, key_file)
    lighter = exported_file(model, preset) if dial is None else None
    if lighter is not None:
        note(f"writing with {lighter}, which was exported beside the run; without --preset, with the run itself")
    samples = continue_texts(
        str(lighter or model), [beginning], sampling, dial=dial,
        run_folder=run_folder or (Path(model) if lighter else None), key=key, offline=offline,
    )  # fmt: skip
    if out is not None:
        write_text(out, "\n\n* * *\n\n".join(sample.prompt + sample.completion for sample in samples) + "\n")
        note(f"wrote {out}")
    for row in trace(model, samples, run_folder):
        if as_json:
            print_json(row)
        else:
            print_sample(row, text=out is None)
