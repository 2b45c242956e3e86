"""Files and folders that are whole or absent, JSON in them, and one line for whatever a disk refuses or has damaged.

What is being written lies beside its place as a hidden `.NAME.….partial`, and takes the name once all of it is on the
disk. Standard library only, but for psutil where a killed process left something there.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import shutil
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wellread.errors import StorageError, first_line

AGAIN = "Delete it, then run the same command again."
HOUR = 3600
LEFTOVER = re.compile(r"([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.partial")
"""Behind `.NAME.`: which machine and which of its processes began to write."""


@contextmanager
def storage_errors(place: Path, *, what: str = "", mend: str = "") -> Iterator[None]:
    """Turn what the system refuses at `place` into a StorageError of one line: what, found, next.

    A caller that can say more than "cannot be written" gives `what` and `mend`; a file elsewhere is then named, too.
    """
    try:
        yield
    except OSError as error:
        found = _found(error)
        if not what:
            raise StorageError(_complaint(place, error.errno, found)) from error
        if isinstance(error.filename, str) and not Path(error.filename).is_relative_to(place.parent):
            found = f"{error.filename}: {found}"
        raise StorageError(f"{what}: {found}; {mend}.") from error


def _complaint(place: Path, number: int | None, found: str) -> str:
    if number in (errno.ENOSPC, errno.EDQUOT):
        return f"{place}: the disk is full; free some space, then run the same command again: it resumes."
    if number == errno.EFBIG:
        return f"{place}: the system allows no file of this size; raise the limit (ulimit -f), then run again."
    if number in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"{place}: this folder is read-only; choose another with --out, or make it writable."
    return f"{place}: cannot be written ({found}); choose another folder with --out."


def _found(error: BaseException) -> str:
    """What went wrong, without the number and the path that an OSError puts around it."""
    return error.strerror if isinstance(error, OSError) and error.strerror else first_line(error)


def write_text(path: Path, text: str, *, what: str = "", mend: str = "") -> None:
    """The whole file or the old one, its folder made. Raises StorageError, see `storage_errors`."""
    with storage_errors(path.parent, what=what, mend=mend), new_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: object) -> None:
    """As `write_text`."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """A JSON-lines file, a row at a time, as `write_text`."""
    with (
        storage_errors(path.parent),
        new_file(path) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(_line(row) for row in rows)


def _line(row: Mapping[str, Any]) -> str:
    """One line for every reader: also for those to whom U+0085, U+2028 and U+2029 end a line."""
    text = json.dumps(row, ensure_ascii=False)
    for separator in "\u0085\u2028\u2029":
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text + "\n"


def read_json(path: Path, *, mend: str = AGAIN, optional: bool = False) -> Any:
    """The content of a JSON file; with `optional`, None where there is no file. Raises StorageError."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        if optional and _absent(error):
            return None
        raise StorageError(f"cannot read {path}: {_found(error)}. {mend}") from None


def read_rows(path: Path, *, mend: str = AGAIN) -> list[dict[str, Any]]:
    """All rows of a JSON-lines file; see `stream_rows`."""
    return list(stream_rows(path, mend=mend))


def stream_rows(path: Path, *, mend: str = AGAIN, optional: bool = False) -> Iterator[dict[str, Any]]:
    """The rows of a JSON-lines file, one at a time; with `optional`, none where there is no file. Raises StorageError.

    A last line without its end, which a kill leaves, is left out. Only a line feed ends a line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line.decode())
                except ValueError as error:
                    if not line.endswith(b"\n"):
                        return
                    raise StorageError(f"{path}, line {number}: not JSON ({first_line(error)}). {mend}") from None
                yield row
    except OSError as error:
        if optional and _absent(error):
            return
        raise StorageError(f"cannot read {path}: {_found(error)}. {mend}") from None


def _absent(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError | NotADirectoryError)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place beside `path` to write a file to, which takes the name once it is on the disk; until then the old one stays.

    Raises OSError, see `storage_errors`.
    """
    unfinished = _beside(path)
    try:
        yield unfinished
        _flush(unfinished)
        unfinished.replace(path)
    except BaseException:
        with suppress(OSError):  # where nothing can be written there is nothing to remove either
            unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write into, which takes the name once everything in it is on the disk.

    A process killed at any moment leaves the old folder or the new one; in the moment between the two, the old one as
    `.NAME.replaced`, which the next call puts back. Raises OSError, see `storage_errors`, and leaves what was there.
    """
    unfinished = _beside(folder)
    replaced = folder.with_name(f".{folder.name}.replaced")
    if replaced.exists():
        if folder.exists():
            shutil.rmtree(replaced)
        else:
            replaced.rename(folder)
    unfinished.mkdir()
    try:
        yield unfinished
        _flush_all(unfinished)
        if folder.exists():
            folder.rename(replaced)
        unfinished.rename(folder)
        _flush(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def fill_once(folder: Path, write: Callable[[Path], None]) -> None:
    """Have `write` fill a folder that is not there yet; it appears whole, and of several processes the first one wins.

    Raises OSError, see `storage_errors`.
    """
    if folder.is_dir():
        return
    unfinished = _beside(folder)
    unfinished.mkdir()
    try:
        write(unfinished)
        _flush_all(unfinished)
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _beside(path: Path) -> Path:
    """A hidden place next to `path`, in a folder that is there; what was left there of the same name is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for other in path.parent.iterdir():
        if other.name.startswith(f".{path.name}.") and _left(other, other.name.removeprefix(f".{path.name}.")):
            with suppress(OSError):  # another process may be removing it, too
                if other.is_dir():
                    shutil.rmtree(other)
                else:
                    other.unlink()
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")


def _left(place: Path, mark: str) -> bool:
    """Whether nobody goes on with a `.partial`: its process is gone; or it is an hour old, where another machine began it."""
    import psutil

    named = LEFTOVER.fullmatch(mark)
    if not named:
        return False
    if named[1] == _machine():
        return not psutil.pid_exists(int(named[2]))
    try:
        return time.time() - place.stat().st_mtime > HOUR
    except OSError:
        return False


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _flush_all(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _flush(path)


def _flush(path: Path) -> None:
    """Have the disk hold a file or folder before a rename promises it."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
