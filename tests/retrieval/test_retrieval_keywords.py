"""Terms: what is one word to a reader is one term, in English and in French; what asks is left out of a question."""

from __future__ import annotations

import pytest

from wellread.retrieval.keywords import language_of, language_of_all, query_terms, terms


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("Farmers", "farmer's", "en"),
        ("running", "runs", "en"),
        ("NAÏVE", "naive", "en"),
        ("l’orage", "orages", "fr"),
        ("L'ORAGE", "d'orage", "fr"),
        ("désert", "desert", "fr"),
        ("cœur", "coeur", "fr"),
        ("e\u0301te\u0301", "été", "fr"),
        ("continuellement", "continuelle", "fr"),
    ],
)  # fmt: skip
def test_forms_of_a_word_are_one_term(one: str, other: str, language: str) -> None:
    assert terms(one, language)[-1] == terms(other, language)[-1]


def test_elided_particles_are_terms_of_their_own() -> None:
    assert terms("Jusqu'à l’île qu'elle aimait, aujourd'hui", "fr") == [
        "jusqu", "a", "l", "ile", "qu", "elle", "aim", "aujourdhui",
    ]  # fmt: skip


def test_different_words_stay_apart_and_unknown_languages_unstemmed() -> None:
    assert len(set(terms("sledge sled lamp tide", "en"))) == 4
    assert terms("Hunde gehen", "de") == ["hunde", "gehen"]
    assert terms("…—!", "en") == []


def test_no_term_holds_white_space() -> None:
    assert all(len(term.split()) == 1 for term in terms("a\u00a0b c\u200bd e\u2009f ½ ﬁ ㎞ x\u0345", "en"))


def test_a_question_is_searched_by_what_it_is_about() -> None:
    assert query_terms("Who was cleaning the lamps?", "en") == ["clean", "lamp"]
    assert query_terms("Où est-ce que l'on range les voiles ?", "fr") == ["rang", "voil"]
    assert query_terms("to be or not to be", "en") == ["to", "be", "or", "not", "to", "be"]


def test_the_language_is_told_by_function_words() -> None:
    assert language_of("What did the farmer say to his youngest son?") == "en"
    assert language_of("Qu'est-ce que le fermier a dit à son plus jeune fils ?") == "fr"
    assert language_of("Assipattle", "fr") == "fr"
    assert language_of("Assipattle") == ""
    assert terms("Que disent les fermiers à la mer ?") == terms("Que disent les fermiers à la mer ?", "fr")
    french = "Il y avait une fois un roi et une reine qui étaient si fâchés de n'avoir pas d'enfants."
    assert language_of_all(["It was the best of times.", french, "Assipattle " * 9]) == "fr"
    assert language_of_all([]) == ""
