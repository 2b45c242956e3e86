"""A JSON Schema in, what a model may say next out: answers that always parse, and end before they must.

llguidance says which tokens may follow. Beside it, every step knows the shortest way to close what was said; a token
after which there would be no room left to close is not taken, and the shortest way is. So the last of `max_tokens` tokens
is at the latest the one that ends the answer.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wellread.errors import MissingPackage, ModelError, first_line

QUOTE, BACKSLASH = b'"\\'
SEPARATORS = (", ", ": ")
"""Between items and after keys, as in what models are taught."""
_OUTSIDE = b']},: "0123456789-abcdefghijklmnopqrstuvwxyz'
_INSIDE = b'"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789- '
"""Single bytes in the order in which they are tried to close a value, outside a string and inside one."""


def spelled(value: Any) -> str:
    """A value as the grammar spells it: one line, `, ` and `: `, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=SEPARATORS)


@dataclass(frozen=True, slots=True)
class Where:
    """Whether a JSON text ends inside a string, and there after a backslash."""

    inside: bool = False
    escaped: bool = False


class Grammar:
    """A JSON Schema compiled for one tokenizer of transformers; `size` is the number of its tokens.

    Raises MissingPackage without llguidance, ModelError for a schema that cannot be compiled.
    """

    def __init__(self, schema: Mapping[str, Any], tokenizer: Any, size: int, end: int) -> None:
        try:
            import llguidance
            from llguidance.hf import from_tokenizer
        except ImportError:
            raise MissingPackage("answers after a schema need llguidance: pip install 'wellread[structured]'") from None
        self._library, self.end = llguidance, end
        whole = max(
            size, len(tokenizer)
        )  # a tokenizer may have tokens that the model has no row for: Gemma 3's, of pictures
        self._tokens = from_tokenizer(_plainly_decoding(tokenizer), n_vocab=whole, eos_token=end)
        options = {"whitespace_flexible": False, "item_separator": SEPARATORS[0], "key_separator": SEPARATORS[1]}
        self._grammar = _compiled(llguidance, self._tokens, schema, options)
        self.size = size
        self._bytes = [self._tokens.decode_bytes([index]) for index in range(size)]
        self._singles = self._single_bytes()
        self._closers = {
            inside: _ordered(self._singles, order) for inside, order in ((False, _OUTSIDE), (True, _INSIDE))
        }

    def matcher(self) -> Any:
        return self._library.LLMatcher(self._tokens, self._grammar, log_level=0)

    def allows(self, text: str) -> bool:
        """Whether this JSON text, as `spelled` writes it and with keys in the schema's order, follows the schema."""
        matcher = self.matcher()
        said = text.encode(errors="replace")
        whole = all(byte in self._singles for byte in said)
        ids = [self._singles[byte] for byte in said] if whole else self._tokens.tokenize_bytes(said)
        return bool(matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting())

    def begin(self, max_tokens: int) -> Answer:
        """An answer of at most `max_tokens` tokens, the end among them. Raises ModelError where none is so short."""
        matcher = self.matcher()
        way = self.way_out(matcher, Where(), max_tokens)
        if way is None:
            raise ModelError(f"the shortest answer after the schema takes more than {max_tokens} tokens: allow more, or "
                             "loosen the schema.")  # fmt: skip
        return Answer(self, matcher, way, max_tokens)

    def way_out(self, matcher: Any, where: Where, most: int) -> list[int] | None:
        """The tokens that close a value from here, the end included; None where they would be more than `most`."""
        trial = matcher.deep_copy()
        way: list[int] = []
        while not trial.is_accepting():
            forced = trial.compute_ff_tokens()
            if not forced:
                allowed = self.allowed(trial)
                forced = next(([index] for index in self._closers[where.inside] if allowed[index]), [])
            if not forced or len(way) + len(forced) >= most or trial.try_consume_tokens(forced) < len(forced):
                return None
            way += forced
            for index in forced:
                where = self.after(where, index)
        return [*way, self.end] if len(way) < most else None

    def after(self, where: Where, token: int) -> Where:
        """Where the text stands after one more token."""
        inside, escaped = where.inside, where.escaped
        for byte in self._bytes[token]:
            if inside and not escaped:
                inside, escaped = byte != QUOTE, byte == BACKSLASH
            else:
                inside, escaped = inside or byte == QUOTE, False
        return Where(inside, escaped)

    def allowed(self, matcher: Any) -> NDArray[np.bool_]:
        """(size,) whether each token may come next."""
        found: NDArray[np.bool_] = np.frombuffer(matcher.compute_logit_bias(), np.uint8)[: self.size] > 0
        return found

    def _single_bytes(self) -> dict[int, int]:
        """The token of every byte that has one of its own."""
        found: dict[int, int] = {}
        for index, spelt in enumerate(self._bytes):
            if len(spelt) == 1 and index != self.end and not self._tokens.is_special_token(index):
                found.setdefault(spelt[0], index)
        return found


def refuse_unfollowed(schema: Mapping[str, Any]) -> None:
    """Raises ModelError for a schema that llguidance cannot follow; without the package that is not known."""
    try:
        import llguidance
    except ImportError:
        return
    _compiled(llguidance, llguidance.LLTokenizer("byte"), schema, {})


def _compiled(library: Any, tokens: Any, schema: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """The schema as a grammar over these tokens. Raises ModelError."""
    try:
        grammar = library.LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=dict(options))
        wrong = library.LLMatcher(tokens, grammar, log_level=0).get_error()
    except ValueError as error:  # of what Python holds and JSON does not: no number, infinity, half a character
        wrong = first_line(error)
    if wrong:
        raise ModelError(f"this JSON Schema cannot be followed: {' '.join(wrong.split())[:200]}")
    return grammar


def _plainly_decoding(tokenizer: Any) -> Any:
    """A tokenizer whose decoder llguidance understands: of several in a row that end with that of bytes, that one alone.

    So are those of GGUF files, until transformers 5.20 or so; the others in the row find nothing to do there.
    """
    from tokenizers import decoders

    found = getattr(tokenizer, "backend_tokenizer", None)
    state = found and json.loads(found.to_str())["decoder"]
    if not state or state["type"] != "Sequence" or state["decoders"][-1]["type"] != "ByteLevel":
        return tokenizer
    plain = copy.deepcopy(tokenizer)
    plain.backend_tokenizer.decoder = decoders.ByteLevel()
    return plain


def _ordered(singles: Mapping[int, int], order: bytes) -> list[int]:
    """Tokens of single bytes, those of `order` first."""
    first = [byte for byte in order if byte in singles]
    return [singles[byte] for byte in (*first, *(byte for byte in singles if byte not in order))]


class Answer:
    """One answer as it grows."""

    def __init__(self, grammar: Grammar, matcher: Any, way: list[int], left: int) -> None:
        self._grammar, self._matcher = grammar, matcher
        self._way, self._left = way, left
        self._where = Where()
        self._closing = self.ended = False

    def allowed(self) -> NDArray[np.bool_] | None:
        """Which tokens may come next; None where that is settled, or the answer has ended."""
        return None if self._closing or self.ended else self._grammar.allowed(self._matcher)

    def take(self, drawn: int) -> int:
        """The token that comes next: the one drawn, if the answer can still be closed after it."""
        if self.ended:
            return self._grammar.end
        if not self._closing and drawn != self._way[0]:
            tried = self._matcher.deep_copy()
            where = self._grammar.after(self._where, drawn)
            way = self._grammar.way_out(tried, where, self._left - 1) if tried.consume_token(drawn) else None
            if way is not None:
                self._matcher, self._where, self._way, self._left = tried, where, way, self._left - 1
                return drawn
            self._closing = True
        chosen = self._way.pop(0)
        self._left -= 1
        self.ended = chosen == self._grammar.end
        if not self.ended and not self._closing:  # a step on the way out that is known
            self._matcher.consume_token(chosen)
            self._where = self._grammar.after(self._where, chosen)
        return chosen
