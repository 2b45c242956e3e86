"""The verb `index`: its words in, a store brought up to date and what became of it on the terminal out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellread.commands.options import AsJson, Offline, Strict
from wellread.commands.terminal import echo, note, print_json, watching
from wellread.errors import UsageError

if TYPE_CHECKING:
    from wellread.indexing import IndexReport

SHOWN = 5
"""Files that are named of those that cannot be read."""


def index(
    texts: Annotated[list[str], typer.Argument(metavar="TEXT…", help="Files or folders; what went from them goes.")],
    store: Annotated[
        str, typer.Option(metavar="STORE", help="A folder, s3://…, gs://…, az://… or db://…; made where there is none.")
    ],
    chunker: Annotated[
        str | None, typer.Option(help="tokens, headings or paragraphs, for a new store; default: paragraphs.")
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Tokens of a chunk at most; default: 180.")] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Tokens that a chunk repeats of the one before; default: 0.")
    ] = None,
    embedder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FOLDER", help="minilm, e5 (multilingual), wordllama, none, or any other; default: minilm."
        ),
    ] = None,
    language: Annotated[
        str | None,
        typer.Option(help="Of texts and questions too short to tell: en or fr; default: that of most texts."),
    ] = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(metavar="QUESTIONS", help="JSONL of questions, some of them not answered: learn when to refuse."),
    ] = None,
    rerank: Annotated[
        str, typer.Option(metavar="MODEL", help="With --calibrate: the cross-encoder that will be asked with, too.")
    ] = "",
    offline: Offline = False,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Build or update a store to ask: only files that changed are read again."""
    from wellread.calibrating import questions_for
    from wellread.corpus.reading import printable
    from wellread.indexing import Wanted, index_texts
    from wellread.reports.wording import count

    if rerank and calibrate is None:
        raise UsageError("--rerank changes nothing in a store: give it to `ask`, or here beside --calibrate.")
    if calibrate is not None:
        questions_for(store, calibrate)  # what is wrong with them is told before the long work, not after it
    with watching() as watch:
        report = index_texts(
            texts, store, wanted=Wanted(chunker, size, overlap, language), embedder=embedder, strict=strict,
            offline=offline, watch=watch,
        )  # fmt: skip
    for each in report.skipped:
        note(f"passed over: {each.source}: {each.reason}")
    if report.kept:
        shown = ", ".join(map(printable, report.kept[:SHOWN])) + (", …" if len(report.kept) > SHOWN else "")
        note(f"kept as it was, for it cannot be read now: {shown} ({count(len(report.kept), 'file')})")
    refusal = None
    if calibrate is not None:
        from wellread.calibrating import calibrate as learn
        from wellread.calibrating import rating_lines

        refusal = learn(store, calibrate, rerank=rerank, offline=offline)
        for line in rating_lines(refusal):
            note(line)
    if as_json:
        rating = {} if refusal is None or refusal.rating is None else {"refusal": asdict(refusal.rating)}
        print_json({**report.as_json(), **rating})
    else:
        echo("\n".join([report_line(report), f"store: {report.store}"]))


def report_line(report: IndexReport) -> str:
    """What became of a store, in a line."""
    from wellread.reports.wording import count

    became = {
        "new": len(report.added), "changed": len(report.changed), "gone": len(report.removed), "as it was": report.unchanged,
        "kept unread": len(report.kept),
    }  # fmt: skip
    told = ", ".join(f"{number:,} {what}" for what, number in became.items() if number)
    how = f"by {report.embedder} and by keyword" if report.embedder != "none" else "by keyword"
    files, chunks = count(report.files, "file"), count(report.chunks, "chunk")
    return f"{files} ({told}), {chunks}, found {how}, in {report.seconds:,.1f} s"
