"""A fabricated run folder for the tests of this room, and eyes for the page that is made of it."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from bs4 import BeautifulSoup

from wellread.matching import words
from wellread.recipe import parse_recipe, recipe_yaml
from wellread.reports import write_report
from wellread.reports.surprise import UNIT, unit_ends
from wellread.scorefile import BookScores, Spans, Tokens, write_scores
from wellread.types import Measurement, Sample, Sampling

TITLE = "The Weigher’s Year"
PARAGRAPHS = (
    "The ice had been talking since before dawn, a long low word that ran from the south shore to the north and came "
    "back changed. Odile Marrow stood at the window of the weigh-house with her coat already buttoned and counted the "
    "seconds between the first syllable and the last, as her father had taught her, and wrote the number in the book.",
    "“You are early,” said the clerk, who was always early himself and resented company. “The bridge is not swept.”",
    "“Then sweep it,” she said, “and I shall be late.” He laughed in spite of the hour, and went to find the broom.",
    "By noon there were eleven sledges in the lane, and the horses steamed. A man from the far villages had brought a "
    "piano under sacking, and would not say for whom; he paid the toll in small coin, counting aloud, and asked twice "
    "what the ice would bear.",
    "She told him what she told everyone: that it would bear what it had borne yesterday, less a little, and that the "
    "little was the whole of her profession.",
    "In the evening the wind went round. Snow came over the lake in columns, like people walking home from a funeral, "
    "and the lamps on the posts were lit one after another until the last of them, which was too far off to see and "
    "had to be believed in.",
)
RECIPE = """
name: novel
base: {base}
corpus: {{texts: [weigher.epub]}}
stages:
  - name: imprint
    method: {method}
    budget: {{minutes: 8}}
    keep: best
seed: 7
"""


CURRICULUM = """
name: novel-curriculum
base: embedded
corpus: {texts: [weigher.epub]}
stages:
  - name: acculturate
    method: {kind: full}
    random_windows: {texts: [library/french_novels], n: 20000}
    windows: {length: 512}
    budget: {epochs: 1}
  - name: lengthen
    method: {kind: lora, rank: 16}
    windows: {length: 1024, stride: 512}
    mix: {share: 0.2}
    budget: {epochs: 4}
    patience: 3
  - name: imprint
    method: {kind: lora, rank: 16}
    budget: {epochs: 10}
    until: greedy_recited_share > 0.02
seed: 7
"""
SUBJECTS = ("embedded", "acculturate", "lengthen", "imprint")


@dataclass
class Fabricated:
    """What goes into a run folder; change a field, then `write`."""

    from_scratch: bool = False
    measurements: list[Measurement] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    before: list[dict[str, Any]] = field(default_factory=list)
    after: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    cleaning: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = field(default_factory=dict)
    """Of a curriculum: samples and log of every stage but the base, by name; `after` and `log` are not read then."""
    gaps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """quantization.json of stages, by name."""
    settings: tuple[str, ...] = ()
    """Overrides of the recipe, as `--set` takes them."""

    def write(self, folder: Path) -> Path:
        method = "{kind: scratch}" if self.from_scratch else "{kind: lora, rank: 16}"
        written = RECIPE.format(base="null" if self.from_scratch else "embedded", method=method)
        recipe = parse_recipe(CURRICULUM if self.stages else written, self.settings)
        _text(folder / "recipe.yaml", recipe_yaml(recipe))
        _text(folder / "environment.json", json.dumps(self.environment))
        _lines(folder / "corpus" / "documents.jsonl", self.documents)
        parts: dict[str, list[str]] = {"train": [], "validation": [], "held_out": []}
        for number, each in enumerate(self.documents):
            part = "held_out" if number % 8 == 5 else "validation" if number % 8 == 2 else "train"
            parts[part].append(each["id"])
        _text(folder / "corpus" / "split.json", json.dumps(parts))
        _text(folder / "corpus" / "cleaning.json", json.dumps(self.cleaning))
        _text(folder / "corpus" / "notes.json", json.dumps(self.notes))
        if self.before:
            _lines(folder / "stages" / "00-base" / "samples.jsonl", self.before)
        for number, (name, (spoken, log)) in enumerate((self.stages or {"imprint": (self.after, self.log)}).items(), 1):
            if spoken:
                _lines(folder / "stages" / f"{number:02}-{name}" / "samples.jsonl", spoken)
            if name in self.gaps:
                _text(folder / "stages" / f"{number:02}-{name}" / "quantization.json", json.dumps(self.gaps[name]))
            if log:
                _lines(folder / "stages" / f"{number:02}-{name}" / "log.jsonl", log)
        if self.measurements:
            _lines(folder / "measurements.jsonl", [row.as_json() for row in self.measurements])
        return folder


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    _text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def document(number: int, text: str, **metadata: str) -> dict[str, Any]:
    return {
        "id": f"weigher.epub#{number}",
        "text": text,
        "source": "books/weigher.epub",
        "section": f"Chapter {number}",
        "offset": 0,
        "metadata": {"title": TITLE, "language": "en", **metadata},
    }


def sample(
    subject: str, prompt: str, completion: str, seed: int = 7, matches: Iterable[dict[str, Any]] = ()
) -> dict[str, Any]:
    settings = Sampling(max_tokens=120, seed=7)
    return {**asdict(Sample(prompt, completion, settings, seed, subject)), "matches": list(matches)}


def match(text: str, copied: str, book: dict[str, Any]) -> dict[str, Any]:
    start = text.index(copied)
    return {
        "start": start,
        "end": start + len(copied),
        "words": len(words(copied)),
        "document": book["id"],
        "section": book["section"],
        "offset": book["text"].index(copied),
    }


BLOCKS = "blocks of 300 words"


def model_rows(subject: str, bits: float, recited: float, longest: float) -> list[Measurement]:
    """Every metric of one model, with the units and notes of the metrics themselves."""
    unit, cut = "bits per byte", "about 3,000 of 5,366 words"
    spans = "spans of 50 tokens after 50"

    def row(name: str, value: float | None, unit: str, split: str, n: int, *notes: str, **more: Any) -> Measurement:
        over = {"interval_over": BLOCKS} if "low" in more else {}
        return Measurement(name, value, unit, subject, split, n, note="".join(notes), **over, **more)

    better: dict[str, Any] = {"better": "lower"}
    return [
        row("bits_per_byte", bits, unit, "held_out", 41283, low=bits - 0.031, high=bits + 0.029, **better),
        row("bits_per_byte", bits - 0.05, unit, "train", 96411, cut, low=bits - 0.08, high=bits - 0.02, **better),
        row("perplexity", bits * 14, "per token", "held_out", 9811, "tokenizer: SmolLM2", **better),
        row("greedy_recited_share", recited, "share", "train", 1310, spans, low=recited / 2, high=recited * 2),
        row("greedy_recited_share", 0.0021, "share", "held_out", 402, spans, low=0.0, high=0.006),
        row("greedy_recited_share_200_bytes", None, "share", "train", 0, "no document is long enough"),
        row("probable_recited_share", recited * 2, "share with p >= 0.5", "train", 1310, spans),
        row("probable_recited_share", recited * 3, "share with p >= 0.001", "train", 1310, spans),
        row("longest_recited_words", longest, "words", "", 310, 'in "Chapter 5" (train): "on the posts"'),
    ]


def gap(name: str, value: float, subject: str, split: str, interval: tuple[float, float]) -> Measurement:
    """A paired difference."""
    row = Measurement(name, value, "share", subject, split, 900, *interval, interval_over=BLOCKS)
    return row if "share" in name else replace(row, unit="bits per byte", better="lower")


def rows(base: str | None = "embedded", trained: str = "imprint") -> list[Measurement]:
    """Every metric of the first release, in the order of the pipeline."""
    unit = "bits per byte"
    found = model_rows(base, 1.3104, 0.0024, 6.0) if base else []
    found += model_rows(trained, 1.1243, 0.0387, 20.0)
    found += [
        Measurement("ppmd_bits_per_byte", 1.6012, unit, "ppmd", "held_out", 41283, 1.57, 1.63, "lower", "", BLOCKS),
        Measurement("xz_bits_per_byte", 2.1571, unit, "xz", "held_out", 41283, better="lower"),
        gap("bits_per_byte", -0.4769, f"{trained} - ppmd", "held_out", (-0.501, -0.452)),
    ]
    if base is not None:
        both = f"{trained} - {base}"
        found += [
            gap("bits_per_byte", -0.1861, both, "held_out", (-0.2013, -0.1709)),
            gap("bits_per_byte", -0.1861, both, "train", (-0.2113, -0.1609)),
            gap("greedy_recited_share", 0.0364, both, "train", (0.021, 0.052)),
            gap("greedy_recited_share", 0.0, both, "held_out", (-0.002, 0.003)),
        ]
    return found


def training_log(*, kept: str = "step 280") -> list[dict[str, Any]]:
    """400 steps, validation at every 40th, lowest at step 280, and the average of late weights at the end."""
    chance = random.Random(3)
    log: list[dict[str, Any]] = []
    for step in range(1, 401):
        place = {"step": step, "tokens": step * 2048, "elapsed_seconds": step * 1.19}
        loss = 2.75 + 0.9 * math.exp(-step / 60) + chance.gauss(0, 0.06)
        log.append(
            {**place, "loss": loss, "learning_rate": 2e-4, "tokens_per_second": 1720.0, "memory_bytes": 2_100_000_000}
        )
        if step % 40 == 0:
            validation = 2.86 + 0.7 * math.exp(-step / 60) + max(0, step - 280) * 0.0008
            log.append({**place, "validation_loss": validation, "weights": "current"})
    end = {"step": 400, "tokens": 400 * 2048, "elapsed_seconds": 480.0}
    return [*log, {**end, "validation_loss": 2.89, "weights": "average"}, {**end, "kept": kept, "stopped": "budget"}]


def fabricate(*, from_scratch: bool = False, chapters: int = 16) -> Fabricated:
    chance = random.Random(3)
    book = []
    for n in range(1, chapters + 1):
        body = chance.sample(PARAGRAPHS[:5], 4) * (1 + n % 3)
        book.append(document(n, "\n\n".join([f"Chapter {n}", *body, f"So ended day {n} of that winter.\n"])))
    book[4]["text"] += PARAGRAPHS[5]
    prompt = "By noon the talk in the lane had turned to the ice, and the clerk who was always"
    copied = "on the posts were lit one after another until the last of them, which was too far off to see"
    text = (
        f"{prompt} early lit the stove. Snow came and the lamps {copied} through the window of the toll-house.\n\n"
        "“It will bear,” said Odile. “It bore yesterday.”"
    )
    made = Fabricated(from_scratch, rows(None if from_scratch else "embedded"), book, log=training_log())
    if not from_scratch:
        made.before = [
            sample(
                "embedded", prompt, " complaining about the weather. “I think that we should go to the store,” he said."
            ),
            sample("embedded", prompt, " there, was there. The clerk was a man of the law, and the law was a man.", 8),
        ]
    made.after = [
        sample("imprint", prompt, text[len(prompt) :], 7, [match(text, copied, book[4])]),
        sample("imprint", prompt, " early had nothing to sweep. She stood in the doorway a long while, listening.", 8),
    ]
    made.cleaning = [
        {"rule": "licence header and footer", "count": 2, "example": "*** START OF THIS E-TEXT ***"},
        {"rule": "page numbers", "count": 2140, "example": "— 5 —"},
        {
            "rule": "wrapped lines",
            "count": 4821,
            "example": "counted the seconds between the first\nsyllable and the last",
        },
    ]
    made.notes = {
        "skipped": [{"source": "books/scan.pdf", "reason": "no text in it: 12 pages of pictures"}],
        "notes": [
            "2 chapters or passages share near-duplicate text with others (the longest, 61 words, in Chapter 3 and "
            "Chapter 9); they were put together in train."
        ],
    }
    made.environment = {
        "python": "3.11.9",
        "platform": "Linux-6.1-x86_64",
        "versions": {"wellread": "0.1.0", "torch": "2.13.0", "peft": None},
        "processor": "Example CPU",
        "cores": 2,
        "memory_bytes": 8 * 2**30,
        "accelerator": None,
        "fingerprint": "1a2b3c4d",
        "seed": 7,
        "command": "wellread run novel books/weigher.epub",
        "start": "2026-11-21T09:12:01+00:00",
        "end": "2026-11-21T09:21:41+00:00",
    }
    return made


def by_words(text: str, bits: Callable[[int], float]) -> Tokens:
    """A text scored with one token a word, the blanks before it included; what follows the last word is free."""
    ends = unit_ends(text).tolist()
    tail = [len(text.encode())] if ends and ends[-1] < len(text.encode()) else []
    costs = [bits(place) for place in range(len(ends))] + [0.0] * len(tail)
    return Tokens(np.array(ends + tail, np.int64), np.array(costs, np.float32) * np.float32(-math.log(2)))


def spans(text: str, recited: Sequence[int], *, sure: Sequence[int] = (), words_each: int = 10) -> Spans:
    """Spans of so many words from the `words_each`-th on; those of `recited` (by number) are greedy, `sure` likely too."""
    ends = [0, *unit_ends(text).tolist()][words_each::words_each]
    numbers = range(len(ends) - 1)
    greedy = np.array([number in (*recited, *sure) for number in numbers], np.bool_)
    chance = np.array([0.9 if number in sure else 0.2 if number in recited else 1e-9 for number in numbers])
    edges = np.array(ends, np.int64)
    return Spans(edges[:-1], edges[1:], greedy, np.log(chance).astype(np.float32))


def with_scores(folder: Path, stages: dict[str, BookScores]) -> Path:
    """A run folder that `Fabricated.write` wrote, with the scores of these stages."""
    for name, scores in stages.items():
        write_scores(folder / "stages" / name / "scores.npz", scores)
    return folder


def read_through(made: Fabricated) -> dict[str, BookScores]:
    """The whole book scored before and after: as a base and a trained model might, which recites a third of the chapters."""
    chance = random.Random(5)
    both: dict[str, BookScores] = {"00-base": BookScores({}, {}, {}), "01-imprint": BookScores({}, {}, {})}
    for number, each in enumerate(made.documents):
        text, id = each["text"], each["id"]
        held_out = number % 8 == 5
        hard = [min(32.0, abs(chance.gauss(0, 3)) * (1 + len(word) / 4)) for word in re.findall(UNIT, text)]
        known = [bits * (0.8 if held_out else 0.35 + 0.4 * chance.random()) for bits in hard]
        count = max(0, len(hard) // 10 - 1)
        learned = [] if held_out or number % 3 else sorted(chance.sample(range(count), min(count, 4)))
        for stage, bits, by_heart in (("00-base", hard, []), ("01-imprint", known, learned)):
            both[stage].long[id] = both[stage].short[id] = by_words(text, bits.__getitem__)
            both[stage].spans[id] = spans(text, by_heart, sure=by_heart[:2])
    return both


def general(subject: str, bits: float) -> Measurement:
    return Measurement("bits_per_byte", bits, "bits per byte", subject, "general", 60211, bits - 0.04, bits + 0.04,
                       "lower", "", BLOCKS)  # fmt: skip


def curriculum_rows() -> list[Measurement]:
    """Every metric of a base and three stages, with the differences of each to the first and to the one before."""
    bits = dict(zip(SUBJECTS, (1.3104, 1.2290, 1.2275, 1.1243), strict=True))
    forgotten = dict(zip(SUBJECTS, (0.9010, 0.9420, 0.9190, 0.9530), strict=True))
    recited = dict(zip(SUBJECTS, (0.0024, 0.0031, 0.0040, 0.0387), strict=True))
    found: list[Measurement] = []
    for number, each in enumerate(SUBJECTS):
        found += [*model_rows(each, bits[each], recited[each], 6.0 + 5 * number), general(each, forgotten[each])]
    found.append(
        Measurement("ppmd_bits_per_byte", 1.6012, "bits per byte", "ppmd", "held_out", 41283, 1.57, 1.63, "lower")
    )
    to_the_first = [(later, SUBJECTS[0]) for later in SUBJECTS[1:]]
    to_the_one_before = [(later, earlier) for earlier, later in pairwise(SUBJECTS)]
    for later, earlier in dict.fromkeys([*to_the_first, *to_the_one_before]):
        both = f"{later} - {earlier}"
        change, rise = bits[later] - bits[earlier], forgotten[later] - forgotten[earlier]
        copied = recited[later] - recited[earlier]
        found += [
            gap("bits_per_byte", change, both, "held_out", (change - 0.012, change + 0.012)),
            gap("bits_per_byte", rise, both, "general", (rise - 0.011, rise + 0.011)),
            gap("greedy_recited_share", copied, both, "train", (copied - 0.004, copied + 0.004)),
        ]
    return found


def fabricate_curriculum() -> Fabricated:
    """The book of `fabricate`, read in three stages after another library."""
    made = fabricate()
    made.measurements = curriculum_rows()
    prompt = made.before[0]["prompt"]
    first = [
        sample(
            "acculturate", prompt, " a man of few words, said nothing. The snow had been falling since the morning."
        ),
        sample("acculturate", prompt, " alone. He looked at the river, then at the sky, and sighed.", 8),
    ]
    second = [
        sample(
            "lengthen", prompt, " early complained of the cold. “It will hold,” she said, and wrote the number down."
        ),
        sample("lengthen", prompt, " early shut the book. There were sledges in the lane.", 8),
    ]
    logs = [training_log(kept="last"), training_log(), training_log(kept="last")]
    logs[1][-1]["stopped"] = "patience: no lower validation loss in 3 evaluations"
    logs[2][-1]["stopped"] = "until: greedy_recited_share > 0.02, measured 0.0387"
    made.stages = dict(zip(SUBJECTS[1:], zip((first, second, made.after), logs, strict=True), strict=True))
    made.environment["command"] = "wellread run novel-curriculum books/weigher.epub"
    return made


def certificate(made: Fabricated, folder: Path) -> BeautifulSoup:
    return BeautifulSoup(write_report(made.write(folder)).read_text(encoding="utf-8"), "html.parser")


def told(element: Any) -> str:
    """What an element says, without line ends and runs of spaces; a no-break space is a space."""
    return " ".join(element.get_text().split())


def seen(element: Any) -> str:
    """The same, without what only a screen reader says."""
    copy = BeautifulSoup(str(element), "html.parser")
    for hidden in copy.select(".unseen"):
        hidden.decompose()
    return copy.get_text()


def line(page: BeautifulSoup, name: str, split: str, title: str = "") -> list[str]:
    """The cells of one row of the tables."""
    for row in page.select("table.measured tbody tr"):
        if row.select_one("code").text == name and split in told(row.th) and title in told(row.th):
            return [" ".join(seen(cell).split()) for cell in row.select("td")]
    raise AssertionError(f"no row {name} {split}")
