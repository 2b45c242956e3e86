"""Rows that grow in, their tokens as they come out: several batches by turns, with logarithms where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from wellread.generation.growing import Growing
from wellread.generation.spelling import Spelling
from wellread.streaming import Token

if TYPE_CHECKING:
    from torch import Tensor


class Batch:
    """Texts that are written side by side, and which of all that were asked for they are."""

    def __init__(self, growing: Growing, places: Sequence[int], spelling: Spelling, likeliest: int | None) -> None:
        self._growing, self._spelling, self._likeliest = growing, spelling, likeliest
        self.places = list(places)

    def step(self) -> dict[int, Token]:
        """The next token of every text that goes on, by its place."""
        going = [row for row, finish in enumerate(self._growing.finish) if finish is None]
        chosen, logits = self._growing.step()
        found = {}
        for row in going:
            logprob, near = self._logarithms(logits[row], chosen[row])
            finish = self._growing.finish[row]
            piece = b"" if finish == "stop" else self._spelling.added(self._growing.written(row))
            found[self.places[row]] = Token(piece, logprob, near, finish)
        return found

    def keep(self, wanted: Callable[[int], bool]) -> bool:
        """Whether any text goes on. Those that ended or are not wanted are let go once they are half of the batch."""
        going = [row for row, finish in enumerate(self._growing.finish) if finish is None and wanted(self.places[row])]
        if going and len(going) <= len(self.places) // 2:
            self._growing.keep(going)
            self.places = [self.places[row] for row in going]
        return bool(going)

    def _logarithms(self, logits: Tensor, chosen: int) -> tuple[float | None, tuple[tuple[bytes, float], ...]]:
        if self._likeliest is None:
            return None, ()
        logprobs = logits.log_softmax(-1)
        top = logprobs.topk(min(self._likeliest, len(logprobs)))
        near = zip(top.indices.tolist(), top.values.tolist(), strict=True)
        return float(logprobs[chosen]), tuple((self._spelling.shown(index), value) for index, value in near)


def streamed(batches: Sequence[Batch], count: int, wanted: Callable[[int], bool]) -> Iterator[list[Token | None]]:
    """The tokens of every step, one of each batch, for `count` texts; see `StreamingModel.stream`."""
    going = [batch for batch in batches if batch.keep(wanted)]
    while going:
        found: dict[int, Token] = {}
        for batch in going:
            found |= batch.step()
        yield [found.get(place) for place in range(count)]
        going = [batch for batch in going if batch.keep(wanted)]
