"""A model asked by another's harness: what it answers is known beforehand, and what comes back is told with its interval."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from wellread.errors import RecipeError
from wellread.metrics import measure
from wellread.metrics.harness import answers, continuations, cut, evaluated, rows, wholes
from wellread.metrics.intervals import difference
from wellread.models import open_model
from wellread.recipe import parse_recipe
from wellread.testing import SEPARATOR, Memorised, UniformBytes, evidence, tiny_model
from wellread.types import Measurement, Prompt, Sample, Sampling
from wellread.weights import open_base

KNOWN = "Question: what is red? Answer: the naïve rose. Question: what is blue? Answer: the sea."


def test_a_continuation_costs_its_own_bytes() -> None:
    asked = [("Question: what is red?", " Answer: the naïve rose"), ("", "the sea"), ("Question:", " none such")]
    found = continuations(Memorised(KNOWN), asked)
    assert found[0] == (pytest.approx(len(asked[0][1].encode()) * math.log(0.999)), True)
    assert found[1] == (pytest.approx(7 * math.log(0.999)), True)
    assert found[2] == (pytest.approx(-10 * math.log(256)), False)


def test_a_whole_text_costs_all_of_them() -> None:
    assert wholes(UniformBytes(), ["naïve", ""]) == [pytest.approx(-6 * math.log(256)), 0.0]


def test_answers_end_before_their_stops_and_keep_their_order() -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("what is red? Answer:", {"until": [".", "\n"], "max_gen_toks": 60}),
        ("what is blue? Answer:", {"max_gen_toks": 4}),
        ("what is blue? Answer:", {"until": ".", "max_gen_toks": 60}),
    ]
    assert answers(Memorised(KNOWN), asked) == [" the naïve rose", " the", " the sea"]
    assert cut("one\ntwo", ["", "\n"]) == "one"


def test_answers_are_greedy_unless_a_task_samples() -> None:
    class Asked(UniformBytes):
        def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
            drawn.append((sampling.temperature, sampling.top_p, sampling.max_tokens))
            return super().generate(prompts, sampling)

    drawn: list[tuple[float, float, int]] = []
    answers(Asked(), [("a", {"temperature": 0.7}), ("b", {"do_sample": True, "temperature": 0.7, "top_p": 0.9})])
    assert sorted(drawn) == [(0.0, 1.0, 256), (0.7, 0.9, 256)]


def returned(hits: list[int], **more: Any) -> dict[str, Any]:
    samples = [{"doc_id": number, "filter": "none", "acc": hit, "f1": (hit, 1)} for number, hit in enumerate(hits)]
    mean = sum(hits) / len(hits)
    numbers = {"alias": "sums", "acc,none": mean, "acc_stderr,none": 0.1, "f1,none": 0.4}
    return {"results": {"sums": numbers}, "samples": {"sums": samples}, "higher_is_better": {"sums": {"acc": True}},
            "n-shot": {"sums": 5}, **more}  # fmt: skip


def told(hits: list[int], subject: str) -> dict[str, Measurement]:
    return {row.name: row for row in rows(returned(hits), "sums", subject, None)}


def test_every_number_is_a_row_and_means_are_paired_item_by_item() -> None:
    before, after = told([1, 0, 1, 1, 0, 1] * 5, "base"), told([0, 0, 1, 1, 0, 1] * 5, "new")
    assert set(after) == {"lm_eval_sums_acc", "lm_eval_sums_f1"}
    acc = after["lm_eval_sums_acc"]
    assert (acc.value, acc.n, acc.unit, acc.better, acc.interval_over) == (0.5, 30, "share", "higher", "items")
    assert acc.note == "5 examples in the prompt"
    assert "no interval" in after["lm_eval_sums_f1"].note
    gap = difference(acc, before["lm_eval_sums_acc"])
    assert gap.value == pytest.approx(-1 / 6)
    assert gap.low is not None
    assert gap.high is not None
    assert -0.4 < gap.low < gap.high < 0


def test_a_group_without_numbers_is_its_tasks() -> None:
    found = returned([1, 0])
    found["results"]["group"] = {"alias": "group", "acc,none": "N/A"}
    assert [row.name for row in rows(found, "group", "new", 100)] == ["lm_eval_sums_acc", "lm_eval_sums_f1"]
    assert "the first 100 items" in rows(found, "sums", "new", 100)[0].note


def test_without_the_package_there_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    [row] = measure(evidence(UniformBytes(), "text"), ["lm_eval_arc_easy"])
    assert (row.name, row.value) == ("lm_eval_arc_easy", None)
    assert "pip install 'wellread[lm-eval]'" in row.note


def test_a_task_that_is_required_has_to_be_measured() -> None:
    text = "name: a\nbase: embedded\nstages: [{name: b, method: {kind: lora}, budget: {epochs: 1}}]\n"
    with pytest.raises(RecipeError, match=r"not among measure\.metrics"):
        parse_recipe(text, ["require=[lm_eval_arc_easy_acc > 0.3]"])
    parse_recipe(text, ["require=[lm_eval_arc_easy_acc > 0.3]", "measure.metrics=[lm_eval_arc_easy]"])


@pytest.mark.slow
def test_its_answers_are_those_of_the_harness_s_own_model(tmp_path: Path) -> None:
    """The harness's class for transformers models, where it reads the same tokens: with the one that begins a document."""
    pytest.importorskip("lm_eval", reason="needs the extra lm-eval")
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from tokenizers.processors import TemplateProcessing

    texts = [
        f"Which way does the {what} lie? It lies to the {way}."
        for what in ("ferry", "bell")
        for way in ("north", "south")
    ]
    folder = tiny_model(tmp_path / "model", texts * 3, vocabulary=400)
    opened = open_base(str(folder))
    begin = TemplateProcessing(single=f"{SEPARATOR} $A", special_tokens=[(SEPARATOR, opened.tokenizer.bos_token_id)])
    opened.tokenizer.backend_tokenizer.post_processor = begin
    theirs, bare = (
        HFLM(pretrained=opened.model, tokenizer=opened.tokenizer, add_bos_token=bos, batch_size=3, device="cpu")
        for bos in (True, False)
    )
    ours = open_model(str(folder))
    pairs = [(question + "?", answer) for question, _, answer in (text.partition("?") for text in texts)]
    pairs += [("A question?\n\n", "Answer"), ("Trailing ", "space"), ("", "The ferry")]
    asked = [Instance("loglikelihood", {}, pair, place) for place, pair in enumerate(pairs)]
    for own, stock in zip(continuations(ours, pairs), theirs.loglikelihood(asked, disable_tqdm=True), strict=True):
        assert own == (pytest.approx(stock[0], abs=1e-4), stock[1])
    whole = [Instance("loglikelihood_rolling", {}, (text,), place) for place, text in enumerate(texts)]
    assert wholes(ours, texts) == pytest.approx(bare.loglikelihood_rolling(whole, disable_tqdm=True), abs=1e-4)
    wishes = {"until": ["e"], "max_gen_toks": 8, "do_sample": False}
    written = [Instance("generate_until", {}, (text, wishes), place) for place, text in enumerate(texts)]
    both = (answers(ours, [(text, wishes) for text in texts]), theirs.generate_until(written, disable_tqdm=True))
    # a character that the last token cuts short is shown by one side only
    mine, stock_s = ([each.rstrip("\ufffd") for each in said] for said in both)
    assert mine == stock_s


@pytest.mark.slow
def test_a_task_runs_in_the_harness_itself(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra lm-eval")
    items = [{"question": f"Question: what is {what}? Answer:", "choices": [" the naïve rose", " the sea"], "answer": at}
             for what, at in (("red", 0), ("blue", 1))]  # fmt: skip
    data = tmp_path / "items.jsonl"
    data.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    task = {
        "task": "colours", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}}, "test_split": "test",
        "output_type": "multiple_choice", "doc_to_text": "{{question}}", "doc_to_choice": "choices", "doc_to_target": "answer",
        "target_delimiter": "", "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip
    for model, expected in ((Memorised(KNOWN), 1.0), (UniformBytes(), 0.5)):
        [acc] = rows(evaluated(model, task, limit=None, seed=0), "colours", "new", None)
        assert (acc.name, acc.value, acc.n, acc.better) == ("lm_eval_colours_acc", expected, 2, "higher")
