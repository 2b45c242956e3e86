"""What a studio knows in, HTML out: text with its runs of the book marked, answers with their passages, a run's curves.

Everything that comes from outside is escaped, and colours are the page's own, light or dark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from wellread.plans import duration
from wellread.replying import Told
from wellread.reports.curves import smoothed, ticks
from wellread.retrieval.prompt import label
from wellread.serving.studio_runs import Status
from wellread.types import Chunk

FEW = 10
"""Points of a curve that are drawn as they are: a mean over so few would hide where it goes."""
AROUND = 500
"""Characters of a document that are shown before and after the words of a citation."""


def marked(text: str, spans: Sequence[tuple[int, int, str]], own: int = 0) -> str:
    """The text, its first `own` characters (the prompt) set apart, and each span of it (start, end, where it stands in the
    book; in order, apart from one another) coloured."""
    cuts: list[tuple[int, int, str | None]] = []
    at = 0
    for start, end, place in spans:
        cuts += [(at, start, None), (start, end, place)]
        at = end
    cuts.append((at, len(text), None))
    shown = ""
    for start, end, stands in cuts:
        before, after = text[start : max(start, min(end, own))], text[max(start, min(end, own)) : end]
        inner = (f'<span class="wr-prompt">{escape(before)}</span>' if before else "") + escape(after)
        shown += inner if stands is None else f'<mark title="{escape(stands, quote=True)}">{inner}</mark>'
    return f'<div class="wr-text" lang="">{shown}</div>'


def written(title: str, row: Mapping[str, Any], note: str = "") -> str:
    """A text as it grows, or whole with its matches (a row of samples.jsonl), under a title."""
    matches = row.get("matches", ())
    spans = [(each["start"], each["end"], f"{each['words']} words in a row from {_place(each)}") for each in matches]
    body = marked(row["prompt"] + row["completion"], spans, len(row["prompt"]))
    longest = row.get("longest")
    if not note and "matches" in row:
        if matches:
            note = "Coloured: " + "; ".join(f"{each['words']} words from {_place(each)}" for each in matches)
        elif longest:
            note = f"No run of 8 or more words stands in the book; the longest has {longest['words']}, from {_place(longest)}"
        else:
            note = "No word of it stands in the book"
    return f'<section class="wr-card"><h3>{escape(title)}</h3>{body}<p class="wr-note">{escape(note)}</p></section>'


def _place(match: Mapping[str, Any]) -> str:
    return f"{match['section'] or match['document']}, character {match['offset']:,}"


def answered(title: str, told: Told, document_text: Callable[[str], str]) -> str:
    """An answer, its sentences numbered, each number leading to the passage, which opens in its place in the document."""
    answer, at, shown = told.cited.answer, 0, ""
    for each in told.cited.sentences:
        numbers = dict.fromkeys((c.number, c.by_words) for c in each.citations)
        marks = "".join(f' <span class="wr-number">[{number}{"*" if ours else ""}]</span>' for number, ours in numbers)
        shown += escape(answer[at : each.start] + each.text) + marks
        at = each.end
    shown += escape(answer[at:])
    cited = {c.number for c in told.cited.citations}
    passages = [
        _passage(number, chunk, told, document_text)
        for number, chunk in sorted(enumerate(told.sample.sources, 1), key=lambda each: (each[0] not in cited, each[0]))
    ]
    nearest = [_passage(number, chunk, told, document_text) for number, chunk in enumerate(told.nearest[:3], 1)]
    further = ("<p>Passages that were read; open one to see it in its place:</p>" if passages else "") + "".join(
        passages
    )
    if told.refused and nearest:
        further = "<p>Nearest to the question, and no answer to it:</p>" + "".join(nearest)
    notes = [told.note] if told.note else []
    if any(c.by_words for c in told.cited.citations):
        notes.append("* found by its words: the model named no source for it")
    note = f'<p class="wr-note">{escape("; ".join(notes))}</p>' if notes else ""
    return f'<section class="wr-card"><h3>{escape(title)}</h3><div class="wr-text">{shown.strip()}</div>{further}{note}</section>'


def _passage(number: int, chunk: Chunk, told: Told, document_text: Callable[[str], str]) -> str:
    quoted = [c for c in told.cited.citations if c.number == number]
    own = [(c.start, c.end) for c in quoted] or [(chunk.start, chunk.end)]
    text = document_text(chunk.document)
    first, last = min(start for start, _ in own), max(end for _, end in own)
    begin, end = max(0, first - AROUND), min(len(text), last + AROUND)
    spans = [(max(begin, a) - begin, b - begin, "the words that were cited") for a, b in _apart(own)]
    around = ("… " if begin else "") + marked(text[begin:end], spans) + (" …" if end < len(text) else "")
    place = quoted[0].place if quoted else chunk
    return (f'<details class="wr-passage"><summary>[{number}] {escape(label(place))}{", cited" if quoted else ""}</summary>'
            f"{around}</details>")  # fmt: skip


def _apart(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same characters in spans that do not meet."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def followed(status: Status) -> str:
    """A run as it goes: its state, the time left, both curves, what was written last."""
    head = f'<p class="wr-state wr-{status.state}"><strong>{escape(status.name)}</strong>: {escape(status.doing)}'
    if status.share is not None and status.state == "working":
        left = (
            f", {duration(status.seconds_left)} of training left"
            if status.seconds_left is not None and status.share < 1
            else ""
        )
        bar = f'<progress value="{status.share:.3f}" max="1" aria-label="training">{status.share:.0%}</progress>'
        head += f" ({status.share:.0%}{left})</p>{bar}"
    else:
        head += "</p>"
    stage = status.points[-1].stage if status.points else ""
    points = [point for point in status.points if point.stage == stage]
    losses = [(point.step, point.loss) for point in points if point.loss is not None]
    bits = [(point.step, point.bits) for point in points if point.bits is not None]
    charts = curve("Loss", "on what it reads, nats per token", losses, smooth=True)
    charts += curve("Validation", "on text kept from it, bits per byte, about", bits)
    samples = "".join(
        f'<details class="wr-passage" open><summary>{_when(subject)}</summary>{marked(prompt + text, [], len(prompt))}</details>'
        for subject, prompt, text in status.samples[-2:]
    )
    said = (
        f'<details class="wr-passage"><summary>What it said</summary><pre>{escape(chr(10).join(status.said))}</pre></details>'
        if status.said
        else ""
    )
    charts = f'<div class="wr-charts">{charts}</div><p class="wr-note">{CURVES}</p>' if points or samples else ""
    return f'<section class="wr-card">{head}{charts}{samples}{said}</section>'


CURVES = (
    "Lower is better: the next word surprises the model less. Where the first falls and the second rises, "
    "it learns by heart rather than by manner."
)


def _when(subject: str) -> str:
    return "What it wrote before it was taught" if subject == "base" else f"What it wrote after {escape(subject)}"


def curve(title: str, unit: str, points: Sequence[tuple[int, float]], *, smooth: bool = False) -> str:
    """A line over steps as inline SVG, its ends told in words; nothing but words where there are fewer than two points."""
    if not points:
        return f'<figure class="wr-curve"><figcaption><strong>{title}</strong>: not measured yet</figcaption></figure>'
    told = f"{points[0][1]:.2f} at step {points[0][0]:,}, {points[-1][1]:.2f} at step {points[-1][0]:,}"
    caption = f"<figcaption><strong>{title}</strong> ({unit}): {told}</figcaption>"
    if len(points) < 2:
        return f'<figure class="wr-curve">{caption}</figure>'
    values = (
        smoothed([value for _, value in points]) if smooth and len(points) >= FEW else [value for _, value in points]
    )
    grid = ticks(min(values), max(values), 3)
    low, high = grid[0], grid[-1] if grid[-1] > grid[0] else grid[0] + 1
    first, last = points[0][0], max(points[-1][0], points[0][0] + 1)
    places = [(34 + 262 * (step - first) / (last - first), 96 - 84 * (value - low) / (high - low))
              for (step, _), value in zip(points, values, strict=True)]  # fmt: skip
    lines = "".join(
        f'<line x1="34" x2="296" y1="{96 - 84 * (at - low) / (high - low):.1f}" y2="{96 - 84 * (at - low) / (high - low):.1f}"/>'
        f'<text x="30" y="{99 - 84 * (at - low) / (high - low):.1f}">{at:g}</text>'
        for at in grid
    )
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return (f'<figure class="wr-curve">{caption}<svg viewBox="0 0 300 104" role="img" aria-label="{title}: {told}">'
            f'{lines}<path d="{path}"/></svg></figure>')  # fmt: skip


def framed(url: str, title: str) -> str:
    """A page of this server in a frame that may run its own script and reach nothing else."""
    place, named = escape(url, quote=True), escape(title, quote=True)
    return (f'<p class="wr-note"><a href="{place}" target="_blank" rel="noopener">{named}, in a tab of its own</a></p>'
            f'<iframe class="wr-frame" sandbox="allow-scripts" src="{place}" title="{named}"></iframe>')  # fmt: skip
