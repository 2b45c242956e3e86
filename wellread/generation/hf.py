"""A transformers or peft model that is open already, as a LanguageModel: it writes, and says what it foresees."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wellread.errors import ModelError
from wellread.generation.chats import chat_ids, steering
from wellread.generation.guard import Guard, Masking
from wellread.generation.progress import Tell, telling, untold
from wellread.generation.scoring import Scorer
from wellread.generation.spelling import Spelling
from wellread.generation.stepping import Stepper, alike, takes_padding
from wellread.generation.structured import Answer, Grammar
from wellread.matching import Index
from wellread.types import Prompt, Sample, Sampling, Scored, last_words

if TYPE_CHECKING:
    from torch import Tensor

WINDOW = 1024
"""Tokens of context at most where nothing else is asked for: the same on every machine, so that numbers compare."""
ROWS = 32
"""Continuations written at the same time."""
SLACK = 0.5
"""Share by which the longest prompt of a batch may be longer than the shortest, which is padded."""


class TransformersModel:
    """A causal language model of transformers (or peft around one) with its fast tokenizer.

    `window` is how many tokens it sees at once, scoring and writing: by default what its config allows, at most
    1024. Give what a checkpoint was trained with where that is less. A model on the CPU moves to the GPU where there
    is one. `note` goes with every measurement of it; `index` is the corpus that `Sampling.no_recite` guards. Raises
    ModelError where `window` is more than the config allows or the tokenizer has no fast backend.
    """

    def __init__(
        self, model: Any, tokenizer: Any, name: str, *, window: int | None = None, note: str = "",
        index: Index | None = None,
    ) -> None:  # fmt: skip
        from wellread.weights import device, document_end, document_start

        positions = getattr(model.config, "max_position_embeddings", None)
        if window is not None and positions is not None and not 2 <= window <= positions:
            raise ModelError(f"{name}: a window of {window} tokens was asked for; it takes 2 to {positions}.")
        self.name, self.note = name, note
        self.window = window or min(positions or WINDOW, WINDOW)
        self._model = _placed(model.eval(), device())
        self._spelling, self._tokenizer = Spelling(tokenizer), tokenizer
        self._steering = steering(tokenizer)
        self._index = index
        self._positions = positions
        self._start = document_start(tokenizer)
        eos = tokenizer.eos_token_id
        self._end = document_end(tokenizer) if eos is None else int(eos)
        self._stops = {
            self._start,
            document_end(tokenizer),
            *_eos(tokenizer.eos_token_id),
            *_eos(getattr(model.generation_config, "eos_token_id", None)),
        }
        self._scorer = Scorer(self._model, self._start)
        self.tell: Tell = untold
        self._compiled: tuple[str, Grammar] | None = None

    @property
    def tokenizer_name(self) -> str:
        """Kind, size and a mark of the vocabulary: equal names, comparable perplexities."""
        return self._spelling.name

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """See `LanguageModel.score`. `length` is `window` by default; raises ModelError where the model's config
        does not allow as many positions, ValueError unless 1 <= stride <= length."""
        length = length or self.window
        stride = stride or max(1, length // 2)
        if self._positions is not None and length > self._positions:
            raise ModelError(f"{self.name}: cannot score windows of {length} tokens; it takes {self._positions}.")
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

    def _generate(self, prompts: Sequence[Prompt], sampling: Sampling, grammar: Grammar | None) -> list[Sample]:
        guard = Guard.over(self._index, sampling.no_recite, self.name)
        contexts = [self._context(prompt, sampling.max_tokens) for prompt in prompts]
        longest = max(map(len, contexts), default=0) + sampling.max_tokens
        together = SLACK if longest <= self.window and takes_padding(self._model) else 0.0
        said: dict[tuple[int, int], Sample] = {}
        batches = list(alike([len(context) for context in contexts], rows=ROWS, n=sampling.n, slack=together))
        told = telling(self.tell, "writing", len(prompts) * sampling.n, "texts")
        for number, batch in enumerate(batches):
            seeds = [sampling.seed + place for _, place in batch]

            def step(share: float, number: int = number) -> None:
                told(len(said), (number + share) / len(batches))

            written = self._write([contexts[index] for index, _ in batch], sampling, seeds, guard, grammar, step)
            for job, seed, (ids, finish) in zip(batch, seeds, written, strict=True):
                prompt = last_words(prompts[job[0]])
                text = self._spelling.decode(ids)
                said[job] = Sample(prompt, text, sampling, seed, self.name, finish)
        return [said[index, place] for index in range(len(prompts)) for place in range(sampling.n)]

    def _context(self, prompt: Prompt, max_tokens: int) -> list[int]:
        return self._asked(prompt)[-max(self.window - max_tokens, self.window // 2, 1) :]

    def _asked(self, chat: Prompt) -> list[int]:
        """A beginning, or a chat up to where the answer begins, as training reads it."""
        if isinstance(chat, str):
            return [self._start, *self._spelling.encode(chat)]
        if getattr(self._tokenizer, "chat_template", None):
            return chat_ids(self._tokenizer, chat, self._steering, self._spelling.encode)
        ids = [self._start]
        for message in chat:
            ids += self._spelling.encode(message["content"])
            if message["role"] == "assistant":
                ids.append(self._end)
            elif not message["content"][-1:].isspace():
                ids += self._spelling.encode("\n")
        return ids

    def _write(
        self,
        contexts: list[list[int]],
        sampling: Sampling,
        seeds: Sequence[int],
        guard: Guard | None,
        grammar: Grammar | None,
        step: Callable[[float], None],
    ) -> list[tuple[list[int], Literal["stop", "length"]]]:
        """The new ids of each row, and why it ended. `step` hears which share of the tokens is written."""
        import torch

        from wellread.generation.drawing import draw

        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        rows = [list(context) for context in contexts]
        ends: list[int | None] = [None] * len(rows)
        answers = [grammar.begin(sampling.max_tokens) for _ in rows] if grammar else []
        with torch.inference_mode():
            stepper = Stepper(self._model, self.window, self._spelling.size)
            seen = torch.zeros(len(rows), stepper.vocabulary, dtype=torch.bool)
            for row, context in zip(seen, contexts, strict=True):
                row[torch.tensor(context)] = True
            masking = Masking(guard, self._spelling.piece, self._stops, sampling, generators) if guard else None
            for place in range(sampling.max_tokens):
                step(place / sampling.max_tokens)
                logits = stepper.logits(rows)
                uniforms = torch.stack([torch.rand((), generator=each, dtype=torch.float64) for each in generators])
                if answers:
                    logits = _held(logits, answers)
                ids = draw(logits, seen, sampling, uniforms)
                if masking:
                    ids = masking.replaced(ids, logits, seen, [end is None for end in ends])
                if answers:
                    ids = torch.tensor([each.take(drawn) for each, drawn in zip(answers, ids.tolist(), strict=True)])
                seen.scatter_(1, ids[:, None], True)
                for index, chosen in enumerate(ids.tolist()):
                    if ends[index] is None and chosen in self._stops:
                        ends[index] = len(rows[index])
                    rows[index].append(chosen)
                if None not in ends:
                    break
        return [
            (row[len(context) : end], "length" if end is None else "stop")
            for row, context, end in zip(rows, contexts, ends, strict=True)
        ]


def _held(logits: Tensor, answers: Sequence[Answer]) -> Tensor:
    """The logits, of tokens that the grammar does not allow now minus infinity."""
    import torch

    masks = [each.allowed() for each in answers]
    free = np.ones(logits.shape[-1], bool)
    return logits.masked_fill(
        ~torch.from_numpy(np.stack([free if mask is None else mask for mask in masks])), -torch.inf
    )


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
