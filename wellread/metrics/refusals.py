"""Whether an answer declines to define a term, or defines it, in English and French.

By patterns, sentence by sentence: a model that says "I do not know that term, but it stands for …" has defined it. What
it says of another term that it offers in place of the one asked for is no definition of this one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_BOOKS = r"(?:glossary|lexicon|dictionary|vocabulary|word list|list of terms|entries|entry|glossaire|lexique|dictionnaire|vocabulaire)"
_NOT = r"(?:(?<!\w)(?:not(?! to be confused)|never|nowhere|no|without|cannot)|n't)"
_CAN = (
    r"(?:know|aware|familiar|recogni[sz]e|find|found|sure|certain|information|knowledge|record|definition|context|data|access|heard|"
    r"seen|met|come across|encountered|say|tell|identify|define|determine|answer|help|provide|give|offer|understand|have)"
)
_TERM = r"(?:term|word|acronym|abbreviation|name|concept|phrase|expansion|meaning)"
_UNREAL = r"(?:unknown|undefined|unlisted|unfamiliar|fictional|fictitious|made[- ]up|invented|non-?existent)"
_ENGLISH = (
    rf"{_NOT}\b[^.]{{0,60}}\b{_BOOKS}\b",
    rf"\b{_BOOKS}\b[^.]{{0,40}}\b(?:{_NOT})\b",
    rf"\b(?:i|we) (?:(?:do|can|could|am|are|have|did|was|were|would)(?: not|n't)|cannot|have no|have never|had never)\b"
    rf"(?: \w+){{0,4}}? ?\b{_CAN}\b",
    r"\b(?:i|we) (?:am |are )?(?:unable|unsure|unaware|unfamiliar|uncertain)\b",
    rf"\bthere (?:is|are|'s) (?:no|not an?|not any)\b[^.]{{0,40}}\b(?:{_TERM}|entry|definition|record|information|thing)s?\b",
    rf"\bno such (?:{_TERM}|thing|entry)\b",
    rf"\bno (?:{_TERM}|definition|information|record|entry|data|match|result)s?\b (?:\w+ ){{0,3}}?"
    r"(?:of|for|on|about|found|called|named|available)\b",
    r"\b(?:does|do|did)(?: not|n't) (?:seem to |appear to )?"
    r"(?:exist|appear|stand for anything|mean anything|match any|refer to any|have an? (?:known|standard|specific|defined|official|widely)"
    r"|correspond to an?y?)\b",
    rf"\bis(?: not|n't) an? (?:\w+ ){{0,4}}?{_TERM}\b",
    r"\b(?:is|are|was|remains)(?: not|n't) (?:\w+ly )?(?:known to me|known here|defined|listed|recogni[sz]ed|recorded|documented|"
    r"among (?:the|my|its|these))\b",
    r"(?<!\bthat )(?<!\bwhich )\b(?:is|are|was|remains)(?: not|n't) (?:\w+ly )?(?:included|covered|mentioned)\b",
    rf"\b(?:is|are|was|remains) (?:\w+ly )?(?:unknown to|{_UNREAL}(?=\s*(?:$|[.,;!])))",
    rf"\b{_UNREAL} {_TERM}\b",
    r"\b(?:could|can|would|will) you (?:please |kindly )?(?:provide|give|clarify|tell|specify|share|explain|supply|offer)\b",
    r"\bplease (?:provide|clarify|specify|give|share|tell)\b",
    r"\bwithout (?:more|further|additional|any) (?:context|information)\b",
    r"\b(?:more|additional|further) (?:context|information|details?)\b[^.]{0,40}\b(?:needed|required|necessary|would help)\b",
    r"\b(?:cannot|can't|could not|couldn't) be (?:found|identified|defined|determined)\b",
    r"^\W*(?:unknown|not known|not found|undefined|none|n/a|not defined|not listed|no idea)\b",
)  # fmt: skip
_PAS = r"(?:pas|point|jamais|aucune?|rien|nulle part)"
_MOT = r"(?:terme|mot|sigle|acronyme|abréviation|nom|entrée|expression)"
_FRENCH = (
    rf"\b(?:ne |n')[^.]{{0,40}}\b{_PAS}\b[^.]{{0,40}}\b{_BOOKS}\b",
    rf"\b{_BOOKS}\b[^.]{{0,30}}\b(?:ne |n')[^.]{{0,30}}\b{_PAS}\b",
    r"\b(?:je|nous) (?:ne |n')(?:le |la |les |l'|vous |en |y )?(?:connais|sais|dispose|trouve|peux|puis|saurais|reconnais|vois|comprends|"
    rf"possède|ai|suis|connaissons|savons|disposons|trouvons|avons)(?: {_PAS})?\b",
    rf"\b(?:n'existe|ne figure|n'apparaît|n'apparait|n'est (?:répertorié|recensé|mentionné)e?) ?{_PAS}?\b",
    rf"\bne (?:signifie|veut|correspond à|désigne|renvoie à) (?:{_PAS.replace('pas|point|jamais|', '')})\b",
    rf"\bn'est pas (?:\w+ ){{0,2}}?(?:défini|connu|répertorié|recensé|mentionné|inscrit|une? (?:\w+ )?{_MOT})",
    rf"\baucune? (?:\w+ )?(?:{_MOT}|définition|information|trace|mention|résultat|idée)s?\b",
    r"\b(?:est|reste|demeure|m'est) (?:inconnue?|introuvable|fictif|fictive|inventée?|imaginaire)(?=\s*(?:$|[.,;!]|d|à|pour|dans))",
    rf"\b{_MOT} (?:inconnue?|inventée?|fictif|fictive|imaginaire)\b",
    rf"\babsente? (?:du|de ce|de cette|de mon|de notre) {_BOOKS}",
    rf"\bil n'y a (?:pas|aucune?)\b[^.]{{0,40}}\b(?:{_MOT}|définition)s?\b",
    r"\b(?:pouvez|pourriez|voulez)-vous (?:me |m'|nous |en )?(?:donner|préciser|fournir|indiquer|dire plus|expliquer)\b",
    r"\bveuillez (?:préciser|fournir|donner|indiquer)\b",
    r"\b(?:davantage|plus) de (?:contexte|précisions|détails)\b",
    r"^\W*(?:inconnue?|non définie?|introuvable|aucune idée|pas dans (?:le|ce) glossaire)\b",
)
_REFUSAL = re.compile("|".join((*_ENGLISH, *_FRENCH)))
_ANOTHER = re.compile(
    r"\b(?:nearest|closest|close to|similar|resembl|look-?alike|did you mean|you (?:may |might |perhaps )?mean|confus|"
    r"proche|ressembl|vouliez|voulez-vous dire|confond)"
)
"""A clause that offers another term: what `it` is said to be after it, that other term is."""
_CLAUSES = re.compile(
    r"[.!?;:\n,]+|\b(?:but|however|though|although|nevertheless|mais|cependant|toutefois|néanmoins|pourtant|bien que)\b"
)
_SENTENCES = re.compile(r"[.!?;\n]+|\b(?:but|however|nevertheless|mais|cependant|toutefois|néanmoins|pourtant)\b")
_IT = (
    r"it|this|that|(?:this|that|the) (?:term|acronym|abbreviation|word)|"
    r"il|elle|cela|ça|ce (?:terme|sigle|mot)|cet acronyme|cette abréviation|c'"
)
_SAYS = (
    r"(?:stands? for|stood for|means|refers? to|denotes|designates|is short for|is defined as|is an? |is the |"
    r"(?:could|may|might|can|would) (?:also |possibly |perhaps )?(?:stand for|mean|refer to|be )|"
    r"signifie|désigne|veut dire|correspond à|renvoie à|est (?:une? |le |la |les |l'|l’)|s'agit d|"
    r"(?:pourrait|peut|doit) (?:aussi |bien )?(?:signifier|désigner|être ))"
)


def refuses(text: str, term: str = "") -> bool:
    """Whether an answer declines to define `term`: it says that it does not know it, that there is none, or asks back."""
    said = _plain(text)
    if not any(_REFUSAL.search(each) for each in _parts(_SENTENCES, said)):
        return False
    return not any(_asserts(term).search(each) for each in _about(said, term))


def defines(text: str, term: str = "") -> bool:
    """Whether an answer defines `term` as if there were such a term: it says something, and does not refuse."""
    own = set(_plain(term).split())
    said = [word for word in re.findall(r"[^\W_]+", _plain(text)) if word not in own]
    return len(said) > 1 and not refuses(text, term)


def _about(said: str, term: str) -> Iterator[str]:
    """The clauses that speak of the term and do not refuse; `it` after another term was offered is not it."""
    another = False
    for clause in _parts(_CLAUSES, said):
        another = another or bool(_ANOTHER.search(clause))
        named = bool(term) and _plain(term) in clause
        if not _REFUSAL.search(clause) and (named or not another):
            yield clause


@lru_cache(maxsize=512)
def _asserts(term: str) -> re.Pattern[str]:
    """The beginning of a definition: the term, or a word that stands for it, and a verb that defines."""
    subject = rf"{re.escape(_plain(term))}|{_IT}" if term else _IT
    return re.compile(rf"(?:^|[^\w])(?:{subject})[\"'»”)\]*_]*\s*(?:\([^)]*\)\s*)?(?:\w+ly |also )?{_SAYS}")


def _parts(at: re.Pattern[str], said: str) -> list[str]:
    return [part.strip() for part in at.split(said) if part.strip()]


def _plain(text: str) -> str:
    """Lower case, straight apostrophes, single spaces; `I'm` opened, `S.L.A.` closed."""
    text = re.sub(r"\b(?:\w\.){2,}", lambda found: found.group().replace(".", ""), text)
    text = text.casefold().replace("’", "'").replace("`", "'")
    text = re.sub(r"\bi've\b", "i have", re.sub(r"\bi'm\b", "i am", text))
    return re.sub(r"[^\S\n]+", " ", text).strip()
