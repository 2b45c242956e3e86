"""A glossary file in, its Terms out: JSON, JSON lines, CSV, TSV, YAML, or Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from wellread.errors import CorpusError, first_line
from wellread.synthesis.markdown import entries
from wellread.synthesis.terms import terms_of
from wellread.types import Term

SUFFIXES = (".json", ".jsonl", ".csv", ".tsv", ".yaml", ".yml", ".md", ".markdown")
WRAPPERS = ("terms", "glossary", "entries", "acronyms", "termes", "glossaire", "items", "data")
"""Keys under which a file may keep the list of its entries."""


def load_terms(path: Path, *, bare: bool = False) -> list[Term]:
    """The Terms of a glossary file, in its order; several senses of a name are several Terms.

    Headings may be called many things (`terms.HEADINGS`). `bare` allows entries of a name alone. Raises CorpusError in
    one line, with the place, for a file that cannot be read and for the first entry that is none.
    """
    suffix = path.suffix.lower()
    if path.is_dir():
        raise CorpusError(f"{path.as_posix()} is a folder, and a glossary is one file; name the file in it.")
    if suffix not in SUFFIXES:
        raise CorpusError(f"{path.as_posix()}: a glossary is one of {', '.join(SUFFIXES)}; save it as one of these.")
    text = _read(path)
    return terms_of(_rows(path, suffix, text, bare), path.as_posix(), bare=bare)


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path.as_posix()}: there is no such file; check the name and the folder.") from None
    except OSError as error:
        raise CorpusError(f"{path.as_posix()}: cannot be read ({error.strerror or error}).") from None
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CorpusError(f"{path.as_posix()}: expected text, found binary data; save the glossary as UTF-8.")


def _rows(path: Path, suffix: str, text: str, bare: bool) -> Iterator[tuple[str, Any]]:
    if suffix in {".csv", ".tsv"}:
        yield from _table(path, suffix, text)
    elif suffix in {".md", ".markdown"}:
        yield from entries(text)
    elif suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield f"line {number}", _json(path, line, number)
    else:
        whole = _json(path, text) if suffix == ".json" else _yaml(path, text)
        yield from _entries(path, whole, bare)


def _json(path: Path, text: str, line: int = 0) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        where = f"line {line or error.lineno}, column {error.colno}"
        raise CorpusError(f"{path.as_posix()}, {where}: not valid JSON ({error.msg}).") from None
    except ValueError as error:
        raise CorpusError(f"{path.as_posix()}{f', line {line}' if line else ''}: {error}") from None
    except RecursionError:
        raise CorpusError(f"{path.as_posix()}: nested too deeply for a glossary.") from None


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these keys and values. Raises ValueError where a key comes again with another value: readers of JSON
    and of YAML keep the last, and drop the others without a word."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if found.setdefault(key, value) != value:
            raise ValueError(
                f"{key!r} comes twice in one object; give its meanings as a list, or entries of their own."
            )
    return found


def _yaml(path: Path, text: str) -> Any:
    """A YAML file's value, every scalar but null as it is spelt: `NO` is no truth value here, nor is `007` a number."""
    import yaml

    class Spelt(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            try:
                _once([(key.value, self.construct_object(value, deep=True)) for key, value in node.value
                       if isinstance(key, yaml.ScalarNode)])  # fmt: skip
            except ValueError as error:
                raise yaml.constructor.ConstructorError(None, None, str(error).rstrip("."), node.start_mark) from None
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
                    key.tag = yaml.resolver.BaseResolver.DEFAULT_SCALAR_TAG  # a term may be called null
            return dict(super().construct_mapping(node, deep=deep))

    Spelt.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in several if tag.endswith((":null", ":merge"))]
        for first, several in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        return yaml.load(text, Loader=Spelt)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or first_line(error)
        raise CorpusError(f"{path.as_posix()}{where}: not valid YAML ({problem}).") from None


def _entries(path: Path, whole: Any, bare: bool) -> Iterator[tuple[str, Any]]:
    """A list of entries, an object that keeps one, or an object from names to texts or entries."""
    if isinstance(whole, Mapping):
        inner = next((whole[key] for key in WRAPPERS if isinstance(whole.get(key), list | dict)), None)
        if inner is not None:
            whole = inner
    if isinstance(whole, list):
        yield from ((f"entry {number}", row) for number, row in enumerate(whole, 1))
    elif isinstance(whole, Mapping):
        for name, value in whole.items():
            yield f"entry {name!r}", _named(str(name), value, bare)
    else:
        raise CorpusError(f"{path.as_posix()}: expected a list of entries, found {str(whole)[:40]!r}.")


def _named(name: str, value: Any, bare: bool) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"term": name, **value}
    if isinstance(value, list):
        return {"term": name, "senses": value}
    return {"term": name} if value is None and bare else {"term": name, "definition": value}


def _table(path: Path, suffix: str, text: str) -> Iterator[tuple[str, Any]]:
    """Rows by the headings of the first line that is not blank; columns parted by tabs, commas or semicolons, whichever it has
    most of."""
    table = text.lstrip("\r\n")
    before = text[: len(text) - len(table)].count("\n")
    head = table.partition("\n")[0]
    delimiter = "\t" if suffix == ".tsv" else max(",;\t", key=head.count)
    if begun := _unclosed(table, delimiter):
        raise CorpusError(
            f"{path.as_posix()}, line {before + begun}: a quotation mark opens a text that nothing closes, so that all rows "
            "after it would be lost; close it, or write it twice within quotes."
        )
    reader = csv.DictReader(io.StringIO(table, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if any(each.strip() for each in row.pop(None, None) or ()):
                raise CorpusError(
                    f"{path.as_posix()}, line {before + reader.line_num}: more columns than the first line names; "
                    f"put quotes around a text that holds {delimiter!r}."
                )
            if any(value and value.strip() for value in row.values() if isinstance(value, str)):
                yield f"line {before + reader.line_num}", row
    except csv.Error as error:
        raise CorpusError(f"{path.as_posix()}, line {before + reader.line_num}: {error}.") from None


def _unclosed(table: str, delimiter: str) -> int:
    """The line of the row in which a quoted text begins that never ends; 0 where there is none."""
    reader = csv.reader(io.StringIO(table, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    begun = 1
    try:
        for _ in reader:
            begun = reader.line_num + 1
    except csv.Error as error:  # of any other, reading in earnest makes what it can
        return begun if "unexpected end of data" in str(error) else 0
    return 0
