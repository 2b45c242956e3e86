"""The writer that needs no model: every term asked forwards, backwards, in context and beside its look-alikes, by templates."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle

from wellread.synthesis.alike import look_alikes
from wellread.synthesis.checking import lost, unnamed
from wellread.synthesis.honesty import honesty, led
from wellread.synthesis.invented import core
from wellread.synthesis.questions import asked_about
from wellread.synthesis.rewording import goes_on, informative, phrase, rewordings
from wellread.synthesis.wording import Wording, fill, wording
from wellread.synthesis.written import Rejected, Written, chat, example
from wellread.types import Term

PHRASINGS = 16
"""Examples of each term, where nothing else is asked for."""
HONESTY = 0.25
"""Examples of invented terms, as a share of those of the terms."""
ORDER = (
    "forward", "reverse", "definition", "context", "reverse", "forward", "definition", "reverse", "context", "contrast",
)  # fmt: skip
"""What the examples of a term are, again and again; one that a term has no matter for passes its place on."""

Draft = tuple[str, str, str]
"""Question, answer, and why the answer may not be let in (empty where it may)."""


@dataclass(frozen=True, slots=True)
class Book:
    """A glossary as its templates see it."""

    words: Wording
    senses: Mapping[str, Sequence[Term]]
    """The terms of one name, by the name without case."""
    alike: Mapping[Term, Sequence[Term]]

    def says(self, term: Term, draw: random.Random, name: str = "") -> str:
        """What a term means, in a sentence; all its meanings where the name has several."""
        senses = self.senses[term.name.casefold()]
        name = name or term.name
        if len(senses) > 1:
            listed = "; ".join(f"{_short(each)} ({each.sense})" if each.sense else _short(each) for each in senses)
            return fill(self.words.senses, {"x": name, "list": listed})
        return statement(term, self.words, draw, name)


def write(
    terms: Sequence[Term], *, language: str = "en", phrasings: int = PHRASINGS, honesty_share: float = HONESTY,
    invented: Sequence[Term] = (), outside: Sequence[Term] = (), seed: int = 0, source: str = "",
) -> Written:  # fmt: skip
    """`phrasings` examples of each term, others of invented and of outside terms, and the questions for afterwards.

    `invented` are only asked about, never trained on; without them names are made up. Of `outside`, real terms of no
    glossary, every other one is trained on with its right answer, the rest are asked about. The same arguments give
    the same rows; no question is trained. Raises UnknownName for a language that templates do not speak.
    """
    words = wording(language)
    questions = asked_about(terms, words, invented=invented, outside=outside, seed=seed)
    barred = {question.prompt for question in questions}
    book = book_of(terms, words)
    rows, rejected = [], []
    for term in terms:
        for task, (asked, answer, reason) in drafts(term, book, phrasings, barred, seed):
            if reason:
                rejected.append(Rejected(term.name, reason, f"{asked} → {answer}"))
            else:
                rows.append((task, term.name, chat(asked, answer)))
    count = round(honesty_share * len(rows))
    names = [Term(question.term) for question in questions if question.kind == "invented"]
    rows += honesty(terms, words, count, invented=names, outside=outside, barred=barred, seed=seed)
    examples = tuple(example(number, *row, source) for number, row in enumerate(rows, 1))
    return Written(examples, questions, tuple(rejected))


def book_of(terms: Sequence[Term], words: Wording) -> Book:
    senses: dict[str, list[Term]] = defaultdict(list)
    for term in terms:
        senses[term.name.casefold()].append(term)
    return Book(words, senses, look_alikes(terms))


def drafts(term: Term, book: Book, count: int, barred: set[str], seed: int) -> Iterator[tuple[str, Draft]]:
    """Up to `count` questions about a term with their answers, each with its task, in ORDER.

    None is in `barred`, to which they are added.
    """
    draw = random.Random(f"{seed} {term.name} {term.expansion} {term.definition}")
    streams = {task: make(term, book, draw) for task, make in TASKS.items()}
    given = 0
    for task in cycle(ORDER):
        if given == count or not streams:
            return
        if task not in streams:
            continue
        for draft in streams[task]:
            if draft[0] not in barred:
                barred.add(draft[0])
                given += 1
                yield task, draft
                break
        else:
            del streams[task]


def statement(term: Term, words: Wording, draw: random.Random, name: str = "") -> str:
    """What one term means, in a sentence."""
    name = name or term.name
    if term.expansion:
        return fill(draw.choice(words.stands_for), {"x": name, "e": term.expansion})
    said = phrase(term.definition)
    return fill(draw.choice(words.means if goes_on(said, words) else words.states), {"x": name, "d": said})


def ways(templates: Sequence[str], leads: Sequence[str], draw: random.Random) -> Iterator[str]:
    """Every template once, each behind a lead as `led` draws it; then all of them again behind another of the leads."""
    orders = {template: draw.sample(list(leads), len(leads)) for template in templates}
    for order in orders.values():
        first = led(leads, draw)
        order.remove(first)
        order.insert(0, first)
    for turn in range(len(leads)):
        for template in draw.sample(list(templates), len(templates)):
            yield orders[template][turn] + template


def _named(term: Term, words: Wording) -> str:
    return term.name if term.expansion else fill(words.quoted, {"x": term.name})


def _short(term: Term) -> str:
    return term.expansion or phrase(term.definition)


def _reworded(term: Term, words: Wording) -> list[str]:
    """The ways to say a definition that keep its facts; always one."""
    bare = replace(term, expansion="")
    first, *others = rewordings(term.definition, words)
    return [first, *(each for each in others if not lost(each, bare))]


def _defined(term: Term, book: Book) -> bool:
    """Whether a term has one meaning, and a definition that says more than what it stands for."""
    return len(book.senses[term.name.casefold()]) == 1 and informative(term.definition, term.expansion)


def _forward(term: Term, book: Book, draw: random.Random) -> Iterator[Draft]:
    """A word defined, an acronym spelled out and defined; spelled out is all that can be said where nothing defines it."""
    words, said = book.words, cycle(_reworded(term, book.words))
    templates = words.forward.trained if term.expansion else words.meaning.trained
    if term.expansion and not _defined(term, book):
        templates += words.describing.trained
    for number, way in enumerate(ways(templates, words.leads, draw)):
        name = draw.choice(term.aliases) if term.aliases and number % 4 == 3 else term.name
        answer = _told(term, book, said, draw, name)
        yield fill(way, {"x": name}), answer, lost(answer, term)


def _reverse(term: Term, book: Book, draw: random.Random) -> Iterator[Draft]:
    words = book.words
    if term.expansion:
        for way in ways(words.reverse.trained, words.leads, draw):
            answer = fill(draw.choice(words.shortened), {"x": term.name, "e": term.expansion})
            yield fill(way, {"e": term.expansion}), answer, unnamed(answer, term)
        return
    for way in ways(words.naming.trained, words.leads, draw):
        said = draw.choice(_reworded(term, words))
        answer = fill(draw.choice(words.named), {"x": term.name})
        yield fill(way, {"d": said}), answer, unnamed(answer, term)


def _context(term: Term, book: Book, draw: random.Random) -> Iterator[Draft]:
    """A name in a sentence: an acronym is spelled out and defined."""
    words, said = book.words, cycle(_reworded(term, book.words))
    for way in ways(words.context.trained, words.leads, draw):
        answer = _told(term, book, said, draw, term.name)
        yield fill(way, {"x": term.name}), answer, lost(answer, term)


def _told(term: Term, book: Book, said: Iterator[str], draw: random.Random, name: str) -> str:
    """All that there is to say of a term: an acronym that has a definition is spelled out and defined."""
    if term.expansion and _defined(term, book):
        values = {"x": name, "e": term.expansion, "d": next(said)}
        return fill(draw.choice(book.words.described), values)
    return book.says(term, draw, name)


def _definition(term: Term, book: Book, draw: random.Random) -> Iterator[Draft]:
    """An acronym defined, and its definition named; a word's definition said otherwise."""
    words = book.words
    if not _defined(term, book):
        return
    said = cycle(_reworded(term, words))
    if not term.expansion:
        for way in ways(words.meaning.trained, words.leads, draw):
            definition = next(said)
            answer = fill(
                draw.choice(words.means if goes_on(definition, words) else words.states),
                {"x": term.name, "d": definition},
            )
            yield fill(way, {"x": term.name}), answer, lost(answer, term)
        return
    asking = ways(words.describing.trained, words.leads, draw)
    for number, way in enumerate(ways(words.naming.trained, words.leads, draw)):
        definition = next(said)
        values = {"x": term.name, "e": term.expansion, "d": definition}
        described = fill(draw.choice(words.described), values)
        asked = next(asking, None)
        if number % 3 == 2 or asked is None:
            answer = fill(draw.choice(words.shortened), values)
            yield fill(way, {"d": definition}), answer, unnamed(answer, term)
        else:
            yield fill(asked, values), described, lost(described, term)


def _contrast(term: Term, book: Book, draw: random.Random) -> Iterator[Draft]:
    """Other names of the term; it and a look-alike side by side; the look-alike's meaning denied, its own confirmed."""
    words = book.words
    name = _named(term, words)
    also = [alias for alias in term.aliases if core(alias) != core(term.name)]  # not the name without its article
    for alias, way in zip(also, words.alias, strict=False):
        answer = fill(words.also, {"x": term.name, "a": alias})
        yield fill(way, {"x": name}), answer, unnamed(answer, term)
    if len(book.senses[term.name.casefold()]) > 1:
        return
    for other in book.alike[term]:
        confirm = draw.choice(words.confirm)
        own, others = statement(term, words, draw), statement(other, words, draw)
        values = {"x": name, "y": _named(other, words), "f": _short(other)}
        both = f"{own} {others}"
        wrong = lost(both, term) or lost(both, other)
        yield fill(draw.choice(words.differ), values), both, wrong
        yield fill(draw.choice(words.same), values), words.no + both, wrong
        yield fill(confirm, values), words.no + own, lost(own, term)
        yield fill(confirm, {**values, "f": _short(term)}), words.yes + own, lost(own, term)


TASKS: Mapping[str, Callable[[Term, Book, random.Random], Iterator[Draft]]] = {
    "forward": _forward,
    "reverse": _reverse,
    "context": _context,
    "definition": _definition,
    "contrast": _contrast,
}
