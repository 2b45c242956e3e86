"""A question in, the lines of the canon that it names out: a Retriever."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wellread.canon.reading import Canon, spelled
from wellread.canon.references import Reference
from wellread.canon.resolving import resolve
from wellread.types import Chunk


class CanonRetriever:
    """A Retriever: whatever finds references in a question (patterns, or a model that was taught to), then their lines.

    Chunks are whole references, in the order they were found, each once; what does not exist gives none.
    """

    def __init__(self, canon: Canon, find: Callable[[str], Sequence[Reference]]) -> None:
        self._canon, self._find = canon, find
        self.name = canon.name

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        """At most `k` chunks; `document` names the place, such as `song 5, line 3 to song 5, line 5`."""
        found: dict[tuple[int, int], Chunk] = {}
        for each in resolve(self._canon, self._find(query)):
            if each.lines:
                first, last = each.lines[0], each.lines[-1]
                ends = dict.fromkeys(spelled(self._canon.levels, line.at) for line in (first, last))
                text = "\n".join(line.text for line in each.lines)
                found.setdefault((first.start, last.end), Chunk(" to ".join(ends), first.start, last.end, text))
        return list(found.values())[:k]
