"""A stage in, its checkpoint out: where it starts, what it reads, how it is trained.

Started in several processes, each comes through here: the first prepares what is read from disk, then all train.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellread.asking import hot_test
from wellread.conditions import read_condition
from wellread.errors import CorpusError, UsageError
from wellread.facts import asked_in, run_questions
from wellread.gathering import Watch, evidence
from wellread.live_samples import live_sampler
from wellread.models import locate
from wellread.recipe import CorpusSettings, RandomWindows, Recipe, Scratch, Stage, lineage
from wellread.runs import Run
from wellread.storage import read_json, write_json
from wellread.texts import found, library_path
from wellread.training import processes
from wellread.types import Corpus, Document, unit_of

if TYPE_CHECKING:
    from wellread.training.session import Watched

BYTES_PER_TOKEN = 4
"""Of prose, about: sizes a rank or a model to a library before it is drawn."""
DOSE_WORDS = 4_000
"""Words of the training part by which a dose is measured, with every evaluation."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stage ready to train: a model opened the method's way, its tokenizer, and the windows it reads."""

    model: Any
    tokenizer: Any
    base: str | None
    """What the finished checkpoint will name as its base."""
    windows: Any
    validation: Any
    tokens: int
    """Tokens there are to read, before any is read twice."""


def train_stage(
    this: Run, recipe: Recipe, corpus: Corpus, numbered: tuple[int, Stage], *, mark: str, offline: bool, watch: Watch,
    judged: Callable[[Any], Watched] | None = None,
) -> None:  # fmt: skip
    """Prepare a stage and train it, in the run's folders. `judged` gives, for a tokenizer, what is watched of a
    model with every validation, in place of the recipe's questions."""
    from wellread.training import train

    number, stage = numbered
    folder = this.stage(number, stage.name)
    start = starting_point(this, recipe, number)
    with processes.first_goes_first():
        ready = prepare_stage(
            recipe, corpus, stage, this.tokens(stage.name), start=start, place=folder.path, offline=offline, say=watch.say
        )  # fmt: skip
    watch.say(f"{stage.name}: {ready.tokens:,} tokens to read")
    train(
        ready.model, ready.tokenizer, ready.windows, ready.validation, stage, folder=folder.path,
        base=ready.base, seed=recipe.seed, fingerprint=mark, dose=dose(recipe, corpus, stage, ready.tokenizer),
        watched=judged(ready.tokenizer) if judged else hot_test(recipe, stage, run_questions(this, corpus), ready.tokenizer),
        sampler=live_sampler(recipe, corpus, stage, ready.tokenizer, say=watch.say),
        report_to=recipe.report_to, run_name=f"{this.name}-{stage.name}", progress=watch.progress, say=watch.say,
    )  # fmt: skip


def tell_gap(
    this: Run, recipe: Recipe, corpus: Corpus, numbered: tuple[int, Stage], *, offline: bool, watch: Watch
) -> None:
    """What rounding a base to 4 or 8 bits cost, before and after training, on the validation part; kept in a file."""
    import torch

    from wellread import weights
    from wellread.training.loss import validation_loss

    number, stage = numbered
    folder, tokens = this.stage(number, stage.name), this.tokens(stage.name)
    kept = folder.rounding
    if kept.is_file():
        return
    tokenizer = weights.open_tokenizer(tokens / "tokenizer")
    _, validation, _ = stage_windows(recipe, corpus, stage, tokens, tokenizer, offline=offline, say=lambda line: None)

    def loss(model: Any) -> float:
        size = stage.optimizer.micro_batch or stage.optimizer.batch
        return validation_loss(model.to(weights.device()), validation, size, None)[0]

    try:
        gap = weights.quantisation_gap(folder.checkpoint, loss, offline=offline)
    except torch.OutOfMemoryError:
        watch.say(f"{stage.name}: what the rounding cost was not measured: the base does not fit here in float32.")
        return
    write_json(kept, asdict(gap))
    watch.say(str(gap))


def starting_point(this: Run, recipe: Recipe, number: int) -> str | None:
    """The MODEL that a stage starts from: the base, or the checkpoint of the stage before it, or of the one it names.

    None for a stage from scratch.
    """
    origin, *_ = lineage(recipe.stages)[recipe.stages[number - 1].name] or (None,)
    if origin is None:
        return None
    if origin == "base":
        return str(locate(str(recipe.base)))
    names = [each.name for each in recipe.stages]
    return str(this.stage(names.index(origin) + 1, origin).checkpoint)


def prepare_stage(
    recipe: Recipe, corpus: Corpus, stage: Stage, tokens: Path, *, start: str | None, place: Path, offline: bool,
    say: Callable[[str], None] = lambda line: None,
) -> Prepared:  # fmt: skip
    """The tokenizer (the base's, or one trained on the training part and a sample of the library that is read), token
    ids in `tokens`, windows over them, and the model: opened at `start`, or created. `place` is where a base that had
    to be merged first is kept."""
    from wellread import weights
    from wellread.tokens.bpe import train_tokenizer
    from wellread.tokens.sample import sample
    from wellread.training.loss import takes_segments

    drawn = stage.random_windows
    size = sum(len(document.text.encode()) for document in corpus.part("train"))
    size = size if drawn is None else drawn.n * stage.windows.length * BYTES_PER_TOKEN
    base = None
    if isinstance(stage.method, Scratch):
        if drawn is None or not (tokens / "tokenizer").is_dir():  # a library is not asked again when a run goes on
            texts = [document.text for document in corpus.part("train")]
            texts += sample(_library(drawn, offline=offline), column=drawn.column) if drawn else []
            train_tokenizer(
                texts, tokens / "tokenizer", vocabulary=stage.method.vocabulary, reads=size if drawn else None
            )
        tokenizer = weights.open_tokenizer(tokens / "tokenizer")
        model = weights.create(stage, tokenizer, text_bytes=size, seed=recipe.seed)
    else:
        opened = weights.open_to_train(
            stage, str(start), folder=place, text_bytes=size, seed=recipe.seed, offline=offline
        )
        model, tokenizer, base = opened.model, opened.tokenizer, opened.base
        for line in opened.notes:
            say(line)
        if processes.is_first():
            weights.save_tokenizer(tokenizer, tokens / "tokenizer")
    plain = stage.goldfish == 0 and not isinstance(
        stage.method, Scratch
    )  # which count, or cut, what stands side by side
    share = plain and takes_segments(model, stage.windows.length)
    windows, validation, count = stage_windows(
        recipe, corpus, stage, tokens, tokenizer, offline=offline, say=say, share=share
    )
    return Prepared(model, tokenizer, base, windows, validation, count)


def stage_windows(
    recipe: Recipe, corpus: Corpus, stage: Stage, tokens: Path, tokenizer: Any, *, offline: bool,
    say: Callable[[str], None], share: bool = False,
) -> tuple[Any, Any, int]:  # fmt: skip
    """What a stage reads, what it is validated on, and how many tokens there are to read.

    The book's own windows, windows drawn from a library, or examples; with replay of other text beside them. With
    `share`, examples of a window share what they all begin with.
    """
    from wellread import weights
    from wellread.tokens.examples import ExampleWindows, prepare_examples
    from wellread.tokens.mixed import Mixed
    from wellread.tokens.rows import Rows, prepare
    from wellread.tokens.windows import Windows, validation_windows

    start, end = weights.document_start(tokenizer), weights.document_end(tokenizer)
    length, seed, opening = stage.windows.length, recipe.seed, weights.window_start(tokenizer)

    def rows(documents: Sequence[Document], name: str) -> Rows:
        return prepare(documents, tokens / "tokenizer", tokens / name, start=start, end=end)

    windows: Any
    validation: Any
    if stage.examples is not None:
        windows, validation, count = _examples(recipe, corpus, stage, tokens, tokenizer, say=say, share=share)
    else:
        validation = validation_windows(
            rows(corpus.part("validation"), "validation"), length, most=stage.validation_windows, opening=opening
        )
        if stage.random_windows is not None:
            unseen = rows(corpus.unseen(), "unseen")
            windows = _drawn(stage, tokens, (start, end), unseen, opening, seed=seed, offline=offline, say=say)
            count = len(windows) * length
        else:
            own = rows(corpus.part("train"), "train")
            windows = Windows(own, length=length, stride=stage.windows.stride, seed=seed, opening=opening)
            count = own.tokens
    if stage.mix is not None:
        documents = _documents(stage, stage.mix.texts, corpus, say)
        chats = [document for document in documents if "messages" in document.metadata]
        texts = [document for document in documents if "messages" not in document.metadata]
        part = stage.mix.share / 2 if chats and texts else stage.mix.share  # of all windows, for each of the two
        if texts:
            replay = Windows(rows(texts, "mix"), length=length, seed=seed, opening=opening)
            windows = Mixed(windows, replay, share=part / (1 - part) if chats else part, seed=seed)
        if chats:
            said = ExampleWindows(
                prepare_examples(chats, tokenizer, tokens / "mix-chats", length=length),
                length=length, seed=seed, share=share,
            )  # fmt: skip
            windows = Mixed(windows, said, share=part, seed=seed)
    return windows, validation, count


def _documents(
    stage: Stage, names: Iterable[str], corpus: Corpus, say: Callable[[str], None], *, clean: bool = True
) -> list[Document]:
    """What is read beside the text, without what holds passages of parts that nothing is trained on."""
    from wellread.corpus.ingest import read_documents
    from wellread.corpus.near import sharing

    documents, _, skipped = read_documents(found(names), CorpusSettings(clean=clean))
    if skipped:
        raise CorpusError(f"{skipped[0].source}: {skipped[0].reason}")
    shared = sharing(documents, corpus.unseen())
    told = f"{len(shared):,} of {len(documents):,} {unit_of(documents)}s that are read beside the text hold passages"
    if len(shared) == len(documents):
        raise CorpusError(f"stage {stage.name}: {told} that nothing may read before the end; name other texts.")
    if shared:
        say(f"stage {stage.name}: {told} of its validation or held-out part: left out")
    return [document for place, document in enumerate(documents) if place not in shared]


def _examples(
    recipe: Recipe, corpus: Corpus, stage: Stage, tokens: Path, tokenizer: Any, *,
    say: Callable[[str], None], share: bool,
) -> tuple[Any, Any, int]:  # fmt: skip
    from wellread.tokens.examples import ExampleWindows, prepare_examples, validation_examples

    assert stage.examples is not None
    seed = recipe.seed
    extra = _documents(stage, stage.examples.files, corpus, say, clean=False) if stage.examples.files else []
    unseen = {_asked(document) for document in corpus.unseen()}
    extra = [document for document in extra if _asked(document) not in unseen - {""}]
    parts = {"train": [*corpus.part("train"), *extra], "validation": list(corpus.part("validation"))}
    if extra and not any("messages" in document.metadata for document in parts["validation"]):
        lots = {hashlib.sha256(f"{seed} {_asked(each)}".encode()).digest(): _asked(each) for each in extra}
        prompts = [lots[lot] for lot in sorted(lots)]
        watched = set(prompts[: max(1, round(recipe.corpus.validation * len(prompts)))])
        parts["validation"] = [document for document in extra if _asked(document) in watched]
        parts["train"] = [*corpus.part("train"), *(each for each in extra if _asked(each) not in watched)]
    read = {}
    for part, documents in parts.items():
        chats = [document for document in documents if "messages" in document.metadata]
        if not chats:
            raise CorpusError(f"stage {stage.name} reads examples, and the {part} part of the text has none: give JSONL "
                              "rows of `prompt` and `completion`, or of `messages`.")  # fmt: skip
        read[part] = prepare_examples(chats, tokenizer, tokens / part, length=stage.windows.length)
    for line in read["train"].notes:
        say(line)
    length = stage.windows.length
    windows = ExampleWindows(read["train"], length=length, seed=seed, share=share)
    validation = validation_examples(read["validation"], length, most=stage.validation_windows, share=share)
    return windows, validation, read["train"].tokens


def _asked(document: Document) -> str:
    """What an example asks, by which its rows belong together; empty for other text."""
    return " ".join(asked_in(document).casefold().split())


def _library(asked: RandomWindows, *, offline: bool) -> list[str]:
    """Where a library's texts are. Raises UsageError for a hub's where no hub may be asked."""
    sources = [library_path(text) for text in asked.texts]
    away = [source for source in sources if not Path(source).exists()]
    if offline and away:
        raise UsageError(f"{away[0]}: not on this machine, and --offline asks no hub; name a local library.")
    return sources


def _drawn(
    stage: Stage, tokens: Path, ends: tuple[int, int], unseen: Any, opening: int | None, *, seed: int, offline: bool,
    say: Callable[[str], None],
) -> Any:  # fmt: skip
    """Windows drawn from a library, without those that hold passages of the text's unseen parts."""
    from wellread.tokens.draw import DrawnWindows, draw
    from wellread.tokens.library import passed_over
    from wellread.tokens.unseen import left_out

    asked = stage.random_windows
    assert asked is not None
    asks = {"n": asked.n, "length": stage.windows.length, "seed": seed, "column": asked.column,
            "start": ends[0], "end": ends[1]}  # fmt: skip
    request = tokens / "drawn" / "request.json"
    done = (tokens / "drawn" / "counts.json").is_file() and request.is_file()
    if not (done and asks.items() <= read_json(request).items()):
        sources = _library(asked, offline=offline)
        if unread := passed_over(sources):
            kinds = ", ".join(f"{suffix} ({count:,})" for suffix, count in unread.items())
            say(f"not read of the library: {kinds}; books are drawn from as text files, one each")
        draw(
            sources, tokens / "tokenizer", tokens / "drawn", n=asked.n,
            length=stage.windows.length, seed=seed, column=asked.column, start=ends[0], end=ends[1], say=say,
        )  # fmt: skip
    windows = DrawnWindows(tokens / "drawn", seed=seed)
    without = left_out(windows, unseen, tokens / "tokenizer")
    if len(without) == len(windows):
        raise CorpusError(f"stage {stage.name}: every window drawn from {asked.texts[0]} holds passages of the text that "
                          "nothing may read before the end; name another library.")  # fmt: skip
    if without:
        say(f"{len(without):,} of {len(windows):,} windows hold passages of validation or held-out chapters: left out")
    return DrawnWindows(tokens / "drawn", seed=seed, without=without, opening=opening)


def doses(recipe: Recipe) -> list[str]:
    """The metrics that stages stop by."""
    return [read_condition(stage.until).metric for stage in recipe.stages if stage.until]


def dose(recipe: Recipe, corpus: Corpus, stage: Stage, tokenizer: Any) -> Callable[[Any], float] | None:
    """How a stage's `until` is measured on the model in training: on a few thousand words, greedily, in memory."""
    if stage.until is None:
        return None
    from dataclasses import replace

    from wellread.generation.hf import TransformersModel
    from wellread.metrics import measure

    wanted = read_condition(stage.until)
    gathered = replace(evidence(recipe, corpus, stage.name), quick_words=DOSE_WORDS, general=())
    # nothing else is scored, least of all what only the end may see
    split = {part: ids if part == wanted.split else () for part, ids in corpus.split.items()}
    gathered.corpus = replace(corpus, split=split)

    def measured(model: Any) -> float:
        gathered.cache.clear()
        gathered.model = TransformersModel(model, tokenizer, stage.name)
        for row in measure(gathered, [wanted.metric]):
            if row.split == wanted.split and row.name == wanted.metric and row.value is not None:
                return row.value
        raise CorpusError(
            f"stage {stage.name}: {wanted.metric} was not measured on {wanted.split}, so `until` cannot be."
        )

    return measured
