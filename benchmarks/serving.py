"""How the server holds: many streaming clients at a time, none lost within the bound, 429 above it, and memory that stays flat.

    python benchmarks/serving.py [--clients 64] [--tokens 32] [--seconds 120] [--places 64]

The server runs in a process of its own, on loopback, with a tiny model of random weights; clients are tasks of this process. First
each of `--clients` streams again and again for `--seconds`; then half as many more come at once, and those above `--places` must
be told to come again. Printed: streams, tokens a second, the wait in the queue and to the first token, memory over time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from wellread.testing import tiny_model


@dataclass
class Seen:
    """What the clients saw."""

    whole: int = 0
    lost: list[str] = field(default_factory=list)
    again: int = 0
    tokens: int = 0
    first: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--places", type=int, default=64)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = tiny_model(Path(folder) / "tiny", ["the cat sat on the mat"], vocabulary=300, positions=256)
        command = [sys.executable, "-m", "wellread.cli", "serve", str(model), "--port", "0", "--json", "--offline",
                   "--places", str(asked.places)]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
            try:
                assert server.stdout is not None
                url = json.loads(server.stdout.readline())["url"]
                asyncio.run(measure(url, psutil.Process(server.pid), asked))
            finally:
                server.terminate()


async def measure(url: str, server: psutil.Process, asked: argparse.Namespace) -> None:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits, verify=False) as client:
        await until_it_answers(client)
        seen, memory = Seen(), []
        await gather(client, asked, seen, 5.0)  # warm: allocators have grown
        seen = Seen()
        begun, busy = time.monotonic(), sum(server.cpu_times()[:2])
        watching = asyncio.create_task(watch(server, memory))
        await gather(client, asked, seen, asked.seconds)
        seconds = time.monotonic() - begun
        busy = sum(server.cpu_times()[:2]) - busy
        watching.cancel()
        print(f"{asked.clients} clients, {asked.tokens} tokens each, {seconds:.0f} s: {seen.whole:,} streams whole, {len(seen.lost)} lost, "
              f"{seen.again} told to come again;"
              f" {seen.tokens / seconds:,.0f} tokens/s, {seen.tokens / busy:,.0f} a core-second")  # fmt: skip
        print(f"to the first token: {shares(seen.first)}; to the last: {shares(seen.took)}")
        waits = await queue_seconds(client)
        print(f"in the queue: half within {waits[0]} s, 99 of 100 within {waits[1]} s (upper bounds of buckets)")
        quarter = max(1, len(memory) // 4)
        print(
            f"memory: {statistics.median(memory[:quarter]):.0f} MB at first, {statistics.median(memory[-quarter:]):.0f} MB at last"
        )
        above = Seen()
        more = asked.places + asked.places // 2
        await asyncio.gather(*(stream(client, place, asked.tokens, above) for place in range(more)))
        print(
            f"{more} at once, {asked.places} places: {above.whole} whole, {above.again} told to come again, {len(above.lost)} lost"
        )
        for line in {*seen.lost, *above.lost}:
            print(f"lost: {line}")


async def until_it_answers(client: httpx.AsyncClient) -> None:
    for _ in range(200):
        try:
            await client.get("/models")
            return
        except httpx.TransportError:
            await asyncio.sleep(0.1)
    raise SystemExit("the server does not answer")


async def gather(client: httpx.AsyncClient, asked: argparse.Namespace, seen: Seen, seconds: float) -> None:
    end = time.monotonic() + seconds

    async def again_and_again(place: int) -> None:
        while time.monotonic() < end:
            await stream(client, place, asked.tokens, seen)

    await asyncio.gather(*(again_and_again(place) for place in range(asked.clients)))


async def stream(client: httpx.AsyncClient, seed: int, tokens: int, seen: Seen) -> None:
    """One stream, read to its end; every client has a prompt of its own."""
    body = {"prompt": f"the cat {seed:03}", "max_tokens": tokens, "stream": True, "seed": seed,
            "stream_options": {"include_usage": True}}  # fmt: skip
    begun, first, last, written = time.monotonic(), None, "", 0
    try:
        async with client.stream("POST", "/completions", json=body) as response:
            if response.status_code == 429:
                seen.again += 1
                await response.aread()
                await asyncio.sleep(float(response.headers["retry-after"]))
                return
            async for line in response.aiter_lines():
                if line:
                    first = first or time.monotonic() - begun
                    last = line
                    if '"usage": {' in line:
                        written = json.loads(line.removeprefix("data: "))["usage"]["completion_tokens"]
    except httpx.TransportError as error:
        seen.lost.append(repr(error))
        return
    if last != "data: [DONE]" or first is None:
        seen.lost.append(f"{response.status_code}: {last[:200]}")
        return
    seen.whole += 1
    seen.tokens += written
    seen.first.append(first)
    seen.took.append(time.monotonic() - begun)


async def watch(server: psutil.Process, memory: list[float]) -> None:
    while True:
        memory.append(server.memory_info().rss / 2**20)
        await asyncio.sleep(1)


async def queue_seconds(client: httpx.AsyncClient) -> tuple[str, str]:
    text = (await client.get(str(client.base_url).removesuffix("/v1/") + "/metrics")).text
    found = [(line.split('"')[1], int(line.split()[-1])) for line in text.splitlines()
             if line.startswith("wellread_queue_seconds_bucket")]  # fmt: skip
    total = found[-1][1]
    return (next(bound for bound, count in found if count >= 0.5 * total),
            next(bound for bound, count in found if count >= 0.99 * total))  # fmt: skip


def shares(values: list[float]) -> str:
    ordered = sorted(values)
    return f"median {ordered[len(ordered) // 2]:.2f} s, p99 {ordered[int(0.99 * (len(ordered) - 1))]:.2f} s"


if __name__ == "__main__":
    main()
