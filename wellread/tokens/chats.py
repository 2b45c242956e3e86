"""Messages in, token ids out, with the places that count: the answers and the token that ends each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wellread.errors import CorpusError, ModelError, first_line

Message = Mapping[str, str]
_MARKER = re.compile(r"\{%-?\s*generation\s*-?%\}")


@dataclass(frozen=True, slots=True)
class Turned:
    """An example as token ids; `counts` says of each whether it is an answer's, or the end of one."""

    ids: tuple[int, ...]
    counts: tuple[bool, ...]


class Rendering:
    """How one tokenizer writes examples: by its chat template, or plainly where it has none.

    Plainly is what a text model reads: the token that a document begins after, the prompt, a line break unless it
    ends with white space, the answer, the end token. By a template an answer is what stands between its
    generation markers where it has them, else what a turn adds to the rendering of the turns before it with the
    generation prompt, as a model meets it when it is asked; a template that words earlier turns anew (leaving out
    thoughts, say) gives an example for each answer. An answer counts up to the token that ends its turn; where the
    template ends turns with none, the tokenizer's EOS is added after the last.
    """

    def __init__(self, tokenizer: Any) -> None:
        from wellread.weights import document_end, document_start

        self._tokenizer = tokenizer
        self.template: str = str(getattr(tokenizer, "chat_template", None) or "")
        self.name: str = tokenizer.name_or_path or "the tokenizer"
        self.start: int = document_start(tokenizer)
        eos = tokenizer.eos_token_id
        self.end: int = int(eos) if eos is not None else document_end(tokenizer)
        added = tokenizer.added_tokens_decoder
        self._special = {*tokenizer.all_special_ids, *(int(index) for index, token in added.items() if token.special)}
        self.names = tuple(str(added[index]) for index in sorted(self._special) if index in added)
        """The special tokens as they would be spelt."""

    def examples(self, messages: Sequence[Message], name: str) -> list[Turned]:
        """One example as a rule; one for each answer where the template words earlier turns anew.

        Raises CorpusError where the template refuses the messages, ModelError where it cannot be told which tokens of
        its rendering answer.
        """
        answers = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
        if not answers:
            raise CorpusError(f"{name}: an example without an answer (role assistant) teaches nothing; leave it out")
        messages = [dict(message) for message in messages[: answers[-1] + 1]]
        if not self.template:
            return [self._plain(messages)]
        if _MARKER.search(self.template) and (marked := self._by_markers(messages, name)):
            return [marked]
        turns = [self._turn(messages, place, name) for place in answers]
        ids, counts = turns[0]
        for longer, counting in turns[1:]:
            if longer[: len(ids)] != ids:
                return [self._ended(*turn) for turn in turns if any(turn[1])]
            ids, counts = longer, [*counts, *counting[len(counts) :]]
        return [self._ended(ids, counts)]

    def _plain(self, messages: Sequence[Message]) -> Turned:
        ids, counts, before = [self.start], [False], ""
        for message in messages:
            text, answers = message["content"], message["role"] == "assistant"
            if before and not before[-1].isspace():
                ids += (parted := self._encode("\n"))
                counts += [False] * len(parted)
            new = [*self._encode(text), *([self.end] if answers else [])]
            ids += new
            counts += [answers] * len(new)
            before = "" if answers else text
        return Turned(tuple(ids), tuple(counts))

    def _encode(self, text: str, *, special: bool = False) -> list[int]:
        """Ids of a text, in which "<s>" is three characters unless it may be `special`."""
        found = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not special)
        return [int(index) for index in found["input_ids"]]

    def _by_markers(self, messages: Sequence[Message], name: str) -> Turned | None:
        found = self._apply(messages, name, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
        ids, counts = [int(index) for index in found["input_ids"]], [bool(each) for each in found["assistant_masks"]]
        if not any(counts):
            return None
        for place in range(1, len(ids)):
            if counts[place - 1] and not counts[place] and ids[place - 1] not in self._special:
                counts[place] = ids[place] in self._special
        return self._ended(ids, counts)

    def _turn(self, messages: Sequence[Message], place: int, name: str) -> tuple[list[int], list[bool]]:
        """The conversation up to one answer, of which only this one counts."""
        bare = self._apply(messages[:place], name)
        before = self._apply(messages[:place], name, add_generation_prompt=True)
        after = self._apply(messages[: place + 1], name)
        answer = messages[place]["content"].strip()
        follows = after.startswith(before) and (before != bare or after[len(before) :].lstrip().startswith(answer))
        if not follows:
            # no generation prompt that the answer would follow: what the answer itself says tells where it begins
            at = after.find(answer, len(bare)) if answer and after.startswith(bare) else -1
            if at < 0:
                raise ModelError(
                    f"{self.name}: its chat template gives no rendering in which the answer of {name} can be told from "
                    "the prompt; choose a base with another template, or take `chat_template` out of its tokenizer."
                )
            before = after[:at]
        head, ids = self._encode(before, special=True), self._encode(after, special=True)
        if ids[: len(head)] != head:  # a token reaches across: cut there, as the prompt is when the model is asked
            ids = [*head, *self._encode(after[len(before) :], special=True)]
        stop = len(ids)
        while stop > len(head) and ids[stop - 1] not in self._special and self._blank(ids[stop - 1]):
            stop -= 1
        return ids, [len(head) <= at < stop for at in range(len(ids))]

    def _blank(self, index: int) -> bool:
        return not self._tokenizer.decode([index]).strip()

    def _ended(self, ids: Sequence[int], counts: Sequence[bool]) -> Turned:
        """What follows the last answer is left out, and the answer ends with a token that says so."""
        stop = len(counts) - list(counts)[::-1].index(True)
        if ids[stop - 1] in self._special:
            return Turned(tuple(ids[:stop]), tuple(counts[:stop]))
        return Turned((*ids[:stop], self.end), (*counts[:stop], True))

    def _apply(self, messages: Sequence[Message], name: str, **how: Any) -> Any:
        from jinja2 import TemplateError

        try:
            return self._tokenizer.apply_chat_template(messages, **{"tokenize": False, **how})
        except (TemplateError, ValueError, TypeError, KeyError) as error:
            raise CorpusError(
                f"{name}: the chat template of {self.name} refuses these messages: {first_line(error)}"
            ) from None
