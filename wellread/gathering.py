"""One subject in, its samples and measurements out: what the pipeline asks of the base and of every stage alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from wellread import runs
from wellread.errors import UsageError
from wellread.matching import Index
from wellread.recipe import CorpusSettings, Recipe
from wellread.storage import read_rows, write_rows
from wellread.texts import found
from wellread.types import Corpus, Document, Evidence, LanguageModel, Measurement, Sample, Sampling

OPENING_WORDS = 16


@dataclass(frozen=True, slots=True)
class Watch:
    """Where a run tells what it does: `say` takes a line of prose, `progress` a training.Progress."""

    say: Callable[[str], None] = lambda line: None
    progress: Callable[[Any], None] = lambda progress: None


SILENT = Watch()


def sample_and_measure(
    stage: runs.Stage, opened: Callable[[], LanguageModel], subject: str, about: tuple[Recipe, Corpus], *, watch: Watch
) -> list[Measurement]:
    """The same opening lines, seeds and settings for every subject; then every metric, kept beside the samples."""
    if stage.measurements.is_file():
        return [Measurement.from_json(row) for row in read_rows(stage.measurements)]
    from wellread.metrics import YARDSTICKS, measure

    recipe, corpus = about
    model = opened()
    index = Index(corpus.documents)
    watch.say(f"sampling and measuring {subject}")
    samples = [
        replace(sample, subject=subject) for sample in model.generate(opening_lines(recipe, corpus), sampling(recipe))
    ]
    write_rows(stage.samples, with_matches(samples, index))
    gathered = evidence(recipe, corpus, subject, model=model, samples=samples, watch=watch)
    gathered.cache["index"] = index
    rows = measure(gathered, [name for name in recipe.measure.metrics if name not in YARDSTICKS])
    write_rows(stage.measurements, (row.as_json() for row in rows))
    return rows


def evidence(
    recipe: Recipe, corpus: Corpus, subject: str, *, model: LanguageModel | None = None,
    samples: Sequence[Sample] = (), watch: Watch = SILENT,
) -> Evidence:  # fmt: skip
    """What the metrics may look at."""
    words = recipe.measure.quick_words if recipe.measure.quick else None
    return Evidence(
        subject=subject, corpus=corpus, model=model, samples=samples, general=general_documents(recipe),
        quick_words=words, seed=recipe.seed, progress=watch.say,
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


def sampling(recipe: Recipe) -> Sampling:
    settings = recipe.sampling.model_dump(exclude={"prompts"})
    return Sampling(seed=recipe.seed, **settings)


def opening_lines(recipe: Recipe, corpus: Corpus) -> list[str]:
    """The recipe's prompts, or the first words of a validation chapter, which training does not see."""
    if recipe.sampling.prompts:
        return list(recipe.sampling.prompts)
    return [opening_line(corpus.part("validation")[0])]


def opening_line(document: Document) -> str:
    """The first words of the first paragraph that is no heading."""
    paragraphs = [line for line in document.text.split("\n") if len(line.split()) >= OPENING_WORDS]
    text = paragraphs[0] if paragraphs else document.text
    return " ".join(text.split()[:OPENING_WORDS])


def with_matches(samples: Sequence[Sample], index: Index, at_least: int = 8) -> list[dict[str, Any]]:
    """Rows of samples.jsonl: each sample with the runs of words that its completion shares with the book."""
    rows = []
    for sample in samples:
        text = sample.prompt + sample.completion
        matches = index.matches(text, at_least=at_least, from_char=len(sample.prompt))
        rows.append({**asdict(sample), "matches": [asdict(match) for match in matches]})
    return rows
