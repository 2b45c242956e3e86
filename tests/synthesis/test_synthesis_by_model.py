"""What a model writes is checked, counted, and never let in wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from wellread.errors import RunError
from wellread.synthesis.by_model import calls, pairs_in, write
from wellread.types import Prompt, Sampling, Term

API = Term("API", "Authorised Passage on Ice", "the permit that every crossing needs")
TARE = Term("tare", "", "the weight of the empty sledge", facts=("empty sledge",))


class Scripted:
    """Answers what each prompt is told to; `asked` holds the last message of each prompt."""

    def __init__(self, write: Callable[[str], str | RunError]) -> None:
        self._write = write
        self.asked: list[str] = []

    def replies(
        self, prompts: Sequence[Prompt], sampling: Sampling, *,
        schema: Mapping[str, Any] | None = None, accept: Callable[[str], object] | None = None,
    ) -> list[str | RunError]:  # fmt: skip
        assert schema is not None
        self.asked += [prompt[-1]["content"] for prompt in prompts if not isinstance(prompt, str)]
        return [self._write(text) for text in self.asked]


def pairs(*several: tuple[str, str]) -> str:
    return json.dumps({"pairs": [{"question": question, "answer": answer} for question, answer in several]})


def test_good_pairs_are_let_in_and_wrong_ones_counted_with_their_reason() -> None:
    def reply(text: str) -> str:
        if "Term: tare" in text:
            return pairs(("What is the tare?", "The weight of the empty sledge."), ("And the tare?", "It is heavy."))
        if "gives the meaning and never the term" in text:
            return pairs(
                ("What is Authorised Passage on Ice called?", "That is an API."),
                ("Is Authorised Passage on Ice an API?", "Yes, API."),
                ("Which permit is it?", "API"),
            )
        return pairs(
            ("What is an API here?", "An API is an Authorised Passage on Ice, a permit."),
            ("what is an  API here?", "Authorised Passage on Ice, as API."),
            ("What is an API in computing?", "An Application Programming Interface."),
            ("What is that?", "An Authorised Passage on Ice."),
        )

    written = write([API, TARE], Scripted(reply), phrasings=8, honesty_share=0)
    rows = [(each.metadata["task"], each.metadata["messages"][0]["content"]) for each in written.examples]
    assert rows == [
        ("forward", "What is an API here?"),
        ("reverse", "What is Authorised Passage on Ice called?"),
        ("forward", "What is the tare?"),
    ]
    assert written.counts()["rejected"] == {
        "gives the term away": 3, "asks about something else": 1, "is asked already": 1, "loses the expansion": 1,
        "does not ask about the term": 1, "loses a key fact": 1,
    }  # fmt: skip
    assert all(each.term in {"API", "tare"} and "→" in each.example for each in written.rejected)


def test_a_failed_call_is_listed_with_its_term_and_one_that_gave_nothing_too() -> None:
    def reply(text: str) -> str | RunError:
        return pairs(("What?", "Nothing.")) if "Term: tare" in text else RunError("status 500: on fire (5 tries)")

    written = write([API, TARE], Scripted(reply), phrasings=4, honesty_share=0)
    assert [(each.term, each.reason) for each in written.failed] == [
        ("API", "forward: status 500: on fire (5 tries)"),
        ("tare", "every answer was rejected"),
    ]
    assert written.examples == ()
    assert {question.term for question in written.questions} >= {"API", "tare"}


def test_a_question_that_is_asked_afterwards_never_trains() -> None:
    afterwards = [
        q.prompt for q in write([API], Scripted(lambda _: pairs(("?", "!")))).questions if q.kind == "forward"
    ]
    reply = pairs(*((prompt.upper(), "Authorised Passage on Ice") for prompt in afterwards))
    written = write([API], Scripted(lambda _: reply), phrasings=4, honesty_share=0)
    assert written.examples == ()


def test_no_name_that_is_asked_about_afterwards_is_trained_as_absent() -> None:
    """Nor one that was made up to be asked: in a small alphabet some are made up twice."""
    said, draw = ["apple", "bolt", "crate", "dray", "egg", "fig", "gate", "hat", "ice", "jam"], Random(0)
    named = [draw.sample(said, 3) for _ in range(24)]
    terms = [
        Term("".join(word[0] for word in three).upper(), " ".join(three), " ".join(draw.sample(said, 10)))
        for three in named
    ]

    def reply(text: str) -> str:
        name, meaning = (re.findall(f"{field}: (.*)", text)[0] for field in ("Term", "Stands for"))
        return pairs(*((f"What is {name} ({len(text)}, {number})?", f"{name} is {meaning}.") for number in range(4)))

    for seed in range(3):
        written = write(terms, Scripted(reply), phrasings=16, honesty_share=4, seed=seed)
        absent = {each.metadata["term"].casefold() for each in written.examples if each.metadata["task"] == "absent"}
        assert len(absent) > 500
        assert not absent & {each.term.casefold() for each in written.questions if each.kind == "invented"}


def test_a_term_of_signs_alone_is_looked_for_as_it_stands() -> None:
    fox = Term("🦊", "", "an animal with a red coat", facts=("red coat",))

    def reply(text: str) -> str:
        if "never the term" in text:
            return pairs(("Which sign has a red coat?", "That is 🦊."), ("What of a red coat?", "That is 🐺."))
        return pairs(("What is 🦊?", "A red coat on four legs."), ("What is that?", "A red coat."))

    written = write([fox], Scripted(reply), phrasings=8, honesty_share=0)
    assert [each.metadata["messages"][0]["content"] for each in written.examples] == [
        "What is 🦊?",
        "Which sign has a red coat?",
    ]
    assert written.counts()["rejected"] == {"does not ask about the term": 1, "loses the name": 1}


def test_what_the_model_is_asked_grows_with_the_phrasings_and_names_the_language() -> None:
    few, many = (calls([API, TARE], phrasings=count, language="fr") for count in (4, 16))
    assert (len(few), len(many)) == (2, 8)
    prompt = few[0].prompt
    assert not isinstance(prompt, str)
    assert "French" in prompt[-1]["content"]
    assert "Authorised Passage on Ice" in prompt[-1]["content"]
    assert len({str(call.prompt) for call in many}) == 8


def test_contrasts_name_the_look_alike_and_must_tell_both() -> None:
    other = Term("APE", "Approved Pace of Engines")
    [contrast, _] = [call for call in calls([API, other], phrasings=16) if call.task == "contrast"]
    assert contrast.other == other

    def reply(text: str) -> str:
        if "differs from" not in text or not text.startswith("Term: API"):
            return "{}"
        both = "API is Authorised Passage on Ice, APE is Approved Pace of Engines."
        return pairs(("How do API and APE differ?", both), ("API or APE?", "API is Authorised Passage on Ice."))

    class Lenient(Scripted):
        def replies(self, *words: Any, **named: Any) -> list[str | RunError]:
            return [RunError("none") if each == "{}" else each for each in super().replies(*words, **named)]

    written = write([API, other], Lenient(reply), phrasings=16, honesty_share=0)
    assert [each.metadata["messages"][0]["content"] for each in written.examples] == ["How do API and APE differ?"]
    assert written.counts()["rejected"] == {"loses the expansion": 1}


@pytest.mark.parametrize(
    "reply",
    [
        '{"pairs": [{"question": "q", "answer": "a"}]}',
        '```json\n[{"Q": "q", "A": "a"}]\n```',
        'Sure! {"items": [{"prompt": "q", "completion": "a"}, {"prompt": 3}]} Done.',
        '{"question": " q ", "answer": "a\\n"}',
    ],
)
def test_pairs_are_read_in_many_shapes(reply: str) -> None:
    assert pairs_in(reply) == [("q", "a")]


@pytest.mark.parametrize("reply", ["", "no", '{"pairs": []}', '{"pairs": [{"question": "q", "ans', "[1, 2]"])
def test_what_holds_no_pair_is_refused(reply: str) -> None:
    with pytest.raises(ValueError):
        pairs_in(reply)
