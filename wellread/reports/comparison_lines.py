"""A comparison in, lines for a terminal of 100 columns out, in signs that any terminal can print."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from wellread.reports.comparison import (
    MOST_PARTED,
    Block,
    Comparison,
    Parted,
    Parting,
    blocks,
    costs,
    short_keys,
    told,
)
from wellread.showing import visible

COLUMNS = 100
LABEL = 28
"""A longer name is cut in its middle."""
PARTED = 10
"""Questions whose answers are shown."""
LONGEST = 400
"""Characters of an answer, or of a question, that are shown."""


def comparison_lines(comparison: Comparison) -> list[str]:
    """What differs, what it cost, then every measure, then the answers where they part; no line is longer than 100 signs unless a
    note is."""
    labels = {each.label: cut(each.label) for each in comparison.compared}
    lines = [comparison.verdict, ""] if comparison.verdict else []
    lines += _key(comparison, labels)
    for block in blocks(comparison):
        lines += ["", *_block(block, labels)]
    last = [f"\n{each.label}: {each.unpaired}" for each in comparison.compared if each.unpaired]
    last += [f"\n{each}" for each in comparison.notes]
    answers = [] if comparison.parting is None else _answers(comparison.parting, labels)
    return [*map(_plain, lines), *answers, *map(_plain, last)]  # answers stand as they were given


def _plain(line: str) -> str:
    return line.replace("−", "-").replace("≥", ">=").replace("–", "-")


def cut(label: str, most: int = LABEL) -> str:
    """A long name without its middle: runs differ at their ends."""
    return label if len(label) <= most else f"{label[: most // 2 - 1]}..{label[-(most - most // 2 - 1) :]}"


def _key(comparison: Comparison, labels: dict[str, str]) -> list[str]:
    """A line for each run: the settings by which it differs, and what it cost."""
    short = short_keys(comparison.settings)
    head = ["", *short.values(), "tokens", "time", "memory"]
    body = [
        [
            labels[each.label],
            *(told(each.settings[key], key) if key in each.settings else "-" for key in short),
            *costs(each),
        ]
        for each in comparison.compared
    ]
    body = [[cut(text, LABEL) for text in row] for row in body]
    if _width([head, *body]) <= COLUMNS:
        return _table([head, *body])
    lines = _table([["", *head[-3:]], *([row[0], *row[-3:]] for row in body)])
    for key, name in short.items():  # too many settings to stand beside each other
        values = (told(each.settings[key], key) if key in each.settings else "-" for each in comparison.compared)
        lines.append(f"  {name}: {' | '.join(values)}")
    return lines


def _block(block: Block, labels: dict[str, str]) -> list[str]:
    title = f"{block.title}: {block.split}" if block.split else block.title
    rows = []
    for entry in block.entries:
        figure, change = entry.figure, entry.change
        row = [labels[entry.label], figure.value or figure.note, figure.interval]
        row += [change.value, change.interval, _verdict(change.judged) or change.note] if change else ["", "", ""]
        rows.append(row)
    facts = "; ".join(block.facts)
    head = f"{title} ({facts})" if facts else title
    heading = [head] if len(head) <= COLUMNS else [title, f"({facts})"]
    return [*heading, *_table(rows)]


def _answers(parting: Parting, labels: dict[str, str]) -> list[str]:
    """A bounded number of the questions where the sides part, with what each of them said, and how many are left out."""
    shown = parting.spread(PARTED)
    lines = ["", f"Answers: {parting.told}", *(textwrap.wrap(f"({parting.by})", COLUMNS) if shown else ())]
    for each in shown:
        lines += ["", *_parted(each, labels)]
    if left := len(parting.questions) - len(shown):
        more = (
            f"{left:,} more left out; --html FILE.html draws up to {MOST_PARTED} of them, and FILE.csv has every answer"
        )
        lines += ["", *textwrap.wrap(more, COLUMNS)]
    return lines


def _parted(each: Parted, labels: dict[str, str]) -> list[str]:
    right = " / ".join(each.answers) or "none: nothing answers it"
    rows = [("right answer", "", right), *((labels[said.label], said.mark, said.text) for said in each.said)]
    wide, marked = (max(len(row[place]) for row in rows) for place in (0, 1))
    lines = textwrap.wrap(_short(each.question), COLUMNS)
    for name, mark, text in rows:
        begin = f"  {name.ljust(wide)}  {mark.ljust(marked)}  "
        lines += textwrap.wrap(
            _short(text) or "(nothing)", COLUMNS, initial_indent=begin, subsequent_indent=" " * len(begin)
        )
    return lines


def _short(text: str) -> str:
    """In one line, its end left out where it is long, without what would steer a terminal."""
    line = " ".join(visible(text).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST].rstrip()} .."


def _verdict(judged: str) -> str:
    return "unclear" if judged == "no clear difference" else judged


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns below one another, the first to the left and the others to the right; the last runs on."""
    widths = _widths(rows)
    lines = []
    for row in rows:
        cells = [
            row[0].ljust(widths[0]),
            *(text.rjust(width) for text, width in zip(row[1:-1], widths[1:-1], strict=True)),
        ]
        lines.append("  " + "  ".join([*cells, row[-1]]).rstrip())
    return lines


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Of every column; a reason that stands alone in a row makes no column wider."""
    return [max((len(row[i]) for row in rows if len(row[i]) <= LABEL), default=0) for i in range(len(rows[0]))]


def _width(rows: Sequence[Sequence[str]]) -> int:
    return 2 + sum(width + 2 for width in _widths(rows))
