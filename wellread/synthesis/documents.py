"""Documents in, questions with short answers out, by templates: every one keeps the words of the document that it was made of."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wellread.function_words import ENGLISH, FRENCH
from wellread.matching import words
from wellread.synthesis.piece_wording import WORDINGS, PieceWording, piece_wording
from wellread.synthesis.pieces import Piece, pieces
from wellread.synthesis.turning import clause, inside, names_a_thing, turned
from wellread.synthesis.wording import fill
from wellread.types import Document

ALIKE = 0.75
"""Two questions of which the common words make up this share of all their words are one question."""
LONGEST_ANSWER = 60
"""Words."""
SHORTEST = 5
"""Words of a sentence that a gap is put into."""
_SPELLED = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|"
    "nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|"
    "deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingt|trente|quarante|cinquante|soixante|cent|mille"
)
_NUMBER = re.compile(
    rf"(?<![\w.,-])(?P<n>\d[\d.,]*\d|\d|(?:{_SPELLED})(?:(?:-| and | et | )(?:{_SPELLED}))*)"
    r"(?P<of> ?%| [a-zà-ÿ][\wà-ÿ-]{2,})?(?![\w-])"
)
_NAME = re.compile(r"(?<=[\w,;] )[A-ZÀ-Þ][\w’'-]+(?: (?:of |de |du |the )?[A-ZÀ-Þ][\w’'-]+){0,3}")


@dataclass(frozen=True, slots=True)
class Item:
    """A question that a document answers, and the words of it that do."""

    task: str
    """number, name, what, entry, called, cell, row, listed, after, section, turned; or `written` by a model."""
    question: str
    answer: str
    document: str
    source: str
    section: str
    quote: str
    """As it stands in the document."""
    short: bool = True
    """Whether the answer is a word or a few, not a rendering of a passage."""


def items(documents: Sequence[Document], *, language: str = "en", phrasings: int = 3, seed: int = 0) -> list[Item]:
    """Every document asked about in up to `phrasings` ways for each thing it says, in its order; no question twice.

    The same seed gives the same. Raises UnknownName for a language without templates.
    """
    wording, draw = piece_wording(language), random.Random(f"wellread documents {seed}")
    found: dict[str, Item] = {}
    for document in documents:
        several = pieces(document)
        made = [*(each for piece in several for each in _of_piece(piece, wording, language)),
                *_of_lists(several, wording), *_of_section(document, several, wording)]  # fmt: skip
        book = str(document.metadata.get("title") or wording.book)
        for task, asked, values, answer, quote in made:
            for place, template in enumerate(_chosen(asked, phrasings, draw)):
                lead = wording.leads[0] if not place else draw.choice(wording.leads)
                question = fill(lead, {"b": book}) + fill(template, values)
                item = Item(task, question, answer, document.id, document.source, document.section, quote,
                            len(answer.split()) <= 12)  # fmt: skip
                found.setdefault(" ".join(question.casefold().split()), item)
    return list(found.values())


Made = tuple[str, Sequence[str], dict[str, str], str, str]
"""Task, templates, what fills them, the answer, the quote."""


def _chosen(templates: Sequence[str], most: int, draw: random.Random) -> list[str]:
    return draw.sample(list(templates), min(most, len(templates)))


def _of_piece(piece: Piece, wording: PieceWording, language: str) -> Iterator[Made]:
    if piece.kind == "row":
        yield from _of_row(piece, wording)
        return
    if piece.kind == "entry":
        name, told = piece.cells
        yield "entry", wording.entry, {"x": name, "h": piece.heading}, _bounded(told), piece.text
        yield "called", wording.called, {"v": _bounded(told).rstrip(".")}, name, piece.text
    if piece.kind in ("sentence", "item"):
        defined = wording.definition.match(piece.text)
        defined = defined if defined and names_a_thing(defined["x"]) else None
        if defined and language == "en" and defined["be"] != "means":
            asks = (f"What {defined['be']} {{x}}?", *wording.what[1:])
            yield "what", asks, {"x": inside(defined["x"])}, _bounded(clause(defined["v"].rstrip("."))), piece.text
        elif defined:
            yield (
                "what",
                wording.what,
                {"x": inside(defined["x"])},
                _bounded(clause(defined["v"].rstrip("."))),
                piece.text,
            )
        if language == "en":
            for question, answer in turned(piece.text):
                yield "turned", (_bare(question),), {}, _bounded(answer), piece.text
    yield from _gaps(piece, wording)


def _of_row(piece: Piece, wording: PieceWording) -> Iterator[Made]:
    name = piece.cells[0]
    known = [(head, cell) for head, cell in zip(piece.head[1:], piece.cells[1:], strict=False) if head and cell]
    for head, cell in known:
        yield "cell", wording.cell, {"x": name, "v": _small(head)}, cell, piece.text
    told = "; ".join(f"{_small(head)} {cell}" for head, cell in known)
    if name and told:
        yield "row", wording.row, {"x": name, "h": piece.heading}, _bounded(f"{name}: {told}."), piece.text


def _of_lists(several: Sequence[Piece], wording: PieceWording) -> Iterator[Made]:
    lists: dict[int, list[Piece]] = defaultdict(list)
    for piece in several:
        if piece.kind == "item":
            lists[piece.group].append(piece)
    for group in lists.values():
        listed = _bounded("; ".join(piece.text.rstrip(".;") for piece in group))
        yield "listed", wording.listed, {"h": group[0].heading}, f"{listed}.", group[0].text
        for one, other in pairwise(group):
            yield "after", wording.after, {"x": one.text.rstrip(".;"), "h": one.heading}, other.text, other.text


def _of_section(document: Document, several: Sequence[Piece], wording: PieceWording) -> Iterator[Made]:
    """What a section says, as it begins."""
    said: list[str] = []
    for piece in several:
        if piece.kind != "sentence" or sum(len(each.split()) for each in (*said, piece.text)) > LONGEST_ANSWER:
            break
        said.append(" ".join(piece.text.split()))
    if said and document.section:
        yield "section", wording.section, {"h": document.section}, " ".join(said), several[0].text


def _gaps(piece: Piece, wording: PieceWording) -> Iterator[Made]:
    """The sentence with a number, or a name, left out."""
    text = " ".join(piece.text.split())
    if len(text.split()) < SHORTEST:
        return
    for found in _NUMBER.finditer(text):
        counted = (found["of"] or "").strip()
        counted = "" if counted in ENGLISH or counted in FRENCH else counted
        gapped = {"t": text[: found.start("n")] + wording.gap + text[found.end("n") :], "x": counted}
        templates = wording.number if counted and counted != "%" else wording.number[2:]
        yield "number", templates, gapped, f"{found['n']} {counted}".strip(), piece.text
    for found in _NAME.finditer(text):
        yield (
            "name",
            wording.name,
            {"t": text[: found.start()] + wording.gap + text[found.end() :]},
            found.group(),
            piece.text,
        )


def _bare(text: str) -> str:
    """A text that no placeholder can stand in."""
    return text.replace("{", "(").replace("}", ")")


def _small(head: str) -> str:
    """A column's head in the middle of a sentence; capitals that stand for something stay."""
    return head if head[1:2].isupper() else head[:1].casefold() + head[1:]


def _bounded(text: str) -> str:
    cut = text.split()
    return " ".join(cut) if len(cut) <= LONGEST_ANSWER else " ".join(cut[:LONGEST_ANSWER]) + " …"


def _any_lead() -> re.Pattern[str]:
    leads = [lead for words in WORDINGS.values() for lead in words.leads if lead]
    return re.compile("^(?:" + "|".join(re.escape(lead).replace(re.escape("{b}"), ".*?") for lead in leads) + ")")


LEAD = _any_lead()
"""What may stand before a question, and says nothing of what is asked."""


def apart(made: Sequence[Item], kept: Sequence[str]) -> tuple[list[Item], list[Item]]:
    """The items whose questions are none of `kept`, which are to be asked later, and those that come too near to one.

    Two questions are near where the words that both have are at least 3/4 of all that either has.
    """
    barred = [(set(_words(text)), text) for text in kept]
    holding: dict[str, list[int]] = defaultdict(list)
    for place, (have, _) in enumerate(barred):
        for word in have:
            holding[word].append(place)
    clear: list[Item] = []
    near: list[Item] = []
    for item in made:
        mine = set(_words(LEAD.sub("", item.question)))
        shared: dict[int, int] = defaultdict(int)
        for word in mine:
            for place in holding.get(word, ()):
                shared[place] += 1
        twin = any(count >= ALIKE * (len(mine) + len(barred[place][0]) - count) for place, count in shared.items())
        (near if twin else clear).append(item)
    return clear, near


def _words(text: str) -> list[str]:
    return [word for word, _, _ in words(text)]
