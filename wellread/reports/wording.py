"""Numbers and names in, words out: how the certificate writes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wellread.conditions import read_condition
from wellread.recipe.questions import ANSWERED, FOUND, REPLIED
from wellread.types import Measurement


@dataclass(frozen=True, slots=True)
class Words:
    """A metric in plain words."""

    title: str
    explanation: str


METRICS = {
    "bits_per_byte": Words(
        "Surprise, in bits per byte",
        "How many bits each byte of the text (about one letter) costs the model: 0 would be knowing it by heart, "
        "8 guessing every byte.",
    ),
    "perplexity": Words(
        "Perplexity",
        "Among how many equally likely tokens the model hesitates, on average. Compares only between models "
        "with the same tokenizer.",
    ),
    "greedy_recited_share": Words(
        "Recited word for word",
        "Share of passages that the model reproduces exactly when it is given what stands before them and always "
        "writes its likeliest next token. Held-out text shows what chance comes to, an untouched base what was known "
        "already: what rises beyond both was memorised.",
    ),
    "probable_recited_share": Words(
        "Likely to be recited",
        "Share of the same passages that the model, drawing at random, would reproduce exactly with at least the "
        "stated chance.",
    ),
    "longest_recited_words": Words(
        "Longest copied run",
        "The longest run of words in a row that its own writing shares with the book.",
    ),
    "recited_coverage": Words(
        "Share of the book that was copied",
        "How much of the book is covered by runs of at least five words from everything the model wrote.",
    ),
    "burrows_delta": Words(
        "Distance of style",
        "How far the frequencies of words in what it writes lie from the book’s, in standard deviations between texts "
        "(Burrows’s Delta); 0 would be the same.",
    ),
    "cosine_delta": Words(
        "Difference of style in kind",
        "Whether what it writes favours and avoids the words that the book does (cosine Delta): 0 wholly, 1 no more than "
        "by chance.",
    ),
    "style_rank": Words(
        "The book’s place among other texts",
        "1 where what it writes is nearer to the book, by cosine Delta, than to any of the other texts.",
    ),
    "style_attribution": Words(
        "Taken for the author",
        "Share of passages it wrote that a predictor which has read the book foretells better than predictors that have read "
        "as much of other texts.",
    ),
    "recall_exact": Words(
        "Right answers",
        "Share of questions whose answer holds what the glossary says: the expansion, the term or the key facts. The questions "
        "are put in words that training never used.",
    ),
    "recall_exact_untaught": Words(
        "Right answers about terms it was not taught",
        "The same of terms that training never named: what guessing, and what was known before, come to.",
    ),
    "recall_embedding": Words(
        "Nearness of answers in meaning",
        "The cosine between what it answers and what was expected, by an embedder that reads both; 1 would be the same. An echo "
        "of the question is near, too.",
    ),
    "recall_cross_encoder": Words(
        "Likeness of answers in meaning",
        "What a model that reads answer and expected answer side by side makes of them, on that model’s own scale.",
    ),
    "recall_judge": Words(
        "Answers that a judge finds right",
        "Share of answers that another model, by a fixed rubric, finds to say what was expected.",
    ),
    "false_definition_rate": Words(
        "Invented terms that it defines",
        "Share of questions about terms that do not exist which it answers as if they did.",
    ),
    "over_refusal_rate": Words(
        "Real terms that it refuses",
        "Share of questions about real terms, in the glossary and outside, that it declines to answer.",
    ),
    "answer_exact": Words(
        "Exactly right answers",
        "Share of questions that the text answers to which the answer is a right one word for word, articles, case and "
        "punctuation aside; in brackets, to which it holds one.",
    ),
    "answer_f1": Words(
        "Right words in answers (F1)",
        "Of the words of answer and right answer, how many both have; 1 would be all of them, a refusal counts 0.",
    ),
    "citation_precision": Words(
        "Citations that hold", "Of the sources that answers cite, the share that holds what answers the question."
    ),
    "citation_recall": Words("Passages cited", "Of the passages that answer, the share that is cited."),
    "refusal_rate": Words(
        "Rightly refused", "Share of the questions that the text does not answer which it declines to answer."
    ),
    "wrong_refusal_rate": Words(
        "Wrongly refused", "Share of the questions that the text does answer which it declines to answer."
    ),
    "refusal_auc": Words(
        "Told apart by retrieval",
        "The chance that a question which the text answers scores higher than one that it does not, by what is retrieved for them: "
        "0.5 would be guessing. By nested cross-validation.",
    ),
    "seconds_per_answer": Words("Seconds an answer", "On this machine, many questions asked together."),
    "tokens_per_answer": Words("Tokens an answer", "Read and written for a question, on average."),
    "preparation_seconds": Words(
        "Time to prepare", "Seconds of indexing, writing and training before the first question."
    ),
    "preparation_memory": Words(
        "Memory to prepare", "The most that was held in memory meanwhile, by the whole program."
    ),
    "retrieval_recall": Words(
        "Passages found", "Share of the passages that answer which stand among the first so many found."
    ),
    "retrieval_mrr": Words(
        "How far ahead the right passage is (MRR)",
        "1 divided by the place of the first passage found that answers, on average; 1 would be the first place each time.",
    ),
    "lm_eval": Words(
        "Other tasks",
        "What the model can do besides, by a task of lm-evaluation-harness: where it does worse than before, something was "
        "forgotten.",
    ),
    "reference_exact": Words(
        "Texts read without a fault", "Share of texts whose places were found to the last one, and no other."
    ),
    "reference_valid": Words("Answers in form", "Share of answers that are JSON of the schema."),
    "work_f1": Words(
        "Works found (F1)",
        "Of the works that texts refer to: the harmonic mean of precision (how many of those found are there) and recall "
        "(how many of those there were found).",
    ),
    "work_f1_precision": Words("Works found: precision", "Of the works that were found, the share that is there."),
    "work_f1_recall": Words("Works found: recall", "Of the works that are there, the share that was found."),
    "line_f1": Words("Lines found (F1)", "The same of single lines: a range of three lines is three."),
    "line_f1_precision": Words("Lines found: precision", "Of the lines that were found, the share that is there."),
    "line_f1_recall": Words("Lines found: recall", "Of the lines that are there, the share that was found."),
    "abstention": Words("Left alone", "Share of the texts without references in which none was found."),
    "ppmd_bits_per_byte": Words(
        "PPMd",
        "A file compressor that predicts each byte from the ones before it, fed the training part first.",
    ),
    "xz_bits_per_byte": Words(
        "xz",
        "A file compressor that looks for repetitions, fed the training part first.",
    ),
}

SPLITS = {"train": "training", "validation": "validation", "held_out": "held-out"}
"""Parts of the book; what they are parts in (chapters, passages) is said after the name."""
FORGETTING = (
    "Text of other kinds, which was not what it was taught: where surprise rises here, something was forgotten."
)

RULES = {
    "characters": "Control and zero-width characters, and spaces that only lay out",
    "trailing blanks": "Blanks at the ends of lines",
    "licence": "Licence text before and after the book",
    "running heads": "Running heads at the top of pages",
    "page numbers": "Page numbers on lines of their own",
    "page breaks": "Page breaks; a sentence that runs over one runs on",
    "table of contents": "Tables of contents that repeat the headings",
    "hyphen splits": "Words split by a hyphen at a line’s end",
    "wrapped lines": "Lines broken at a fixed width, joined again",
}
"""What a cleaning rule removed, in plain words; a rule that is not here says its own name."""


MODELS = {"embedded": "SmolLM2-135M-Instruct"}
"""Names that mean something on a command line, as whoever reads a page may look them up."""


METHODS = {"lora": "LoRA", "qlora": "QLoRA", "full": "full tuning", "scratch": "from nothing"}
"""How weights were opened to learning, by a method's kind."""


def model_words(name: str) -> str:
    return MODELS.get(name, name)


def metric_words(name: str, unit: str = "") -> Words:
    """Title and explanation of a metric; variants say how they differ in brackets.

    `name_200_bytes` is the variant "200 bytes" of `name`; so is a unit that goes on after "share", as in
    `share with p >= 0.5`.
    """
    known = max((each for each in METRICS if name.startswith(each)), key=len, default="")
    if not known:
        return Words(sentence(name), "")
    variants = [
        name.removeprefix(known).strip("_@").replace("_", " "),
        unit.partition("share with ")[2].replace(">=", "≥"),
    ]
    told = "".join(f" ({variant})" for variant in variants if variant)
    return Words(METRICS[known].title + told, METRICS[known].explanation)


def split_words(split: str, unit: str = "chapter", metric: str = "") -> str:
    """`held-out chapters`, or passages where the book has no chapters, or questions where a metric is about answers or what is
    found for them; `general text`."""
    if split == "general":
        return "general text"
    unit = "question" if metric.startswith((*ANSWERED, *REPLIED, *FOUND)) else unit
    return f"{SPLITS[split]} {unit}s" if split in SPLITS else sentence(split).lower()


def rule_words(rule: str) -> str:
    return RULES.get(rule) or sentence(rule)


def sentence(name: str) -> str:
    """An identifier as a phrase: `running_heads` gives `Running heads`."""
    spaced = name.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]


def number(value: float, measurement: Measurement) -> str:
    """A measured value as the reader should see it: bits to 3 decimals, shares in per cent, counts with separators."""
    if not math.isfinite(value):
        return "not finite"
    if is_share(measurement):
        return percent(value)
    if "bits" in measurement.name:
        return f"{value:.3f}"
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.2f}"


def signed(value: float, measurement: Measurement) -> str:
    """A difference, with its sign; shares in percentage points."""
    size = abs(value)
    if is_share(measurement):
        body = percent(size).removesuffix(" %")
        written = f"{body} point" if body == "1" else f"{body} points"
    else:
        body = written = number(size, measurement)
    if not any(digit in body for digit in "123456789"):
        return written
    return ("−" if value < 0 else "+") + written


def of_text(sentence: str, unit: str) -> str:
    """A sentence about the book, said of what was read: a glossary's or a list's examples are no book."""
    if unit.removesuffix("s") != "example":
        return sentence
    said = sentence.replace("xamples of the book that it never", "xamples that it never").replace(
        "this book", "these examples"
    )
    return said.replace("The book was", "The examples were").replace("he book", "he examples")


def span(low: str, high: str) -> str:
    """`2.1 to 5.2 %`: a unit that both ends carry is said once."""
    unit = low.partition(" ")[2]
    return f"{low.removesuffix(f' {unit}') if unit and high.endswith(unit) else low} to {high}"


def is_share(measurement: Measurement) -> bool:
    if measurement.name == "retrieval_mrr":  # a mean of 1, 1/2, 1/3, …, which is no share of anything
        return False
    return measurement.unit.startswith("share") or measurement.name.endswith(("_share", "_rate", "_coverage"))


def percent(share: float) -> str:
    """A share as per cent: one decimal, two below 1 %, none for nothing and for all."""
    if share in {0, 1}:
        return f"{share:.0%}".replace("%", " %")
    return f"{share * 100:.{1 if abs(share) >= 0.01 else 2}f} %"


def count(how_many: int, one: str, many: str = "") -> str:
    """`1 chapter`, `1,204 chapters`."""
    return f"{how_many:,} {one if how_many == 1 else many or one + 's'}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" {last} " + items[-1]


def duration(seconds: float) -> str:
    """`48 seconds`, `9 min 20 s`, `2 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return count(whole, "second")
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def short_tokens(tokens: float) -> str:
    """A tick label: `0`, `800`, `20 k`, `1.5 M`."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if tokens >= size:
            return f"{tokens / size:.3g} {unit}"
    return f"{tokens:.3g}"


def stopped_words(why: str) -> str:
    """Why training ended early, in words, from `patience: …` or `until: CONDITION, measured NUMBER` of the log."""
    kind, _, told = why.partition(": ")
    if kind == "patience" and told:
        return told
    condition, _, measured = told.partition(", measured ")
    try:
        dose = read_condition(condition if kind == "until" else why)
    except ValueError:
        return why.rstrip(".")
    shown = Measurement(dose.metric, dose.limit)
    side = "above" if ">" in dose.comparison else "below"
    where = f" at {number(float(measured), shown)}," if measured else ""
    return f"the dose was reached, “{metric_words(dose.metric).title}”{where} {side} {number(dose.limit, shown)}"
