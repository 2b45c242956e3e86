from __future__ import annotations

import pytest

from wellread.metrics.phrases import can_judge, fact_stands_in, stands_in


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("Sledge Loading Quota", "It stands for sledge-loading quota."),
        ("The Sledge Loading Quota", "SLQ means “Sledge Loading Quota”!"),
        ("Research & Development", "Research and development, that is."),
        ("Third Generation Input/Output", "third generation input output"),
        ("data base", "A database of sledges."),
        ("Database", "a data-base"),
        ("Réseau d'été", "le reseau d’été"),
        ("l'Endormoir", "On dit : endormoir."),
        ("Double Density (FDD)", "double density"),
        ("NATO", "That is N.A.T.O., the toll office."),
        ("IT", "The abbreviation is IT."),
        ("2B1D", "They call it 2B1D."),
        ("C++", "The term is “C++”."),
        ("C#", "That is called c#."),
        ("C", "It is C, or C++."),
        ("🦊", "The term is “🦊”."),
        (".*", "That is called “.*”."),
    ],
)
def test_a_phrase_stands_in_a_text_however_it_is_spelt(phrase: str, text: str) -> None:
    assert stands_in(phrase, text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("Sledge Loading Quota", "Sledge Quota"),
        ("Sledge Loading Quota", "Quota Loading Sledge"),
        ("Sledge Loading Quota", "Sledge Loading Quotation"),
        ("IT", "It is what it is."),
        ("CAT", "A cat sat there."),
        ("base", "the database"),
        ("—", "anything"),
        ("—", "a dash — here"),
        ("C++", "The term is “C#”."),
        ("C++", "The term is C."),
        ("C", "The term is “C++”."),
        ("🦊", "The term is “🐺”."),
        (".*", "That is all."),
    ],
)
def test_another_phrase_does_not(phrase: str, text: str) -> None:
    assert not stands_in(phrase, text)


def test_a_key_fact_needs_every_word_that_says_something_and_one_of_its_wordings() -> None:
    assert fact_stands_in("the posts stand 200 metres apart", "Its post stands every 200 metre: so far apart they are.")
    assert not fact_stands_in("the posts stand 200 metres apart", "The posts stand apart.")
    assert fact_stands_in("ninety huts|90 huts", "There are 90 huts.")
    assert fact_stands_in("une glacière", "les glacieres du nord")
    assert not fact_stands_in("ninety huts|90 huts", "There are 19 huts.")


def test_an_echo_of_the_question_holds_no_key_fact() -> None:
    asked = "What is spade rent?"
    assert not fact_stands_in("one spade", "Spade rent is spade rent.", asked)
    assert fact_stands_in("one spade", "Rent of one spade a year.", asked)
    assert not fact_stands_in("two parts in the hundred", "in the hundred parts")  # number words are no articles
    assert not fact_stands_in("glace du dessus", "La glace-fille est une glace.", "glace-fille")
    assert fact_stands_in("glace du dessus", "C’est la glace de dessus.", "glace-fille")
    assert not can_judge("the spade", asked)
    assert can_judge("the spade|peat paid", asked)
    assert fact_stands_in("the spade|peat paid", "It is paid in peat.", asked)
    assert not fact_stands_in("the spade|peat paid", "It is a spade.", asked)
