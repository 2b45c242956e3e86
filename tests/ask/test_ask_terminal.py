"""What a terminal is shown of an answer: nothing that steers it, and links to the files that are there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ask_clerk import HANDBOOK, Clerk, wellread

from wellread.commands import terminal
from wellread.indexing import index_texts


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
