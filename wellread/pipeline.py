"""READ THIS FIRST. The whole flow: ingest, prepare, then per stage train, sample, measure; then compare and report.

Every step writes what it made into the run folder and is skipped when that is there already: to resume is to run again.
This file alone knows two rooms; each step below is one room's work.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from wellread import runs
from wellread.asking import Keys, no_key
from wellread.cross_validation import checked_rows, cross_validate
from wellread.dial_ends import beside
from wellread.dialling import dial_curve, dialled
from wellread.environment import describe_environment
from wellread.errors import CorpusError, UsageError
from wellread.facts import prepare_questions, run_questions, taught_paths
from wellread.fight.fighting import fight
from wellread.gathering import SILENT, Watch, evidence, reference_documents, sample_and_measure, writes_for_style
from wellread.keeping import let_go
from wellread.metrics import find as find_metrics
from wellread.models import open_model
from wellread.recipe import Qlora, Recipe, Stage, fingerprint, lineage, load_recipe, recipe_yaml, settle
from wellread.recipe.requirements import measured_by, read_requirement
from wellread.reports.wording import count
from wellread.runs import BASE_STAGE, Run
from wellread.storage import read_json, read_rows, write_json, write_rows, write_text
from wellread.teaching import doses, tell_gap, train_stage
from wellread.texts import digest, further_paths, keep_apart, shards, text_paths, unnamed
from wellread.training import processes
from wellread.training.tracking import check_trackers
from wellread.types import REAL_CHAPTERS, Corpus, LanguageModel, Measurement, unit_of

ELSEWHERE = "Choose another --out."


def run(
    recipe: Recipe | str,
    texts: Sequence[str | Path] = (),
    *,
    out: str | Path | None = None,
    offline: bool = False,
    strict: bool = False,
    command: str = "",
    repeats: int = 1,
    keys: Keys = no_key,
    watch: Watch = SILENT,
) -> Run:
    """Teach a text and measure how well it was read; run it again to resume.

    Returns the finished Run (contract: `runs/NAME-FINGERPRINT`, or `out`). Raises UsageError for what the user can
    mend, RunError and StorageError for what went wrong; what was done until then stays. Started in several processes
    (torchrun, accelerate launch), they train together; all the rest is the first one's work. `repeats` is what the
    report says of how many runs this is one that differ in their seed; `keys` has the keys of endpoints that the recipe names.
    """
    recipe = settle(load_recipe(recipe) if isinstance(recipe, str) else recipe)
    find_metrics([*recipe.measure.metrics, *doses(recipe), *required_metrics(recipe)])
    check_trackers(recipe.report_to)
    paths = text_paths(recipe, texts)
    keep_apart(recipe, paths)
    mark = fingerprint(recipe, [digest(path) for path in [*paths, *further_paths(recipe)]], shards(recipe))
    this = Run(Path(out) if out else Path("runs") / f"{recipe.name}-{mark}")
    if not processes.is_first():
        if not _finished(this, mark):
            follow(this, recipe, mark, offline=offline)
        return this
    with runs.locked(this):
        if _finished(this, mark):
            watch.say(f"{this.path} is done already")
            _one_of(this, repeats)
            write_report(this)
            return this
        if embedded := unnamed(recipe, texts):
            watch.say(embedded)
        fresh = _begin(this, recipe, mark, command, texts=texts, watch=watch)
        _one_of(this, repeats)
        if recipe.extract is not None or recipe.fight is not None:
            if recipe.extract is not None:
                with nothing_left(this) if fresh else nullcontext():
                    checked_rows(recipe, paths)
                rows = cross_validate(this, recipe, paths, mark=mark, offline=offline, watch=watch)
            else:
                with nothing_left(this) if fresh else nullcontext():
                    rows = fight(this, recipe, paths, mark=mark, offline=offline, keys=keys, watch=watch, strict=strict)
            write_rows(this.measurements, (row.as_json() for row in rows))
            _finish(this)
            write_report(this)
            return this
        with nothing_left(this) if fresh else nullcontext():
            corpus = ingest_corpus(this, recipe, paths, strict=strict, keys=keys, watch=watch)
        prepare_questions(this, recipe, corpus)
        rows = base_rows(this, recipe, corpus, offline=offline, keys=keys, watch=watch)
        for number, stage in enumerate(recipe.stages, 1):
            rows += stage_rows(
                this, recipe, corpus, (number, stage), mark=mark, offline=offline, keys=keys, watch=watch
            )
        rows += yardstick_rows(this, recipe, corpus, watch=watch)
        write_rows(this.measurements, (row.as_json() for row in rows + differences(rows, recipe)))
        if recipe.dial.wish and not dialled(this, recipe.stages[-1].name):
            dial_curve(str(this.path), offline=offline, watch=watch)
        _finish(this)
        write_report(this)
    return this


@contextmanager
def nothing_left(this: Run) -> Iterator[None]:
    """Texts that are refused leave no run behind, but for what an endpoint has been paid for."""
    try:
        yield
    except (UsageError, CorpusError):
        if {each.name for each in this.path.iterdir()} <= {this.recipe.name, this.environment.name, this.lock.name}:
            this.recipe.unlink(missing_ok=True)
            this.environment.unlink(missing_ok=True)
            this.lock.unlink(missing_ok=True)
            with suppress(OSError):
                this.path.rmdir()
        raise


def follow(this: Run, recipe: Recipe, mark: str, *, offline: bool) -> None:
    """What every process but the first does: train, when the first has prepared a stage."""
    from wellread.corpus.ingest import read_corpus

    for number, stage in enumerate(recipe.stages, 1):
        processes.wait()
        if not this.stage(number, stage.name).checkpoint.is_dir():
            train_stage(
                this, recipe, read_corpus(this.corpus), (number, stage), mark=mark, offline=offline, watch=SILENT
            )


def ingest_corpus(
    this: Run, recipe: Recipe, paths: Sequence[Path], *, strict: bool, keys: Keys = no_key, watch: Watch
) -> Corpus:
    """Files to a cleaned, divided and split Corpus, kept in `corpus/`."""
    from wellread.corpus.ingest import ingest, read_corpus, write_corpus

    if (this.corpus / "split.json").is_file():
        corpus = read_corpus(this.corpus)
        if strict and corpus.skipped:
            raise CorpusError(f"{corpus.skipped[0].source}: {corpus.skipped[0].reason}")
        return corpus
    if writes_for_style(recipe):
        reference_documents(recipe)  # one that cannot be read is told of now, not after the training
    watch.say("reading " + ", ".join(path.name for path in paths))
    key = keys(recipe.synthesis.writer) if recipe.synthesis else ""
    paths = taught_paths(recipe, paths, this.synthesis, key=key, say=watch.say)
    corpus = ingest(paths, recipe.corpus, seed=recipe.seed, strict=strict)
    for skipped in corpus.skipped:
        watch.say(f"skipped {skipped.source}: {skipped.reason}")
    write_corpus(corpus, this.corpus)
    sizes = ", ".join(f"{part.replace('_', '-')} {len(ids)}" for part, ids in corpus.split.items())
    watch.say(f"{count(len(corpus.documents), unit_of(corpus.documents))}: {sizes}")
    for note in corpus.notes:
        watch.say(note)
    return corpus


def base_rows(
    this: Run, recipe: Recipe, corpus: Corpus, *, offline: bool, keys: Keys = no_key, watch: Watch
) -> list[Measurement]:
    """Sample and measure the untouched base; nothing for a recipe from scratch."""
    if recipe.base is None:
        return []
    stage = runs.Stage(this.path / "stages" / BASE_STAGE)

    def opened() -> LanguageModel:
        return open_model(str(recipe.base), offline=offline)

    asked = run_questions(this, corpus)
    return sample_and_measure(
        stage, opened, recipe.base, (recipe, corpus), asked=asked, offline=offline, keys=keys, watch=watch
    )


def stage_rows(
    this: Run, recipe: Recipe, corpus: Corpus, numbered: tuple[int, Stage], *, mark: str, offline: bool, keys: Keys = no_key,
    watch: Watch,
) -> list[Measurement]:  # fmt: skip
    """Train one stage, then sample and measure what came of it."""
    number, stage = numbered
    folder = this.stage(number, stage.name)
    processes.wait()
    if folder.checkpoint.is_dir():
        shutil.rmtree(folder.path / "resume", ignore_errors=True)  # left by a kill just after the checkpoint was saved
    else:
        # a checkpoint that was taken away may come out otherwise, and what was measured is of that one
        let_go(folder.measurements, folder.so_far, folder.dial_so_far, folder.rounding)
        train_stage(this, recipe, corpus, (number, stage), mark=mark, offline=offline, watch=watch)
    if isinstance(stage.method, Qlora):
        tell_gap(this, recipe, corpus, (number, stage), offline=offline, watch=watch)

    def opened() -> LanguageModel:
        return open_model(str(folder.checkpoint), offline=offline)

    asked = run_questions(this, corpus)
    return sample_and_measure(
        folder, opened, stage.name, (recipe, corpus), asked=asked, offline=offline, keys=keys, watch=watch
    )


def yardstick_rows(this: Run, recipe: Recipe, corpus: Corpus, *, watch: Watch) -> list[Measurement]:
    """What file compressors need for the same held-out text, and the style of the author's own; kept beside the corpus."""
    from wellread.metrics import STYLE, measure_ceiling, measure_yardsticks

    kept = this.corpus / "yardsticks.jsonl"
    if kept.is_file():
        return [Measurement.from_json(row) for row in read_rows(kept)]
    watch.say("compressing the same text with PPMd and xz")
    gathered = evidence(recipe, corpus, "", watch=watch)
    rows = measure_yardsticks(gathered)
    if writes_for_style(recipe):
        gathered.references = reference_documents(recipe)
        rows += measure_ceiling(gathered, [name for name in STYLE if name in (recipe.measure.metrics or STYLE)])
    write_rows(kept, (row.as_json() for row in rows))
    return rows


def differences(rows: Sequence[Measurement], recipe: Recipe) -> list[Measurement]:
    """Every later subject against the first (the base, where there is one) and what it started from; the last against
    PPMd.

    All paired: over the same chapters. Where what a stage started from was not measured, what that one started from
    takes its place.
    """
    from wellread.metrics.intervals import difference

    found: list[Measurement] = []
    origins = lineage(recipe.stages)
    for kind in dict.fromkeys((row.name, row.split, row.unit) for row in rows):
        chain = [
            row
            for row in rows
            if (row.name, row.split, row.unit) == kind and row.tallies and row.subject != REAL_CHAPTERS
        ]
        found += [difference(later, chain[0]) for later in chain[1:]]
        measured = {"base" if row.subject == recipe.base else row.subject: row for row in chain}
        for later in chain[1:]:
            nearest = next((measured[name] for name in origins.get(later.subject, ()) if name in measured), chain[0])
            found += [difference(later, nearest)] if nearest is not chain[0] else []
        if chain and chain[0].name == "bits_per_byte":
            yardsticks = [
                row for row in rows if row.name == "ppmd_bits_per_byte" and row.split == chain[0].split and row.tallies
            ]
            found += [difference(chain[-1], each) for each in yardsticks]
    return found


def required_metrics(recipe: Recipe) -> list[str]:
    """The metrics that requirements are about; of `greedy_recited_share_200_bytes`, the one that measures it."""
    from wellread.metrics import METRICS
    from wellread.registry import names

    known = names("metrics", METRICS)
    asked = [term.metric for text in recipe.require for term in read_requirement(text).terms]
    return [next((name for name in known if measured_by(metric, name)), metric) for metric in asked]


def write_report(this: Run) -> Path:
    """Write the certificate from what the run folder holds."""
    from wellread.reports import write_report as write

    return write(this.path)


def _begin(this: Run, recipe: Recipe, mark: str, command: str, *, texts: Sequence[str | Path], watch: Watch) -> bool:
    """Whether the run begins now; one of other texts or settings that came no further than its preparation gives way."""
    if this.recipe.is_file():
        if not this.environment.is_file():
            raise UsageError(f"{this.path} holds a recipe.yaml but no environment.json: choose another --out.")
        if read_json(this.environment, mend=ELSEWHERE).get("fingerprint") == mark:
            watch.say(f"going on with {this.path}")
            return False
        runs.clear_prepared(this)
        watch.say(f"{this.path} held a run of other texts or settings, of which no stage had begun: it begins anew")
    given = {"texts": [str(Path(text)) for text in texts]} if texts else {}
    write_json(this.environment, {
        **describe_environment(recipe.stages[-1].precision), "fingerprint": mark, "texts_beside": beside(recipe), "seed": recipe.seed,
        "command": command, **given, "start": runs.now(), "end": None,
    })  # fmt: skip
    write_text(this.recipe, recipe_yaml(recipe))
    return True


def _one_of(this: Run, repeats: int) -> None:
    """Keep how many runs differ from this one in their seed alone, itself among them."""
    environment = read_json(this.environment, mend=ELSEWHERE)
    if environment.get("repeats", 1) < repeats:
        write_json(this.environment, {**environment, "repeats": repeats})


def _finished(this: Run, mark: str) -> bool:
    """Whether all of this very run is there."""
    if not (this.environment.is_file() and this.measurements.is_file()):
        return False
    environment = read_json(this.environment, mend=ELSEWHERE)
    return bool(environment.get("fingerprint") == mark and environment.get("end"))


def _finish(this: Run) -> None:
    environment = read_json(this.environment, mend=ELSEWHERE)
    if environment["end"] is None:
        write_json(this.environment, {**environment, "end": runs.now()})
