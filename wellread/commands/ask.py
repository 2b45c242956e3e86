"""The verb `ask`: questions in, answers on the terminal out, with their sources, links to them and their exact words."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wellread.commands import options
from wellread.commands.options import AsJson, KeyFile, ModelName, Offline, key_of
from wellread.commands.terminal import echo, linked, note, print_json, prose, shows_links
from wellread.errors import UsageError
from wellread.showing import visible

if TYPE_CHECKING:
    from wellread.replying import Told
    from wellread.types import Chunk, LanguageModel

QUOTED = 300
"""Characters of a source's words that are shown at most; `--json` has them all."""


class Mode(StrEnum):
    closed = "closed"
    retrieval = "retrieval"


def ask(
    model: ModelName,
    question: Annotated[
        str,
        typer.Argument(metavar="[QUESTION]", callback=options.whole_text, help="`-` reads stdin, a question a line."),
    ] = "",
    store: Annotated[str, typer.Option(metavar="STORE", help="What `wellread index` made of your texts.")] = "",
    mode: Annotated[
        Mode | None, typer.Option(help="By heart, or from sources; default: from sources where there is a store.")
    ] = None,
    rerank: options.Rerank = "",
    k: Annotated[int, typer.Option("-k", min=1, max=100, help="Passages to look for; those that fit are read.")] = 5,
    window: options.ReadingWindow = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Ask the model even where the sources seem not to say.")
    ] = False,
    questions: Annotated[
        Path | None,
        typer.Option(help="Ask all questions of this file, or of library:NAME: JSONL, or one a line."),
    ] = None,
    max_tokens: options.MaxTokens = 150,
    temperature: options.Temperature = 0.0,
    top_p: options.TopP = 1.0,
    top_k: options.TopK = 0,
    min_p: options.MinP = 0.0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    seed: options.SampleSeed = 0,
    n: options.Count = 1,
    key_file: KeyFile = None,
    offline: Offline = False,
    as_json: AsJson = False,
) -> None:
    """Answer a question from your texts, with numbered sources and their exact words."""
    from wellread.models import answering_from, open_model, split_store
    from wellread.replying import reply
    from wellread.retrieval.rag import RetrievalModel
    from wellread.types import Sampling

    asked = _questions(question, questions)
    name, own = split_store(model)
    if store and own:
        raise UsageError(f"{model} names a store already: leave --store away.")
    if mode is Mode.retrieval and not (store or own):
        raise UsageError(
            "from sources means from a store: name one with --store; `wellread index TEXT… --store S` makes it."
        )
    from_sources = bool(store or own) and mode is not Mode.closed
    if rerank and not from_sources:
        raise UsageError("--rerank puts what is found in a store in order: name one with --store.")
    opened: LanguageModel = open_model(name, offline=offline, window=window, key=key_of(name, key_file), to_write=True,
                                       reads_passages=from_sources)  # fmt: skip
    if from_sources:
        opened = answering_from(
            opened, store or own, name=f"{name}+{store or own}", k=k, window=window, anyway=anyway, rerank=rerank,
            offline=offline,
        )  # fmt: skip
    sampling = Sampling(max_tokens, temperature, top_p, top_k, min_p, repetition_penalty, seed, n)
    several = bool(questions) or question == "-" or n > 1
    files = _files(opened) if shows_links() and not as_json else {}
    for each in asked:
        for told in reply(opened, each, sampling):
            if as_json:
                print_json(told.as_json())
            else:
                _show(told, files, several=several, sourced=isinstance(opened, RetrievalModel))


def _questions(question: str, file: Path | None) -> Iterator[str]:
    """The one question, those of stdin as they come, or those of a file. Raises UsageError where there is none, or both."""
    if bool(question) == bool(file):
        raise UsageError("ask takes one question, `-` for stdin, or --questions FILE.")
    if file is not None:
        return iter(_of_file(file))
    if question == "-":
        return (line.strip() for line in sys.stdin if line.strip())
    if not question.strip():
        raise UsageError("the question is empty.")
    return iter([question])


def _of_file(file: Path) -> list[str]:
    from wellread.retrieval.gold import read_gold
    from wellread.texts import library_path

    file = Path(library_path(str(file)))
    if file.suffix.lower() in (".jsonl", ".json"):
        return [each.question for each in read_gold(file)]
    try:
        found = [line.strip() for line in file.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not UTF-8; save it so.") from None
    except OSError as error:
        raise UsageError(f"{file}: questions cannot be read: {error.strerror}.") from None
    if not found:
        raise UsageError(f"{file}: no question in it; give one a line.")
    return found


def _files(model: LanguageModel) -> dict[str, str]:
    """Where the files of a store's documents lie, by the documents' names: they were named from wherever it was indexed."""
    from wellread.retrieval.rag import RetrievalModel
    from wellread.retrieval.store import Store

    retriever = model.retriever if isinstance(model, RetrievalModel) else None
    store = getattr(retriever, "inner", retriever)
    return {each.id: each.file for each in store.documents()} if isinstance(store, Store) else {}


def _show(told: Told, files: Mapping[str, str], *, several: bool, sourced: bool) -> None:
    if several:
        prose(f"\n> {visible(told.question)}")
    prose(visible(_answer(told)))
    if told.note:
        note(told.note)
    if told.refused:
        if told.nearest:
            echo("\nNearest to the question, and no answer to it:")
        for chunk in told.nearest[:3]:
            echo(f"  {_label(chunk, files)}")
    elif sourced:
        _show_sources(told, files)


def _answer(told: Told) -> str:
    """The answer with a number after each sentence that has one; with a star where it is ours."""
    answer, done, shown = told.cited.answer, 0, ""
    for each in told.cited.sentences:
        marks = "".join(f" [{c.number}{'*' if c.by_words else ''}]" for c in each.citations)
        shown += answer[done : each.start] + each.text + marks
        done = each.end
    return (shown + answer[done:]).strip()


def _show_sources(told: Told, files: Mapping[str, str]) -> None:
    """A line for each source that is cited, its words below; then what else was read, and what has to be said of it."""
    from wellread.replying import numbers
    from wellread.reports.wording import listed

    cited = numbers(told.cited)
    if cited:
        echo("\nSources")
    for number in cited:
        own = [each for each in told.cited.citations if each.number == number]
        for place in dict.fromkeys(each.place for each in own):  # more than one where the words stand on several pages
            echo(f"[{number}] {_label(place, files)}")
            for words in dict.fromkeys(each.words for each in own if each.page == place.page):
                prose(f"    “{_quoted(words)}”")
    rest = [(number, chunk) for number, chunk in enumerate(told.sample.sources, 1) if number not in cited]
    if rest:
        echo("\nAlso read:" if cited else "\nRead, and not cited:")
    for number, chunk in rest:
        echo(f"[{number}] {_label(chunk, files)}")
    if any(c.by_words for c in told.cited.citations):
        note("\n* found by its words: the model named no source for it, or one that does not share a word with it")
    if told.cited.unknown:
        missing = listed([f"[{number}]" for number in told.cited.unknown])
        note(f"the answer cites {missing}, of which there is no source")


def _label(chunk: Chunk, files: Mapping[str, str]) -> str:
    from wellread.retrieval.prompt import label

    return linked(visible(label(chunk)), files.get(chunk.document, ""), chunk.source, page=chunk.page)


def _quoted(words: str) -> str:
    line = " ".join(visible(words).split())
    return line if len(line) <= QUOTED else line[:QUOTED].rsplit(" ", 1)[0] + " …"
