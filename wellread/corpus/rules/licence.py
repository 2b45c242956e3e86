"""What libraries of public-domain e-texts put before and after the book: notices, licences, credits."""

from __future__ import annotations

import re

from wellread.corpus.rules import Outcome, excerpt

_OPENINGS = (
    r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG[^*]{0,300}(?:\*\*\*)?[^\n]*",
    r"\*END[* ]*THE SMALL PRINT[^\n]*",
    r"(?:\*+ ?)?END ?\*? ?(?:OF )?THE SMALL PRINT[^\n]*",
    r"-{3,} ?D[EÉ]BUT DU FICHIER[^\n]*",
    r"Export[ée]d? (?:de|from) Wikisource (?:le|on)[^\n]*",
)
_CLOSINGS = (
    r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG",
    r"(?:\*+ ?)?(?:This is the )?End of (?:the |this )?Project Gutenberg",
    r"\*+ ?(?:START: FULL LICENSE|START\*\* ?THE SMALL PRINT|This file should be named)",
    r"(?:START: )?FULL LICENSE\n+THE FULL PROJECT GUTENBERG LICENSE",
    r"-{3,} ?FIN DU FICHIER",
    r"[ \t]*(?:À|A) propos de cette édition électronique",
    r"[ \t]*About this digital edition",
    r"[ \t]*Cet ouvrage est le [\w° ]{2,20} publi[ée]+\s+dans la collection",
    r"[ \t]*This is a digital copy of a book that was preserved for generations",
)
_OPENING = re.compile("|".join(f"^[ \\t]*(?:{pattern})" for pattern in _OPENINGS), re.IGNORECASE | re.MULTILINE)
_CLOSING = re.compile("|".join(f"^(?:{pattern})" for pattern in _CLOSINGS), re.IGNORECASE | re.MULTILINE)
_NOTICE = re.compile(
    r"project gutenberg|gutenberg\.(?:org|net)|pgdp\.net|\be-?text\b.*\b(?:prepared|produced|scanned)|"
    r"^\W*(?:this )?(?:e-?text|e-?book|file) (?:was )?(?:prepared|produced|created|scanned|transcribed) (?:by|from)|"
    r"^\W*produced by\b|^\W*transcribed (?:from|by)\b|distributed proofread|proofreading team|^\W*html version by\b|"
    r"^\W*updated editions? will replace|^\W*(?:release date|posting date|character set encoding|last updated):|"
    r"ebooks libres et gratuits|ebooksgratuits|biblioth[èe]que [ée]lectronique du qu[ée]bec|"
    r"^\W*collection à tous les vents|"
    r"wikisource|feedbooks|standard ebooks|archive\.org|association des bibliophiles universels|abu\.cnam\.fr|"
    r"^\W*volume \d+ : version \d",
    re.IGNORECASE | re.MULTILINE,
)
_EDGE = 12
"""Paragraphs at either end of a text that are looked at for a notice without markers."""


def licence(texts: list[str]) -> Outcome:
    """The texts from the end of the opening notice to the beginning of the closing one; count: passages cut.

    Markers (START OF / END OF and their older and French kin) cut everything beyond them; single paragraphs at the
    edges go where they name the library, its volunteers or the file.
    """
    whole = "\n\n".join(texts)
    start, end = _marked(whole)
    removed = [part for part in (whole[:start].strip(), whole[end:].strip()) if part]
    kept, offset = [], 0
    for text in texts:
        inside = text[max(0, start - offset) : max(0, end - offset)]
        offset += len(text) + 2
        kept.append(inside)
    filled = [place for place, text in enumerate(kept) if text.strip()]
    for place in filled[:2] + filled[2:][-2:]:
        kept[place] = _without_notices(kept[place], removed)
    example = f"{excerpt(removed[0])} → (removed)" if removed else ""
    return Outcome(kept, len(removed), example)


def _marked(text: str) -> tuple[int, int]:
    """Where the book begins and ends by markers: the opening one lies in the first half, the closing one after it."""
    start, end = 0, len(text)
    for found in _OPENING.finditer(text, 0, len(text) // 2 + 3000):
        start = found.end()
    if closing := _CLOSING.search(text, max(start, len(text) // 2 if len(text) > 60_000 else start)):
        end = closing.start()
    return (start, end) if text[start:end].strip() else (0, len(text))


def _without_notices(text: str, removed: list[str]) -> str:
    """The text without the notices among its first and last paragraphs; a notice is at most 150 words long."""
    blocks = re.split(r"(\n[ \t]*\n\s*)", text) if len(text) < 20_000 else _edges(text)
    paragraphs = [place for place in range(0, len(blocks), 2) if blocks[place].strip()]
    for place in {*paragraphs[:_EDGE], *paragraphs[-_EDGE:]}:
        if len(blocks[place].split()) <= 150 and _NOTICE.search(blocks[place]):
            removed.append(blocks[place].strip())
            blocks[place] = ""
    return "".join(blocks)


def _edges(text: str) -> list[str]:
    """Paragraphs and gaps of the first and the last 8,000 characters; all between as one piece."""
    first = text.find("\n\n", 8000)
    last = text.rfind("\n\n", 0, len(text) - 8000)
    if first < 0 or last <= first:
        return [text]
    head, tail = re.split(r"(\n[ \t]*\n\s*)", text[:first]), re.split(r"(\n[ \t]*\n\s*)", text[last:].lstrip("\n"))
    return [*head, "\n\n", text[first:last].strip("\n"), "\n\n", *tail]
