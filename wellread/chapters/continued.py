"""A run's corpus in, the book that new chapters go on with out: its chapters in however many files, its length, its last pages."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

from wellread.chapters.manner import chapters, headed
from wellread.corpus.chapters import divide
from wellread.corpus.examples import is_example
from wellread.types import Corpus, Document

MOST_WORDS = 1_500
REACH = 2**20
"""Characters of the book that are looked back over at most: more than any window holds."""
ENDINGS = frozenset({"theend", "finis", "fin", "end"})


def last_book(corpus: Corpus, say: Callable[[str], None] = lambda line: None) -> list[Document]:
    """The documents of the last text of a corpus; of files that hold a chapter each, those of all such files, as of one book.

    A file counts as a chapter where it has one heading, or none. `say` is told where more than one text was read.
    """
    texts = [document for document in corpus.documents if not is_example(document)] or list(corpus.documents)
    files = {source: list(several) for source, several in groupby(texts, key=lambda document: document.source)}
    last = list(files)[-1]
    single = {
        source: several
        for source, several in files.items()
        if len({headed(each.section) for each in several} - {""}) < 2
    }
    if last not in single or len(single) < 2:
        if len(files) > 1:
            say(f"the run has read {len(files)} texts; these chapters go on with the last, {Path(last).name}")
        return files[last]
    others = f", and passes over {len(files) - len(single)} that have several" if len(files) > len(single) else ""
    say(
        f"takes {len(single)} files of one chapter each for one book{others}; these chapters go on after {Path(last).name}"
    )
    return _joined(single)


def _joined(files: dict[str, list[Document]]) -> list[Document]:
    """Files as one text, divided anew: by the heading of each, else by those in the text, else file by file."""
    stated: dict[str, object] = {}
    for key in ("title", "language"):
        told = {str(several[0].metadata.get(key) or "") for several in files.values()}
        stated |= {key: told.pop()} if len(told) == 1 else {}
    folder = _folder(list(files))
    names = [next(filter(None, (headed(each.section) for each in several)), "") for several in files.values()]
    texts = ["\n\n".join(each.text for each in several) for several in files.values()]

    def divided(sections: Sequence[str]) -> list[Document]:
        return divide(
            Document(f"{place}", text, folder, section, metadata={**stated, "level": 1 if section else 0})
            for place, (text, section) in enumerate(zip(texts, sections, strict=True), 1)
        )

    found = divided(names)
    if any(headed(document.section) for document in found):
        return found
    return divided([str(place) for place in range(1, len(texts) + 1)])


def _folder(sources: Sequence[str]) -> str:
    """Where all these files lie; empty where they have no folder in common."""
    try:
        return os.path.commonpath([Path(source).parent for source in sources])
    except ValueError:  # one path from the root, another from here
        return ""


def usual_words(book: Sequence[Document]) -> int:
    """The median of the book's chapters, at most 1,500."""
    lengths = [sum(len(document.text.split()) for document in chapter) for chapter in chapters(book)]
    return min(MOST_WORDS, max(1, round(median(lengths))))


def last_pages(book: Sequence[Document]) -> str:
    """The end of the book, without the line that says so; as much as any window could hold."""
    lines = "\n\n".join(document.text for document in book)[-REACH:].rstrip().split("\n")
    while lines and "".join(sign for sign in lines[-1].casefold() if sign.isalpha()) in {"", *ENDINGS}:
        lines.pop()
    return "\n".join(lines).removesuffix(" FINIS")


def book_title(book: Sequence[Document]) -> str:
    """What the book is called: as it says itself, else as its file, or the folder of its files."""
    stated = " ".join(str(book[0].metadata.get("title") or "").split())
    name = Path(book[0].source).stem
    plain = " ".join(name.replace("_", " ").replace("-", " ").split())
    return stated or (plain[:1].upper() + plain[1:] if plain else "the book")
