"""A file that a visitor uploads in, the same file below the runs folder under a safe name out."""

from __future__ import annotations

import hashlib
import re
import shutil
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path

from wellread.corpus import LOADERS
from wellread.errors import UsageError
from wellread.storage import fill_once, storage_errors

LARGEST = 64 << 20
"""Bytes of an upload."""
LONGEST_NAME = 48
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)$")


def kinds() -> list[str]:
    """The endings of texts: those that are read."""
    return sorted(LOADERS)


def safe_name(name: str, *, otherwise: str = "text") -> str:
    """A name of small ASCII letters, digits and hyphens, without any ending: safe as a file's on every system."""
    stem = re.split(r"[/\\]", name)[-1].rpartition(".")[0] or re.split(r"[/\\]", name)[-1]
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST_NAME].strip("-")
    return slug + "-" if _RESERVED.match(slug) else slug or otherwise


def keep_upload(
    upload: str | Path, folder: Path, *, largest: int = LARGEST, reads: Collection[str] = tuple(LOADERS)
) -> Path:
    """Copy an upload to `folder/NAME-DIGEST/NAME.ext`: the same file lies there once, and two of one name do not meet.

    Raises UsageError for a kind that is not read, and for one that is empty or too large.
    """
    given = Path(upload)
    ending = given.suffix.lower()
    if ending not in reads:
        raise UsageError(f"{given.name}: found {ending or 'no ending'}; upload one of {', '.join(sorted(reads))}.")
    with storage_errors(folder):
        size = given.stat().st_size
        if not 0 < size <= largest:
            raise UsageError(f"{given.name}: it has {size:,} bytes; upload 1 to {largest:,}.")
        with given.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
        name = safe_name(given.name)
        place = folder / f"{name}-{digest}"

        def fill(made: Path) -> None:
            shutil.copyfile(given, made / f"{name}{ending}")

        fill_once(place, fill)
    return place / f"{name}{ending}"


def keep_uploads(
    uploads: Sequence[str | Path] | None, folder: Path, *, reads: Collection[str] = tuple(LOADERS)
) -> list[Path]:
    """Every upload, kept. Raises UsageError where there is none."""
    if not uploads:
        raise UsageError("no text is here yet; upload one.")
    return [keep_upload(each, folder, reads=reads) for each in uploads]
