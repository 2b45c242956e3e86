"""`wellread synthesise`: a glossary in, a folder of examples to train on and questions to judge by out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wellread.errors import UsageError
from wellread.function_words import language
from wellread.generation.endpoint import EndpointModel, Foreseen, is_endpoint
from wellread.matching import words
from wellread.metrics.phrases import can_judge
from wellread.storage import write_json, write_rows
from wellread.synthesis import Written, by_model, load_terms, templates
from wellread.synthesis.wording import wording
from wellread.synthesis.written import example_row
from wellread.texts import LIBRARY, found
from wellread.types import Term

TEMPLATES = "templates"
AUTO = "auto"
EXAMPLES, QUESTIONS, TERMS, SUMMARY, KEPT = (
    "examples.jsonl",
    "questions.jsonl",
    "terms.jsonl",
    "synthesis.json",
    "replies",
)
OUTSIDE = {"en": "library:outside", "fr": "library:outside_fr"}
"""Real terms of no glossary, by language."""
INVENTED = {"library:glossary": "library:invented", "library:glossary_fr": "library:invented_fr"}
"""Neighbours that were written by hand for a glossary."""


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What is to be written, from what and by whom."""

    source: str
    """A file, or `library:NAME`."""
    out: Path
    writer: str = TEMPLATES
    """`templates`, or a model as `http(s)://host/v1#model`."""
    language: str = AUTO
    """`en`, `fr`, or `auto`: as most words of the glossary's definitions and expansions are."""
    phrasings: int = templates.PHRASINGS
    """Examples of each term, about."""
    honesty: float = templates.HONESTY
    """Examples of invented terms, as a share of those of the terms."""
    invented: str = ""
    """A file of names to ask about that exist nowhere; empty: those of an embedded glossary, for others they are made up."""
    outside: str | None = None
    """A file of real terms of no glossary; None: the embedded ones of the language; empty: none."""
    seed: int = 0


def synthesise(wanted: Synthesis, *, key: str = "", say: Callable[[str], None] = lambda line: None) -> Written:
    """Write `examples.jsonl`, `questions.jsonl`, `terms.jsonl` and `synthesis.json` into `wanted.out`.

    A model's replies are kept in `replies/` there: run again, it is asked only for what is missing. Raises CorpusError
    for a glossary that cannot be read, ModelError for an endpoint that cannot be called at all.
    """
    wanted, terms, invented, outside, notes = _read(wanted)
    how: dict[str, Any] = {
        "language": wanted.language, "phrasings": wanted.phrasings, "honesty_share": wanted.honesty,
        "invented": invented, "outside": outside, "seed": wanted.seed, "source": wanted.source,
    }  # fmt: skip
    if wanted.writer == TEMPLATES:
        written = templates.write(terms, **how)
    else:
        model = _model(wanted, key)
        say(f"asking {model.name}: {foreseen_line(_foreseen(model, terms, wanted))}")
        written = by_model.write(terms, model, **how)
        notes += [model.note] if model.note else []
    write_rows(wanted.out / EXAMPLES, map(example_row, written.examples))
    write_rows(wanted.out / QUESTIONS, (question.as_json() for question in written.questions))
    write_rows(wanted.out / TERMS, map(asdict, terms))
    write_json(wanted.out / SUMMARY, summary(wanted, terms, written, notes))
    for line in notes:
        say(line)
    return written


def foresee(wanted: Synthesis, *, key: str = "") -> Foreseen:
    """Calls and tokens that `synthesise` would take; calls nobody and writes nothing."""
    wanted, terms, *_ = _read(wanted)
    if wanted.writer == TEMPLATES:
        return Foreseen(0, 0, 0, 0)
    return _foreseen(_model(wanted, key), terms, wanted)


def summary(wanted: Synthesis, terms: Sequence[Term], written: Written, notes: Sequence[str]) -> dict[str, Any]:
    """What was asked for and what came of it; never a key."""
    return {
        "source": wanted.source,
        "writer": wanted.writer,
        "language": wanted.language,
        "phrasings": wanted.phrasings,
        "honesty": wanted.honesty,
        "seed": wanted.seed,
        "terms": len(terms),
        **written.counts(),
        "failed_terms": [asdict(each) for each in written.failed],
        "rejected_answers": [asdict(each) for each in written.rejected],
        "notes": [*written.notes, *notes],
    }


def _read(wanted: Synthesis) -> tuple[Synthesis, list[Term], list[Term], list[Term], list[str]]:
    """What is wanted with its language, the glossary, the invented names, the outside terms, and what is to be said.

    Of the outside terms none is there that the glossary has."""
    if wanted.language != AUTO:
        wording(wanted.language)
    [path] = found([wanted.source])
    terms, notes = _judging(load_terms(path))
    if wanted.language == AUTO:
        wanted = replace(wanted, language=glossary_language(terms))
    own = {name.casefold() for term in terms for name in (term.name, *term.aliases)}
    beside = wanted.invented or next((name for glossary, name in INVENTED.items() if found([glossary])[0] == path), "")
    invented = load_terms(found([beside])[0], bare=True) if beside else []
    real = sorted(term.name for term in invented if term.name.casefold() in own)
    if real:
        raise UsageError(f"{beside}: {', '.join(real[:3])} is in the glossary; an invented name stands in none.")
    name = OUTSIDE.get(wanted.language, "") if wanted.outside is None else wanted.outside
    outside = load_terms(found([name])[0]) if name else []
    return wanted, terms, invented, [term for term in outside if term.name.casefold() not in own], notes


def glossary_language(terms: Sequence[Term]) -> str:
    """`en` or `fr`, as most words of a glossary's definitions and expansions are; `en` where neither has many."""
    counts = Counter(word for each in terms for word, _, _ in words(f"{each.definition} {each.expansion} {each.notes}"))
    return language(counts) or "en"


def _judging(terms: Sequence[Term]) -> tuple[list[Term], list[str]]:
    """The terms with those of their key facts that their own names do not say already, and a line that names the others."""
    empty = [(term.name, fact) for term in terms for fact in term.facts if not can_judge(fact, term.name)]
    kept = [replace(term, facts=tuple(fact for fact in term.facts if can_judge(fact, term.name))) for term in terms]
    listed = ", ".join(f"{fact!r} of {name!r}" for name, fact in empty[:3]) + (", …" if empty[3:] else "")
    say = "key fact says no more than its term" if len(empty) == 1 else "key facts say no more than their terms"
    return kept, [f"left out: {len(empty)} {say}, which an echo would hold: {listed}"] if empty else []


def _model(wanted: Synthesis, key: str) -> EndpointModel:
    if not is_endpoint(wanted.writer):
        raise UsageError(
            f"writer {wanted.writer!r}: a writer is `templates` or an endpoint, http(s)://host:port/v1#model."
        )
    return EndpointModel(wanted.writer, key=key, cache=wanted.out / KEPT)


def _foreseen(model: EndpointModel, terms: Sequence[Term], wanted: Synthesis) -> Foreseen:
    asked = by_model.calls(terms, language=wanted.language, phrasings=wanted.phrasings)
    return model.foreseen([call.prompt for call in asked], by_model.sampling(wanted.seed), schema=by_model.SCHEMA)


def folder_for(source: str) -> Path:
    """Where the examples of a source go, if nobody says."""
    return Path(f"{Path(source.removeprefix(LIBRARY)).stem}-examples")


def foreseen_line(cost: Foreseen) -> str:
    return (
        f"{cost.calls:,} calls, about {cost.tokens_in:,} tokens in and at most {cost.tokens_out:,} out; "
        f"{cost.kept:,} replies are kept from before"
    )
