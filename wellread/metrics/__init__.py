"""A LanguageModel and a Corpus in, Measurements out: one metric per file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from wellread import registry
from wellread.errors import MissingPackage, ModelError
from wellread.recipe.questions import ANSWERED, FOUND, REPLIED
from wellread.types import REAL_CHAPTERS, Evidence, Measurement, Metric

METRICS = {
    "bits_per_byte": "wellread.metrics.bits_per_byte:bits_per_byte",
    "perplexity": "wellread.metrics.perplexity:perplexity",
    "greedy_recited_share": "wellread.metrics.recitation:greedy_recited_share",
    "probable_recited_share": "wellread.metrics.recitation:probable_recited_share",
    "longest_recited_words": "wellread.metrics.longest_recited:longest_recited_words",
    "recited_coverage": "wellread.metrics.recited_coverage:recited_coverage",
    "burrows_delta": "wellread.metrics.burrows_delta:burrows_delta",
    "cosine_delta": "wellread.metrics.cosine_delta:cosine_delta",
    "style_rank": "wellread.metrics.style_rank:style_rank",
    "style_attribution": "wellread.metrics.style_attribution:style_attribution",
    "recall_exact": "wellread.metrics.recall_exact:recall_exact",
    "recall_embedding": "wellread.metrics.recall_embedding:recall_embedding",
    "recall_cross_encoder": "wellread.metrics.recall_cross_encoder:recall_cross_encoder",
    "recall_judge": "wellread.metrics.recall_judge:recall_judge",
    "false_definition_rate": "wellread.metrics.false_definitions:false_definition_rate",
    "over_refusal_rate": "wellread.metrics.over_refusals:over_refusal_rate",
    "reference_exact": "wellread.metrics.references:reference_exact",
    "reference_valid": "wellread.metrics.references:reference_valid",
    "work_f1": "wellread.metrics.references:work_f1",
    "line_f1": "wellread.metrics.references:line_f1",
    "abstention": "wellread.metrics.references:abstention",
    "answer_exact": "wellread.metrics.answer_exact:answer_exact",
    "answer_f1": "wellread.metrics.answer_f1:answer_f1",
    "citation_precision": "wellread.metrics.citations:citation_precision",
    "citation_recall": "wellread.metrics.citations:citation_recall",
    "refusal_rate": "wellread.metrics.refusal_rate:refusal_rate",
    "wrong_refusal_rate": "wellread.metrics.refusal_rate:wrong_refusal_rate",
    "seconds_per_answer": "wellread.metrics.answer_cost:seconds_per_answer",
    "tokens_per_answer": "wellread.metrics.answer_cost:tokens_per_answer",
    "retrieval_recall": "wellread.metrics.retrieval:retrieval_recall",
    "retrieval_mrr": "wellread.metrics.retrieval:retrieval_mrr",
    "ppmd_bits_per_byte": "wellread.metrics.compressors:ppmd_bits_per_byte",
    "xz_bits_per_byte": "wellread.metrics.compressors:xz_bits_per_byte",
}
"""Name -> `(Evidence) -> list[Measurement]`; one function may give several, all under names that begin alike."""

YARDSTICKS = ("ppmd_bits_per_byte", "xz_bits_per_byte")
"""The metrics that need no model; their subject is the compressor."""
STYLE = ("burrows_delta", "cosine_delta", "style_rank", "style_attribution")
"""The metrics that compare what a subject wrote with other texts; real chapters are measured by them too."""
EXTRACTION = ("reference_exact", "reference_valid", "work_f1", "line_f1", "abstention")
"""The metrics of references; without labelled texts they give nothing."""
MARKERS = {"recall_embedding": "embedder", "recall_cross_encoder": "cross_encoder", "recall_judge": "judge"}
"""Who marks answers for a metric, as a field of the evidence: without one it is not measured, and not said to be."""
HARNESS = "lm_eval_"
"""Before a task of lm-evaluation-harness: `lm_eval_arc_easy`. Measured only where it is named."""


def measure(evidence: Evidence, names: Sequence[str] = ()) -> list[Measurement]:
    """The named metrics of one subject, in that order; without names all that are `applying`.

    What cannot be measured is a row with the reason in its note; a model's own `note`, where it has one, goes with
    every number. Raises UnknownName.
    """
    metrics = find(names or applying(evidence))
    rows: list[Measurement] = []
    for name, metric in metrics.items():
        if name not in MARKERS or getattr(evidence, MARKERS[name]) is not None:
            evidence.progress(f"measuring {name}")
        try:
            rows += metric(evidence)
        except (ModelError, MissingPackage) as error:
            rows.append(Measurement(name, None, subject=evidence.subject, note=str(error)))
    said = getattr(evidence.model, "note", "")
    return [row if row.value is None else replace(row, note="; ".join(filter(None, (row.note, said)))) for row in rows]


def applying(evidence: Evidence) -> list[str]:
    """The metrics that the evidence holds something for, but no yardsticks: those of questions where there are answers,
    those of references where rows were read, those of gold questions where there are replies, those of retrieval where
    there are a retriever and gold questions."""
    left = {*YARDSTICKS, *(() if evidence.answers else ANSWERED), *(() if evidence.extracted else EXTRACTION),
            *(() if evidence.replies else REPLIED),
            *(() if evidence.retriever and evidence.gold else FOUND)}  # fmt: skip
    everything = [name for name in METRICS if name not in left]
    return everything + [name for name in registry.names("metrics", METRICS) if name not in METRICS]


def find(names: Sequence[str]) -> dict[str, Metric]:
    """The named metrics. Raises UnknownName: ask before the work begins."""
    return {name: _named(name) for name in names}


def _named(name: str) -> Metric:
    if name.startswith(HARNESS):
        from wellread.metrics.harness import harness_task

        return partial(harness_task, task=name.removeprefix(HARNESS))
    metric: Metric = registry.resolve("metrics", METRICS, name)
    return metric


def measure_yardsticks(evidence: Evidence) -> list[Measurement]:
    """What file compressors need for the text that `measure` gives to the models; no model is asked."""
    return measure(evidence, YARDSTICKS)


def measure_ceiling(evidence: Evidence, names: Sequence[str] = STYLE) -> list[Measurement]:
    """How near the author's own held-out chapters come to the book, by the metrics of style; no model is asked."""
    return measure(replace(evidence, subject=REAL_CHAPTERS), names)
