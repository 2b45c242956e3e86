"""A question in, the kind of words that would answer it out: a number of something, a measure, a time, a name, a colour.

Finding the kind of answer that a question expects is as old as answering questions by machine (Li and Roth, COLING 2002).
Here it tells passages that speak of what is asked from passages that say it: "how many candles" is answered by a number
of candles, not by a sentence about candles. English and French; a question of no kind that is known expects any words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wellread.matching import words
from wellread.retrieval.keywords import query_terms, terms

REACH = 3
"""So many words after a number its unit stands."""


@dataclass(frozen=True, slots=True)
class Kind:
    asked: re.Pattern[str]
    units: frozenset[str] = frozenset()
    """Words of which one stands soon after a number; empty where a number alone will do, or `words` tell."""
    words: frozenset[str] = frozenset()
    """Words of which one stands anywhere."""
    numbers: bool = True
    names: bool = False
    """Whether a name that the question does not hold will do."""


@dataclass(frozen=True, slots=True)
class Language:
    counted: re.Pattern[str]
    """Of what a number is asked."""
    anyone: frozenset[str]
    """Of these any number tells how many: people are seldom counted as people."""
    numerals: frozenset[str]
    kinds: tuple[Kind, ...]


def _kind(asked: str, units: str = "", words: str = "", *, numbers: bool = True, names: bool = False) -> Kind:
    return Kind(re.compile(asked, re.IGNORECASE), frozenset(units.split()), frozenset(words.split()), numbers, names)


_LENGTHS = """
m mm cm km metre metres meter meters kilometre kilometres kilometer kilometers centimetre centimetres foot feet inch inches
mile miles yard yards
"""
_SPANS = (
    "second seconds minute minutes hour hours day days week weeks month months year years winter winters night nights"
)
_WEIGHTS = """
g kg gramme grammes gram grams kilo kilos kilogramme kilogrammes kilogram kilograms tonne tonnes ton tons pound pounds ounce
ounces
"""
_TIMES = """
noon midnight dusk dawn sunrise sunset morning evening oclock monday tuesday wednesday thursday friday saturday sunday
january february march april may june july august september october november december day week month winter spring
summer autumn year night christmas easter daily weekly monthly yearly
"""
_COLOURS = "red green blue white black yellow grey gray brown pink orange violet purple golden silver"
_NUMERALS = """
one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million dozen once twice half quarter third no none
each every a an single both
"""
_ENGLISH = Language(
    re.compile(r"\bhow many ((?:[\w’'-]+ )?[\w’'-]+)", re.IGNORECASE),
    frozenset(["people", "person", "persons"]),
    frozenset(_NUMERALS.split()),
    (
        _kind(r"\bhow long (?:may|must|do|does|did|is it|can|will|should|shall|have|has|was it)\b"
              r"|\b(?:for|after|within) how (?:long|many \w+)\b", _SPANS + _LENGTHS, "until"),
        _kind(r"\bhow far\b", _SPANS + _LENGTHS),
        _kind(r"\bhow (?:long|deep|thick|tall|high|wide|broad)\b|\bwhat (?:length|depth|width|thickness|height|distance)\b", _LENGTHS),
        _kind(r"\bhow (?:much\b.*\bweigh|heavy)|\bwhat .*\bweigh\b", _WEIGHTS),
        _kind(r"\bhow (?:much|old)\b|\b(?:what|which)\b.*\b(?:fine|fee|toll|price|fare|surcharge|wages?|costs?|charges?|pay|paid|age)\b",
              "", "free nothing"),
        _kind(r"\b(?:what|which) (?:article|section|chapter|clause|page|number|paragraph)\b"),
        _kind(r"\bwhen\b|\b(?:what|which) (?:hour|time|day|date|month|year)\b|\bhow (?:often|soon|late|early)\b", "", _TIMES),
        _kind(r"\bcolou?r\b", "", _COLOURS, numbers=False),
        _kind(r"^\W*who\b|\bwhose\b|\b(?:by|to|from|with|for) whom\b|\bnames? of\b", numbers=False, names=True),
    ),
)  # fmt: skip
_LONGUEURS = """
m mm cm km mètre mètres kilomètre kilomètres centimètre centimètres pied pieds pouce pouces lieue lieues
"""
_DUREES = """
seconde secondes minute minutes heure heures jour jours semaine semaines mois an ans année années hiver hivers nuit nuits
"""
_POIDS = "g kg gramme grammes kilo kilos kilogramme kilogrammes tonne tonnes livre livres once onces"
_MOMENTS = """
midi minuit aube crépuscule matin soir lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril mai juin
juillet août septembre octobre novembre décembre jour semaine mois hiver printemps été automne an année nuit noël pâques
"""
_COULEURS = """
rouge rouges vert verte vertes bleu bleue blanc blanche noir noire jaune gris grise brun brune rose orange violet doré argenté
"""
_NOMBRES = """
un une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante cinquante
soixante cent cents mille million douzaine demi demie moitié quart tiers aucun aucune nul nulle chaque seul seule
"""
_FRENCH = Language(
    re.compile(r"\bcombien d(?:e |['’])((?:[\w’'-]+ )?[\w’'-]+)", re.IGNORECASE),
    frozenset(["personnes", "gens"]),
    frozenset(_NOMBRES.split()),
    (
        _kind(r"\bcombien de temps\b|\bpendant combien\b", _DUREES, "jusqu"),
        _kind(r"\bquelle (?:longueur|profondeur|largeur|épaisseur|hauteur|distance)\b", _LONGUEURS),
        _kind(r"\b(?:pèse|pesait|pesaient|poids)\b", _POIDS),
        _kind(r"\bcombien\b|\bquel(?:le)? .*\b(?:amende|prix|tarif|péage|gages|âge)\b", "", "gratuit gratuitement rien"),
        _kind(r"\bquel(?:le)? (?:article|section|chapitre|page|numéro|paragraphe)\b"),
        _kind(r"\bquand\b|\bquelle (?:heure|date|année)\b|\bquel (?:jour|mois)\b", "", _MOMENTS),
        _kind(r"\bcouleur\b", "", _COULEURS, numbers=False),
        _kind(r"^\W*(?:qui|à qui|de qui)\b|\bs['’]appel|\b(?:pré)?nom d", numbers=False, names=True),
    ),
)  # fmt: skip
LANGUAGES = {"en": _ENGLISH, "fr": _FRENCH}


def expected(question: str, language: str) -> Callable[[str], bool]:
    """Whether a sentence holds the kind of words that the question expects; any sentence does where that is not known."""
    tongue = LANGUAGES.get(language)
    if tongue is None:
        return lambda sentence: True
    kind = next((each for each in tongue.kinds if each.asked.search(question)), None)
    counted = tongue.counted.search(question)
    if counted and not (kind and kind.units):  # "for how many winters" asks for a time
        things = frozenset(query_terms(counted[1], language))
        anyone = bool(tongue.anyone.intersection(word for word, _, _ in words(counted[1])))
        return lambda sentence: _counts(sentence, frozenset() if anyone else things, tongue, language)
    if kind is None:
        return lambda sentence: True
    asked = {word for word, _, _ in words(question)}
    return lambda sentence: _holds(sentence, kind, tongue, asked)


def _counts(sentence: str, things: frozenset[str], tongue: Language, language: str) -> bool:
    """Whether a number stands soon before one of the things; any number where none is named."""
    said = [word for word, _, _ in words(sentence)]
    stems = [(terms(word, language) or [word])[0] for word in said]
    return any(not things or things.intersection(stems[at + 1 : at + 1 + REACH]) for at in _numbers(said, tongue))


def _holds(sentence: str, kind: Kind, tongue: Language, asked: set[str]) -> bool:
    said = [(word, sentence[start]) for word, start, _ in words(sentence)]
    plain = [word for word, _ in said]
    if kind.words.intersection(plain):
        return True
    if kind.names and any(first.isupper() and word not in asked for word, first in said[1:]):
        return True
    numbers = _numbers(plain, tongue) if kind.numbers else []
    if not kind.units:
        return bool(numbers)
    return any(kind.units.intersection(plain[at + 1 : at + 1 + REACH]) for at in numbers)


def _numbers(said: Sequence[str], tongue: Language) -> list[int]:
    return [at for at, word in enumerate(said) if word[0].isdigit() or word in tongue.numerals]
