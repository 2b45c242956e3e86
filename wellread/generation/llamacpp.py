"""A GGUF file in, llama.cpp's server for it out; requests in, its answers out, whole or event by event."""

from __future__ import annotations

import http.client
import json
import signal
import threading
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from wellread.errors import MissingPackage, ModelError, RunError


def started(path: Path, window: int, *, exact: bool = False) -> Any:
    """The server of a file; Ctrl-C stays what it was, which the server would take for itself. `exact`: keys and values in
    32 bits.

    Raises MissingPackage without xllamacpp, ModelError where the file does not open.
    """
    import psutil

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
    if exact:
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    threads = max(1, psutil.cpu_count(logical=False) or 1)
    for each in (params.cpuparams, params.cpuparams_batch):
        each.n_threads = threads
        each.poll = 0  # threads that spin while they wait crawl as soon as another program wants a core
    ours = signal.getsignal(signal.SIGINT)
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(f"{path}: the GGUF runtime cannot open it ({error}).") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, ours)


def ask(host: str, name: str, path: str, request: Mapping[str, Any] | None = None) -> Any:
    """The answer of the server at `host`, JSON. Raises RunError, which speaks of `name`, where it is none."""
    connection = http.client.HTTPConnection(host)
    try:
        response = _sent(connection, path, request)
        answer = json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RunError(f"{name}: the GGUF runtime gave no answer ({error}).") from error
    finally:
        connection.close()
    _refuse(name, response.status, answer, request)
    return answer


def events(host: str, name: str, request: Mapping[str, Any]) -> Generator[dict[str, Any]]:
    """A completion as the server sends it, event by event; closed early, the server stops writing.

    Raises RunError where it fails, ModelError where it does not take the schema.
    """
    connection = http.client.HTTPConnection(host)
    try:
        response = _sent(connection, "/completion", {**request, "stream": True})
        if response.status != http.client.OK:
            _refuse(name, response.status, json.loads(response.read()), request)
        for line in response:
            if line.startswith(b"data: {"):
                yield json.loads(line.removeprefix(b"data: "))
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RunError(f"{name}: the GGUF runtime gave no answer ({error}).") from error
    finally:
        connection.close()


def _sent(
    connection: http.client.HTTPConnection, path: str, request: Mapping[str, Any] | None
) -> http.client.HTTPResponse:
    body = None if request is None else json.dumps(request)
    connection.request("GET" if body is None else "POST", path, body, {"Content-Type": "application/json"})
    return connection.getresponse()


def _refuse(name: str, status: int, answer: Mapping[str, Any], request: Mapping[str, Any] | None) -> None:
    if status == http.client.OK:
        return
    said = answer.get("error", {}).get("message", f"status {status}")
    if request and "json_schema" in request:
        raise ModelError(f"{name}: this JSON Schema cannot be followed ({said}).")
    raise RunError(f"{name}: the GGUF runtime refused ({said}).")
