"""One verb per public function. This file parses words, draws progress and prints; it decides nothing else.

Prose and progress go to stderr, results to stdout; with --json stdout carries JSON alone. Nothing heavy is imported
before a verb runs: `wellread --help` answers at once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wellread.errors import UsageError, WellreadError

if TYPE_CHECKING:
    from wellread.recipe import Recipe
    from wellread.types import Measurement

INTERRUPTED = 130
"""What Typer exits with after Ctrl-C."""

app = typer.Typer(
    name="wellread",
    help="Teach a text to a language model, and find out how well it was read.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A shipped recipe or a YAML file; `wellread list recipes`.")
]
Texts = Annotated[list[str] | None, typer.Argument(metavar="[TEXT…]", help="Files or folders; none: the recipe's own.")]
ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A run, RUN:stage, a checkpoint folder, a .gguf file, a hub id, or `embedded`."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="STAGE.KEY=VALUE", help="Override a recipe value; a comma list runs the grid. Repeatable."
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of the split, the weights and the samples.")]
Minutes = Annotated[float | None, typer.Option(help="Train for this long (with validation), for all stages together.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no hub: use what is on this machine.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first file that cannot be read.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output alone on stdout.")]


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
    offline: Offline = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Teach a text and measure how well it was read; run it again to resume."""
    from wellread.pipeline import run as run_recipe
    from wellread.reports import verdict_of
    from wellread.training import processes

    recipes = _recipes(recipe, settings, seed, minutes, quick)
    if len(recipes) > 1 and out is not None:
        raise UsageError(f"--out names one run folder, and this grid has {len(recipes)} runs: leave --out away.")
    folders = []
    for each in recipes:
        with _watch() as watch:
            done = run_recipe(
                each, texts or (), out=out, offline=offline, strict=strict, command=" ".join(sys.argv), watch=watch
            )
        if not processes.is_first():
            continue
        folders.append(str(done.path))
        verdict = verdict_of(done.path)
        if as_json:
            print_json({"run": str(done.path), "report": str(done.report), "verdict": verdict})
        else:
            echo(f"\n{verdict}\n\nreport: {done.report}\nrun: {done.path}")
    processes.leave()
    if len(folders) > 1:
        note(f"\nside by side: wellread compare {' '.join(folders)}")


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
    for each in _recipes(recipe, settings, seed, minutes, None):
        with _watch() as watch:
            planned = foresee(
                each, texts or (), gpu=size, price_per_hour=price_per_hour, tokens_per_second=tokens_per_second,
                offline=offline, strict=strict, say=watch.say,
            )  # fmt: skip
        if as_json:
            print_json(planned.as_json())
        else:
            echo("\n".join(plan_lines(planned)))


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
    metrics: Annotated[str, typer.Option(help="Names, comma-separated; `wellread list metrics`.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Measure a stated sample of each part.")] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of samples and intervals; default: the run's own.")
    ] = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model on the parts of a run, or on texts of yours."""
    from wellread.measuring import measure_model

    names = tuple(name.strip() for name in metrics.split(",") if name.strip())
    with _watch() as watch:
        rows = measure_model(
            model,
            run_folder=run_folder,
            texts=text or (),
            metrics=names,
            quick=quick,
            seed=seed,
            offline=offline,
            watch=watch,
        )
    for row in rows:
        if as_json:
            print_json({key: value for key, value in row.as_json().items() if key != "tallies"})
        else:
            echo(measurement_line(row))


@app.command()
def write(
    model: ModelName,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="The beginning to continue; `-` reads stdin.")],
    out: Annotated[Path | None, typer.Option(help="Write the text to this file.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest continuation, in tokens.")] = 200,
    temperature: Annotated[float, typer.Option(min=0, help="0 is greedy.")] = 0.8,
    top_p: Annotated[float, typer.Option(min=0, max=1, help="Keep the likeliest tokens that hold this share.")] = 0.95,
    top_k: Annotated[int, typer.Option(min=0, help="Keep this many of the likeliest tokens; 0: all.")] = 0,
    min_p: Annotated[float, typer.Option(min=0, max=1, help="Drop tokens below this share of the likeliest.")] = 0.0,
    repetition_penalty: Annotated[
        float, typer.Option(min=0.01, help="Above 1, tokens already there become less likely.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same text.")] = 0,
    n: Annotated[int, typer.Option("--n", min=1, help="How many continuations.")] = 1,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Continue a text."""
    from wellread.models import open_model
    from wellread.storage import write_text
    from wellread.types import Sampling

    beginning = sys.stdin.buffer.read().decode("utf-8", "replace") if prompt == "-" else prompt
    sampling = Sampling(max_tokens, temperature, top_p, top_k, min_p, repetition_penalty, seed, n)
    samples = open_model(model, offline=offline).generate([beginning], sampling)
    if out is not None:
        write_text(out, "\n\n* * *\n\n".join(sample.prompt + sample.completion for sample in samples) + "\n")
        note(f"wrote {out}")
    for sample in samples:
        if as_json:
            print_json(asdict(sample))
        elif out is None:
            echo(sample.prompt + sample.completion)


@app.command()
def compare(
    names: Annotated[
        list[str],
        typer.Argument(metavar="A B…", help="Runs, RUN:stage, folders of runs, or models with --text or --run."),
    ],
    metrics: Annotated[str, typer.Option(help="Names, comma-separated; default: the main ones.")] = "",
    text: Annotated[list[Path] | None, typer.Option(help="Measure them all on these files, whole; repeatable.")] = None,
    run_folder: Annotated[Path | None, typer.Option("--run", help="Measure models on the parts of this run.")] = None,
    html: Annotated[Path | None, typer.Option(help="Draw the comparison in one page, written to this file.")] = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Runs or models side by side, each with its paired difference to the first; --json: one object a line for each."""
    from wellread.comparing import compare as compare_all
    from wellread.measuring import measure_model
    from wellread.reports import comparison_lines, comparison_page
    from wellread.storage import write_text

    if text and run_folder:
        raise UsageError("compare takes a text or a run: leave --text or --run away.")
    with _watch() as watch:

        def measured(model: str, wanted: Sequence[str], quick: bool) -> list[Measurement]:
            return measure_model(
                model,
                run_folder=run_folder,
                texts=text or (),
                metrics=wanted,
                quick=quick,
                offline=offline,
                watch=watch,
            )

        chosen = tuple(name.strip() for name in metrics.split(",") if name.strip())
        comparison = compare_all(
            names, metrics=chosen, on=run_folder, measured=measured if text or run_folder else None
        )
    if html is not None:
        write_text(html, comparison_page(comparison))
        note(f"wrote {html}")
    if as_json:
        for each in comparison.compared:
            print_json(each.as_json())
        for line in comparison.notes:
            note(line)
    else:
        echo("\n".join(comparison_lines(comparison)))


@app.command()
def report(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")], as_json: AsJson = False
) -> None:
    """(Re)write the report page of a run."""
    from wellread.pipeline import write_report
    from wellread.reports import verdict_of
    from wellread.runs import open_run

    page = write_report(open_run(run_folder))
    if as_json:
        print_json({"report": str(page), "verdict": verdict_of(run_folder)})
    else:
        echo(str(page))


@app.command("list")
def list_kind(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="recipes, metrics, loaders, texts or runs.")] = "recipes",
    as_json: AsJson = False,
) -> None:
    """List what there is of a kind."""
    from wellread.listing import listing

    for name, about in listing(kind):
        if as_json:
            print_json({"name": name, "about": about})
        else:
            echo(f"{name:24}{about}".rstrip())


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what works on this machine, and what to do about what does not."""
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
        sys.exit(1)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            note("wellread: interrupted; the same command goes on from the last checkpoint.")
        raise


def echo(text: str) -> None:
    typer.echo(text)


def note(text: str) -> None:
    typer.echo(text, err=True)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def measurement_line(row: Measurement) -> str:
    """One measurement for a terminal: name, split, value with interval, unit, note."""
    value = "not measured" if row.value is None else f"{row.value:.4f}"
    interval = f" [{row.low:.4f}, {row.high:.4f}]" if row.low is not None and row.high is not None else ""
    rest = "  ".join(part for part in (row.unit, row.note) if part)
    return f"{row.name:32}{row.split:12}{value}{interval}  {rest}".rstrip()


def _recipes(
    name: str, settings: Sequence[str] | None, seed: int | None, minutes: float | None, quick: bool | None
) -> list[Recipe]:
    """The recipe with its overrides; several where a setting lists several values."""
    from wellread.overriding import expand_grid
    from wellread.recipe import load_recipe

    shortcuts = []
    if seed is not None:
        shortcuts.append(f"seed={seed}")
    if quick is not None:
        shortcuts.append(f"measure.quick={'true' if quick else 'false'}")
    found = []
    for combination in expand_grid(settings or ()):
        words = [*combination, *shortcuts]
        if minutes is not None:
            words += _shared_out(load_recipe(name, words), minutes)
        found.append(load_recipe(name, words))
    return found


def _shared_out(recipe: Recipe, minutes: float) -> list[str]:
    """`--minutes` for the stages together: in proportion to the recipe's own minutes, or evenly."""
    own = [stage.budget.minutes or 0.0 for stage in recipe.stages]
    shares = own if all(own) else [1.0] * len(own)
    return [f"stages.{stage.name}.budget.minutes={minutes * share / sum(shares):g}"
            for stage, share in zip(recipe.stages, shares, strict=True)]  # fmt: skip


@contextmanager
def _watch() -> Iterator[Any]:
    """A Watch that prints to stderr; the progress line is redrawn in place, and only on a terminal."""
    from wellread.gathering import Watch

    live = sys.stderr.isatty()
    drawn = 0

    def clear() -> None:
        nonlocal drawn
        if drawn:
            sys.stderr.write("\r" + " " * drawn + "\r")
            drawn = 0

    def say(line: str) -> None:
        clear()
        note(line)

    def progress(now: Any) -> None:
        nonlocal drawn
        if not live:
            return
        line = progress_line(now)[: os.get_terminal_size(sys.stderr.fileno()).columns - 1]
        sys.stderr.write("\r" + line.ljust(drawn))
        sys.stderr.flush()
        drawn = len(line)

    try:
        yield Watch(say, progress)
    finally:
        clear()


def progress_line(now: Any, width: int = 20) -> str:
    """A bar, the step, the losses, the speed and the time left, in one line."""
    full = round(now.share * width)
    if now.stopped not in {"", "budget"}:
        return f"stopped after step {now.step:,}: {now.stopped}"
    validation = f"  validation {now.validation_loss:.3f}" if now.validation_loss is not None else ""
    return (
        f"[{'█' * full}{'░' * (width - full)}] {now.share:4.0%}  step {now.step:,}  loss {now.loss:.3f}{validation}"
        f"  {now.tokens_per_second:,.0f} tokens/s  {_duration(now.seconds_left)} left"
    )


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


if __name__ == "__main__":
    main()
