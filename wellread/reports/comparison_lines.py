"""A comparison in, lines for a terminal of 100 columns out, in signs that any terminal can print."""

from __future__ import annotations

from collections.abc import Sequence

from wellread.reports.comparison import Block, Comparison, blocks, costs, short_keys, told

COLUMNS = 100
LABEL = 28
"""A longer name is cut in its middle."""


def comparison_lines(comparison: Comparison) -> list[str]:
    """What differs, what it cost, then every measure; no line is longer than 100 signs unless a note is."""
    labels = {each.label: cut(each.label) for each in comparison.compared}
    lines = [comparison.verdict, ""] if comparison.verdict else []
    lines += _key(comparison, labels)
    for block in blocks(comparison):
        lines += ["", *_block(block, labels)]
    lines += [f"\n{each.label}: {each.unpaired}" for each in comparison.compared if each.unpaired]
    lines += [f"\n{each}" for each in comparison.notes]
    return [line.replace("−", "-").replace("≥", ">=").replace("–", "-") for line in lines]


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
