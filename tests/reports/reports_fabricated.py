"""A fabricated run folder for the tests of this room: one book, its corpus, its samples and its log."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reports_rows import rows

from wellread.matching import words
from wellread.recipe import parse_recipe, recipe_yaml
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
