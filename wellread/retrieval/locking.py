"""A store's folder in, the one process that may write to it out. The system frees the lock of a process that is gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wellread.errors import RunError
from wellread.storage import storage_errors

LOCK = "writer.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder, made if need be, for this process alone. Raises RunError while another one holds it."""
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT)
    try:
        if not taken(handle):
            raise RunError(
                f"{folder}: another process is writing to this store; wait for it, then run the same command again."
            )
        yield
    finally:
        os.close(handle)


def taken(handle: int) -> bool:
    """Whether the lock is ours now; it is given back when the file is closed, and when the process ends, however it does."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
