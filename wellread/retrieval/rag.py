"""A LanguageModel and a Retriever in, a LanguageModel out that finds sources for what it is asked, and lays them before itself.

A chat is answered from the sources, or with "the sources do not say". A text to go on from has what was found for its
last words laid before it, as if it stood there. What is scored is scored as it is, without sources.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from wellread.matching import words
from wellread.retrieval.keywords import language_of
from wellread.retrieval.prompt import build_prompt, disarmed, refusal
from wellread.retrieval.refusing import Refusal, Signs, signs
from wellread.types import (
    Chunk,
    LanguageModel,
    Message,
    Prompt,
    Retriever,
    Sample,
    Sampling,
    Scored,
    StructuredModel,
    last_words,
)

FOUND = 5
"""Passages that are looked for, and by which it is judged whether they answer, however many are laid."""
WINDOW = 4096
"""Tokens of context of a model that does not say how many it takes, such as one behind an endpoint."""
BYTES_PER_TOKEN = 3
"""Of a tokenizer that nobody can ask; fewer than text has as a rule, so that what is laid fits."""
QUERY_WORDS = 60
"""Of a text to go on from so many last words are looked up."""
APART = "\n\n"

Tell = Callable[[Any], None]


@runtime_checkable
class Counting(Protocol):
    """A model that can say what a prompt takes of its window."""

    window: int

    def count(self, prompt: Prompt) -> int: ...


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found for a prompt, and what the model is to read."""

    asked: Prompt
    """What was asked for."""
    prompt: Prompt
    """The same, with the sources."""
    chunks: tuple[Chunk, ...]
    """What is laid before the model, in the order of its numbers."""
    found: tuple[Chunk, ...] = ()
    """What the retriever found, the best first."""
    said: str | None = None
    """That the sources do not say, where that is judged beforehand: the model is not asked."""
    signs: Signs | None = None
    """By which that was judged."""
    score: float | None = None
    """The weighed signs less their threshold: below 0 it is refused."""
    note: str = ""
    """What had to be left out or cut."""


class RetrievalModel:
    """`model`, answering from what `retriever` finds: `k` passages, of which as many are laid as fit its window.

    `refuses` judges beforehand whether they answer at all; without it the model is always asked. `window` is for a model
    that does not say its own. `language` is that of the rules and the refusal, `en` or `fr`; empty: as the question is, or
    where that cannot be told as the retriever's texts are, if it has a `language`.
    """

    def __init__(
        self, model: LanguageModel, retriever: Retriever, *, name: str = "", k: int = FOUND,
        refuses: Refusal | None = None, window: int = WINDOW, language: str = "",
    ) -> None:  # fmt: skip
        self.name = name or f"{model.name}+{retriever.name}"
        self.model, self.retriever, self.k, self.refuses = model, retriever, k, refuses
        self.window = model.window if isinstance(model, Counting) else window
        self._language = language

    @property
    def tokenizer_name(self) -> str:
        return self.model.tokenizer_name

    @property
    def note(self) -> str:
        """What goes with every measurement of it."""
        own = f"asked with up to {self.k} passages of {self.retriever.name}; texts are scored without any"
        return "; ".join(filter(None, (str(getattr(self.model, "note", "")), own)))

    @property
    def tell(self) -> Tell:
        """Who is told how far the model is, if it says."""
        return getattr(self.model, "tell", lambda now: None)

    @tell.setter
    def tell(self, told: Tell) -> None:
        if hasattr(self.model, "tell"):
            self.model.tell = told

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt as it is, without sources; of a model that cannot say, more than it takes as a rule."""
        if isinstance(self.model, Counting):
            return self.model.count(prompt)
        said = prompt if isinstance(prompt, str) else "".join(message["content"] for message in prompt)
        return len(said.encode()) // BYTES_PER_TOKEN + 8 * (1 if isinstance(prompt, str) else len(prompt))

    @property
    def scored_in(self) -> int | None:
        """Tokens of the windows in which the model scores texts, where it says: fewer, as a rule, than it answers in."""
        return getattr(self.model, "scored_in", None)

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """Of the model alone: a text is foreseen without sources."""
        return self.model.score(texts, length=length, stride=stride)

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        """See `LanguageModel.generate`; `sources` are what was laid before the model, none where it was not asked.

        Raises UsageError where a question leaves no room for a source.
        """
        return self.write([self.look(prompt, sampling.max_tokens) for prompt in prompts], sampling)

    def look(self, prompt: Prompt, max_tokens: int, *, refusing: bool = True) -> Looked:
        """What is found for a prompt, laid so that an answer of `max_tokens` fits beside it, or within the model's half
        window; whatever `refusing` says, a prompt for which nothing is found has no sources."""
        room = max(self.window - max_tokens, self.window // 2)
        if isinstance(prompt, str):
            return self._before(prompt, room)
        question = last_words(prompt)
        language = self._language or language_of(question, str(getattr(self.retriever, "language", "")) or "en")
        judged = self.refuses is not None and refusing
        found = tuple(self.retriever.retrieve(question, max(self.k, FOUND) if judged else self.k))
        # by as many as thresholds were fitted on: more passages would seem to say more, fewer less
        seen = signs(question, found[:FOUND], self.retriever) if judged else None
        found = found[: self.k]
        score = None if seen is None or self.refuses is None else self.refuses.score(seen) - self.refuses.threshold
        if not found or (score is not None and score < 0):
            return Looked(prompt, prompt, (), found, refusal(language) if refusing else None, seen, score)
        history = self._recent(prompt, room)

        def count(text: str) -> int:
            return self.count([*history, {"role": "user", "content": text}])

        laid = build_prompt(question, found, count=count, budget=room, language=language)
        return Looked(prompt, [*history, *laid.messages], laid.chunks, found, None, seen, score, laid.note)

    def write(self, looked: Sequence[Looked], sampling: Sampling) -> list[Sample]:
        """`generate` for what was looked up already."""
        return self._told(looked, sampling, lambda prompts: self.model.generate(prompts, sampling))

    def _told(
        self, looked: Sequence[Looked], sampling: Sampling, ask: Callable[[Sequence[Prompt]], list[Sample]]
    ) -> list[Sample]:
        asked = [each.prompt for each in looked if each.said is None]
        written = iter(ask(asked) if asked else ())
        samples = []
        for each in looked:
            for seed in range(sampling.seed, sampling.seed + sampling.n):
                if each.said is None:
                    sample = replace(next(written), sources=each.chunks)
                else:
                    sample = Sample("", each.said, sampling, seed, finish="stop")
                samples.append(replace(sample, prompt=last_words(each.asked), subject=self.name))
        return samples

    def _recent(self, chat: Sequence[Message], room: int) -> list[Message]:
        """What was said before the question, the oldest turns left out until it takes at most half of the room."""
        said = list(chat[:-1])
        rules = [each for each in said if each["role"] == "system"]
        turns = [each for each in said if each["role"] != "system"]
        while turns and self.count([*rules, *turns, chat[-1]]) > room // 2:
            turns = turns[1:]
            while turns and turns[0]["role"] != "user":
                turns = turns[1:]
        return [*rules, *turns]

    def _before(self, beginning: str, room: int) -> Looked:
        """Passages before a text to go on from, the best nearest to it, as many as leave the text whole."""
        last = words(beginning)[-QUERY_WORDS:]
        found = tuple(self.retriever.retrieve(beginning[last[0][1] :], self.k)) if last else ()
        laid, prompt = 0, beginning
        while laid < len(found):
            longer = APART.join([*(disarmed(chunk.text) for chunk in reversed(found[: laid + 1])), beginning])
            if self.count(longer) > room:
                break
            laid, prompt = laid + 1, longer
        return Looked(beginning, prompt, found[:laid], found)


class StructuredRetrievalModel(RetrievalModel):
    """The same of a model whose answers can be held to a schema: its sources are laid, and nothing is refused beforehand."""

    model: Any

    def generate_json(self, prompts: Sequence[Prompt], sampling: Sampling, schema: Mapping[str, Any]) -> list[Sample]:
        """See `StructuredModel.generate_json`."""
        looked = [self.look(prompt, sampling.max_tokens, refusing=False) for prompt in prompts]
        return self._told(looked, sampling, lambda asked: self.model.generate_json(asked, sampling, schema))

    def follows(self, text: str, schema: Mapping[str, Any]) -> bool:
        """See `StructuredModel.follows`."""
        return bool(self.model.follows(text, schema))


def with_retrieval(model: LanguageModel, retriever: Retriever, **how: Any) -> RetrievalModel:
    """A RetrievalModel; one that can be held to a schema where the model can."""
    kind = StructuredRetrievalModel if isinstance(model, StructuredModel) else RetrievalModel
    return kind(model, retriever, **how)
