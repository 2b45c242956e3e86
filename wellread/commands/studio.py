"""The verb `studio`: a folder of runs in, the web page over it served until it is interrupted."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from wellread.commands.options import Offline
from wellread.commands.terminal import echo, note
from wellread.errors import MissingPackage


def studio(
    runs: Annotated[Path, typer.Option(help="The folder of runs; uploads and stores lie below it too.")] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Where to listen; beyond this machine a password is required.")
    ] = "127.0.0.1",
    password_file: Annotated[
        Path | None, typer.Option(help="Its first line is the password; else WELLREAD_STUDIO_PASSWORD.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A further name by which browsers reach it; a password is then required. Repeatable."
        ),
    ] = None,
    offline: Offline = False,
) -> None:
    """Open the studio: runs, writing, reading, asking and comparing on one web page. Ctrl-C ends it; runs go on."""
    if not (find_spec("gradio") and find_spec("fastapi")):
        raise MissingPackage("the studio needs packages that are not installed; run: pip install 'wellread[studio]'")
    from wellread.serving.listening import address_of, listen, server
    from wellread.serving.settings import Limits
    from wellread.serving.studio_door import door_admission, read_password

    password = read_password(password_file) if password_file else os.environ.get("WELLREAD_STUDIO_PASSWORD", "")
    admitted = door_admission(host, password, allow_host or ())
    with listen(host, port) as opened:
        from wellread.serving.studio import build_studio

        app = build_studio(runs.resolve(), admitted, offline=offline)
        echo(f"the studio is at {address_of(opened).removesuffix('/v1')}/")
        try:
            server(app, Limits()).run(sockets=[opened])
        except KeyboardInterrupt:
            note("stopped; runs that were started go on")
