"""Replies to gold questions: text, citations, refusals and cost; kept, tabled and shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from fight_fakes import CELLAR, LAMP, Says

from wellread.fight.gold_asking import (
    COLUMNS,
    as_answers,
    below,
    declines,
    read_replies,
    replies,
    write_replies,
    write_replies_table,
)
from wellread.recipe import load_recipe
from wellread.recipe.questions import Answering
from wellread.reports.fight import DECLINES, WITHHELD, _told
from wellread.storage import write_json, write_rows
from wellread.types import GoldPassage, GoldQuestion, Reply, Sample, Sampling, Scored

QUESTION = GoldQuestion("q1", "How much oil?", ("14 litres",), (GoldPassage(LAMP.text),))


def test_replies_tell_text_citations_refusals_and_cost() -> None:
    model = Says("14 litres [1]. \n\nand more", "The sources do not say.", "", sources=((LAMP, CELLAR), (CELLAR,), ()))
    questions = [QUESTION, replace(QUESTION, id="q2"), replace(QUESTION, id="q3", answers=(), passages=())]
    one, two, three = replies(model, questions, Answering(max_tokens=9))
    assert (one.text, one.cited, one.refused, one.cut) == ("14 litres.", (LAMP,), False, False)
    assert one.sources == (LAMP, CELLAR)
    assert one.score == 0.9
    assert one.read > len(LAMP.text.split())
    assert (two.refused, three.refused) == (True, True)
    assert three.sources == ()
    assert [each.id for each in (answer.question for answer in as_answers([one, two, three]))] == ["q1", "q2"]


def test_tokens_that_a_server_counted_are_taken_as_it_counted_them() -> None:
    class Served:
        name = tokenizer_name = "served"
        window = 99

        def count(self, prompt: Any) -> int:
            return 7

        def generate(self, prompts: Sequence[Any], sampling: Sampling) -> list[Sample]:
            return [Sample("", "oil", sampling, 0, tokens_read=120, tokens_written=3) for _ in prompts]

        def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
            raise NotImplementedError

    [reply] = replies(Served(), [GoldQuestion("1", "What burns?", ("oil",))], Answering(max_tokens=5))
    assert (reply.read, reply.written) == (120, 3)


def test_prompts_are_asked_in_groups_where_that_is_wanted() -> None:
    model = Says("a", "b", "c")
    questions = [replace(QUESTION, id=f"q{number}") for number in range(3)]
    found = replies(
        model, questions, Answering(), prompts=[[{"role": "user", "content": each.id}] for each in questions], at_once=2
    )
    assert [each.text for each in found] == ["a", "b", "c"]
    assert model.heard[1] == [{"role": "user", "content": "q1"}]
    assert found[0].sources is None


@pytest.mark.parametrize(
    ("text", "no"),
    [
        ("The sources do not say.", True),
        ("Les sources ne le disent pas.", True),
        ("I do not know.", True),
        ("  ", True),
        ("14 litres", False),
        ("The keeper does not sleep.", False),
    ],
)
def test_what_declines(text: str, no: bool) -> None:
    assert declines(text) is no


def test_replies_are_kept_and_tabled(tmp_path: Path) -> None:
    found = [Reply(QUESTION, "=14 litres", sources=(LAMP,), cited=(LAMP,), score=0.5, seconds=0.25, read=7, written=3)]
    write_replies(tmp_path / "a.jsonl", found)
    assert read_replies(tmp_path / "a.jsonl", [QUESTION]) == found
    assert [each.refused for each in below(found, [True])] == [True]
    write_replies_table(tmp_path / "answers.csv", {"one": found, "two": below(found, [True])})
    raw = (tmp_path / "answers.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(raw, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["subject"], row["refused"], row["exact"], row["tokens"]) for row in rows] == [
        ("one", "no", "yes", "10"), ("two", "yes", "no", "10")
    ]  # fmt: skip
    assert rows[0]["answer"] == "'=14 litres"
    assert rows[0]["cited"] == "keeper.md, 1 Lamps"


def test_the_page_says_which_answers_were_withheld(tmp_path: Path) -> None:
    gold = [GoldQuestion("1", "How much?", ("14 litres",)), GoldQuestion("2", "Who rings?", ("nobody",))]
    write_rows(tmp_path / "questions" / "gold.jsonl", map(asdict, gold))
    write_json(tmp_path / "refusal.json", {"refused": [True, False], "rating": None})
    alone = [Reply(gold[0], "a lot"), Reply(gold[1], "I do not know", refused=True)]
    write_replies(tmp_path / "answers" / "base.jsonl", alone)
    write_replies(tmp_path / "answers" / "base+retrieval.jsonl", [replace(each, sources=(LAMP,)) for each in alone])
    told = _told(tmp_path, load_recipe("handbook", ()))
    assert [[why for _, _, why in each.said] for each in told] == [["", WITHHELD], [DECLINES, DECLINES]]
