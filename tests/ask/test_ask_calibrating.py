"""A store that is calibrated by questions of its own: what it refuses then, and questions that cannot calibrate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ask_clerk import HANDBOOK, wellread


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
