"""The verb `serve`: MODELs in, an OpenAI-compatible server that runs until it is interrupted out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from wellread.commands.options import AsJson, Offline, ReadingWindow, key_of
from wellread.commands.terminal import echo, note, print_json


def serve(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="Runs, RUN:stage, RUN@0.5, MODEL+STORE, folders, .gguf files, hub ids."),
    ],
    host: Annotated[str, typer.Option(help="Where to listen; beyond this machine keys are required.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8080,
    key_file: Annotated[
        Path | None, typer.Option(help="Keys of clients, one a line; every request then needs one.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name by which clients reach this server. Repeatable."),
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="A page that may ask from a browser (CORS). Repeatable.")
    ] = None,
    places: Annotated[int, typer.Option(min=1, max=4096, help="Texts written or waiting at a time; above: 429.")] = 64,
    max_tokens: Annotated[int, typer.Option(min=1, help="The longest text that anyone is written.")] = 1024,
    seconds: Annotated[
        float, typer.Option(min=1, help="The longest time from a request to the end of its text.")
    ] = 300.0,
    max_body: Annotated[int, typer.Option(min=1024, metavar="BYTES", help="The largest request.")] = 1 << 20,
    window: ReadingWindow = None,
    run_folder: Annotated[
        Path | None, typer.Option("--run", help="The run whose corpus `no_recite` guards, for models that are no runs.")
    ] = None,
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Write what people ask into the log too.")] = False,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Serve models over HTTP, as OpenAI's clients expect it; Ctrl-C ends it. A line of JSON on stderr for each request."""
    from wellread.errors import MissingPackage

    if not (find_spec("fastapi") and find_spec("uvicorn")):
        raise MissingPackage("serving needs packages that are not installed; run: pip install 'wellread[serve]'")
    from wellread.serving.app import build
    from wellread.serving.listening import address_of, listen, server
    from wellread.serving.settings import Limits, admission
    from wellread.serving.shelf import open_shelf

    admitted = admission(host, key_file, allow_host or (), allow_origin or ())
    limits = Limits(places=places, max_tokens=max_tokens, seconds=seconds, body=max_body)
    opened = listen(host, port)  # before the models are opened: a port that is taken is told at once
    with opened:
        shelf = open_shelf(
            models, window=window, run_folder=run_folder, key=lambda name: key_of(name, None), offline=offline, say=note
        )
        url = address_of(opened)
        if as_json:
            print_json({"url": url, "models": list(shelf.served)})
        else:
            echo(f"serving {', '.join(shelf.served)} at {url}")
        try:
            server(build(shelf, admitted, limits, log=_told, log_prompts=log_prompts), limits).run(sockets=[opened])
        except KeyboardInterrupt:
            note("stopped")


def _told(row: Mapping[str, Any]) -> None:
    note(json.dumps(row, ensure_ascii=False), fold=False)
