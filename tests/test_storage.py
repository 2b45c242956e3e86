"""Files and folders that are whole or absent, and one line for what is refused or damaged."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from wellread.errors import StorageError
from wellread.storage import (
    fill_once,
    new_file,
    new_folder,
    read_json,
    read_rows,
    storage_errors,
    stream_rows,
    write_json,
    write_rows,
    write_text,
)


def test_a_new_folder_is_whole_or_not_there(tmp_path: Path) -> None:
    place = tmp_path / "deep" / "folder"
    with new_folder(place) as unfinished:
        (unfinished / "a").write_text("1")
        assert not place.exists()

    def stopped() -> None:
        with new_folder(place) as unfinished:
            (unfinished / "a").write_text("2")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert (place / "a").read_text() == "1"
    with new_folder(place) as unfinished:
        (unfinished / "b").write_text("3")
    assert [path.name for path in place.parent.iterdir()] == ["folder"]
    assert [path.name for path in place.iterdir()] == ["b"]


def test_rows_survive_a_round_trip_and_an_unfinished_last_line_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    write_rows(file, [{"a": 1}, {"b": "é\u2028x\u0085"}])
    assert read_rows(file) == [{"a": 1}, {"b": "é\u2028x\u0085"}]
    with file.open("a", encoding="utf-8") as stream:
        stream.write('{"c": ')
    assert read_rows(file) == [{"a": 1}, {"b": "é\u2028x\u0085"}]


def test_a_broken_line_in_the_middle_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"a": 1}\n{oops\n{"b": 2}\n', encoding="utf-8")
    with pytest.raises(StorageError, match="line 2"):
        read_rows(file)


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="--out"):
        write_text(tmp_path / "file" / "below" / "x.txt", "text")


def test_what_the_system_refuses_is_one_clear_line_and_the_old_file_stays(tmp_path: Path) -> None:
    """In a child whose files may not grow past 4 kB, which the system refuses as it does on a full disk."""
    file = tmp_path / "x.txt"
    file.write_text("old", encoding="utf-8")
    child = (
        "import resource, signal, sys; from pathlib import Path; from wellread.storage import write_text\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        f"write_text(Path({str(file)!r}), 'x' * 100_000)"
    )
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
    assert "StorageError" in done.stderr
    assert "allows no file of this size" in done.stderr
    assert file.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


KILLED = """
import os, sys
from pathlib import Path
from wellread.storage import fill_once, new_file, new_folder
def half(folder):
    (folder / "half").write_text("x")
    os.kill(os.getpid(), 9)
place = Path(sys.argv[2])
if sys.argv[1] == "fill_once":
    fill_once(place, half)
elif sys.argv[1] == "new_folder":
    with new_folder(place) as unfinished:
        half(unfinished)
else:
    with new_file(place) as unfinished:
        unfinished.write_text("half")
        os.kill(os.getpid(), 9)
"""


def write_again(kind: str, place: Path) -> None:
    if kind == "fill_once":
        fill_once(place, lambda folder: None)
    elif kind == "new_folder":
        with new_folder(place):
            pass
    else:
        write_text(place, "whole")


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
@pytest.mark.parametrize("kind", ["fill_once", "new_folder", "new_file"])
def test_what_a_killed_process_left_is_removed_at_once(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    assert subprocess.run([sys.executable, "-c", KILLED, kind, str(place)]).returncode == -9
    [left] = tmp_path.iterdir()
    assert left.name.startswith(".place.")
    write_again(kind, place)
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.parametrize("kind", ["fill_once", "new_folder", "new_file"])
def test_what_a_living_process_or_another_machine_writes_is_left_alone(kind: str, tmp_path: Path) -> None:
    with new_folder(tmp_path / "place") as mine:
        machine, rest = mine.name.removeprefix(".place.").split("-", 1)
        away = mine.with_name(mine.name.replace(machine, "00000000" if machine != "00000000" else "00000001"))
        old = away.with_name(away.name.replace(rest[-16:], "01234567.partial"))
        foreign = tmp_path / ".place.of-somebody.partial"
        for each in (away, old, foreign):
            each.mkdir()
        for each in (old, foreign):
            os.utime(each, (time.time() - 7200, time.time() - 7200))
        write_again(kind, tmp_path / "place")
        assert mine.exists()
        assert away.exists()
        assert foreign.exists()
        assert not old.exists()
        if kind == "new_file":
            (tmp_path / "place").unlink()


def test_of_several_that_fill_a_folder_the_first_wins(tmp_path: Path) -> None:
    place = tmp_path / "place"

    def late(folder: Path) -> None:
        fill_once(place, lambda other: (other / "first").touch())
        (folder / "second").touch()

    fill_once(place, late)
    assert [path.name for path in place.iterdir()] == ["first"]
    assert list(tmp_path.iterdir()) == [place]


def test_a_kill_between_the_old_folder_and_the_new_one_loses_neither(tmp_path: Path) -> None:
    (tmp_path / ".place.replaced").mkdir()
    (tmp_path / ".place.replaced" / "old").touch()
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "place"):
        raise KeyboardInterrupt
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["old"]


def test_a_file_that_fails_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "old")
    with pytest.raises(ZeroDivisionError), new_file(tmp_path / "x") as unfinished:
        unfinished.write_text(str(1 / 0))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EFBIG, "no file of this size"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "--out"),
    ],
)
def test_each_refusal_says_what_to_do(number: int, said: str) -> None:
    with pytest.raises(StorageError, match=f"^run: .*{said}"), storage_errors(Path("run")):
        raise OSError(number, os.strerror(number))


def test_a_caller_says_what_was_written_and_a_file_elsewhere_is_named() -> None:
    place = Path("run") / "rows"
    with (
        pytest.raises(StorageError, match=r"^no rows: No space left on device; free some\.$"),
        storage_errors(place, what="no rows", mend="free some"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device", str(place / "x"))
    with (
        pytest.raises(StorageError, match=r"^no rows: book\.txt: gone; look\.$"),
        storage_errors(place, what="no rows", mend="look"),
    ):
        raise OSError(errno.ENOENT, "gone", "book.txt")


def test_what_is_absent_or_damaged_is_none_or_one_line(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"a": "é"})
    assert read_json(tmp_path / "x") == {"a": "é"}
    assert read_json(tmp_path / "y", optional=True) is None
    assert list(stream_rows(tmp_path / "y", optional=True)) == []
    for read in (read_json, read_rows):
        with pytest.raises(StorageError, match=r"cannot read .*y: No such file or directory\. Mend it\."):
            read(tmp_path / "y", mend="Mend it.")
    (tmp_path / "x").write_bytes(b'{"a": "\xff"}\n')
    for read in (read_json, read_rows):
        with pytest.raises(StorageError, match=r"x.*Delete it") as caught:
            read(tmp_path / "x")
        assert "\n" not in str(caught.value)


def test_a_row_is_a_line_for_every_reader(tmp_path: Path) -> None:
    rows = [{"text": "a\u2028b\u2029c\u0085d\ne"}]
    write_rows(tmp_path / "rows", rows)
    assert len((tmp_path / "rows").read_text(encoding="utf-8").splitlines()) == 1
    assert read_rows(tmp_path / "rows") == rows
