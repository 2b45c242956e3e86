"""A .gguf file in, a LanguageModel that writes out: llama.cpp, through the server that comes with xllamacpp.

The server runs inside this process and listens on this machine alone, at a port of its own. It gives no
log-probabilities of a prompt, so this backend cannot score: measuring opens the same file through transformers.
"""

from __future__ import annotations

import codecs
import http.client
import json
import signal
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from wellread.errors import MissingPackage, ModelError, RunError
from wellread.generation.guard import LIKELIEST, NOTHING, Guard, Written
from wellread.matching import Index
from wellread.types import Prompt, Sample, Sampling, Scored, last_words

WINDOW = 2048
"""Tokens of context at most where nothing else is asked for."""
STRETCH = 24
"""Tokens that the guard lets be written before it looks at them."""
SEPARATOR = "<|endoftext|>"
FORCED = 1e6
"""Added to the logit of a token that is to be taken."""
ORDER = ("penalties", "temperature", "top_k", "top_p", "min_p")
"""llama.cpp's samplers in the order of transformers."""


def available() -> bool:
    """Whether the package that runs GGUF files is installed."""
    return find_spec("xllamacpp") is not None


class _Token(NamedTuple):
    id: int
    piece: bytes
    likeliest: tuple[tuple[int, bytes], ...]


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
        self._index = index
        self._server = _started(path, self.window, exact=exact)
        self._host = urlsplit(self._server.listening_address).netloc
        told = self._ask("/props")
        self.window = min(self.window, told["default_generation_settings"]["n_ctx"])  # the file's own may be less
        separator = self._tokens(SEPARATOR, special=True)
        self._start = separator if len(separator) == 1 else self._tokens(told["bos_token"], special=True)

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

    def spell(self, text: str) -> list[int]:
        """The ids of a text's tokens, without what a document begins with."""
        return self._tokens(text)

    def asked(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The ids of a chat up to where the answer begins, by the file's own template."""
        said = self._ask("/apply-template", {"messages": [dict(message) for message in messages]})
        return self._tokens(said["prompt"], special=True)

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

    def _forced(self, before: list[int], token: int, likeliest: int) -> dict[str, Any] | None:
        """What the server says of one token that it must take; None where it says nothing."""
        request = _request(before, Sampling(temperature=0, max_tokens=1), 0, 1)
        forced = {"n_probs": likeliest, "cache_prompt": True, "logit_bias": [[token, FORCED]]}
        told: list[dict[str, Any]] = self._ask("/completion", request | forced).get("completion_probabilities") or []
        return told[0] if told and told[0]["id"] == token else None

    def _context(self, prompt: Prompt, max_tokens: int) -> list[int]:
        ids = [*self._start, *self._tokens(prompt)] if isinstance(prompt, str) else self.asked(prompt)
        return ids[-max(self.window - max_tokens, self.window // 2, 1) :]

    def _free(self, ids: list[int], sampling: Sampling, seed: int) -> tuple[str, Literal["stop", "length"]]:
        answer = self._ask("/completion", _request(ids, sampling, seed, sampling.max_tokens))
        return answer["content"], _finish(answer)

    def _guarded(
        self, ids: list[int], sampling: Sampling, seed: int, guard: Guard
    ) -> tuple[str, Literal["stop", "length"]]:
        """Stretch after stretch; where the guard refuses a token, another is drawn there without all it refuses."""
        kept: list[_Token] = []
        written: Written = NOTHING
        refused: set[int] = set()
        asked = 0
        while len(kept) < sampling.max_tokens:
            wanted = 1 if refused else min(STRETCH, sampling.max_tokens - len(kept))
            request = _request([*ids, *(token.id for token in kept)], sampling, seed + 7919 * asked, wanted)
            request |= {"n_probs": LIKELIEST if refused else 1, "logit_bias": [[token, False] for token in refused]}
            answer = self._ask("/completion", request | {"cache_prompt": True})
            asked += 1
            tokens = _tokens_of(answer)
            refused_before, refused = refused, set()
            for token in tokens:
                after = guard.after(written, token.piece)
                if after is None:
                    near = {each for each, piece in token.likeliest if guard.after(written, piece) is None}
                    refused = {*refused_before, token.id, *near}
                    break
                kept.append(token)
                written, refused_before = after, set()
            if not refused and (_finish(answer) == "stop" or not tokens):
                return _text(kept), "stop"
        return _text(kept), "length"

    def _tokens(self, text: str, *, special: bool = False) -> list[int]:
        """Token ids of a text; words such as `<|im_end|>` stand for special tokens only where that is asked for."""
        found = self._ask("/tokenize", {"content": text, "add_special": False, "parse_special": special})
        return [int(each) for each in found["tokens"]]

    def _ask(self, path: str, request: Mapping[str, Any] | None = None) -> Any:
        """The answer of the server. Raises RunError where it is none."""
        connection = http.client.HTTPConnection(self._host)
        try:
            body = None if request is None else json.dumps(request)
            connection.request("GET" if body is None else "POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise RunError(f"{self.name}: the GGUF runtime gave no answer ({error}).") from error
        finally:
            connection.close()
        if response.status != http.client.OK:
            said = answer.get("error", {}).get("message", f"status {response.status}")
            raise RunError(f"{self.name}: the GGUF runtime refused ({said}).")
        return answer


def _started(path: Path, window: int, *, exact: bool) -> Any:
    """The server of a file; Ctrl-C stays what it was, which the server would take for itself."""
    import psutil

    try:
        import xllamacpp
    except ImportError:
        raise MissingPackage(
            "GGUF files run through a package that is not installed; run: pip install 'wellread[gguf]'"
        ) from None
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = window
    params.n_parallel = 1
    params.ctx_shift = True
    params.port = 0
    params.verbosity = -1
    params.warmup = False
    if exact:
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    threads = max(1, psutil.cpu_count(logical=False) or 1)
    for each in (params.cpuparams, params.cpuparams_batch):
        each.n_threads = threads
        each.poll = 0  # threads that spin while they wait crawl as soon as another program wants a core
    ours = signal.getsignal(signal.SIGINT)
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ModelError(f"{path}: the GGUF runtime cannot open it ({error}).") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, ours)


def _request(ids: Sequence[int], sampling: Sampling, seed: int, tokens: int) -> dict[str, Any]:
    return {
        "prompt": list(ids),
        "n_predict": tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repeat_penalty": sampling.repetition_penalty,
        "repeat_last_n": 2**31 - 1,
        "samplers": list(ORDER),
        "seed": seed % (2**32 - 1),
        "cache_prompt": False,
    }


def _tokens_of(answer: Mapping[str, Any]) -> list[_Token]:
    """What was written, with the bytes of each token and of its likeliest neighbours; without the one that ended it."""
    found = [
        _Token(each["id"], bytes(each["bytes"]),
               tuple((near["id"], bytes(near["bytes"])) for near in each.get("top_logprobs", ())))
        for each in answer.get("completion_probabilities", ())
    ]  # fmt: skip
    ended = (
        _finish(answer) == "stop"
        and found
        and not answer["content"].endswith(found[-1].piece.decode("utf-8", "replace"))
    )
    return found[:-1] if ended else found


def _finish(answer: Mapping[str, Any]) -> Literal["stop", "length"]:
    return "stop" if answer.get("stop_type") in {"eos", "word"} else "length"


def _text(tokens: Sequence[_Token]) -> str:
    return codecs.getincrementaldecoder("utf-8")("replace").decode(b"".join(token.piece for token in tokens))
