"""`wellread extract`: texts in, JSON after a schema out, by any model whose answers can be held to one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wellread import runs
from wellread.answering import structured
from wellread.errors import UsageError
from wellread.forms import load_form
from wellread.generation.extraction import extract, question
from wellread.models import open_model, read_name
from wellread.recipe import parse_recipe
from wellread.recipe.extraction import INSTRUCTION, Extraction
from wellread.types import Message

MAX_TOKENS = 256


@dataclass(frozen=True, slots=True)
class Found:
    text: str
    answer: Any


def extract_from(
    model: str, texts: Sequence[str], *, form: str | Mapping[str, Any] | None = None, instruction: str | None = None,
    max_tokens: int | None = None, offline: bool = False,
) -> list[Found]:  # fmt: skip
    """What a model finds in each text, as a value of the schema `form`.

    A MODEL that is a run of extraction brings its own schema, instruction and length, which hold where none is given.
    Raises UsageError where there is neither, or no text; ModelError where a text does not fit the model's window.
    """
    own = extraction_of(model)
    if own is None:
        read_name(model)  # a run that is not there brings no schema either
    if form is None and own is None:
        raise UsageError(f"{model} brings no schema of its own: name one with --schema.")
    asked = [text for text in texts if text.strip()]
    if not asked:
        raise UsageError("there is no text to extract from; give TEXT, or --file.")
    schema = load_form(form if form is not None else own.form if own else {})
    told = instruction or (own.instruction if own else INSTRUCTION)
    opened = structured(open_model(model, offline=offline))
    questions: list[list[Message]] = [question(text, schema, told) for text in asked]
    said = extract(opened, questions, schema, max_tokens=max_tokens or (own.max_tokens if own else MAX_TOKENS))
    return [Found(text, json.loads(each)) for text, each in zip(asked, said, strict=True)]


def extraction_of(model: str) -> Extraction | None:
    """What the run that a MODEL is was taught to extract; None where it is no such run."""
    for name in (model, model.rpartition(":")[0]):
        if name and runs.is_run(Path(name)):
            this = runs.open_run(name)
            return parse_recipe(this.recipe.read_text(encoding="utf-8"), source=str(this.recipe)).extract
    return None


def texts_of(path: Path, each: Literal["file", "paragraph"] = "file") -> list[str]:
    """The text of a file, whole, or its paragraphs one by one. Any format that a loader reads."""
    from wellread.corpus.reading import load

    documents, skipped = load([path], strict=False)
    if skipped:
        raise UsageError(f"{path}: {skipped[0].reason}")
    text = "\n\n".join(document.text for document in documents)
    return [text] if each == "file" else [part for part in re.split(r"\n\s*\n", text) if part.strip()]
