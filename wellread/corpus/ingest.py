"""Files in, a Corpus out: loaded, cleaned, divided, split; and the Corpus on disk.

corpus/documents.jsonl   one Document a line: id, text, source, section, offset, metadata
corpus/cleaning.json     [{"rule", "count", "example"}]
corpus/notes.json        {"skipped": [{"source", "reason"}], "notes": ["…"]}
corpus/split.json        {"train": [ids], "validation": [ids], "held_out": [ids]}; written last
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from wellread.corpus.chapters import divide
from wellread.corpus.cleaning import clean
from wellread.corpus.split import split
from wellread.errors import CorpusError, StorageError
from wellread.recipe import CorpusSettings
from wellread.storage import write_json, write_rows
from wellread.types import Corpus, Document, Part, Removal, Skipped


def ingest(paths: Sequence[str | Path], settings: CorpusSettings, *, seed: int, strict: bool = False) -> Corpus:
    """The texts of files and folders as a Corpus. Raises CorpusError where nothing can be read, or too little to split;
    with `strict` also at the first file that cannot be read."""
    documents, cleaning, skipped = read_documents(paths, settings, strict=strict)
    parts, notes = split(
        documents,
        validation=settings.validation,
        held_out=settings.held_out,
        seed=seed,
        near_duplicates=settings.near_duplicates,
    )
    return Corpus(tuple(documents), parts, tuple(cleaning), tuple(skipped), (*_told(documents), *notes))


def read_documents(
    paths: Sequence[str | Path], settings: CorpusSettings, *, strict: bool = False
) -> tuple[list[Document], list[Removal], list[Skipped]]:
    """Chapters or passages of the files, what cleaning removed (nothing with `clean: false`), and files left out."""
    from wellread.corpus.reading import load

    documents, skipped = load([Path(path) for path in paths], strict=strict)
    removals: list[Removal] = []
    if settings.clean:
        documents, removals = clean(documents)
    if not any(document.text.strip() for document in documents):
        names = ", ".join(str(path) for path in paths)
        reason = f": {skipped[0].source}: {skipped[0].reason}" if skipped else ""
        raise CorpusError(f"no text to read in {names}{reason}")
    return divide(documents), removals, list(skipped)


def _told(documents: Sequence[Document]) -> list[str]:
    """For each source without whole chapters, that it was cut."""
    notes = []
    sizes = Counter(document.source for document in documents)
    cut = Counter(document.source for document in documents if document.metadata.get("kind") == "passage")
    for source, size in sizes.items():
        passages = cut[source]
        if passages:
            rest = f", beside {size - passages} chapters" if passages < size else ""
            name = Path(source).name or "the text"
            notes.append(f"{name}: cut into {passages} passages{rest}, for lack of enough chapters of even size.")
    return notes


def write_corpus(corpus: Corpus, folder: Path) -> None:
    """Write the four files, each complete or not at all. Raises StorageError where the folder cannot be written."""
    write_rows(folder / "documents.jsonl", map(_row, corpus.documents))
    write_json(folder / "cleaning.json", [asdict(removal) for removal in corpus.cleaning])
    told = {"skipped": [asdict(each) for each in corpus.skipped], "notes": list(corpus.notes)}
    write_json(folder / "notes.json", told)
    write_json(folder / "split.json", {part: list(ids) for part, ids in corpus.split.items()})


def read_corpus(folder: Path) -> Corpus:
    """The Corpus that `write_corpus` wrote. Raises StorageError where a file is missing or damaged."""
    path = folder / "documents.jsonl"
    try:
        with path.open(encoding="utf-8") as lines:
            documents = tuple(Document(**json.loads(line)) for line in lines)
        path = folder / "cleaning.json"
        cleaning = tuple(Removal(**row) for row in _json(path))
        path = folder / "notes.json"
        told: Mapping[str, Any] = _json(path)
        path = folder / "split.json"
        found = _json(path)
        parts: dict[Part, tuple[str, ...]] = {part: tuple(found[part]) for part in get_args(Part)}
        skipped = tuple(Skipped(**row) for row in told["skipped"])
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}; run the recipe again.") from None
    except (ValueError, TypeError, KeyError):
        raise StorageError(f"{path} is damaged; delete the folder {folder} and run the recipe again.") from None
    return Corpus(documents, parts, cleaning, skipped, tuple(told["notes"]))


def _row(document: Document) -> dict[str, Any]:
    """The line of documents.jsonl."""
    return {
        "id": document.id,
        "text": document.text,
        "source": document.source,
        "section": document.section,
        "offset": document.offset,
        "metadata": dict(document.metadata),
    }


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
