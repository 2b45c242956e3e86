"""The verb `synthesise`: its words in, a glossary's examples on disk and their counts on the terminal out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from wellread.options import AsJson, KeyFile, key_of
from wellread.terminal import echo, note, print_json


def synthesise(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A glossary: JSON, CSV, TSV, YAML, Markdown, or library:glossary.")
    ],
    out: Annotated[Path | None, typer.Option(help="The folder to write; default: SOURCE-examples.")] = None,
    writer: Annotated[str, typer.Option(metavar="NAME|URL#MODEL", help="`templates`, or an endpoint.")] = "templates",
    language: Annotated[str, typer.Option(help="en or fr.")] = "en",
    phrasings: Annotated[int, typer.Option(min=1, help="Examples of each term, about.")] = 16,
    honesty: Annotated[
        float, typer.Option(min=0, max=4, help="Examples of invented terms, as a share of those.")
    ] = 0.25,
    invented: Annotated[
        str, typer.Option(metavar="FILE", help="Names to ask about that exist nowhere; default: made up.")
    ] = "",
    outside: Annotated[
        str | None, typer.Option(metavar="FILE", help="Real terms of no glossary; default: the embedded ones.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many calls and tokens it would take.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same rows.")] = 0,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Turn a glossary into examples to train on and questions to judge by."""
    from wellread.synthesising import EXAMPLES, Synthesis, folder_for, foresee, foreseen_line
    from wellread.synthesising import synthesise as write_examples

    wanted = Synthesis(source, out or folder_for(source), writer, language, phrasings, honesty, invented, outside, seed)
    key = key_of(writer, key_file)
    if dry_run:
        cost = foresee(wanted, key=key)
        if as_json:
            print_json(asdict(cost))
        else:
            echo(foreseen_line(cost))
        return
    written = write_examples(wanted, key=key, say=note)
    counts = written.counts()
    if as_json:
        print_json({"out": str(wanted.out), **counts, "failed_terms": [asdict(each) for each in written.failed]})
    else:
        told = [f"{name}: " + ", ".join(f"{count:,} {kind}" for kind, count in counts[name].items())
                for name in ("examples", "questions", "rejected") if counts[name]]  # fmt: skip
        echo("\n".join([*told, f"wrote: {wanted.out / EXAMPLES}"]))
    if written.failed:
        listed = "".join(f"\n  {each.term}: {each.reason}" for each in written.failed)
        note(f"wellread: {len(written.failed)} calls or terms failed; run again to try them again:{listed}")
        raise typer.Exit(1)
