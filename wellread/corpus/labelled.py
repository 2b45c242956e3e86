"""Rows of texts with their right answers in, records out, and their folds: what extraction is taught and measured by."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wellread.corpus.encoding import contents, decode
from wellread.errors import CorpusError
from wellread.recipe.extraction import Extraction


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    text: str
    gold: Any
    group: str
    """What variants of one passage share; the row's own id where the file names none."""
    blind: bool = False


def read_rows(paths: Sequence[Path], asked: Extraction) -> list[Row]:
    """The rows of JSONL files by the keys that the recipe names, two rows of one text as one group.

    Raises CorpusError, with file and line, for the first row that cannot be read, and where a group is partly blind.
    """
    rows: list[Row] = []
    for path in paths:
        if path.is_dir():
            raise CorpusError(
                f"{path} is a folder, and rows are wanted: name a JSONL file, each line with a text ({asked.text!r}) and its "
                f"answer ({asked.gold!r})."
            )
        for number, line in enumerate(decode(contents(path)).lstrip("\ufeff").split("\n"), 1):
            if line.strip():
                rows.append(_row(line, f"{path.as_posix()}, line {number}", f"{path.stem}-{len(rows) + 1:04}", asked))
    rows = _joined(rows)
    for group in {row.group for row in rows if row.blind}:
        if any(not row.blind for row in rows if row.group == group):
            raise CorpusError(f"the group {group!r} is partly blind: variants of one passage are blind together.")
    open_groups = len({row.group for row in rows if not row.blind})
    if open_groups < 2 * asked.folds:
        raise CorpusError(
            f"{open_groups} passages are too few for {asked.folds} folds; give {2 * asked.folds}, or fewer folds."
        )
    return rows


def stratified(rows: Sequence[Row], strata: Sequence[Hashable], parts: int, *, seed: int) -> list[int]:
    """For each row the number of its part, from 0 on. Groups stay whole; strata are spread, then rows, as evenly as that
    allows.

    The largest groups are placed first, each where there is least of its strata, and of those where there are fewest rows.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        groups[row.group].append(place)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda group: -len(groups[group]))
    sizes = Counter(strata)
    filled: list[Counter[Hashable]] = [Counter() for _ in range(parts)]
    found = [0] * len(rows)
    for group in order:
        mine = Counter(strata[place] for place in groups[group])

        def held(part: int, mine: Counter[Hashable] = mine) -> tuple[float, int]:
            of_strata = sum(count * filled[part][stratum] / sizes[stratum] for stratum, count in mine.items())
            return of_strata, filled[part].total()

        chosen = min(range(parts), key=held)
        filled[chosen].update(mine)
        for place in groups[group]:
            found[place] = chosen
    return found


def _row(line: str, place: str, id: str, asked: Extraction) -> Row:
    try:
        raw = json.loads(line)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{place}: not valid JSON ({error.msg}, column {error.colno}).") from None
    except RecursionError:
        raise CorpusError(f"{place}: nested too deeply for an answer.") from None
    if not isinstance(raw, dict) or not isinstance(raw.get(asked.text), str) or asked.gold not in raw:
        named = ", ".join(map(str, raw)) if isinstance(raw, dict) else type(raw).__name__
        raise CorpusError(f"{place}: a row has a text ({asked.text!r}) and its answer ({asked.gold!r}); found {named}.")
    group, blind = raw.get(asked.group), raw.get(asked.blind)
    if blind not in (None, "", 0, 1):
        raise CorpusError(
            f"{place}: {asked.blind!r} is true or false, without quotation marks; found {str(blind)[:40]!r}."
        )
    return Row(id, raw[asked.text], raw[asked.gold], id if group in (None, "") else str(group), bool(blind))


def _joined(rows: Sequence[Row]) -> list[Row]:
    """Rows of the same text, spaces and case aside, put into one group, and so whatever groups they were in."""
    leader: dict[str, str] = {}

    def lead(group: str) -> str:
        while group in leader:
            group = leader[group]
        return group

    first: dict[str, str] = {}
    for row in rows:
        ours, theirs = lead(first.setdefault(" ".join(row.text.casefold().split()), row.group)), lead(row.group)
        if ours != theirs:
            leader[theirs] = ours
    return [replace(row, group=lead(row.group)) for row in rows]
