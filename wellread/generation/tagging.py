"""An encoder and rows with right answers in, a token classifier that finds references out: the other baseline.

Nobody marked in the rows which words an answer is from, so they are looked for: of every reference the words that say its
values and lie nearest together. The classifier learns to mark such words with their fields; what it marks is read as by
the patterns (words, numerals, defaults), a field that comes again beginning the next reference.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wellread.errors import ModelError, first_line
from wellread.generation.patterns import filled, value_of
from wellread.recipe.extraction import Coordinates, Patterns

EPOCHS, BATCH, RATE = 12, 8, 2e-4
_WORD = re.compile(r"\w+|[^\w\s]")
_NEAR = 24
"""Words between the first and the last word of one reference, at most."""


def fields(where: Coordinates) -> list[str]:
    """The paths that words are marked with: every coordinate once."""
    return list(dict.fromkeys((*where.start, *where.end)))


def marked(text: str, items: Sequence[Mapping[str, Any]], where: Coordinates, patterns: Patterns) -> list[int]:
    """For each word of a text the number of the field it says, from 1 on; 0 for none."""
    names = fields(where)
    words = {word.casefold(): value for word, value in patterns.words.items()}
    says = [value_of(word, words) for word in _WORD.findall(text)]
    marks = [0] * len(says)
    last = -1
    for item in items:
        values = {name: _at(item, name) for name in names}
        values = {name: value for name, value in values.items() if not _repeats(name, values, patterns)}
        choices = [
            [(name, place) for place, said in enumerate(says) if said == value and type(said) is type(value)]
            for name, value in values.items()
        ]
        best = _nearest([several for several in choices if several], marks, names, last)
        for name, place in best:
            marks[place] = names.index(name) + 1
        last = max((place for _, place in best), default=last)
    return marks


class Tagger:
    """A token classifier on an encoder of transformers. Raises ModelError where it cannot be loaded."""

    def __init__(
        self, encoder: str, where: Coordinates, patterns: Patterns, *, seed: int, offline: bool = False
    ) -> None:
        import torch
        from transformers import AutoModelForTokenClassification, AutoTokenizer

        from wellread.weights import device

        self._names, self._where, self._patterns, self._seed = fields(where), where, patterns, seed
        torch.manual_seed(seed)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(encoder, local_files_only=offline, use_fast=True)
            self._model = AutoModelForTokenClassification.from_pretrained(
                encoder, num_labels=len(self._names) + 1, local_files_only=offline, dtype=torch.float32
            ).to(device())
            if self._tokenizer.pad_token_id is None:
                self._tokenizer.pad_token = self._tokenizer.eos_token
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{encoder}: no encoder that transformers can load: {first_line(error)}") from None

    def fit(self, rows: Sequence[tuple[str, Sequence[Mapping[str, Any]]]]) -> None:
        """Learn from texts and their references: 12 epochs of AdamW, the rate falling to zero."""
        import torch

        marks = [marked(text, items, self._where, self._patterns) for text, items in rows]
        optimizer = torch.optim.AdamW(self._model.parameters(), lr=RATE)
        batches = -(-len(rows) // BATCH)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, EPOCHS * batches)
        generator = torch.Generator().manual_seed(self._seed)
        self._model.train()
        for _ in range(EPOCHS):
            order = torch.randperm(len(rows), generator=generator).tolist()
            for chosen in (order[at : at + BATCH] for at in range(0, len(order), BATCH)):
                encoded, owners = self._encoded([rows[place][0] for place in chosen])
                labels = torch.full_like(encoded["input_ids"], -100)
                for line, place in enumerate(chosen):
                    for token, word in owners[line].items():
                        labels[line, token] = marks[place][word]
                loss = self._model(**encoded, labels=labels).loss
                loss.backward()
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()

    def find(self, texts: Sequence[str]) -> list[list[dict[str, Any]]]:
        """The references that the classifier marks in each text."""
        import torch

        found = []
        self._model.eval()
        with torch.inference_mode():
            for text in texts:
                encoded, [owners] = self._encoded([text])
                best = self._model(**encoded).logits[0].argmax(-1).tolist()
                marks = [0] * len(_WORD.findall(text))
                for token, word in owners.items():
                    marks[word] = best[token]
                found.append(read_marks(text, marks, self._where, self._patterns))
        return found

    def _encoded(self, texts: Sequence[str]) -> tuple[Any, list[dict[int, int]]]:
        """Token ids, and for each text which token is the first of which word."""
        words = [_WORD.findall(text) for text in texts]
        encoded = self._tokenizer(
            words, is_split_into_words=True, padding=True, truncation=True, max_length=512, return_tensors="pt"
        )
        owners = []
        for line in range(len(texts)):
            first: dict[int, int] = {}
            for token, word in enumerate(encoded.word_ids(line)):
                if word is not None and word not in first.values():
                    first[token] = word
            owners.append(first)
        return encoded.to(self._model.device), owners


def read_marks(text: str, marks: Sequence[int], where: Coordinates, patterns: Patterns) -> list[dict[str, Any]]:
    """References from marked words; one without a work is of the work before it."""
    names = fields(where)
    words = {word.casefold(): value for word, value in patterns.words.items()}
    found: list[dict[str, Any]] = []
    for word, mark in zip(_WORD.findall(text), marks, strict=True):
        if mark:
            if not found or names[mark - 1] in found[-1]:
                found.append({})
            found[-1][names[mark - 1]] = value_of(word, words)
    work = where.start[0]
    for before, item in zip([{}, *found], found, strict=False):
        if work not in item and work in before:
            item[work] = before[work]
    items = [filled(item, patterns) for item in found if work in item]
    return [item for place, item in enumerate(items) if item not in items[:place]]


def _repeats(name: str, values: Mapping[str, Any], patterns: Patterns) -> bool:
    """Whether a field says nothing of its own: it is the same as another, or what it is by default."""
    other = patterns.same.get(name)
    copied = other is not None and other in values and bool(values[name] == values[other])
    return copied or (name in patterns.defaults and bool(values[name] == patterns.defaults[name]))


def _nearest(
    choices: Sequence[Sequence[tuple[str, int]]], marks: Sequence[int], names: Sequence[str], last: int
) -> list[tuple[str, int]]:
    """One word for each value, the nearest together; a word serves twice only as the same field. After `last` if equal."""
    best: list[tuple[str, int]] = []
    least: tuple[float, ...] | None = None
    for several in itertools.islice(itertools.product(*choices), 4096):
        places = [place for _, place in several]
        free = all(marks[place] in (0, names.index(name) + 1) for name, place in several)
        if not places or len(set(places)) < len(places) or not free or max(places) - min(places) > _NEAR:
            continue
        used = sum(bool(marks[place]) for place in places)
        cost = (used, max(places) - min(places), max(places) < last, min(places))
        if least is None or cost < least:
            best, least = list(several), cost
    return best


def _at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
