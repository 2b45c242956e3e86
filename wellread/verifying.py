"""A file that was exported in, what it foresees along the run's text out: each format by what runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wellread import weights
from wellread.exporters.parity import Foreseen, Passage, foresee, whole

LIKELIEST = 256
"""Tokens that the GGUF runtime is asked for at every place; the others count as one."""
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


def check(to: str, path: Path, tokenizer: Any, passages: Sequence[Passage], *, offline: bool = False) -> Check:
    """Open what `to` wrote at `path` as its reader would. Raises ModelError or RunError where it does not open."""
    start = weights.document_start(tokenizer)
    if to in ("merged", "adapter"):
        opened = weights.load_checkpoint(path, offline=offline)
        same = [
            tuple(opened.tokenizer(each.text, add_special_tokens=False)["input_ids"]) == each.ids for each in passages
        ]
        return Check(whole(foresee(opened.model, start, passages), passages), spelled=same)
    if to in ("gguf", "ollama"):
        return _by_runtime(path, tokenizer, start, passages)
    if to == "llama2c":
        return _by_reading(path, tokenizer, start, passages)
    return Check(None, f"nothing here opens what --to {to} writes.")


def _by_runtime(path: Path, tokenizer: Any, start: int, passages: Sequence[Passage]) -> Check:
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
    return Check(foreseen, spelled=spelled)


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
