"""The verbs `extract` and `resolve`: texts to JSON after a schema, references to the lines they name."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from wellread.commands.options import AsJson, ModelName, Offline, whole_text
from wellread.commands.terminal import echo, note, print_json
from wellread.errors import UsageError


def extract(
    model: ModelName,
    text: Annotated[
        str,
        typer.Argument(metavar="[TEXT]", callback=whole_text, help="The text to extract from; `-` reads stdin."),
    ] = "",
    file: Annotated[Path | None, typer.Option(help="Read the text from this file.")] = None,
    each: Annotated[str, typer.Option(help="Of a file: `file` is one text, `paragraph` many.")] = "file",
    schema: Annotated[
        str | None,
        typer.Option(help="JSON Schema: a file, or a pydantic model as module:Model; default: the run's own."),
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="What the model is told; default: the run's own.")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=8, help="Longest answer, in tokens; it is closed before.")
    ] = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Turn a text into JSON that follows a schema; --json: one object a line, with the text."""
    from wellread.extracting import extract_from, texts_of

    if bool(text) == bool(file):
        raise UsageError("extract takes a TEXT or a --file: give one of them.")
    if each not in ("file", "paragraph"):
        raise UsageError(f"--each is file or paragraph; found {each}")
    given = [_stdin() if text == "-" else text]
    texts = given if file is None else texts_of(file, "file" if each == "file" else "paragraph")
    found = extract_from(model, texts, form=schema, instruction=instruction, max_tokens=max_tokens, offline=offline)
    for one in found:
        if as_json:
            print_json({"text": one.text, "answer": one.answer})
        else:
            echo(json.dumps(one.answer, ensure_ascii=False))


def resolve(
    canon: Annotated[
        str, typer.Argument(metavar="CANON", help="A recipe with a canon, or a YAML file of a `canon:` block.")
    ],
    references: Annotated[
        str, typer.Argument(metavar="REFERENCES", help="Such as 'V 3-5; XI 6; XIV -1', or JSON; `-` reads stdin.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show the lines that references name; exit 1 where one does not exist. --json: one object a line for each."""
    from wellread.resolving import named, resolve_references

    resolved = resolve_references(canon, _stdin() if references == "-" else references)
    for one in resolved:
        if as_json:
            print_json({
                "start": one.reference.start, "end": one.reference.end, "missing": one.missing or None,
                "lines": [{"at": line.at, "text": line.text, "start": line.start, "end": line.end} for line in one.lines],
            })  # fmt: skip
            continue
        for line in one.lines:
            echo(f"{named(line.at):10}{line.text}")
        if one.missing:
            note(f"wellread: {one.missing}")
    if any(one.missing for one in resolved):
        raise typer.Exit(1)


def _stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")
