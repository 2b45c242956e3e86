"""Words that a line end split in two, and words that kept the gap after it."""

from __future__ import annotations

import re
from collections import Counter

from wellread.corpus.rules import Outcome

_SPLIT = re.compile(r"[-\u2010](?P<gap>[ \t]*\n[ \t]*| )(?P<right>[^\W\d_]+)(?P<after>[^ \t\n]*)(?P<rest>[ \t]*\n?)")
_LEFT = re.compile(r"[^\W\d_]+\Z")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010][^\W\d_]+)*")
_SUSPENDED = frozenset(["and", "or", "nor", "to", "et", "ou", "ni", "à", "und", "oder", "bis"])


def hyphen_splits(texts: list[str]) -> Outcome:
    """The texts with split words whole: "conver-/sation" and "ill- conditioned" lose the gap.

    The hyphen goes where the text has the joined word elsewhere, stays where it has the hyphenated one. Where it has
    neither, the hyphen stays, unless the text's own splits are mostly a printer's and one half is no word in it.
    """
    splits = [[found for found in _SPLIT.finditer(text) if _left(found)] for text in texts]
    if not any(splits):
        return Outcome(texts)
    words: Counter[str] = Counter()
    for text in texts:
        words.update(_WORD.findall(_SPLIT.sub(" ", text).casefold()))
    votes = [_vote(found, words) for some in splits for found in some if "\n" in found["gap"]]
    printer = votes.count("") > 2 * votes.count("-")
    count, example, joined = 0, "", []
    for text, some in zip(texts, splits, strict=True):
        pieces, at = [], 0
        for found in some:
            if (hyphen := _hyphen(found, words, printer=printer)) is None:
                continue
            end = "\n" if "\n" in found["gap"] else found["rest"]
            whole = f"{hyphen}{found['right']}{found['after']}"
            pieces += [text[at : found.start()], whole, end]
            at = found.end()
            count += 1
            if not example:
                before = " / ".join(part.strip() for part in found[0].strip().split("\n"))
                example = f"{_left(found)}{before} → {_left(found)}{whole}"
        joined.append("".join([*pieces, text[at:]]))
    return Outcome(joined, count, example)


def _left(found: re.Match[str]) -> str:
    """The letters before the hyphen; empty after a dash or a digit."""
    half = _LEFT.search(found.string[max(0, found.start() - 40) : found.start()])
    return half[0] if half else ""


def _hyphen(found: re.Match[str], words: Counter[str], *, printer: bool) -> str | None:
    """What joins the halves, "" or "-"; None where they are no split word ("two- and three-storey", "at S- to buy")."""
    left, right = _left(found), found["right"]
    line_end = "\n" in found["gap"]
    if right.casefold() in _SUSPENDED or (not line_end and (len(left) == 1 or right[0].isupper())):
        return None
    vote = _vote(found, words)
    if vote is not None:
        return vote
    fragment = not words[left.casefold()] or not words[right.casefold()]
    return "" if line_end and printer and fragment and right[0].islower() else "-"


def _vote(found: re.Match[str], words: Counter[str]) -> str | None:
    """What the rest of the text says of a split word: joined "", hyphenated "-", or nothing."""
    left, right = _left(found).casefold(), found["right"].casefold()
    plain, hyphenated = words[left + right], words[f"{left}-{right}"]
    if plain == hyphenated == 0 or (found["right"][0].isupper() and not _left(found).isupper()):
        return "-" if hyphenated else None
    return "" if plain > hyphenated else "-"
