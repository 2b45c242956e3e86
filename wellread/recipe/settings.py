"""What a recipe says of its corpus, its samples, its measurements and its dial, as records."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from wellread.recipe.methods import Record


class CorpusSettings(Record):
    texts: tuple[str, ...] = ()
    """Files or folders to read when the command line names none; `library:novella` is an embedded text."""
    clean: bool = True
    """Apply the cleaning rules; the report says what each removed."""
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the text that is watched while training, and by which `keep: best` chooses the checkpoint."""
    held_out: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the text that nothing looks at before the final measurement."""
    near_duplicates: bool = True
    """Find passages that stand in two parts and move them into one; examples of one prompt are in one part anyway."""


class SamplingSettings(Record):
    max_tokens: int = Field(default=200, ge=1)
    """Longest continuation, in tokens."""
    temperature: float = Field(default=0.8, ge=0)
    """0 is greedy decoding."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Keep the likeliest tokens that together hold this share."""
    top_k: int = Field(default=0, ge=0)
    """Keep this many of the likeliest tokens; 0 keeps all."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Drop tokens less likely than this share of the likeliest."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Above 1, tokens already there become less likely."""
    n: int = Field(default=2, ge=1)
    """Samples for each opening line."""
    prompts: tuple[str, ...] = ()
    """Opening lines; none: the first line of the first validation chapter, or of examples what six held-out ones ask. Of
    examples they are asked as chats. The same for every subject and stage."""
    generate_during_eval: bool = True
    """Write up to 60 tokens after the first of them at each evaluation of training, for whoever watches (the studio shows them):
    rows of `log.jsonl`. They take at most a twentieth of the time since the evaluation before, or a second, which does not
    count as training; nothing that is learned or measured depends on them. Not in several processes."""


class MeasureSettings(Record):
    metrics: tuple[str, ...] = ()
    """Names of metrics; none: all that apply."""
    quick: bool = True
    """Measure a stated sample of each part rather than all of it: wider intervals, less time."""
    quick_words: int = Field(default=20_000, ge=500)
    """Words of each part that `quick` measures."""
    style_words: int = Field(default=0, ge=0)
    """Words that every subject writes so that its style can be measured, at least 5,000; 0: none are written for it."""

    @field_validator("style_words")
    @classmethod
    def enough_for_a_style(cls, words: int) -> int:
        if 0 < words < 5_000:
            raise ValueError(f"a style needs at least 5,000 words, or 0 to leave it unmeasured; found {words}")
        return words


DIAL_END = 1.2
"""How far a dial goes; beyond this the difference is stretched so far that models fall apart."""


class DialSettings(Record):
    """Where between the base and the trained model one stands: W₀ + α·ΔW."""

    origin: str | None = Field(default=None, alias="from")
    """The stage that is 0 on the dial; None: the recipe's base."""
    wish: Literal["voice-without-recitation"] | None = None
    """What a setting is chosen for, on validation; with a wish the run draws its dial curve at the end."""
    settings: tuple[float, ...] = Field(default=(0.0, 0.25, 0.5, 0.75, 1.0), min_length=2)
    """Where the curve is measured, each from 0 to 1.2."""

    @model_validator(mode="before")
    @classmethod
    def by_either_name(cls, value: object) -> object:
        """`from`, as YAML has it, is no name that Python allows."""
        if not isinstance(value, dict):
            return value
        return {"from" if key == "origin" else key: each for key, each in value.items()}

    @model_serializer(mode="wrap")
    def as_yaml_has_it(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"from" if key == "origin" else key: value for key, value in write(self).items()}

    @field_validator("settings")
    @classmethod
    def within_bounds(cls, settings: tuple[float, ...]) -> tuple[float, ...]:
        for each in settings:
            if not 0 <= each <= DIAL_END:
                raise ValueError(f"a dial goes from 0 to {DIAL_END}; found {each:g}")
        return tuple(sorted(set(settings)))
