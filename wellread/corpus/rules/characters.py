"""Characters that nobody reads: control and zero-width characters, and spaces that only lay out."""

from __future__ import annotations

import re

from wellread.corpus.rules import Outcome, excerpt

_FIXED = "\u00a0\u202f\u2007"
_SUSPECT = re.compile(
    "[\x00-\x08\x0b\r\x0e-\x1f\x7f-\xa0\u00ad\u2000-\u200d\u2028\u2029\u202f\u205f\u2060\ufeff\ufff9-\ufffb]"
)
_CHANGES = (
    (re.compile(r"\r\n?|[\x0b\x85\u2028\u2029]"), "\n"),
    (re.compile(r"\u00ad[ \t]*\n[ \t]*"), ""),
    (re.compile("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufff9-\ufffb]"), ""),
    (re.compile("[\u200c\u200d](?=[A-Za-zÀ-ɏ\\s])"), ""),
    (re.compile(rf"(?m)[{_FIXED} \t]*[{_FIXED}][{_FIXED} \t]*$"), ""),
    (re.compile(rf"(?m)^[{_FIXED} \t]+"), lambda found: re.sub(f"[{_FIXED}]", " ", found[0])),
    (
        re.compile(
            rf"[{_FIXED}](?<![«‹—–\d].)(?![;:!?»›%€—–\d])|[{_FIXED}](?<=\d.)(?![\d;:!?»›%€—–])"
            rf"|[{_FIXED}](?<![«‹—–\d].)(?=\d)"
        ),
        " ",
    ),
    (re.compile("[\u2000-\u2006\u2008-\u200a\u205f]"), " "),
)
_TRAILING = re.compile(r"[ \t]+(?=\n|\Z)")


def characters(texts: list[str]) -> Outcome:
    """Texts whose lines end in `\\n` alone and hold no control, zero-width or soft-hyphen characters.

    A no-break space stays where French (or a unit) binds it: before ; : ! ? » %, after « and dashes, between digits;
    elsewhere it is layout and becomes a plain space. Form feeds stay: they mark the pages for later rules.
    """
    count, example, cleaned = 0, "", []
    for text in texts:
        fixed = text
        for pattern, put in _CHANGES if _SUSPECT.search(text) else ():
            found = pattern.search(fixed)
            if not found or (changed := pattern.sub(put, fixed)) == fixed:
                continue
            if found[0].strip(" \t\r\n") and not example:
                example = _shown(fixed, found)
            count += len(pattern.findall(fixed)) if put != "\n" else 0
            fixed = changed
        cleaned.append(fixed)
    return Outcome(cleaned, count, example)


def trailing_blanks(texts: list[str]) -> Outcome:
    """The texts without blanks at the ends of lines; count: lines."""
    count, example, cleaned = 0, "", []
    for text in texts:
        trimmed, times = _TRAILING.subn("", text)
        count += times
        if times and not example:
            found = _TRAILING.search(text)
            line = text[: found.start()].rpartition("\n")[2] if found else ""
            example = f"{excerpt(line)}[blank] → without"
        cleaned.append(trimmed)
    return Outcome(cleaned, count, example)


def _shown(text: str, found: re.Match[str]) -> str:
    """The place with the stray character written as its code point."""
    code = " ".join(f"U+{ord(c):04X}" for c in found[0].strip("\n \t")[:2])
    return excerpt(f"{text[max(0, found.start() - 30) : found.start()]}[{code}]{text[found.end() : found.end() + 30]}")
