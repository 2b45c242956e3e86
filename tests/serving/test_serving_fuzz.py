"""A thousand malformed requests, drawn from the server's own description: none is a 5xx, none hangs."""

from __future__ import annotations

import time

import httpx
import pytest

from wellread.serving.app import build
from wellread.serving.listening import served
from wellread.serving.settings import Admission, Limits
from wellread.serving.shelf import Shelf

EACH = 340
"""Requests of each of the three routes that read one."""
PATHS = ("/v1/completions", "/v1/chat/completions", "/v1/embeddings")


@pytest.mark.slow
def test_no_request_drawn_from_the_description_breaks_the_server(shelf: Shelf) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings

    limits = Limits(max_tokens=2, seconds=20)
    counts: dict[int, int] = {}
    slowest = 0.0
    with served(build(shelf, Admission(), limits), limits) as base, httpx.Client(verify=False, timeout=30) as client:
        root = base.removesuffix("/v1")
        described = client.get(f"{root}/openapi.json").json()
        schema = schemathesis.openapi.from_dict(described)
        for path in PATHS:
            strategy = schema[path]["POST"].as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)

            @settings(max_examples=EACH, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(case=strategy)
            def send(case: object) -> None:
                nonlocal slowest
                begun = time.monotonic()
                sent = case.as_transport_kwargs(base_url=root)  # type: ignore[attr-defined]
                answer = client.request(sent["method"], sent["url"], **{
                    name: sent[name] for name in ("json", "params", "headers") if sent.get(name) is not None
                } | ({"content": sent["data"]} if isinstance(sent.get("data"), str | bytes) else {}))  # fmt: skip
                slowest = max(slowest, time.monotonic() - begun)
                counts[answer.status_code] = counts.get(answer.status_code, 0) + 1
                assert answer.status_code < 500, (sent, answer.text)
                if answer.status_code >= 400:
                    assert answer.json()["error"]["message"]

            send()
        assert client.get(f"{root}/healthz").json() == {"status": "ok"}
    assert sum(counts.values()) >= 1000, counts
    assert slowest < 20
