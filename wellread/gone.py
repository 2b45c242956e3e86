"""The files that a store holds and what is found of its texts now in, which of them are really gone out: what cannot be read stays."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from wellread.corpus.reading import real_path
from wellread.errors import CorpusError


def is_there(path: Path) -> bool:
    """Whether there is a file or folder. Raises CorpusError where nobody can tell, as below a folder that is closed to us."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise CorpusError(
            f"{path.as_posix()}: cannot be read ({error.strerror}); check the name, and that it is yours."
        ) from None
    return True


def vanished(path: Path) -> bool:
    """Whether a file is surely no more."""
    try:
        return not is_there(path)
    except CorpusError:
        return False


def out_of_sight(known: Mapping[str, str], found: Collection[str], given: Sequence[Path]) -> set[str]:
    """Of the files of a store (-> hash) those that may well be there, but below a folder that cannot be looked into now."""
    roots = [real_path(path) for path in given]
    looked: dict[Path, bool] = {}

    def closed(folder: Path) -> bool:
        if folder not in looked:
            looked[folder] = is_closed(folder)
        return looked[folder]

    return {
        key for key in known
        if key not in found
        for root in roots if Path(key).is_relative_to(root)
        if any(closed(folder) for folder in Path(key).parents if folder.is_relative_to(root))
    }  # fmt: skip


def is_closed(folder: Path) -> bool:
    """Whether a folder is there and cannot be listed, or nothing in it opened."""
    try:
        os.listdir(folder)
        os.stat(os.path.join(folder, os.curdir))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return False


def departed(
    known: Mapping[str, str], found: Collection[str], given: Sequence[Path], documents: Mapping[str, str], *,
    contents: Collection[str], names: Collection[str],
) -> set[str]:  # fmt: skip
    """Files of a store (-> hash) that are no more: gone from below what was named, or moved to where it was named now.

    `documents` is what the store calls them. `found` are those that were found below what was named, readable or not,
    `contents` the hashes of the readable ones, and `names` what they would be called. A file that is gone from its place has
    moved where its content was found elsewhere; and with it all of its folder that are gone, where at least half of these
    were found by content or name.
    """
    roots = [real_path(path) for path in given]
    named = {key for key in known if key not in found and any(Path(key).is_relative_to(root) for root in roots)}
    vanishing = {key for key in known if key not in found and key not in named and vanished(Path(key))}
    moved = {key for key in vanishing if known[key] in contents}
    folders: dict[str, list[str]] = {}
    for key in vanishing:
        folders.setdefault(folder_of(key, documents.get(key, "")), []).append(key)
    for folder, keys in folders.items():
        again = [key for key in keys if known[key] in contents or plain(documents[key]) in names]
        if folder and moved.intersection(keys) and 2 * len(again) >= len(keys):
            moved |= set(keys)
    return named | moved


def folder_of(key: str, document: str) -> str:
    """The folder that was named when a file was indexed, which its document's id begins with; empty where it was the file."""
    below = plain(document).partition("/")[2]
    path = Path(key).as_posix()
    return path.removesuffix(f"/{below}") if below and path.endswith(f"/{below}") else ""


def plain(document: str) -> str:
    """A document's id without the number that tells it from another of its name."""
    return re.sub(r" \(\d+\)$", "", document)
