from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from wellread import cli
from wellread.commands.terminal import folded, measurement_lines, note, progress_line, watching
from wellread.generation.progress import Work
from wellread.types import Measurement, Sampling


def wellread(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The console script's own function in this process, which has imported everything already."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["wellread", *words])
        patch.chdir(cwd or Path.cwd())
        with pytest.raises(SystemExit) as end:
            cli.main()
    return subprocess.CompletedProcess(words, int(end.value.code or 0), out.getvalue(), err.getvalue())


def test_help_loads_nothing_heavy() -> None:
    child = (
        "import sys; sys.argv = ['wellread', '--help']\n"
        "from wellread.cli import app\n"
        "app(standalone_mode=False)\n"
        "heavy = {'torch', 'transformers', 'pydantic', 'numpy', 'yaml'} & set(sys.modules); sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for verb in ("run", "plan", "new", "measure", "write", "synthesise", "report", "list", "doctor"):
        assert f"  {verb} " in done.stdout


def test_doctor_says_what_is_optional_and_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread import environment

    monkeypatch.setitem(environment.FACULTIES, "documents", ("no_such_module", "no-such-package"))
    [found] = [check for check in environment.examine() if check.name == "documents"]
    assert found.good
    assert "optional: pip install no-such-package" in found.found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "nowel"], "did you mean 'novel'"),
        (["run", "novel", "no-such-file.txt"], "no-such-file.txt"),
        (["run", "novel-from-scratch"], "name a file"),
        (["run", "novel", "--set", "imprint.rnk=3"], "did you mean 'imprint.rank'"),
        (["run", "novel", "--set", "imprint.rank=8,16", "--out", "x"], "2 runs"),
        (
            ["run", "novel", "--minutes", "-1"],
            "novel: imprint.budget.minutes: input should be greater than 0; found -1\n",
        ),
        (["run", "novel", "--set", "imprint.rank=abc"], "or input should be 'auto'; found 'abc'\n"),
        (["run", "mine.yaml"], "`wellread new novel mine.yaml` writes one"),
        (["write", "runs/novel-1a2b", "Once"], "`wellread list runs`"),
        (["write", "embeded", "Once"], "did you mean 'embedded'"),
        (["plan", "nowel"], "did you mean 'novel'"),
        (["new", "nowel"], "did you mean 'novel'"),
        (["report", "."], "not a run folder"),
        (["measure", "embedded"], "--text"),
        (["write", "http://localhost/v1", "Once"], "name the model behind"),
        (["list", "recipies"], "did you mean 'recipes'"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(words: list[str], said: str, tmp_path: Path) -> None:
    done = wellread(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "novel"], "interrupted; the same command goes on with what is kept."),
        (["index", "a", "--store", "b"], "interrupted; the same command goes on with what is kept."),
        (["measure", "r"], "interrupted."),
        (["measure", "r", "--dial", "0,1"], "interrupted; the same command goes on with what is kept."),
        (["write", "r", "Once"], "interrupted."),
        (["write", "r", "--chapters", "2"], "interrupted; the draft is kept, and the same command goes on with it."),
        (["write", "r", "--chapters=2"], "interrupted; the draft is kept, and the same command goes on with it."),
        ([], "interrupted."),
    ],
)
def test_ctrl_c_promises_no_more_than_is_kept(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**given: object) -> None:
        raise SystemExit(cli.INTERRUPTED)

    monkeypatch.setattr(cli, "app", interrupted)
    assert wellread(*words).stderr == f"wellread: {said}\n"


def test_new_copies_a_recipe_that_runs_as_it_is_and_never_overwrites(tmp_path: Path) -> None:
    from wellread.recipe import load_recipe

    assert wellread("new", "novel", "mine.yaml", cwd=tmp_path).stdout == "mine.yaml\n"
    assert load_recipe(str(tmp_path / "mine.yaml")) == load_recipe("novel")
    again = wellread("new", "novel", "mine.yaml", cwd=tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize(
    ("kind", "member"),
    [("recipes", "novel"), ("metrics", "bits_per_byte"), ("loaders", ".epub"), ("texts", "library:novella")],
)
def test_list_names_what_there_is(kind: str, member: str) -> None:
    rows = [json.loads(line) for line in wellread("list", kind, "--json").stdout.splitlines()]
    assert member in {row["name"] for row in rows}
    assert [row["name"] for row in rows if not row["about"]] == []


def test_the_version_and_empty_lists_are_told(tmp_path: Path) -> None:
    assert wellread("--version").stdout.startswith("wellread 0.")
    none = wellread("list", "runs", cwd=tmp_path)
    assert (none.stdout, none.stderr) == ("", "no runs here yet\n")


def test_a_long_line_about_a_recipe_is_folded_under_its_name() -> None:
    lines = wellread("list").stdout.splitlines()
    assert max(map(len, lines)) <= 100 or "COLUMNS" in os.environ
    assert {line[:24].strip() for line in lines} >= {"", "novel", "novel-full"}


def test_the_progress_line_shows_what_a_person_waits_for() -> None:
    now = SimpleNamespace(
        share=0.5, step=1200, loss=3.21, validation_loss=3.4, tokens_per_second=4321.0, seconds_left=75.0,
        stopped="",
    )  # fmt: skip
    assert (
        progress_line(now, width=4)
        == "[██░░]  50%  step 1,200  loss 3.210  validation 3.400  4,321 tokens/s  1 min 15 s left"
    )
    now.stopped = "patience: 3 validations without a lower loss"
    assert progress_line(now) == "stopped after step 1,200: patience: 3 validations without a lower loss"


def test_a_measurement_that_was_not_made_says_why() -> None:
    [line] = measurement_lines([Measurement("perplexity", None, note="the backend cannot score")])
    assert "not measured" in line
    [line] = measurement_lines([Measurement("bits_per_byte", 1.5, "bits", split="held_out", low=1.4, high=1.6)])
    assert "1.5000 [1.4000, 1.6000]" in line


def test_of_several_subjects_each_is_named_above_its_measurements() -> None:
    rows = [Measurement("perplexity", 2.0, subject=each, split=split) for each in ("a", "b") for split in ("x", "y")]
    lines = [line.split() for line in measurement_lines(rows)]
    assert [line[0] if line else "" for line in lines] == ["", "a", *["perplexity"] * 2, "", "b", *["perplexity"] * 2]


def test_what_a_model_writes_or_scores_has_a_progress_line_too() -> None:
    now = Work("scoring", 1200, 4800, "pieces of text", 0.25, 30.0)
    assert progress_line(now, width=4) == "[█░░░]  25%  scoring: 1,200 of 4,800 pieces of text  1 min 30 s left"
    assert progress_line(replace(now, share=0.0), width=0) == "  0%  scoring: 1,200 of 4,800 pieces of text"


def test_a_pipe_has_a_line_of_progress_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [1000.0]
    monkeypatch.setattr("wellread.commands.terminal.time.monotonic", lambda: clock[0])
    with watching() as watch:
        for second in range(301):
            clock[0] = 1000.0 + second
            watch.progress(Work("writing", second, 300, "texts", second / 300, float(second)))
    found = capsys.readouterr()
    assert found.out == ""
    assert [line.strip() for line in found.err.splitlines()] == [
        "40%  writing: 120 of 300 texts  3 min 00 s left", "80%  writing: 240 of 300 texts  1 min 00 s left",
    ]  # fmt: skip


def test_prose_is_folded_between_words_under_its_own_indent() -> None:
    text = "The book was learned a little.\n\n  takes 2 GB with --set imprint.batch=1 and no more"
    assert folded(text, 24) == (
        "The book was learned a\nlittle.\n\n  takes 2 GB with --set\n    imprint.batch=1 and\n    no more"
    )
    assert folded("one-very-long-word-" * 3, 20) == "one-very-long-word-" * 3


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_is_told_folded_prose_and_a_pipe_whole_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import fcntl
    import pty
    import select
    import struct
    import termios

    said = "how well the chapters are foreseen that training never saw"
    note(said)
    assert capsys.readouterr().err == f"{said}\n"
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        note(said)
        note(said, fold=False)
        shown = b"".join(
            iter(lambda: os.read(ours, 1000) if select.select([ours], [], [], 0.2)[0] else b"", b"")
        ).decode()
    os.close(ours)
    assert shown.split() == [*said.split(), *said.split()]
    assert [len(line) <= 30 for line in shown.splitlines()] == [True, True, True, False]


@pytest.mark.parametrize(("verb", "name"), [("write", "[PROMPT]"), ("ask", "[QUESTION]"), ("extract", "[TEXT]")])
def test_words_that_are_no_utf_8_are_told_so(verb: str, name: str) -> None:
    done = wellread(verb, "embedded", b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert done.returncode == 2
    assert "its letters are no UTF-8" in done.stderr
    assert name in done.stderr


def test_every_flag_of_sampling_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `write`; what each changes in a text is shown with the models, and what `ask` hears with the stores."""
    asked: list[Sampling] = []

    def listening(model: str, prompts: object, sampling: Sampling, **_: object) -> list[object]:
        asked.append(sampling)
        return []

    monkeypatch.setattr("wellread.writing.continue_texts", listening)
    flags = {"--max-tokens": "7", "--temperature": "0.5", "--top-p": "0.6", "--top-k": "3", "--min-p": "0.1",
             "--repetition-penalty": "1.2", "--seed": "9", "--n": "2", "--no-recite": "5"}  # fmt: skip
    done = wellread("write", "embedded", "Once", *(word for pair in flags.items() for word in pair))
    assert done.returncode == 0, done.stderr
    assert asked == [Sampling(7, 0.5, 0.6, 3, 0.1, 1.2, 9, 2, 5)]
