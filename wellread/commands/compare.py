"""The verb `compare`: names of runs and models in, a table of them side by side out, and for gold questions a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellread.commands.options import AsJson, KeyFile, Offline, ReadingWindow, Rerank, key_of
from wellread.commands.terminal import echo, note, print_json, watching
from wellread.errors import UsageError

if TYPE_CHECKING:
    from wellread.reports.comparison import Comparison
    from wellread.types import LanguageModel, Measurement


def compare(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="A B…", help="Runs, RUN:stage, folders of runs, or models with --text, --run or --questions."
        ),
    ],
    metrics: Annotated[str, typer.Option(help="Names, comma-separated; default: the main ones.")] = "",
    text: Annotated[list[Path] | None, typer.Option(help="Measure them all on these files, whole; repeatable.")] = None,
    run_folder: Annotated[Path | None, typer.Option("--run", help="Measure models on the parts of this run.")] = None,
    questions: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Ask them all these gold questions (JSONL, or SQuAD's JSON)."),
    ] = None,
    judge: Annotated[
        str, typer.Option(metavar="MODEL", help="Who marks the answers to gold questions right or wrong, too.")
    ] = "",
    rerank: Rerank = "",
    window: ReadingWindow = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer to a gold question, in tokens.")] = 64,
    html: Annotated[Path | None, typer.Option(help="Draw the comparison in one page, written to this file.")] = None,
    key_file: KeyFile = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Runs or models side by side. Each has its paired difference to the first; --json: one object a line for each."""
    from wellread.reports import comparison_page
    from wellread.storage import write_text

    if sum(map(bool, (text, run_folder, questions))) > 1:
        raise UsageError("compare takes a text, a run or questions: leave two of --text, --run and --questions away.")
    if rerank and not questions:
        raise UsageError("--rerank is for answers from stores: name --questions, and MODEL+STORE.")
    if (window or judge) and not questions:
        raise UsageError(f"--{'window' if window else 'judge'} is for answers to questions: name --questions.")
    chosen = tuple(name.strip() for name in metrics.split(",") if name.strip())
    if questions:
        table = html.with_suffix(".csv") if html is not None else None
        comparison = _on_questions(
            names, questions, chosen, table, max_tokens, judge=judge, rerank=rerank, window=window, key_file=key_file,
            offline=offline,
        )  # fmt: skip
    else:
        comparison = _measured(names, chosen, text or (), run_folder, offline=offline)
    if html is not None:
        write_text(html, comparison_page(comparison))
        note(f"wrote {html}")
    _show(comparison, as_json=as_json)


def _show(comparison: Comparison, *, as_json: bool) -> None:
    from wellread.reports import comparison_lines

    if not as_json:
        echo("\n".join(comparison_lines(comparison)))
        return
    for each in comparison.compared:
        print_json(each.as_json())
    if comparison.verdict:
        apart = {} if comparison.parting is None else {"answers": comparison.parting.as_json()}
        print_json({"verdict": comparison.verdict, "notes": list(comparison.notes), **apart})
    for line in comparison.notes:
        note(line)


def _measured(
    names: Sequence[str], metrics: Sequence[str], texts: Sequence[Path], run_folder: Path | None, *, offline: bool
) -> Comparison:
    from wellread.comparing import compare as compare_all
    from wellread.measuring import measure_model

    with watching() as watch:

        def measured(model: str, wanted: Sequence[str], quick: bool) -> list[Measurement]:
            return measure_model(
                model, run_folder=run_folder, texts=texts, metrics=wanted, quick=quick, offline=offline, watch=watch
            )  # fmt: skip

        how = measured if texts or run_folder else None
        return compare_all(names, metrics=metrics, on=run_folder, measured=how)


def _on_questions(
    names: Sequence[str], files: Sequence[Path], metrics: Sequence[str], table: Path | None, max_tokens: int, *,
    judge: str, rerank: str, window: int | None, key_file: Path | None, offline: bool,
) -> Comparison:  # fmt: skip
    """The models on gold questions; their answers stand in `table`."""
    from wellread.asking import open_judge
    from wellread.fight.comparing_answers import compare_answers
    from wellread.fight.gold_asking import write_replies_table
    from wellread.models import open_model
    from wellread.recipe.questions import Answering

    def opened(name: str) -> LanguageModel:
        return open_model(name, offline=offline, window=window, key=key_of(name, key_file), rerank=rerank)

    marks = open_judge(judge, offline=offline, keys=lambda name: key_of(name, key_file)) if judge else None
    with watching() as watch:
        comparison, said = compare_answers(
            names, files, opened=opened, metrics=metrics, settings=Answering(max_tokens=max_tokens), judge=marks,
            offline=offline, watch=watch,
        )  # fmt: skip
    if table is not None:
        write_replies_table(table, said)
        note(f"wrote {table}")
    return comparison
