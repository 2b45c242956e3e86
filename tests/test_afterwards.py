"""What comes on top of training: known answers from a model's pace, and the pace of a tiny model."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread.afterwards import After, Pace, afterwards, pace_of
from wellread.plans import plan_lines
from wellread.recipe import Recipe, parse_recipe
from wellread.testing import prose, tiny_model
from wellread.types import Corpus, Document

PACE = Pace(scored=100.0, step=0.1, more=0.01, spelled=2.0)
SIZES = {"train": 1000, "validation": 100, "held_out": 100}
CORPUS = Corpus(
    tuple(Document(part, "word " * size) for part, size in SIZES.items()),
    {"train": ("train",), "validation": ("validation",), "held_out": ("held_out",)},
)


def recipe(*settings: str, base: str = "") -> Recipe:
    kind = "lora" if base else "scratch"
    head = f"base: {base}\n" if base else ""
    return parse_recipe(
        f"name: timed\n{head}general: []\nstages: [{{name: read, method: {{kind: {kind}}}, budget: {{steps: 1}}}}]\n"
        "sampling: {max_tokens: 10, n: 2, prompts: [One, Two]}\nmeasure: {quick_words: 500}\n",
        settings,
    )


def test_measuring_and_sampling_follow_from_the_pace() -> None:
    # 2 x (100 + 100) words in windows that overlap, 4 x (500 + 100) for spans of tokens and of bytes, 2 tokens a word;
    # two beginnings of 2 samples of 10 tokens
    [one] = afterwards(recipe(), CORPUS, PACE)
    assert one == After("sampling and measuring the model", pytest.approx((400 + 2400) * 2 / 100 + 2 * 10 * 0.11))
    [two] = afterwards(recipe(base="embedded"), CORPUS, PACE)
    assert two == After("sampling and measuring 2 models", pytest.approx(2 * (one.seconds or 0)))


def test_only_what_is_measured_takes_time() -> None:
    [bits] = afterwards(recipe("measure.metrics=[bits_per_byte]"), CORPUS, PACE)
    assert bits.seconds == pytest.approx(400 * 2 / 100 + 2.2)
    [everything] = afterwards(recipe("measure.metrics=[bits_per_byte]", "measure.quick=false"), CORPUS, PACE)
    assert everything.seconds == pytest.approx((400 + 2000) * 2 / 100 + 2.2)


def test_writing_for_the_style_and_the_dial_curve_come_on_top() -> None:
    settings = ("measure.style_words=5000", "dial.wish=voice-without-recitation")
    _, style, dial = afterwards(recipe(*settings, base="embedded"), CORPUS, PACE)
    # 840 passages of 10 tokens, 32 at once
    written = 27 * 10 * (0.1 + 31 * 0.01)
    assert style == After("writing 5,000 words to measure a style by, 2 models", pytest.approx(2 * written))
    # at both ends only what is recited of 100 words of validation text, in spans of tokens and of bytes, windows overlapping
    words = 3 * 2800 + 2 * 400 + 2 * 2400
    assert dial == After("the dial curve of 5 settings", pytest.approx(words * 2 / 100 + 5 * written))
    _, _, rounded = afterwards(recipe(*settings, "read.method={kind: qlora}", base="embedded"), CORPUS, PACE)
    words += 2800 - 400  # of the rounded base nothing is known
    assert rounded.seconds == pytest.approx(words * 2 / 100 + 6 * written)


def test_without_a_pace_it_is_named_all_the_same() -> None:
    found = afterwards(recipe("measure.style_words=5000"), CORPUS, None)
    assert [each.seconds for each in found] == [None, None]


def test_a_plan_says_what_comes_on_top(tmp_path: Path, book: Path) -> None:
    from wellread.planning import plan

    base = tiny_model(tmp_path / "base")
    asked = recipe("read.windows.length=64", "measure.style_words=5000", base=base.as_posix())
    lines = plan_lines(plan(asked, [book]))
    place = lines.index("on top of training, about:")
    assert lines[place + 1].startswith("  sampling and measuring 2 models: ")
    assert lines[place + 2].startswith("  writing 5,000 words to measure a style by, 2 models: ")
    elsewhere = plan_lines(plan(asked, [book], gpu=2**32))
    assert elsewhere[-1] == (
        "on top of training, for how long is not known here: sampling and measuring 2 models; writing 5,000 words to "
        "measure a style by, 2 models."
    )


def test_the_pace_of_a_model_is_timed(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = tiny_model(tmp_path)
    text = prose(1500)
    pace = pace_of(AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base), text)
    assert pace.scored > 100
    assert 0 < pace.step < 1
    assert pace.more < pace.step
    assert pace.spelled > 1
