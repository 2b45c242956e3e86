"""What a model is asked after the training: phrasings that no example has, and names that it was never told of."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from wellread.synthesis.honesty import asked_outside
from wellread.synthesis.invented import short, strangers
from wellread.synthesis.rewording import informative, phrase
from wellread.synthesis.wording import Phrasings, Wording, fill
from wellread.types import Question, QuestionKind, Term

INVENTED = 40
"""Invented names that are asked about, where the caller brings none."""
FORWARD = 2
"""Questions from the name to its meaning, for each term; one each of the other kinds."""


def asked_about(
    terms: Sequence[Term], words: Wording, *, invented: Sequence[Term], outside: Sequence[Term], seed: int
) -> tuple[Question, ...]:
    """Questions about every term, invented names and the outside terms that are not trained on; ids are unique."""
    draw = random.Random(f"questions {seed}")
    named: dict[str, list[str]] = defaultdict(list)
    for term in terms:
        named[_meaning(term)] += [term.name, *term.aliases]
    found = [question for term in terms for question in _about(term, named[_meaning(term)], words, draw)]
    known = [name for term in (*terms, *outside) for name in (term.name, *term.aliases)]
    said = " ".join(term.definition for term in (*terms, *outside))
    names = [term.name for term in invented] or strangers(terms, INVENTED, known=known, text=said, seed=seed)
    for name in names:
        ways = words.forward if short(name) else words.meaning
        found.append(_question("invented", name, fill(draw.choice(ways.asked), {"x": name})))
    for term in asked_outside(outside):
        ways = words.forward if term.expansion else words.meaning
        expected, facts = _right(term)
        found.append(_question("outside", term.name, fill(draw.choice(ways.asked), {"x": term.name}), expected, facts))
    return tuple(_numbered(found))


def _about(term: Term, names: Sequence[str], words: Wording, draw: random.Random) -> Iterator[Question]:
    """`names` are those of every term that means the same."""
    expected, facts = _right(term)
    name, names = {"x": term.name}, tuple(dict.fromkeys((term.name, *names)))
    kind: QuestionKind = "forward" if term.expansion else "definition"
    ways = words.forward if term.expansion else words.meaning
    for way in draw.sample(ways.asked, FORWARD):
        yield _question(kind, term.name, fill(way, name), expected, facts)
    yield _question("context", term.name, fill(_one(words.context, draw), name), expected, facts)
    if term.expansion:
        yield _question("reverse", term.name, fill(_one(words.reverse, draw), {"e": term.expansion}), names)
        if term.facts and informative(term.definition, term.expansion):
            yield _question("definition", term.name, fill(_one(words.describing, draw), name), (), term.facts)
    else:
        yield _question("reverse", term.name, fill(_one(words.naming, draw), {"d": phrase(term.definition)}), names)


def _right(term: Term) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which answers are right, or which facts they hold: an expansion, else key facts, else the whole definition."""
    if term.expansion:
        return (term.expansion,), ()
    return ((), term.facts) if term.facts else ((phrase(term.definition),), ())


def _meaning(term: Term) -> str:
    return (term.expansion or phrase(term.definition)).casefold()


def _one(ways: Phrasings, draw: random.Random) -> str:
    return draw.choice(ways.asked)


def _question(
    kind: QuestionKind, term: str, prompt: str, expected: tuple[str, ...] = (), facts: tuple[str, ...] = ()
) -> Question:
    return Question("", prompt, expected, kind, term, facts)


def _numbered(questions: Sequence[Question]) -> Iterator[Question]:
    """The questions with ids: kind, term, and a number where two would be the same."""
    given: dict[str, int] = {}
    for each in questions:
        slug = re.sub(r"\W+", "-", each.term.casefold()).strip("-")
        stem = f"{each.kind}-{slug}"
        given[stem] = given.get(stem, 0) + 1
        number = f"{stem}-{given[stem]}"
        yield Question(number, each.prompt, each.expected, each.kind, each.term, each.facts)
