"""How a book heads its chapters: its documents in, the headings of those that would come next out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from wellread.corpus.headings import Heading, heading, is_roman, roman, spelled
from wellread.types import Document

Speller = Callable[[int], str]
SMALL = frozenset({"and", "or", "of", "to", "the", "a", "et", "ou", "de", "à", "le", "la", "les", "un", "une"})
"""Words that make no title of the numbers beside them, though some of them count themselves."""
NOT_CHAPTERS = frozenset({"appendix", "volume", "book", "part", "special"})
PASSAGE = re.compile(r"passage \d+")
SLIPPED = re.compile(r"\b(?![IVXLCDM]+e\b)(?!\w+s\b)[^\W\d_a-z]{3,}[a-z]")
LOOKED_AT = 600
"""Characters at a document's beginning within which its heading stands."""
MOST_SPELLED = 99
SHOWN = 12
"""Headings that a model sees before it gives a title."""

_ROMAN = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"),
          (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip
_COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_ONES = _COUNTED.split()
_TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
              "twelve": "twelfth"}  # fmt: skip
_COMPTES = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf"
)
_UNITS = _COMPTES.split()
_DIZAINES = {2: "vingt", 3: "trente", 4: "quarante", 5: "cinquante", 6: "soixante", 8: "quatre-vingt"}


@dataclass(frozen=True, slots=True)
class Head:
    """A chapter's heading."""

    text: str
    """As it stands in the book, over several lines where the book's do."""
    label: str
    """In one line: `35: The Ferry`."""


@dataclass(frozen=True, slots=True)
class Manner:
    """The last numbered heading, in pieces; of a book that numbers nothing `last` is 0, and `spell` writes digits."""

    last: int
    before: str
    between: str
    titled: bool
    spell: Speller
    style: str = ""
    """What `corpus.headings` calls these headings; empty where the book has none to go by."""
    capitals: bool = False
    """Whether titles stand in capitals."""
    titles: frozenset[str] = frozenset()
    """The book's own, by their letters."""
    shown: tuple[str, ...] = ()
    """Its last headings, as they stand in the text: what a model is shown before it gives a title."""
    longest: int = 12
    """Words of the longest title."""
    numbered: int = 0
    """Whether titles of its own hold digits (1), or begin with a number (2)."""

    def beginning(self, step: int) -> str:
        """What stands before the title of the `step`th new chapter, from 1."""
        if self.titled and not self.between:
            return ""
        return f"{self.before}{self.spell(self.last + step)}{self.between if self.titled else ''}"

    def head(self, step: int, title: str = "") -> Head:
        """The `step`th new heading, from 1; where the book gives titles and there is none, the number alone."""
        title = title.upper() if self.capitals else title
        text = self.beginning(step) + title if self.titled and title else f"{self.before}{self.spell(self.last + step)}"
        lines = [line.strip() for line in text.split("\n") if line.strip()]
        return Head(text, ": ".join(line.rstrip(":.") if line is not lines[-1] else line for line in lines))

    def heads(self, line: str) -> bool:
        """Whether a line of what a model wrote would begin the next chapter."""
        found = heading(line) if self.style else None
        return found is not None and found.style == self.style and found.number is not None and len(line) < 80

    def takes(self, title: str) -> bool:
        """Whether a title is one as the book has them: it begins no chapter itself and, unless the book's own do so, begins with no
        number (`847 The Inn` follows on from nothing) and holds no digits."""
        return not self.heads(title) and _numbered(title) <= self.numbered


def manner_of(documents: Sequence[Document]) -> Manner:
    """How these documents of one book, in its order, are headed; by the last numbered one.

    Titles belong to it where most of its headings have one. Epilogues and appendices are no part of the count.
    """
    documents = [chapter[0] for chapter in chapters(documents)]
    sections = [(document, _own(document.section)) for document in documents]
    read = [(document, own, heading(own)) for document, own in sections if own]
    counted = [(document, own, found) for document, own, found in read if found and _counts(found)]
    if not counted:
        titles = frozenset(letters(own) for _, own, _ in read)
        longest = max((len(own.split()) for _, own, _ in read), default=0)
        shown = tuple(own for _, own, _ in read[-SHOWN:])
        numbered = max((_numbered(own) for _, own, _ in read), default=0)
        return Manner(0, "", "", titled=bool(titles), spell=str, titles=titles, shown=shown, longest=longest,
                      numbered=numbered)  # fmt: skip
    document, own, last = counted[-1]
    alike = [found for _, _, found in counted if found.style == last.style]
    titles = frozenset(letters(found.title) for found in alike if found.title)
    if 2 * sum(bool(found.title) for found in alike) > len(alike) and not last.title:
        document, own, last = next(each for each in reversed(counted) if each[2].title)
    block = _block(document.text, own)
    start, end = _number_at(block, last)
    between = block[end : len(block) - len(_title_of(block, last))] if last.title else ""
    number = max(found.number or 0 for found in (last, counted[-1][2]))
    shown = tuple(_block(each.text, name) for each, name, _ in counted[-SHOWN:])
    return Manner(
        number, block[:start], between, bool(last.title), speller(block[start:end]), last.style,
        bool(last.title) and last.title.isupper(), titles, shown, max(len(each.title.split()) for each in alike),
        max(_numbered(each.title) for each in alike),
    )  # fmt: skip


def chapters(documents: Sequence[Document]) -> list[list[Document]]:
    """Documents by chapter: the passages that a chapter with a heading was cut into belong together."""

    def whole(numbered: tuple[int, Document]) -> object:
        place, document = numbered
        name = headed(document.section)
        return (document.source, name) if name and name != document.section else place

    return [[document for _, document in several] for _, several in groupby(enumerate(documents), key=whole)]


def headed(section: str) -> str:
    """A document's headings, without the number of its passage; empty where it has none."""
    return " · ".join(part for part in section.split(" · ") if not PASSAGE.fullmatch(part))


def letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _own(section: str) -> str:
    """The chapter's own heading, without the parts above it and the passages below."""
    return headed(section).rpartition(" · ")[2]


def _counts(found: Heading) -> bool:
    return bool(found.number) and found.style not in NOT_CHAPTERS


def _block(text: str, own: str) -> str:
    """The lines of a document that its heading was read from; the heading itself where they are not found."""
    wanted = letters(own)
    starts = [found.start() for found in re.finditer(r"^\S", text[:LOOKED_AT], re.MULTILINE)]
    ends = [found.start() for found in re.finditer(r"$", text[:LOOKED_AT], re.MULTILINE)]
    for start in starts:
        for end in ends:
            if end > start and letters(text[start:end]) == wanted:
                return text[start:end].rstrip()
    return own


def _number_at(block: str, found: Heading) -> tuple[int, int]:
    """Where in a heading its number stands."""
    tokens = list(re.finditer(r"[^\W_]+", block))
    for first, token in enumerate(tokens):
        for last in reversed(tokens[first : first + 4]):
            words = block[token.start() : last.end()]
            values = {
                "arabic": int(words) if words.isdecimal() else None,
                "roman": roman(words),
                "spelled": spelled(words),
            }
            if values[found.numeral] == found.number:
                return token.start(), last.end()
    return 0, len(block)


def _title_of(block: str, found: Heading) -> str:
    """The end of a heading that its title takes."""
    wanted = letters(found.title)
    ends = (block[place:] for place in range(len(block)) if block[place].isalnum() or block[place] in "\"'“‘«")
    return next((end for end in ends if letters(end) == wanted), found.title)


def speller(sample: str) -> Speller:
    """A function that writes numbers as `sample` is written: digits, Roman numerals, or words in English or French."""
    if sample.isdecimal():
        return str
    value = roman(sample)
    if value is not None:
        return (lambda number: to_roman(number).lower()) if sample.islower() else to_roman
    known = spelled(sample)
    for words in (english, english_ordinal, french, french_ordinal):
        if known and known <= MOST_SPELLED and _plain(words(known)) == _plain(sample):
            return _cased(words, sample)
    return str


def _cased(words: Speller, sample: str) -> Speller:
    parts = re.split(r"[\s-]+", sample)
    every = len(parts) < 2 or parts[1][:1].isupper()
    hyphens = "-" in sample or len(parts) < 2

    def write(number: int) -> str:
        said = words(number) if number <= MOST_SPELLED else str(number)
        said = said if hyphens else said.replace("-", " ")
        if sample.isupper():
            return said.upper()
        if sample[:1].islower():
            return said
        if words in (english, english_ordinal) and every:
            return re.sub(r"[a-z]+", lambda word: word[0].capitalize(), said)
        return said[:1].upper() + said[1:]

    return write


def _plain(words: str) -> str:
    return re.sub(r"[\s-]+", " ", words.casefold())


def to_roman(number: int) -> str:
    """12 as `XII`."""
    said = ""
    for value, sign in _ROMAN:
        said += sign * (number // value)
        number %= value
    return said


def english(number: int) -> str:
    """21 as `twenty-one`, to 99."""
    if number < len(_ONES):
        return _ONES[number]
    ten, one = divmod(number, 10)
    return _TENS[ten] + (f"-{_ONES[one]}" if one else "")


def english_ordinal(number: int) -> str:
    """21 as `twenty-first`, to 99."""
    head, hyphen, last = english(number).rpartition("-")
    last = _IRREGULAR.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return head + hyphen + last


def french(number: int) -> str:
    """21 as `vingt et un`, 71 as `soixante et onze`, to 99."""
    if number < len(_UNITS):
        return _UNITS[number]
    score = number // 10 if number // 10 in _DIZAINES else number // 10 - 1
    rest = number - 10 * score
    tens = _DIZAINES[score]
    if not rest:
        return f"{tens}s" if score == 8 else tens
    return f"{tens} et {_UNITS[rest]}" if rest in (1, 11) and score != 8 else f"{tens}-{_UNITS[rest]}"


def french_ordinal(number: int) -> str:
    """1 as `premier`, 21 as `vingt et unième`, to 99."""
    if number == 1:
        return "premier"
    said = french(number).removesuffix("s") if number == 80 else french(number)
    if said.endswith("cinq"):
        return f"{said}uième"
    if said.endswith("neuf"):
        return f"{said[:-1]}vième"
    return f"{said.removesuffix('e')}ième"


def title_in(text: str, longest: int) -> str:
    """What of a model's words may be a title: the first line with letters, if it has at most so many words, is not mostly
    numbers, and no word slips out of its capitals, as `BWENDr` does; else nothing."""
    for line in (each.strip(" \t*_#") for each in text.split("\n")):
        if any(sign.isalpha() for sign in line):
            fits = len(line.split()) <= longest and not SLIPPED.search(line) and not _mostly_numbers(line)
            return line.rstrip(".,;: ") if fits else ""
    return ""


def _mostly_numbers(line: str) -> bool:
    """Whether more than half of a line's words, small ones left out, are numbers: `13 and 14`, `Twenty-one`, `XIV`."""
    said = [word for word in re.findall(r"[^\W_]+", line) if word.casefold() not in SMALL]
    return 2 * sum(map(_is_number, said)) > len(said)


def _numbered(title: str) -> int:
    """2 for a title that begins with a number (`847 The Inn`, `XII. The Inn`, `Part Two`), 1 for one that holds digits elsewhere, 0
    for any other. A letter alone is no number: `I Go to Bristol`, `M. Dupont`."""
    found, first = heading(title), re.match(r"\W*([^\W_]*)", title)
    begins = first[1] if first else ""
    counts = found is not None and bool(found.number) and not (found.numeral == "roman" and len(begins) == 1)
    return 2 if counts or begins[:1].isdigit() else int(any(sign.isdigit() for sign in title))


def _is_number(word: str) -> bool:
    in_roman = len(word) > 1 and word.isupper() and is_roman(word)
    return word.isdecimal() or bool(spelled(word)) or in_roman
