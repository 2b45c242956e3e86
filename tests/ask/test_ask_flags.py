"""What the flags of `wellread ask` do, each by its effect; where questions come from; and wrong words, told in one line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from ask_clerk import Clerk, wellread

from wellread import models
from wellread.indexing import index_texts
from wellread.models import open_model
from wellread.testing import UniformBytes, tiny_model
from wellread.types import Sampling


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


def test_embedded_questions_are_named_as_texts_are(clerk: Clerk, store: Path) -> None:
    done = wellread("ask", "clerk", "--questions", "library:conte_questions", "--store", str(store), "--json")
    assert len(done.stdout.splitlines()) > 40


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
