"""Rows with whatever headings in, Terms out: which column is the name, the expansion, the definition; several senses."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from wellread.errors import CorpusError
from wellread.types import Term

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "name": (
        "term", "terme", "acronym", "acronyme", "sigle", "name", "nom", "word", "mot", "abbreviation", "abreviation",
        "abbr", "headword", "entry", "entree", "key", "label", "short", "shortform", "concept",
    ),
    "expansion": (
        "expansion", "long", "longform", "fullform", "fullname", "full", "standsfor", "expanded", "developpement",
        "formelongue", "formedeveloppee", "spelledout",
    ),
    "definition": ("definition", "description", "meaning", "signification", "explanation", "explication", "gloss", "glose",
                   "text", "texte", "value"),
    "notes": ("notes", "note", "comment", "comments", "remark", "remarks", "remarque", "remarques", "commentaire"),
    "aliases": ("aliases", "alias", "synonyms", "synonym", "synonymes", "synonyme", "alsoknownas", "aka", "variants",
                "variantes", "othernames"),
    "facts": ("facts", "fact", "keyfacts", "keyfact", "faits", "fait", "faitscles", "keypoints"),
    "sense": ("sense", "sens", "domain", "domaine", "field", "category", "categorie", "usage", "context", "contexte"),
    "senses": ("senses", "meanings", "definitions", "expansions", "lessens"),
}  # fmt: skip
"""What each field may be called; case, accents, spaces and hyphens do not count. The earlier name wins."""
WORD = re.compile(r"[^\W_]+(?:[’'][^\W_]+)*")
SMALL = frozenset((
    "a", "an", "and", "the", "of", "for", "on", "in", "to", "at", "by", "with", "or",
    "de", "du", "des", "la", "le", "les", "et", "en", "à", "au", "aux", "pour", "sur", "d", "l",
))  # fmt: skip
"""Words that an acronym may pass over."""


def terms_of(rows: Iterable[tuple[str, Any]], source: str, *, bare: bool = False) -> list[Term]:
    """The Terms of (place, row) pairs; a row is an object, or a name with its text.

    An entry with `senses` gives a Term for each, and so do rows of one name; rows that say the same are one Term.
    `bare` allows entries of a name alone, as invented terms are. Raises CorpusError in one line with the place.
    """
    found: dict[Term, None] = {}
    place = ""
    for place, row in rows:
        try:
            found.update(dict.fromkeys(_terms(row, bare)))
        except ValueError as error:
            raise CorpusError(f"{source}, {place}: {error}") from None
    if not found:
        raise CorpusError(f"{source}: no terms in it; an entry has a term and what it stands for or means.")
    return list(found)


def _terms(row: Any, bare: bool) -> Iterator[Term]:
    if isinstance(row, str) and bare:
        row = {"term": row}
    if not isinstance(row, Mapping):
        raise ValueError(f"expected an entry with `term` and `definition` or `expansion`; found {str(row)[:40]!r}.")
    fields = _fields(row)
    name = _text(fields.get("name"))
    if not name and any(_heading(str(key)) in HEADINGS["name"] for key in row):
        raise ValueError("the term is empty; name it, or take the row out.")
    if not name:
        named = ", ".join(map(str, row)) or "nothing"
        raise ValueError(f"no field names the term; found {named}; call one `term` or `acronym`.")
    shared = {"aliases": _several(fields.get("aliases")), "notes": _text(fields.get("notes"))}
    senses = fields.get("senses")
    if isinstance(senses, list) and senses:
        for sense in senses:
            inner = _fields(sense) if isinstance(sense, Mapping) else told(name, _text(sense))
            yield _term(name, {**shared, **{key: value for key, value in inner.items() if value}}, bare=False)
        return
    yield _term(name, {**fields, **shared}, bare)


def _term(name: str, fields: Mapping[str, Any], bare: bool) -> Term:
    for field in ("expansion", "definition"):
        if isinstance(fields.get(field), Mapping):
            raise ValueError(f"the {field} of {name!r} is an object ({', '.join(map(str, fields[field]))}), not a text; write one "
                             "text, or several meanings under `senses`.")  # fmt: skip
    expansion, definition = _text(fields.get("expansion")), _text(fields.get("definition"))
    if not expansion and definition:
        split = told(name, definition)
        expansion, definition = split["expansion"], split["definition"]
    if not bare and not expansion and not definition:
        raise ValueError(f"{name!r} has neither an expansion nor a definition; write one, or leave the term out.")
    aliases = tuple(alias for alias in _several(fields.get("aliases")) if alias != name)
    return Term(
        name, expansion, definition, _text(fields.get("notes")), aliases, _several(fields.get("facts")), _text(fields.get("sense"))
    )  # fmt: skip


def told(name: str, text: str) -> dict[str, str]:
    """One text about a term, parted: an expansion where its first words spell the name out, and the definition."""
    head = re.split(r"[.;:,(—–]|\s-\s", text, maxsplit=1)[0].strip()
    if not (spells(name, head) or titled(name, head)):
        return {"expansion": "", "definition": text}
    rest = text.strip()[len(head) :].strip()
    rest = rest.strip("()") if rest.startswith("(") else rest.lstrip(".;:,—–- ").strip()
    return {"expansion": head, "definition": rest}


def spells(name: str, phrase: str) -> bool:
    """Whether the initials of a phrase, small words left out or not, are the letters of a name in capitals."""
    letters = "".join(each for each in name if each.isalnum())
    if len(letters) < 2 or letters != letters.upper() or not letters.isalnum():
        return False
    words = WORD.findall(phrase)
    initials = "".join(word[0] for word in words)
    large = "".join(word[0] for word in words if word.casefold() not in SMALL)
    return letters.casefold() in {initials.casefold(), large.casefold()}


def titled(name: str, phrase: str) -> bool:
    """Whether a name is in capitals and a phrase a title: few words, the large ones capitalised."""
    words = [word for word in WORD.findall(phrase) if word.casefold() not in SMALL]
    capitals = sum(word[0].isupper() for word in words)
    return (
        name.upper() == name and any(map(str.isalpha, name)) and 2 <= len(words) <= 9 and capitals * 3 >= len(words) * 2
    )


def _fields(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields by our names; of two headings that mean one field, the one that stands first in HEADINGS.

    What a column `definition` holds beside a `meaning` is the definition; alone, a list is the senses.
    """
    plain = {_heading(str(key)): value for key, value in row.items() if key is not None and value not in (None, "", [])}
    fields: dict[str, Any] = {}
    for field, names in HEADINGS.items():
        first = next((plain[name] for name in names if name in plain), None)
        if first is not None:
            fields[field] = first
    if isinstance(fields.get("definition"), list) and "senses" not in fields:
        fields["senses"] = fields.pop("definition")
    return fields


def _heading(name: str) -> str:
    bare = unicodedata.normalize("NFD", name.casefold())
    return "".join(each for each in bare if each.isalnum())


def _text(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = "; ".join(str(each) for each in value)
    return " ".join(unicodedata.normalize("NFC", str(value)).split()) if value is not None else ""


def _several(value: Any) -> tuple[str, ...]:
    """A list, or a text with `;` or `|` between its items."""
    if value is None:
        return ()
    items = re.split(r"[;|]", value) if isinstance(value, str) else value if isinstance(value, Sequence) else [value]
    return tuple(dict.fromkeys(text for text in map(_text, items) if text))
