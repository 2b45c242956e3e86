"""A GGUF file in, llama.cpp's server for it out; requests in, its answers out, whole or event by event."""

from __future__ import annotations

import http.client
import json
import secrets
import signal
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from wellread.errors import MissingPackage, ModelError, RunError


class Line(NamedTuple):
    """To a server: where it listens, and the key that only we have."""

    host: str
    key: str


def started(path: Path, window: int, *, exact: bool = False) -> tuple[Any, Line]:
    """The server of a file, and the line to it; Ctrl-C stays what it was, which the server would take for itself. `exact`:
    what was read is kept in 32 bits.

    Raises MissingPackage without xllamacpp, ModelError where the file does not open.
    """
    try:
        import xllamacpp
    except ImportError:
        raise MissingPackage(
            "GGUF files run through a package that is not installed; run: pip install 'wellread[gguf]'"
        ) from None
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = window
    params.n_parallel = 1
    params.ctx_shift = True
    params.port = 0
    params.verbosity = -1
    params.warmup = False
    key = secrets.token_hex(24)  # or any page that finds the port could write with it
    params.api_keys = [key]
    params.endpoint_slots = False
    if exact:
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    threads = _cores()
    for each in (params.cpuparams, params.cpuparams_batch):
        each.n_threads = threads
        each.poll = 0  # threads that spin while they wait crawl as soon as another program wants a core
    ours = signal.getsignal(signal.SIGINT)
    try:
        server = xllamacpp.Server(params)
        return server, Line(urlsplit(server.listening_address).netloc, key)
    except RuntimeError as error:
        raise ModelError(f"{path}: the GGUF runtime cannot open it ({error}).") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, ours)


def _cores() -> int:
    """Cores that this process may use: two threads that must share one wait for each other at every step."""
    import psutil

    cores = psutil.cpu_count(logical=False) or 1
    try:
        return max(1, min(cores, len(psutil.Process().cpu_affinity())))
    except AttributeError:  # a Mac knows no affinity
        return cores


def ask(line: Line, name: str, path: str, request: Mapping[str, Any] | None = None) -> Any:
    """The answer of a server, JSON. Raises RunError, which speaks of `name`, where it is none."""
    connection = http.client.HTTPConnection(line.host)
    try:
        response = _sent(connection, line, path, request)
        answer = json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RunError(f"{name}: the GGUF runtime gave no answer ({error}).") from error
    finally:
        connection.close()
    _refuse(name, response.status, answer, request)
    return answer


def events(line: Line, name: str, request: Mapping[str, Any]) -> Generator[dict[str, Any]]:
    """A completion as the server sends it, event by event; closed early, the server stops writing.

    Raises RunError where it fails, ModelError where it does not take the schema.
    """
    connection = http.client.HTTPConnection(line.host)
    try:
        response = _sent(connection, line, "/completion", {**request, "stream": True})
        if response.status != http.client.OK:
            _refuse(name, response.status, json.loads(response.read()), request)
        for said in response:
            if said.startswith(b"data: {"):
                yield json.loads(said.removeprefix(b"data: "))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RunError(f"{name}: the GGUF runtime gave no answer ({error}).") from error
    finally:
        connection.close()


def _sent(
    connection: http.client.HTTPConnection, line: Line, path: str, request: Mapping[str, Any] | None
) -> http.client.HTTPResponse:
    body = None if request is None else json.dumps(request)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {line.key}"}
    connection.request("GET" if body is None else "POST", path, body, headers)
    return connection.getresponse()


def _refuse(name: str, status: int, answer: Mapping[str, Any], request: Mapping[str, Any] | None) -> None:
    if status == http.client.OK:
        return
    said = answer.get("error", {}).get("message", f"status {status}")
    if request and "json_schema" in request:
        raise ModelError(f"{name}: this JSON Schema cannot be followed ({said}).")
    raise RunError(f"{name}: the GGUF runtime refused ({said}).")
