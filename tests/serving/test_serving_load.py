"""Many streaming clients at a time: none is lost within the bound, and memory stays flat."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import httpx
import psutil
import pytest
from waiting import PATIENCE

from wellread.serving.app import build
from wellread.serving.listening import served
from wellread.serving.settings import Admission, Limits
from wellread.serving.shelf import Shelf

CLIENTS, SECONDS, TOKENS = 64, 15.0, 32


@pytest.mark.slow
def test_sixty_four_clients_stream_and_none_is_lost(shelf: Shelf) -> None:
    limits = Limits(places=CLIENTS)
    with served(build(shelf, Admission(), limits), limits) as url:
        ended, memory = asyncio.run(streamed(url))
        assert ended["whole"] >= CLIENTS
        assert set(ended) == {"whole"}
        assert memory[-1] < memory[0] + 40
        above = asyncio.run(at_once(url, 2 * CLIENTS))
    assert above["whole"] >= CLIENTS
    assert above["429"] >= 1
    assert set(above) == {"whole", "429"}


async def streamed(url: str) -> tuple[Counter[str], list[float]]:
    """How every stream ended, and megabytes of memory after the first ones and after the last."""
    ended: Counter[str] = Counter()
    memory: list[float] = []
    async with client(url) as asking:
        end = time.monotonic() + SECONDS

        async def again_and_again(place: int) -> None:
            while time.monotonic() < end:
                ended[await one(asking, place)] += 1
                if ended.total() == 2 * CLIENTS:
                    memory.append(psutil.Process().memory_info().rss / 2**20)

        await asyncio.gather(*(again_and_again(place) for place in range(CLIENTS)))
    memory.append(psutil.Process().memory_info().rss / 2**20)
    return ended, memory


async def at_once(url: str, count: int) -> Counter[str]:
    async with client(url) as asking:
        return Counter(await asyncio.gather(*(one(asking, place) for place in range(count))))


def client(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=PATIENCE, verify=False, limits=httpx.Limits(max_connections=None))


async def one(asking: httpx.AsyncClient, seed: int) -> str:
    """`whole` for a stream that came to its end, else what came in its place."""
    body = {"model": "tiny", "prompt": f"the cat {seed:03}", "max_tokens": TOKENS, "stream": True, "seed": seed}
    last = ""
    async with asking.stream("POST", "/completions", json=body) as response:
        async for line in response.aiter_lines():
            last = line or last
    return "whole" if last == "data: [DONE]" else str(response.status_code)
