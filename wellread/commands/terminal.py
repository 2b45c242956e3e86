"""What a terminal shows: prose and progress on stderr, results on stdout, measurements and progress as lines."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from wellread.showing import STEERING, visible

if TYPE_CHECKING:
    from wellread.gathering import Watch
    from wellread.types import Measurement


REDRAWN = 0.2
"""Seconds between two drawings of a progress line on a terminal."""
NOW_AND_THEN = 120.0
"""Seconds between two lines of progress where nothing can be redrawn."""


def echo(text: str) -> None:
    typer.echo(text)


def prose(text: str) -> None:
    """Sentences among the results, folded on a terminal."""
    typer.echo(folded(text, _columns(sys.stdout)))


def note(text: str, *, fold: bool = True) -> None:
    """Prose on stderr, folded on a terminal; not where it is to be copied."""
    typer.echo(folded(text, _columns(sys.stderr)) if fold else text, err=True)


def folded(text: str, width: int | None) -> str:
    """The text, its lines broken between words at `width` columns, each going on under its own indent; None: as it is."""
    if width is None:
        return text
    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())] + ("  " if line.startswith(" ") else "")
        whole = textwrap.wrap(
            line, max(20, width), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        lines += whole or [""]
    return "\n".join(lines)


def _columns(stream: TextIO) -> int | None:
    """Of the terminal that a stream goes to; None where it goes elsewhere, or the terminal does not say."""
    try:
        return (os.get_terminal_size(stream.fileno()).columns or None) if stream.isatty() else None
    except OSError:
        return None


def print_json(value: Any) -> None:
    """One line; what would steer a terminal stands as an escape, so the text that is read from it is exact."""
    line = json.dumps(value, ensure_ascii=False)
    typer.echo(STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", line))


def shows_links() -> bool:
    """Whether results go to a terminal."""
    return _columns(sys.stdout) is not None


def linked(text: str, *places: str, page: int | None = None) -> str:
    """On a terminal, the text as a link (OSC 8) to the first of some files that is there, a PDF at its page; elsewhere, or where
    none is, the text alone."""
    for place in places if shows_links() else ():
        try:
            file = Path(place).resolve()
            if not place or not file.is_file():
                continue
        except (OSError, ValueError):
            continue
        at = f"#page={page}" if page is not None and file.suffix.lower() == ".pdf" else ""
        return f"\x1b]8;;{file.as_uri()}{at}\x1b\\{text}\x1b]8;;\x1b\\"
    return text


def listed(name: str, about: str) -> str:
    """A name and what it stands for, folded to the terminal's width in a column of its own."""
    width = max(60, shutil.get_terminal_size((100, 24)).columns)
    return textwrap.fill(
        f"{name:24}{about}", width, subsequent_indent=" " * 24, break_long_words=False, break_on_hyphens=False
    ).rstrip()


def print_sample(row: Mapping[str, Any], *, text: bool) -> None:
    """What a model wrote, where it is wanted, its runs of words from the book underlined on a terminal; then their places."""
    from wellread.provenance import place_lines

    if text:
        spans = [(each["start"], each["end"]) for each in row.get("matches", ())]
        echo(underlined(row["prompt"] + row["completion"], spans))
    for line in place_lines(row):
        note(line)


def underlined(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with these spans, which do not overlap, underlined; what is no terminal is spared the codes by `echo`."""
    told, done = "", 0
    for start, end in spans:
        told += visible(text[done:start]) + typer.style(visible(text[start:end]), fg="yellow", underline=True)
        done = end
    return told + visible(text[done:])


def measurement_lines(rows: Sequence[Measurement]) -> list[str]:
    """A line for each: name, split, value with interval, unit, note; of several subjects each is named above its own."""
    subjects = [row.subject for row in rows]
    several = len(set(subjects)) > 1
    lines = []
    for row, before in zip(rows, [None, *subjects], strict=False):
        if several and row.subject != before:
            lines += ["", row.subject]
        lines.append(_measurement_line(row))
    return lines


def _measurement_line(row: Measurement) -> str:
    value = "not measured" if row.value is None else f"{row.value:.4f}"
    interval = f" [{row.low:.4f}, {row.high:.4f}]" if row.low is not None and row.high is not None else ""
    rest = "  ".join(part for part in (row.unit, row.note) if part)
    return f"{row.name:32}{row.split:12}{value}{interval}  {rest}".rstrip()


@contextmanager
def watching() -> Iterator[Watch]:
    """A Watch that prints to stderr. A terminal has the progress line redrawn in place; a pipe or a file has a line of it
    every two minutes."""
    from wellread.gathering import Watch

    live = sys.stderr.isatty()
    drawn, told = 0, time.monotonic()

    def clear() -> None:
        nonlocal drawn
        if drawn:
            sys.stderr.write("\r" + " " * drawn + "\r")
            drawn = 0

    def say(line: str) -> None:
        clear()
        note(line)

    def progress(now: Any) -> None:
        nonlocal drawn, told
        since = time.monotonic() - told
        if since < (REDRAWN if live else NOW_AND_THEN) and not getattr(now, "stopped", ""):
            return
        told += since
        if not live:
            note(progress_line(now, width=0))
            return
        room = (_columns(sys.stderr) or 80) - 1
        line = progress_line(now)
        if len(line) > room:  # the bar gives way, so that the time left can be read
            line = progress_line(now, width=max(4, 20 - len(line) + room))[:room]
        sys.stderr.write("\r" + line.ljust(drawn))
        sys.stderr.flush()
        drawn = len(line)

    try:
        yield Watch(say, progress)
    finally:
        clear()


def progress_line(now: Any, width: int = 20) -> str:
    """A bar of `width` signs (none for 0) and what a person waits for: of training the step, the losses, the speed and
    the time left, of a model that writes or scores how many texts are done."""
    from wellread.generation.progress import Work
    from wellread.plans import duration

    full = round(now.share * width)
    bar = f"[{'█' * full}{'░' * (width - full)}] " if width else ""
    if isinstance(now, Work):
        left = "" if now.seconds_left is None else f"  {duration(now.seconds_left)} left"
        return f"{bar}{now.share:4.0%}  {now.doing}: {now.done:,} of {now.total:,} {now.things}{left}"
    if now.stopped not in {"", "budget"}:
        return f"stopped after step {now.step:,}: {now.stopped}"
    validation = f"  validation {now.validation_loss:.3f}" if now.validation_loss is not None else ""
    return (
        f"{bar}{now.share:4.0%}  step {now.step:,}  loss {now.loss:.3f}{validation}"
        f"  {now.tokens_per_second:,.0f} tokens/s  {duration(now.seconds_left)} left"
    )
