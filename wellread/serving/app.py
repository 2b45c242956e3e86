"""The routes: a request in OpenAI's language in, an answer out, whole or as a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from wellread.errors import WellreadError
from wellread.serving.choices import Answer
from wellread.serving.desk import Desk, head_of, model_card
from wellread.serving.events import ChatParts, CompletionParts, Events, Gone, Parts, events, following, unless_gone
from wellread.serving.failures import Failure, busy, failure_of
from wellread.serving.gate import Gate, Log
from wellread.serving.settings import Admission, Limits
from wellread.serving.shapes import Delta, chat_choice, completion_choice, embedding, joined
from wellread.serving.shelf import Served, Shelf
from wellread.serving.wire import ChatAsked, CompletionAsked, EmbeddingsAsked, Writing

TO_THE_END = 1 << 20
"""Tokens of an answer whose client names no length: as long as the model and the server's bound let it be."""
COMPLETION_TOKENS = 200
EMBEDDED = 16
"""Texts that are made vectors at a time; those who write go on in between."""
LEFT = 499
"""What the log says of a client that went away; nobody is there to read it."""


def build(
    shelf: Shelf, admission: Admission, limits: Limits | None = None, *, log: Log = lambda told: None, log_prompts: bool = False
) -> ASGIApp:  # fmt: skip
    """The server of these models, for any ASGI server to run. `log` is told of every request that was answered; what people
    wrote is part of that only with `log_prompts`."""
    limits = limits or Limits()
    desk = Desk(shelf, limits, log_prompts=log_prompts)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        desk.engine.start()
        yield
        await desk.engine.stop()

    app = FastAPI(
        title="wellread", version=version("wellread"), docs_url=None, redoc_url=None, lifespan=lifespan,
        responses={"4XX": {"description": "What went wrong, in OpenAI's shape: `error.message`."},
                   503: {"description": "Nothing was written in time; come again after `Retry-After`."}},
    )  # fmt: skip
    _handle_failures(app)
    _watch_routes(app, desk)
    _write_routes(app, desk)
    return Gate(app, admission, limits, desk.meter, log)


def _handle_failures(app: FastAPI) -> None:
    def known(request: Request, error: Exception) -> JSONResponse:
        failure = failure_of(error)
        request.state.told["error"] = failure.code
        return failure.response()

    def malformed(request: Request, error: Exception) -> JSONResponse:
        wrong = error.errors()[0] if isinstance(error, RequestValidationError) else {}
        if told := _no_object(wrong):
            return known(request, Failure(400, told, "invalid_value"))
        place = ".".join(str(each) for each in wrong.get("loc", ())[1:])
        said = str(wrong.get("msg", error)).removeprefix("Value error, ")
        text = f"{place}: {said}" if place else said
        return known(
            request, Failure(400, text.encode("utf-8", "replace").decode()[:400], "invalid_value", place[:100] or None)
        )

    def unknown(request: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        said = str(error.detail)[:200] if isinstance(error, HTTPException) else "the server failed; its log says how."
        return known(
            request, Failure(status, said.encode("utf-8", "replace").decode(), "not_here" if status == 404 else None)
        )

    for kind in (Failure, WellreadError):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(Exception, unknown)


def _no_object(wrong: Mapping[str, Any]) -> str:
    """What is wrong with a body that is no JSON object; empty where it is one, and a field of it is wrong."""
    kind, place = str(wrong.get("type", "")), tuple(wrong.get("loc", ()))
    if kind == "json_invalid":
        why = f"is no JSON ({wrong['ctx']['error']}, at character {place[-1] + 1})"
    elif place == ("body",):
        why = "is empty" if kind == "missing" else "is JSON, but no object"
    else:
        return ""
    return f'the body {why}: send one JSON object, such as {{"model": "NAME", …}}; /openapi.json has its fields.'


def _watch_routes(app: FastAPI, desk: Desk) -> None:
    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        alive = desk.engine.alive
        return JSONResponse({"status": "ok" if alive else "the worker has ended"}, 200 if alive else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        gauges = {
            "wellread_texts_writing": (desk.engine.writing, "Texts that are written now."),
            "wellread_texts_waiting": (desk.engine.waiting, "Texts that wait for their turn."),
            "wellread_places": (desk.engine.places, "Texts that may be written or wait."),
        }
        return PlainTextResponse(desk.meter.text(gauges), media_type="text/plain; version=0.0.4")

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [model_card(each, desk.begun) for each in desk.shelf.served.values()]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        return model_card(desk.find(name), desk.begun)


def _write_routes(app: FastAPI, desk: Desk) -> None:
    @app.post("/v1/completions")
    async def completions(asked: CompletionAsked, request: Request) -> Response:
        served = desk.find(asked.model)
        prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
        await desk.trial.check(asked.schema_asked)
        answer = desk.answer(served, asked, [*prompts], COMPLETION_TOKENS)
        parts = CompletionParts(asked.likeliest is not None)
        return await _answered(desk, request, asked, served, answer, "text_completion", completion_choice, parts)

    @app.post("/v1/chat/completions")
    async def chat(asked: ChatAsked, request: Request) -> Response:
        served = desk.find(asked.model)
        await desk.trial.check(asked.schema_asked)
        answer = desk.answer(served, asked, [[turn.message for turn in asked.messages]], TO_THE_END)
        parts = ChatParts(asked.likeliest is not None)
        kind = "chat.completion.chunk" if asked.stream else "chat.completion"
        return await _answered(desk, request, asked, served, answer, kind, chat_choice, parts)

    @app.post("/v1/embeddings")
    async def embeddings(asked: EmbeddingsAsked, request: Request) -> Response:
        served = desk.find(asked.model)
        texts = [asked.input] if isinstance(asked.input, str) else asked.input
        if served.embedder is None:
            raise Failure(
                400, f"{served.id} makes no embeddings: serve a store, as MODEL+STORE.", "no_embedder", "model"
            )
        if len(texts) > desk.limits.embedded or not all(texts):
            raise Failure(
                400, f"input takes 1 to {desk.limits.embedded} texts, none of them empty.", "invalid_value", "input"
            )
        few = [texts[begin : begin + EMBEDDED] for begin in range(0, len(texts), EMBEDDED)]
        try:
            async with asyncio.timeout(desk.limits.seconds):
                found = await unless_gone(request, desk.engine.calls(served.embedder.embed, few))
        except Gone:
            return _left(desk)
        except TimeoutError:
            raise busy(f"the vectors were not there within {desk.limits.seconds:g} s; send fewer texts, or come again later.",
                       10, status=503) from None  # fmt: skip
        vectors = np.concatenate([np.asarray(each, np.float32) for each in found])
        if asked.dimensions not in (None, vectors.shape[1]):
            raise Failure(400, f"vectors here have {vectors.shape[1]} dimensions.", "unsupported", "dimensions")
        rows = [embedding(place, each, packed=asked.encoding_format == "base64") for place, each in enumerate(vectors)]
        request.state.told["model"] = served.id
        usage = {"prompt_tokens": 0, "total_tokens": 0}  # embedders count none
        return JSONResponse({"object": "list", "data": rows, "model": served.id, "usage": usage})


async def _answered(
    desk: Desk, request: Request, asked: Writing, served: Served, answer: Answer, kind: str,
    choice: Callable[[Delta, bool], dict[str, Any]], parts: Parts,
) -> Response:  # fmt: skip
    """The whole answer; or a stream, whose first part is awaited, so that what fails before it has a status of its own."""
    head, deltas = head_of(kind, served), answer.deltas()
    if desk.log_prompts:
        request.state.told["asked"] = asked.model_dump(exclude_none=True)

    def over(whole: bool) -> None:
        answer.leave()
        desk.meter.left += not whole
        request.state.told.update(desk.told(served, answer) | ({} if whole else {"left": True}))

    try:
        if asked.stream:
            first = await unless_gone(request, following(deltas))
            usage = bool(asked.stream_options and asked.stream_options.include_usage)
            return Events(events(answer, deltas, first, parts, head, usage=usage), over)
        gathered = await unless_gone(request, _gathered(deltas))
    except Gone:
        over(False)
        return Response(status_code=LEFT)
    except Failure:
        over(True)
        raise
    over(True)
    body = head | {"choices": [choice(joined(each), asked.likeliest is not None) for each in gathered]}
    return JSONResponse(body | ({"usage": answer.usage.as_json()} if answer.usage else {}))


async def _gathered(deltas: AsyncIterator[Delta]) -> list[list[Delta]]:
    """The parts of every choice, choice by choice."""
    found: dict[int, list[Delta]] = {}
    async for delta in deltas:
        found.setdefault(delta.choice, []).append(delta)
    return [found[place] for place in sorted(found)]


def _left(desk: Desk) -> Response:
    desk.meter.left += 1
    return Response(status_code=LEFT)
