"""A file that was exported in, what it foresees along the run's text out: each format by what runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wellread import weights
from wellread.exporters.parity import Foreseen, Going, Parted, Passage, Texts, foresee, go_on, part_of, whole

if TYPE_CHECKING:
    from wellread.generation.gguf import GgufModel

LIKELIEST = 256
"""Tokens that the GGUF runtime is asked for at every place; the others count as one."""
BEGINNING, TOKENS = 16, 64
"""Tokens that a text begins with, and that are written after them."""
CHAT = (
    {"role": "system", "content": "Answer in one word."},
    {"role": "user", "content": "Is ice cold?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "And fire?"},
)


@dataclass(frozen=True, slots=True)
class Check:
    """What was found."""

    foreseen: list[Foreseen] | None
    unverified: str = ""
    """Why nothing was foreseen."""
    spelled: list[bool] | None = None
    """Whether the format's own tokenizer reads each text as the same tokens; None where it has the very same tokenizer."""
    notes: tuple[str, ...] = ()
    written: Texts | None = None
    """How the texts compare that both wrote."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote before it left, after the first tokens of every passage."""

    beginnings: list[tuple[int, ...]]
    goings: list[Going]


def write_on(to: str, model: Any, tokenizer: Any, passages: Sequence[Passage]) -> Written | None:
    """Texts to hold a file's own against; None for a format whose reader shows at every token what it would take."""
    if to not in ("gguf", "ollama"):
        return None
    length = min(BEGINNING, *(len(each.ids) for each in passages))
    beginnings = [each.ids[:length] for each in passages]
    tokens = min(TOKENS, model.config.max_position_embeddings - length - 1)
    start = weights.document_start(tokenizer)
    return Written(beginnings, go_on(model, start, beginnings, tokens, likeliest=LIKELIEST))


def compare_texts(model: GgufModel, start: int, written: Written) -> Texts:
    """What a GGUF file writes from the same beginnings, in llama.cpp."""
    pairs = zip(written.beginnings, written.goings, strict=True)
    found = [_parted(model, [start, *beginning], text, mine) for text, (beginning, mine) in enumerate(pairs)]
    return Texts(len(found), len(written.goings[0].ids), tuple(each for each in found if each))


def _parted(model: GgufModel, ids: list[int], text: int, mine: Going) -> Parted | None:
    def near(place: int) -> dict[int, float]:
        return model.near([*ids, *mine.ids[:place]], LIKELIEST)

    return part_of(text, mine, model.go_on(ids, len(mine.ids)), near)


def check(
    to: str, path: Path, tokenizer: Any, passages: Sequence[Passage], *, written: Written | None = None, offline: bool = False
) -> Check:  # fmt: skip
    """Open what `to` wrote at `path` as its reader would; `written` is of `write_on`. Raises ModelError or RunError where it
    does not open."""
    start = weights.document_start(tokenizer)
    if to in ("merged", "adapter"):
        opened = weights.load_checkpoint(path, offline=offline)
        same = [
            tuple(opened.tokenizer(each.text, add_special_tokens=False)["input_ids"]) == each.ids for each in passages
        ]
        return Check(whole(foresee(opened.model, start, passages), passages), spelled=same)
    if to in ("gguf", "ollama"):
        return _by_runtime(path, tokenizer, start, passages, written)
    if to == "llama2c":
        return _by_reading(path, tokenizer, start, passages)
    return Check(None, f"nothing here opens what --to {to} writes.")


def _by_runtime(path: Path, tokenizer: Any, start: int, passages: Sequence[Passage], written: Written | None) -> Check:
    """In llama.cpp, where it is installed."""
    from wellread.generation import gguf

    if not gguf.available():
        return Check(None, "the GGUF runtime is not installed here (pip install 'wellread[gguf]').")
    model = gguf.GgufModel(path, path.name, exact=True)
    foreseen = []
    for passage in passages:
        told = model.foresee(start, passage.ids, likeliest=LIKELIEST, vocabulary=len(tokenizer))
        foreseen.append(
            Foreseen(np.array(told.logprobs, np.float32), np.array(told.actual, np.float32), np.array(told.ids))
        )
    spelled = [tuple(model.spell(passage.text)) == passage.ids for passage in passages]
    if tokenizer.chat_template:
        from jinja2 import TemplateError

        chat = [dict(message) for message in CHAT]
        try:
            asked = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        except TemplateError:  # a template without a system message
            chat = chat[1:]
            asked = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=True)["input_ids"]
        spelled.append(model.asked(chat) == list(asked))
    return Check(foreseen, spelled=spelled, written=compare_texts(model, start, written) if written else None)


def _by_reading(path: Path, tokenizer: Any, start: int, passages: Sequence[Passage]) -> Check:
    """By the format's description, in numpy. Its own splitting of texts is counted, and told; it is never quite the same."""
    from wellread.exporters.llama2c import TOKENIZER
    from wellread.exporters.llama2c_reading import logprobs, read_llama2c, spell
    from wellread.exporters.llama2c_tokens import places

    read = read_llama2c(path)
    place = np.array(places(tokenizer, read.tensors["embed"].shape[1], path.name))
    found = [logprobs(read, place[[start, *passage.ids[:-1]]].tolist())[:, place] for passage in passages]
    alike, of = 0, 0
    for passage in passages:
        ours = place[tokenizer(" " + passage.text, add_special_tokens=False)["input_ids"]].tolist()
        theirs = spell(path.with_name(TOKENIZER), passage.text, len(place))
        alike, of = alike + _shared(ours, theirs), of + len(ours)
    told = f"run.c splits no words before it merges, and begins with a space: {alike / of:.1%} of the same text's tokens are the same."
    return Check(whole(found, passages), notes=(told,))


def _shared(ours: list[int], theirs: list[int]) -> int:
    """How many tokens stand in both, in the same order."""
    from difflib import SequenceMatcher

    return sum(each.size for each in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks())
