"""The verb `synthesise`: its words in, a glossary's examples on disk and their counts on the terminal out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellread.commands.options import AsJson, KeyFile, key_of
from wellread.commands.terminal import echo, note, print_json

if TYPE_CHECKING:
    from wellread.generation.endpoint import Foreseen


def synthesise(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A glossary: JSON, CSV, TSV, YAML, Markdown, or library:glossary; with --documents any text.",
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="The folder to write; default: SOURCE-examples.")] = None,
    writer: Annotated[str, typer.Option(metavar="NAME|URL#MODEL", help="`templates`, or an endpoint.")] = "templates",
    language: Annotated[str, typer.Option(help="auto (as most of the source's words are), en or fr.")] = "auto",
    phrasings: Annotated[int, typer.Option(min=1, help="Examples of each term, about.")] = 16,
    honesty: Annotated[
        float, typer.Option(min=0, max=4, help="Examples of invented terms, as a share of those.")
    ] = 0.25,
    invented: Annotated[
        str, typer.Option(metavar="FILE", help="Names to ask about that exist nowhere; default: made up.")
    ] = "",
    outside: Annotated[
        str | None, typer.Option(metavar="FILE", help="Real terms of no glossary; default: the embedded ones.")
    ] = None,
    documents: Annotated[
        bool, typer.Option("--documents", help="SOURCE is a text, or a folder of them, to be asked about.")
    ] = False,
    questions: Annotated[
        list[Path] | None,
        typer.Option(metavar="GOLD", help="With --documents: gold questions that nothing may come near to."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how many calls and tokens it would take.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed gives the same rows.")] = 0,
    key_file: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Turn a glossary into examples to train on and questions to judge by, or documents into examples."""
    from wellread.synthesising import EXAMPLES, Synthesis, folder_for, foresee
    from wellread.synthesising import synthesise as write_examples

    key = key_of(writer, key_file)
    if documents:
        place, how = out or folder_for(source), {"writer": writer, "language": language, "phrasings": phrasings}
        _of_documents(source, place, how, questions or (), seed=seed, key=key, dry_run=dry_run, as_json=as_json)
        return
    wanted = Synthesis(source, out or folder_for(source), writer, language, phrasings, honesty, invented, outside, seed)
    if dry_run:
        _show_cost(foresee(wanted, key=key), as_json=as_json)
        return
    written = write_examples(wanted, key=key, say=note)
    counts = written.counts()
    if as_json:
        print_json({"out": str(wanted.out), **counts, "failed_terms": [asdict(each) for each in written.failed]})
    else:
        told = [f"{name}: " + ", ".join(f"{count:,} {kind}" for kind, count in counts[name].items())
                for name in ("examples", "questions", "rejected") if counts[name]]  # fmt: skip
        echo("\n".join([*told, f"wrote: {wanted.out / EXAMPLES}"]))
    if written.failed:
        listed = "".join(f"\n  {each.term}: {each.reason}" for each in written.failed)
        note(f"wellread: {len(written.failed)} calls or terms failed; run again to try them again:{listed}")
        raise typer.Exit(1)


def _show_cost(cost: Foreseen, *, as_json: bool) -> None:
    from wellread.synthesising import foreseen_line

    if as_json:
        print_json(asdict(cost))
    else:
        echo(foreseen_line(cost))


def _of_documents(
    source: str, out: Path, how: Mapping[str, object], questions: Sequence[Path], *, seed: int, key: str, dry_run: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Questions about texts with their answers, as items and as chats."""
    from wellread.fight.comparing_answers import gold_questions
    from wellread.fight.lessons import ITEMS, closed_chats, foresee, write_chats, written_items
    from wellread.fight.sides import sections_of
    from wellread.recipe.questions import Fight
    from wellread.synthesising import EXAMPLES
    from wellread.texts import found

    settings, texts = Fight.model_validate(how), sections_of(found([source]), say=note)
    if dry_run:
        _show_cost(foresee(texts, settings, out, seed=seed, key=key), as_json=as_json)
        return
    (out / ITEMS).unlink(missing_ok=True)
    items = written_items(texts, gold_questions(questions), settings, out, seed=seed, key=key, say=note)
    write_chats(out / EXAMPLES, closed_chats(items))
    if as_json:
        print_json({"out": str(out), "examples": len(items), "sections": len(texts)})
    else:
        echo(f"examples: {len(items):,} about {len(texts):,} sections\nwrote: {out / EXAMPLES}")
