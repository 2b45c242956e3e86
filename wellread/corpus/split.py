"""Documents in, three parts out: whole chapters spread over the text, so that nothing read in one stands in another."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import groupby
from math import inf
from typing import NamedTuple

from wellread.corpus.examples import asked_alike, asked_the_same, is_example, said
from wellread.corpus.near import Twins
from wellread.corpus.near import near_duplicates as find_twins
from wellread.corpus.passages import words_in
from wellread.errors import CorpusError
from wellread.types import Document, Part, unit_of

LEAST_WORDS = 2_000
"""Words that a text needs: below, there is too little to learn from and too little left to measure on."""
LEAST_EXAMPLES = 20
"""Examples that take the place of those words."""
LEAST_PART = 200
"""Words that validation and held-out need each: on under about a thousand characters bits per byte is mostly noise."""
FEW = 4
"""Chapters of a stratum that the seed proposes; of these the one whose size fits best is taken."""
LATE = 20
"""Chosen chapters that may be exchanged to meet a share; a long choice is near it anyway."""


class _Unit(NamedTuple):
    """What goes into one part together: a chapter, a run of passages, or several of these that share passages."""

    places: tuple[int, ...]
    size: int
    """Characters."""
    middle: float
    """Where its first member's middle lies in all documents, 0 to 1."""


def split(
    documents: Sequence[Document], *, validation: float, held_out: float, seed: int, near_duplicates: bool
) -> tuple[dict[Part, tuple[str, ...]], tuple[str, ...]]:
    """Ids by part, each in the order of the documents, and notes on what the split had to do.

    The text (of all sources, one after the other) is cut into as many equal strata as a part wants chapters; each gives
    one, drawn by the seed. Sizes count in characters; a part is off its share by about half a chapter at most. Passages
    of texts without chapters go in runs, so that few boundaries lie between parts. Documents that share passages (see
    `near.py`) stay together in train; examples with one prompt in one part, whether near-duplicates are looked for or
    not, unless there are too few prompts for that. Examples beside a text are divided by the same shares; one that
    quotes a passage of the text goes where that stands, with those that share its prompt unless these are very many.
    Raises CorpusError for a text too short, or shares that leave train too little, ValueError where two documents have
    one id: parts name documents by id, so one would be read in two parts.
    """
    if len({document.id for document in documents}) < len(documents):
        raise ValueError("two documents have the same id")
    _check(documents, validation, held_out)
    examples = [document for document in documents if is_example(document)]
    if not 0 < len(examples) < len(documents):
        return _divided(documents, validation, held_out, seed, near_duplicates)
    texts = [document for document in documents if not is_example(document)]
    parts, notes = _divided(texts, validation, held_out, seed, near_duplicates)
    home = {name: part for part, names in parts.items() for name in names}
    if near_duplicates:
        most = 0.5 * (validation + held_out) * sum(len(document.text) for document in examples)
        home |= _with_their_prompts(documents, _quoting(documents, home), most)
    rest = [document for document in examples if document.id not in home]
    if len(rest) >= LEAST_EXAMPLES:
        more, told = _divided(rest, validation, held_out, seed, near_duplicates)
        home |= {name: part for part, names in more.items() for name in names}
        notes = (*notes, *told)
    return {
        part: tuple(document.id for document in documents if home.get(document.id, "train") == part) for part in parts
    }, notes


def _quoting(documents: Sequence[Document], home: Mapping[str, Part]) -> dict[str, Part]:
    """Examples that share a passage with a text, and the part where this stands: the first such that training shuns."""
    found: dict[str, Part] = {}
    for twin in find_twins(said(documents)):
        pair = [documents[place] for place in twin[:2]]
        for one, other in (pair, pair[::-1]):
            if is_example(one) and not is_example(other) and found.get(one.id, "train") == "train":
                found[one.id] = home[other.id]
    return found


def _with_their_prompts(documents: Sequence[Document], found: Mapping[str, Part], most: float) -> dict[str, Part]:
    """The examples found, and those that share a prompt with one: where that lies, or of several the first that
    training shuns. A prompt whose examples hold over `most` characters is an instruction for all, and binds none."""
    groups = _groups(len(documents), asked_the_same(documents))
    spread = dict(found)
    for group in groups:
        names = [documents[place].id for place in group]
        parts = [found[name] for name in names if name in found]
        if parts and sum(len(documents[place].text) for place in group) <= most:
            part = next((part for part in parts if part != "train"), parts[0])
            spread |= dict.fromkeys(names, part)
    return spread


def _divided(
    documents: Sequence[Document], validation: float, held_out: float, seed: int, near_duplicates: bool
) -> tuple[dict[Part, tuple[str, ...]], tuple[str, ...]]:
    """The parts of documents of one kind, and notes."""
    notes: list[str] = []
    units, most = _by_prompt(documents, _units(documents, min(validation, held_out)), validation + held_out, notes)
    pool = list(range(len(units)))
    if near_duplicates:
        units, pool = _together(documents, units, validation + held_out, notes)
    pool = [number for number in pool if units[number].size <= most or len(units[number].places) == 1]
    draw = random.Random(f"wellread split {seed}")
    held = _drawn(units, pool, held_out, draw)
    valid = _drawn(units, [number for number in pool if number not in held], validation, draw)
    numbers: Mapping[Part, set[int]] = {
        "train": set(range(len(units))) - held - valid,
        "validation": valid,
        "held_out": held,
    }
    parts: dict[Part, tuple[str, ...]] = {}
    for part, chosen in numbers.items():
        places = sorted(place for number in chosen for place in units[number].places)
        parts[part] = tuple(documents[place].id for place in places)
    sizes = {part: sum(units[number].size for number in chosen) for part, chosen in numbers.items()}
    _check_parts(sizes, len(units))
    notes += _off_aim(sizes, {"validation": validation, "held_out": held_out})
    return parts, tuple(notes)


def _check(documents: Sequence[Document], validation: float, held_out: float) -> None:
    words = sum(words_in(document.text) for document in documents)
    characters = sum(len(document.text) for document in documents)
    smaller = min(validation, held_out)
    needed = max(LEAST_WORDS, round(LEAST_PART / smaller))
    if words < needed and sum(map(is_example, documents)) < max(LEAST_EXAMPLES, round(2 / smaller)):
        more = "" if needed == LEAST_WORDS else f" for shares of {validation:.0%} and {held_out:.0%}"
        raise CorpusError(
            f"the text has {words:,} words ({characters:,} characters); a split into train, validation and held-out "
            f"needs about {needed:,} words{more}. Add text{' or raise the shares' if more else ''}."
        )
    if 1 - validation - held_out <= max(validation, held_out):
        rest = 1 - validation - held_out
        raise CorpusError(
            f"validation {validation:.0%} and held_out {held_out:.0%} leave {rest:.0%} of the text for training, "
            "which must be the largest part: lower them."
        )


def _check_parts(sizes: Mapping[Part, int], units: int) -> None:
    empty = [part for part, size in sizes.items() if not size]
    if empty or sizes["train"] <= max(sizes["validation"], sizes["held_out"]):
        wrong = f"{' and '.join(empty)} would be empty" if empty else "train would not be the largest part"
        raise CorpusError(
            f"the text has {units} chapters or passages that can go apart, of which {wrong}; "
            "add text, or lower `validation` and `held_out`."
        )


def _off_aim(sizes: Mapping[Part, int], aims: Mapping[Part, float]) -> list[str]:
    total = sum(sizes.values())
    return [
        f"{part}: {sizes[part] / total:.1%} of the text where {aim:.0%} was asked: whole chapters give no closer."
        for part, aim in aims.items()
        if abs(sizes[part] / total - aim) > 0.2 * aim
    ]


def _units(documents: Sequence[Document], share: float) -> list[_Unit]:
    """Chapters one by one; passages in runs of equal numbers, so long that a part takes one to four runs of a text."""
    runs: list[list[int]] = []
    for (_, passages), group in groupby(
        range(len(documents)),
        key=lambda place: (documents[place].source, documents[place].metadata.get("kind") == "passage"),
    ):
        places = list(group)
        wanted = len(places) * share
        stretches = 1 if wanted < 4 else 2 if wanted < 8 else 3 if wanted < 16 else 4
        length = max(1, round(wanted / stretches)) if passages else 1
        runs += [places[start : start + length] for start in range(0, len(places), length)]
    return _placed(documents, runs)


def _placed(documents: Sequence[Document], runs: Sequence[Sequence[int]]) -> list[_Unit]:
    total = sum(len(document.text) for document in documents)
    before, at = [], 0
    for document in documents:
        before.append(at)
        at += len(document.text)
    return [
        _Unit(
            tuple(places),
            sum(len(documents[place].text) for place in places),
            (before[places[0]] + len(documents[places[0]].text) / 2) / total,
        )
        for places in runs
    ]


def _by_prompt(
    documents: Sequence[Document], units: list[_Unit], wanted: float, notes: list[str]
) -> tuple[list[_Unit], float]:
    """Units in which the examples of one prompt lie together, and how large such a one may be to leave train.

    Where most of the examples share a few prompts (one instruction for all), they may lie apart, which is noted.
    """
    home = {place: number for number, unit in enumerate(units) for place in unit.places}
    pairs = [(home[one], home[other]) for one, other in asked_the_same(documents)]
    if not pairs:
        return units, inf
    groups = _groups(len(units), pairs)
    members = [sorted(place for number in group for place in units[number].places) for group in groups]
    joined = _placed(documents, members)
    total = sum(unit.size for unit in units)
    most = 0.5 * wanted * total
    shared = [len(group) for group in groups if len(group) > 1]
    told = f"{sum(shared):,} examples share {len(shared):,} prompt{'s' if len(shared) > 1 else ''}"
    if sum(unit.size for unit in joined if unit.size <= most) < 1.2 * wanted * total:
        notes.append(f"{told}, and too few have one of their own: those of one prompt may lie in different parts.")
        return units, inf
    notes.append(f"{told}: those of one prompt are in one part.")
    return joined, most


def _together(
    documents: Sequence[Document], units: list[_Unit], wanted: float, notes: list[str]
) -> tuple[list[_Unit], list[int]]:
    """Units in which near-duplicates lie together, and which of them may leave train: those without a twin outside.

    Where too little is without twins, groups of twins may leave train as a whole; where even these are too large, twins
    may lie apart. Both are noted.
    """
    twins = find_twins(said(documents))
    twins += [Twins(one, other, words_in(documents[other].text), 1.0) for one, other in asked_alike(documents)]
    home = {place: number for number, unit in enumerate(units) for place in unit.places}
    apart = [twin for twin in twins if home[twin.first] != home[twin.second]]
    if not apart:
        return units, list(range(len(units)))
    groups = _groups(len(units), [(home[twin.first], home[twin.second]) for twin in apart])
    members = [sorted(place for number in group for place in units[number].places) for group in groups]
    joined = _placed(documents, members)
    total = sum(unit.size for unit in units)
    alone = [number for number, group in enumerate(groups) if len(group) == 1]
    found = _told(documents, apart, sum(len(group) for group in groups if len(group) > 1))
    if sum(joined[number].size for number in alone) >= 1.2 * wanted * total:
        notes.append(f"{found}; they were put together in train.")
        return joined, alone
    small = [number for number, unit in enumerate(joined) if unit.size <= 0.5 * wanted * total]
    if sum(joined[number].size for number in small) >= 1.2 * wanted * total:
        notes.append(f"{found}; each group of them was put into one part.")
        return joined, small
    notes.append(
        f"{found}; too little of the text stands in one place only, so they may lie in different parts, "
        "and measures on held-out flatter the model."
    )
    return units, list(range(len(units)))


def _told(documents: Sequence[Document], apart: Sequence[Twins], units: int) -> str:
    longest = max(apart, key=lambda twin: (twin.words, twin.share))
    names = " and ".join(documents[place].section or documents[place].id for place in longest[:2])
    return (
        f"{units} {unit_of(documents)}s share near-duplicate text with others "
        f"(the longest, {longest.words:,} words, in {names})"
    )


def _groups(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Numbers that pairs connect, directly or through others, in the order of their first members."""
    leader = list(range(count))

    def find(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        leader[high] = low
    groups: dict[int, list[int]] = {}
    for number in range(count):
        groups.setdefault(find(number), []).append(number)
    return list(groups.values())


def _drawn(units: Sequence[_Unit], pool: Sequence[int], share: float, draw: random.Random) -> set[int]:
    """Numbers of units that together hold about `share` of all, one from each of as many strata as it takes."""
    aim = share * sum(unit.size for unit in units)
    if not pool:
        return set()
    mean = sum(units[number].size for number in pool) / len(pool)
    count = min(len(pool), max(1, round(aim / mean)))
    strata: list[list[int]] = [[] for _ in range(count)]
    for number in pool:
        strata[min(count - 1, int(units[number].middle * count))].append(number)
    chosen: list[int] = []
    size = 0
    for stratum, inside in enumerate(strata):
        proposed = draw.sample(inside, min(FEW, len(inside)))
        if not proposed:
            continue
        due = aim * (stratum + 1) / count
        best = min(proposed, key=lambda number: abs(size + units[number].size - due))
        chosen.append(best)
        size += units[best].size
    return _mended(units, pool, chosen, aim, mean / 2)


def _mended(units: Sequence[_Unit], pool: Sequence[int], chosen: list[int], aim: float, enough: float) -> set[int]:
    """The choice with units exchanged for others nearby, taken in or left out, until its size is near the aim."""
    for _ in range(len(units)):
        size = sum(units[number].size for number in chosen)
        if chosen and abs(size - aim) <= enough:
            break
        taken, late = set(chosen), chosen[-LATE:]
        free = [number for number in pool if number not in taken]
        changes: list[tuple[float, float, int | None, int | None]] = [
            (abs(size + units[new].size - aim), 0.0, None, new) for new in free
        ]
        if len(chosen) > 1:
            changes += [(abs(size - units[old].size - aim), 0.0, old, None) for old in late]
        for old in late:
            without, middle = size - units[old].size - aim, units[old].middle
            changes += [(abs(without + units[new].size), abs(middle - units[new].middle), old, new) for new in free]
        if not changes:
            break
        off, _, out, into = min(changes, key=lambda change: (max(change[0], enough), change[1], change[0]))
        if chosen and off >= abs(size - aim):
            break
        chosen = [number for number in chosen if number != out] + ([into] if into is not None else [])
    return set(chosen)
