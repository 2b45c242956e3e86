"""What templates write: the right answers, nothing that is asked afterwards, and the same again for the same seed."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from wellread.errors import UnknownName
from wellread.matching import words
from wellread.synthesis import Written, load_terms
from wellread.synthesis.alike import look_alikes
from wellread.synthesis.checking import holds, lost
from wellread.synthesis.invented import RUDE, core, neighbours, rude, strangers
from wellread.synthesis.rewording import informative, phrase, rewordings
from wellread.synthesis.templates import write
from wellread.synthesis.wording import WORDINGS, fill, wording
from wellread.types import Document, Term

LIBRARY = Path(__file__).parents[2] / "wellread" / "library"
API = Term("API", "Authorised Passage on Ice", "the permit that every crossing needs", facts=("permit",))
ATM = Term("ATM", "Allowed Tonnage Maximum")
APE = Term("APE", "Approved Pace of Engines")
TARE = Term("tare", "", "the weight of the empty sledge", aliases=("sledge weight",), facts=("empty sledge",))
GLOSSARY = [API, ATM, APE, TARE]


def library(name: str, *, bare: bool = False) -> list[Term]:
    return load_terms(LIBRARY / f"{name}.json", bare=bare)


def said(example: Document) -> tuple[str, str]:
    asked, answered = example.metadata["messages"]
    assert (asked["role"], answered["role"]) == ("user", "assistant")
    return asked["content"], answered["content"]


def about(written: Written, term: str, *tasks: str) -> list[tuple[str, str]]:
    found = (each for each in written.examples if each.metadata["term"] == term)
    return [said(each) for each in found if not tasks or each.metadata["task"] in tasks]


def test_every_term_is_asked_so_many_times_in_every_direction() -> None:
    written = write(GLOSSARY, phrasings=16, honesty_share=0.5)
    for term in GLOSSARY:
        rows = about(written, term.name, "forward", "reverse", "context", "definition", "contrast")
        assert len(rows) == len({asked for asked, _ in rows}) == 16
    for asked, answered in about(written, "API", "forward", "context"):
        assert "API" in asked
        assert holds(answered, "Authorised Passage on Ice")
    for asked, answered in about(written, "API", "reverse"):
        assert holds(asked, "Authorised Passage on Ice")
        assert not holds(asked, "API")
        assert holds(answered, "API")
    for _, answered in about(written, "tare", "forward", "context"):
        assert holds(answered, "empty sledge")
    assert any(holds(answered, "permit") for _, answered in about(written, "API", "definition"))
    assert any("sledge weight" in asked for asked, _ in about(written, "tare"))
    assert written.counts()["rejected"] == {}


def test_look_alikes_are_told_apart() -> None:
    written = write(GLOSSARY, phrasings=32)
    both = [answer for asked, answer in about(written, "API", "contrast") if "APE" in asked]
    assert both
    assert all(holds(answer, API.expansion) and holds(answer, APE.expansion) for answer in both)
    judged = [
        (asked, answer) for asked, answer in about(written, "API", "contrast") if answer.startswith(("Yes", "No"))
    ]
    assert all(
        answer.startswith("Yes") == holds(asked, API.expansion) for asked, answer in judged if "APE" not in asked
    )
    assert look_alikes([Term("white copy"), Term("pink copy"), Term("post")])[Term("pink copy")] == [Term("white copy")]


def test_more_phrasings_are_more_examples_and_never_the_same_question() -> None:
    small, large = (write([API], phrasings=count, honesty_share=0) for count in (5, 60))
    assert len(small.examples) == 5
    assert len(large.examples) == len({said(each)[0] for each in large.examples}) == 60


def test_the_same_seed_gives_the_same_rows_and_another_others() -> None:
    first, again, other = (write(GLOSSARY, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert {said(each)[0] for each in first.examples} != {said(each)[0] for each in other.examples}


@pytest.mark.parametrize("language", WORDINGS)
def test_no_phrasing_that_is_asked_afterwards_trains(language: str) -> None:
    found = wording(language)
    for ways in (found.forward, found.reverse, found.meaning, found.naming, found.describing, found.context):
        trained, asked = ({plain(each) for each in several} for several in (ways.trained, ways.asked))
        assert not trained & asked
        assert len(trained) == len(ways.trained)
        for each in (*ways.trained, *ways.asked):
            assert set(re.findall(r"{(\w)}", each)) == set(re.findall(r"{(\w)}", ways.trained[0]))
    assert found.leads[0] == ""


def plain(text: str) -> tuple[str, ...]:
    return tuple(word for word, _, _ in words(text))


@pytest.mark.parametrize(("suffix", "language"), [("", "en"), ("_fr", "fr")])
def test_the_embedded_glossaries_go_through_whole(suffix: str, language: str) -> None:
    terms, invented = library(f"glossary{suffix}"), library(f"invented{suffix}", bare=True)
    outside = library(f"outside{suffix}")
    written = write(terms, language=language, invented=invented, outside=outside)
    assert written.counts()["rejected"] == {}
    per_term = Counter(each.metadata["term"] for each in written.examples)
    assert all(per_term[term.name] == 16 for term in terms)
    trained = {plain(said(each)[0]) for each in written.examples}
    assert not trained & {plain(question.prompt) for question in written.questions}
    assert len({question.id for question in written.questions}) == len(written.questions)
    for question in written.questions:
        assert question.kind == "invented" or bool(question.expected) != bool(question.facts)
    kinds = Counter(question.kind for question in written.questions)
    assert kinds["invented"] == len(invented)
    assert kinds["outside"] == len(outside) // 2
    assert kinds["reverse"] == len(terms)


def test_the_embedded_glossary_is_as_large_as_it_should_be() -> None:
    terms = library("glossary")
    assert len(terms) >= 80
    assert sum(bool(term.expansion) for term in terms) >= 20
    assert len(library("invented", bare=True)) == 40
    assert len(library("glossary_fr")) >= 20
    for term in [*terms, *library("glossary_fr")]:
        assert term.expansion or term.facts
        assert not lost(term.definition, Term(term.name, "", term.definition, facts=term.facts))


def test_invented_names_are_refused_and_those_that_are_asked_are_not_trained() -> None:
    invented = [Term("AQM"), Term("the Shoulder")]
    outside = [Term("HTML", "HyperText Markup Language"), Term("UFO", "unidentified flying object")]
    written = write(GLOSSARY, invented=invented, outside=outside, honesty_share=1.0)
    absent = [each for each in written.examples if each.metadata["task"] == "absent"]
    assert len(absent) >= 40
    assert all("not in this glossary" in said(each)[1] for each in absent)
    names = {each.metadata["term"].casefold() for each in absent}
    real = {name.casefold() for term in (*GLOSSARY, *invented, *outside) for name in (term.name, *term.aliases)}
    assert not names & real
    assert {question.term for question in written.questions if question.kind == "invented"} == {"AQM", "the Shoulder"}
    trained = about(written, "HTML", "outside")
    assert trained
    assert all(holds(answer, "HyperText Markup Language") for _, answer in trained)
    assert about(written, "UFO") == []
    [asked] = [question for question in written.questions if question.kind == "outside"]
    assert (asked.term, asked.expected) == ("UFO", ("unidentified flying object",))


def test_an_acronym_is_spelled_out_and_defined_whatever_is_asked_of_it() -> None:
    written = write([API], phrasings=16, honesty_share=0)
    spelled_out = dict(about(written, "API", "forward"))
    defined = dict(about(written, "API", "definition", "context"))
    assert len(spelled_out) >= 4
    assert all(holds(answer, API.expansion) for answer in [*spelled_out.values(), *defined.values()])
    assert all(holds(answer, API.facts[0]) for answer in spelled_out.values())
    assert sum(holds(answer, API.facts[0]) for answer in defined.values()) >= 4
    bare = replace(API, definition="", facts=())
    asked = dict(about(write([bare], phrasings=80), "API", "forward"))
    for way in ("API?", "Give the definition of API."):  # nothing defines it, so these are asked of its letters
        assert any(each.endswith(way) for each in asked)


def test_what_the_glossary_says_is_not_asked_of_real_terms_outside_it() -> None:
    outside = [Term(f"real{n}", "", f"a thing of number {n}") for n in range(40)]
    written = write(GLOSSARY, outside=outside, honesty_share=0.5)
    asked = [said(each)[0] for each in written.examples if each.metadata["task"] == "outside"]
    assert len(asked) == 80
    assert not any("glossary" in each for each in asked)


def test_what_is_there_and_what_is_not_are_asked_with_the_same_beginnings() -> None:
    """Else a model takes a greeting for a sign that a name is not there."""
    leads = wording("en").leads[1:]
    asked: dict[bool, list[bool]] = {True: [], False: []}
    outside = [Term(f"real{n}", "", f"a thing of number {n}") for n in range(60)]
    for each in write(library("glossary"), phrasings=10, honesty_share=0.5, outside=outside).examples:
        if each.metadata["task"] != "contrast":
            asked[each.metadata["task"] == "absent"].append(said(each)[0].startswith(leads))
    shares = {absent: sum(led) / len(led) for absent, led in asked.items()}
    assert shares[True] == pytest.approx(5 / 8, abs=0.06)
    assert shares[False] == pytest.approx(5 / 8, abs=0.06)


def test_meanings_that_nothing_has_stay_fewer_than_those_that_something_has() -> None:
    written = write(library("glossary"), phrasings=10, honesty_share=0.5)
    answers = [said(each)[1] for each in written.examples]
    absent = sum(answer.startswith("A term for that") for answer in answers)
    assert absent == sum(bool(term.expansion) for term in library("glossary")) // 4


def test_a_name_without_its_article_is_no_other_name() -> None:
    [also] = about(write([Term("the Uthe", "", "the lake between the shores", aliases=("Uthe", "Lake Uthe"))], honesty_share=0),
                   "the Uthe", "contrast")  # fmt: skip
    assert "Lake Uthe" in also[1]


def test_no_name_that_is_made_up_is_rude() -> None:
    """Once a certificate had `funfuck` in it."""
    made = strangers([Term("the weigher")], 20_000, known=(), text="", seed=0)
    made += strangers(
        [Term("WW")], 2_000, known=(), text="salt heavy iron tare " * 9 + "for under great coal kept", seed=0
    )
    made += neighbours([Term("FAD"), Term("SEC"), Term("the shiver"), Term("a fruit")], 500, known=(), seed=0)
    assert len(made) > 20_000
    assert not [name for name in made if any(each in name.casefold() for each in RUDE) or "fuck" in name.casefold()]
    assert rude("funfuck")
    assert rude("the S.O.D.")
    assert not rude("the grey weigher")
    own = neighbours([Term("the analyst")], 2, known=(), seed=0, modifiers=["under-{x}"])
    assert "the under-analyst" in own  # the glossary's own words are no rudeness of ours


def test_without_invented_names_others_are_made_than_those_that_train() -> None:
    written = write(GLOSSARY)
    asked = {question.term for question in written.questions if question.kind == "invented"}
    assert len(asked) == 40
    assert not asked & {each.metadata["term"] for each in written.examples}
    assert len(neighbours(GLOSSARY, 30, known=(), seed=0)) == 30
    text = "Nobody had counted those lanterns since morning"
    made = strangers(GLOSSARY, 30, known=("NHC",), text=text, seed=0)
    assert len(made) == 30
    initials = {name for name in made if name.isupper()}
    assert initials
    assert all(name in "NHCTLSM" and name != "NHC" for name in initials)
    modified = neighbours([Term("the weigher")], 3, known=(), seed=0, modifiers=("under-{x}", "green {x}"))
    assert {"the under-weigher", "the green weigher"} <= set(modified)
    large = neighbours([Term("Lower Grume")], 12, known=(), seed=0, modifiers=("under-{x}", "upper {x}"))
    assert {"under-Grume", "Upper Grume"} <= set(large)
    before = neighbours([Term("blue copy", definition="A paper.")], 30, known=(), seed=0, modifiers=("red {x}",))
    assert {"paper copy", "blue paper"} <= set(before)
    shores = [
        "the anchor",
        "the mattress",
        "the bolster",
        "the kettle",
        "the ladder",
        "the harbour",
        "the lantern",
        "the saddle",
    ]
    half = [Term(name) for name in (*shores, "ATM", "ISO", "VAT", "NASA", "BBC", "FBI", "RAM", "PDF")]
    assert sum(name.isupper() for name in neighbours(half, 60, known=(), seed=0)) < 25
    assert neighbours([Term("tare")], 5, known=["tare"], seed=0) == []  # nothing to cross it with
    snow, walk = Term("the snow"), Term("a long walk")
    for name in neighbours(
        [snow, walk, Term("the short run")], 4, known=["the snow", "a long walk", "the short run"], seed=0
    ):
        assert core(name) not in {core(term.name) for term in (snow, walk)}
    assert core("L’Endormoir") == core("un endormoir") == ("endormoir",)


def test_a_definition_that_begins_with_an_article_goes_on_in_a_sentence() -> None:
    assert phrase("The latest minute at which a gate may open.") == "the latest minute at which a gate may open"
    assert phrase("Theirs to keep.") == "Theirs to keep"
    assert phrase("Stad: a town") == "Stad: a town"


def test_a_name_with_several_senses_is_told_with_all_of_them() -> None:
    senses = [Term("ATM", "Allowed Tonnage Maximum", sense="the scales"), Term("ATM", "At The Moment", sense="letters")]
    written = write(senses, phrasings=12, honesty_share=0)
    for _, answer in about(written, "ATM", "forward", "context"):
        assert all(holds(answer, term.expansion) and term.sense in answer for term in senses)
    expected = {question.expected for question in written.questions if question.kind == "forward"}
    assert expected == {("Allowed Tonnage Maximum",), ("At The Moment",)}


def test_names_of_one_meaning_are_all_right_backwards() -> None:
    written = write([API, Term("AP", API.expansion, aliases=("APoI",))], honesty_share=0)
    assert [q.expected for q in written.questions if q.kind == "reverse"] == [
        ("API", "AP", "APoI"),
        ("AP", "API", "APoI"),
    ]


def test_answers_that_lose_a_fact_are_seen() -> None:
    assert lost("API stands for Authorised Passage.", API) == "loses the expansion"
    assert lost("It is the AUTHORISED passage — on ice!", API) == ""
    assert lost("The weight of a sledge.", TARE) == "loses a key fact"
    loose = Term("boss", "", "a place where ice rests upon something solid")
    assert lost("A place where the ice rests.", loose) == ""
    assert lost("A person who gives orders.", loose) == "loses the definition"


def test_definitions_are_reworded_and_what_says_nothing_new_is_left_out() -> None:
    found = rewordings("the one who sounds the ice, often before dawn.", wording("en"))
    assert found[0] == "the one who sounds the ice, often before dawn"
    assert "the person who sounds the ice, often before dawn" in found
    assert "the one who sounds the ice" in found
    assert not informative("Visual BASIC for Applications (MS, BASIC, VB)", "Visual BASIC for Applications")
    assert informative("the permit that every crossing needs", "Authorised Passage on Ice")


def test_braces_and_full_stops_in_a_glossary_stay_as_they_are() -> None:
    assert fill("{x} means {d}.", {"x": "{d}", "d": "a brace."}) == "{d} means a brace."
    rows = about(write([Term("C{x}", "", "the set {x} of y, etc.")], phrasings=8, honesty_share=0), "C{x}", "forward")
    assert all("C{x}" in asked and "the set {x} of y" in answer for asked, answer in rows)


def test_a_language_without_templates_is_said() -> None:
    with pytest.raises(UnknownName, match="en"):
        write(GLOSSARY, language="eo")
