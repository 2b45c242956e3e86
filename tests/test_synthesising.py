"""`wellread synthesise` as people use it, and the embedded tables beside the embedded texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hostile import Hostile, answer, status
from typer.testing import CliRunner

from wellread.cli import app
from wellread.commands.options import key_of
from wellread.corpus.examples import load
from wellread.errors import UsageError
from wellread.listing import listing
from wellread.storage import read_json, read_rows
from wellread.synthesising import Synthesis, foresee, synthesise
from wellread.texts import library_path, library_texts
from wellread.types import Question, Sampling

GLOSSARY = "term,expansion\nATM,Allowed Tonnage Maximum\nIMF,Ice Mishaps Fund\nBBC,Board of Bearing and Crossing\n"


@pytest.fixture
def glossary(tmp_path: Path) -> Path:
    path = tmp_path / "words.csv"
    path.write_text(GLOSSARY, encoding="utf-8")
    return path


def a_good_writer(body: dict[str, Any]) -> str:
    """Answers each prompt with one pair that holds what the prompt says it must."""
    asked = body["messages"][-1]["content"]
    term, expansion = (re.findall(f"{field}: (.*)", asked)[0] for field in ("Term", "Stands for"))
    question, reply = f"Tell me of {term} ({len(asked)})?", f"{term} is the {expansion}."
    if "never the term" in asked:
        question, reply = f"What is the {expansion}?", f"{term}, that is."
    return json.dumps({"pairs": [{"question": question, "answer": reply}]})


def test_templates_write_what_training_and_judging_read(glossary: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["synthesise", str(glossary), "--out", str(tmp_path / "out"), "--phrasings", "8"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[-1] == f"wrote: {tmp_path / 'out' / 'examples.jsonl'}"
    examples = list(load(tmp_path / "out" / "examples.jsonl"))
    told = read_json(tmp_path / "out" / "synthesis.json")
    assert len(examples) == sum(told["examples"].values()) > 24
    assert (told["terms"], told["writer"], told["failed_terms"]) == (3, "templates", [])
    questions = [Question.from_json(row) for row in read_rows(tmp_path / "out" / "questions.jsonl")]
    assert {each.kind for each in questions} == {"forward", "reverse", "context", "invented", "outside"}
    assert [each.expected for each in questions if each.kind == "reverse"] == [("ATM",), ("IMF",), ("BBC",)]
    asked = {message["content"] for each in examples for message in each.metadata["messages"]}
    assert not asked & {each.prompt for each in questions}


def test_a_glossary_is_written_up_in_its_own_language_unless_another_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fr.csv"
    path.write_text(
        "terme,définition\ncloche,celle que l’on sonne sur la rive du sud\nfeuille,celle qui part avec le voiturier\n",
        "utf-8",
    )
    for more, tongue in (((), "fr"), (("--language", "en"), "en")):
        done = CliRunner().invoke(app, ["synthesise", str(path), "--out", str(tmp_path / tongue), *more])
        assert done.exit_code == 0, done.output
        assert read_json(tmp_path / tongue / "synthesis.json")["language"] == tongue
        asked = " ".join(row["prompt"] for row in read_rows(tmp_path / tongue / "questions.jsonl"))
        assert ("What" in asked) == (tongue == "en")
    refused = CliRunner().invoke(app, ["synthesise", str(path), "--out", str(tmp_path / "de"), "--language", "de"])
    assert refused.exit_code == 2 or isinstance(refused.exception, UsageError)


def test_a_key_fact_that_the_term_says_itself_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "words.csv"
    path.write_text(
        "term,definition,facts\nspade rent,what a spade of peat pays,the spade;peat\ntare,an empty load,empty\n",
        "utf-8",
    )
    told: list[str] = []
    written = synthesise(Synthesis(str(path), tmp_path / "out"), say=told.append)
    assert told == [
        "left out: 1 key fact says no more than its term, which an echo would hold: 'the spade' of 'spade rent'"
    ]
    assert {each.facts for each in written.questions if each.term == "spade rent"} == {("peat",), ()}
    assert read_json(tmp_path / "out" / "synthesis.json")["notes"] == told


def test_a_model_writes_is_asked_once_and_its_failures_are_listed(glossary: Path, tmp_path: Path) -> None:
    def moody(handler: Any, body: dict[str, Any]) -> None:
        (status(400, "too long") if "IMF" in body["messages"][-1]["content"] else answer(a_good_writer))(handler, body)

    with Hostile(otherwise=moody) as fake:
        words = ["synthesise", str(glossary), "--out", str(tmp_path / "out"), "--writer", fake.name, "--phrasings", "4"]
        dry = CliRunner().invoke(app, [*words, "--dry-run", "--json"])
        assert json.loads(dry.stdout)["calls"] == 3
        assert fake.asked == []
        assert not (tmp_path / "out").exists()
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 1
        assert "IMF: forward: status 400: too long" in done.output
        fake.asked.clear()
        fake.otherwise = answer(a_good_writer)
        again = CliRunner().invoke(app, [*words, "--json"])
        assert again.exit_code == 0
    assert len(fake.asked) == 1
    assert json.loads(again.stdout.splitlines()[-1])["examples"]["forward"] == 3


def test_the_embedded_glossary_by_name_and_its_invented_neighbours(tmp_path: Path) -> None:
    written = synthesise(Synthesis("library:glossary_fr", tmp_path, language="fr", phrasings=4))
    asked = [question.term for question in written.questions if question.kind == "invented"]
    assert "la glace-tante" in asked
    assert len(asked) == 24
    [trained] = {each.metadata["task"] for each in written.examples if "ONU" in each.text}
    assert trained == "outside"
    bare = synthesise(Synthesis("library:glossary_fr", tmp_path / "bare", language="fr", phrasings=4, outside=""))
    assert not any(question.kind == "outside" for question in bare.questions)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"writer": "gpt"}, "a writer is `templates` or an endpoint"),
        ({"language": "eo"}, "eo"),
        ({"source": "nowhere.csv"}, "no file or folder nowhere.csv"),
        ({"source": "library:glossari"}, "did you mean 'glossary'"),
        ({"invented": "library:glossary", "source": "library:glossary"}, "is in the glossary"),
    ],
)
def test_what_cannot_be_is_said_at_once(wanted: dict[str, str], told: str, glossary: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"source": str(glossary), "out": tmp_path / "out", **wanted}
    with pytest.raises(UsageError, match=told):
        synthesise(Synthesis(**settings))
    assert not (tmp_path / "out").exists()


def test_templates_cost_no_calls(glossary: Path, tmp_path: Path) -> None:
    assert foresee(Synthesis(str(glossary), tmp_path)).calls == 0


def test_tables_are_found_by_name_and_are_no_texts() -> None:
    assert "novella" in library_texts()
    assert "glossary" not in library_texts()
    assert library_path("library:glossary").endswith("glossary.json")
    assert "glossary of 90 terms" in dict(listing("texts"))["library:glossary"]


def test_keys_come_from_a_file_or_the_environment_and_never_go_astray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WELLREAD_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    assert key_of("https://api.openai.com/v1#m", None) == "theirs"
    assert key_of("https://api.openai.com.evil.example/v1#m", None) == ""
    assert key_of("http://localhost:1/v1#m", None) == ""
    monkeypatch.setenv("WELLREAD_API_KEY", " ours\n")
    assert key_of("http://localhost:1/v1#m", None) == "ours"
    assert key_of("embedded", None) == ""
    (tmp_path / "key").write_text("filed\n", encoding="utf-8")
    assert key_of("http://localhost:1/v1#m", tmp_path / "key") == "filed"
    (tmp_path / "key").write_text("two words", encoding="utf-8")
    with pytest.raises(UsageError, match="one key"):
        key_of("http://localhost:1/v1#m", tmp_path / "key")
    with pytest.raises(UsageError, match="cannot be read"):
        key_of("http://localhost:1/v1#m", tmp_path / "none")


def test_a_model_at_an_endpoint_opens_writes_and_is_not_scored() -> None:
    from wellread.metrics import measure
    from wellread.models import open_model
    from wellread.testing import evidence

    with Hostile(otherwise=answer(lambda body: "and so on")) as fake:
        model = open_model(fake.name)
        assert model.generate(["Once"], Sampling())[0].completion == "and so on"
        [row] = measure(evidence(model, "A text."), ["bits_per_byte"])
    assert row.value is None
    assert "cannot score" in row.note
