"""The writer that is a LanguageModel: it words the questions and the answers; what it gets wrong is not let in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wellread.errors import RunError
from wellread.parsing import json_in
from wellread.synthesis.alike import look_alikes
from wellread.synthesis.checking import holds, lost, unnamed
from wellread.synthesis.honesty import honesty
from wellread.synthesis.questions import asked_about
from wellread.synthesis.wording import wording
from wellread.synthesis.written import Failed, Rejected, Written, chat, example
from wellread.types import Prompt, Sampling, Term

PAIRS = 4
"""Asked for in one call: small models lose the thread of longer lists."""
TOKENS = 120
"""Of a reply, for each pair, at most."""
LONGEST = 800
"""Characters of a question, and of an answer."""
LANGUAGES = {"en": "English", "fr": "French"}
ASKED_FOR = {
    "forward": "Each question names the term and asks what it means or stands for, each in other words. "
               "Each answer tells the meaning, the definition reworded from answer to answer.",
    "reverse": "Each question gives the meaning and never the term itself, and asks for the term. Each answer names the term.",
    "context": "Each question quotes a new short sentence in which the term stands, and asks what it means there. "
               "Each answer tells the meaning.",
    "contrast": "Each question asks how the term differs from {other}. Each answer tells the meaning of both.",
}  # fmt: skip
TEXT = {"type": "string", "minLength": 1, "maxLength": LONGEST}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "pairs": {
            "type": "array",
            "maxItems": PAIRS,
            "items": {
                "type": "object",
                "properties": {"question": TEXT, "answer": TEXT},
                "required": ["question", "answer"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["pairs"],
    "additionalProperties": False,
}
Pair = tuple[str, str]


class Writer(Protocol):
    """What a model must do to write: answer many prompts, and say of each that failed why."""

    def replies(
        self, prompts: Sequence[Prompt], sampling: Sampling, *,
        schema: Mapping[str, Any] | None = None, accept: Callable[[str], object] | None = None,
    ) -> list[str | RunError]: ...  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the model: so many pairs of one task about one term."""

    term: Term
    task: str
    senses: tuple[Term, ...]
    other: Term | None
    prompt: Prompt


def calls(terms: Sequence[Term], *, language: str = "en", phrasings: int = 16) -> list[Call]:
    """What the model is asked, for about `phrasings` pairs a term."""
    tongue = LANGUAGES.get(language, language)
    senses: dict[str, list[Term]] = defaultdict(list)
    for term in terms:
        senses[term.name.casefold()].append(term)
    alike = look_alikes(terms)
    found = []
    for term in terms:
        several = tuple(senses[term.name.casefold()])
        other = alike[term][0] if alike[term] and len(several) == 1 else None
        tasks = [task for task in ASKED_FOR if other or task != "contrast"]
        for number in range(max(1, round(phrasings / PAIRS))):
            task = tasks[number % len(tasks)]
            prompt = _prompt(term, several, other if task == "contrast" else None, task, tongue, number // len(tasks))
            found.append(Call(term, task, several, other if task == "contrast" else None, prompt))
    return found


def sampling(seed: int) -> Sampling:
    return Sampling(max_tokens=TOKENS * PAIRS, temperature=0.8, top_p=0.95, seed=seed)


def write(
    terms: Sequence[Term], writer: Writer, *, language: str = "en", phrasings: int = 16, honesty_share: float = 0.25,
    invented: Sequence[Term] = (), outside: Sequence[Term] = (), seed: int = 0, source: str = "",
) -> Written:  # fmt: skip
    """Examples that the model worded, checked one by one, with those of invented and of outside terms, and the same
    questions as the templates ask. A call that failed is in `failed`, with the term. Raises UnknownName for a language
    without templates."""
    words = wording(language)
    questions = asked_about(terms, words, invented=invented, outside=outside, seed=seed)
    taken = {_plain(question.prompt) for question in questions}
    asked = calls(terms, language=language, phrasings=phrasings)
    replies = writer.replies([call.prompt for call in asked], sampling(seed), schema=SCHEMA, accept=pairs_in)
    rows, rejected, failed = [], [], []
    for call, reply in zip(asked, replies, strict=True):
        if isinstance(reply, RunError):
            failed.append(Failed(call.term.name, f"{call.task}: {reply}"))
            continue
        for question, answer in pairs_in(reply):
            reason = _wrong(call, question, answer) or ("is asked already" if _plain(question) in taken else "")
            if reason:
                rejected.append(Rejected(call.term.name, reason, f"{question} → {answer}"))
                continue
            taken.add(_plain(question))
            rows.append((call.task, call.term.name, chat(question, answer)))
    had = Counter(name for _, name, _ in rows)
    silent = {call.term.name for call in asked} - set(had) - {each.term for each in failed}
    failed += [
        Failed(name, "every answer was rejected")
        for name in dict.fromkeys(call.term.name for call in asked)
        if name in silent
    ]
    barred = {question.prompt for question in questions}
    names = [Term(question.term) for question in questions if question.kind == "invented"]  # those made up, too
    rows += honesty(
        terms, words, round(honesty_share * len(rows)), invented=names, outside=outside, barred=barred, seed=seed
    )
    examples = tuple(example(number, *row, source) for number, row in enumerate(rows, 1))
    return Written(examples, questions, tuple(rejected), tuple(failed))


def pairs_in(reply: str) -> list[Pair]:
    """The questions and answers of a reply, in whatever shape they came. Raises ValueError where there are none."""
    found = json_in(reply)
    if isinstance(found, Mapping):
        lists = [value for value in found.values() if isinstance(value, list)]
        found = lists[0] if lists else [found]
    pairs = [pair for row in found if (pair := _pair(row))]
    if not pairs:
        raise ValueError(f"no questions with answers in it: {str(found)[:60]}")
    return pairs


def _pair(row: Any) -> Pair | None:
    if not isinstance(row, Mapping):
        return None
    lower = {str(key).casefold(): value for key, value in row.items()}
    question = next((lower[key] for key in ("question", "q", "prompt", "user", "instruction") if key in lower), None)
    answer = next(
        (lower[key] for key in ("answer", "a", "completion", "response", "assistant", "output") if key in lower), None
    )
    if not isinstance(question, str) or not isinstance(answer, str):
        return None
    question, answer = " ".join(question.split()), " ".join(answer.split())
    return (question, answer) if question and answer else None


def _wrong(call: Call, question: str, answer: str) -> str:
    """Why a pair is not let in, or nothing."""
    if max(len(question), len(answer)) > LONGEST:
        return "is too long"
    if call.task == "reverse":
        return "gives the term away" if not unnamed(question, call.term) else (
            unnamed(answer, call.term) or ("asks about something else" if lost(question, call.term) else "")
        )  # fmt: skip
    if unnamed(question, call.term):
        return "does not ask about the term"
    if call.other is not None:
        if not holds(question, call.other.name):
            return "does not ask about both terms"
        return lost(answer, call.term) or lost(answer, call.other)
    return next(filter(None, (lost(answer, sense) for sense in call.senses)), "")


def _prompt(term: Term, senses: Sequence[Term], other: Term | None, task: str, tongue: str, again: int) -> Prompt:
    known = "\n".join(line for sense in senses for line in _known(sense))
    held = (words for sense in senses for words in ((sense.expansion,) if sense.expansion else sense.facts))
    kept = "; ".join(f"“{words}”" for words in held)
    rule = (
        f"Every answer about the term holds these words exactly: {kept}."
        if kept
        else "Every answer keeps to the definition."
    )
    if task == "reverse":
        rule = f"Every question holds these words exactly: {kept or 'those of the definition'}. Every answer holds: “{term.name}”."
    if other is not None:
        rule += f" It also holds: “{_short(other)}”."
        known += "\n\nTo be told apart from it:\n" + "\n".join(_known(other))
    return [
        {
            "role": "system",
            "content": "You write questions and answers that teach a glossary. You use only what the entry says, "
            "you invent no facts, and you reply with JSON alone.",
        },
        {
            "role": "user",
            "content": f"{known}\n\nWrite {PAIRS} pairs of a question and its answer in {tongue}"
            f"{', unlike the first that come to mind' if again else ''}{f' (set {again + 1})' if again else ''}. "
            f"{ASKED_FOR[task].format(other=f'“{other.name}”' if other else '')} {rule}\n"
            'Reply: {"pairs": [{"question": "…", "answer": "…"}, …]}',
        },
    ]


def _known(term: Term) -> list[str]:
    fields = {
        "Term": term.name, "Stands for": term.expansion, "Definition": term.definition, "In the sense of": term.sense,
        "Also called": ", ".join(term.aliases), "Key facts": "; ".join(term.facts), "Notes": term.notes,
    }  # fmt: skip
    return [f"{label}: {value}" for label, value in fields.items() if value]


def _short(term: Term) -> str:
    return term.expansion or term.definition


def _plain(question: str) -> str:
    return " ".join(question.casefold().split())
