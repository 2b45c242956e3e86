"""What clients send, as records: OpenAI's fields with their bounds, and this house's own beside them.

Fields of OpenAI's that change nothing here (`user`, `metadata`, `store`, …) are let pass; those that would change the
answer, and that nothing here can do, are refused where they are used.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from wellread.recipe import DIAL_END
from wellread.serving.failures import Failure
from wellread.types import Sampling


def _whole(text: str) -> str:
    """JSON can spell half a character (`\\ud83d`), as clients do that cut a text in the middle of one; no tokenizer reads it."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half a character stands at place {error.start + 1}; send whole ones") from None
    return text


def _no_ids(given: Any) -> Any:
    """OpenAI takes arrays of token ids, too. Whose they are, they do not say: clients count with a tokenizer of OpenAI's, and read
    with another one they would be other words, without anybody noticing."""
    rows = given if isinstance(given, list) else []
    if any(type(inner) is int for each in rows for inner in (each if isinstance(each, list) else [each])):
        raise ValueError(
            "texts are wanted, found token ids, which mean other words to every tokenizer; send the texts themselves"
        )
    return given


Text = Annotated[str, AfterValidator(_whole)]
Stop = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Stops = Annotated[list[Stop], Field(max_length=16)]
SEEDS = 2**32
"""Seeds are taken modulo this."""


class _Asked(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, populate_by_name=True)


DEEPEST, MOST = 32, 2000
"""Of a JSON Schema: values within values, and values altogether."""


def _within(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


class StreamOptions(_Asked):
    include_usage: bool | None = None
    """Send a last event with the number of tokens."""


class Form(_Asked):
    name: str = ""
    schema_: dict[str, Any] = Field(alias="schema")
    """A JSON Schema of at most 2,000 values, 32 deep."""

    @field_validator("schema_", mode="before")
    @classmethod
    def is_no_burden(cls, given: Any) -> Any:
        """What is compiled for one client keeps all others waiting."""
        level, count = [given], 0
        for _ in range(DEEPEST):
            level = [inner for each in level for inner in _within(each)]
            count += len(level)
            if count > MOST:
                raise ValueError(f"a schema may have {MOST:,} values")
        if level:
            raise ValueError(f"a schema may be {DEEPEST} values deep")
        return given


class ResponseFormat(_Asked):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: Form | None = None

    @model_validator(mode="after")
    def has_its_schema(self) -> ResponseFormat:
        if self.type == "json_schema" and self.json_schema is None:
            raise ValueError("json_schema is missing beside the type json_schema")
        return self


class Writing(_Asked):
    """What completions and chats have in common."""

    model: str = ""
    """One of `/v1/models`; may be left out where there is one."""
    max_tokens: int | None = Field(default=None, ge=1)
    """The longest text; the server's own bound holds beside it."""
    temperature: float | None = Field(default=None, ge=0, le=10)
    """0 is greedy; default: 0.8."""
    top_p: float | None = Field(default=None, ge=0, le=1)
    """Keep the likeliest tokens that hold this share; default: 0.95."""
    top_k: int | None = Field(default=None, ge=0)
    """Keep this many of the likeliest tokens; 0: all."""
    min_p: float | None = Field(default=None, ge=0, le=1)
    """Drop tokens below this share of the likeliest."""
    repetition_penalty: float | None = Field(
        default=None, ge=0.01, le=100, validation_alias=AliasChoices("repetition_penalty", "repeat_penalty")
    )
    """Above 1, tokens already there become less likely."""
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**64)
    """The same seed gives the same text; default: another one each time."""
    n: int | None = Field(default=None, ge=1, le=32)
    """How many texts."""
    stop: Stop | Stops | None = None
    """Where one of these would come, the text ends, without it."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    dial: float | None = Field(default=None, ge=0, le=DIAL_END)
    """How far from a run's base (0) to what it became (1)."""
    no_recite: int | None = Field(default=None, ge=0, le=1000)
    """Never more than so many words of the run's corpus in a row; 0: any."""
    response_format: ResponseFormat | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None

    def refuse(self) -> None:
        """Raises Failure for a setting that would change the answer, and that nothing here reads."""
        for name, value in (("presence_penalty", self.presence_penalty), ("frequency_penalty", self.frequency_penalty),
                            ("logit_bias", self.logit_bias)):  # fmt: skip
            if value:
                raise Failure(400, f"{name} is not offered here; there is repetition_penalty.", "unsupported", name)

    def sampling(self, most: int, default: int, seed: int) -> Sampling:
        """How the texts are drawn; `seed` is for those who give none."""
        plain = Sampling()

        def or_else(value: Any, other: Any) -> Any:
            return other if value is None else value

        return Sampling(
            max_tokens=min(most, or_else(self.longest, default)),
            temperature=or_else(self.temperature, plain.temperature),
            top_p=or_else(self.top_p, plain.top_p),
            top_k=or_else(self.top_k, plain.top_k),
            min_p=or_else(self.min_p, plain.min_p),
            repetition_penalty=or_else(self.repetition_penalty, plain.repetition_penalty),
            seed=or_else(self.seed, seed) % SEEDS,
            n=self.n or 1,
            no_recite=self.no_recite or 0,
        )

    @property
    def longest(self) -> int | None:
        return self.max_tokens

    @property
    def stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else self.stop or []

    @property
    def likeliest(self) -> int | None:
        """So many of the likeliest tokens beside every logarithm; None where none is asked for."""
        return None

    @property
    def schema_asked(self) -> dict[str, Any] | None:
        """The JSON Schema that the text is held to."""
        form = self.response_format
        if form is None or form.type == "text":
            return None
        return {"type": "object"} if form.json_schema is None else form.json_schema.schema_


class CompletionAsked(Writing):
    """A beginning to go on from, or several."""

    prompt: Annotated[Text | Annotated[list[Text], Field(min_length=1, max_length=32)], BeforeValidator(_no_ids)]
    logprobs: int | None = Field(default=None, ge=0, le=20)
    """Logarithms of the tokens, with so many of the likeliest beside each."""
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None

    @property
    def likeliest(self) -> int | None:
        return self.logprobs

    def refuse(self) -> None:
        super().refuse()
        for name, used in (
            ("suffix", self.suffix),
            ("echo", self.echo),
            ("best_of", (self.best_of or 1) > (self.n or 1)),
        ):
            if used:
                raise Failure(400, f"{name} is not offered here.", "unsupported", name)


class TextPart(_Asked):
    type: Literal["text"]
    text: Text


class Turn(_Asked):
    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Annotated[list[TextPart], Field(max_length=256)] | None = None

    @property
    def message(self) -> dict[str, str]:
        """As models read it: parts joined, developers heard as the system."""
        parts = self.content if isinstance(self.content, list) else []
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in parts)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class ChatAsked(Writing):
    """A conversation to answer."""

    messages: list[Turn] = Field(min_length=1, max_length=1024)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    """OpenAI's newer name for `max_tokens`."""
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    """So many of the likeliest tokens beside each; with `logprobs`."""
    tool_choice: Any = None

    @property
    def longest(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def likeliest(self) -> int | None:
        return (self.top_logprobs or 0) if self.logprobs else None

    def refuse(self) -> None:
        """Tools may be offered: a model that never calls one is within its rights, unless it is told to."""
        super().refuse()
        if self.tool_choice not in (None, "auto", "none"):
            raise Failure(400, "models here call no tools: leave tool_choice away.", "unsupported", "tool_choice")
        if self.top_logprobs is not None and not self.logprobs:
            raise Failure(400, "top_logprobs goes with logprobs: true.", "invalid_value", "top_logprobs")


class EmbeddingsAsked(_Asked):
    """Texts to be made vectors."""

    model: str = ""
    input: Annotated[Text | Annotated[list[Text], Field(min_length=1, max_length=2048)], BeforeValidator(_no_ids)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(default=None, ge=1)
    """Refused unless it is the embedder's own width."""
