"""PDF files, written here byte by byte: lines, paragraphs, columns, pages, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from wellread.corpus import load_file
from wellread.corpus.pdf import composed
from wellread.errors import CorpusError

Line = tuple[float, float, str]
"""x and y in points from the lower left corner, and the text; text that begins with "~" is set in 7 points."""


def pdf(
    path: Path, pages: list[list[Line]], *, title: str = "", trailer: str = "", chapters: tuple[int, ...] = ()
) -> Path:
    """A PDF in 10-point Helvetica, with an outline if it has `chapters` (page numbers from 0)."""
    count = len(pages)
    first = 4 + 2 * count
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(count))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {f'/Outlines {first} 0 R' if chapters else ''} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, lines in enumerate(pages):
        drawn = "".join(
            f"BT /F1 {7 if text[0] == '~' else 10} Tf 1 0 0 1 {x} {y} Tm ({escaped(text.lstrip('~'))}) Tj ET\n"
            for x, y, text in lines
        )
        stream = drawn.encode("cp1252")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 400 600] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream")
    if chapters:
        last = first + len(chapters)
        objects.append(f"<< /First {first + 1} 0 R /Last {last} 0 R /Count {len(chapters)} >>".encode())
        for place, chapter in enumerate(chapters, first + 1):
            after = f"/Next {place + 1} 0 R" if place < last else ""
            target = f"/Dest [{4 + 2 * chapter} 0 R /Fit]"
            objects.append(f"<< /Title (Chapter) /Parent {first} 0 R {target} {after} >>".encode())
    objects.append(f"<< /Title ({title}) >>".encode())
    data = b"%PDF-1.4\n"
    places = []
    for number, item in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n".encode() + item + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    data += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer\n<< /Size {len(objects) + 1} /Root 1 0 R "
        f"/Info {len(objects)} 0 R {trailer} >>\nstartxref\n{len(data)}\n%%EOF\n"
    ).encode()
    path.write_bytes(data)
    return path


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def lines(*texts: str, x: float = 50, top: float = 550, pitch: float = 12) -> list[Line]:
    return [(x, top - pitch * n, text) for n, text in enumerate(texts) if text]


def text_of(path: Path) -> str:
    [document] = load_file(path)
    return document.text


def problem(path: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        list(load_file(path))
    message = str(caught.value)
    assert "\n" not in message
    assert path.as_posix() in message
    return message


def test_pages_and_wrapped_lines(tmp_path):
    path = pdf(tmp_path / "a.pdf", [lines("It was a dark and", "stormy night."), lines("The rain fell.")], title="Rain")
    [document] = load_file(path)
    assert document.text == "It was a dark and\nstormy night.\n\f\nThe rain fell."
    assert (document.id, document.section, document.metadata["pages"]) == ("a-0001", "", 2)
    assert document.metadata["title"] == "Rain"


def test_a_made_up_title_is_not_one(tmp_path):
    [document] = load_file(pdf(tmp_path / "a.pdf", [lines("text")], title="Microsoft Word - a.doc"))
    assert "title" not in document.metadata


def test_titles_that_are_no_text_are_none(tmp_path):
    path = pdf(tmp_path / "a.pdf", [lines("One."), lines("Two.")], title="Rain", chapters=(0, 1))
    data = path.read_bytes().replace(b"(Rain)", b"<FEFFD800>").replace(b"(Chapter)", b"<FEFFDC00>")
    path.write_bytes(data)
    [document] = load_file(path)
    assert document.text == "One.\n\f\nTwo."
    assert "title" not in document.metadata
    assert [entry.title for entry in document.metadata["outline"]] == ["", ""]


def test_a_gap_divides_paragraphs(tmp_path):
    page = lines("One line of it", "and another one.", "", "A second paragraph", "of two lines.")
    assert text_of(pdf(tmp_path / "a.pdf", [page])) == (
        "One line of it\nand another one.\n\nA second paragraph\nof two lines."
    )


def test_an_indent_divides_paragraphs(tmp_path):
    def indented(number: int, text: str) -> Line:
        return (65, 550 - 12 * number, text)

    page = [
        *lines("The first paragraph is long enough to fill its lines,", "all of them but the last."),
        indented(2, "The second begins with an indent, as in any novel,"),
        (50, 514, "and goes on at the margin."),
        indented(4, "“Yes.”"),
        indented(5, "“No.”"),
        (50, 478, "Back at the margin without an indent for some lines"),
    ]
    assert text_of(pdf(tmp_path / "a.pdf", [page])).split("\n\n") == [
        "The first paragraph is long enough to fill its lines,\nall of them but the last.",
        "The second begins with an indent, as in any novel,\nand goes on at the margin.",
        "“Yes.”",
        "“No.”\nBack at the margin without an indent for some lines",
    ]


def test_verse_that_is_set_in_keeps_together(tmp_path):
    page = lines("He began to sing a song that all of them knew:") + lines(
        "Roses are red,", "violets are blue,", "sugar is sweet", x=70, top=538
    )
    assert "Roses are red,\nviolets are blue,\nsugar is sweet" in text_of(pdf(tmp_path / "a.pdf", [page]))


def test_columns_are_read_one_after_the_other(tmp_path):
    page = lines("left one", "left two", "left three") + lines("right one", "right two", x=220)
    assert text_of(pdf(tmp_path / "a.pdf", [page])) == "left one\nleft two\nleft three\nright one\nright two"


def test_hyphens_at_line_ends_stay_for_cleaning_to_judge(tmp_path):
    assert (
        text_of(pdf(tmp_path / "a.pdf", [lines("a well-known exam-", "ple of it")])) == "a well-known exam-\nple of it"
    )


NOTED = [
    [*lines("A sentence with a note.1 Another one that", "goes on"), (50, 80, "~1 The note."), (50, 40, "Page 1")],
    [
        *lines("overleaf, with a second2 note."),
        (50, 80, "~2 The second note"),
        (50, 70, "~of two lines."),
        (50, 40, "Page 2"),
    ],
    lines("The next chapter has none."),
]


def test_footnotes_go_to_the_end_of_their_chapter(tmp_path):
    assert text_of(pdf(tmp_path / "a.pdf", NOTED, chapters=(0, 2))) == (
        "A sentence with a note.1 Another one that\ngoes on\n\nPage 1\n\f\n"
        "overleaf, with a second2 note.\n\n1 The note.\n\n2 The second note\nof two lines.\n\nPage 2\n\f\n"
        "The next chapter has none."
    )


def test_footnotes_stay_on_their_page_where_chapters_are_not_known(tmp_path):
    assert "goes on\n\n1 The note.\n\nPage 1" in text_of(pdf(tmp_path / "a.pdf", NOTED))


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("prote´ge´ de´ja` vu", "protégé déjà vu"),
        ("l'´ecole a` l'´etat, ´etait", "l'école a` l'état, était"),
        ("Luı´s, fac¸ade´", "Luís, façadé"),
        ("5´ and 3´ ends", "5´ and 3´ ends"),
        ("plain", "plain"),
    ],
)
def test_accents_beside_their_letters(printed, text):
    assert composed(printed) == text


def test_a_page_of_pictures_needs_ocr(tmp_path):
    message = problem(pdf(tmp_path / "a.pdf", [[], []]))
    assert "no text layer in its 2 pages" in message
    assert "OCR" in message


def test_a_locked_file(tmp_path):
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{'41' * 32}> /U <{'42' * 32}> /P -4 >> /ID [<00><00>]"
    assert "locked by a password" in problem(pdf(tmp_path / "a.pdf", [lines("secret")], trailer=lock))


def test_what_is_no_pdf(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"PK\x03\x04 something else")
    assert "found a zip archive" in problem(tmp_path / "a.pdf")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4\ncut off")
    assert "found a damaged PDF" in problem(tmp_path / "b.pdf")
    (tmp_path / "c.pdf").write_bytes(b"")
    assert "expected a PDF" in problem(tmp_path / "c.pdf")
