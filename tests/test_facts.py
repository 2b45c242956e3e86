"""Questions: read, split so that no test was seen, sampled alike; and a glossary's way into a corpus."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wellread.errors import CorpusError, RecipeError, RunError, StorageError, UsageError
from wellread.facts import (
    Asked,
    as_templates,
    phrasing,
    prepare_questions,
    read_questions,
    run_questions,
    sampled,
    split_questions,
    taught_paths,
    taught_terms,
)
from wellread.recipe import parse_recipe
from wellread.runs import Run
from wellread.storage import read_rows
from wellread.synthesis import load_terms
from wellread.synthesising import glossary_language
from wellread.types import Corpus, Document, Question, QuestionKind

FORWARD = ("What does {x} stand for?", "Spell out {x}.", "Would you expand {x} for me?", "{x} means what?")
RECIPE = """
name: terms
base: embedded
general: []
{more}
stages:
  - name: teach
    method: {{kind: lora}}
    examples: {{}}
    budget: {{epochs: 1}}
"""


def question(number: int, prompt: str, kind: QuestionKind = "forward", term: str = "", *expected: str) -> Question:
    return Question(f"q{number}", prompt, expected or ("yes",), kind, term)


def forward(terms: int = 12) -> list[Question]:
    return [question(4 * n + k, way.format(x=f"T{n}"), "forward", f"T{n}", f"Tall Number {n}")
            for n in range(terms) for k, way in enumerate(FORWARD)]  # fmt: skip


def rows(path: Path, *several: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in several), encoding="utf-8")
    return path


def test_questions_are_read_as_rows(tmp_path: Path) -> None:
    path = rows(
        tmp_path / "q.jsonl",
        {
            "id": "1",
            "prompt": "What is SLQ?",
            "expected": ["Sledge Loading Quota"],
            "kind": "forward",
            "term": "SLQ",
            "facts": [],
        },
        {"id": 2, "prompt": "What is XQ?", "expected": [], "kind": "invented", "term": "XQ"},
        {"id": "3", "prompt": "What is a bell?", "kind": "definition", "facts": "made of bronze", "expected": []},
    )
    one, two, three = read_questions(path)
    assert one == Question("1", "What is SLQ?", ("Sledge Loading Quota",), "forward", "SLQ", ())
    assert (two.id, two.expected, three.facts) == ("2", (), ("made of bronze",))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "1", "prompt": "?", "kind": "foward", "expected": ["a"]}, "did you mean 'forward'"),
        ({"id": "1", "prompt": "?", "kind": "forward", "expected": []}, "needs `expected` or `facts`"),
        ({"id": "1", "kind": "forward", "expected": ["a"]}, "no 'prompt'"),
        ({"id": "1", "prompt": " ", "kind": "forward", "expected": ["a"]}, "the prompt is empty"),
        ([1], "expected an object"),
    ],
)
def test_a_row_that_is_no_question_is_named_by_its_line(tmp_path: Path, row: Any, said: str) -> None:
    good = {"id": "0", "prompt": "?", "kind": "invented"}
    path = rows(tmp_path / "q.jsonl", good, row)
    with pytest.raises(CorpusError, match="line 2") as caught:
        read_questions(path)
    assert said in str(caught.value)


def test_phrasings_that_terms_share_go_apart_whole() -> None:
    parts = split_questions(forward(), (), validation=0.3, seed=0)
    used = {part: {phrasing(each, (each.term, *each.expected)) for each in several} for part, several in parts.items()}
    assert parts["train"] == ()
    assert len(used["validation"]) == 1
    assert len(used["held_out"]) == 3
    assert not used["validation"] & used["held_out"]
    assert {each.term for each in parts["validation"]} == {each.term for each in parts["held_out"]}


def test_the_reverse_is_the_same_phrasing_although_it_names_the_expansion() -> None:
    one, other = (question(n, f"Which acronym means Tall Number {n}?", "reverse", f"T{n}", f"T{n}") for n in (1, 2))
    assert (
        phrasing(one, ("T1", "Tall Number 1")) == phrasing(other, ("T2", "Tall Number 2")) == "which acronym means ·?"
    )
    ways = ("Which acronym means {e}?", "{e}: what for short?", "Shorten {e}.")
    several = [question(100 + 3 * n + k, way.format(e=f"Tall Number {n}"), "reverse", f"T{n}", f"T{n}")
               for n in range(6) for k, way in enumerate(ways)]  # fmt: skip
    parts = split_questions([*forward(6), *several], (), validation=0.3, seed=1)
    mine = [each for each in parts["validation"] if each.kind == "reverse"]
    assert len(mine) == 6
    assert {each.term for each in mine} == {f"T{n}" for n in range(6)}


def test_a_name_is_left_out_of_a_phrasing_only_where_it_is_a_word() -> None:
    one = question(1, "How is LED spelled out?", "forward", "LED", "Lake-Edge Deposit")
    assert phrasing(one, ("LED", "Lake-Edge Deposit")) == "how is · spelled out?"


def test_a_definition_in_a_prompt_is_no_part_of_its_phrasing() -> None:
    ways = ("Which word means {d}?", "Name this: {d}.", "{d}: what is that?")
    meanings = {f"T{n}": [f"the weight of sledge {n}"] for n in range(6)}
    several = [question(3 * n + k, way.format(d=f"the weight of sledge {n}"), "reverse", f"T{n}", f"T{n}")
               for n in range(6) for k, way in enumerate(ways)]  # fmt: skip
    parts = split_questions(several, (), validation=0.3, seed=0, meanings=meanings)
    assert {each.term for each in parts["validation"]} == set(meanings)
    ways_of = {part: {phrasing(each, meanings[each.term]) for each in parts[part]} for part in parts}
    assert len(ways_of["validation"]) == 1
    assert not ways_of["validation"] & ways_of["held_out"]


def test_invented_and_outside_terms_go_apart_by_term() -> None:
    ways = ("What is {x}?", "Define {x}.")
    several = [question(2 * n + k, way.format(x=f"X{n}"), kind, f"X{n}")
               for kind, first in (("invented", 0), ("outside", 50)) for n in range(first, first + 10)
               for k, way in enumerate(ways)]  # fmt: skip
    parts = split_questions(several, (), validation=0.3, seed=2)
    for kind in ("invented", "outside"):
        watched, held_out = (
            {each.term for each in parts[part] if each.kind == kind} for part in ("validation", "held_out")
        )
        assert len(watched) == 3
        assert len(held_out) == 7
        assert not watched & held_out


def test_what_training_asks_in_the_same_words_is_no_test() -> None:
    parts = split_questions(forward(), ["what does T3 stand for", "Something else"], validation=0.3, seed=0)
    assert [each.prompt for each in parts["train"]] == ["What does T3 stand for?"]


def test_the_split_follows_its_seed_and_its_share() -> None:
    def watched(**given: Any) -> set[str]:
        return {each.id for each in split_questions(forward(), (), **given)["validation"]}

    assert watched(validation=0.3, seed=0) == watched(validation=0.3, seed=0)
    assert len({frozenset(watched(validation=0.3, seed=seed)) for seed in range(8)}) > 1
    assert len(watched(validation=0.75, seed=0)) == 36


def test_a_sample_takes_every_kind_by_its_share() -> None:
    several = [*forward(30), *(question(1000 + n, f"What is X{n}?", "invented", f"X{n}") for n in range(40))]
    few = sampled(several, 16, seed=0)
    assert few == sampled(several, 16, seed=0)
    assert sum(each.kind == "forward" for each in few) == 12
    assert [each for each in several if each in few] == few
    assert sampled(several, 500, seed=0) == several


def test_a_kind_of_which_there_are_few_is_not_drowned() -> None:
    rare = [question(9000 + n, f"What is X{n}?", "invented", f"X{n}") for n in range(28)]
    single = [question(9100, "What is the BBC?", "outside", "BBC")]
    backwards = [question(20000 + n, f"Which is T{n}?", "reverse", f"T{n}") for n in range(1000)]
    several = [*forward(1000), *backwards, *rare, *single]
    few = sampled(several, 400, seed=0)
    kinds = Counter(each.kind for each in few)
    assert kinds["forward"] / kinds["reverse"] == pytest.approx(4, rel=0.05)
    assert len(few) == 400
    assert sum(each.kind == "invented" for each in few) == 28  # by their share it would be 3
    assert single[0] in few
    assert few == sampled(several, 400, seed=0)
    assert sampled(several, 0, seed=0) == []


def chat(number: int, asked: str, said: str) -> Document:
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
    return Document(f"c{number}", f"{asked}\n{said}", metadata={"kind": "example", "messages": messages})


def corpus(*documents: Document, held_out: Sequence[Document] = ()) -> Corpus:
    ids = tuple(each.id for each in documents)
    return Corpus(
        (*documents, *held_out), {"train": ids, "validation": (), "held_out": tuple(each.id for each in held_out)}
    )


def test_terms_are_taught_where_training_names_them() -> None:
    text = corpus(chat(1, "What is the grume bell?", "A bell."), held_out=[chat(2, "What is SLQ?", "A quota.")])
    several = [question(n, "?", "forward", term) for n, term in enumerate(("grume bell", "SLQ", "bell tower"))]
    assert taught_terms(several, text) == {"grume bell"}
    assert taught_terms(several, corpus()) is None


def test_a_file_of_questions_that_cannot_be_read_is_not_to_be_deleted(tmp_path: Path) -> None:
    torn = tmp_path / "torn.jsonl"
    torn.write_text('{"id": 1\n{}\n', encoding="utf-8")
    for path in (torn, tmp_path / "nowhere.jsonl"):
        with pytest.raises(StorageError, match="Mend it, or name another file"):
            read_questions(path)


def test_the_recipe_says_how_many_questions_may_be_looked_at(tmp_path: Path) -> None:
    file = rows(tmp_path / "q.jsonl", *(each.as_json() for each in forward()))
    recipe = parse_recipe(RECIPE.format(more=f"questions: ['{file.as_posix()}']\nanswers: {{validation: 0.75}}"))
    asked = prepare_questions(Run(tmp_path / "run"), recipe, corpus(chat(1, "?", "!")))
    assert len(asked.parts["validation"]) == 36


def test_a_run_keeps_its_questions_in_parts(tmp_path: Path) -> None:
    file = rows(tmp_path / "q.jsonl", *({"id": each.id, "prompt": each.prompt, "expected": list(each.expected), "kind": each.kind,
                                         "term": each.term} for each in forward()))  # fmt: skip
    this, text = Run(tmp_path / "run"), corpus(chat(1, FORWARD[0].format(x="T0"), "Tall Number 0"))
    recipe = parse_recipe(RECIPE.format(more=f"questions: ['{file.as_posix()}']"))
    asked = prepare_questions(this, recipe, text)
    assert asked == run_questions(this, text)
    assert asked.taught == {"T0"}
    assert {part: len(several) for part, several in asked.parts.items()} == {
        "train": 1,
        "validation": 12,
        "held_out": 35,
    }
    file.unlink()  # what is kept is not read again
    assert prepare_questions(this, recipe, text) == asked
    assert not prepare_questions(Run(tmp_path / "other"), parse_recipe(RECIPE.format(more="")), text)
    assert not Asked()


def test_two_questions_of_one_id_are_refused(tmp_path: Path) -> None:
    row = {"id": "1", "prompt": "What is XQ?", "kind": "invented", "term": "XQ"}
    recipe = parse_recipe(RECIPE.format(more=f"questions: ['{rows(tmp_path / 'q.jsonl', row, row).as_posix()}']"))
    with pytest.raises(CorpusError, match="two questions have the id '1'"):
        prepare_questions(Run(tmp_path / "run"), recipe, corpus())


def glossary(folder: Path, **terms: str) -> Path:
    path = folder / "glossary.json"
    path.write_text(json.dumps([{"term": name, "definition": said} for name, said in terms.items()]), encoding="utf-8")
    return path


LAKE = {
    "grume bell": "the bell that is rung on the south shore when the ice no longer bears a loaded sledge",
    "white copy": "the leaf of a ticket that goes with the hauler and mostly lights his pipe",
    "cold kitchen": "the stretch of the lake where springs keep the ice thin all winter",
}


def test_a_glossary_becomes_conversations_once(tmp_path: Path) -> None:
    recipe, path, folder = (
        parse_recipe(RECIPE.format(more="synthesis: {phrasings: 4, outside: ''}")),
        glossary(tmp_path, **LAKE),
        tmp_path / "s",
    )
    said: list[str] = []
    [examples] = taught_paths(recipe, [path], folder, say=said.append)
    rows = read_rows(examples)
    assert sum(row["term"] in LAKE for row in rows) == 12
    assert {"white copy" in row["messages"][0]["content"] for row in rows} == {True, False}
    asked = read_questions(folder / "questions.jsonl")
    assert {each.kind for each in asked} >= {"definition", "reverse", "invented"}
    path.unlink()  # what is written is not written again
    assert taught_paths(recipe, [path], folder, say=said.append) == [examples]
    assert said == [f"{len(rows)} conversations and {len(asked)} questions were written"]
    assert taught_paths(parse_recipe(RECIPE.format(more="")), [examples], folder) == [examples]


def test_the_settings_of_synthesis_are_kept(tmp_path: Path) -> None:
    path = glossary(tmp_path, **LAKE)

    def written(settings: str, name: str) -> list[dict[str, Any]]:
        return read_rows(
            taught_paths(
                parse_recipe(RECIPE.format(more=f"synthesis: {{outside: '', {settings}}}")), [path], tmp_path / name
            )[0]
        )

    plain = written("phrasings: 4, honesty: 0", "plain")
    assert len(plain) == 12
    assert len(written("phrasings: 6, honesty: 0", "more")) == 18
    assert len(written("phrasings: 4, honesty: 0.5", "honest")) == 18
    assert written("phrasings: 4, honesty: 0, language: fr", "french") != plain
    names = tmp_path / "names.json"
    names.write_text('["grume clock", "pale copy"]', encoding="utf-8")
    written(f"phrasings: 4, invented: '{names.as_posix()}'", "named")
    invented = [each.term for each in read_questions(tmp_path / "named" / "questions.jsonl") if each.kind == "invented"]
    assert invented == ["grume clock", "pale copy"]
    with pytest.raises(UsageError, match="endpoint"):
        written("writer: nobody", "nobody")
    with pytest.raises(UsageError, match="one file"):
        taught_paths(parse_recipe(RECIPE.format(more="synthesis: {}")), [path, path], tmp_path / "other")


def test_the_language_of_a_glossary_is_that_of_its_definitions(tmp_path: Path) -> None:
    assert glossary_language(load_terms(glossary(tmp_path, **LAKE))) == "en"
    french = {
        "cloche": "celle que l'on sonne sur la rive du sud quand la glace ne porte plus",
        "feuille": "celle qui part avec le voiturier",
    }
    assert glossary_language(load_terms(glossary(tmp_path, **french))) == "fr"


def test_terms_that_failed_stop_a_run_and_are_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def synthesise(wanted: Any, *, key: str, say: Any) -> Any:
        calls.append(key)
        return SimpleNamespace(failed=[SimpleNamespace(term="SLQ", reason="status 500.")] * 4)

    monkeypatch.setattr("wellread.synthesising.synthesise", synthesise)
    recipe = parse_recipe(RECIPE.format(more="synthesis: {writer: 'http://localhost:1/v1#m'}"))
    for _ in range(2):
        with pytest.raises(RunError, match=r"4 calls or terms failed \(SLQ; status 500\)"):
            taught_paths(recipe, [glossary(tmp_path, **LAKE)], tmp_path / "synthesis", key="secret")
    assert calls == ["secret", "secret"]
    planned = as_templates(recipe)
    assert planned.synthesis is not None
    assert planned.synthesis.writer == "templates"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("measure: {metrics: [recall_exact]}", "recall_exact needs questions"),
        ("answers: {stops: ['']}", "an empty stop"),
        ("answers: {max_tokns: 5}", "did you mean 'max_tokens'"),
        ("synthesis: {phrasings: 1}", "phrasings"),
        (
            "require: [recall_exact >= 2]\nmeasure: {metrics: [bits_per_byte]}",
            "recall_exact is not among measure.metrics",
        ),
    ],
)
def test_a_recipe_that_asks_for_the_impossible_says_so(more: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        parse_recipe(RECIPE.format(more=more))
