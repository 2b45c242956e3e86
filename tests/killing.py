"""`python killing.py TEXTS`: index a folder again and again, each time in a process that may end itself by kill -9.

Every line of stdin is `["STORE", "MOMENT"]`. Each call by which the store's engine is asked to write has two moments, such as
`add 2 begun`, which is as soon as something new lies in the store's folder and at the latest when the call is done, and
`add 2 done`. Their names are printed where MOMENT is empty; then how the process ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hashing import Hashing
from lancedb.db import LanceDBConnection
from lancedb.table import LanceTable, Tags

from wellread.indexing import index_texts
from wellread.retrieval import filling

SMALL = {"BATCH": 32, "INDEXED": 40, "CELL": 16}
"""Of `filling`: several batches, and an index of vectors, of a few files."""
WRITING = [(LanceDBConnection, "create_table"), (LanceTable, "add"), (LanceTable, "delete"), (LanceTable, "optimize"),
           (LanceTable, "create_index"), (Tags, "create"), (Tags, "update")]  # fmt: skip
LONGEST = 600
"""Seconds after which a process that hangs is ended otherwise."""


def say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def lying(folder: Path) -> set[str]:
    """All files below a folder."""
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names}


def die_when_written(folder: Path, before: set[str]) -> None:
    while not lying(folder) - before:
        pass
    die()


def counted(owner: Any, name: str, folder: Path, at: str, seen: list[str]) -> None:
    """Have every call of a method pass through its two moments."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = Counter[str]()

    def call(*given: Any, **more: Any) -> Any:
        calls[name] += 1
        begun, done = f"{name} {calls[name]} begun", f"{name} {calls[name]} done"
        seen.extend((begun, done))
        if at == begun:
            threading.Thread(target=die_when_written, args=(folder, lying(folder)), daemon=True).start()
        result = real(*given, **more)
        if at in (begun, done):
            die()
        return result

    setattr(owner, name, call)


def index(texts: Path, store: Path, at: str) -> None:
    for name, value in SMALL.items():
        setattr(filling, name, value)
    seen: list[str] = []
    for owner, name in WRITING:
        counted(owner, name, store, at, seen)
    index_texts([texts], store, embedder=Hashing())
    say(*seen)


def main() -> None:
    for line in sys.stdin:
        store, at = json.loads(line)
        child = os.fork()  # of a process that has opened no store yet
        if not child:
            signal.alarm(LONGEST)
            index(Path(sys.argv[1]), Path(store), at)
            os._exit(0)
        say(f"ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")


if __name__ == "__main__":
    main()
