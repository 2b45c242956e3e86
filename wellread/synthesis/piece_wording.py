"""The words in which templates ask about documents, in English and French; names stand as they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

from wellread.errors import UnknownName
from wellread.registry import unknown


@dataclass(frozen=True, slots=True)
class PieceWording:
    """Templates name `{x}`, what is asked about; `{t}`, the text with a gap; `{h}`, a section; `{v}`, a value."""

    number: tuple[str, ...]
    """A number that is missing from `{t}`; `{x}` is what is counted."""
    name: tuple[str, ...]
    """A name that is missing from `{t}`."""
    what: tuple[str, ...]
    """What `{x}` is."""
    entry: tuple[str, ...]
    """What stands behind `{x}:` in section `{h}`."""
    called: tuple[str, ...]
    """Of what `{v}` is said."""
    cell: tuple[str, ...]
    """The value of `{x}` in column `{v}`."""
    row: tuple[str, ...]
    """All that a table says of `{x}`."""
    listed: tuple[str, ...]
    """All items of the list in section `{h}`."""
    after: tuple[str, ...]
    """What follows item `{x}`."""
    section: tuple[str, ...]
    """What section `{h}` says."""
    leads: tuple[str, ...]
    """What may stand before a question; the first is nothing. `{b}` is the book."""
    gap: str
    book: str
    """What a document without a title is called."""
    definition: re.Pattern[str]
    """A sentence that says what something is: groups `x` and `v`."""


ENGLISH = PieceWording(
    number=("How many {x}: “{t}”?", "Which number of {x} is missing here: “{t}”", "Fill the gap: “{t}”"),
    name=("Who or what is missing here: “{t}”", "Which name belongs in the gap: “{t}”", "Fill the gap: “{t}”"),
    what=("What is {x}?", "Explain what {x} is.", "Tell me what {x} is."),
    entry=("What does “{h}” say of {x}?", "{h}, {x}: what is said there?", "In “{h}”, what stands under {x}?"),
    called=("Of what is this said: “{v}”?", "What is described so: “{v}”?"),
    cell=("What is the {v} of {x}?", "{x}: {v}?", "For {x}, what stands under “{v}”?"),
    row=("What does the table of “{h}” say of {x}?", "Tell me all that “{h}” gives for {x}."),
    listed=("What does “{h}” list?", "Name everything in the list of “{h}”."),
    after=("What comes after “{x}”?", "In “{h}”, what follows on “{x}”?"),
    section=("What does the section “{h}” say?", "Tell me about “{h}”.", "What is “{h}” about?"),
    leads=("", "According to “{b}”: ", "A quick question: ", "I need to know this: "),
    gap="…",
    book="the handbook",
    definition=re.compile(
        r"(?P<x>(?:An?|The|Each|Every) (?:[\w’'-]+ ){0,4}?[\w’'-]+|[A-Z][\w’'-]+(?: [\w’'-]+){0,3}?) (?P<be>is|are|was|were|means) "
        r"(?P<v>(?:an?|the|one|those|any|what|all|someone|every) .+)"
    ),
)
FRENCH = PieceWording(
    number=("Combien de {x} : « {t} » ?", "Quel nombre manque ici : « {t} »", "Complétez : « {t} »"),
    name=("Qui ou quoi manque ici : « {t} »", "Quel nom faut-il mettre : « {t} »", "Complétez : « {t} »"),
    what=("Qu’est-ce que {x} ?", "Expliquez ce qu’est {x}.", "Dites-moi ce qu’est {x}."),
    entry=("Que dit « {h} » de {x} ?", "{h}, {x} : qu’est-il dit là ?"),
    called=("De quoi dit-on ceci : « {v} » ?", "Qu’est-ce qui est décrit ainsi : « {v} » ?"),
    cell=("{x} : {v} ?", "Dans le tableau, pour {x}, que donne la colonne « {v} » ?"),
    row=("Que dit le tableau « {h} » de {x} ?", "Donnez tout ce que « {h} » indique pour {x}."),
    listed=("Qu’énumère « {h} » ?", "Citez toute la liste de « {h} »."),
    after=("Qu’est-ce qui vient après « {x} » ?", "Dans « {h} », que lit-on après « {x} » ?"),
    section=("Que dit la partie « {h} » ?", "Parlez-moi de « {h} ».", "De quoi parle « {h} » ?"),
    leads=("", "D’après « {b} » : ", "Une petite question : ", "J’ai besoin de savoir ceci : "),
    gap="…",
    book="le manuel",
    definition=re.compile(
        r"(?P<x>(?:Une?|L[ea]s?|Chaque) (?:[\w’'-]+ ){0,4}?[\w’'-]+|L[’'][\w’'-]+|[A-ZÉÈ][\w’'-]+(?: [\w’'-]+){0,3}?) "
        r"(?P<be>est|sont|était|étaient) (?P<v>(?:une?|l[ea]s?|des|ce|cel\w+) .+)"
    ),
)


WORDINGS = {"en": ENGLISH, "fr": FRENCH}


def piece_wording(language: str) -> PieceWording:
    """The words of a language. Raises UnknownName where templates do not speak it."""
    if language not in WORDINGS:
        raise UnknownName(unknown(f"language {language!r} of templates", language, WORDINGS))
    return WORDINGS[language]
