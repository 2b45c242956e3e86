"""Token ids in, the log-probability of every one out: windows batched, the head only where a prediction counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from wellread.generation.progress import Tell, telling, untold
from wellread.generation.windows import Window, cut

if TYPE_CHECKING:
    from torch import Tensor

BATCH_TOKENS = {"cpu": 1024, "cuda": 32768, "mps": 8192}
"""Tokens that go through the model at once: more gain nothing on a CPU, whose caches they leave."""
HEAD_BYTES = 64 * 2**20
"""Logits held at once; what the softmax adds makes it at most four times as much."""


class _Row(NamedTuple):
    text: int
    window: Window
    inputs: NDArray[np.int64]
    skip: int
    """Positions of `inputs` whose predictions do not count."""


class Scorer:
    """A causal model and the id that its documents begin after; with `everywhere`, windows inside a document too."""

    def __init__(self, model: Any, start: int, *, everywhere: bool = False) -> None:
        self._model = model
        self._start, self._everywhere = start, everywhere
        self._apart: bool | None = None

    def score(
        self, texts: Sequence[NDArray[np.int64]], length: int, stride: int, tell: Tell = untold
    ) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        """For each text the float32 log-probability of every token and whether it is the likeliest there.

        As `LanguageModel.score` defines: see there for `length` and `stride`. `tell` hears of every batch.
        """
        import torch

        scores = [(np.zeros(len(ids), np.float32), np.zeros(len(ids), np.bool_)) for ids in texts]
        rows = list(self._rows(texts, length, stride))
        tokens, read, finished = sum(len(row.inputs) for row in rows), 0, 0
        told = telling(tell, "scoring", len(rows), "pieces of text")
        with torch.inference_mode():
            for batch in self._batches(rows):
                logprobs, greedy = self._score_batch(batch, texts)
                done = 0
                for row in batch:
                    _, first, end = row.window
                    scores[row.text][0][first:end] = logprobs[done : done + end - first]
                    scores[row.text][1][first:end] = greedy[done : done + end - first]
                    done += end - first
                read, finished = read + sum(len(row.inputs) for row in batch), finished + len(batch)
                told(finished, read / tokens)
        return scores

    def _rows(self, texts: Sequence[NDArray[np.int64]], length: int, stride: int) -> Iterator[_Row]:
        """What each window is given: the document's start and all tokens but the last, or, within a text, all but
        the last; windows that do not overlap at all begin after the document's start again, and, for a model that knows
        no other beginning, all do. None is given more than `length` tokens."""
        for index, ids in enumerate(texts):
            for window in cut(len(ids), length, stride):
                opens = self._everywhere or window.begin in {0, window.first}
                inputs = ids[window.begin : window.end - 1]
                if opens:
                    inputs = np.concatenate([[self._start], inputs])
                yield _Row(index, window, inputs, window.first - window.begin - (0 if opens else 1))

    def _batches(self, rows: list[_Row]) -> Iterator[list[_Row]]:
        """Rows of about equal length together, the longest first; a batch is padded to its first row."""
        most = BATCH_TOKENS.get(self._model.device.type, BATCH_TOKENS["cpu"])
        rows.sort(key=lambda row: -len(row.inputs))
        done = 0
        while done < len(rows):
            size = max(1, most // len(rows[done].inputs))
            yield rows[done : done + size]
            done += size

    def _score_batch(
        self, batch: list[_Row], texts: Sequence[NDArray[np.int64]]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The scores that count, row after row. Padding stands on the right, where causal attention never looks."""
        import torch

        feed = np.full((len(batch), len(batch[0].inputs)), self._start, dtype=np.int64)
        for place, row in enumerate(batch):
            feed[place, : len(row.inputs)] = row.inputs
        wanted = np.concatenate([texts[row.text][row.window.first : row.window.end] for row in batch])
        counted = torch.from_numpy(
            np.concatenate(
                [place * feed.shape[1] + np.arange(row.skip, len(row.inputs)) for place, row in enumerate(batch)]
            )
        ).to(self._model.device)
        targets = torch.from_numpy(wanted).to(self._model.device)
        ids = torch.from_numpy(feed).to(self._model.device)
        if self._apart is None:
            self._apart = _head_stands_apart(self._model, ids[:1, :16])
        if not self._apart:
            logits = self._model(input_ids=ids, use_cache=False).logits.flatten(0, 1)[counted]
            return _numbers(*_choose(logits, targets))
        decoder, head = _decoder_and_head(self._model)
        hidden: Tensor = decoder(input_ids=ids, use_cache=False).last_hidden_state.flatten(0, 1)[counted]
        rows = max(1, HEAD_BYTES // (4 * head.out_features))
        chunks = [slice(begin, begin + rows) for begin in range(0, len(hidden), rows)]
        parts = [_choose(head(hidden[chunk]), targets[chunk]) for chunk in chunks]
        return _numbers(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _choose(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probability of each target in float32, and whether it is the likeliest."""
    logits = logits.float()
    chosen = logits.gather(-1, targets[:, None]).squeeze(-1)
    return chosen - logits.logsumexp(-1), logits.argmax(-1) == targets


def _numbers(logprobs: Tensor, greedy: Tensor) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    return logprobs.cpu().numpy(), greedy.cpu().numpy()


def _decoder_and_head(model: Any) -> tuple[Any, Any]:
    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    return whole.get_decoder(), whole.get_output_embeddings()


def _head_stands_apart(model: Any, ids: Tensor) -> bool:
    """Whether the logits are just the output matrix times the last hidden state: some models cap or scale them."""
    import torch

    decoder, head = _decoder_and_head(model)
    if not isinstance(head, torch.nn.Linear):
        return False
    apart = head(decoder(input_ids=ids, use_cache=False).last_hidden_state).float()
    return torch.allclose(apart, model(input_ids=ids, use_cache=False).logits.float(), rtol=1e-3, atol=1e-3)
