"""What a model foresees before it leaves and in the file it left in, in; how far they are the same out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
NEIGHBOURS = 32
"""Likeliest tokens at a place, of which it is measured how far two runtimes differ there."""
LEAST = 1e-9
"""A share of the probability below which rounding alone speaks."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of text that both sides read from a document's beginning."""

    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one side foresaw along a passage of n tokens, as natural logarithms."""

    logprobs: Floats
    """[n, k]: of the k likeliest tokens, the likeliest first; or of the whole vocabulary, in its order."""
    actual: Floats
    """[n]: of the token that stands there."""
    ids: NDArray[np.int64] | None = None
    """[n, k]: which tokens those are; None for the whole vocabulary."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a file may differ from the model it was made of."""

    margin: float
    """Nats within which two tokens are as good as equal to the model: either may be the likeliest."""
    near: float
    """Least share of tokens at which both foresee the same one, or one as good."""
    kl: float
    """Most nats per token."""
    bits: float
    """Largest difference of bits per byte, as a share."""


LIMITS = {
    "float32": Limits(0.001, 0.995, 1e-4, 0.0005),
    "f32": Limits(0.001, 0.995, 1e-4, 0.0005),
    "float16": Limits(0.02, 0.99, 1e-3, 0.002),
    "f16": Limits(0.02, 0.99, 1e-3, 0.002),
    "bfloat16": Limits(0.1, 0.98, 5e-3, 0.005),
    "q8_0": Limits(0.3, 0.97, 2e-2, 0.005),
    "int8": Limits(0.3, 0.97, 2e-2, 0.01),
    "q4_k_m": Limits(1.0, 0.9, 0.15, 0.05),
}
"""By rounding. Where llama.cpp multiplies with 16 or 8 bits it rounds what is multiplied, too."""


@dataclass(frozen=True, slots=True)
class Going:
    """A text that one side wrote after a beginning, always with the likeliest token."""

    ids: list[int]
    near: NDArray[np.int64]
    """[tokens, k]: the likeliest at every step, the likeliest first."""
    logprobs: Floats
    """[tokens, k], in nats."""


@dataclass(frozen=True, slots=True)
class Parted:
    """Where the file's text first goes another way than the model's."""

    text: int
    token: int
    """Tokens after the beginning that both wrote alike."""
    gap: float
    """Nats by which the model preferred its own token to the file's."""
    rounding: float
    """The most nats by which model and file differ there on another of the model's likeliest tokens."""

    @property
    def within(self) -> bool:
        """Whether rounding can turn the one into the other: it may lift one token and lower the other as far."""
        return self.gap <= 2 * self.rounding


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts that both wrote from the same beginnings."""

    count: int
    tokens: int
    parted: tuple[Parted, ...]

    @property
    def beyond(self) -> int:
        return sum(not each.within for each in self.parted)

    def lines(self) -> list[str]:
        inside = len(self.parted) - self.beyond
        found = [f"  greedy texts of {self.tokens} tokens: {self.count - len(self.parted)} of {self.count} the same, {inside} "
                 f"parted within rounding, {self.beyond} beyond it (none)"]  # fmt: skip
        found += [
            f"    text {each.text + 1} parts after {each.token} tokens: the model preferred its own by {each.gap:.2g} nats; "
            f"both differ there by {each.rounding:.2g} on other tokens{'' if each.within else ', less than half of that'}"
            for each in self.parted
        ]
        return found


def part_of(text: int, mine: Going, theirs: Sequence[int], near: Callable[[int], Mapping[int, float]]) -> Parted | None:
    """Where the file's ids part from the model's, None where they do not; `near` tells the logarithms of the file's likeliest
    tokens after so many."""
    place = next((at for at, pair in enumerate(zip(mine.ids, theirs, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        return None
    own = dict(zip(mine.near[place].tolist(), mine.logprobs[place].tolist(), strict=True))
    other, chosen = near(place), {mine.ids[place], theirs[place]}
    least = min(own.values())  # of a token that is not among the likeliest no more is known
    gap = own[mine.ids[place]] - own.get(theirs[place], least)
    known = [index for index in own if index in other and index not in chosen][:NEIGHBOURS]
    return Parted(text, place, gap, max((abs(own[index] - other[index]) for index in known), default=0.0))


def go_on(
    model: object, start: int, beginnings: Sequence[Sequence[int]], tokens: int, *, likeliest: int
) -> list[Going]:
    """What a transformers model writes after beginnings of the same length, side by side, without an end."""
    import torch

    call: Any = model
    ids = torch.tensor([[start, *each] for each in beginnings], device=call.device)
    steps, cache = [], None
    with torch.inference_mode():
        for _ in range(tokens):
            told = call(input_ids=ids, past_key_values=cache, use_cache=True)
            cache = told.past_key_values
            logprobs = torch.log_softmax(told.logits[:, -1].float(), -1)
            steps.append(logprobs.topk(min(likeliest, logprobs.shape[-1])))
            ids = steps[-1].indices[:, :1]
    near = torch.stack([each.indices for each in steps], 1).cpu().numpy()
    values = torch.stack([each.values for each in steps], 1).cpu().numpy()
    return [Going(row[:, 0].tolist(), row, held) for row, held in zip(near, values, strict=True)]


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a file is the model that it was made of, on text of the run that nothing was trained on."""

    rounding: str
    part: str
    tokens: int
    greedy: float
    """Share of tokens at which both foresee the same one."""
    near: float
    """The same, with those that the model found as good."""
    kl: float
    bits_before: float
    bits_after: float
    widest: float
    """Where they choose differently: the most nats by which the model preferred its own choice; 0 where they never do."""
    spelled: float | None
    """Share of the passages that the format's own tokenizer reads as the same tokens; None where nothing reads them."""
    texts: int = 0
    """How many passages that share is of."""
    written: Texts | None = None
    """Texts that both went on with; None where the format's reader was not asked to write."""

    @property
    def difference(self) -> float:
        """Of bits per byte, as a share."""
        return self.bits_after / self.bits_before - 1

    @property
    def holds(self) -> bool:
        limits = LIMITS[self.rounding]
        alike = self.near >= limits.near and self.kl <= limits.kl and abs(self.difference) <= limits.bits
        return alike and self.spelled in (None, 1.0) and not (self.written and self.written.beyond)

    def lines(self) -> list[str]:
        """For people: what was found, beside what was allowed."""
        limits = LIMITS[self.rounding]
        apart = f"; where not, the model preferred its own by {self.widest:.2g} nats at most" if self.greedy < 1 else ""
        found = [
            f"parity with the transformers model on {self.tokens:,} tokens of {self.part} text:",
            f"  same likeliest token: {self.greedy:.2%}, or one within {limits.margin:g} nats of it: {self.near:.2%} "
            f"(at least {limits.near:.1%}){apart}",
            f"  mean KL: {max(self.kl, 0):.2g} nats per token (at most {limits.kl:g})",
            f"  bits per byte: {self.bits_before:.4f} before, {self.bits_after:.4f} after: {self.difference:+.3%} "
            f"(at most {limits.bits:.2%})",
        ]
        found += self.written.lines() if self.written else []
        if self.spelled is not None:
            found.append(f"  same token ids: {round(self.spelled * self.texts)} of {self.texts} texts (all of them)")
        return found

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "difference": self.difference,
            "limits": asdict(LIMITS[self.rounding]),
            "holds": self.holds,
        }


def compare(
    before: Sequence[Floats], after: Sequence[Foreseen], passages: Sequence[Passage], *, rounding: str, part: str,
    spelled: Sequence[bool] | None = None, written: Texts | None = None,
) -> Parity:  # fmt: skip
    """`before` holds [tokens, vocabulary] for each passage, as natural logarithms.

    Where only the likeliest tokens are known of the file, all others count as one: the divergence is then a lower bound
    (the inequality of data processing), and a close one where they hold next to nothing.
    """
    same, near, divergence, widest, tokens = 0, 0, 0.0, 0.0, 0
    bits = [0.0, 0.0]
    for passage, reference, foreseen in zip(passages, before, after, strict=True):
        places = np.arange(len(passage.ids))
        mine = reference.argmax(-1)
        theirs = foreseen.logprobs.argmax(-1)
        theirs = theirs if foreseen.ids is None else foreseen.ids[places, theirs]
        gaps = reference[places, mine] - reference[places, theirs]
        same += int((mine == theirs).sum())
        near += int((gaps <= LIMITS[rounding].margin).sum())
        widest = max(widest, float(gaps.max(initial=0.0)))
        divergence += float(_divergence(reference, foreseen).sum())
        tokens += len(places)
        bits[0] -= float(reference[places, np.array(passage.ids)].sum(dtype=np.float64)) / math.log(2)
        bits[1] -= float(foreseen.actual.sum(dtype=np.float64)) / math.log(2)
    size = sum(len(passage.text.encode()) for passage in passages)
    told = None if spelled is None else sum(spelled) / max(1, len(spelled))
    return Parity(rounding, part, tokens, same / tokens, near / tokens, divergence / tokens, bits[0] / size, bits[1] / size,
                  widest, told, len(spelled or ()), written)  # fmt: skip


def _divergence(reference: Floats, foreseen: Foreseen) -> NDArray[np.float64]:
    """KL(model ‖ file) at every token, in nats."""
    known = reference if foreseen.ids is None else np.take_along_axis(reference, foreseen.ids, -1)
    log_p, log_q = known.astype(np.float64), foreseen.logprobs.astype(np.float64)
    p = np.exp(log_p)
    head: NDArray[np.float64] = (p * (log_p - log_q)).sum(-1)
    if foreseen.ids is None:
        return head
    rest_p, rest_q = np.maximum(1 - p.sum(-1), LEAST), np.maximum(1 - np.exp(log_q).sum(-1), LEAST)
    tail: NDArray[np.float64] = rest_p * np.log(rest_p / rest_q)
    return head + tail


def foresee(model: object, start: int, passages: Sequence[Passage]) -> list[Floats]:
    """What a transformers or peft model foresees along each passage after the id that a document begins with."""
    import torch

    call: Any = model
    found = []
    with torch.inference_mode():
        for passage in passages:
            ids = torch.tensor([[start, *passage.ids[:-1]]], device=call.device)
            logits = call(input_ids=ids, use_cache=False).logits[0].float()
            found.append(torch.log_softmax(logits, -1).cpu().numpy())
    return found


def whole(logprobs: Sequence[Floats], passages: Sequence[Passage]) -> list[Foreseen]:
    """`Foreseen` of what is known of the whole vocabulary."""
    return [
        Foreseen(each, each[np.arange(len(passage.ids)), np.array(passage.ids)])
        for each, passage in zip(logprobs, passages, strict=True)
    ]
