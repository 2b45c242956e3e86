"""A glossary in, what is taught and what is asked out: conversations written about it, and questions in parts.

questions/validation.jsonl   may be looked at while training: the curve of recall, and `best_by`
questions/held_out.jsonl     are asked at the end
questions/train.jsonl        are asked in training's own words: kept aside, so that nobody takes them for a test
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from wellread import registry
from wellread.errors import CorpusError, RunError, UsageError
from wellread.matching import Index, words
from wellread.recipe import Recipe
from wellread.runs import Run
from wellread.storage import read_rows, stream_rows, write_json, write_rows
from wellread.texts import found
from wellread.types import Corpus, Document, Part, Question, QuestionKind

DONE = "done.json"
"""Says that the conversations in a folder are all there."""
FEWEST_SHARED = 2
"""A phrasing is one if so many terms are asked about in it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions of a run, by part, and the terms that training names."""

    parts: Mapping[Part, tuple[Question, ...]] = field(default_factory=dict)
    taught: frozenset[str] | None = None
    """None where there is no training part to look into."""

    def __bool__(self) -> bool:
        return any(self.parts.values())


def taught_paths(
    recipe: Recipe,
    paths: Sequence[Path],
    folder: Path,
    *,
    key: str = "",
    say: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """What the corpus is read from: the conversations written about the glossary, in `folder`, or the texts themselves.

    Written once: what is there already is read again. `key` is for a writer behind an endpoint. Raises UsageError where
    the text is no glossary, RunError where some terms failed: run again, and a writer is asked for these.
    """
    settings = recipe.synthesis
    if settings is None:
        return list(paths)
    if not (folder / DONE).is_file():
        from wellread.synthesising import Synthesis, synthesise

        if len(paths) != 1 or not paths[0].is_file():
            raise UsageError(f"a glossary is one file; found {', '.join(map(str, paths))}.")
        wanted = Synthesis(source=str(paths[0]), out=folder, seed=recipe.seed, **settings.model_dump())
        written = synthesise(wanted, key=key, say=say)
        if written.failed:
            terms = list(dict.fromkeys(each.term for each in written.failed))
            raise RunError(
                f"{len(written.failed)} calls or terms failed ({', '.join(terms[:3])}{', …' if terms[3:] else ''}; "
                f"{written.failed[0].reason.rstrip('.')}): run again, or see {folder}."
            )
        write_json(folder / DONE, {"examples": len(written.examples), "questions": len(written.questions)})
        say(f"{len(written.examples):,} conversations and {len(written.questions):,} questions were written")
    return [folder / "examples.jsonl"]


def as_templates(recipe: Recipe) -> Recipe:
    """The recipe with its conversations written by templates: what a plan counts, which asks no endpoint."""
    if recipe.synthesis is None:
        return recipe
    return recipe.model_copy(update={"synthesis": recipe.synthesis.model_copy(update={"writer": "templates"})})


def prepare_questions(this: Run, recipe: Recipe, corpus: Corpus) -> Asked:
    """The questions that a run asks, split once and kept in `questions/`. Raises CorpusError for a row that is none."""
    if not recipe.questions and recipe.synthesis is None:
        return Asked()
    if not (folder := this.questions).is_dir() or not (folder / "held_out.jsonl").is_file():
        files = found(recipe.questions)
        files += [this.synthesis / "questions.jsonl"] if recipe.synthesis else []
        several = [question for path in files for question in read_questions(path)]
        _distinct(several)
        prompts = [asked_in(document) for document in corpus.part("train")]
        share, meanings = recipe.answers.validation, _meanings(this) if recipe.synthesis else {}
        parts = split_questions(several, prompts, validation=share, seed=recipe.seed, meanings=meanings)
        for part in ("train", "validation", "held_out"):
            write_rows(folder / f"{part}.jsonl", (each.as_json() for each in parts[part]))
    return run_questions(this, corpus)


def run_questions(this: Run, corpus: Corpus) -> Asked:
    """The questions that a run has kept; none where it asks none."""
    parts: dict[Part, tuple[Question, ...]] = {}
    for part in get_args(Part):
        path = this.questions / f"{part}.jsonl"
        parts[part] = tuple(map(question_of, read_rows(path))) if path.is_file() else ()
    several = [question for part in parts.values() for question in part]
    return Asked(parts, taught_terms(several, corpus))


def read_questions(path: Path) -> list[Question]:
    """The questions of a JSON-lines file. Raises CorpusError with the line of the first row that is none."""
    questions = []
    for number, row in enumerate(stream_rows(path, mend="Mend it, or name another file."), 1):
        try:
            questions.append(question_of(row))
        except (TypeError, ValueError, KeyError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise CorpusError(
                f"{path}, line {number}: {what}; a question has id, prompt, expected, kind and term."
            ) from None
    if not questions:
        raise CorpusError(f"{path}: no questions in it.")
    return questions


def question_of(row: Mapping[str, Any]) -> Question:
    """A question from its row. Raises ValueError or KeyError."""
    if not isinstance(row, Mapping):
        raise ValueError("expected an object")
    kind, expected, facts = row["kind"], row.get("expected", ()), row.get("facts", ())
    expected, facts = ((each,) if isinstance(each, str) else tuple(map(str, each)) for each in (expected, facts))
    if kind not in get_args(QuestionKind):
        raise ValueError(registry.unknown(f"kind {kind!r}", str(kind), get_args(QuestionKind)))
    if not str(row["prompt"]).strip():
        raise ValueError("the prompt is empty")
    if not expected and not facts and kind not in ("invented", "outside"):
        raise ValueError(f"a question of kind {kind} needs `expected` or `facts`")
    return Question(str(row["id"]), str(row["prompt"]), expected, kind, str(row.get("term", "")), facts)


def _distinct(questions: Sequence[Question]) -> None:
    seen: set[str] = set()
    for each in questions:
        if each.id in seen:
            raise CorpusError(f"two questions have the id {each.id!r}: answers are kept by it; give each its own.")
        seen.add(each.id)


def split_questions(
    questions: Sequence[Question], asked: Iterable[str], *, validation: float, seed: int,
    meanings: Mapping[str, Sequence[str]] | None = None,
) -> dict[Part, tuple[Question, ...]]:  # fmt: skip
    """Questions by part. One whose prompt is among `asked`, what training asks, belongs to train.

    The others go to validation, about that share of them, and held-out. Where a kind of question is asked in several
    phrasings that terms share, whole phrasings go apart, so that none that was looked at while training is a test;
    else, and always for invented and outside terms, whole terms do. `meanings` are what a prompt may name in place of
    a term, beside what its questions expect. The same seed gives the same parts.
    """
    known = {_spelt(prompt) for prompt in asked}
    train = {each.id for each in questions if _spelt(each.prompt) in known}
    watched: set[str] = set()
    for kind in get_args(QuestionKind):
        mine = [each for each in questions if each.kind == kind and each.id not in train]
        for unit in _watched(_units(mine, questions, meanings or {}), validation, seed):
            watched |= {each.id for each in unit}
    home: dict[str, Part] = {**dict.fromkeys(watched, "validation"), **dict.fromkeys(train, "train")}
    return {part: tuple(each for each in questions if home.get(each.id, "held_out") == part) for part in get_args(Part)}


def _meanings(this: Run) -> dict[str, list[str]]:
    """What the glossary says of each term, as questions put it into their prompts."""
    said: dict[str, list[str]] = defaultdict(list)
    for row in read_rows(this.synthesis / "terms.jsonl"):
        said[row["name"]] += [row["expansion"], row["definition"].strip().rstrip(".")]
    return said


def _units(
    questions: Sequence[Question], everything: Sequence[Question], meanings: Mapping[str, Sequence[str]]
) -> dict[str, list[Question]]:
    """What goes to one part together: the questions of a phrasing, or of a term."""
    phrasings: dict[str, list[Question]] = defaultdict(list)
    terms: dict[str, list[Question]] = defaultdict(list)
    names: dict[str, set[str]] = defaultdict(set, {term: set(said) for term, said in meanings.items()})
    for each in everything:
        names[each.term] |= {each.term, *each.expected}
    for each in questions:
        phrasings[phrasing(each, names[each.term])].append(each)
        terms[each.term or each.id].append(each)
    shared = [unit for unit in phrasings.values() if len({each.term for each in unit}) >= FEWEST_SHARED]
    by_phrasing = len(shared) >= 2 and sum(map(len, shared)) >= 0.8 * len(questions)
    if by_phrasing and all(each.kind not in ("invented", "outside") for each in questions):
        return phrasings
    return terms


def phrasing(question: Question, names: Iterable[str]) -> str:
    """A prompt without what names its term: the same for every term that is asked about in these words."""
    prompt = " ".join(question.prompt.casefold().split())
    for name in sorted(filter(None, names), key=len, reverse=True):
        bare = re.escape(" ".join(name.casefold().split()))
        prompt = re.sub(rf"(?<!\w){bare}(?!\w)", "·", prompt)  # LED stands in "spelled", too
    return prompt


def _watched(units: Mapping[str, list[Question]], share: float, seed: int) -> list[list[Question]]:
    """The units that validation takes: about its share of the questions, at least one and never all."""
    wanted = share * sum(map(len, units.values()))
    chosen: list[list[Question]] = []
    taken = 0
    for key in sorted(units, key=lambda each: _lot(seed, each))[:-1]:
        if chosen and taken + len(units[key]) / 2 > wanted:
            break
        chosen.append(units[key])
        taken += len(units[key])
    return chosen


def sampled(questions: Sequence[Question], most: int, seed: int) -> list[Question]:
    """At most so many questions, every kind by its share, in their order; the same for every subject.

    A kind of which there are few, such as invented names beside 2,000 terms, has at least half of what an even share would be:
    its rate would be that of two or three questions else.
    """
    if len(questions) <= most:
        return list(questions)
    order = sorted(range(len(questions)), key=lambda place: (questions[place].kind, _lot(seed, questions[place].id)))
    chosen = {order[len(order) * number // most] for number in range(most)}
    taken: dict[str, list[int]] = defaultdict(list)
    spare: dict[str, list[int]] = defaultdict(list)
    for place in order:
        (taken if place in chosen else spare)[questions[place].kind].append(place)
    sizes: Counter[str] = Counter(each.kind for each in questions)
    least = most // (2 * len(sizes))
    for kind, others in spare.items():
        taken[kind] += others[: max(0, least - len(taken[kind]))]
    while sum(map(len, taken.values())) > most:  # the others give way alike, so that their shares stay
        ample = [kind for kind, places in taken.items() if len(places) > least]
        taken[max(ample, key=lambda kind: len(taken[kind]) / sizes[kind])].pop()
    asked = {place for places in taken.values() for place in places}
    return [each for place, each in enumerate(questions) if place in asked]


def taught_terms(questions: Sequence[Question], corpus: Corpus) -> frozenset[str] | None:
    """The terms that the training part names; None where there is no training part."""
    train = corpus.part("train")
    if not train:
        return None
    index = Index(train)
    return frozenset(each.term for each in questions if index.holds([word for word, _, _ in words(each.term)]))


def asked_in(document: Document) -> str:
    """What an example asks; empty for other text."""
    said = document.metadata.get("messages", ())
    return " ".join(each["content"] for each in said if each["role"] not in {"system", "assistant"})


def _spelt(prompt: str) -> tuple[str, ...]:
    return tuple(word for word, _, _ in words(prompt))


def _lot(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed} {text}".encode()).digest()
