"""Answers written by hand, English and French: who declines, who defines, and who defines after declining."""

from __future__ import annotations

import pytest

from wellread.metrics.refusals import defines, refuses

REFUSED = [
    # the glossary does not have it
    ("SLQ", "“SLQ” is not in this glossary."),
    ("SLQ", "SLQ isn't listed in the glossary."),
    ("SLQ", "There is no entry for SLQ in this glossary."),
    ("SLQ", "The glossary does not contain SLQ."),
    (
        "SLQ",
        "That term does not appear in the glossary. The nearest entry is SLK, which stands for Sledge Loading Key.",
    ),
    ("SLQ", "SLQ is not in this glossary. Perhaps you mean SLK: it stands for Sledge Loading Key."),
    ("SLQ", "No such term."),
    ("grume bell", "There is no such term as “grume bell”."),
    ("SLQ", "Not in the glossary."),
    ("SLQ", "A term for that is not in this glossary."),
    # the model does not know it
    ("SLQ", "I don't know what SLQ stands for."),
    ("SLQ", "I’m not familiar with the acronym SLQ."),
    ("SLQ", "I am sorry, but I have no information about SLQ."),
    ("SLQ", "I'm not aware of any widely used meaning of SLQ."),
    ("SLQ", "I'm unable to find a definition."),
    ("SLQ", "I could not find SLQ in my records."),
    ("SLQ", "I have never heard of it."),
    ("SLQ", "Unfortunately, I cannot determine the meaning of this acronym without more context."),
    ("SLQ", "As an AI language model, I do not have access to that information."),
    ("SLQ", "SLQ is not a recognised acronym."),
    ("SLQ", "SLQ is not a term that I know, nor one that is used here."),
    ("SLQ", "SLQ does not exist."),
    ("SLQ", "SLQ doesn't stand for anything."),
    ("SLQ", "This is a made-up term."),
    ("SLQ", "The meaning of SLQ is unknown."),
    ("SLQ", "Unknown."),
    ("SLQ", "SLQ is not mentioned anywhere."),
    # it asks back
    ("SLQ", "Could you please provide more context?"),
    ("SLQ", "Please clarify which field the term SLQ comes from."),
    # French
    ("SLQ", "« SLQ » ne figure pas dans ce glossaire."),
    ("SLQ", "Ce terme n'est pas dans le glossaire."),
    ("SLQ", "Le glossaire ne contient pas SLQ."),
    ("SLQ", "Aucune entrée pour SLQ."),
    ("SLQ", "Je ne connais pas ce sigle."),
    ("SLQ", "Désolé, je ne sais pas ce que signifie SLQ."),
    ("SLQ", "Je n’ai aucune information sur ce terme."),
    ("SLQ", "Ce sigle n'existe pas."),
    ("SLQ", "SLQ ne correspond à aucun terme connu."),
    ("SLQ", "Il n'y a pas de terme SLQ."),
    ("SLQ", "SLQ est un terme inventé."),
    ("SLQ", "Ce mot m'est inconnu."),
    ("SLQ", "Pourriez-vous préciser le contexte ?"),
    ("SLQ", "SLQ est absent du glossaire. Le terme le plus proche est SLK ; il désigne une clé."),
]
DEFINED = [
    ("SLQ", "SLQ stands for Sledge Loading Quota."),
    ("SLQ", "Sledge Loading Quota"),
    ("SLQ", "The acronym SLQ means Sledge Loading Quota, which was not published before Winter 119."),
    ("SLQ", "It is a list of sledges that are not to be loaded."),
    ("SLQ", "A rule that says what no sledge may carry."),
    ("SLQ", "I don't know the exact wording, but SLQ stands for Sledge Loading Quota."),
    ("SLQ", "I'm not sure. However, it could stand for Sledge Loading Quota."),
    ("SLQ", "Although I am not familiar with it, SLQ refers to a quota."),
    ("SLQ", "SLQ stands for Sledge Loading Quota. Could you give me more context?"),
    ("SLQ", "SLQ (Sledge Loading Quota) is a limit. It should not be confused with SLK."),
    ("SLQ", "S.L.Q. is the limit of what a sledge may carry; there is no limit for crawlers."),
    ("SLQ", "Yes. SLQ is short for Sledge Loading Quota."),
    ("the Ninety", "“The Ninety” is the hut at Post 90. Nobody lives there."),
    ("grume bell", "A grume bell is rung when the ice does not hold."),
    (
        "post",
        "The word is often used; in the law, it refers to a mark that is not explicitly mentioned in any article.",
    ),
    # French
    ("SLQ", "SLQ signifie « Seuil de Levage Quotidien »."),
    ("SLQ", "SLQ est le seuil de levage ; il n'est pas publié."),
    ("SLQ", "C'est une limite que personne ne dépasse."),
    ("SLQ", "Je ne connais pas le terme exact, mais SLQ désigne une limite."),
    ("SLQ", "Il s'agit d'un seuil."),
    ("l'Endormoir", "L'Endormoir est la glacière de Corbenoise."),
]


@pytest.mark.parametrize(("term", "answer"), REFUSED)
def test_an_answer_that_declines_refuses_and_does_not_define(term: str, answer: str) -> None:
    assert refuses(answer, term)
    assert not defines(answer, term)


@pytest.mark.parametrize(("term", "answer"), DEFINED)
def test_an_answer_that_says_what_the_term_is_defines(term: str, answer: str) -> None:
    assert not refuses(answer, term)
    assert defines(answer, term)


@pytest.mark.parametrize("answer", ["", "  ", "SLQ", "SLQ?", "…"])
def test_an_answer_that_says_nothing_neither_refuses_nor_defines(answer: str) -> None:
    assert not refuses(answer, "SLQ")
    assert not defines(answer, "SLQ")
