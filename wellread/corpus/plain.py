"""A text file in, one Document out, its lines as they stand: joining wrapped lines is the cleaning's work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wellread.corpus.encoding import text_of
from wellread.corpus.sections import single
from wellread.types import Document


def load(path: Path) -> Iterator[Document]:
    """One Document without a section. Raises CorpusError for a file that is no text."""
    yield from single(path, text_of(path))
