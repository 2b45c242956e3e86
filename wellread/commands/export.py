"""The verb `export`: a run's model as files for other programs, checked after writing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wellread.commands import options
from wellread.commands.options import AsJson, Offline
from wellread.commands.terminal import echo, note, print_json, watching


def export(
    model: Annotated[str, typer.Argument(metavar="RUN", help="A run, RUN:stage or RUN@0.5 on the dial.")],
    to: Annotated[str, typer.Option(metavar="FORMAT", help="merged, adapter, gguf, llama2c or ollama.")],
    quantize: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="gguf, ollama: q8_0 (default), f16, f32, q4_k_m. llama2c: float32, int8. merged: float32, bfloat16, float16.",
        ),
    ] = None,
    dial: options.DialSetting = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder, or a .gguf file; default: RUN/exports/FORMAT-KIND.")
    ] = None,
    text_license: Annotated[
        str, typer.Option(help="The licence of the text, for the card; such as CC-BY-4.0, or a sentence.")
    ] = "",
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Write a run's model for other programs, and check that it is the same; exit 1 where it is not."""
    from wellread.exporting import export_run

    with watching() as watch:
        done = export_run(
            model, to, quantize=quantize, dial=dial, out=out, licence=text_license, offline=offline, watch=watch
        )
    if as_json:
        parity = done.parity.as_json() if done.parity else None
        print_json({"path": str(done.path), "parity": parity, "unverified": done.unverified, "notes": list(done.notes)})
        return
    for line in (*(done.parity.lines() if done.parity else [f"not verified: {done.unverified}"]), *done.notes):
        note(line)
    echo(str(done.path))
