"""Blocks in, Documents out: paragraphs and headings in reading order become one Document per headed section."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from wellread.corpus.encoding import tidy
from wellread.errors import CorpusError
from wellread.types import Document

BREAK = "\u2028"
"""A line break that the format marks as hard, until the white space around it is settled."""
SPACE = re.compile(r"[ \t\n\r\f\v]+")


class Block(NamedTuple):
    """A heading (level 1..6) or a paragraph (level 0), on one line but for hard breaks."""

    text: str
    level: int = 0


def slug(name: str) -> str:
    """A file name as a part of an id: lower-case letters and digits joined by hyphens; `text` where none are left."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]+", "-", "".join(c for c in plain if not unicodedata.combining(c))).strip("-") or "text"


def flow(text: str) -> str:
    """Running text as one line: white space collapsed, soft hyphens gone, hard breaks as `\\n`; tabs go, too."""
    text = SPACE.sub(" ", text.replace("\u00ad", ""))
    lines = [line.strip(" ") for line in text.split(BREAK)]
    return "\n".join(lines).strip()


def single(path: Path, text: str, **metadata: Any) -> Iterator[Document]:
    """The whole file as one Document, for formats that state no sections."""
    yield Document(f"{slug(path.stem)}-0001", text, path.as_posix(), metadata={"level": 0, **metadata})


def sectioned(path: Path, blocks: Iterable[Block], title: str = "", language: str = "") -> Iterator[Document]:
    """One Document per heading, in order; a heading opens its text, a blank line stands between blocks.

    `offset` counts characters over the sections joined by a blank line; `language` is a BCP 47 tag. Raises CorpusError
    where nothing has text.
    """
    told = {"title": title, "language": language}
    stated = {name: tidy(" ".join(value.split())) for name, value in told.items() if value.strip()}
    number = offset = 0
    for heading, texts in grouped(blocks):
        text = "\n\n".join(texts)
        number += 1
        section = heading.text if heading else ""
        level = heading.level if heading else 0
        yield Document(
            f"{slug(path.stem)}-{number:04d}", text, path.as_posix(), section, offset, {"level": level, **stated}
        )
        offset += len(text) + 2
    if not number:
        raise CorpusError(
            f"{path.as_posix()}: no text in it that a reader would see; if its pages are pictures, run OCR first."
        )


def grouped(blocks: Iterable[Block]) -> Iterator[tuple[Block | None, list[str]]]:
    """The blocks under each heading, the heading's own line first; None for those before the first heading."""
    heading: Block | None = None
    texts: list[str] = []
    for block in blocks:
        text = tidy(block.text)
        if not text.strip():
            continue
        if block.level:
            if texts:
                yield heading, texts
            line = " ".join(text.split())
            heading, texts = Block(line, min(block.level, 6)), [line]
        else:
            texts.append(text)
    if texts:
        yield heading, texts
