"""`generate`: every sampling setting by its effect, seeds, ends, and windows that fill up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from wellread.generation.drawing import draw
from wellread.generation.growing import Growing
from wellread.generation.hf import TransformersModel
from wellread.generation.stepping import Stepper
from wellread.testing import tiny_model
from wellread.types import Sampling

GREEDY = Sampling(max_tokens=20, temperature=0)
FREE = Sampling(max_tokens=20, temperature=1, top_p=1)


@pytest.fixture(scope="module")
def model(opened: tuple[Any, Any]) -> TransformersModel:
    return TransformersModel(*opened, "tiny")


def drawn(probabilities: list[float], sampling: Sampling, *, seen: tuple[int, ...] = ()) -> dict[int, float]:
    """How often each token is drawn, from a grid of uniform numbers."""
    grid = 10_000
    logits = torch.tensor(probabilities).log().expand(grid, -1)
    there = torch.zeros(grid, len(probabilities), dtype=torch.bool)
    there[:, list(seen)] = True
    ids = draw(logits, there, sampling, (torch.arange(grid, dtype=torch.float64) + 0.5) / grid)
    return {int(i): round((ids == i).double().mean().item(), 3) for i in ids.unique()}


def test_drawing_follows_the_distribution() -> None:
    assert drawn([0.1, 0.6, 0.3], FREE) == {0: 0.1, 1: 0.6, 2: 0.3}


def test_temperature_zero_is_the_likeliest() -> None:
    assert drawn([0.1, 0.6, 0.3], GREEDY) == {1: 1}


def test_temperature_sharpens_and_flattens() -> None:
    assert drawn([0.2, 0.8], replace(FREE, temperature=0.5)) == {0: 0.059, 1: 0.941}  # squares: 0.04 to 0.64
    assert drawn([0.2, 0.8], replace(FREE, temperature=2)) == {0: 0.333, 1: 0.667}


def test_top_k_keeps_the_k_likeliest() -> None:
    assert drawn([0.1, 0.5, 0.4], replace(FREE, top_k=2)) == {1: 0.556, 2: 0.444}
    assert drawn([0.1, 0.5, 0.4], replace(FREE, top_k=1)) == {1: 1}


def test_top_p_keeps_the_smallest_set_that_holds_the_share() -> None:
    assert drawn([0.1, 0.5, 0.4], replace(FREE, top_p=0.6)) == {1: 0.556, 2: 0.444}
    assert drawn([0.1, 0.5, 0.4], replace(FREE, top_p=0.01)) == {1: 1}


def test_min_p_drops_what_is_unlikely_beside_the_likeliest() -> None:
    assert drawn([0.1, 0.5, 0.4], replace(FREE, min_p=0.3)) == {1: 0.556, 2: 0.444}


def test_repetition_penalty_makes_what_is_there_less_likely() -> None:
    penalised = drawn([0.5, 0.5], replace(FREE, repetition_penalty=2), seen=(0,))
    assert penalised == {0: 0.333, 1: 0.667}  # log 0.5 doubled: 0.25 to 0.5


def test_a_large_vocabulary_gives_the_same_nucleus_as_the_whole_sort(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = torch.randn(64, 5000, generator=torch.Generator().manual_seed(0)) * 6
    uniforms = torch.rand(64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    seen = torch.zeros(64, 5000, dtype=torch.bool)
    few = draw(logits, seen, Sampling(top_p=0.9, min_p=0.01), uniforms)
    monkeypatch.setattr("wellread.generation.drawing._NUCLEUS", 10**6)
    assert few.tolist() == draw(logits, seen, Sampling(top_p=0.9, min_p=0.01), uniforms).tolist()


def test_greedy_writing_is_what_the_model_finds_likeliest_at_every_step(
    model: TransformersModel, opened: tuple[Any, Any]
) -> None:
    network, tokenizer = opened
    ids = [tokenizer.bos_token_id, *tokenizer("the cat", add_special_tokens=False)["input_ids"]]
    begin = len(ids)
    for _ in range(20):
        with torch.no_grad():
            ids.append(int(network(torch.tensor([ids], device=network.device)).logits[0, -1].argmax()))
    [sample] = model.generate(["the cat"], GREEDY)
    written = ids[begin:]
    if tokenizer.eos_token_id in written:
        written = written[: written.index(tokenizer.eos_token_id)]
    assert model._spelling.decode(written) == sample.completion
    assert (sample.prompt, sample.seed, sample.subject) == ("the cat", 0, "tiny")


def test_top_k_of_one_writes_what_greedy_writes(model: TransformersModel) -> None:
    assert (
        model.generate(["the"], replace(FREE, top_k=1))[0].completion == model.generate(["the"], GREEDY)[0].completion
    )


def test_every_setting_changes_what_is_written(model: TransformersModel) -> None:
    plain = model.generate(["the cat"], FREE)[0].completion
    for change in (
        {"temperature": 0.3},
        {"top_p": 0.2},
        {"top_k": 2},
        {"min_p": 0.5},
        {"repetition_penalty": 3.0},
        {"seed": 1},
    ):
        assert model.generate(["the cat"], replace(FREE, **change))[0].completion != plain, change


def test_the_same_seed_writes_the_same_text_whoever_else_is_written(model: TransformersModel) -> None:
    many = model.generate(["the cat", "a dog sat", "the log"], replace(FREE, n=3, seed=5))
    assert [(s.prompt, s.seed) for s in many] == [
        (p, s) for p in ("the cat", "a dog sat", "the log") for s in (5, 6, 7)
    ]
    for sample in many:
        [alone] = model.generate([sample.prompt], replace(FREE, seed=sample.seed))
        assert alone.completion == sample.completion
    assert len({s.completion for s in many}) == 9


def test_max_tokens_bounds_the_text_and_says_length(model: TransformersModel) -> None:
    [one] = model.generate(["the cat"], replace(GREEDY, max_tokens=1))
    [more] = model.generate(["the cat"], replace(GREEDY, max_tokens=5))
    assert more.completion.startswith(one.completion)
    assert one.finish == "length"


def test_the_end_of_a_document_stops_it(opened: tuple[Any, Any], tiny: Any) -> None:
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(tiny)
    end = opened[1].eos_token_id
    with torch.no_grad():  # a row of the output matrix along the hidden states makes that token certain
        hidden = network.model(torch.tensor([[end]])).last_hidden_state[0, -1]
        network.lm_head.weight[end] = hidden * 100
    [sample] = TransformersModel(network, opened[1], "ends").generate([""], GREEDY)
    assert (sample.completion, sample.finish) == ("", "stop")


def test_a_penalty_looks_back_over_the_last_of_a_long_prompt(opened: tuple[Any, Any]) -> None:
    """What stands further back than 1,024 tokens is as free as what stands nowhere."""
    stepper = Stepper(opened[0], 64, 300)
    growing = Growing(
        stepper, [[7, 8, *[9] * 1023]], replace(FREE, repetition_penalty=2), [0], [5], stops=(), piece=bytes
    )
    assert growing._seen[0].nonzero().flatten().tolist() == [8, 9]


def test_of_long_texts_fewer_are_written_at_once(tmp_path: Path) -> None:
    """Thirty-two of up to 1,024 tokens, eight of 4,096: never more positions in the cache than before."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    network = AutoModelForCausalLM.from_pretrained(tiny_model(tmp_path, positions=5000))
    model = TransformersModel(network, AutoTokenizer.from_pretrained(tmp_path), "tiny", window=4096)
    settings = replace(FREE, max_tokens=96)

    def rows(length: int) -> list[int]:
        return [len(batch) for batch in model._batches([[1] * length] * 40, [settings] * 40)]

    assert (rows(900), rows(4000), rows(4090)) == ([32, 8], [8] * 5, [8] * 5)


def test_writing_goes_on_when_the_window_is_full(opened: tuple[Any, Any]) -> None:
    """Once 32 positions are filled the last 16 tokens are read anew: by hand, from the definition."""
    network, tokenizer = opened
    model = TransformersModel(network, tokenizer, "tiny", window=32)
    settings = Sampling(max_tokens=90, temperature=0, repetition_penalty=1.2)
    ids = model._context("the cat", settings.max_tokens)
    written: list[int] = []
    kept, penalised = list(ids), set(ids)
    for _ in range(settings.max_tokens):
        if len(kept) > 32:
            kept = kept[-16:]
        with torch.no_grad():
            logits = network(torch.tensor([kept], device=network.device)).logits[0, -1]
        for token in penalised:
            logits[token] = logits[token] / 1.2 if logits[token] > 0 else logits[token] * 1.2
        token = int(logits.argmax())
        if token == tokenizer.eos_token_id:
            break
        kept.append(token)
        penalised.add(token)
        written.append(token)
    [sample] = model.generate(["the cat"], settings)
    assert len(written) > 40
    assert sample.completion == model._spelling.decode(written)


def test_a_long_prompt_keeps_its_end_and_room_for_the_answer(model: TransformersModel) -> None:
    long = "the dog sat on the log and so did every other cat of that house, " * 20
    assert len(model._context(long, 20)) == 44
    assert len(model._context(long, 500)) == 32
    ids = model._spelling.encode(long)
    assert model._context(long, 20) == ids[-44:]
    assert model._context("the", 20)[0] == model._start
    assert len(model.generate([long], replace(FREE, max_tokens=80))) == 1


def test_next_to_no_temperature_draws_the_likeliest() -> None:
    logits, seen = torch.tensor([[1.0, 3.0, 2.0]]), torch.zeros(1, 3, dtype=torch.bool)
    assert draw(logits, seen, Sampling(temperature=1e-38), torch.tensor([0.99])).tolist() == [1]
