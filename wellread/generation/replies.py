"""Replies of an endpoint, kept on disk by what was asked: a run again asks nothing twice, and a crash loses none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wellread.errors import StorageError
from wellread.storage import read_json, write_json


@dataclass(frozen=True, slots=True)
class Reply:
    text: str
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0


class Replies:
    """A folder with a file for every reply, whole or absent, named by a hash of the server and the request."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def path(self, url: str, body: Mapping[str, Any]) -> Path | None:
        """Where the reply to a request is kept; None where nothing is kept."""
        if self._folder is None:
            return None
        mark = hashlib.sha256(json.dumps(["wellread reply 1", url, body], sort_keys=True).encode()).hexdigest()
        return self._folder / mark[:2] / f"{mark[2:34]}.json"

    def read(self, path: Path | None) -> Reply | None:
        """The reply that is kept there; None where there is none, or it cannot be read: then it is asked for again."""
        if path is None:
            return None
        try:
            row = read_json(path, optional=True)
            return Reply(**row["reply"]) if row else None
        except (StorageError, TypeError, KeyError):
            return None

    def keep(self, path: Path | None, url: str, body: Mapping[str, Any], reply: Reply) -> None:
        """Raises StorageError where the disk refuses."""
        if path is not None:
            write_json(path, {"url": url, "body": body, "reply": asdict(reply)})
