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
_COUNTED = (
    r"(?:\d[\d.,]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty)"
)
_PASSIVE = re.compile(
    rf"{_THING} {_BE} (?P<done>\w+(?:ed|en|t|ne|wn|ung|ade|ept|old|id)) "
    rf"(?P<how>by|at|in|on|every|before|after|until|within|under|behind|from) (?P<tail>.+)"
)
_MODALLY = re.compile(rf"{_THING} {_MODAL}(?P<no> not| never)? (?P<act>[a-z]+ .+)")
_ACTIVE = re.compile(
    rf"{_THING} (?P<verb>[a-z]+s) (?P<rest>(?:an?|the|its|his|her|their|all|every|each|one|no|{_COUNTED})\b.+)"
)
_MANY = re.compile(rf"(?P<count>{_COUNTED}) (?P<unit>[a-z][\w-]+)")
_NO_VERBS = frozenset(("is", "was", "has", "does", "this", "its", "as", "us", "thus", "always", "perhaps", "besides"))
_TIMES = re.compile(
    r"\d{3,4}\b|\d|(?:dawn|dusk|noon|night|midnight|sunset|sunrise|winter|summer|spring|autumn)\b|"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:January|February|March|April|May|June|July|August)\b|"
    r"(?:September|October|November|December)\b|"
    r"(?:the )?(?:first|last|second|third|end|beginning|morning|evening|week|month)\b"
)
_PRONOUNS = frozenset((
    "It", "They", "This", "That", "These", "Those", "He", "She", "There", "Here", "We", "You", "I", "If", "When", "Where",
    "While", "After", "Before", "Then",
))  # fmt: skip


def turned(sentence: str) -> list[tuple[str, str]]:
    """Questions with their answers, which are words of the sentence as they stand."""
    plain = " ".join(sentence.split()).rstrip(".!?…")
    if plain.partition(" ")[0] in _PRONOUNS or ":" in plain or ";" in plain:
        return []
    for rule in (_passive, _modal, _active):
        if found := rule(plain):
            return found
    return []


def inside(thing: str) -> str:
    """What a sentence begins with, as it stands in the middle of one: an article is written small."""
    first, _, rest = thing.partition(" ")
    small = first.casefold() in ("the", "a", "an", "each", "every", "all", "no")
    return f"{first.casefold()} {rest}" if small and rest else thing


def _passive(plain: str) -> list[tuple[str, str]]:
    found = _PASSIVE.fullmatch(plain)
    if found is None:
        return []
    how, tail, thing = found["how"], found["tail"], inside(found["thing"])
    first = tail.split(",")[0]
    if how == "by":
        asks, answer = ("By whom" if re.match(r"[A-Z]", tail) else "By what"), first
    elif how in ("every", "before", "after", "until", "within") or _TIMES.match(tail):
        asks, answer = ("How often" if how == "every" else "When"), f"{how} {first}"
    elif re.match(_PLACES, tail):
        asks, answer = "Where", f"{how} {first}"
    else:
        return []
    return [(f"{asks} {found['be']} {thing} {found['done']}?", answer)]


def _modal(plain: str) -> list[tuple[str, str]]:
    found = _MODALLY.fullmatch(plain)
    if found is None:
        return []
    modal, no = found["modal"], found["no"] or ""
    if modal == "cannot":
        modal, no = "can", " not"
    return [(f"What {modal} {inside(found['thing'])}{no} do?", found["act"])]


def _active(plain: str) -> list[tuple[str, str]]:
    found = _ACTIVE.fullmatch(plain)
    if found is None or found["verb"] in _NO_VERBS or found["verb"].endswith("ss"):
        return []
    thing, verb, rest = inside(found["thing"]), _bare(found["verb"]), found["rest"]
    asked = [(f"What does {thing} {verb}?", rest)]
    counted = _MANY.match(rest)
    if counted:
        asked.append((f"How many {counted['unit']} does {thing} {verb}?", counted.group()))
    return asked


def _bare(verb: str) -> str:
    """`burns` without its ending, as after `does`."""
    if verb.endswith("ies") and len(verb) > 4:
        return f"{verb[:-3]}y"
    if verb.endswith(("sses", "shes", "ches", "xes", "zes", "oes")):
        return verb[:-2]
    return verb[:-1]
