"""What a model has written in, whether it may go on with a piece of text out: never too many of the corpus's words in a row.

The guard works on words (see `matching`), not on tokens. A token may begin a word, go on with one or end it, and may
hold several; so after every token the last word counts as it then stands, finished or not. Whatever is refused is
refused before it is written: the text holds the promise after every token, and may end with any.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wellread.errors import ModelError
from wellread.generation.drawing import draw
from wellread.matching import Index, words
from wellread.types import Sampling

if TYPE_CHECKING:
    from torch import Generator, Tensor

LIKELIEST = 64
"""Tokens that are looked at together once one was refused; eight times as many each time that was not enough."""


@dataclass(frozen=True, slots=True)
class Written:
    """What of a completion decides how it may go on."""

    words: tuple[str, ...] = ()
    """Its last words that nothing can change any more, as many as the guard allows in a row."""
    tail: str = ""
    """All from the beginning of its last word on, which may still grow."""
    pending: bytes = b""
    """The first bytes of a character whose last are still to come."""


NOTHING = Written()


class Guard:
    """Keeps completions from standing in the corpus for more than `most` words in a row.

    Only the completion's own words count: what a prompt recites is its own, and of a run that crosses out of it the
    part after it counts. A word that goes on from the prompt's last letter counts by the letters that were added.
    """

    def __init__(self, index: Index, most: int) -> None:
        """Raises ValueError unless `most` is at least 1."""
        if most < 1:
            raise ValueError(f"the guard allows at least 1 word in a row; found {most}")
        self._index = index
        self._most = most
        self._known: dict[tuple[str, ...], frozenset[str]] = {}

    @classmethod
    def over(cls, index: Index | None, most: int, name: str) -> Guard | None:
        """The guard that `Sampling.no_recite` asks for, none for 0. Raises ModelError where no corpus was given."""
        if not most:
            return None
        if index is None:
            raise ModelError(f"{name}: the guard needs the corpus that must not be recited; name a run.")
        return cls(index, most)

    def after(self, written: Written, piece: bytes) -> Written | None:
        """The completion with a further piece, or None where that would recite too much."""
        fed = written.pending + piece
        added, taken = codecs.utf_8_decode(fed, "replace", False)
        found = words(written.tail + added)
        finished = written.words
        for place, (word, _, _) in enumerate(found):
            if self._refuses(finished, word):
                return None
            if place < len(found) - 1:
                finished = (*finished, word)[-self._most :]
        tail = (written.tail + added)[found[-1][1] :] if found else ""
        return Written(finished, tail, fed[taken:])

    def _refuses(self, finished: tuple[str, ...], word: str) -> bool:
        """Whether a word would be one too many after the finished ones; so is a beginning of such a word that is no
        word by itself, or the text would be left with a stump when the rest of it is refused."""
        if len(finished) < self._most:
            return False
        if finished not in self._known:
            self._known[finished] = self._index.followers(finished)
        ahead = self._known[finished]
        if not ahead or word in ahead:
            return bool(ahead)
        return not self._index.knows(word) and any(each.startswith(word) for each in ahead)


class Masking:
    """The guard over rows of tokens that are drawn together: what is refused is drawn anew without it."""

    def __init__(
        self,
        guard: Guard,
        piece: Callable[[int], bytes],
        stops: Collection[int],
        sampling: Sampling,
        generators: Sequence[Generator],
    ) -> None:
        """`piece` gives the bytes of a token; one of `stops` ends a row, and stands for itself when no other is left."""
        self._guard, self._piece, self._stops = guard, piece, stops
        self._sampling, self._generators = sampling, generators
        self._written = [NOTHING] * len(generators)

    def replaced(self, ids: Tensor, logits: Tensor, seen: Tensor, growing: Sequence[bool]) -> Tensor:
        """`ids` as drawn for each row from `logits` (rows, vocabulary), with another where the guard refuses one;
        rows that have ended are left alone."""
        import torch

        drawn = ids.tolist()
        chosen = []
        for row, (first, grows) in enumerate(zip(drawn, growing, strict=True)):
            token, after = first, self._after(row, first) if grows else self._written[row]
            if after is None:
                token, after = self._another(row, first, logits[row], seen[row])
            self._written[row] = after
            chosen.append(token)
        return ids if chosen == drawn else torch.tensor(chosen)

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._generators = [self._generators[place] for place in places]
        self._written = [self._written[place] for place in places]

    def _another(self, row: int, refused: int, logits: Tensor, seen: Tensor) -> tuple[int, Written]:
        """The first allowed of tokens drawn one after another, each time without those found to be refused."""
        import torch

        width, token = LIKELIEST, refused
        after: Written | None = None
        while after is None:
            near = logits.topk(min(width, len(logits))).indices.tolist()
            out = [token, *(each for each in near if self._after(row, each) is None)]
            logits = logits.index_fill(0, torch.tensor(out), float("-inf"))
            if not logits.isfinite().any():
                return min(self._stops), self._written[row]
            uniform = torch.rand(1, generator=self._generators[row], dtype=torch.float64)
            token = int(draw(logits[None], seen[None], self._sampling, uniform))
            after = self._after(row, token)
            width *= 8
        return token, after

    def _after(self, row: int, token: int) -> Written | None:
        return self._written[row] if token in self._stops else self._guard.after(self._written[row], self._piece(token))
