"""One subject in, its samples and measurements out: what the pipeline asks of the base and of every stage alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wellread import runs
from wellread.asking import Keys, ask, no_key, write_answers
from wellread.errors import UsageError
from wellread.facts import Asked
from wellread.generation.progress import Telling
from wellread.keeping import let_go, measure_each, open_kept
from wellread.matching import Index, words
from wellread.recipe import CorpusSettings, Recipe
from wellread.recipe.questions import ANSWERED
from wellread.storage import read_rows, stream_rows, write_rows
from wellread.texts import found, reference_names
from wellread.types import (
    Chunk,
    Corpus,
    Document,
    Evidence,
    LanguageModel,
    Measurement,
    Message,
    Part,
    Prompt,
    Sample,
    Sampling,
)

OPENING_WORDS = 16
OPENING_CHATS = 6
STYLE_PROMPTS = 12
"""Beginnings that a style is measured after: enough for an interval over them."""
MOST_AT_ONCE = 32
WORDS_PER_TOKEN = 0.6
"""Of prose, about: the first guess at how much must be drawn."""
MOST_TOKENS = 20
"""For every word wanted."""
SHARED_WORDS = 8
"""From this length on a run of words that stands in the book is kept with its place."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Where a run tells what it does: `say` takes a line of prose, `progress` a training.Progress, or the Work of a model
    that writes or scores."""

    say: Callable[[str], None] = lambda line: None
    progress: Callable[[Any], None] = lambda progress: None


SILENT = Watch()


def watched(model: LanguageModel, watch: Watch) -> LanguageModel:
    """The model, which from now on tells how far it is with what it writes and scores, if it is one that can."""
    if isinstance(model, Telling):
        model.tell = watch.progress
    return model


def sample_and_measure(
    stage: runs.Stage, opened: Callable[[], LanguageModel], subject: str, about: tuple[Recipe, Corpus], *,
    asked: Asked | None = None, offline: bool = False, keys: Keys = no_key, watch: Watch,
) -> list[Measurement]:  # fmt: skip
    """The same opening lines, questions, seeds and settings for every subject; then every metric, kept beside the samples.

    Samples, passages and metrics are kept one by one, and what a process before this one has kept is not made again, but
    for answers: how they were judged is known only at the end.
    """
    if stage.measurements.is_file():
        let_go(stage.so_far)  # left by a kill just after all was kept
        return [Measurement.from_json(row) for row in read_rows(stage.measurements)]
    from wellread.metrics import YARDSTICKS
    from wellread.metrics.kept import kept_scores
    from wellread.scorefile import read_scores, together, write_scores

    recipe, corpus = about
    going_on = stage.so_far.is_file()
    kept = open_kept(stage.so_far)
    scores = read_scores(stage.scores) if going_on else None
    model = watched(opened(), watch)
    if not going_on:  # what lies there of an earlier measuring is not to be taken for this one's
        let_go(stage.samples, stage.passages, stage.scores)
        write_rows(stage.so_far, ())
    index = Index(corpus.documents)
    watch.say(f"sampling and measuring {subject}")
    if kept.rows:
        watch.say(f"measured before: {', '.join(kept.rows)}")
    samples = read_samples(stage.samples) if going_on else []
    if not samples:
        samples = [replace(sample, subject=subject) for sample in opening_samples(model, recipe, corpus)]
        write_rows(stage.samples, with_matches(samples, index))
    gathered = evidence(recipe, corpus, subject, model=model, samples=samples, watch=watch)
    gathered.cache["index"] = index
    if writes_for_style(recipe):
        written = read_samples(stage.passages) if going_on else []
        add_style(gathered, recipe, written=written)
        if not written:
            write_rows(stage.passages, with_matches(gathered.passages, index))
    if asked:
        watch.say(f"asking {subject} what it knows")
        ask(gathered, model, asked, recipe.answers, seed=recipe.seed, offline=offline, keys=keys)

    def keep_scores() -> None:
        write_scores(stage.scores, together(scores, kept_scores(gathered)))

    wanted = [name for name in recipe.measure.metrics if name not in YARDSTICKS]
    rows = measure_each(gathered, wanted, kept, anew=ANSWERED, scored=keep_scores)
    if asked:
        write_answers(stage, gathered)
    write_rows(stage.measurements, (row.as_json() for row in rows))
    let_go(stage.so_far)
    return rows


def evidence(
    recipe: Recipe, corpus: Corpus, subject: str, *, model: LanguageModel | None = None,
    samples: Sequence[Sample] = (), watch: Watch = SILENT,
) -> Evidence:  # fmt: skip
    """What the metrics may look at."""
    quick_words = recipe.measure.quick_words if recipe.measure.quick else None
    return Evidence(
        subject=subject, corpus=corpus, model=model, samples=samples, general=general_documents(recipe),
        quick_words=quick_words, style_words=recipe.measure.style_words, seed=recipe.seed, progress=watch.say,
    )  # fmt: skip


def general_documents(recipe: Recipe) -> list[Document]:
    """The recipe's texts of other kinds; none for a recipe without a base, which knew nothing that it could forget."""
    if recipe.base is None or not recipe.general:
        return []
    from wellread.corpus.ingest import read_documents

    documents, _, skipped = read_documents(found(recipe.general), CorpusSettings())
    if skipped:
        raise UsageError(f"general text {skipped[0].source}: {skipped[0].reason}")
    return documents


def reference_documents(recipe: Recipe) -> list[Document]:
    """The texts by others, cleaned as the book is. Raises UsageError for one that cannot be read."""
    if not recipe.references:
        return []
    from wellread.corpus.ingest import read_documents

    documents, _, skipped = read_documents(found(reference_names(recipe)), recipe.corpus)
    if skipped:
        raise UsageError(f"reference text {skipped[0].source}: {skipped[0].reason}")
    return documents


def writes_for_style(recipe: Recipe) -> bool:
    """Whether every subject of a run writes words by which its style is measured."""
    return bool(recipe.measure.style_words) and wants_style(recipe.measure.metrics)


def wants_style(metrics: Sequence[str]) -> bool:
    """Whether any of these metrics, or of all where none is named, measures a style."""
    from wellread.metrics import STYLE

    return not metrics or any(name in STYLE for name in metrics)


def add_style(gathered: Evidence, recipe: Recipe, *, part: Part = "validation", written: Sequence[Sample] = ()) -> None:
    """Have the model write `measure.style_words` words to measure its style by, after words of a part, unless they are
    `written`; and read the texts by others."""
    assert gathered.model is not None, "a style is measured of what a model writes"
    if not written:
        gathered.progress(f"{gathered.subject} writes {recipe.measure.style_words:,} words to measure its style by")
        passages = style_passages(gathered.model, recipe, gathered.corpus, part=part)
        written = [replace(passage, subject=gathered.subject) for passage in passages]
    gathered.passages = written
    gathered.references = reference_documents(recipe)


def style_passages(model: LanguageModel, recipe: Recipe, corpus: Corpus, *, part: Part = "validation") -> list[Sample]:
    """What a model writes after words of a part until it has written `measure.style_words` words.

    The same 12 beginnings and the same seeds for every subject, in rounds of up to 32 passages for each beginning: a
    round is written in batches. A model that says little is given up after 20 tokens for every word wanted.
    """
    wanted, settings = recipe.measure.style_words, sampling(recipe)
    prompts = style_prompts(corpus, part)
    passages: list[Sample] = []
    drawn = written = 0
    expected = settings.max_tokens * WORDS_PER_TOKEN
    while written < wanted and drawn * len(prompts) * settings.max_tokens < MOST_TOKENS * wanted:
        count = min(MOST_AT_ONCE, math.ceil((wanted - written) / (expected * len(prompts))))
        passages += model.generate(prompts, replace(settings, seed=settings.seed + drawn, n=count))
        drawn += count
        written = sum(len(words(passage.completion)) for passage in passages)
        expected = max(written / len(passages), 1.0)
    return passages


def style_prompts(corpus: Corpus, part: Part = "validation") -> list[str]:
    """The first words of 12 paragraphs spread evenly over a part, or of as many places of a short one."""
    lines = [line for document in corpus.part(part) for line in document.text.split("\n")]
    paragraphs = [line for line in lines if len(line.split()) >= OPENING_WORDS]
    if len(paragraphs) < STYLE_PROMPTS:
        whole = " ".join(lines).split()
        places = [len(whole) * number // STYLE_PROMPTS for number in range(STYLE_PROMPTS)]
        return list(dict.fromkeys(" ".join(whole[place : place + OPENING_WORDS]) for place in places))
    chosen = [paragraphs[len(paragraphs) * number // STYLE_PROMPTS] for number in range(STYLE_PROMPTS)]
    return list(dict.fromkeys(" ".join(line.split()[:OPENING_WORDS]) for line in chosen))


def sampling(recipe: Recipe) -> Sampling:
    settings = recipe.sampling.model_dump(exclude={"prompts", "generate_during_eval"})
    return Sampling(seed=recipe.seed, **settings)


def opening_lines(recipe: Recipe, corpus: Corpus) -> list[Prompt]:
    """The recipe's prompts, or the first words of a validation chapter, which training does not see.

    Of a corpus of examples a model is asked as it was taught, in chats: the recipe's prompts, or what is asked in up to
    six of the held-out examples.
    """
    asked = [chat for document in corpus.part("held_out") if (chat := _asked(document))]
    if asked:
        given = [[{"role": "user", "content": prompt}] for prompt in recipe.sampling.prompts]
        return list(given or asked[:OPENING_CHATS])
    if recipe.sampling.prompts:
        return list(recipe.sampling.prompts)
    return [opening_line(corpus.part("validation")[0])]


def opening_samples(model: LanguageModel, recipe: Recipe, corpus: Corpus) -> list[Sample]:
    """What a model writes after the opening lines; what was asked in a chat ends with a blank line, for it is no beginning
    of a sentence that the answer ends."""
    prompts = opening_lines(recipe, corpus)
    samples = model.generate(prompts, sampling(recipe))
    if all(isinstance(prompt, str) for prompt in prompts):
        return samples
    return [replace(sample, prompt=sample.prompt.rstrip() + "\n\n") for sample in samples]


def _asked(document: Document) -> list[Message]:
    """What comes before the last answer of an example; nothing for a document that is none."""
    messages = list(document.metadata.get("messages", ()))
    while messages and messages[-1]["role"] != "assistant":
        messages.pop()
    return messages[:-1]


def opening_line(document: Document) -> str:
    """The first words of the first paragraph that is no heading."""
    paragraphs = [line for line in document.text.split("\n") if len(line.split()) >= OPENING_WORDS]
    text = paragraphs[0] if paragraphs else document.text
    return " ".join(text.split()[:OPENING_WORDS])


def as_row(sample: Sample) -> dict[str, Any]:
    """A sample as JSON has it: what was laid before it in a list."""
    return {**asdict(sample), "sources": [asdict(source) for source in sample.sources]}


def with_matches(samples: Sequence[Sample], index: Index, at_least: int = SHARED_WORDS) -> list[dict[str, Any]]:
    """Rows of samples.jsonl: each sample with the runs of words that its completion shares with the book, and with the
    longest of any length (None where not a single word is shared)."""
    rows = []
    for sample in samples:
        text, own = sample.prompt + sample.completion, len(sample.prompt)
        matches = [asdict(match) for match in index.matches(text, at_least=at_least, from_char=own)]
        longest = index.longest(text, from_char=own)
        rows.append({**as_row(sample), "matches": matches, "longest": longest and asdict(longest)})
    return rows


def read_samples(path: Path) -> list[Sample]:
    """The samples of a file that `with_matches` has the rows of; none where there is no file. Raises StorageError."""
    return [_sample(row) for row in stream_rows(path, optional=True)]


def _sample(row: Mapping[str, Any]) -> Sample:
    said = {key: value for key, value in row.items() if key not in {"matches", "longest"}}
    sources = tuple(Chunk(**{**each, "overleaf": tuple(each["overleaf"])}) for each in row["sources"])
    return Sample(**{**said, "settings": Sampling(**row["settings"]), "sources": sources})
