"""READ THIS FIRST. The whole flow: ingest, prepare, then per stage train, sample, measure; then compare and report.

Every step writes what it made into the run folder and is skipped when that is there already: to resume is to run again.
This file alone knows two rooms; each step below is one room's work.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread import runs
from wellread.environment import describe_environment
from wellread.errors import CorpusError, UsageError
from wellread.matching import Index
from wellread.metrics import find as find_metrics
from wellread.models import locate, open_model
from wellread.recipe import Recipe, Scratch, Stage, fingerprint, load_recipe, recipe_yaml
from wellread.registry import unknown
from wellread.runs import BASE_STAGE, Run
from wellread.types import Corpus, Document, Evidence, LanguageModel, Measurement, Part, Sample, Sampling

if TYPE_CHECKING:
    from wellread.tokens.rows import Rows

LIBRARY = "library:"
OPENING_WORDS = 16


@dataclass(frozen=True, slots=True)
class Watch:
    """Where a run tells what it does: `say` takes a line of prose, `progress` a training.Progress."""

    say: Callable[[str], None] = lambda line: None
    progress: Callable[[Any], None] = lambda progress: None


def run(
    recipe: Recipe | str,
    texts: Sequence[str | Path] = (),
    *,
    out: str | Path | None = None,
    offline: bool = False,
    strict: bool = False,
    command: str = "",
    watch: Watch = Watch(),
) -> Run:
    """Teach a text and measure how well it was read; run it again to resume.

    Returns the finished Run (contract: `runs/NAME-FINGERPRINT`, or `out`). Raises UsageError for what the user can
    mend, RunError and StorageError for what went wrong; what was done until then stays.
    """
    recipe = load_recipe(recipe) if isinstance(recipe, str) else recipe
    find_metrics(recipe.measure.metrics)
    paths = text_paths(recipe, texts)
    mark = fingerprint(recipe, [digest(path) for path in paths])
    this = Run(Path(out) if out else Path("runs") / f"{recipe.name}-{mark}")
    with runs.locked(this):
        _begin(this, recipe, mark, command, watch)
        corpus = ingest_corpus(this, recipe, paths, strict=strict, watch=watch)
        rows = base_rows(this, recipe, corpus, offline=offline, watch=watch)
        for number, stage in enumerate(recipe.stages, 1):
            rows += stage_rows(this, recipe, corpus, (number, stage), mark=mark, offline=offline, watch=watch)
        rows += yardstick_rows(this, recipe, corpus, watch=watch)
        runs.write_rows(this.measurements, (row.as_json() for row in rows + differences(rows)))
        _finish(this)
        write_report(this)
    return this


def text_paths(recipe: Recipe, texts: Sequence[str | Path]) -> list[Path]:
    """The files to read: those of the command line, else the recipe's; `library:NAME` is an embedded text."""
    given = [str(text) for text in texts] or list(recipe.corpus.texts)
    if not given:
        raise UsageError(f"recipe {recipe.name!r} brings no text of its own: name a file or a folder after it.")
    paths = [library_text(text.removeprefix(LIBRARY)) if text.startswith(LIBRARY) else Path(text) for text in given]
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no file or folder {path}")
    return paths


def library_texts() -> list[str]:
    """Names of the embedded texts; files in capitals are about them."""
    folder = Path(str(resources.files("wellread"))) / "library"
    return sorted(path.stem for path in folder.glob("*.md") if path.stem.islower())


def library_text(name: str) -> Path:
    """The path of an embedded text."""
    if name not in library_texts():
        raise UsageError(unknown(f"embedded text {name!r}", name, library_texts()))
    return Path(str(resources.files("wellread"))) / "library" / f"{name}.md"


def digest(path: Path) -> str:
    """A hash of a file's name and bytes, or of all files below a folder."""
    whole = hashlib.sha256()
    for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not each.is_file() or any(runs.is_run(folder) for folder in each.parents):
            continue
        whole.update(each.relative_to(path.parent).as_posix().encode())
        try:
            with each.open("rb") as file:
                while block := file.read(1 << 20):
                    whole.update(block)
        except OSError as error:  # reading the text will say so, or pass the file over
            whole.update(f"unreadable {error.errno}".encode())
    return whole.hexdigest()


def ingest_corpus(this: Run, recipe: Recipe, paths: Sequence[Path], *, strict: bool, watch: Watch) -> Corpus:
    """Files to a cleaned, divided and split Corpus, kept in `corpus/`."""
    from wellread.corpus.ingest import ingest, read_corpus, write_corpus

    if (this.corpus / "split.json").is_file():
        corpus = read_corpus(this.corpus)
        if strict and corpus.skipped:
            raise CorpusError(f"{corpus.skipped[0].source}: {corpus.skipped[0].reason}")
        return corpus
    watch.say("reading " + ", ".join(path.name for path in paths))
    corpus = ingest(paths, recipe.corpus, seed=recipe.seed, strict=strict)
    for skipped in corpus.skipped:
        watch.say(f"skipped {skipped.source}: {skipped.reason}")
    write_corpus(corpus, this.corpus)
    sizes = ", ".join(f"{part.replace('_', '-')} {len(ids)}" for part, ids in corpus.split.items())
    watch.say(f"{len(corpus.documents)} chapters or passages: {sizes}")
    return corpus


def base_rows(this: Run, recipe: Recipe, corpus: Corpus, *, offline: bool, watch: Watch) -> list[Measurement]:
    """Sample and measure the untouched base; nothing for a recipe from scratch."""
    if recipe.base is None:
        return []
    stage = runs.Stage(this.path / "stages" / BASE_STAGE)

    def opened() -> LanguageModel:
        return open_model(str(recipe.base), offline=offline)

    return sample_and_measure(stage, opened, recipe.base, (recipe, corpus), watch=watch)


def stage_rows(
    this: Run, recipe: Recipe, corpus: Corpus, numbered: tuple[int, Stage], *, mark: str, offline: bool, watch: Watch
) -> list[Measurement]:
    """Train one stage, then sample and measure what came of it."""
    number, stage = numbered
    folder = this.stage(number, stage.name)
    if folder.checkpoint.is_dir():
        shutil.rmtree(folder.path / "resume", ignore_errors=True)  # left by a kill just after the checkpoint was saved
    else:
        train_stage(this, recipe, corpus, (number, stage), mark=mark, offline=offline, watch=watch)

    def opened() -> LanguageModel:
        return open_model(str(folder.checkpoint), offline=offline)

    return sample_and_measure(folder, opened, stage.name, (recipe, corpus), watch=watch)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stage ready to train: a model opened the method's way, its tokenizer, and the rows it reads."""

    model: Any
    tokenizer: Any
    rows: Mapping[Part, Rows]


def prepare_stage(recipe: Recipe, corpus: Corpus, stage: Stage, tokens: Path, *, offline: bool) -> Prepared:
    """The tokenizer (the base's, or one trained on the training part only), rows in `tokens`, and the model."""
    from wellread import weights
    from wellread.tokens.bpe import train_tokenizer
    from wellread.tokens.rows import prepare

    def rows(tokenizer: Any, folder: Path) -> dict[Part, Rows]:
        start, end = weights.document_start(tokenizer), weights.document_end(tokenizer)
        parts: tuple[Part, ...] = ("train", "validation")
        return {part: prepare(corpus.part(part), folder, tokens / part, start=start, end=end) for part in parts}

    if isinstance(stage.method, Scratch):
        texts = (document.text for document in corpus.part("train"))
        folder = train_tokenizer(texts, tokens / "tokenizer", vocabulary=stage.method.vocabulary)
        tokenizer = weights.open_tokenizer(folder)
        read = rows(tokenizer, folder)
        return Prepared(
            weights.create(stage, tokenizer, text_bytes=read["train"].bytes, seed=recipe.seed), tokenizer, read
        )
    opened = weights.open_base(str(locate(str(recipe.base))), offline=offline)
    read = rows(opened.tokenizer, weights.save_tokenizer(opened.tokenizer, tokens / "tokenizer"))
    return Prepared(weights.adapt(opened.model, stage.method, seed=recipe.seed), opened.tokenizer, read)


def train_stage(
    this: Run, recipe: Recipe, corpus: Corpus, numbered: tuple[int, Stage], *, mark: str, offline: bool, watch: Watch
) -> None:
    """Windows over the rows, and the one training loop."""
    from wellread.tokens.windows import Windows, validation_windows
    from wellread.training import train

    number, stage = numbered
    ready = prepare_stage(recipe, corpus, stage, this.tokens(stage.name), offline=offline)
    watch.say(f"{ready.rows['train'].tokens:,} tokens to read")
    length, stride = stage.windows.length, stage.windows.stride
    base = None if recipe.base is None else str(locate(recipe.base))
    train(
        ready.model, ready.tokenizer,
        Windows(ready.rows["train"], length=length, stride=stride, seed=recipe.seed),
        validation_windows(ready.rows["validation"], length, most=stage.validation_windows),
        stage, folder=this.stage(number, stage.name).path,
        base=base, seed=recipe.seed, fingerprint=mark, progress=watch.progress, say=watch.say,
    )  # fmt: skip


def sample_and_measure(
    stage: runs.Stage,
    opened: Callable[[], LanguageModel],
    subject: str,
    about: tuple[Recipe, Corpus],
    *,
    watch: Watch,
) -> list[Measurement]:
    """The same opening lines, seeds and settings for every subject; then every metric, kept beside the samples."""
    if stage.measurements.is_file():
        return [Measurement.from_json(row) for row in runs.read_rows(stage.measurements)]
    from wellread.metrics import YARDSTICKS, measure

    recipe, corpus = about
    model = opened()
    index = Index(corpus.documents)
    watch.say(f"sampling and measuring {subject}")
    samples = [
        replace(sample, subject=subject) for sample in model.generate(opening_lines(recipe, corpus), sampling(recipe))
    ]
    runs.write_rows(stage.samples, with_matches(samples, index))
    gathered = evidence(recipe, corpus, subject, model=model, samples=samples, watch=watch)
    gathered.cache["index"] = index
    rows = measure(gathered, [name for name in recipe.measure.metrics if name not in YARDSTICKS])
    runs.write_rows(stage.measurements, (row.as_json() for row in rows))
    return rows


def yardstick_rows(this: Run, recipe: Recipe, corpus: Corpus, *, watch: Watch) -> list[Measurement]:
    """What file compressors need for the same held-out text."""
    from wellread.metrics import measure_yardsticks

    watch.say("compressing the same text with PPMd and xz")
    return measure_yardsticks(evidence(recipe, corpus, "", watch=watch))


def evidence(
    recipe: Recipe, corpus: Corpus, subject: str, *, model: LanguageModel | None = None,
    samples: Sequence[Sample] = (), watch: Watch,
) -> Evidence:  # fmt: skip
    words = recipe.measure.quick_words if recipe.measure.quick else None
    return Evidence(
        subject=subject,
        corpus=corpus,
        model=model,
        samples=samples,
        quick_words=words,
        seed=recipe.seed,
        progress=watch.say,
    )


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


def differences(rows: Sequence[Measurement]) -> list[Measurement]:
    """Every later subject against the first (the base, where there is one), and the last against PPMd, paired."""
    from wellread.metrics.intervals import difference

    found: list[Measurement] = []
    for kind in dict.fromkeys((row.name, row.split, row.unit) for row in rows):
        chain = [row for row in rows if (row.name, row.split, row.unit) == kind and row.tallies]
        found += [difference(later, chain[0]) for later in chain[1:]]
        if chain and chain[0].name == "bits_per_byte":
            yardsticks = [
                row for row in rows if row.name == "ppmd_bits_per_byte" and row.split == chain[0].split and row.tallies
            ]
            found += [difference(chain[-1], each) for each in yardsticks]
    return found


def write_report(this: Run) -> Path:
    """Write the certificate from what the run folder holds."""
    from wellread.reports import write_report as write

    return write(this.path)


def _begin(this: Run, recipe: Recipe, mark: str, command: str, watch: Watch) -> None:
    text = recipe_yaml(recipe)
    if this.recipe.is_file():
        if not this.environment.is_file():
            raise UsageError(f"{this.path} holds a recipe.yaml but no environment.json: choose another --out.")
        started = runs.read_json(this.environment)
        if started.get("fingerprint") != mark:
            raise UsageError(f"{this.path} holds a run of other texts or settings; choose another --out.")
        watch.say(f"going on with {this.path}")
        return
    runs.write_json(this.environment, {**describe_environment(recipe.stages[-1].precision), "fingerprint": mark, "seed": recipe.seed,
                                       "command": command, "start": runs.now(), "end": None})  # fmt: skip
    runs.write_text(this.recipe, text)


def _finish(this: Run) -> None:
    environment = runs.read_json(this.environment)
    if environment["end"] is None:
        runs.write_json(this.environment, {**environment, "end": runs.now()})
