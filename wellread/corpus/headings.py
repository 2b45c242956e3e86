"""Is this line a heading, and which number has it? Numerals in digits, Roman or words; English, French, some others."""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEYWORDS = {
    "volume": "volume vol tome tomo band",
    "book": "book livre libro buch",
    "part": "part partie parte teil",
    "act": "act acte acto akt",
    "chapter": "chapter chap ch chapitre capitolo capítulo kapitel",
    "letter": "letter lettre",
    "scene": "scene scène",
    "canto": "canto chant",
    "stave": "stave",
    "adventure": "adventure aventure",
    "episode": "episode épisode",
    "tale": "tale story conte",
    "section": "section lesson leçon",
    "appendix": "appendix appendice annexe",
}
_CANONICAL = {word: name for name, words in _KEYWORDS.items() for word in words.split()}
_KEY = "|".join(sorted(_CANONICAL, key=len, reverse=True))

_SPECIAL = (
    "prologue epilogue épilogue preface préface prelude prélude finale introduction conclusion foreword afterword "
    "postface preamble préambule postscript interlude intermède dedication dédicace notes glossary glossaire "
    "acknowledgements acknowledgments remerciements bibliography bibliographie avant-propos"
)
_SPECIAL_PHRASES = {"author's note", "translator's note", "note de l'auteur", "to the reader", "au lecteur"}
SPECIAL = frozenset({*_SPECIAL.split(), *_SPECIAL_PHRASES})

_COUNTED = (
    (
        1,
        1,
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen",
    ),
    (
        1,
        1,
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
        "fifteenth sixteenth seventeenth eighteenth nineteenth",
    ),
    (20, 10, "twenty thirty forty fifty sixty seventy eighty ninety"),
    (20, 10, "twentieth thirtieth fortieth fiftieth sixtieth seventieth eightieth ninetieth"),
    (1, 1, "un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize"),
    (
        1,
        1,
        "premier deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième onzième douzième "
        "treizième quatorzième quinzième seizième",
    ),
    (20, 10, "vingt trente quarante cinquante soixante"),
    (20, 10, "vingtième trentième quarantième cinquantième soixantième"),
)
"""First value, step, words."""
_SPELLED: dict[str, int] = {
    **{word: first + step * place for first, step, words in _COUNTED for place, word in enumerate(words.split())},
    "une": 1,
    "unième": 1,
    "première": 1,
    "second": 2,
    "seconde": 2,
    "last": 0,
    "dernier": 0,
    "dernière": 0,
}
_WORD = "|".join(sorted(map(re.escape, _SPELLED), key=len, reverse=True))
_SPELLED_NUMBER = rf"(?:{_WORD})(?:(?:[- ]|[- ]et[- ]|[- ]and[- ])(?:{_WORD}))?(?![\w’'])"
_ROMAN = r"[IVXLCDM]+(?![\w’'])"
_NUMBER = rf"(?:\d{{1,4}}(?![\w’'])|1(?:er|re|ère)\b|I(?:er|re|ère)\b|{_ROMAN}|{_SPELLED_NUMBER})"
_FIRST_WORDS = frozenset({*_CANONICAL, *_SPELLED, "the"})
_ROMAN_LETTERS = frozenset("ivxlcdmer")
_GAP = r"(?:\s*[.:,;)\]—–-]+\s*|\s+|$)"

_KEYED = re.compile(
    rf"(?:the\s+)?(?P<key>{_KEY})\.?\s+(?:the\s+)?(?:n[o°]\.?\s*)?(?P<number>{_NUMBER})(?P<gap>{_GAP})(?P<title>.*)",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    rf"(?:the\s+)?(?P<number>{_SPELLED_NUMBER}|\d{{1,2}}(?:st|nd|rd|th|e|ère?|ème))\s+(?P<key>{_KEY})"
    rf"(?![\w’'])(?P<gap>{_GAP})(?P<title>.*)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(rf"(?P<number>\d{{1,3}}|{_ROMAN})(?P<gap>\s*[.:)—–-]+\s+|\s+[—–-]+\s+|\s+)(?P<title>\S.*)")
_BARE = re.compile(rf"(?:§\s*)?(?P<number>\d{{1,3}}|{_ROMAN})")
_MARKDOWN = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*$")
_ORNAMENT = " \t_*—–-.,:;()[]{}«»\"“”‘’'~=|·•§"
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_CANONICAL_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,4})(XC|XL|L?X{0,4})(IX|IV|V?I{0,4})")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a line announces: style "chapter", "book", …, "bare" (a number alone), "numbered", "special", "#1"."""

    style: str
    numeral: str = ""
    """"arabic", "roman" or "spelled"; empty without a number."""
    number: int | None = None
    title: str = ""


def heading(line: str) -> Heading | None:
    """The heading that a whole line is, or None. Only its form is judged, not whether it heads anything."""
    stripped = line.strip()
    if not stripped or len(stripped) > 200 or stripped[0].islower():
        return None
    if markdown := _MARKDOWN.match(stripped):
        return Heading(f"#{len(markdown[1])}", title=markdown[2])
    core = stripped.strip(_ORNAMENT).strip()
    if not core:
        return None
    if not _may_head(core):
        return Heading("special", title=core) if is_special(core) else None
    for pattern in (_KEYED, _ORDINAL):
        if (found := pattern.match(core)) and _is_title(found["title"], found["gap"], core):
            numeral, number = _number(found["number"])
            if number is not None:
                return Heading(_CANONICAL[found["key"].casefold()], numeral, number, found["title"])
    if found := _BARE.fullmatch(core):
        numeral, number = _number(found["number"])
        return Heading("bare", numeral, number) if number is not None and len(stripped) <= 16 else None
    if is_special(core):
        return Heading("special", title=core)
    if (found := _NUMBERED.match(core)) and len(core.split()) <= 24 and _is_title(found["title"], ".", core):
        numeral, number = _number(found["number"])
        return Heading("numbered", numeral, number, found["title"]) if number is not None else None
    return None


def _may_head(core: str) -> bool:
    """Whether the first word is one that a heading with a number begins with: most lines are settled by this alone."""
    first = core.split(None, 1)[0].casefold()
    word = re.split(r"[-.:]", first, maxsplit=1)[0] if not first.isalpha() else first
    return word in _FIRST_WORDS or not word or not word[0].isalpha() or _ROMAN_LETTERS.issuperset(word)


def is_special(core: str) -> bool:
    """Prologue, preface, epilogue and their kind: the word stands at an edge of a line of at most six words."""
    if len(core) > 60:
        return False
    words = core.replace("’", "'").casefold().split()
    if not words or len(words) > 6 or core[:1].islower() or core.endswith((",", ";")):
        return False
    joined = " ".join(words)
    edges = {word.strip(".:,") for word in (words[0], words[-1], *(words[1:2] if core.isupper() else ()))}
    if joined in SPECIAL or (len(words) == 1 and words[0] in SPECIAL):
        return True
    return bool(edges & SPECIAL) and (core.isupper() or core.istitle() or len(words) <= 3)


def is_capitals(line: str) -> bool:
    """Whether a short line is set in capitals throughout."""
    return len(line) <= 120 and line.isupper() and sum(map(str.isalpha, line)) >= 2


def roman(numeral: str) -> int | None:
    """The value of a Roman numeral; a misprinted one (LIXXV) is read as it stands; None where there is none."""
    values = [_ROMAN_VALUES.get(letter, 0) for letter in numeral.upper()]
    if not values or 0 in values:
        return None
    return sum(
        -value if any(later > value for later in values[place + 1 :]) else value for place, value in enumerate(values)
    )


def is_roman(numeral: str) -> bool:
    """Whether it is a well-formed Roman numeral."""
    return bool(numeral) and bool(_CANONICAL_ROMAN.fullmatch(numeral.upper()))


def spelled(words: str) -> int | None:
    """The value of a number in English or French words, cardinal or ordinal, to 99."""
    total = 0
    for word in re.split(r"[\s-]+", words.casefold()):
        if word in {"et", "and"}:
            continue
        if word not in _SPELLED:
            return None
        value = _SPELLED[word]
        total = total * 20 if (total, value) == (4, 20) else total + value
    return total


def _number(text: str) -> tuple[str, int | None]:
    if text.casefold() in {"ier", "ire", "ière"}:
        return "roman", 1
    if text[0].isdigit():
        return "arabic", int(re.sub(r"\D", "", text))
    if re.fullmatch(r"[IVXLCDM]+", text, re.IGNORECASE):
        return "roman", roman(text)
    return "spelled", spelled(text)


def _is_title(title: str, gap: str, line: str) -> bool:
    """What follows the number: nothing, or words that begin like a title rather than go on with a sentence."""
    if not title:
        return True
    first = title.lstrip("\"'“‘«([_*— ")[:1]
    if first.islower() or (not gap.strip() and first.isdigit()):
        return False
    return gap.strip() not in {",", ";"} and not (title.endswith((",", ";")) and line[:1].islower())
