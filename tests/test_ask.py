"""`wellread ask`, and MODEL+STORE wherever a MODEL does, by what comes of it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from wellread import cli, models
from wellread.commands import terminal
from wellread.errors import UsageError
from wellread.indexing import index_texts
from wellread.models import locate, open_model, read_name, split_store
from wellread.retrieval.prompt import refusal
from wellread.retrieval.rag import RetrievalModel
from wellread.retrieval.store import open_store
from wellread.testing import UniformBytes, tiny_model
from wellread.types import Prompt, Sample, Sampling, last_words

HANDBOOK = """# Handbook

## Hours

The Reading Room opens at nine in the morning and closes at dusk. On Mondays it stays shut.

## Cards

A card costs three crowns a year. Lost cards are paid for twice.
"""


class Clerk(UniformBytes):
    """Says one thing, whatever it reads."""

    name, window = "clerk", 2000

    def __init__(self, says: str) -> None:
        self.says, self.read, self.drawn = says, list[Prompt](), list[Sampling]()

    def count(self, prompt: Prompt) -> int:
        return len(last_words(prompt)) // 4

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        self.read += prompts
        self.drawn.append(sampling)
        asked = [prompt for prompt in prompts for _ in range(sampling.n)]
        return [Sample(last_words(prompt), self.says, sampling, sampling.seed, self.name, "stop") for prompt in asked]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    index_texts([folder / "handbook.md"], folder / "store", embedder="none")
    return folder / "store"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("tiny"), [HANDBOOK], vocabulary=400, positions=600)


def wellread(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["wellread", *words])
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as end:
            cli.main()
    return subprocess.CompletedProcess(words, int(end.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture
def clerk(monkeypatch: pytest.MonkeyPatch) -> Clerk:
    one = Clerk("The Reading Room opens at nine [1].")
    real = models.open_model
    monkeypatch.setattr(models, "open_model", lambda name, **how: one if name == "clerk" else real(name, **how))
    return one


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


def test_k_and_the_settings_of_sampling_reach_the_model(clerk: Clerk, store: Path) -> None:
    question = [
        "ask",
        "clerk",
        "What does a card cost, and when does the Reading Room open?",
        "--store",
        str(store),
        "--json",
    ]
    few, many = (json.loads(wellread(*question, "-k", k, "--anyway").stdout) for k in ("1", "5"))
    assert len(few["sources"]) == 1 < len(many["sources"])
    seeded = json.loads(wellread(*question, "--seed", "5").stdout)
    assert seeded["seed"] == 5
    drawn = ["--max-tokens", "7", "--temperature", "0.5", "--top-p", "0.9", "--top-k", "3", "--min-p", "0.1"]
    wellread(*question, *drawn, "--repetition-penalty", "1.2", "--seed", "9", "--n", "2")
    assert clerk.drawn[-1] == Sampling(7, 0.5, 0.9, 3, 0.1, 1.2, 9, 2)


def test_passages_fill_the_window_and_what_has_no_room_is_told(tmp_path: Path) -> None:
    rooms = "\n\n".join(
        f"## Room {n}\n\n" + f"Room {n} of the library keeps maps of the coast. " * 12 for n in range(9)
    )
    (tmp_path / "rooms.md").write_text(rooms, encoding="utf-8")
    index_texts([tmp_path / "rooms.md"], tmp_path / "store", embedder="none")
    wide = tiny_model(tmp_path / "wide", [rooms], vocabulary=300, positions=6000)
    asked = ["ask", f"{wide}+{tmp_path / 'store'}", "Which room keeps maps?", "--anyway", "--max-tokens", "2", "--json"]

    def read(*more: str) -> tuple[int, str]:
        row = json.loads(wellread(*asked, *more).stdout)
        return len(row["sources"]), row["note"]

    few, note = read("-k", "9", "--window", "1500")
    assert 0 < few < 9
    assert f"{few} of 9 passages fit" in note
    assert few < read("-k", "9")[0]
    assert read("-k", "2") == (2, "")
    shown = wellread(*asked[:-1], "-k", "9", "--window", "1500")
    assert f"{few} of 9 passages fit" in shown.stderr
    name = f"{wide}+{tmp_path / 'store'}"
    alone, sourced = open_model(str(wide)), open_model(name)
    assert (getattr(alone, "window", 0), getattr(sourced, "window", 0)) == (1024, 4096)
    assert getattr(open_model(name, window=700), "window", 0) == 700
    long = [rooms[:4000]]
    assert list(alone.score(long)[0].logprobs) == list(sourced.score(long)[0].logprobs)


def test_an_endpoint_has_the_window_that_is_named(clerk: Clerk, store: Path) -> None:
    model = models.answering_from(UniformBytes(), str(store), window=9000)
    assert (model.window, models.answering_from(UniformBytes(), str(store)).window) == (9000, 4096)


def test_compare_takes_a_window_for_questions_alone(clerk: Clerk, store: Path) -> None:
    done = wellread("compare", "a", "b", "--window", "600")
    assert (done.returncode, "--questions" in done.stderr) == (2, True)


def test_questions_come_from_stdin_or_a_file(clerk: Clerk, store: Path, tmp_path: Path) -> None:
    asked = ["ask", "clerk", "--store", str(store), "--json", "--anyway"]
    rows = [
        json.loads(line)
        for line in wellread(*asked[:2], "-", *asked[2:], stdin="When open?\n\nWhat costs?\n").stdout.splitlines()
    ]
    assert [row["question"] for row in rows] == ["When open?", "What costs?"]
    (tmp_path / "q.txt").write_text("When open?\n", encoding="utf-8")
    (tmp_path / "q.jsonl").write_text('{"question": "What costs?"}\n', encoding="utf-8")
    for name, expected in (("q.txt", "When open?"), ("q.jsonl", "What costs?")):
        assert json.loads(wellread(*asked, "--questions", str(tmp_path / name)).stdout)["question"] == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["clerk"], "one question"),
        (["clerk", "When?", "--questions", "x"], "one question"),
        (["clerk", "When?", "--mode", "retrieval"], "--store"),
        (["clerk", "When?", "--store", "nowhere"], "wellread index"),
        (["embedded+nowhere", "When?"], "wellread index TEXT… --store nowhere"),
        (["clerk", "--questions", "gone.txt"], "gone.txt"),
        (["clerk", "--questions", "library:nothing"], "nothing"),
        (["clerk", "When?", "--rerank", "x"], "--store"),
        (["clerk", "When?", "--store", "s" * 300], "no folder can have a name of 300 characters"),
        (["embedded+" + "s" * 300, "When?"], "there is no store"),
        (["m" * 300, "When?"], ""),
    ],
)
def test_errors_are_one_line_and_exit_2(
    clerk: Clerk, words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = wellread("ask", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_cross_encoder_reads_again_what_was_found(
    clerk: Clerk, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wellread.retrieval import reranking

    class Contrary:
        name = "contrary"
        dislikes = ""

        def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            return [float(text != self.dislikes) for _, text in pairs]

    one, named = Contrary(), list[tuple[str, bool]]()

    def opened(name: str, *, offline: bool = False) -> Contrary:
        named.append((name, offline))
        return one

    monkeypatch.setattr(reranking, "open_cross_encoder", opened)
    asked = ["ask", "clerk", "Does the Reading Room want a card?", "--store", str(store), "--json", "--anyway"]
    plain = [source["text"] for source in json.loads(wellread(*asked).stdout)["sources"]]
    one.dislikes = plain[0]
    done = wellread(*asked, "--rerank", "contrary", "--offline")
    assert [source["text"] for source in json.loads(done.stdout)["sources"]] == [*plain[1:], plain[0]]
    assert len(plain) > 1
    assert named == [("contrary", True)]
    (tmp_path / "gold.jsonl").write_text('{"question": "What does a card cost?", "answers": ["3"]}', encoding="utf-8")
    compared = [
        "compare",
        "--questions",
        str(tmp_path / "gold.jsonl"),
        "--rerank",
        "contrary",
        "--metrics",
        "answer_f1",
    ]
    assert wellread(*compared, f"clerk+{store}").returncode == 0
    assert wellread("compare", "a", "b", "--rerank", "contrary").returncode == 2
    assert wellread("index", str(tmp_path), "--store", "s", "--rerank", "contrary").returncode == 2


def test_embedded_questions_are_named_as_texts_are(clerk: Clerk, store: Path) -> None:
    done = wellread("ask", "clerk", "--questions", "library:conte_questions", "--store", str(store), "--json")
    assert len(done.stdout.splitlines()) > 40


def test_nothing_that_is_shown_steers_the_terminal(clerk: Clerk, store: Path) -> None:
    clerk.says = "The Reading Room opens \x1b]0;owned\x07at nine\x9b2J [1].\u202e"
    for extra in ([], ["--json"]):
        shown = wellread(
            "ask", "clerk", "When does the Reading Room open in the morning?", "--store", str(store), *extra
        ).stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert json.loads(shown)["answer"] == clerk.says  # the exact text, as escapes


def test_links_are_for_terminals_and_for_files_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a b.pdf"
    file.write_text("x", encoding="utf-8")
    assert terminal.linked("here", str(file)) == "here"
    monkeypatch.setattr(terminal, "_columns", lambda stream: 80)
    assert (
        terminal.linked("here", str(file), page=3)
        == f"\x1b]8;;{file.resolve().as_uri()}#page=3\x1b\\here\x1b]8;;\x1b\\"
    )
    assert "a%20b.pdf" in terminal.linked("here", str(file))
    for nowhere in (str(tmp_path / "gone.md"), "http://evil.example/x", "a\0b", ""):
        assert terminal.linked("here", nowhere) == "here"


def test_a_source_is_linked_from_whatever_folder_it_was_indexed(
    clerk: Clerk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "handbook.md").write_text(HANDBOOK, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "desk")
    index_texts(["handbook.md"], tmp_path / "store", embedder="none")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal, "_columns", lambda stream: 80)
    asked = ["ask", "clerk", "When does the Reading Room open in the morning?", "--store", "store"]
    link = f"\x1b]8;;{(tmp_path / 'desk' / 'handbook.md').resolve().as_uri()}"
    assert link in wellread(*asked).stdout
    (tmp_path / "desk" / "handbook.md").unlink()
    assert "\x1b]8;;" not in wellread(*asked).stdout


def test_a_model_with_a_store_opens_wherever_a_model_does(tiny: Path, store: Path) -> None:
    name = f"{tiny}+{store}"
    model = open_model(name)
    assert isinstance(model, RetrievalModel)
    assert (model.name, read_name(name).store) == (name, str(store))
    [sample] = model.generate(
        [[{"role": "user", "content": "When does the Reading Room open in the morning?"}]], Sampling(4)
    )
    assert any("opens at nine" in chunk.text for chunk in sample.sources)
    assert isinstance(model.model, object)
    with pytest.raises(UsageError, match="no part of a checkpoint"):
        locate(name)


def test_a_path_with_a_plus_that_is_there_as_a_whole_wins(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert split_store(f"x+{store}") == ("x", str(store))
    assert split_store("http://h/v1#a+b") == ("http://h/v1#a+b", "")
    assert split_store(f"http://h/v1#a+b+{store}") == ("http://h/v1#a+b", str(store))
    assert split_store("runs/x+s3://bucket/store") == ("runs/x", "s3://bucket/store")
    (tmp_path / "a+b").mkdir()
    assert split_store("a+b") == ("a+b", "")
    assert split_store(f"a+b+{store}") == ("a+b", str(store))
    with pytest.raises(UsageError, match="there is no store"):
        split_store("a+b+c")


def test_it_is_measured_and_compared_and_writes(tiny: Path, store: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("The Reading Room opens at nine. " * 30, encoding="utf-8")
    name = f"{tiny}+{store}"
    alone, with_store = (
        json.loads(
            wellread("measure", each, "--text", str(text), "--metrics", "bits_per_byte", "--json").stdout.splitlines()[
                0
            ]
        )
        for each in (str(tiny), name)
    )
    assert alone["value"] == with_store["value"]  # what is scored is scored without sources
    assert "texts are scored without any" in with_store["note"]
    rows = [
        json.loads(line)
        for line in wellread(
            "compare", str(tiny), name, "--text", str(text), "--metrics", "bits_per_byte", "--json"
        ).stdout.splitlines()
    ]
    assert len(rows) == 2
    plain, sourced = (
        json.loads(
            wellread("write", each, "The Reading Room opens at", "--max-tokens", "8", "--seed", "1", "--json").stdout
        )
        for each in (str(tiny), name)
    )
    assert (plain["prompt"], sourced["prompt"]) == ("The Reading Room opens at",) * 2
    assert not plain["sources"]
    assert "opens at nine" in str(sourced["sources"])
    assert plain["completion"] != sourced["completion"]  # another text stood before it


def test_calibrating_a_store_changes_what_it_refuses(store: Path, tmp_path: Path) -> None:
    from wellread.retrieval.refusing import REFUSAL, question_mark, read_refusal

    rows: list[dict[str, Any]] = [
        {"id": f"a{n}", "question": f"What does a card cost in a year of {n}?", "answers": ["three"]} for n in range(12)
    ]
    rows += [{"id": f"u{n}", "question": f"Which elephants painted ceiling number {n}?"} for n in range(12)]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    done = wellread(
        "index", str(store.parent / "handbook.md"), "--store", str(store), "--calibrate", str(tmp_path / "q.jsonl")
    )
    assert done.returncode == 0, done.stderr
    assert "of 12 questions that the sources do not answer 100% are refused" in done.stderr
    kept = read_refusal(store / REFUSAL)
    assert kept is not None
    assert kept.embedder == "none"
    assert set(kept.questions) == {question_mark(row["question"]) for row in rows}
    (store / REFUSAL).unlink()


def test_a_store_is_calibrated_to_the_cross_encoder_it_will_be_asked_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wellread import calibrating
    from wellread.retrieval.refusing import REFUSAL, read_refusal

    class Backwards:
        """Likes best what shares the fewest words with a question."""

        name = "backwards"

        def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
            return [-float(len(set(query.split()) & set(text.split()))) for query, text in pairs]

    rooms = "\n\n".join(f"## Room {n}\n\nIn room {n} the clerk keeps chart {n} of the coast." for n in range(12))
    (tmp_path / "rooms.md").write_text(rooms, encoding="utf-8")
    asked = [{"question": f"What keeps the clerk in room {n} ?", "answers": ["a chart"]} for n in range(12)]
    asked += [{"question": f"Which elephants painted ceiling {n} of the coast ?"} for n in range(12)]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    named: list[str] = []
    monkeypatch.setattr(calibrating, "open_cross_encoder", lambda name, offline: named.append(name) or Backwards())
    words = ["index", str(tmp_path / "rooms.md"), "--store", str(tmp_path / "s"), "--embedder", "none"]
    kept = []
    for more in ([], ["--rerank", "backwards"]):
        assert wellread(*words, "--calibrate", str(tmp_path / "q.jsonl"), *more).returncode == 0
        kept.append(read_refusal(tmp_path / "s" / REFUSAL))
    assert named == ["backwards"]
    assert kept[0] != kept[1]


def test_calibrating_offline_fetches_no_embedder(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread import calibrating

    class Stopped(Exception):
        pass

    def opened(path: Any, *, offline: bool) -> Any:
        raise Stopped(offline)

    monkeypatch.setattr(calibrating, "open_store", opened)
    with pytest.raises(Stopped, match="True"):
        calibrating.calibrate(store, "library:handbook_questions", offline=True)


@pytest.mark.parametrize(
    ("questions", "said"),
    [("gone.jsonl", "cannot be read"), ("few.jsonl", "1 questions that the sources answer and 0")],
)
def test_questions_that_cannot_calibrate_are_told_before_anything_is_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, questions: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").write_text(HANDBOOK, encoding="utf-8")
    (tmp_path / "few.jsonl").write_text('{"question": "When?", "answers": ["now"]}', encoding="utf-8")
    done = wellread("index", "a.md", "--store", "s", "--embedder", "none", "--calibrate", questions)
    assert (done.returncode, said in done.stderr) == (2, True)
    assert not (tmp_path / "s").exists()
