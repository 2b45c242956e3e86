"""A table of answers, read as a spreadsheet reads it."""

from __future__ import annotations

import csv
import io
from pathlib import Path


def table(path: Path) -> list[dict[str, str]]:
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in raw
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
