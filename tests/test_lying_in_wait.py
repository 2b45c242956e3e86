"""Documents that lie in wait, in a folder that is indexed: bombs, tricks with names and links, files that point elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wellread.corpus import load_file
from wellread.corpus.paging import page_starts
from wellread.corpus.whole import read_whole
from wellread.errors import CorpusError
from wellread.indexing import index_texts
from wellread.retrieval.store import open_store

SECRET = "the salamander sleeps under the seventh stair"
WATCHED = """
import resource, sys, time
from pathlib import Path
from wellread.corpus.whole import read_whole
from wellread.errors import CorpusError
began = time.process_time()
try:
    read_whole(Path(sys.argv[1]))
except CorpusError as error:
    print(error)
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # on Linux also of the process that started this one
status = Path("/proc/self/status")
if status.is_file():
    most = int(status.read_text().split("VmHWM:")[1].split()[0])
print(time.process_time() - began, most // 1024)
"""


def watched(path: Path) -> tuple[str, float, int]:
    """What reading a file in a process of its own says, the seconds of the processor, and the most MB it held."""
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))}
    done = subprocess.run([sys.executable, "-c", WATCHED, str(path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    said, _, figures = done.stdout.rstrip().rpartition("\n")
    seconds, megabytes = figures.split()
    return said, float(seconds), int(megabytes)


def pdf(path: Path, pages: int, *, alike: bool = False) -> Path:
    """A PDF of so many pages of nothing; `alike` names one page again and again."""
    kids = "3 0 R " * pages if alike else " ".join(f"{3 + n} 0 R" for n in range(pages))
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>"
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>",
               *[page] * (1 if alike else pages)]  # fmt: skip
    data, places = b"%PDF-1.4\n", []
    parts = [data]
    at = len(data)
    for number, written in enumerate(objects, 1):
        places.append(at)
        parts.append(f"{number} 0 obj\n{written}\nendobj\n".encode())
        at += len(parts[-1])
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    parts += [f"xref\n0 {size}\n0000000000 65535 f \n".encode(), table,
              f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{at}\n%%EOF".encode()]  # fmt: skip
    path.write_bytes(b"".join(parts))
    return path


def docx(path: Path, target: str = "word/document.xml", *, bomb: int = 0) -> Path:
    """A Word file of which the text is at `target`, in a main part of so many MB of nothing."""
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "_rels/.rels", f'<Relationships><Relationship Type="{relation}" Target="{target}"/></Relationships>'
        )
        if bomb:
            with archive.open(target, "w", force_zip64=True) as part:
                for _ in range(bomb):
                    part.write(b" " * 2**20)
    return path


@pytest.mark.slow
def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    said, seconds, megabytes = watched(docx(tmp_path / "bomb.docx", bomb=500))
    assert "refused as a zip bomb" in said
    assert seconds < 5
    assert megabytes < 200


@pytest.mark.slow
def test_ten_thousand_pages_of_nothing_are_told_in_a_line(tmp_path: Path) -> None:
    said, seconds, megabytes = watched(pdf(tmp_path / "empty.pdf", 10_000))
    assert "no text layer in its 10000 pages" in said
    assert "\n" not in said
    assert seconds < 20
    assert megabytes < 300


def test_a_page_that_is_named_a_million_times_is_not_read_a_million_times(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"1,000,000 pages, and at most 20,000 are read"):
        list(load_file(pdf(tmp_path / "alike.pdf", 1_000_000, alike=True)))


def test_a_pdf_of_more_text_than_any_book_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread.corpus import pdf as loader
    from wellread.corpus.layout import Line

    monkeypatch.setattr(loader, "TEXT", 100)
    monkeypatch.setattr(loader, "page_lines", lambda document, number: [Line("x" * 60, 0, 1, 0, 1)])
    with pytest.raises(CorpusError, match="more than 100 characters of text by page 2"):
        list(load_file(pdf(tmp_path / "long.pdf", 5)))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_tricks_with_names_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    names = [b"a..%2f..%2fpasswd.txt", b"line\nbreak.txt", b"-rf.txt", "\u202etxt.exe.txt".encode(), b"caf\xe9.txt",
             b"'; DROP TABLE chunks; --.txt", b"x" * 250 + b".txt", b"<script>alert(1)<.md", b"bad\nname.pdf"]  # fmt: skip
    for number, name in enumerate(names):
        try:
            Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text(
                f"Word{number} stands here.", encoding="utf-8"
            )
        except OSError:
            pytest.skip("this disk takes no such names")
    report = index_texts([folder], tmp_path / "store", embedder="none")
    store = open_store(tmp_path / "store")
    assert report.files == len(names) - 1
    documents = [document.id for document in store.documents()]
    assert all(document.isprintable() and document.startswith("texts/") for document in documents)
    assert "".join(documents).encode()
    for number in range(len(names) - 1):
        [found] = store.search(f"word{number}", 1)
        assert store.document_text(found.document) == f"Word{number} stands here."
        assert found.source.isprintable()
    [bad] = report.skipped
    assert (bad.source + bad.reason).isprintable()
    (folder / "-rf.txt").unlink()
    assert len(index_texts([folder], tmp_path / "store").removed) == 1


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "texts"
    outside.mkdir()
    folder.mkdir()
    (outside / "secret.txt").write_text(SECRET, encoding="utf-8")
    (folder / "own.txt").write_text("A text of its own.", encoding="utf-8")
    (folder / "file.txt").symlink_to(outside / "secret.txt")
    (folder / "folder").symlink_to(outside)
    (folder / "dots.txt").symlink_to("../outside/secret.txt")
    (folder / "loop").symlink_to(folder)
    (folder / "self.txt").symlink_to("self.txt")
    report = index_texts([folder], tmp_path / "store", embedder="none")
    assert [Path(file).name for file in report.added] == ["own.txt"]
    assert open_store(tmp_path / "store").search("salamander", 3) == []
    told = {Path(each.source).name for each in report.skipped if "leads out of the folder" in each.reason}
    assert told == {"file.txt", "folder", "dots.txt"}


@pytest.mark.parametrize("target", ["../../secret.txt", "/secret.txt", "file:///secret.txt"])
def test_a_file_that_points_out_of_itself_reads_nothing_there(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret.txt").write_text(SECRET, encoding="utf-8")
    with pytest.raises(CorpusError) as caught:
        read_whole(docx(tmp_path / "deep.docx", target))
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pages_are_found_again_in_cleaned_text() -> None:
    paged = "HEAD\n\nOne two three four five ex-\n\f\nHEAD\n\nample six seven eight nine.\n\f\n\n\f\nHEAD\n\nTen eleven twelve thirteen."
    cleaned = "One two three four five example six seven eight nine.\n\nTen eleven twelve thirteen."
    starts = page_starts(paged, cleaned)
    last = cleaned.index("Ten")
    assert starts == (0, cleaned.index("six"), last, last)
    assert page_starts("no pages here", "no pages here") == ()


def test_a_page_that_was_a_table_of_contents_begins_where_the_next_one_does() -> None:
    titles = [
        f"{n} Of the {thing} that the house keeps" for n, thing in enumerate(("lamps", "boats", "bells", "keys"), 1)
    ]
    chapters = [f"{title}\n\n" + " ".join(f"word{n}of{k}" for k in range(90)) for n, title in enumerate(titles)]
    listed = "Contents\n\n" + "\n".join(f"{title} ..... {n}" for n, title in enumerate(titles, 3))
    paged, cleaned = (
        "\n\f\n".join(["The Book of the House", listed, *chapters]),
        "\n\n".join(["The Book of the House", *chapters]),
    )
    begin = [cleaned.index(title) for title in titles]
    assert page_starts(paged, cleaned) == (0, begin[0], *begin)


def test_a_page_that_repeats_the_head_of_a_table_begins_at_its_own() -> None:
    head = "Song Posts Pace What to know"
    pages = [f"{head}\n" + "\n".join(f"{n} row{n} of page {k}" for n in range(5)) for k in ("one", "two", "three")]
    text = "\n".join(pages)
    assert page_starts("\n\f\n".join(pages), text) == tuple(text.index(page) for page in pages)


def test_pages_that_are_not_found_again_take_none_of_those_after_them_along() -> None:
    pages = [" ".join(f"w{page}x{n}" for n in range(500)) for page in range(9)]
    other = [page.replace("x", "y") if 2 <= number < 6 else page for number, page in enumerate(pages)]
    starts = page_starts("\f".join(pages), " ".join(other))
    place = [len(" ".join(pages[:number])) + (number > 0) for number in range(9)]
    assert starts == (*place[:2], *[place[6]] * 4, *place[6:])
