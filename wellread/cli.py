"""One verb per public function. This file parses words and prints; it decides nothing else.

Prose and progress go to stderr, results to stdout; with --json stdout carries JSON alone. Nothing heavy is imported
before a verb runs: `wellread --help` answers at once.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from wellread.commands import options
from wellread.commands.ask import ask
from wellread.commands.compare import compare
from wellread.commands.export import export
from wellread.commands.index import index
from wellread.commands.options import (
    AsJson,
    KeyFile,
    Minutes,
    ModelName,
    Offline,
    RecipeName,
    Seed,
    Settings,
    Strict,
    Texts,
    key_of,
    recipes_of,
)
from wellread.commands.references import extract, resolve
from wellread.commands.serve import serve
from wellread.commands.studio import studio
from wellread.commands.synthesise import synthesise
from wellread.commands.terminal import echo, listed, measurement_lines, note, print_json, prose, watching
from wellread.commands.write import write
from wellread.errors import UsageError, WellreadError

INTERRUPTED = 130
"""What Typer exits with after Ctrl-C."""
RESUMED = frozenset({"run", "index", "synthesise"})
"""Verbs that find again what they had made; so does `measure --dial`, and `write --chapters` finds its draft."""
REQUIREMENT_UNMET = 3


app = typer.Typer(
    name="wellread",
    help="Teach a text to a language model, and find out how well it was read.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def wellread(version: options.Version = False) -> None:
    """Teach a text to a language model, and find out how well it was read."""


@app.command()
def run(
    recipe: RecipeName,
    texts: Texts = None,
    settings: Settings = None,
    seed: Seed = None,
    minutes: Minutes = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; default: runs/NAME-FINGERPRINT.")] = None,
    quick: Annotated[
        bool | None, typer.Option("--quick/--full", help="Measure a stated sample, or everything; a run of its own.")
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Train under so many seeds, and tell how far they lie apart.")
    ] = 1,
    key_file: KeyFile = None,
    offline: Offline = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Teach a text, and measure how well it was read. Run it again to resume."""
    from wellread.pipeline import run as run_recipe
    from wellread.repeating import repeated, spread_lines, spreads
    from wellread.reports import requirements_of, verdict_of
    from wellread.training import processes

    recipes = repeated(recipes_of(recipe, settings, seed, minutes, quick), repeats)
    if len(recipes) > 1 and out is not None:
        raise UsageError(f"--out names one run folder, and these are {len(recipes)} runs: leave --out away.")
    folders, unmet = [], []
    for each in recipes:
        with watching() as watch:
            done = run_recipe(
                each, texts or (), out=out, offline=offline, strict=strict, repeats=repeats, watch=watch,
                keys=partial(key_of, file=key_file), command=shlex.join(["wellread", *sys.argv[1:]]),
            )  # fmt: skip
        if not processes.is_first():
            continue
        folders.append(str(done.path))
        verdict, required = verdict_of(done.path), requirements_of(done.path)
        unmet += [f"{done.path}: {outcome}" for outcome in required if not outcome.holds]
        if as_json:
            print_json({"run": str(done.path), "report": str(done.report), "verdict": verdict,
                        "require": [asdict(outcome) for outcome in required]})  # fmt: skip
        else:
            prose(f"\n{verdict}")
            echo(f"\nreport: {done.report}\nrun: {done.path}")
    processes.leave()
    if len(folders) > 1:
        note(f"\nside by side: wellread compare {' '.join(folders)}", fold=False)
    for first in range(0, len(folders), repeats) if repeats > 1 else ():
        alike = folders[first : first + repeats]
        if as_json:
            print_json({"runs": alike, "spread": [each.as_json() for each in spreads(alike)]})
        note("\n" + "\n".join(spread_lines(alike, [each.seed for each in recipes[first : first + repeats]])))
    if unmet:
        note("\nthe recipe requires what does not hold:\n" + "\n".join(f"  {line}" for line in unmet))
        raise typer.Exit(REQUIREMENT_UNMET)


@app.command()
def plan(
    recipe: RecipeName,
    texts: Texts = None,
    settings: Settings = None,
    gpu: Annotated[str, typer.Option(metavar="SIZE", help="Foresee for a GPU of so much memory, such as 12GB.")] = "",
    price_per_hour: Annotated[float | None, typer.Option(min=0, help="What an hour of the machine costs.")] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option(min=0.001, help="Foresee time from this rate, rather than from steps taken here.")
    ] = None,
    seed: Seed = None,
    minutes: Minutes = None,
    offline: Offline = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Foresee tokens, steps, time, memory and disk; trains nothing."""
    from wellread.planning import gigabytes
    from wellread.planning import plan as foresee
    from wellread.plans import plan_lines

    size = gigabytes(gpu) if gpu else None
    for each in recipes_of(recipe, settings, seed, minutes, None):
        with watching() as watch:
            planned = foresee(
                each, texts or (), gpu=size, price_per_hour=price_per_hour, tokens_per_second=tokens_per_second,
                offline=offline, strict=strict, say=watch.say,
            )  # fmt: skip
        if as_json:
            print_json(planned.as_json())
        else:
            prose("\n".join(plan_lines(planned)))


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A shipped recipe.")],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where to; default: NAME.yaml.")] = None,
) -> None:
    """Copy a shipped recipe to a file of yours, to edit and run."""
    from wellread.recipe import recipe_text
    from wellread.storage import write_text

    target = file or Path(f"{name}.yaml")
    if target.exists():
        raise UsageError(f"{target} is there already; name another file.")
    write_text(target, recipe_text(name))
    echo(str(target))


@app.command()
def measure(
    model: ModelName,
    text: Annotated[list[Path] | None, typer.Option(help="Files to score, whole; repeatable.")] = None,
    run_folder: Annotated[Path | None, typer.Option("--run", help="Measure on the parts of this run.")] = None,
    questions: Annotated[
        list[Path] | None,
        typer.Option(
            help="JSONL of questions to ask; repeatable. Without --text, --run and --metrics only answers are measured."
        ),
    ] = None,
    judge: Annotated[
        str,
        typer.Option(metavar="MODEL", help="Who marks the answers, for `recall_judge`; default: whom the run names."),
    ] = "",
    metrics: Annotated[str, typer.Option(help="Names, comma-separated; `wellread list metrics`.")] = "",
    quick: Annotated[
        bool | None,
        typer.Option("--quick/--full", help="A stated sample of each part, or all (--dial: as the run did)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of samples and intervals; default: the run's own.")
    ] = None,
    dial: Annotated[
        str, typer.Option(metavar="A,B,…", help="Draw the dial curve of a run: settings from 0 (its base) to 1.2.")
    ] = "",
    key_file: KeyFile = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model on the parts of a run, or on texts of yours; or a run along its dial."""
    from wellread.measuring import measure_model

    names = tuple(name.strip() for name in metrics.split(",") if name.strip())
    with watching() as watch:
        rows = measure_model(
            model, run_folder=run_folder, texts=text or (), metrics=names, quick=quick, seed=seed, dial=dial,
            questions=questions or (), judge=judge, offline=offline, key=key_of(model, key_file),
            keys=partial(key_of, file=None if key_of(model, key_file) else key_file),  # a file's key has one addressee
            watch=watch,
        )  # fmt: skip
    if as_json:
        for row in rows:
            print_json({key: value for key, value in row.as_json().items() if key != "tallies"})
    else:
        echo("\n".join(measurement_lines(rows)))


app.command()(write)
app.command()(ask)
app.command()(synthesise)
app.command()(export)


app.command()(index)
app.command()(extract)
app.command()(resolve)
app.command()(serve)
app.command()(studio)


app.command()(compare)


@app.command()
def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    reading: Annotated[bool, typer.Option("--reading", help="Score the whole book first, for reading.html.")] = False,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """(Re)write the report page of a run, and its reading view."""
    from wellread.reports import verdict_of, write_report
    from wellread.rescoring import score_run
    from wellread.runs import open_run

    this = open_run(run_folder)
    if reading:
        with watching() as watch:
            score_run(run_folder, offline=offline, watch=watch)
    page = write_report(this.path)
    view = str(this.reading) if this.reading.is_file() else None
    if as_json:
        print_json({"report": str(page), "reading": view, "verdict": verdict_of(run_folder)})
    else:
        note(f"reading view: {view}" if view else "no scores are kept for a reading view; --reading makes them")
        echo(str(page))


@app.command("list")
def list_kind(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help="recipes, metrics, loaders, texts, runs or stores.")
    ] = "recipes",
    as_json: AsJson = False,
) -> None:
    """List what there is of a kind."""
    from wellread.listing import listing

    found = listing(kind)
    for name, about in found:
        if as_json:
            print_json({"name": name, "about": about})
        else:
            echo(listed(name, about))
    if not found:
        note(f"no {kind} here yet")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what works on this machine. What does not comes with the command that mends it."""
    from wellread.environment import examine

    checks = examine()
    for check in checks:
        if as_json:
            print_json(asdict(check))
        else:
            mend = f"   → {check.mend}" if check.mend else ""
            echo(f"{'ok ' if check.good else 'BAD'}  {check.name:16}{check.found}{mend}")
    if not all(check.good for check in checks):
        raise typer.Exit(1)


def _kept(words: Sequence[str]) -> str:
    """What is said of a command that is given again after Ctrl-C: most begin anew."""
    verb, options = words[:1], {word.partition("=")[0] for word in words}
    if verb == ["write"] and "--chapters" in options:
        return "; the draft is kept, and the same command goes on with it"
    kept = bool(verb) and (words[0] in RESUMED or (words[0] == "measure" and "--dial" in options))
    return "; the same command goes on with what is kept" if kept else ""


def main() -> None:
    """The console script: one clear line and an exit code for whatever goes wrong."""
    # Threads that spin while they wait crawl, tens of times slower, as soon as another program wants a core.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # where it is installed, peft loads it, and it speaks of kernels that nothing here needs
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        app(standalone_mode=True)
    except WellreadError as error:
        note(f"wellread: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        note(f"wellread: {error.filename or 'a file'}: {error.strerror or error}")
        sys.exit(2 if error.errno == errno.ENAMETOOLONG else 1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            note(f"wellread: interrupted{_kept(sys.argv[1:])}.")
        raise


if __name__ == "__main__":
    main()
