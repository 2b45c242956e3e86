"""A JSON Schema as people name it in, the schema out; and a value in the order that its schema gives."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wellread.errors import RecipeError, first_line
from wellread.texts import library_path


def load_form(form: str | Mapping[str, Any]) -> dict[str, Any]:
    """The schema that a recipe or `--schema` names: a JSON file, `library:NAME`, `module:Model` or `file.py:Model` of
    pydantic, JSON text, or the schema itself. Raises RecipeError in one line."""
    if not isinstance(form, str):
        return dict(form)
    if form.lstrip().startswith("{"):
        return _parsed(form, "the schema")
    path = Path(library_path(form))
    if path.is_file():
        try:
            return _parsed(path.read_text(encoding="utf-8-sig"), form)
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the schema {form}: {first_line(error)}") from None
    module, _, name = form.rpartition(":")
    if not module or not name.isidentifier():
        raise RecipeError(f"there is no schema {form}: name a JSON file, or a pydantic model as module:Model")
    return _of_model(module, name)


def arranged(value: Any, schema: Mapping[str, Any]) -> Any:
    """The same value, its keys in the order in which the schema names them, as decoding writes them."""
    return _arranged(value, schema, schema)


def _arranged(value: Any, part: Any, whole: Mapping[str, Any]) -> Any:
    while isinstance(part, Mapping) and "$ref" in part:
        part = _pointed(whole, str(part["$ref"]))
    if not isinstance(part, Mapping):
        return value
    for name in ("anyOf", "oneOf"):
        if name in part and isinstance(value, dict | list):
            kind = "object" if isinstance(value, dict) else "array"
            fits = (each for each in part[name] if _is(each, kind, whole) and _has(each, value, whole))
            return _arranged(value, next(fits, {}), whole)
    if isinstance(value, list):
        return [_arranged(each, part.get("items", {}), whole) for each in value]
    if isinstance(value, dict):
        known = part.get("properties", {})
        ordered = [name for name in known if name in value] + [name for name in value if name not in known]
        return {name: _arranged(value[name], known.get(name, {}), whole) for name in ordered}
    return value


def fault(value: Any, schema: Mapping[str, Any]) -> str:
    """The first place where a value has other keys than its schema asks for, in words; empty where none is found.

    Only names are looked at, so that a fault can be told before a model is opened: whether a value follows is for what
    compiles the schema to say.
    """
    return _fault(value, schema, schema, "")


def _fault(value: Any, part: Any, whole: Mapping[str, Any], place: str) -> str:
    while isinstance(part, Mapping) and "$ref" in part:
        part = _pointed(whole, str(part["$ref"]))
    if not isinstance(part, Mapping) or {"anyOf", "oneOf", "allOf"} & set(part):
        return ""
    if isinstance(value, list):
        found = (_fault(each, part.get("items"), whole, f"{place}[{at}]") for at, each in enumerate(value))
        return next(filter(None, found), "")
    if not isinstance(value, dict):
        return ""
    known = part.get("properties", {})
    missing = [name for name in part.get("required", ()) if name not in value]
    closed = part.get("additionalProperties", True) is False and not part.get("patternProperties")
    strange = [name for name in value if name not in known] if closed else []
    if missing or strange:
        told = [f"has no {', '.join(missing)}"] if missing else []
        told += [f"has {', '.join(strange)}, which it does not know"] if strange else []
        return f"{place.lstrip('.') or 'the answer'} {' and '.join(told)}"
    return next(
        filter(None, (_fault(each, known.get(name), whole, f"{place}.{name}") for name, each in value.items())), ""
    )


def _is(part: Any, kind: str, whole: Mapping[str, Any]) -> bool:
    if isinstance(part, Mapping) and "$ref" in part:
        part = _pointed(whole, str(part["$ref"]))
    return isinstance(part, Mapping) and part.get("type") in (kind, None)


def _has(part: Any, value: Any, whole: Mapping[str, Any]) -> bool:
    if isinstance(part, Mapping) and "$ref" in part:
        part = _pointed(whole, str(part["$ref"]))
    return not isinstance(value, dict) or set(value) <= set(part.get("properties", value))


def _pointed(whole: Mapping[str, Any], pointer: str) -> Any:
    found: Any = whole
    for name in pointer.removeprefix("#").strip("/").split("/") if pointer.strip("#/") else []:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecipeError(f"{name}: not valid JSON ({error.msg}, line {error.lineno})") from None
    if not isinstance(found, dict):
        raise RecipeError(f"{name}: a JSON Schema is an object; found {type(found).__name__}")
    return found


def _of_model(module: str, name: str) -> dict[str, Any]:
    from pydantic import BaseModel

    try:
        model = getattr(_imported(module), name)
    except (ImportError, SyntaxError, AttributeError, OSError) as error:
        raise RecipeError(f"cannot import {name} from {module}: {first_line(error)}") from None
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise RecipeError(f"{module}:{name} is no pydantic model; give a class that derives from BaseModel")
    return dict(model.model_json_schema())


def _imported(module: str) -> Any:
    if not module.endswith(".py"):
        return importlib.import_module(module)
    spec = importlib.util.spec_from_file_location(Path(module).stem, module)
    if spec is None or spec.loader is None:
        raise ImportError(f"{module} is no Python file")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
