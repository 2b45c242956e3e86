"""Paths in, Documents out: files by their suffix, folders with all that can be read in them, in natural order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wellread.corpus import LOADERS
from wellread.corpus.sections import slug
from wellread.errors import CorpusError, UnknownName
from wellread.registry import names, resolve
from wellread.runs import is_run, is_store
from wellread.types import Document, Skipped

FOREIGN = {
    ".doc": "save it as .docx",
    ".rtf": "save it as .docx",
    ".pages": "export it as .docx",
    ".wpd": "save it as .odt",
    ".mobi": "convert it to .epub",
    ".azw": "convert it to .epub",
    ".azw3": "convert it to .epub",
    ".fb2": "convert it to .epub",
    ".lit": "convert it to .epub",
    ".djvu": "convert it to .pdf with a text layer",
    ".ps": "convert it to .pdf",
    ".tex": "convert it to .md or .html",
    ".rst": "convert it to .md or .html",
    ".org": "convert it to .md or .html",
    ".adoc": "convert it to .md or .html",
    ".xml": "convert it to .html or .txt",
    ".eml": "save its text as .txt",
    ".pptx": "save its text as .txt",
    ".ppt": "save its text as .txt",
    ".xlsx": "save its text as .txt",
    ".ods": "save its text as .txt",
    ".odp": "save its text as .txt",
    ".tsv": "write its text to .txt",
    ".zip": "unpack it into a folder",
    ".gz": "unpack it",
    ".7z": "unpack it into a folder",
}
"""What people bring that holds text but has no loader here, and what to do with it."""


@dataclass
class Reading:
    """What one call has read so far."""

    strict: bool
    documents: list[Document] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    copies: dict[str, int] = field(default_factory=dict)
    """Slug of a file name -> under how many names its files have gone."""
    seen: set[Path] = field(default_factory=set)

    def add(self, path: Path) -> None:
        """Read one file. Raises CorpusError."""
        real = real_path(path)
        if real in self.seen:
            self.skipped.append(Skipped(path.as_posix(), "named twice; it was read the first time."))
            return
        self.seen.add(real)
        documents = list(load_file(path))
        self.documents.extend(self.with_own_ids(path, documents))

    def with_own_ids(self, path: Path, documents: list[Document]) -> list[Document]:
        """The documents of one file under ids that no other file's have: `book-0001`, then `book-2-0001`."""
        ids = {document.id for document in documents}
        name = slug(path.stem)
        copy = self.copies.get(name, 1)
        while len(ids) < len(documents) or ids & self.ids:
            copy += 1
            documents = [replace(document, id=f"{name}-{copy}-{n:04d}") for n, document in enumerate(documents, 1)]
            ids = {document.id for document in documents}
        self.ids |= ids
        self.copies[name] = copy
        return documents


def load(paths: Sequence[Path], *, strict: bool = False) -> tuple[list[Document], list[Skipped]]:
    """All Documents of the files and folders named, in that order, with ids that are unique; and what was passed over.

    A file named directly must be readable. In a folder a bad file or folder is skipped with its reason, unless
    `strict`; hidden files are not looked at, links that lead out of the folder not followed, and files without a loader
    counted in one line. Raises CorpusError, in one line, also where nothing at all could be read.
    """
    reading = Reading(strict)
    for path in map(Path, paths):
        if path.is_dir():
            read_folder(path, reading)
        else:
            reading.add(path)
    if not reading.documents:
        what = ", ".join(path.as_posix() for path in map(Path, paths)) or "no path given"
        reason = f" ({reading.skipped[0].source}: {reading.skipped[0].reason})" if reading.skipped else ""
        raise CorpusError(f"{what}: no file that could be read{reason}; there are loaders for {supported()}.")
    return reading.documents, reading.skipped


def load_file(path: Path) -> Iterator[Document]:
    """The Documents of one file, by the loader of its suffix; a file without a suffix is read as text.

    Raises CorpusError for an unknown suffix, and what the loader finds wrong with the file.
    """
    only_files(path)
    suffix = path.suffix.lower()
    try:
        loader = resolve("loaders", LOADERS, suffix or ".txt")
    except UnknownName as error:
        advice = FOREIGN.get(suffix)
        reason = f"no loader for {suffix} files; {advice}." if advice else str(error)
        raise CorpusError(f"{path.as_posix()}: {reason} There are loaders for {supported()}.") from None
    yield from loader(path)


def only_files(path: Path) -> None:
    """Raises CorpusError for what is no file, such as a pipe, from which nothing could be read twice, or ever to its end."""
    if path.exists() and not path.is_file():
        raise CorpusError(f"{path.as_posix()}: neither a file nor a folder; name a file, or a folder of files.")


def supported() -> str:
    return ", ".join(names("loaders", LOADERS))


def text_files(paths: Sequence[Path], *, strict: bool = False) -> tuple[list[Path], list[Skipped]]:
    """The files that `load` would read, each once, in its order; and what it would pass over before it reads any.

    Raises CorpusError for a folder that cannot be read, with `strict` for any below it.
    """
    reading, found = Reading(strict), []
    for path in map(Path, paths):
        for each in with_loader(path, reading) if path.is_dir() else (path,):
            real = real_path(each)
            if real not in reading.seen:
                reading.seen.add(real)
                found.append(each)
    return found, reading.skipped


def read_folder(folder: Path, reading: Reading) -> None:
    """Read what a folder holds; bad files and files without a loader go to `reading.skipped`."""
    for path in with_loader(folder, reading):
        try:
            reading.add(path)
        except CorpusError as error:
            if reading.strict:
                raise
            reading.skipped.append(passed_over(path, error))


def passed_over(path: Path, error: CorpusError) -> Skipped:
    """A file that could not be read, in one line whatever its name is."""
    reason = str(error).removeprefix(path.as_posix()).lstrip(":, ")
    return Skipped(printable(path.as_posix()), printable(reason))


def printable(name: str) -> str:
    """A name as it can be shown and written: line breaks, signs that turn the line round, and bytes that are no text as �."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def with_loader(folder: Path, reading: Reading) -> Iterator[Path]:
    """The files of a folder that have a loader; at the end, those without one go to `reading.skipped`, in one line."""
    root = real_path(folder)
    reading.seen.add(root)
    known = set(names("loaders", LOADERS))
    others: list[str] = []
    for path in files(folder, root, reading):
        if path.suffix.lower() in known:
            yield path
        elif looks_like_text(path):
            others.append(printable(path.relative_to(folder).as_posix()))
    if others:
        shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        several = "1 file" if len(others) == 1 else f"{len(others)} files"
        reason = f"{several} without a loader passed over ({shown}); there are loaders for {supported()}."
        reading.skipped.append(Skipped(folder.as_posix(), reason))


def files(folder: Path, root: Path, reading: Reading) -> Iterator[Path]:
    """The files under a folder in natural order ("2" before "10"), hidden ones left out.

    A folder below the root that cannot be read goes to `reading.skipped`. Raises CorpusError for the root, and with
    `strict` for any.
    """
    try:
        entries = sorted(os.listdir(folder), key=natural)
        os.stat(os.path.join(folder, os.curdir))  # fails where names can be listed but nothing opened
    except OSError as error:
        reason = f"the folder cannot be read ({error.strerror}); check that you may open it."
        if reading.strict or real_path(folder) == root:
            raise CorpusError(f"{folder.as_posix()}: {reason}") from error
        reading.skipped.append(Skipped(printable(folder.as_posix()), reason))
        return
    for name in entries:
        path = folder / name
        if name.startswith("."):
            continue
        if path.is_symlink() and not real_path(path).is_relative_to(root):
            reading.skipped.append(
                Skipped(printable(path.as_posix()), "a link that leads out of the folder; not followed.")
            )
        elif path.is_dir():
            real = real_path(path)
            # a link to a folder above it would go round for ever; a run or a store of ours is no text of theirs
            if real not in reading.seen and not is_run(path) and not is_store(path):
                reading.seen.add(real)
                yield from files(path, root, reading)
        elif path.is_file():
            yield path


def real_path(path: Path) -> Path:
    """A path without links, where they can be followed: `Path.resolve` fails for a link that leads to itself."""
    return Path(os.path.realpath(path))


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts numbers in names by value, and letters without regard to case."""
    parts = re.findall(r"\d+|\D+", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def looks_like_text(path: Path) -> bool:
    """Whether a file without a loader is one that its owner may have meant: a known kind, or plain text."""
    if path.suffix.lower() in FOREIGN:
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(2048)
    except OSError:
        return False
    return bool(head) and b"\x00" not in head and sum(byte < 9 or 13 < byte < 32 for byte in head) * 50 < len(head)
