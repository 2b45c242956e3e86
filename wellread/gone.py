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
    known: Mapping[str, str], found: Collection[str], contents: Collection[str], given: Sequence[Path],
    documents: Mapping[str, str],
) -> set[str]:  # fmt: skip
    """Files of a store (-> hash) that are no more: gone from below what was named, or moved to where it was named now.

    `found` are those that were found below it, readable or not, `contents` the hashes of the readable ones, `documents`
    what the store calls its own. A file that is gone from its place has moved where its content was found elsewhere; and
    with one file of a folder have moved, or gone, all that are no longer there.
    """
    roots = [real_path(path) for path in given]
    named = {key for key in known if key not in found and any(Path(key).is_relative_to(root) for root in roots)}
    vanishing = {key for key in known if key not in found and key not in named and vanished(Path(key))}
    moved = {key for key in vanishing if known[key] in contents}
    left = {folder_of(key, documents.get(key, "")) for key in moved} - {""}
    return named | moved | {key for key in vanishing if folder_of(key, documents.get(key, "")) in left}


def folder_of(key: str, document: str) -> str:
    """The folder that was named when a file was indexed, which its document's id begins with; empty where it was the file."""
    below = re.sub(r" \(\d+\)$", "", document).partition("/")[2]
    path = Path(key).as_posix()
    return path.removesuffix(f"/{below}") if below and path.endswith(f"/{below}") else ""
