"""An answer with its sources, as text and as JSON; what they do not say; and the same question without them."""

from __future__ import annotations

import json
import re
from pathlib import Path

from ask_clerk import HANDBOOK, Clerk, wellread

from wellread.indexing import index_texts
from wellread.retrieval.prompt import refusal
from wellread.retrieval.store import open_store
from wellread.types import last_words


def test_an_answer_stands_with_its_source_and_the_exact_words(clerk: Clerk, store: Path) -> None:
    done = wellread("ask", "clerk", "When does the Reading Room open in the morning?", "--store", str(store))
    assert done.returncode == 0, done.stderr
    answer, _, sources = done.stdout.partition("\nSources\n")
    assert answer.strip() == "The Reading Room opens at nine. [1]"
    assert re.match(r"\[1\] handbook\.md, .*Hours\n", sources)
    assert "“The Reading Room opens at nine in the morning and closes at dusk.”" in sources
    assert "\x1b" not in done.stdout
    assert HANDBOOK[60:80] in str(clerk.read[0])


def test_json_has_the_offsets(clerk: Clerk, store: Path) -> None:
    row = json.loads(
        wellread("ask", f"clerk+{store}", "When does the Reading Room open in the morning?", "--json").stdout
    )
    [sentence] = row["sentences"]
    [citation] = sentence["citations"]
    source = row["sources"][citation["number"] - 1]
    assert row["answer"][sentence["start"] : sentence["end"]] == clerk.says
    assert source["text"][citation["start"] - source["start"] : citation["end"] - source["start"]] == citation["words"]
    assert citation["words"].startswith("The Reading Room opens at nine")
    assert (row["refused"], row["unknown_numbers"], row["subject"]) == (False, [], f"clerk+{store}")
    assert row["score"] > 0
    text = open_store(store).document_text(citation["document"])
    assert text[citation["start"] : citation["end"]] == citation["words"]


def test_words_that_stand_overleaf_are_cited_with_their_own_page(clerk: Clerk, tmp_path: Path) -> None:
    index_texts(["library:handbook.pdf"], tmp_path / "pdf", embedder="none")
    opened = open_store(tmp_path / "pdf")
    text = opened.document_text("handbook.pdf")
    turned, overleaf = next(
        (chunk, text[chunk.overleaf[0] : chunk.end])
        for chunk in opened.search("the winter way of the board and its offices", 99)
        if len(chunk.overleaf) == 1 and ". " in text[chunk.overleaf[0] : chunk.end].strip(". ")
    )
    own = next(sentence for sentence in overleaf.split(". ")[1:] if len(sentence.split()) > 4).strip(". \n")
    clerk.says = f"{own}."
    asked = ["ask", "clerk", own, "--store", str(tmp_path / "pdf"), "--anyway"]
    [citation] = json.loads(wellread(*asked, "--json").stdout)["sentences"][0]["citations"]
    assert own in text[citation["start"] : citation["end"]]
    assert citation["page"] == (turned.page or 0) + 1
    shown = wellread(*asked).stdout
    assert f"page {citation['page']}\n    “" in shown


def test_what_the_sources_do_not_say_is_not_answered_unless_anyway(clerk: Clerk, store: Path) -> None:
    question = "Which elephants painted the ceiling of the opera?"
    done = wellread("ask", "clerk", question, "--store", str(store))
    assert done.stdout.startswith(refusal())
    assert clerk.read == []
    assert (
        json.loads(wellread("ask", "clerk", question, "--store", str(store), "--json").stdout)["refused_by"]
        == "retrieval"
    )
    near = wellread("ask", "clerk", "Who opens the opera?", "--store", str(store), "--anyway")
    assert clerk.says.removesuffix(" [1].") in near.stdout
    clerk.says = "The sources do not say."
    row = json.loads(
        wellread("ask", "clerk", "Who opens the opera?", "--store", str(store), "--anyway", "--json").stdout
    )
    assert (row["refused_by"], row["sentences"]) == ("model", [])


def test_what_is_ours_and_what_is_nowhere_is_told(clerk: Clerk, store: Path) -> None:
    clerk.says = "A card costs three crowns. Bears dance [9]."
    done = wellread("ask", "clerk", "What does a card cost in a year?", "--store", str(store))
    assert re.search(r"A card costs three crowns\. \[\d\*\]", done.stdout)
    assert "found by its words" in done.stderr
    assert "cites [9], of which there is no source" in done.stderr


def test_a_question_too_short_to_tell_is_asked_in_the_stores_language(clerk: Clerk, tmp_path: Path) -> None:
    text = "La salle de lecture ouvre à neuf heures du matin et elle ferme le soir quand les lampes sont allumées. "
    (tmp_path / "salle.md").write_text(text * 2, encoding="utf-8")
    index_texts([tmp_path / "salle.md"], tmp_path / "salle", embedder="none")
    asked = ["ask", "clerk", "--store", str(tmp_path / "salle")]
    wellread(*asked, "Lampes ?", "--anyway")
    wellread(*asked, "When are the lampes of the salle lit?", "--anyway")
    short, long = (last_words(prompt) for prompt in clerk.read)
    assert short.startswith("Réponds")
    assert long.startswith("Answer")
    assert wellread(*asked, "Éléphants ?").stdout.startswith(refusal("fr"))


def test_closed_asks_the_model_alone(clerk: Clerk, store: Path) -> None:
    done = wellread("ask", "clerk", "When?", "--store", str(store), "--mode", "closed")
    assert clerk.read == [[{"role": "user", "content": "When?"}]]
    assert "Sources" not in done.stdout
    assert wellread("ask", "clerk", "When?").stdout == done.stdout
