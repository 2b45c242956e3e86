"""New chapters from the command line: files, drafts that go on, what is refused, how far back a model sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from wellread import cli
from wellread.corpus.epub import load
from wellread.corpus.ingest import write_corpus
from wellread.errors import UsageError
from wellread.models import open_model
from wellread.testing import prose, tiny_model
from wellread.types import Corpus, Document
from wellread.writing import open_writer


def corpus() -> Corpus:
    texts = [f"Chapter {number}\n\n" + prose(150, number) for number in range(1, 11)]
    documents = tuple(Document(f"b-{n}", text, "my_book.txt", f"Chapter {n}") for n, text in enumerate(texts, 1))
    ids = [document.id for document in documents]
    return Corpus(documents, {"train": tuple(ids[:8]), "validation": (ids[8],), "held_out": (ids[9],)})


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with a tiny random model."""
    folder, book = tmp_path / "run", corpus()
    write_corpus(book, folder / "corpus")
    recipe = "name: x\nbase: embedded\nstages: [{name: imprint, method: {kind: full}}]\n"
    (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    text = [document.text for document in book.documents]
    tiny_model(folder / "stages" / "01-imprint" / "checkpoint", text, vocabulary=400)
    return folder


def raising(error: BaseException) -> Callable[..., None]:
    def raises(*given: object) -> None:
        raise error

    return raises


def test_write_chapters_from_the_command_line(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "next.epub"
    words = [
        "write",
        str(run),
        "--chapters",
        "2",
        "--words",
        "20",
        "--max-tokens",
        "40",
        "--best-of",
        "2",
        "--no-recite",
        "4",
    ]
    done = CliRunner().invoke(cli.app, [*words, "--notes", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["label"] for row in rows] == ["Chapter 11", "Chapter 12"]
    assert all(row["longest"] is None or row["longest"]["words"] <= 4 for row in rows)
    about, *chapters, notes = load(out)
    assert "written by a language model, run" in about.text
    assert about.metadata["title"] == "New chapters after My book"
    assert [each.section for each in chapters] == ["Chapter 11", "Chapter 12"]
    assert "Chapter 11:" in notes.text
    assert not (tmp_path / "next.epub.draft.json").exists()

    import wellread.chapters.writing

    with monkeypatch.context() as patched:
        patched.setattr(wellread.chapters.writing, "bind", raising(KeyboardInterrupt()))
        CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path / "next.txt")])
    assert not (tmp_path / "next.txt").exists()
    refused = CliRunner().invoke(cli.app, [*words, "--seed", "5", "--out", str(tmp_path / "next.txt")])
    assert refused.exit_code != 0
    again = CliRunner().invoke(cli.app, [*words, "--title", "Emma\n and others", "--out", str(tmp_path / "next.txt")])
    assert again.exit_code == 0, again.output
    assert "2 chapters" in again.stderr
    told = (tmp_path / "next.txt").read_text(encoding="utf-8")
    assert told.startswith("New chapters after Emma and others\n\n")
    assert rows[0]["completion"] in told
    finished = CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path / "next.txt")])
    assert isinstance(finished.exception, UsageError)
    assert "next.txt is there already; name another, or delete it" in str(finished.exception)
    assert (tmp_path / "next.txt").read_text(encoding="utf-8") == told


def test_no_file_is_replaced_and_no_model_opened_for_it(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import wellread.chapters.writing

    out, words = tmp_path / "x.txt", ["--words", "8", "--max-tokens", "20", "--out", str(tmp_path / "x.txt")]
    with monkeypatch.context() as patched:
        patched.setattr(wellread.chapters.writing, "bind", raising(KeyboardInterrupt()))
        CliRunner().invoke(cli.app, ["write", str(run), "--chapters", "1", *words])
    out.write_text("mine", encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setattr("wellread.writing.open_model", raising(AssertionError()))
        for asked in (["Once", "--out", str(out)], ["--chapters", "2", *words]):
            refused = CliRunner().invoke(cli.app, ["write", str(run), *asked])
            assert isinstance(refused.exception, UsageError)
            assert refused.exception.exit_code == 2
            assert str(refused.exception) == f"{out} is there already; name another, or delete it."
    assert out.read_text(encoding="utf-8") == "mine"
    # all of the draft is there: the kill came just after the book was bound
    assert CliRunner().invoke(cli.app, ["write", str(run), "--chapters", "1", *words]).exit_code == 0
    assert out.read_text(encoding="utf-8") != "mine"


def test_a_draft_goes_on_with_the_file_that_it_was_begun_with(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is exported between two calls changes nothing of the text, and neither does an export that is gone."""
    import wellread.chapters.writing
    import wellread.writing

    lighter = tmp_path / "lighter"
    lighter.symlink_to(run / "stages" / "01-imprint" / "checkpoint")

    def written(name: str, file: Path | None, *, killed: bool = False) -> Result:
        with monkeypatch.context() as patched:
            patched.setattr(wellread.writing, "exported_file", lambda model, preset: file)
            if killed:
                patched.setattr(wellread.chapters.writing, "bind", raising(KeyboardInterrupt()))
            settings = ["--preset", "novel", "--max-tokens", "20", "--words", "8", "--chapters", "1"]
            return CliRunner().invoke(cli.app, ["write", str(run), *settings, "--out", str(tmp_path / name)])

    for name, before, after in (("a.txt", None, tmp_path / "absent.gguf"), ("b.txt", lighter, None)):
        written(name, before, killed=True)
        resumed = written(name, after)
        assert resumed.exit_code == 0, resumed.output
        assert f"by {before or run}: 1 chapters" in resumed.stderr
    assert "written by a language model, lighter" in (tmp_path / "b.txt").read_text(encoding="utf-8")
    written("c.txt", lighter, killed=True)
    lighter.unlink()
    gone = written("c.txt", None)
    assert isinstance(gone.exception, UsageError)
    assert "lighter, which is not there any more" in str(gone.exception)


@pytest.mark.parametrize(
    "kept", [[], "draft", {}, {"settings": {}}, {"settings": {}, "writer": "", "chapters": [{"label": "1"}], "titles": []},
             {"settings": {}, "writer": "", "chapters": [], "titles": [], "text": 7},
             {"settings": {}, "writer": "", "chapters": [], "titles": [], "drawn": "1"}],
)  # fmt: skip
def test_a_draft_of_another_shape_is_one_line(run: Path, tmp_path: Path, kept: object) -> None:
    (tmp_path / "x.txt.draft.json").write_text(json.dumps(kept), encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["write", str(run), "--chapters", "1", "--out", str(tmp_path / "x.txt")])
    assert isinstance(done.exception, UsageError)
    assert done.exception.exit_code == 2
    assert "no draft that this version can go on with; delete it" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--chapters", "1"], "--out"),
        (["--chapters", "1", "--out", "x.docx"], "x.docx"),
        (["--chapters", "1", "--out", "x.txt", "--no-recite", "2"], "--no-recite 2"),
        (["--chapters", "1", "--out", "x.txt", "--best-of", "2", "--temperature", "0"], "--best-of 2"),
        (["--words", "9", "Once"], "--chapters"),
        (["Once", "--out", "x.EPUB"], "add --chapters N for a book"),
        ([], "PROMPT"),
    ],
)
def test_what_cannot_be_is_refused(run: Path, words: list[str], said: str) -> None:
    done = CliRunner().invoke(cli.app, ["write", str(run), *words])
    assert done.exit_code != 0
    assert said in str(done.exception)


@pytest.fixture
def wide(run: Path) -> Path:
    """The run's model with 1,300 positions."""
    texts = [document.text for document in corpus().documents]
    tiny_model(run / "stages" / "01-imprint" / "checkpoint", texts, vocabulary=400, positions=1300)
    return run


def test_a_model_that_writes_sees_as_far_back_as_it_can(wide: Path) -> None:
    """Two beginnings that differ 1,010 tokens back alone are gone on with differently, but in a window of 1,024."""

    def written(sign: str, *more: str) -> str:
        long = sign * 150 + "0" * 1010  # the model knows each by its byte alone
        words = ["write", str(wide), long, "--max-tokens", "20", "--temperature", "0", "--json", *more]
        done = CliRunner().invoke(cli.app, words)
        assert done.exit_code == 0, done.output
        return str(json.loads(done.stdout)["completion"])

    assert written("1") != written("2")
    assert written("1", "--window", "1024") == written("2", "--window", "1024")
    assert getattr(open_writer(str(wide)), "window", 0) == 1300
    assert getattr(open_model(str(wide)), "window", 0) == 1024
    refused = CliRunner().invoke(cli.app, ["write", str(wide), "Once", "--window", "1301"])
    assert "1301 tokens was asked for; it takes 2 to 1300" in str(refused.exception)
    endpoint = CliRunner().invoke(cli.app, ["write", "http://127.0.0.1:9/v1#x", "Once", "--window", "64"])
    assert "leave --window away" in str(endpoint.exception)


def test_chapters_are_written_in_the_window_that_is_asked_for(wide: Path, tmp_path: Path) -> None:
    def written(name: str, *more: str) -> str:
        words = ["write", str(wide), "--chapters", "1", "--words", "8", "--max-tokens", "20", *more]
        done = CliRunner().invoke(cli.app, [*words, "--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        return (tmp_path / name).read_text(encoding="utf-8")

    assert written("x.txt") != written("y.txt", "--window", "100")
