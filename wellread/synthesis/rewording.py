"""A definition in, ways to say it out: a phrase to go on with, a word or two exchanged, its first clause alone."""

from __future__ import annotations

import re

from wellread.synthesis.wording import Wording

FEWEST_WORDS = 5
ARTICLES = frozenset(("A", "An", "The", "Un", "Une", "Le", "La", "Les", "Des"))
CLAUSE = re.compile(r"[;,:(] ?| – | — ")
TAIL = re.compile(r"\s*[\[(][^()\[\]]*[\])]\s*$")


def phrase(definition: str) -> str:
    """A definition as it goes into a sentence: without its full stop, its article small."""
    text = definition.strip().rstrip(".").strip()
    return text[:1].lower() + text[1:] if text.partition(" ")[0] in ARTICLES else text


def goes_on(text: str, words: Wording) -> bool:
    """Whether a definition can follow "means": it begins small, or with an article."""
    first = re.split(r"[\s’']", text, maxsplit=1)[0]
    return text[:1].islower() or first.casefold() in words.articles


def rewordings(definition: str, words: Wording) -> list[str]:
    """The phrase of a definition, and every other way to say it that these words allow, the phrase itself first."""
    plain = phrase(definition)
    found = [plain]
    for old, new in words.swaps:
        changed = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, plain, count=1)
        if changed != plain:
            found.append(changed)
    first = CLAUSE.split(plain, maxsplit=1)[0].strip()
    if first != plain and len(first.split()) >= FEWEST_WORDS:
        found.append(first)
    return list(dict.fromkeys(found))


def informative(definition: str, expansion: str) -> bool:
    """Whether a definition says more than the expansion does, labels in brackets behind it aside."""
    bare = TAIL.sub("", definition).strip()
    rest = bare.casefold().replace(expansion.casefold(), "", 1) if expansion else bare
    return len(re.findall(r"[^\W_]+", rest)) >= 3
