"""A text and a JSON Schema in, the question a model is asked out; and a model's answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wellread.generation.structured import spelled
from wellread.types import Message, Sampling, StructuredModel

_MOST_CHOICES = 12
_DEEPEST = 6


def question(
    text: str, schema: Mapping[str, Any], instruction: str, shots: Sequence[tuple[str, Any]] = ()
) -> list[Message]:
    """A chat that asks for the JSON of one text, the schema in view; `shots` are texts with their answers, shown first.

    The text stands between lines of quotation marks, more of them than it has in a row itself, so that it is told from
    what is asked.
    """
    chat: list[Message] = [{"role": "system", "content": f"{instruction}\nSchema: {sketch(schema)}"}]
    for shown, known in shots:
        chat += [{"role": "user", "content": quoted(shown)}, {"role": "assistant", "content": spelled(known)}]
    return [*chat, {"role": "user", "content": quoted(text)}]


def quoted(text: str) -> str:
    fence = '"""'
    while fence in text:
        fence += '"'
    return f"{fence}\n{text.strip()}\n{fence}"


def sketch(schema: Mapping[str, Any]) -> str:
    """A JSON Schema as a reader takes it in: `[{"song": 1 to 14, "from": integer (first line)}]`."""
    return _sketch(schema, schema, 0)


def taught(text: str, schema: Mapping[str, Any], instruction: str, gold: Any) -> list[Message]:
    """The same question with its right answer: what a model is taught."""
    return [*question(text, schema, instruction), {"role": "assistant", "content": spelled(gold)}]


def extract(
    model: StructuredModel, questions: Sequence[Sequence[Message]], schema: Mapping[str, Any], *, max_tokens: int
) -> list[str]:
    """What a model answers each question, likeliest token by likeliest token: JSON text of the schema."""
    sampling = Sampling(max_tokens=max_tokens, temperature=0)
    return [sample.completion for sample in model.generate_json(questions, sampling, schema)]


def _sketch(part: Any, whole: Mapping[str, Any], depth: int) -> str:
    if not isinstance(part, Mapping) or depth > _DEEPEST:
        return "anything"
    if "$ref" in part:
        return _sketch(_pointed(whole, str(part["$ref"])), whole, depth + 1)
    said = f" ({part['description']})" if part.get("description") and depth else ""
    return _kind(part, whole, depth) + said


def _kind(part: Mapping[str, Any], whole: Mapping[str, Any], depth: int) -> str:
    if "const" in part:
        return spelled(part["const"])
    if "enum" in part:
        shown = [spelled(value) for value in part["enum"][:_MOST_CHOICES]]
        return " | ".join(shown + (["…"] if len(part["enum"]) > _MOST_CHOICES else []))
    for name in ("anyOf", "oneOf"):
        if name in part:
            return " | ".join(_sketch(each, whole, depth + 1) for each in part[name])
    kind = part.get("type", "object" if "properties" in part else "anything")
    if isinstance(kind, list):
        return " | ".join(_kind({**part, "type": each}, whole, depth) for each in kind)
    if kind == "array":
        return f"[{_sketch(part.get('items', {}), whole, depth + 1)}, …]"
    if kind == "object":
        fields = (f'"{name}": {_sketch(each, whole, depth + 1)}' for name, each in part.get("properties", {}).items())
        return "{" + ", ".join(fields) + "}"
    if kind == "integer" and "minimum" in part and "maximum" in part:
        return f"{part['minimum']} to {part['maximum']}"
    return str(kind)


def _pointed(whole: Mapping[str, Any], pointer: str) -> Any:
    """What `#/$defs/Name` stands for."""
    found: Any = whole
    for name in pointer.removeprefix("#").strip("/").split("/") if pointer.strip("#/") else []:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
