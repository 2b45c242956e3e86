"""`score` against a slow reference that gives every token its context by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from openings import with_bos

from wellread.errors import ModelError
from wellread.gathering import Watch, watched
from wellread.generation.hf import TransformersModel
from wellread.generation.progress import Work
from wellread.generation.spelling import Spelling
from wellread.generation.windows import cut
from wellread.types import Sampling, Scored

PROSE = "the cat sat on the mat, naïve as ever 🙂 and then… the dog sat on «the log» " * 4


@pytest.fixture(scope="module")
def model(opened: tuple[Any, Any]) -> TransformersModel:
    return TransformersModel(*opened, "tiny")


def token_by_token(
    opened: tuple[Any, Any], text: str, length: int, stride: int, *, everywhere: bool = False
) -> tuple[list[float], list[bool]]:
    """Log-probabilities and greedy flags by one forward pass for each token, from the definition in types.py."""
    network, tokenizer = opened
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    start = tokenizer.bos_token_id
    logprobs, greedy = [], []
    for place, token in enumerate(ids):
        window = 0 if place < length else math.ceil((place + 1 - length) / stride)
        context = ids[window * stride : place]
        if window == 0 or stride == length or everywhere:
            context = [start, *context]
        with torch.no_grad():
            after = network(torch.tensor([context], device=network.device)).logits[0, -1].log_softmax(-1)
        logprobs.append(after[token].item())
        greedy.append(after.argmax().item() == token)
    return logprobs, greedy


@pytest.mark.parametrize(
    ("length", "stride"), [(64, 32), (20, 10), (20, 7), (20, 20), (21, 1), (64, None), (None, None)]
)
def test_every_window_setting_equals_the_slow_reference(
    model: TransformersModel, opened: tuple[Any, Any], length: int | None, stride: int | None
) -> None:
    [scored] = model.score([PROSE], length=length, stride=stride)
    used = length or 64
    logprobs, greedy = token_by_token(opened, PROSE, used, stride or used // 2)
    np.testing.assert_allclose(scored.logprobs, logprobs, atol=1e-4)
    assert list(scored.greedy) == greedy


@pytest.mark.parametrize(("length", "stride"), [(20, 10), (20, 20), (21, 1), (None, None)])
def test_a_tokenizer_that_puts_its_bos_before_every_text_has_it_before_every_window(
    opened: tuple[Any, Any], length: int | None, stride: int | None
) -> None:
    [scored] = TransformersModel(opened[0], with_bos(opened[1]), "opens").score([PROSE], length=length, stride=stride)
    used = length or 64
    logprobs, greedy = token_by_token(opened, PROSE, used, stride or used // 2, everywhere=True)
    np.testing.assert_allclose(scored.logprobs, logprobs, atol=1e-4)
    assert list(scored.greedy) == greedy
    assert_covers(scored)


def test_a_prompt_that_is_cut_keeps_the_bos_that_its_tokenizer_would_put_before_it(opened: tuple[Any, Any]) -> None:
    network, tokenizer = opened
    ids = tokenizer(PROSE, add_special_tokens=False)["input_ids"]
    one = Sampling(max_tokens=1, temperature=0.0)
    for opens, seen in (
        (tokenizer, ids[-15:]),
        (with_bos(tokenizer), [tokenizer.bos_token_id, *ids[-14:]]),
    ):
        [sample] = TransformersModel(network, opens, "cut", window=16).generate([PROSE], one)
        with torch.no_grad():
            likeliest = network(torch.tensor([seen], device=network.device)).logits[0, -1].argmax().item()
        assert sample.completion == Spelling(tokenizer).decode([likeliest])


def test_texts_of_all_lengths_score_as_they_do_alone(model: TransformersModel) -> None:
    texts = [PROSE[:size] for size in (1, 2, 3, 40, 90, 200)] + ["", PROSE]
    together = model.score(texts, length=30)
    for text, scored in zip(texts, together, strict=True):
        [alone] = model.score([text], length=30)
        assert scored.text == text
        np.testing.assert_allclose(scored.logprobs, alone.logprobs, atol=1e-5)
        assert_covers(scored)


def test_a_hundred_tokens_with_stride_fifty_predict_spans_from_the_fifty_tokens_before() -> None:
    windows = cut(230, 100, 50)
    assert [(w.begin, w.first, w.end) for w in windows] == [
        (0, 0, 100),
        (50, 100, 150),
        (100, 150, 200),
        (150, 200, 230),
    ]


def test_each_token_counts_once() -> None:
    for tokens in range(40):
        for length in range(1, 12):
            for stride in range(1, length + 1):
                windows = cut(tokens, length, stride)
                counted = [place for w in windows for place in range(w.first, w.end)]
                assert counted == list(range(tokens))
                assert all(w.end - w.begin <= length and w.first - w.begin >= length - stride for w in windows[1:])


def test_spans_are_exact_for_a_byte_level_tokenizer(model: TransformersModel, opened: tuple[Any, Any]) -> None:
    [scored] = model.score([PROSE])
    ids = opened[1](PROSE, add_special_tokens=False)["input_ids"]
    assert_covers(scored)
    for token, start, end in zip(ids, scored.starts, scored.ends, strict=True):
        letters = opened[1].convert_ids_to_tokens(token)
        assert end - start == len(letters)  # one letter of the byte-level alphabet for each byte


def test_special_tokens_in_a_text_are_ordinary_letters(model: TransformersModel) -> None:
    text = "a<|endoftext|>b"
    [scored] = model.score([text])
    assert len(scored.ends) > 3
    assert_covers(scored)


def test_large_heads_are_chunked_to_the_same_numbers(opened: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    [whole] = TransformersModel(*opened, "tiny").score([PROSE])
    monkeypatch.setattr("wellread.generation.scoring.HEAD_BYTES", 5000)
    [chunked] = TransformersModel(*opened, "tiny").score([PROSE])
    np.testing.assert_allclose(chunked.logprobs, whole.logprobs, atol=1e-5)
    assert list(chunked.greedy) == list(whole.greedy)


def test_logits_that_a_model_caps_are_capped_here_too(tiny: Any) -> None:
    from transformers import AutoTokenizer, Gemma2Config, Gemma2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(tiny)
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=64,
        final_logit_softcapping=0.5,
        initializer_range=0.5,
    )
    network = Gemma2ForCausalLM(config).eval()
    [scored] = TransformersModel(network, tokenizer, "capped").score([PROSE], length=32)
    logprobs, _ = token_by_token((network, tokenizer), PROSE, 32, 16)
    np.testing.assert_allclose(scored.logprobs, logprobs, atol=1e-4)


def test_an_adapter_counts(tiny: Any) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    adapted = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny),
        LoraConfig(target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"),
    ).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    model = TransformersModel(adapted, tokenizer, "adapted")
    [scored] = model.score([PROSE], length=40)
    logprobs, _ = token_by_token((adapted, tokenizer), PROSE, 40, 20)
    np.testing.assert_allclose(scored.logprobs, logprobs, atol=1e-4)
    with adapted.disable_adapter():
        [plain] = model.score([PROSE], length=40)
    assert not np.allclose(scored.logprobs, plain.logprobs, atol=1e-2)


def test_windows_beyond_the_model_are_refused(model: TransformersModel, opened: tuple[Any, Any]) -> None:
    with pytest.raises(ModelError, match="it takes 64"):
        model.score(["a"], length=65)
    with pytest.raises(ModelError, match="2 to 64"):
        TransformersModel(*opened, "tiny", window=100)
    with pytest.raises(ValueError, match="stride"):
        model.score(["a"], length=10, stride=11)


def test_the_window_given_is_the_default_length(opened: tuple[Any, Any]) -> None:
    [short] = TransformersModel(*opened, "tiny", window=24).score([PROSE])
    [asked] = TransformersModel(*opened, "tiny").score([PROSE], length=24)
    assert list(short.logprobs) == list(asked.logprobs)


def assert_covers(scored: Scored) -> None:
    assert list(scored.starts) == [0, *scored.ends][: len(scored.starts)]
    assert (scored.ends[-1] if len(scored.ends) else 0) == len(scored.text.encode())


def test_it_tells_how_far_it_has_scored_and_written(opened: tuple[Any, Any]) -> None:
    heard: list[Work] = []
    model = TransformersModel(*opened, name="tiny")
    texts = ["the cat sat on the mat " * 40, *["the dog"] * 200]
    silent = model.score(texts)
    assert watched(model, Watch(progress=heard.append)) is model
    assert [list(each.logprobs) for each in model.score(texts)] == [list(each.logprobs) for each in silent]
    assert len(heard) > 1
    assert (heard[-1].doing, heard[-1].done, heard[-1].total, heard[-1].share) == (
        "scoring",
        heard[-1].total,
        heard[-1].total,
        1,
    )
    assert heard[-1].total > len(texts)
    assert [each.share for each in heard] == sorted(each.share for each in heard)
    heard.clear()
    model.generate(["the cat", "the dog sat on"], Sampling(max_tokens=8, n=40))
    assert {(each.doing, each.total, each.things) for each in heard} == {("writing", 80, "texts")}
    assert [each.share for each in heard] == sorted(each.share for each in heard)
    assert 0 < heard[-1].share < 1
    assert heard[-1].done >= 40


def test_time_left_follows_from_the_share_that_is_done() -> None:
    assert Work("scoring", 1, 10, "pieces of text", 0.25, 30.0).seconds_left == pytest.approx(90)
    assert Work("scoring", 0, 10, "pieces of text", 0.0, 30.0).seconds_left is None
