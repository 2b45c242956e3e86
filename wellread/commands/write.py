"""The verb `write`: its words in, what a model goes on with on the terminal or in a file out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellread.commands import options
from wellread.commands.options import AsJson, KeyFile, ModelName, Offline, key_of, sampling_of
from wellread.commands.terminal import note, print_json, print_sample, watching

if TYPE_CHECKING:
    from wellread.chapters.writing import Wish
    from wellread.types import Sampling

NO_TEXT = frozenset({".epub", ".docx", ".odt", ".pdf"})
"""Endings of files that are no plain text."""


def write(
    context: typer.Context,
    model: ModelName,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROMPT]", callback=options.whole_text, help="The beginning to continue; `-` reads stdin."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the text to this file, which must not be there yet.")] = None,
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
    window: options.WritingWindow = None,
    run_folder: Annotated[
        Path | None, typer.Option("--run", help="The run whose corpus is not to be recited, where MODEL is none.")
    ] = None,
    chapters: Annotated[
        int, typer.Option(min=0, help="Write so many chapters that go on from the book's last page, or from PROMPT.")
    ] = 0,
    words: Annotated[
        int, typer.Option(min=0, help="Of a chapter; default: the median of the book's, at most 1,500.")
    ] = 0,
    best_of: Annotated[
        int, typer.Option(min=1, max=32, help="Candidates for each passage of a chapter, chosen by the book's style.")
    ] = 1,
    notes: Annotated[
        bool, typer.Option("--notes", help="End the chapters with where their words stand in the book.")
    ] = False,
    title: Annotated[
        str,
        typer.Option(callback=options.whole_text, help="Of the book that the chapters go on with; default: its own."),
    ] = "",
    key_file: KeyFile = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Continue a text, or a book by whole chapters; of a run's model, say which words stand in its book, and where."""
    from wellread.chapters.writing import Wish
    from wellread.errors import UsageError
    from wellread.provenance import trace
    from wellread.storage import write_text
    from wellread.writing import continue_texts, refuse_taken, writer_of

    beginning = sys.stdin.buffer.read().decode("utf-8", "replace") if prompt == "-" else prompt
    if beginning is None and not chapters:
        raise UsageError("there is nothing to continue: give a PROMPT, or --chapters N to go on with a run's book.")
    if not chapters and (words or best_of > 1 or notes or title):
        raise UsageError("--words, --best-of, --notes and --title are for chapters: add --chapters N.")
    if not chapters and out is not None and out.suffix.lower() in NO_TEXT:
        raise UsageError(f"{out}: what goes on from a PROMPT is written as plain text, found {out.suffix}; name a .txt or .md "
                         "file, or add --chapters N for a book.")  # fmt: skip
    if not chapters and out is not None:
        refuse_taken(out)
    sampling = sampling_of(context, preset, no_recite)
    key = key_of(model, key_file)
    if chapters:
        wish = Wish(chapters, words or None, best_of, beginning or "", notes, title, window)
        _write_chapters(model, wish, sampling, out, dial, run_folder, preset, key, offline, as_json)
        return
    writer = writer_of(model, preset, dial=dial, say=note)
    if writer != model:
        model, run_folder = writer, run_folder or Path(model)
    samples = continue_texts(
        model, [beginning or ""], sampling, dial=dial, window=window, run_folder=run_folder, key=key, offline=offline
    )
    if out is not None:
        write_text(out, "\n\n* * *\n\n".join(sample.prompt + sample.completion for sample in samples) + "\n")
        note(f"wrote {out}")
    for row in trace(model, samples, run_folder):
        if as_json:
            print_json(row)
        else:
            print_sample(row, text=out is None)


def _write_chapters(
    model: str, wish: Wish, sampling: Sampling, out: Path | None, dial: float | None, run_folder: Path | None,
    preset: str, key: str, offline: bool, as_json: bool,
) -> None:  # fmt: skip
    from wellread.chapters.writing import write_chapters
    from wellread.errors import UsageError

    if out is None:
        raise UsageError("chapters are written to a file: add --out next.epub (or .md, .txt).")
    with watching() as watch:
        rows = write_chapters(
            model, wish, sampling, out, dial=dial, run_folder=run_folder, preset=preset, key=key, offline=offline,
            watch=watch,
        )  # fmt: skip
    note(f"wrote {out}")
    for row in rows:
        if as_json:
            print_json(row)
        else:
            note(f"{row['label']}:")
            print_sample(row, text=False)
