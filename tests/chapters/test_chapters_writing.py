"""New chapters: as long as asked, under the guard across passages, out of circles, and resumed to the same text."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from wellread import cli
from wellread.chapters.choosing import distinct, loop_start, spoken, yardstick_of
from wellread.chapters.drafting import (
    Desk,
    Draft,
    closed,
    draft_chapters,
    joinable,
    restored,
    still_allowed,
    trailing_run,
)
from wellread.chapters.manner import manner_of
from wellread.chapters.writing import tongue_of
from wellread.corpus.epub import load
from wellread.corpus.ingest import write_corpus
from wellread.errors import UsageError
from wellread.matching import Index
from wellread.models import open_model
from wellread.testing import prose, tiny_model
from wellread.types import Corpus, Document, Prompt, Sample, Sampling
from wellread.writing import open_writer

SENTENCES = "The ferry left at noon with eleven sheep and two priests. It was the last of the year, and nobody waved. "


class Scripted:
    """A model that says, of each prompt and seed, what it is told to; `tell` as any other."""

    name = tokenizer_name = "scripted"
    window = 64

    def __init__(self, said: Callable[[str, int], str], finish: str = "length") -> None:
        self.said, self.finish, self.asked, self.prompts = said, finish, [], []  # type: ignore[var-annotated]

    def generate(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Sample]:
        self.asked.append(sampling)
        self.prompts += prompts
        return [
            Sample(str(prompt), self.said(str(prompt), seed), sampling, seed, finish=self.finish)  # type: ignore[arg-type]
            for prompt in prompts
            for seed in range(sampling.seed, sampling.seed + sampling.n)
        ]

    def score(self, texts: Sequence[str], *, length: int | None = None, stride: int | None = None) -> list[object]:
        raise AssertionError


def corpus() -> Corpus:
    texts = [f"Chapter {number}\n\n" + prose(150, number) for number in range(1, 11)]
    documents = tuple(Document(f"b-{n}", text, "my_book.txt", f"Chapter {n}") for n, text in enumerate(texts, 1))
    ids = [document.id for document in documents]
    return Corpus(documents, {"train": tuple(ids[:8]), "validation": (ids[8],), "held_out": (ids[9],)})


def desk(model: Scripted, *, words: int = 100, best_of: int = 1, **sampling: float) -> Desk:
    book = corpus()
    settings = Sampling(**{"max_tokens": 60, **sampling})  # type: ignore[arg-type]
    manner, index = manner_of(book.documents), Index(book.documents)
    return Desk(model, settings, manner, yardstick_of(book), index, best_of, words, "The last page.")  # type: ignore[arg-type]


def fresh(prompt: str, seed: int) -> str:
    return " " + prose(40, 1000 + seed) + " Then he"


def test_chapters_are_headed_on_end_with_a_sentence_and_see_what_came_before() -> None:
    model = Scripted(fresh)
    chapters = draft_chapters(desk(model), Draft(), 2)
    assert [chapter.label for chapter in chapters] == ["Chapter 11", "Chapter 12"]
    for chapter in chapters:
        assert chapter.text.endswith(".")
        assert 80 <= len(chapter.text.split()) <= 130
        assert not chapter.note
    assert model.prompts[0] == "The last page.\n\nChapter 11\n\n"
    assert any(chapters[0].text[-50:] + "\n\nChapter 12\n\n" in prompt for prompt in model.prompts)
    assert max(map(len, model.prompts)) <= 8 * model.window


def test_no_new_title_stands_twice() -> None:
    headings = [f"Chapter {n}: Of the {letter} House" for n, letter in enumerate("ABCDEFGHIJ", 1)]
    documents = [Document(head, f"{head}\n\nIt rained.", "b.txt", head) for head in headings]
    said = {0: "The Ferry\n", 3: "The ferry.\n", 4: "12 and 13\n", 5: "Of the J House\n", 6: "The Storm\n"}
    model = Scripted(lambda prompt, seed: said.get(seed) or fresh(prompt, seed))
    draft = Draft()
    chapters = draft_chapters(replace(desk(model, words=60), manner=manner_of(documents)), draft, 2)
    assert [chapter.label for chapter in chapters] == ["Chapter 11: The Ferry", "Chapter 12: The Storm"]
    assert draft.titles == ["theferry", "thestorm"]


def test_a_model_that_begins_the_next_chapter_or_stops_ends_this_one() -> None:
    model = Scripted(lambda prompt, seed: " " + prose(70, seed + 50) + "\n\nChapter 12\n\nIt went on")
    [chapter] = draft_chapters(desk(model), Draft(), 1)
    assert "Chapter" not in chapter.text
    assert len(chapter.text.split()) == 70
    silent = draft_chapters(desk(Scripted(lambda prompt, seed: "", "stop")), Draft(), 1)
    assert silent[0].text == ""
    assert "the model ended it after 0 of 100 words" in silent[0].note


def test_circles_are_drawn_again_from_where_they_began() -> None:
    def circling(prompt: str, seed: int) -> str:
        return " and so it went round and round" * 12 + " and" if seed == 2 else fresh(prompt, seed)

    model = Scripted(circling)
    [chapter] = draft_chapters(desk(model), Draft(), 1)
    assert chapter.mended == 1
    assert chapter.text.count("round and round") <= 1
    assert chapter.distinct >= 0.9 * chapter.own_distinct
    assert [each.repetition_penalty for each in model.asked[:4]] == [1.0, 1.0, 1.0, 1.1]


def test_what_cannot_be_mended_is_said() -> None:
    model = Scripted(lambda prompt, seed: " and so it went round and round" * 12)
    [chapter] = draft_chapters(desk(model), Draft(), 1)
    assert chapter.mended == 4
    assert "it goes in circles" in chapter.note


def test_where_a_loop_begins() -> None:
    said = [*"abcdefgh", *"xyzwv" * 10]
    assert loop_start(said) == 13
    assert loop_start([*"abcdefgh"]) == 8
    assert distinct(said) == pytest.approx((8 + 5) / 55)


def test_a_draft_resumed_anywhere_becomes_the_same_chapters() -> None:
    kept: list[str] = []

    def keep(draft: Draft) -> None:
        from dataclasses import asdict

        kept.append(json.dumps(asdict(draft)))

    whole = draft_chapters(desk(Scripted(fresh)), Draft(), 2, keep=keep)
    for line in kept:
        row = json.loads(line)
        assert draft_chapters(desk(Scripted(fresh)), restored(row), 2) == whole


def test_no_run_of_the_book_grows_across_a_seam() -> None:
    book = corpus().documents[3].text.split("\n\n", 1)[1].split()
    limit = 8

    def reciting(prompt: str, seed: int) -> str:
        """As a guarded model that knows the book by heart: as much of it as it may, from where it stands in it."""
        allowed = model.asked[-1].no_recite
        last = prompt.rsplit(maxsplit=1)[-1]
        place = book.index(last) + 1 if last in book else 0
        return " " + " ".join(book[place : place + allowed]) + " brrr"

    model = Scripted(reciting)
    table = desk(model, no_recite=limit, words=60)
    [chapter] = draft_chapters(table, Draft(), 1)
    longest = table.index.longest(chapter.text)
    assert longest is not None
    assert 4 <= longest.words <= limit


def test_the_guard_holds_after_circles_that_end_in_the_books_words() -> None:
    """Taken back to where it began to repeat itself, the chapter ends in as many words of the book as it may have."""
    book = corpus().documents[3].text.split("\n\n", 1)[1].split()
    limit = 8
    circle = " and so it went " + " ".join(book[5 : 5 + limit])

    def said(prompt: str, seed: int) -> str:
        if seed == 0:
            return " " + prose(30, 77).rstrip(".") + circle * 6 + " and"
        allowed = model.asked[-1].no_recite or 50  # what 0 means to a model: no guard
        return " " + " ".join(book[5 + limit : 5 + limit + allowed]) + " brrr " + prose(30, 1000 + seed)

    model = Scripted(said)
    table = desk(model, no_recite=limit)
    [chapter] = draft_chapters(table, Draft(), 1)
    assert chapter.mended == 1
    assert all(asked.no_recite >= limit // 2 for asked in model.asked)
    longest = table.index.longest(chapter.text)
    assert longest is not None
    assert longest.words <= limit


def test_a_guard_that_was_asked_for_is_never_none() -> None:
    index = Index([Document("1", "one two three four five six seven eight")])
    assert still_allowed("zzz three four", index, 8) == 6
    assert still_allowed("zzz three four", index, 0) == 0
    with pytest.raises(ValueError, match="ends in 4 words of the book"):
        still_allowed("three four five six", index, 4)


def test_a_text_is_joined_where_few_of_its_last_words_stand_in_the_book() -> None:
    index = Index([Document("1", "one two three four five six seven eight")])
    assert trailing_run("zzz three four five", index, 8) == 3
    assert trailing_run("one two three four five six seven eight", index, 4) == 4
    assert joinable("zzz one two three four five six.", index, 8) == "zzz one two three four"
    assert joinable("one two", index, 8) == "one two"


def test_of_several_candidates_the_one_in_the_books_words_is_taken() -> None:
    """The book says `the` and `of` evenly; one candidate in four does, too."""
    text = "the cat of the house and the dog of the yard were here " * 60
    documents = tuple(Document(str(n), text, "b.txt", f"Chapter {n}") for n in range(1, 4))
    measure = yardstick_of(Corpus(documents, {"train": ("1", "2"), "validation": (), "held_out": ("3",)}))
    alien = spoken("you will not if you may but they shall never when she would")
    like = spoken("the hen of the farm and the fox of the wood were here")
    assert measure.choose([], [alien, like, alien, alien[:3]]) == 1
    assert measure.style(like) < measure.style(alien)
    assert "most frequent words" in measure.kind


@pytest.mark.parametrize(
    ("text", "ended"),
    [
        ('"No," he said. "It is late.', '"No," he said. "It is late."'),
        ("“No,” he said. “It is late.", "“No,” he said. “It is late.”"),
        ("« Non. Il est tard.", "« Non. Il est tard.\N{NO-BREAK SPACE}»"),
        ('"No," he said.\n\nIt was late.', '"No," he said.\n\nIt was late.'),
        ('of the parrot." And he left.', 'of the parrot." And he left.'),
        ('"It is late."', '"It is late."'),
        ("", ""),
    ],
)
def test_a_chapter_leaves_no_speech_open(text: str, ended: str) -> None:
    assert closed(text) == ended


@pytest.mark.parametrize(
    ("stated", "tag"),
    [("en-GB", "en-GB"), ("en_US", "en-US"), ("sr-Latn-RS", "sr-Latn-RS"), ("de-DE-1996", "de-DE"), ("eng; fre", "eng"),
     (" fr\n", "fr"), ("English", "en"), ("x", "en"), ("", "en"), ("en-12", "en")],
)  # fmt: skip
def test_a_language_that_is_no_tag_is_told_by_the_words(stated: str, tag: str) -> None:
    text = "It was the last of the year, and there was nobody in the house with whom he could have been at odds."
    assert tongue_of([Document("1", text, metadata={"language": stated})]) == tag


def test_longer_texts_are_expected_to_repeat_more() -> None:
    measure = yardstick_of(corpus())
    assert measure.own_distinct(20) >= measure.own_distinct(150)
    assert measure.least_distinct(50) == pytest.approx(0.9 * measure.own_distinct(50))


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
