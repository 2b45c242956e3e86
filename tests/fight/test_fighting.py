"""The fair fight: lessons without and with passages in view, replies, the verdict, and a whole run on the tiny model."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from handbook import write_handbook
from typer.testing import CliRunner

from wellread import pipeline
from wellread.asking import no_key
from wellread.cli import app
from wellread.corpus.reading import load
from wellread.errors import CorpusError, RecipeError, UsageError
from wellread.fight import fighting, sides
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
from wellread.fight.lessons import chats_of, closed_chats, lesson_corpus, open_chats, spread, write_chats, written_items
from wellread.fight.weighing import measured_sides, refused_of, search_alone, untried
from wellread.gathering import SILENT, Watch
from wellread.metrics.citations import holds
from wellread.recipe import Recipe, load_recipe, parse_recipe
from wellread.recipe.questions import Answering, Fight
from wellread.recipe.requirements import outcomes
from wellread.reports import verdict_of
from wellread.reports.fair import Sides, fair_verdict, order_verdict
from wellread.reports.fight import DECLINES, WITHHELD, _told, sides_of
from wellread.retrieval.chunking import Chunking
from wellread.retrieval.prompt import refusal
from wellread.retrieval.refusing import REFUSAL
from wellread.runs import Run
from wellread.storage import read_json, read_rows, write_json, write_rows
from wellread.synthesis.documents import Item
from wellread.testing import tiny_model
from wellread.texts import library_text
from wellread.types import Chunk, GoldPassage, GoldQuestion, Measurement, Reply, Sample, Sampling, Scored, last_words

LAMP = Chunk("h", 0, 30, "The great lamp burns 14 litres of oil a night.", "keeper.md", "1 Lamps", score=0.9)
CELLAR = Chunk("h", 50, 80, "The cellar holds 60 barrels of oil.", "keeper.md", "2 Stores", score=0.5)
BELL = Chunk("h", 90, 99, "The bell is rung by the youngest keeper.", "keeper.md", "4 Visitors", score=0.1)


class Shelf:
    """Finds what it is told to, in that order, whatever is asked; for its own words, a chunk that has them."""

    name = "shelf"

    def __init__(self, *chunks: Chunk) -> None:
        self._chunks = chunks

    def retrieve(self, query: str, k: int) -> list[Chunk]:
        own = [chunk for chunk in (LAMP, CELLAR, BELL) if holds(chunk, GoldPassage(query))]
        return [*own, *self._chunks][:k] if own else list(self._chunks[:k])


class Says:
    """Says what it is told to; counts words."""

    name, tokenizer_name = "says", "words"

    def __init__(self, *said: str, sources: Sequence[tuple[Chunk, ...]] = ()) -> None:
        self._said, self._sources, self.heard = said, sources, list[Any]()

    def count(self, prompt: Any) -> int:
        return len((prompt if isinstance(prompt, str) else prompt[-1]["content"]).split())

    def generate(self, prompts: Sequence[Any], sampling: Sampling) -> list[Sample]:
        start = len(self.heard)
        self.heard += prompts
        return [
            Sample("", self._said[n], sampling, 0, sources=self._sources[n] if self._sources else ())
            for n in range(start, start + len(prompts))
        ]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[Scored]:
        raise NotImplementedError


def item(number: int, task: str = "number", quote: str = LAMP.text, short: bool = True) -> Item:
    return Item(task, f"Question {number}?", "14 litres.", "h", "keeper.md", "1 Lamps", quote, short)


def lessons(items: Sequence[Item], shelf: Shelf, **given: Any) -> list[Any]:
    settings = Fight(**{"passages": 2, "without": 0.0, **given})
    return open_chats(items, shelf, settings, count=lambda text: len(text.split()), budget=400, tongue="en", seed=0)


def test_the_passage_that_answers_is_in_view_and_cited_by_its_number() -> None:
    [chat] = lessons([item(1)], Shelf(CELLAR, LAMP))
    asked, answered = chat.metadata["messages"]
    assert asked["content"].index(CELLAR.text) < asked["content"].index(LAMP.text)
    assert asked["content"].rstrip().endswith("Question 1?")
    assert answered["content"] == "14 litres [2]."


def test_a_passage_that_was_not_found_takes_a_place_of_its_own() -> None:
    [chat] = lessons([item(1)], Shelf(CELLAR, BELL))
    asked, answered = (message["content"] for message in chat.metadata["messages"])
    assert LAMP.text in asked
    assert (CELLAR.text in asked) != (BELL.text in asked) or CELLAR.text in asked
    assert answered in ("14 litres [1].", "14 litres [2].")


def test_without_the_passage_the_answer_is_the_refusal() -> None:
    several = lessons([item(number) for number in range(40)], Shelf(LAMP, CELLAR, BELL), without=0.5)
    refusing = [chat for chat in several if chat.metadata["messages"][1]["content"] == refusal("en")]
    assert 10 < len(refusing) < 30
    assert all(LAMP.text not in chat.metadata["messages"][0]["content"] for chat in refusing)
    assert {chat.metadata["task"] for chat in refusing} == {"number-without"}
    assert not [
        chat for chat in lessons([item(1)] * 9, Shelf(LAMP)) if "not say" in chat.metadata["messages"][1]["content"]
    ]


def test_rows_are_bounded_and_spread_over_tasks() -> None:
    items = [*(item(number) for number in range(20)), item(30, "cell"), item(31, "row", short=False)]
    assert len(lessons(items, Shelf(LAMP), rows=7)) == 7
    assert {each.task for each in spread(items, 3, seed=0)} == {"number", "cell", "row"}
    quotes = [item(number, quote=f"quote {number % 4}") for number in range(12)]
    assert {each.quote for each in spread(quotes, 4, seed=1)} == {f"quote {number}" for number in range(4)}


def test_chats_are_kept_and_watched_apart_by_what_they_were_made_of(tmp_path: Path) -> None:
    chats = closed_chats([item(number, quote=f"quote {number % 5}") for number in range(20)])
    assert chats[0].metadata["messages"][1] == {"role": "assistant", "content": "14 litres."}
    write_chats(tmp_path / "closed.jsonl", chats)
    assert chats_of(tmp_path / "closed.jsonl") == chats
    corpus = lesson_corpus(chats, 0.2, seed=0)
    quotes = [{chat.metadata["quote"] for chat in corpus.part(part)} for part in ("train", "validation")]
    assert (len(quotes[0]), len(quotes[1])) == (4, 1)
    with pytest.raises(CorpusError, match="too few"):
        lesson_corpus(chats[:1], 0.2, seed=0)


def test_items_are_written_once_and_never_a_gold_question(tmp_path: Path) -> None:
    text, _ = write_handbook(tmp_path)
    documents, _ = load([text], strict=True)
    gold = [GoldQuestion("g", "What is the price of tallow?")]
    made = written_items(documents, gold, Fight(phrasings=9), tmp_path / "synthesis", seed=0)
    told = read_json(tmp_path / "synthesis" / "synthesis.json")
    assert told["near_gold_questions"]
    assert not set(told["near_gold_questions"]) & {each.question for each in made}
    assert written_items([], gold, Fight(), tmp_path / "synthesis", seed=0) == made
    with pytest.raises(CorpusError, match="writer"):
        written_items(documents, gold, Fight(writer="nobody"), tmp_path / "other", seed=0)


def test_the_verb_turns_documents_into_examples_that_training_reads(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    words = [
        "synthesise",
        str(text),
        "--documents",
        "--questions",
        str(questions),
        "--out",
        str(tmp_path / "out"),
        "--phrasings",
        "2",
    ]
    dry = CliRunner().invoke(app, [*words, "--dry-run", "--json", "--writer", "http://localhost:9/v1#m"])
    assert json.loads(dry.stdout)["calls"] == 4
    assert not (tmp_path / "out").exists()
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.splitlines()[-1])
    documents, _ = load([tmp_path / "out" / "examples.jsonl"], strict=True)
    assert told["examples"] == len(documents) > 20
    assert all(document.metadata["messages"][1]["role"] == "assistant" for document in documents)


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


SIDES = Sides("b", "b+retrieval", "tuned", "both", "b+text")


def f1(
    subject: str, value: float | None, low: float | None = None, high: float | None = None, note: str = ""
) -> Measurement:
    return Measurement("answer_f1", value, "F1", subject, "held_out", 100, low, high, "higher", note)


def test_the_verdict_says_who_wins_by_how_much_and_what_tuning_adds() -> None:
    rows = [
        f1("b", 0.1), f1("b+retrieval", 0.5), f1("tuned", 0.19), f1("both", 0.51), f1("b+text", None, note="it takes 9,000 tokens"),
        f1("tuned - b+retrieval", -0.31, -0.39, -0.23), f1("both - b+retrieval", 0.01, -0.04, 0.06), f1("tuned - b", 0.09, 0.05, 0.13),
        Measurement("refusal_rate", 0.85, "share", "b+retrieval"), Measurement("wrong_refusal_rate", 0.08, "share", "b+retrieval"),
    ]  # fmt: skip
    told = fair_verdict(rows, SIDES)
    assert "Retrieval wins by 0.31 ± 0.08" in told
    assert "Tuning adds nothing to it here that could be shown (+0.01 ± 0.05, to 0.51)." in told
    assert "Tuning alone gains 0.09 ± 0.04 over the untouched base." in told
    assert "The base was not asked with all of the text in view: it takes 9,000 tokens." in told
    refusing = "refuses 85.0 % of the questions that the text does not answer, and wrongly 8.0 % of those that it does"
    assert f"Base with retrieval {refusing}." in told
    rows += [replace(row, subject="both") for row in rows if "refusal" in row.name]
    assert f"Base with retrieval {refusing}; tuned, with retrieval, {refusing}." in fair_verdict(rows, SIDES)
    few = "not tried: 5 unanswered questions, 10 needed"
    rows = [replace(row, value=None, note=few) if "refusal" in row.name else row for row in rows]
    assert fair_verdict(rows, SIDES).endswith(f"When to refuse was {few}.")


def test_the_verdict_claims_nothing_that_an_interval_does_not_carry() -> None:
    rows = [f1("b+retrieval", 0.3), f1("tuned", 0.29), f1("both", 0.5), f1("b+retrieval - tuned", 0.01, -0.1, 0.12),
            f1("both - b+retrieval", 0.2, 0.1, 0.3), f1("tuned - b", -0.01, -0.1, 0.08)]  # fmt: skip
    told = fair_verdict(rows, SIDES)
    assert "Neither retrieval nor tuning wins" in told
    assert "Tuning with passages in view adds 0.20 ± 0.10 to it, to 0.50." in told
    assert "not surely better than the untouched base" in told


def test_any_subjects_are_put_in_order() -> None:
    rows = [f1("a", 0.2), f1("b", 0.6), f1("c", 0.55), f1("b - a", 0.4, 0.3, 0.5), f1("c - b", -0.05, -0.2, 0.1)]
    told = order_verdict(rows, ["a", "b", "c"])
    assert told == "b answers best, with an F1 of 0.60: it beats a by 0.40 ± 0.10; no clear difference to c."
    assert order_verdict(rows[:1], ["a"]) == "a answers with an F1 of 0.20."


RECIPE = """
name: small
base: {base}
corpus: {{texts: [{text}], validation: 0.1}}
questions: [{questions}]
fight: {{embedder: none, size: 60, rows: 8, phrasings: 1, passages: 2, whole: true}}
answers: {{max_tokens: 6}}
stages:
  - name: tuned
    method: {{kind: full}}
    examples: {{}}
    windows: {{length: 512}}
    budget: {{steps: 2}}
    optimizer: {{batch: 2}}
    evaluations: 1
    validation_windows: 2
  - name: tuned-with-retrieval
    start: base
    method: {{kind: full}}
    examples: {{passages: true}}
    windows: {{length: 1024}}
    budget: {{steps: 2}}
    optimizer: {{batch: 1}}
    evaluations: 1
    validation_windows: 2
measure: {{metrics: [answer_exact, answer_f1, citation_precision, citation_recall, refusal_rate, wrong_refusal_rate,
  seconds_per_answer, tokens_per_answer]}}
require: [answer_f1 >= 0]
"""


def small(tmp_path: Path, *settings: str) -> Recipe:
    text, questions = write_handbook(tmp_path)
    base = tiny_model(tmp_path / "base", [text.read_text(encoding="utf-8")], vocabulary=600, positions=1100)
    return parse_recipe(RECIPE.format(base=base, text=text, questions=questions), settings)


def test_what_preparing_took_is_that_of_all_tries_until_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 40.0, 100.0, 125.0, 200.0, 300.0])
    monkeypatch.setattr(sides, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    these: Any = SimpleNamespace(run=Run(tmp_path))

    def stopped() -> None:
        raise KeyboardInterrupt

    def kept() -> dict[str, Any]:
        return dict(json.loads((tmp_path / "preparation.json").read_text(encoding="utf-8"))["write"])

    with pytest.raises(KeyboardInterrupt):
        sides.timed(these, "write", stopped)
    assert (kept()["seconds"], kept()["done"]) == (40, False)
    assert sides.timed(these, "write", lambda: "items") == "items"
    assert (kept()["seconds"], kept()["done"]) == (65, True)
    sides.timed(these, "write", lambda: "passed over")
    assert kept()["seconds"] == 65
    (tmp_path / "preparation.json").write_text('{"write": {"seconds": 9, "bytes": 8}}', encoding="utf-8")
    sides.timed(these, "write", lambda: "passed over")  # kept by an earlier version, which kept what was done alone
    assert kept() == {"seconds": 9, "bytes": 8}


def test_what_stands_in_a_folder_and_is_no_text_is_passed_over_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    text, questions = write_handbook(folder)  # with the questions among the texts
    (folder / "prices.xlsx").write_bytes(b"PK\3\4")
    recipe = parse_recipe(RECIPE.format(base="embedded", text=folder, questions=questions))
    said: list[str] = []
    watch = Watch(say=said.append)
    shared = sides.begin(Run(tmp_path / "run"), recipe, [folder], offline=True, watch=watch)
    assert {each.source for each in shared.documents} == {text.as_posix()}
    told = " ".join(line for line in said if line.startswith("skipped"))
    assert "gold.jsonl" in told
    assert "prices.xlsx" in told
    said.clear()
    sides.begin(Run(tmp_path / "run"), recipe, [folder], offline=True, watch=watch)
    assert said == []  # told once
    with pytest.raises(CorpusError, match=r"gold\.jsonl"):
        sides.begin(Run(tmp_path / "strict"), recipe, [folder], offline=True, watch=watch, strict=True)
    assert not (tmp_path / "strict").exists()


def test_of_a_pdf_its_sentences_are_taught_and_not_its_page_numbers() -> None:
    [text] = [each.text for each in sides.sections_of([library_text("handbook.pdf")])]
    assert "nobody has yet found the occasion to explain this to her." in text
    assert not re.search(r"^\s*\d+\s*$|\f", text, re.MULTILINE)


def test_settings_of_a_fight_show(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    asked = [{"id": f"a{n}", "question": f"Who rings bell {n}?", "answers": ["the keeper"]} for n in range(12)]
    asked += [{"id": f"u{n}", "question": f"Which opera was painted {n}?"} for n in range(12)]
    questions.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")

    def begun(*settings: str) -> tuple[sides.Fought, Any]:
        recipe = parse_recipe(RECIPE.format(base="embedded", text=text, questions=questions), settings)
        run = Run(tmp_path / f"run {len(list(tmp_path.iterdir()))}")
        shared = sides.begin(run, recipe, [text], offline=True, watch=SILENT)
        return shared, fighting._store(shared, [text])

    usual, store = begun()
    assert (store.about.chunking, store.embedder_name) == (Chunking("paragraphs", 60), "none")
    assert (usual.tongue, sides_of(usual.recipe).whole) == ("en", "embedded+text")
    assert len(refused_of(usual, store)) == 24
    other, cut = begun(
        "fight.chunker=headings", "fight.size=44", "fight.language=fr", "fight.threshold=false", "fight.whole=false"
    )
    assert cut.about.chunking == Chunking("headings", 44)
    assert refused_of(other, cut) == []
    assert not (other.run.path / "store" / REFUSAL).exists()
    assert sides_of(other.recipe).whole == ""
    for shared, found, begins in ((usual, store, "Answer the question"), (other, cut, "Réponds à la question")):
        model = Says(*["oil"] * 24)
        fighting._with_passages(shared, model, found)
        assert {last_words(prompt).startswith(begins) for prompt in model.heard} == {True}


def test_too_few_questions_of_a_kind_to_learn_refusing_from_are_told_and_refusals_not_measured(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    asked = [{"id": f"a{n}", "question": f"Who rings bell {n}?", "answers": ["the keeper"]} for n in range(12)]
    asked += [{"id": f"u{n}", "question": f"Which opera was painted {n}?"} for n in range(5)]
    questions.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    settings = ["require=[refusal_rate >= 0.8]", "measure.metrics=[refusal_rate,wrong_refusal_rate,answer_f1]"]
    given = RECIPE.format(base="embedded", text=text, questions=questions)
    recipe = parse_recipe(given, settings)
    shared = sides.begin(Run(tmp_path / "run"), recipe, [text], offline=True, watch=SILENT)
    few = "not tried: 5 unanswered questions, 10 needed"
    assert untried(shared) == few
    store = fighting._store(shared, [text])
    assert refused_of(shared, store) == []
    plain = [Reply(each, "oil") for each in shared.gold]
    said = {"embedded": plain, "tuned-with-retrieval": [replace(each, sources=()) for each in plain]}
    rows = [*measured_sides(shared, said, no_key), *search_alone(shared, store)]
    notes = {(row.name, row.subject): row.note for row in rows if row.value is None}
    assert notes["refusal_rate", "tuned-with-retrieval"] == notes["wrong_refusal_rate", "tuned-with-retrieval"] == few
    assert notes["refusal_auc", "retrieval"] == few
    assert ("refusal_rate", "embedded") not in notes  # who retrieves nothing is not let refuse either
    [outcome] = outcomes(recipe.require, rows, trained="tuned-with-retrieval", before="embedded")
    assert str(outcome) == f"refusal_rate >= 0.8: not measured, {few}"
    off = sides.begin(Run(tmp_path / "off"), parse_recipe(given, [*settings, "fight.threshold=false"]), [text],
                      offline=True, watch=SILENT)  # fmt: skip
    assert untried(off) == ""


def test_a_text_that_fits_no_window_is_not_asked_and_the_sizes_are_told(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    text = tmp_path / "long.md"
    text.write_text("# Oil\n" + "The great lamp burns 14 litres of oil a night.\n" * 400, encoding="utf-8")
    said: list[str] = []
    heard: list[Any] = []
    watch = Watch(say=said.append, progress=heard.append)
    shared = sides.begin(Run(tmp_path / "run"), recipe, [text], offline=True, watch=watch)
    fighting._untaught(shared, Shelf(LAMP))
    assert [line.split()[1] for line in said if line.startswith("asking")] == ["base", "base+retrieval"]
    assert {now.doing for now in heard} == {"writing"}  # asking shows how far it is
    [told] = [line for line in said if line.startswith("base+text")]
    assert re.fullmatch(
        r"base\+text is not asked: the whole text does not fit the model's window \([\d,]+ tokens of 1,100\)", told
    )
    assert fighting._untaught(shared, Shelf(LAMP)).keys() == {recipe.base, f"{recipe.base}+retrieval"}


def test_a_run_of_which_no_stage_has_begun_gives_way_to_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    text, questions = write_handbook(folder)
    (folder / "empty.md").touch()
    recipe = parse_recipe(RECIPE.format(base="embedded", text=folder, questions=questions))
    out = tmp_path / "run"

    def stops(this: Run, recipe: Recipe, paths: Sequence[Path], **given: Any) -> list[Measurement]:
        sides.begin(this, recipe, paths, offline=True, watch=given["watch"])
        raise KeyboardInterrupt

    said: list[str] = []

    def begun() -> list[str]:
        said.clear()
        with pytest.raises(KeyboardInterrupt):
            pipeline.run(recipe, out=out, watch=Watch(say=said.append))
        return said

    monkeypatch.setattr(pipeline, "fight", stops)
    assert any("skipped" in line and "empty.md: the file is empty" in line for line in begun())
    assert any("going on with" in line for line in begun())
    (folder / "empty.md").unlink()
    assert any("it begins anew" in line for line in begun())
    (out / "answers").mkdir()
    questions.write_text(questions.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    text.write_text("# Another\nText.", encoding="utf-8")
    with pytest.raises(UsageError, match="holds a run of other texts or settings"):
        pipeline.run(recipe, out=out)
    assert (out / "corpus").is_dir()


def test_a_fight_over_what_cannot_be_read_leaves_no_run(tmp_path: Path) -> None:
    text, questions = write_handbook(tmp_path)
    recipe = parse_recipe(RECIPE.format(base="embedded", text=text, questions=questions))
    questions.write_text('{"question": 3}', encoding="utf-8")
    with pytest.raises(CorpusError, match="`question` is missing"):
        pipeline.run(recipe, out=tmp_path / "run")
    text.write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match="question"):
        pipeline.run(recipe, out=tmp_path / "run")
    write_handbook(tmp_path)
    text.write_text("", encoding="utf-8")
    with pytest.raises(CorpusError, match="the file is empty"):
        pipeline.run(recipe, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_fight_needs_its_sides() -> None:
    given = RECIPE.format(base="embedded", text="a.md", questions="q.jsonl")
    with pytest.raises(RecipeError, match="gold questions"):
        parse_recipe(given, ["questions=[]"])
    with pytest.raises(RecipeError, match="is for a recipe with `fight`"):
        parse_recipe(given, ["fight=null", "measure.metrics=[]", "require=[]"])
    with pytest.raises(RecipeError, match="stage tuned wants a `base`, `examples`"):
        parse_recipe(given, ["tuned.examples=null"])


@pytest.mark.slow
def test_a_whole_fight_runs_tells_and_resumes(tmp_path: Path) -> None:
    recipe = small(tmp_path)
    out = tmp_path / "run"
    this = pipeline.run(recipe, out=out)
    rows = read_rows(this.measurements)
    base = recipe.base
    subjects = {row["subject"] for row in rows if row["name"] == "answer_f1" and " - " not in row["subject"]}
    assert subjects == {base, f"{base}+retrieval", f"{base}+text", "tuned", "tuned-with-retrieval"}
    whole = next(row for row in rows if row["subject"] == f"{base}+text" and row["name"] == "answer_f1")
    found = {(row["name"], row["subject"]): row for row in rows}
    assert found["retrieval_recall@5", "retrieval"]["value"] > 0.5
    assert found["citation_precision", base]["value"] is None
    assert found["tokens_per_answer", f"{base}+retrieval"]["value"] > found["tokens_per_answer", base]["value"] + 50
    assert found["preparation_seconds", "tuned"]["value"] > 0
    sources = {path.stem: [row["sources"] for row in read_rows(path)] for path in (out / "answers").glob("*.jsonl")}
    assert all(sources["tuned-with-retrieval"])
    assert all(sources["base+retrieval"])
    assert not any(sources["tuned"] + sources["base"])
    gap = found["answer_f1", f"tuned-with-retrieval - {base}"]
    assert gap["low"] is not None or gap["note"]
    assert (whole["value"] is None) == ("tokens" in (whole["note"] or ""))
    for name in ("answers.csv", "store", "questions/gold.jsonl", "synthesis/open.jsonl", "report.html"):
        assert (out / name).exists()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Base with retrieval" in page
    assert "How many barrels fit into the loft?" in page
    assert "wins" in verdict_of(out)
    before = (out / "answers" / "tuned.jsonl").stat().st_mtime_ns
    (out / "measurements.jsonl").unlink()
    environment = json.loads((out / "environment.json").read_text(encoding="utf-8"))
    (out / "environment.json").write_text(json.dumps({**environment, "end": None}), encoding="utf-8")
    again = read_rows(pipeline.run(recipe, out=out).measurements)
    assert (out / "answers" / "tuned.jsonl").stat().st_mtime_ns == before
    assert [row["value"] for row in again] == [row["value"] for row in rows]
