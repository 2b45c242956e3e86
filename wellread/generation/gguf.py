"""A .gguf file in, a LanguageModel that writes out: llama.cpp, through the server that comes with xllamacpp.

The server runs inside this process and listens on this machine alone, at a port of its own. It gives no
log-probabilities of a prompt, so this backend cannot score: measuring opens the same file through transformers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from wellread.errors import ModelError, RunError
from wellread.generation.chats import unsaid
from wellread.generation.gguf_keys import TEMPLATE, has_key
from wellread.generation.gguf_schemas import held, refuse_schema
from wellread.generation.gguf_units import finish_of, text_of, units_of
from wellread.generation.guard import LIKELIEST, NOTHING, Guard, Written
from wellread.generation.llamacpp import ask, events, started
from wellread.matching import Index
from wellread.streaming import Token, same_way
from wellread.types import Prompt, Sample, Sampling, Scored, last_words

WINDOW = 2048
"""Tokens of context at most where nothing else is asked for."""
STRETCH = 24
"""Tokens that the guard lets be written before it looks at them."""
CHARACTER = 4
"""Tokens at most that spell one character: its bytes."""
SEPARATOR = "<|endoftext|>"
PENALISED = 64
"""Tokens that a repetition penalty looks back over, as llama.cpp has it by default: over a window full of prose it would make
every common word unlikely, and the runtime sets a place aside for each of them in every request."""
FORCED = 1e6
"""Added to the logit of a token that is to be taken."""
ORDER = ("penalties", "temperature", "top_k", "top_p", "min_p")
"""llama.cpp's samplers in the order of transformers."""
GREEDY = ("penalties", "top_k")
"""Those that a text of the likeliest tokens needs: `top_p` would sort the whole vocabulary at every token."""


def available() -> bool:
    """Whether the package that runs GGUF files is installed."""
    return find_spec("xllamacpp") is not None


class Foreseen(NamedTuple):
    """Of n tokens, each after all before it; logarithms are natural."""

    ids: list[list[int]]
    """[n, k]: the likeliest tokens, the likeliest first."""
    logprobs: list[list[float]]
    actual: list[float]
    """[n]: of the token that stands there."""


class GgufModel:
    """A GGUF file, one sample at a time; memory is about the file's size. See TransformersModel for `index`.

    `exact` keeps what was read (the cache of keys and values) in 32 bits, as transformers does on a CPU, not in 16.

    The same seed gives the same text on the same machine, another text than transformers gives. Raises MissingPackage
    without xllamacpp, ModelError where the file does not open.
    """

    def __init__(
        self, path: Path, name: str, *, window: int | None = None, index: Index | None = None, exact: bool = False
    ) -> None:
        self.name, self.tokenizer_name = name, f"that of {path.name}"
        self.window = window or WINDOW
        self.at_once = 1
        self._index = index
        self._server, self._line = started(path, self.window, exact=exact)
        told = self._ask("/props")
        self._chats = has_key(path, TEMPLATE)  # the server makes one up for a file that has none
        self.window = min(self.window, told["default_generation_settings"]["n_ctx"])  # the file's own may be less
        separator = self._tokens(SEPARATOR, special=True)
        bos, template = told["bos_token"], told.get("chat_template") or ""
        self._start = separator if len(separator) == 1 else self._tokens(bos, special=True)
        written = "bos_token" in template or (bos and bos in template)
        self._begins = self._tokens(bos, special=True) if bos and written else []

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        """Raises ModelError: llama.cpp's server does not say how likely it found a prompt."""
        raise ModelError(f"{self.name}: the GGUF runtime writes, but cannot score; `wellread measure` opens the file "
                         "through transformers.")  # fmt: skip

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        """See `LanguageModel.generate`; a prompt stands at a document's beginning, and of a long one the end is kept.

        With `no_recite` a stretch of tokens is written, judged by the guard, and gone on with from the last that is
        allowed. Raises ModelError for that where the model was given no `index`.
        """
        guard = Guard.over(self._index, sampling.no_recite, self.name)
        samples = []
        for prompt in prompts:
            ids = self._context(prompt, sampling.max_tokens)
            for seed in range(sampling.seed, sampling.seed + sampling.n):
                text, finish = self._guarded(ids, sampling, seed, guard) if guard else self._free(ids, sampling, seed)
                samples.append(Sample(last_words(prompt), text, sampling, seed, self.name, finish))
        return samples

    def count(self, prompt: Prompt) -> int:
        """How many tokens of the window a prompt takes, with the frame that its template puts around it."""
        return len(self._asked(prompt))

    def stream(
        self,
        asked: Sequence[tuple[Prompt, Sampling]],
        *,
        schema: Mapping[str, Any] | None = None,
        likeliest: int | None = None,
        wanted: Callable[[int], bool] = lambda place: True,
    ) -> Iterator[list[Token | None]]:
        """See `StreamingModel.stream`; one text after another. A value of a schema ends where `max_tokens` are written,
        whole or not. Raises ModelError where logarithms or a schema are asked for under the guard, or the schema cannot be
        followed."""
        guard = Guard.over(self._index, same_way(asked).no_recite, self.name)
        if guard and (schema is not None or likeliest is not None):
            raise ModelError(f"{self.name}: under the guard a GGUF file follows no schema and tells no probabilities.")
        if schema is not None:
            refuse_schema(schema, self.name)
        return self._by_turns(asked, guard, schema, likeliest, wanted)

    def _by_turns(
        self, asked: Sequence[tuple[Prompt, Sampling]], guard: Guard | None, schema: Mapping[str, Any] | None,
        likeliest: int | None, wanted: Callable[[int], bool],
    ) -> Iterator[list[Token | None]]:  # fmt: skip
        for place, (prompt, sampling) in enumerate(asked):
            if not wanted(place):
                continue
            ids = self._context(prompt, sampling.max_tokens)
            tokens = (self._allowed(ids, sampling, sampling.seed, guard) if guard
                      else self._streamed(ids, sampling, schema, likeliest))  # fmt: skip
            with closing(tokens if schema is None else held(tokens, self.name)) as tokens:
                for token in tokens:
                    yield [token if each == place else None for each in range(len(asked))]
                    if not wanted(place):
                        break

    def _context(self, prompt: Prompt, max_tokens: int) -> list[int]:
        return self._asked(prompt)[-max(self.window - max_tokens, self.window // 2, 1) :]

    def _asked(self, prompt: Prompt) -> list[int]:
        """A beginning, or a chat as the file's template has it; a message that names special tokens is text all the same."""
        if isinstance(prompt, str):
            return [*self._start, *self._tokens(prompt)]
        if not self._chats:
            raise ModelError(f"{self.name}: the file has no chat template, so it answers no chat; give it a text to go on "
                             "with.")  # fmt: skip
        mark = unsaid(prompt)
        held: list[str] = []
        shown = []
        for message in prompt:
            said = message["content"]
            if self._tokens(said) != self._tokens(said, special=True):
                held.append(said)
                said = f"{mark}{len(held) - 1}{mark}"
            shown.append({**message, "content": said})
        framed = self._ask("/apply-template", {"messages": shown})["prompt"]
        ids: list[int] = []
        for place, piece in enumerate(re.split(f"{mark}(\\d+){mark}", framed)):
            ids += self._tokens(held[int(piece)]) if place % 2 else self._tokens(piece, special=True)
        # where a file adds it by itself, the server takes the template's own away
        return ids if ids[: len(self._begins)] == self._begins else [*self._begins, *ids]

    def spell(self, text: str) -> list[int]:
        """The ids of a text's tokens, without what a document begins with."""
        return self._tokens(text)

    def asked(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a chat up to where the answer begins, by the file's own template."""
        return self._asked(messages)

    def foresee(self, start: int, ids: Sequence[int], *, likeliest: int, vocabulary: int) -> Foreseen:
        """What it foresaw before every token of a text that begins after `start`: a request a token, each of which reads
        one token anew. The token that stands there is forced, so that its own probability is told too."""
        [plain] = self._tokens("a")[-1:]
        logprobs, near, actual = [], [], []
        for place, token in enumerate(ids):
            before = [start, *ids[:place]]
            told = self._forced(before, token, likeliest)
            own = told["logprob"] if told else None
            # of a token that leaves a character unfinished the server tells nothing: another is forced, and it is looked for
            for wanted in (likeliest, vocabulary) if own is None else ():
                told = self._forced(before, plain, wanted)
                found = [each["logprob"] for each in told["top_logprobs"] if each["id"] == token] if told else []
                if found:
                    own = found[0]
                    break
            if told is None or own is None:
                raise RunError(f"{self.name}: the GGUF runtime did not say how likely it found token {token}.")
            actual.append(own)
            near.append([each["id"] for each in told["top_logprobs"][:likeliest]])
            logprobs.append([each["logprob"] for each in told["top_logprobs"][:likeliest]])
        return Foreseen(near, logprobs, actual)

    def go_on(self, ids: Sequence[int], tokens: int) -> list[int]:
        """The ids of a greedy text; what ends it comes last."""
        request = _request(ids, Sampling(temperature=0), 0, tokens) | {"return_tokens": True}
        return [int(each) for each in self._ask("/completion", request)["tokens"]]

    def near(self, before: Sequence[int], likeliest: int) -> dict[int, float]:
        """The logarithms of the likeliest tokens after these."""
        told = self._forced([*before], self._tokens("a")[-1], likeliest)
        if told is None:
            raise RunError(f"{self.name}: the GGUF runtime did not say what it found likely.")
        return {each["id"]: each["logprob"] for each in told["top_logprobs"]}

    def _forced(self, before: list[int], token: int, likeliest: int) -> dict[str, Any] | None:
        """What the server says of one token that it must take; None where it says nothing."""
        request = _request(before, Sampling(temperature=0, max_tokens=1), 0, 1)
        forced = {"n_probs": likeliest, "cache_prompt": True, "logit_bias": [[token, FORCED]]}
        told: list[dict[str, Any]] = self._ask("/completion", request | forced).get("completion_probabilities") or []
        return told[0] if told and told[0]["id"] == token else None

    def _free(self, ids: list[int], sampling: Sampling, seed: int) -> tuple[str, Literal["stop", "length"]]:
        answer = self._ask("/completion", _request(ids, sampling, seed, sampling.max_tokens))
        return answer["content"], finish_of(answer)

    def _guarded(
        self, ids: list[int], sampling: Sampling, seed: int, guard: Guard
    ) -> tuple[str, Literal["stop", "length"]]:
        *kept, last = self._allowed(ids, sampling, seed, guard)
        return text_of([token.piece for token in kept]), last.finish or "length"

    def _allowed(self, ids: list[int], sampling: Sampling, seed: int, guard: Guard) -> Generator[Token]:
        """Stretch after stretch; where the guard refuses a token, another is drawn there without all it refuses. The last
        says why the text ends."""
        kept: list[int] = []
        written: Written = NOTHING
        refused: set[int] = set()
        asked, least = 0, 1
        while len(kept) < sampling.max_tokens:
            room = sampling.max_tokens - len(kept)
            wanted = min(least if refused else STRETCH, room)
            request = _request([*ids, *kept], sampling, seed + 7919 * asked, wanted)
            request |= {"n_probs": LIKELIEST if refused else 1, "logit_bias": [[token, False] for token in refused]}
            answer = self._ask("/completion", request | {"cache_prompt": True, "return_tokens": True})
            asked += 1
            units, stopped = units_of(answer), finish_of(answer) == "stop"
            if not units and stopped:  # nothing but the end, which no guard refuses
                yield Token(b"", finish="stop")
                return
            if not units and not stopped:  # a character's first tokens, and no more of it
                if wanted == room or not answer["tokens"]:
                    break
                refused |= {answer["tokens"][0]} if least == CHARACTER else set()
                least = CHARACTER
                continue
            taken, least = units[:1] if refused else units, 1
            for unit in taken:
                after = guard.after(written, unit.piece)
                if after is None:
                    near = {each for each, piece in unit.likeliest if guard.after(written, piece) is None}
                    refused |= {unit.ids[0], *(near if len(unit.ids) == 1 else ())}
                    break
                kept += unit.ids
                written, refused = after, set()
                yield Token(unit.piece)
            if stopped and not refused and len(taken) == len(units):
                yield Token(b"", finish="stop")
                return
        yield Token(b"", finish="length")

    def _streamed(
        self, ids: list[int], sampling: Sampling, schema: Mapping[str, Any] | None, likeliest: int | None
    ) -> Generator[Token]:
        """The tokens as the server sends them; the last says why the text ends. Closed early, the server stops too."""
        request = _request(ids, sampling, sampling.seed, sampling.max_tokens)
        request |= {} if schema is None else {"json_schema": dict(schema)}
        request |= {} if likeliest is None else {"n_probs": max(1, likeliest)}
        with closing(events(self._line, self.name, request)) as told:
            for sent in told:
                if sent.get("stop"):
                    yield Token(b"", finish=finish_of(sent))
                    return
                if likeliest is None and sent["content"]:
                    yield Token(sent["content"].encode())
                for each in sent.get("completion_probabilities", ()):
                    near = each.get("top_logprobs", ())[:likeliest]
                    yield Token(bytes(each["bytes"]), each["logprob"],
                                tuple((bytes(other["bytes"]), other["logprob"]) for other in near))  # fmt: skip
        raise RunError(f"{self.name}: the GGUF runtime broke off.")

    def _tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text; words such as `<|im_end|>` stand for special tokens only where that is asked for."""
        found = self._ask("/tokenize", {"content": text, "add_special": False, "parse_special": special})
        return [int(each) for each in found["tokens"]]

    def _ask(self, path: str, request: Mapping[str, Any] | None = None) -> Any:
        """The answer of the server. Raises RunError where it is none."""
        return ask(self._line, self.name, path, request)


def _request(ids: Sequence[int], sampling: Sampling, seed: int, tokens: int) -> dict[str, Any]:
    greedy = sampling.temperature == 0
    return {
        "prompt": list(ids),
        "n_predict": tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": 1 if greedy else sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repetition_penalty,
        "repeat_last_n": min(len(ids) + tokens, PENALISED),
        "samplers": list(GREEDY if greedy else ORDER),
        "seed": seed % (2**32 - 1),
        "cache_prompt": False,
    }
