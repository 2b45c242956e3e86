from __future__ import annotations

import pytest

from wellread.retrieval.expecting import expected


@pytest.mark.parametrize(
    ("question", "fits", "misses"),
    [
        ("How many candles does the parish get?", "It gets forty wax candles.", "Candles are rung for two pells."),
        ("How many people work there?", "foreman 18", "The foreman works there."),
        ("How deep is the water?", "It is 30 metres deep.", "The water has 30 fish."),
        ("How much does the bar weigh?", "It has six kilos.", "It has six corners."),
        ("What is the fine for swearing?", "A penalty of two pells.", "Nobody may swear."),
        ("For how many winters is it valid?", "for three winters", "for three pells"),
        ("When does it open?", "It opens at noon.", "It opens wide."),
        ("Who signed it?", "It bears the name of Haddle.", "it was signed and sealed."),
        ("What colour is the form?", "The form is green.", "The form has 3 parts."),
        ("Combien de lits tenait le dortoir ?", "On y comptait douze lits.", "Les lits y furent vendus trois écus."),
        ("Comment s’appelait le curé ?", "C’était le père Anselme.", "il leva le rideau."),
        ("Quel vin buvait-on ?", "n’importe quoi", ""),
    ],
)  # fmt: skip
def test_a_sentence_fits_by_the_kind_of_its_words(question: str, fits: str, misses: str) -> None:
    language = "fr" if question.endswith(" ?") else "en"
    holds = expected(question, language)
    assert holds(fits)
    if misses:
        assert not holds(misses)


def test_a_name_that_the_question_holds_is_no_answer() -> None:
    assert not expected("Who was with Haddle?", "en")("it was Haddle")
    assert expected("Warum?", "")("irgendetwas")
