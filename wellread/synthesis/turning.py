"""An English sentence in, plain questions that it answers out: by its first words and its verb, and only where these are sure.

No grammar is parsed: a sentence of another build gives nothing. `The lamp is lit at dusk` gives `When is the lamp lit?`,
`The keeper must ring the bell` `What must the keeper do?`, `The great lamp burns 14 litres a night` `What does the great
lamp burn?` and `How many litres does the great lamp burn?`.
"""

from __future__ import annotations

import re

_THING = r"(?P<thing>(?:The|An?|Each|Every|All|No) (?:[\w’'-]+ ){0,3}?[\w’'-]+|[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){0,2})"
_BE = r"(?P<be>is|are|was|were)"
_MODAL = r"(?P<modal>must|may|can|should|shall|will|cannot)"
_PLACES = r"(?:the|a|an|its|each|every|[A-Z])"
_SPELLED = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|"
    "nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand"
)
_COUNTED = rf"(?:\d[\d.,]*|(?:{_SPELLED})(?:(?:-| and | )(?:{_SPELLED}))*)"
_PASSIVE = re.compile(
    rf"{_THING} {_BE} (?P<done>\w+(?:ed|en|t|ne|wn|ung|ade|ept|old|id)) "
    rf"(?P<how>by|at|in|on|every|before|after|until|within|under|behind|from) (?P<tail>.+)"
)
_MODALLY = re.compile(rf"{_THING} {_MODAL}(?P<no> not| never)? (?P<act>[a-z]+ .+)")
_ACTIVE = re.compile(
    rf"{_THING} (?P<verb>[a-z]+s) (?P<rest>(?:an?|the|its|his|her|their|all|every|each|no|{_COUNTED})\b.+)"
)
_STANDS = re.compile(rf"{_THING} (?P<verb>[a-z]+s) (?P<how>at|in|on|under|behind|before|after|until) (?P<tail>.+)")
_THERE = re.compile(rf"There (?P<be>are|were) (?P<count>{_COUNTED}) (?P<what>[a-z].+)")
_MANY = re.compile(rf"(?P<count>{_COUNTED}) (?P<unit>[a-z][\w-]+)")
_NO_VERBS = frozenset((
    "is", "was", "does", "this", "its", "as", "us", "thus", "always", "perhaps", "besides", "minus", "less", "persons",
))  # fmt: skip
_TIMES = re.compile(
    r"\d{3,4}\b|\d|(?:dawn|dusk|noon|night|midnight|sunset|sunrise|winter|summer|spring|autumn)\b|"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:January|February|March|April|May|June|July|August)\b|"
    r"(?:September|October|November|December)\b|"
    r"(?:the )?(?:first|last|second|third|end|beginning|morning|evening|week|month)\b"
)
NO_THINGS = frozenset((
    "It", "Its", "They", "Their", "This", "That", "These", "Those", "He", "She", "There", "Here", "We", "You", "I", "If", "When",
    "Where", "While", "After", "Before", "Then", "What", "Whoever", "Nothing", "Nobody", "Anyone", "At", "Below", "Above", "One",
    "In", "On", "By", "For", "From", "Under", "Both", "Neither",
))  # fmt: skip
"""Beginnings of sentences that name nothing to ask about."""
_LINKED = frozenset(("who", "that", "which", "whom"))
_CLAUSE = re.compile(
    r"; |, (?:and|but|who|which|though|because|so that|since|where|with)\b| and (?:is|are|has|have|may|shall|must) "
)


def turned(sentence: str) -> list[tuple[str, str]]:
    """Questions with their answers, which are words of the sentence as they stand."""
    plain = " ".join(sentence.split()).rstrip(".!?…")
    if there := _THERE.fullmatch(plain):
        what = re.split(r",| that | which | who | of which ", there["what"])[0]
        return [(f"How many {what} {there['be']} there?", there["count"])]
    if plain.partition(" ")[0] in NO_THINGS or ":" in plain or ";" in plain:
        return []
    for rule in (_passive, _modal, _active, _placed):
        if found := rule(plain):
            return [(question, clause(answer)) for question, answer in found]
    return []


def names_a_thing(thing: str) -> bool:
    """Whether what a sentence begins with can be asked about: no pronoun, no bare `Each`, nothing with a clause of its own."""
    said = thing.split()
    return (
        said[0] not in NO_THINGS
        and not (len(said) == 1 and said[0] in ("Each", "All", "No", "Every"))
        and not _LINKED & set(said)
    )


def clause(text: str) -> str:
    """A text up to where another thing is said."""
    return _CLAUSE.split(text)[0].rstrip(",;")


def inside(thing: str) -> str:
    """What a sentence begins with, as it stands in the middle of one: an article is written small."""
    first, _, rest = thing.partition(" ")
    small = first.casefold() in (
        "the",
        "a",
        "an",
        "each",
        "every",
        "all",
        "no",
        "le",
        "la",
        "les",
        "un",
        "une",
        "chaque",
    )
    return f"{first.casefold()} {rest}" if small and rest else thing


def _passive(plain: str) -> list[tuple[str, str]]:
    found = _PASSIVE.fullmatch(plain)
    if found is None or not names_a_thing(found["thing"]):
        return []
    how, tail = found["how"], found["tail"]
    if how == "by":
        asks, answer = ("By whom" if re.match(r"[A-Z]", tail) else "By what"), tail.split(",")[0]
    else:
        asks, answer = _when_or_where(how, tail)
    return [(f"{asks} {found['be']} {inside(found['thing'])} {found['done']}?", answer)] if asks else []


def _when_or_where(how: str, tail: str) -> tuple[str, str]:
    """What asks for a preposition with what follows it, and the answer; nothing where neither is sure."""
    answer = f"{how} {tail.split(',', maxsplit=1)[0]}"
    if how in ("every", "before", "after", "until", "within") or _TIMES.match(tail):
        return ("How often" if how == "every" else "When"), answer
    return ("Where", answer) if re.match(_PLACES, tail) else ("", "")


def _modal(plain: str) -> list[tuple[str, str]]:
    found = _MODALLY.fullmatch(plain)
    if found is None or not names_a_thing(found["thing"]):
        return []
    modal, no = found["modal"], found["no"] or ""
    if modal == "cannot":
        modal, no = "can", " not"
    return [(f"What {modal} {inside(found['thing'])}{no} do?", found["act"])]


def _active(plain: str) -> list[tuple[str, str]]:
    found = _ACTIVE.fullmatch(plain)
    if found is None or found["verb"] in _NO_VERBS or not names_a_thing(found["thing"]):
        return []
    thing, verb, rest = inside(found["thing"]), _bare(found["verb"]), found["rest"]
    asked = [(f"What does {thing} {verb}?", rest)]
    counted = _MANY.match(rest)
    if counted:
        asked.append((f"How many {counted['unit']} does {thing} {verb}?", counted.group()))
    return asked


def _placed(plain: str) -> list[tuple[str, str]]:
    found = _STANDS.fullmatch(plain)
    if found is None or found["verb"] in _NO_VERBS or not names_a_thing(found["thing"]):
        return []
    asks, answer = _when_or_where(found["how"], found["tail"])
    return [(f"{asks} does {inside(found['thing'])} {_bare(found['verb'])}?", answer)] if asks else []


def _bare(verb: str) -> str:
    """`burns` without its ending, as after `does`."""
    if verb == "has":
        return "have"
    if verb.endswith("ies") and len(verb) > 4:
        return f"{verb[:-3]}y"
    if verb.endswith(("sses", "shes", "ches", "xes", "zes", "oes")):
        return verb[:-2]
    return verb[:-1]
