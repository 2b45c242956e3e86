"""glibc told to keep what a step gives back, so that the next step need not ask the kernel for it again."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

TRIM, PAD, MAP = -1, -2, -3
"""Parameters of mallopt(3): M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD."""
USUAL = {MAP: 2**17, TRIM: 2**17, PAD: 2**17}
"""glibc's own, in bytes."""
KEPT = {MAP: 2**30, TRIM: 2**31 - 1, PAD: 2**28}
"""Bytes: smaller blocks are not mapped one by one, so much is never given back, so much is asked for at once."""


@contextmanager
def freed_memory_kept(wanted: bool = True) -> Iterator[bool]:
    """While it lasts, freed memory stays with the process; whether that could be had (glibc has it, others have not).

    Without it, a step on a CPU maps and returns hundreds of megabytes, page by page. What was kept is returned at the end.
    """
    if not wanted or platform.libc_ver()[0] != "glibc":
        yield False
        return
    libc = ctypes.CDLL(None)
    kept = all([libc.mallopt(name, value) for name, value in KEPT.items()])
    try:
        yield kept
    finally:
        for name, value in USUAL.items():
            libc.mallopt(name, value)
        libc.malloc_trim(0)
