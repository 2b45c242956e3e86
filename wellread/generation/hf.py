"""A transformers or peft model that is open already, as a LanguageModel: it writes, and says what it foresees."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jinja2 import TemplateError

from wellread.errors import ModelError, first_line
from wellread.generation.chats import chat_ids, steering
from wellread.generation.growing import Growing
from wellread.generation.guard import Guard
from wellread.generation.progress import Tell, telling, untold
from wellread.generation.scoring import Scorer
from wellread.generation.spelling import Spelling
from wellread.generation.stepping import Stepper, alike, takes_padding
from wellread.generation.streams import Batch, streamed
from wellread.generation.structured import Grammar
from wellread.matching import Index
from wellread.streaming import Token, same_way
from wellread.types import Prompt, Sample, Sampling, Scored, last_words

WINDOW = 1024
"""Tokens of context at most where nothing else is asked for: the same on every machine, so that numbers compare."""
READING = 4096
"""The same of a model that answers from passages: some twenty of them have room. What it is scored in stays as it is."""
ROWS = 32
"""Continuations written at the same time; of longer texts than `WINDOW` fewer, so that their cache grows no larger."""
SLACK = 0.5
"""Share by which the longest prompt of a batch may be longer than the shortest, which is padded."""


class TransformersModel:
    """A causal language model of transformers (or peft around one) with its fast tokenizer.

    `window` is how many tokens it sees at once, scoring and writing: by default what its config allows, at most
    1024; one that `reads_passages` sees up to 4096 while it writes. Give what a checkpoint was trained with where that is
    less. A model on the CPU moves to the GPU where there is one. `note` goes with every measurement of it; `index` is the
    corpus that `Sampling.no_recite` guards. Raises ModelError where `window` is more than the config allows or the
    tokenizer has no fast backend.
    """

    def __init__(
        self, model: Any, tokenizer: Any, name: str, *, window: int | None = None, note: str = "",
        index: Index | None = None, reads_passages: bool = False,
    ) -> None:  # fmt: skip
        from wellread.weights import device, document_end, document_start, window_start

        positions = getattr(model.config, "max_position_embeddings", None)
        if window is not None and positions is not None and not 2 <= window <= positions:
            raise ModelError(f"{name}: a window of {window} tokens was asked for; it takes 2 to {positions}.")
        self.name, self.note = name, note
        self.scored_in = window or min(positions or WINDOW, WINDOW)
        """Tokens of the windows in which `score` reads, unless it is told another length."""
        self.window = window or min(positions or WINDOW, READING if reads_passages else WINDOW)
        self._model = _placed(model.eval(), device())
        self._spelling, self._tokenizer = Spelling(tokenizer), tokenizer
        self._steering = steering(tokenizer)
        self._index = index
        self.positions = positions
        """Tokens that it can be opened for at most, as its config has it; None where that does not say."""
        self._start, self._opening = document_start(tokenizer), window_start(tokenizer)
        eos = tokenizer.eos_token_id
        self._end = document_end(tokenizer) if eos is None else int(eos)
        self._stops = {
            self._start,
            document_end(tokenizer),
            *_eos(tokenizer.eos_token_id),
            *_eos(getattr(model.generation_config, "eos_token_id", None)),
        }
        self._scorer = Scorer(self._model, self._start, everywhere=self._opening is not None)
        self.tell: Tell = untold
        self._compiled: tuple[str, Grammar] | None = None

    @property
    def at_once(self) -> int:
        return ROWS

    @property
    def tokenizer_name(self) -> str:
        """Kind, size and a mark of the vocabulary: equal names, comparable perplexities."""
        return self._spelling.name

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """See `LanguageModel.score`. `length` is `window` by default, of a model that reads passages what it is without
        them; raises ModelError where the model's config does not allow as many positions, ValueError unless
        1 <= stride <= length."""
        length = length or self.scored_in
        stride = stride or max(1, length // 2)
        if self.positions is not None and length > self.positions:
            raise ModelError(f"{self.name}: cannot score windows of {length} tokens; it takes {self.positions}.")
        spelled = self._spelling.spell(texts)
        rows = self._scorer.score([each.ids for each in spelled], length, stride, self.tell)
        return [
            _scored(text, each.ends, logprobs, greedy)
            for text, each, (logprobs, greedy) in zip(texts, spelled, rows, strict=True)
        ]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        """`sampling.n` samples for each prompt, prompt by prompt, seeded `seed`, `seed + 1`, …

        A sample depends on its own prompt and seed, not on what is written beside it (but for the last bits of
        floating point). A prompt stands at a document's beginning, as in training. Of a prompt that leaves no room for
        `max_tokens` the end is kept, at least half of the window; once the window is full its last half is read anew.
        A chat is put into the tokenizer's own template, what was said in it as text alone (chats.py); where there is
        none, what was said stands line by line.
        With `no_recite` no completion has more words of the corpus in a row than that (see `Guard`); raises ModelError
        for it where the model was given no `index`.
        """
        return self._generate(prompts, sampling, None)

    def generate_json(self, prompts: Sequence[Prompt], sampling: Sampling, schema: Mapping[str, Any]) -> list[Sample]:
        """See `StructuredModel.generate_json`."""
        needed = max((len(self._asked(prompt)) for prompt in prompts), default=0) + sampling.max_tokens
        if needed > self.window:
            raise ModelError(f"{self.name}: a question and its answer take up to {needed} tokens, and it sees {self.window} "
                             "at once; give a shorter text, or allow a shorter answer.")  # fmt: skip
        return self._generate(prompts, sampling, self._grammar(schema))

    def follows(self, text: str, schema: Mapping[str, Any]) -> bool:
        """See `StructuredModel.follows`."""
        return self._grammar(schema).allows(text)

    def count(self, prompt: Prompt) -> int:
        """How many tokens of the window a prompt takes, with the frame that its template puts around it."""
        return len(self._asked(prompt))

    def _grammar(self, schema: Mapping[str, Any]) -> Grammar:
        """The schema compiled for this tokenizer; the last one is kept."""
        key = json.dumps(schema)
        if self._compiled is None or self._compiled[0] != key:
            vocabulary = min(self._spelling.size, self._model.get_input_embeddings().num_embeddings)
            self._compiled = key, Grammar(schema, self._tokenizer, vocabulary, self._end)
        return self._compiled[1]

    def stream(
        self,
        asked: Sequence[tuple[Prompt, Sampling]],
        *,
        schema: Mapping[str, Any] | None = None,
        likeliest: int | None = None,
        wanted: Callable[[int], bool] = lambda place: True,
    ) -> Iterator[list[Token | None]]:
        """See `StreamingModel.stream`."""
        guard = Guard.over(self._index, same_way(asked).no_recite, self.name)
        grammar = None if schema is None else self._grammar(schema)
        contexts = [self._context(prompt, sampling.max_tokens) for prompt, sampling in asked]
        samplings = [sampling for _, sampling in asked]
        batches = []
        for places in self._batches(contexts, samplings):
            rows, ways = [contexts[place] for place in places], [samplings[place] for place in places]
            batches.append(Batch(self._growing(rows, ways, guard, grammar), places, self._spelling, likeliest))
        return streamed(batches, len(asked), wanted)

    def _generate(self, prompts: Sequence[Prompt], sampling: Sampling, grammar: Grammar | None) -> list[Sample]:
        guard = Guard.over(self._index, sampling.no_recite, self.name)
        jobs = [(index, sampling.seed + place) for index in range(len(prompts)) for place in range(sampling.n)]
        contexts = [self._context(prompt, sampling.max_tokens) for prompt in prompts]
        batches = self._batches([contexts[index] for index, _ in jobs], [sampling] * len(jobs))
        said: dict[tuple[int, int], Sample] = {}
        told = telling(self.tell, "writing", len(jobs), "texts")
        for number, places in enumerate(batches):
            batch = [jobs[place] for place in places]
            samplings = [replace(sampling, seed=seed) for _, seed in batch]
            growing = self._growing([contexts[index] for index, _ in batch], samplings, guard, grammar)
            for step in range(sampling.max_tokens):
                told(len(said), (number + step / sampling.max_tokens) / len(batches))
                growing.step()
                ended = [place for place, finish in enumerate(growing.finish) if finish is not None]
                if len(ended) * 2 < len(batch):
                    continue
                for place in ended:
                    index, seed = batch[place]
                    text = self._spelling.decode(growing.written(place))
                    finish = growing.finish[place] or "length"
                    said[index, seed] = Sample(last_words(prompts[index]), text, sampling, seed, self.name, finish)
                going = sorted({*range(len(batch))} - {*ended})
                if not going:
                    break
                growing.keep(going)  # what has ended would be computed with the others to their end
                batch = [batch[place] for place in going]
        return [said[job] for job in jobs]

    def _context(self, prompt: Prompt, max_tokens: int) -> list[int]:
        asked, most = self._asked(prompt), max(self.window - max_tokens, self.window // 2, 1)
        if self._opening is None or len(asked) <= most:
            return asked[-most:]
        return [self._opening, *asked[len(asked) - most + 1 :]]

    def _asked(self, chat: Prompt) -> list[int]:
        """A beginning, or a chat up to where the answer begins, as training reads it."""
        if isinstance(chat, str):
            return [self._start, *self._spelling.encode(chat)]
        if getattr(self._tokenizer, "chat_template", None):
            try:
                return chat_ids(self._tokenizer, chat, self._steering, self._spelling.encode)
            except TemplateError as error:
                raise ModelError(f"{self.name}: its chat template refuses these turns: {first_line(error)}.") from None
        ids = [self._start]
        for message in chat:
            ids += self._spelling.encode(message["content"])
            if message["role"] == "assistant":
                ids.append(self._end)
            elif not message["content"][-1:].isspace():
                ids += self._spelling.encode("\n")
        return ids

    def _growing(
        self,
        contexts: Sequence[Sequence[int]],
        samplings: Sequence[Sampling],
        guard: Guard | None,
        grammar: Grammar | None,
    ) -> Growing:
        """These texts, ready to be written; `samplings` differ in seed and in length alone."""
        ends = [len(context) + each.max_tokens for context, each in zip(contexts, samplings, strict=True)]
        most = max(map(len, contexts)) + max(each.max_tokens for each in samplings)
        # what pads a shorter row takes room in the cache, and none of the row's own positions
        stepper = Stepper(
            self._model, most if max(ends) <= self.window else self.window, self._spelling.size, self._opening
        )
        return Growing(
            stepper, contexts, samplings[0], [each.seed for each in samplings], [each.max_tokens for each in samplings],
            stops=self._stops, piece=self._spelling.piece, guard=guard,
            answers=[grammar.begin(each.max_tokens) for each in samplings] if grammar else (),
        )  # fmt: skip

    def _batches(self, contexts: Sequence[Sequence[int]], samplings: Sequence[Sampling]) -> list[list[int]]:
        """Which texts are written side by side: padded where all of each fits into the window, else of equal length."""
        ends = [len(context) + each.max_tokens for context, each in zip(contexts, samplings, strict=True)]
        longest = max(ends, default=0)
        slack = SLACK if longest <= self.window and takes_padding(self._model) else 0.0
        rows = max(1, ROWS * WINDOW // max(WINDOW, min(longest, self.window)))
        return list(alike([len(context) for context in contexts], rows=rows, slack=slack))


def _placed(model: Any, device: Any) -> Any:
    """The model where it computes: on the GPU if there is one and it has room, else where it is."""
    from wellread.weights import fits

    if model.device.type != "cpu" or device.type == "cpu":
        return model
    needed = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    return model.to(device) if fits(needed, device) else model


def _scored(text: str, ends: Any, logprobs: Any, greedy: Any) -> Scored:
    starts: Any = np.roll(ends, 1)
    starts[:1] = 0
    return Scored(text, starts, ends, logprobs, greedy)


def _eos(value: int | list[int] | None) -> set[int]:
    if value is None:
        return set()
    return {value} if isinstance(value, int) else set(value)
