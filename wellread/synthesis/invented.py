"""Names that a glossary does not hold: neighbours of its own names to train on, and others, made otherwise, to ask about."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Collection, Iterator, Sequence

from wellread.synthesis.terms import SMALL
from wellread.types import Term

ONSETS = ("b", "br", "d", "dr", "f", "g", "gl", "h", "k", "l", "m", "n", "p", "pl", "r", "s", "st", "t", "tr", "v", "w", "z")  # fmt: skip
VOWELS = ("a", "e", "i", "o", "u", "au", "ei", "oo")
CODAS = ("", "", "b", "ld", "m", "n", "nd", "p", "r", "sk", "t", "x")
_RUDE = """
anal anus arse bitch bite boob bordel caca cock cul cum cunt dick dik dild encul fag fist fout fuc fuk gook gouin hitl
homo hore jism kaka kike kok kon kul kum kunt merd nazi negr nichon nig nud paki pede pedo penis pipi piss poo porn
prick puta pute putin rape retard salo semen sex shit slut sod sperm suk tard tit turd twat vagin wank wog wop zizi
zob
"""
RUDE = tuple(_RUDE.split())
"""Letters of English and French words that nobody wants to read in a certificate: a name that is made up holds none."""
INITIALS = (4, 4, 5)
"""Letters of an acronym to ask about: nearly all of three stand for something somewhere (`DES`), and saying so is no invention."""
SPARED = 0.5
"""Share of acronyms passed over where there are words to change too: a model learns sooner that letters are none of its own (1 of
120 made-up acronyms was defined, and 36 of 120 words: docs/lab-log.md)."""
TRIES = 200
PARTICLES = SMALL | {"un", "une", "se", "s"}


def short(name: str) -> bool:
    """Whether a name is an acronym: capitals, digits and signs, at least two letters, no space."""
    return " " not in name and name == name.upper() and sum(map(str.isalpha, name)) >= 2


def neighbours(
    terms: Sequence[Term], count: int, *, known: Collection[str], seed: int, modifiers: Sequence[str] = ()
) -> list[str]:
    """Up to `count` different names like those of the glossary: acronyms with letters changed, added, dropped or swapped,
    halves of two, and any letters in a row; names crossed word by word or half by half, behind one of `modifiers` (`{x}` is
    the name), with an ordinary word of the definitions in the place of their last or of what stands before it, or with
    another letter or number where they end in one. None is in `known` (by its `core`)."""
    draw = random.Random(f"neighbours {seed}")
    own = " ".join([*modifiers, *(f"{term.name} {term.definition}" for term in terms)])
    return _different(_like(terms, modifiers, draw), count, known, own)


def strangers(terms: Sequence[Term], count: int, *, known: Collection[str], text: str, seed: int) -> list[str]:
    """Up to `count` different names, in the glossary's proportion of acronyms to words: the initials of four or five
    words that follow each other in `text`, and words made of syllables. Another source than `neighbours`, to ask about."""
    draw = random.Random(f"strangers {seed}")
    share = sum(short(term.name) for term in terms) / max(1, len(terms))
    return _different(_unheard_of(share, text, draw), count, known)


def crossed(terms: Sequence[Term], count: int, *, seed: int) -> list[str]:
    """Up to `count` different meanings that no entry has: the beginning of one expansion with the end of another."""
    draw = random.Random(f"crossed {seed}")
    long = [term.expansion for term in terms if len(term.expansion.split()) > 1]
    return _different(_halves(long, draw), count, long, " ".join(long))


def _different(names: Iterator[str], count: int, known: Collection[str], own: str = "") -> list[str]:
    """The first `count` that are not known, each once, and not rude but for what the glossary's `own` words have themselves."""
    allowed = rude(own)
    taken = {core(name) for name in known}
    found: list[str] = []
    for _ in range(count * TRIES):
        if len(found) == count:
            break
        name = next(names, "")
        if name and core(name) not in taken and rude(name) <= allowed:
            taken.add(core(name))
            found.append(name)
    return found


def rude(text: str) -> frozenset[str]:
    """Which of RUDE stand in the words of a text; a word is read without its signs: `S.O.D.` is `sod`."""
    plain = ["".join(filter(str.isalpha, word)) for word in text.casefold().split()]
    return frozenset(each for each in RUDE if any(each in word for word in plain))


def core(name: str) -> tuple[str, ...]:
    """A name without case, articles and prepositions: `a snow` is `the snow`, and no other."""
    words = re.split(r"[\s’']+", name.casefold())
    return tuple(word for word in words if word and word not in PARTICLES) or tuple(words)


def _like(terms: Sequence[Term], modifiers: Sequence[str], draw: random.Random) -> Iterator[str]:
    names = [term.name for term in terms]
    acronyms = [name for name in names if short(name)]
    words = [name for name in names if not short(name)]
    long = [name for name in words if len(core(name)) > 1]
    ordinary = _ordinary(terms)
    while names:
        name = draw.choice(names)
        if short(name):
            if words and draw.random() < SPARED:
                continue
            yield draw.choice((_edited, _edited, _edited, _halved, _lettered))(name, acronyms, draw)
        elif re.fullmatch(r"[A-Z]|\d+", name.split()[-1]):
            yield _renumbered(name, draw)
        elif ordinary and draw.random() < 0.2:
            yield _worded(name, draw.choice(ordinary))
        elif ordinary and name in long and draw.random() < 0.25:
            yield _modified(name, f"{draw.choice(ordinary)} {{x}}")
        elif modifiers and draw.random() < 0.5:
            yield _modified(name, draw.choice(modifiers))
        elif name in long and len(long) > 1:
            yield " ".join([*name.split()[:-1], draw.choice(long).split()[-1]])
        else:
            yield _joined(name, draw.choice(words))


def _edited(name: str, acronyms: Sequence[str], draw: random.Random) -> str:
    letters = list(name)
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.randrange(len(letters))
        letter = draw.choice(string.ascii_uppercase)
        way = draw.randrange(4)
        if way == 0 or len(letters) < 3:
            letters[at] = letter
        elif way == 1:
            letters.insert(at, letter)
        elif way == 2:
            del letters[at]
        else:
            letters[at], letters[at - 1] = letters[at - 1], letters[at]
    return "".join(letters)


def _halved(name: str, acronyms: Sequence[str], draw: random.Random) -> str:
    other = draw.choice(acronyms)
    return name[: (len(name) + 1) // 2] + other[len(other) // 2 :]


def _lettered(name: str, acronyms: Sequence[str], draw: random.Random) -> str:
    size = max(2, len(name) + draw.choice((-1, 0, 0, 1)))
    return "".join(draw.choices(string.ascii_uppercase, k=size))


def _modified(name: str, modifier: str) -> str:
    """The last word of a name behind a modifier, after the article that the name has; written large where that word is."""
    first, *rest = name.split()
    last = name.rsplit(maxsplit=1)[-1]
    article = f"{first} " if rest and first.casefold() in PARTICLES else ""
    if last[:1].isupper() and modifier.endswith(" {x}"):
        modifier = modifier[:1].upper() + modifier[1:]
    return article + modifier.replace("{x}", last)


def _ordinary(terms: Sequence[Term]) -> list[str]:
    """The words of four letters and more that definitions are written in: a bare one behind an article looks like a name."""
    said = " ".join(term.definition for term in terms if not short(term.name))
    return sorted({word for word in re.findall(r"[^\W\d_]{4,}", said) if word.islower()})


def _worded(name: str, word: str) -> str:
    """A name with this word for its last, written large where that was."""
    *before, last = name.split()
    return " ".join([*before, word.capitalize() if last[:1].isupper() else word])


def _renumbered(name: str, draw: random.Random) -> str:
    *before, last = name.split()
    return " ".join([*before, str(draw.randrange(1, 100)) if last.isdigit() else draw.choice(string.ascii_uppercase)])


def _joined(name: str, other: str) -> str:
    """The first half of one word with the second half of another, behind what stands before the first."""
    *before, word = name.split()
    last = other.rsplit(maxsplit=1)[-1]
    return " ".join([*before, word[: (len(word) + 1) // 2] + last[len(last) // 2 :]])


def _unheard_of(share: float, text: str, draw: random.Random) -> Iterator[str]:
    words = [word for word in re.findall(r"[^\W\d_]+", text) if word.casefold() not in PARTICLES]
    while True:
        if len(words) >= 5 and draw.random() < share:
            size = draw.choice(INITIALS)
            at = draw.randrange(len(words) - size + 1)
            yield "".join(word[0] for word in words[at : at + size]).upper()
        else:
            parts = draw.choice((2, 2, 3))
            yield "".join(draw.choice(ONSETS) + draw.choice(VOWELS) + draw.choice(CODAS) for _ in range(parts))


def _halves(expansions: Sequence[str], draw: random.Random) -> Iterator[str]:
    while len(expansions) > 1:
        head, tail = (each.split() for each in draw.sample(list(expansions), 2))
        yield " ".join([*head[: (len(head) + 1) // 2], *tail[len(tail) // 2 :]])
