"""`wellread measure`: any model, on the parts of a run or on texts that nobody has split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wellread import runs
from wellread.asking import Keys, ask, no_key
from wellread.dialling import dial_curve
from wellread.errors import UsageError
from wellread.facts import Asked, read_questions, run_questions
from wellread.gathering import SILENT, Watch, add_style, evidence, opening_samples, wants_style, watched
from wellread.metrics import STYLE
from wellread.models import open_model, read_name
from wellread.recipe import DIAL_END, CorpusSettings, MeasureSettings, parse_recipe
from wellread.recipe.questions import ANSWERED, Answering
from wellread.types import Corpus, Evidence, Measurement

SAMPLED = ("longest_recited_words", "recited_coverage", *STYLE)


def measure_model(
    model: str,
    *,
    run_folder: Path | None = None,
    texts: Sequence[Path] = (),
    metrics: Sequence[str] = (),
    quick: bool | None = None,
    seed: int | None = None,
    dial: str = "",
    questions: Sequence[Path] = (),
    judge: str = "",
    offline: bool = False,
    key: str = "",
    keys: Keys = no_key,
    watch: Watch = SILENT,
) -> list[Measurement]:
    """Measurements of one model; on `texts` all of them are held out, on a run its own parts and questions are used.

    Without texts, a MODEL that is a run is measured on its own parts; at the settings of `dial`, such as `0,0.5,1`, its
    dial curve is drawn (see `dial_curve`) and its report written anew. `questions` are asked in place of a run's, all of
    them held out; without `texts`, `run_folder` and `metrics` the answers are all that is measured, also of a run. With
    `quick` a stated sample of each part is measured, without it all; where it is None, all, but along a dial what the run's
    recipe says, which is what its report has. `judge` is the MODEL that marks the answers, in place of a run's own. `key` is
    for the model, where that is an endpoint, `keys` has those of a judge. Raises UsageError where there is no text, and where
    a judge is named and nothing is asked.
    """
    from wellread.metrics import find, measure

    find(metrics)
    settings = [] if seed is None else [f"seed={seed}"]
    if quick is not None or not dial:
        settings.append(f"measure.quick={bool(quick)}")
    if judge:
        settings.append(f"answers.judge={judge}")
    if dial:
        if texts or run_folder or questions:
            raise UsageError("--dial measures a run on its own parts: leave --text, --questions and --run away.")
        if read_name(model).store:
            raise UsageError(f"{model}: a dial is turned without a store; name the run alone.")
        return _along_dial(model, dial, metrics, settings, offline=offline, watch=watch)
    asked = Asked({"held_out": tuple(each for path in questions for each in read_questions(path))})
    if texts and run_folder:
        raise UsageError("measure takes a text or a run: leave --text or --run away.")
    unasked = UsageError("--judge is for answers to questions: name --questions, or a run that asks some.")
    own_settings = Answering(judge=judge or None)
    if judge and texts and not asked:
        raise unasked
    if texts:
        words = MeasureSettings().quick_words if quick else None
        opened = watched(open_model(model, offline=offline, key=key), watch)
        gathered = Evidence(model, whole(texts), opened, quick_words=words, seed=seed or 0, progress=watch.say)
        if asked:
            ask(gathered, opened, asked, own_settings, seed=seed or 0, offline=offline, keys=keys)
        return measure(gathered, metrics)
    own = read_name(model).run
    folder = run_folder or (own.path if own else None)
    if asked and run_folder is None:
        metrics = metrics or ANSWERED
    if folder is None and asked:
        opened = watched(open_model(model, offline=offline, key=key), watch)
        gathered = Evidence(model, Corpus((), {"train": (), "validation": (), "held_out": ()}), opened, seed=seed or 0)
        ask(gathered, opened, asked, own_settings, seed=seed or 0, offline=offline, keys=keys)
        return measure(gathered, metrics)
    if folder is None:
        raise UsageError("measure needs a text: name files with --text, or a run with --run.")
    from wellread.corpus.ingest import read_corpus

    this = runs.open_run(folder)
    recipe = parse_recipe(this.recipe.read_text(encoding="utf-8"), settings, source=str(this.recipe))
    corpus = read_corpus(this.corpus)
    asked = asked or run_questions(this, corpus)
    if judge and not asked:
        raise unasked
    opened = watched(open_model(model, offline=offline, key=key), watch)
    wanted = not metrics or any(name in SAMPLED for name in metrics)
    samples = opening_samples(opened, recipe, corpus) if wanted else []
    gathered = evidence(recipe, corpus, model, model=opened, samples=samples, watch=watch)
    as_the_run_did = wanted and wants_style(recipe.measure.metrics)
    if recipe.measure.style_words and (wants_style(metrics) or as_the_run_did):
        add_style(gathered, recipe)
    if asked and (not metrics or any(name in ANSWERED for name in metrics)):
        ask(gathered, opened, asked, recipe.answers, seed=recipe.seed, offline=offline, keys=keys)
    return measure(gathered, metrics)


def whole(texts: Sequence[Path]) -> Corpus:
    """Texts read, cleaned and divided, none of it for training."""
    from wellread.corpus.ingest import read_documents

    documents, cleaning, skipped = read_documents(texts, CorpusSettings())
    return Corpus(
        tuple(documents),
        {"train": (), "validation": (), "held_out": tuple(d.id for d in documents)},
        tuple(cleaning),
        tuple(skipped),
    )


def _along_dial(
    model: str, dial: str, metrics: Sequence[str], settings: Sequence[str], *, offline: bool, watch: Watch
) -> list[Measurement]:
    from wellread.pipeline import write_report

    try:
        wanted = [float(text) for text in dial.split(",")]
    except ValueError:
        raise UsageError(f"--dial wants numbers from 0 to {DIAL_END}, as 0,0.5,1; found {dial!r}.") from None
    rows = dial_curve(model, wanted, metrics=metrics, overrides=settings, offline=offline, watch=watch)
    run = read_name(model).run
    assert run is not None, "a curve is drawn of runs alone"
    write_report(run)
    return rows
