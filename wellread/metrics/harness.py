"""Tasks of lm-evaluation-harness in, Measurements out: what else a model could do, before and after (the extra `lm-eval`)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from wellread.errors import MissingPackage, ModelError, first_line
from wellread.metrics import HARNESS
from wellread.metrics.intervals import with_interval
from wellread.metrics.scores import model_of, notes
from wellread.types import Evidence, LanguageModel, Measurement, Sampling, Tally

QUICK_ITEMS = 100
NEW_TOKENS = 256
"""At most, where a task does not say."""
_SHARES = ("acc", "exact_match")


def harness_task(evidence: Evidence, task: str) -> list[Measurement]:
    """The numbers of one task, as `lm_eval_TASK_NUMBER`; n counts its items, of which a quick measurement takes the first 100.

    The task brings its own data, prompts and scoring (Gao et al., lm-evaluation-harness). Where a number is a mean over
    items, they are what its interval resamples, and what two subjects are paired by. Raises MissingPackage without
    lm_eval, ModelError where the task or its data cannot be had.
    """
    limit = None if evidence.quick_words is None else QUICK_ITEMS
    found = evaluated(model_of(evidence), task, limit=limit, seed=evidence.seed)
    return [with_interval(row, seed=evidence.seed) for row in rows(found, task, evidence.subject, limit)]


def evaluated(model: LanguageModel, task: str | dict[str, Any], *, limit: int | None, seed: int) -> Mapping[str, Any]:
    """What lm-evaluation-harness returns for one task: results, samples, and which way is better."""
    try:
        from lm_eval import simple_evaluate
    except ImportError:
        raise MissingPackage("lm-evaluation-harness is not installed: pip install 'wellread[lm-eval]'") from None
    try:
        found: Mapping[str, Any] = simple_evaluate(
            model=as_harness_model(model), tasks=[task], limit=limit, bootstrap_iters=0, log_samples=True,
            random_seed=seed, numpy_random_seed=seed, torch_random_seed=seed, fewshot_random_seed=seed,
        )  # fmt: skip
    except (KeyError, ValueError, OSError) as error:  # no such task; no data for it here
        raise ModelError(f"lm-evaluation-harness cannot run the task {task}: {first_line(error)}.") from None
    return found


def as_harness_model(model: LanguageModel) -> Any:
    """A LanguageModel as the `LM` that lm-evaluation-harness asks."""
    from lm_eval.api.model import LM

    class Adapter(LM):  # type: ignore[misc]
        def loglikelihood(self, requests: Sequence[Any]) -> list[tuple[float, bool]]:
            return continuations(model, [request.args for request in requests])

        def loglikelihood_rolling(self, requests: Sequence[Any]) -> list[float]:
            return wholes(model, [request.args[0] for request in requests])

        def generate_until(self, requests: Sequence[Any]) -> list[str]:
            return answers(model, [request.args for request in requests])

    return Adapter()


def continuations(model: LanguageModel, asked: Sequence[tuple[str, str]]) -> list[tuple[float, bool]]:
    """Of every (context, continuation) the continuation's log-probability, and whether greedy decoding would write it.

    A token that reaches from one into the other belongs to the continuation, and so does white space between them, as in
    the harness.
    """
    found = []
    for (context, _), scored in zip(asked, model.score([context + more for context, more in asked]), strict=True):
        own = np.asarray(scored.ends) > len(context.rstrip().encode())
        found.append((float(np.asarray(scored.logprobs)[own].sum()), bool(np.asarray(scored.greedy)[own].all())))
    return found


def wholes(model: LanguageModel, texts: Sequence[str]) -> list[float]:
    """The log-probability of every text."""
    return [float(np.sum(scored.logprobs)) for scored in model.score(texts)]


def answers(model: LanguageModel, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """What the model writes after every context, up to the first of its stops; greedily unless the task samples."""
    said = [""] * len(asked)
    order = sorted(range(len(asked)), key=lambda place: repr(settings(asked[place][1])))
    for _, places in groupby(order, key=lambda place: repr(settings(asked[place][1]))):
        together = list(places)
        samples = model.generate([asked[place][0] for place in together], settings(asked[together[0]][1]))
        for place, sample in zip(together, samples, strict=True):
            stops = asked[place][1].get("until") or ()
            said[place] = cut(sample.completion, [stops] if isinstance(stops, str) else stops)
    return said


def settings(asked: Mapping[str, Any]) -> Sampling:
    """How a task wants its answers drawn."""
    sampled = bool(asked.get("do_sample"))
    temperature = float(asked.get("temperature") or 1.0) if sampled else 0.0
    top_p = float(asked.get("top_p") or 1.0) if sampled else 1.0
    return Sampling(max_tokens=int(asked.get("max_gen_toks") or NEW_TOKENS), temperature=temperature, top_p=top_p)


def cut(text: str, stops: Iterable[str]) -> str:
    """A text before the first of some stops."""
    for stop in filter(None, stops):
        text = text.partition(stop)[0]
    return text


def rows(found: Mapping[str, Any], task: str, subject: str, limit: int | None) -> list[Measurement]:
    """Every number of the task or, of a group without numbers of its own, of the tasks in it."""
    results: Mapping[str, Mapping[str, Any]] = found["results"]
    whole = {task: results[task]} if task in results and _numbers(results[task]) else results
    return [
        _row(found, name, number, subject, limit)
        for name, numbers in whole.items()
        for number in _numbers(numbers).items()
    ]


def _numbers(numbers: Mapping[str, Any]) -> dict[str, float]:
    """`acc,none` and its like: not their errors, nor what is told beside them."""
    return {key: float(value) for key, value in numbers.items()
            if "," in key and "_stderr," not in key and isinstance(value, int | float)}  # fmt: skip


def _row(
    found: Mapping[str, Any], task: str, counted: tuple[str, float], subject: str, limit: int | None
) -> Measurement:
    key, value = counted
    number, _, filtered = key.partition(",")
    of_filter = [each for each in found.get("samples", {}).get(task, ()) if each.get("filter", filtered) == filtered]
    items = [(str(each["doc_id"]), each[number]) for each in of_filter if isinstance(each.get(number), int | float)]
    is_mean = bool(items) and math.isclose(sum(one for _, one in items) / len(items), value, rel_tol=1e-6, abs_tol=1e-9)
    higher = found.get("higher_is_better", {}).get(task, {}).get(number)
    shots = found.get("n-shot", {}).get(task)
    return Measurement(
        f"{HARNESS}{task}_{number}{'' if filtered == 'none' else f'_{filtered}'}", value,
        "share" if number.startswith(_SHARES) else "", subject, n=len(of_filter),
        better=None if higher is None else "higher" if higher else "lower",
        note=notes("" if shots is None else f"{shots} examples in the prompt", f"the first {limit} items" if limit else "",
                   "" if is_mean else "no mean over items: no interval"),
        interval_over="items" if is_mean else "", tallies=tuple(Tally(unit, float(one), 1.0) for unit, one in items) if is_mean else (),
    )  # fmt: skip
