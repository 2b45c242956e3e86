"""Every real document of the shared data: it loads with recognisable text, or ends in one clear line.

Similarity of a loaded text to its reference, over words (runs of letters and digits, casefolded, hyphens at line ends
joined):  order = 2 · LCS / (a + b), with LCS the longest common subsequence of words and a, b the numbers of words, so
that 1 is the same words in the same order; words = 2 · Σ min(counts) / (a + b), the same without regard to order.
The LCS is exact, by the bit-parallel method of Hyyrö (2004), which takes seconds for 100,000 words.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from wellread.corpus import LOADERS, load, load_file
from wellread.corpus.whole import read_whole
from wellread.errors import CorpusError

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "documents"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the shared documents are not on this machine"),
]

REFERENCES = {
    "debian_docs_gpl/debian-faq.fr.pdf": "debian_docs_gpl/debian-faq.fr.txt",
    "debian_docs_gpl/debian-reference.fr.pdf": "debian_docs_gpl/debian-reference.fr.txt",
    "debian_docs_gpl/maint-guide.fr.pdf": "debian_docs_gpl/maint-guide.fr.txt",
    "debian_docs_gpl/policy.en.epub": "debian_docs_gpl/policy.en.txt",
    "debian_docs_gpl/policy.en.pdf": "debian_docs_gpl/policy.en.txt",
    "textract_MIT/docx/paragraphs_and_tables.docx": "textract_MIT/docx/paragraphs_and_tables.txt",
    "textract_MIT/docx/raw_text.docx": "textract_MIT/docx/raw_text.txt",
    "textract_MIT/epub/raw_text.epub": "textract_MIT/epub/raw_text.txt",
    "textract_MIT/html/raw_text.html": "textract_MIT/html/raw_text.txt",
    "textract_MIT/html/tables.html": "textract_MIT/html/tables.txt",
    "textract_MIT/odt/raw_text.odt": "textract_MIT/odt/raw_text.txt",
    "textract_MIT/pdf/raw_text.pdf": "textract_MIT/pdf/raw_text.txt",
    "textract_MIT/pdf/two_column.pdf": "textract_MIT/pdf/two_column.txt",
}
NOT_COMPARABLE = {
    "debian_docs_gpl/debian-reference.fr.pdf": (
        "order",
        "the reference sets the lines of table cells side by side, and the PDF moves tables to other pages",
    ),
    "textract_MIT/pdf/two_column.pdf": ("order", "the reference prints both columns, left and right, on each line"),
    "textract_MIT/html/tables.html": ("words", "the reference prints nested tables twice, and the site's menus"),
}
"""Files whose reference differs by nature: the measure that does not apply, and why."""
STANDARD = "the quick brown fox jumps over the lazy dog"
NO_READER_TEXT = "no text in it that a reader would see"
FAILURES = {
    "pandoc_tests_GPL/epub2_no_cover.epub": "no text",
    **{f"textract_MIT/csv/{name}_text.csv": "expected `prompt` and `completion`" for name in ("raw", "standardized")},
    **{
        f"pandoc_tests_GPL/{name}.odt": NO_READER_TEXT
        for name in (
            "formula",
            "hiddenTextByStyle",
            "hiddenTextByVariable",
            "horizontalRule",
            "image",
            "imageRelative",
            "variable",
        )
    },
    "pypdf_samples_CC-BY-SA/005-libreoffice-writer-password__libreoffice-writer-password.pdf": "locked by a password",
    **{
        f"pypdf_samples_CC-BY-SA/{name}.pdf": "no text layer"
        for name in (
            "007-imagemagick-images__imagemagick-ASCII85Decode",
            "007-imagemagick-images__imagemagick-CCITTFaxDecode",
            "007-imagemagick-images__imagemagick-lzw",
            "019-grayscale-image__grayscale-image",
            "023-cmyk-image__cmyk-image",
        )
    },
    "textract_MIT/pdf/ocr_text.pdf": "no text layer",
}


def words(text: str) -> list[str]:
    joined = re.sub(r"(\w)-\n+(\w)", r"\1\2", text)
    return re.findall(r"[^\W_]+", joined.casefold())


def common_subsequence(a: list[str], b: list[str]) -> int:
    """The length of the longest common subsequence: one bit per word of `a`, one pass over `b`."""
    shared = set(a) & set(b)
    masks = dict.fromkeys(shared, 0)
    for place, word in enumerate(a):
        if word in shared:
            masks[word] |= 1 << place
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        hit = row & masks.get(word, 0)
        row = ((row + hit) | (row - hit)) & full
    return len(a) - row.bit_count()


def order_similarity(a: list[str], b: list[str]) -> float:
    return 2 * common_subsequence(a, b) / (len(a) + len(b))


def word_similarity(a: list[str], b: list[str]) -> float:
    return 2 * sum((Counter(a) & Counter(b)).values()) / (len(a) + len(b))


def loaded(name: str) -> str:
    return "\n\n".join(document.text for document in load_file(DATA / name))


def test_every_file_loads_or_says_why_not():
    failed = {}
    for path in sorted(DATA.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(DATA).as_posix()
        try:
            documents = list(load_file(path))
        except CorpusError as error:
            failed[name] = str(error)
            continue
        text = "\n".join(document.text for document in documents)
        letters = sum(c.isalnum() or c.isspace() for c in text)
        assert text.strip(), name
        assert letters > 0.5 * len(text) or len(text) < 100, f"{name}: mostly signs"
        assert "\ufffd" not in text, name
    assert not any("\n" in line for line in failed.values())
    unknown = {name for name in failed if Path(name).suffix not in LOADERS}
    assert all("There are loaders for" in failed[name] for name in unknown)
    assert {name: reason for name, reason in failed.items() if name not in unknown}.keys() == FAILURES.keys()
    assert all(FAILURES[name] in failed[name] for name in FAILURES)


def test_texts_are_as_their_references(capsys):
    rows = []
    for name, reference in REFERENCES.items():
        a, b = words(loaded(name)), words((DATA / reference).read_text(encoding="utf-8"))
        rows.append((name, len(a), len(b), order_similarity(a, b), word_similarity(a, b)))
    table = [f"\n{'file':46} {'words':>7} {'in ref.':>7} {'order':>6} {'words':>6}"]
    for name, ours, theirs, order, bag in rows:
        remark = f"  {NOT_COMPARABLE[name][1]}" if name in NOT_COMPARABLE else ""
        table.append(f"{name:46} {ours:7,} {theirs:7,} {order:6.3f} {bag:6.3f}{remark}")
    with capsys.disabled():
        sys.stdout.write("\n".join(table) + "\n")
    for name, _, _, order, bag in rows:
        exempt = NOT_COMPARABLE.get(name, ("", ""))[0]
        if exempt != "words":
            assert bag >= 0.95, name
        if not exempt:
            assert order >= 0.95, name


def test_prose_of_the_manual_whose_tables_are_laid_out_otherwise():
    lines = (DATA / "debian_docs_gpl/debian-reference.fr.txt").read_text(encoding="utf-8").split("\n")
    prose = words("\n".join(line for line in lines if not re.match(r"\s*[|+]", line)))
    assert common_subsequence(prose, words(loaded("debian_docs_gpl/debian-reference.fr.pdf"))) >= 0.95 * len(prose)


def test_the_page_whose_reference_says_things_twice_has_all_that_is_not_furniture():
    ours, theirs = (
        words(loaded("textract_MIT/html/tables.html")),
        words((DATA / "textract_MIT/html/tables.txt").read_text(encoding="utf-8")),
    )
    assert common_subsequence(ours, theirs) >= 0.999 * len(ours)
    assert set(theirs) - set(ours) <= set(theirs[-300:]) | {"centralnotice", "edit", "amp"}


@pytest.mark.parametrize("suffix", ["docx", "epub", "html", "odt", "pdf"])
def test_the_standard_sentence_in_every_format(suffix):
    assert words(loaded(f"textract_MIT/{suffix}/standardized_text.{suffix}")) == STANDARD.split()


def test_the_same_manual_from_two_formats():
    html, pdf = words(loaded("debian_docs_gpl/bash.en.html")), words(loaded("debian_docs_gpl/bash.en.pdf"))
    assert word_similarity(html, pdf) >= 0.9


def test_the_whole_folder_at_once():
    documents, skipped = load([DATA])
    assert len({document.id for document in documents}) == len(documents)
    bad = {Path(line.source).relative_to(DATA).as_posix() for line in skipped[:-1]}
    assert bad == FAILURES.keys()
    assert "without a loader" in skipped[-1].reason
    with pytest.raises(CorpusError, match="epub2_no_cover"):
        load([DATA / "pandoc_tests_GPL"], strict=True)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("bash.en", 87),
        ("debian-faq.fr", 68),
        ("maint-guide.fr", 64),
        ("developers-reference.fr", 102),
        ("policy.en", 178),
    ],
)
def test_the_pages_of_real_manuals_begin_where_they_do(name: str, least: int) -> None:
    """By PDFium's own text of each page; what is missing are tables of contents, which cleaning takes out, and empty pages."""
    from pypdfium2 import PdfDocument

    path = DATA / "debian_docs_gpl" / f"{name}.pdf"
    whole = read_whole(path)
    with PdfDocument(path) as document:
        printed = [" ".join(words(page.get_textpage().get_text_range())[:80]) for page in document]
    begin = [" ".join(words(whole.text[start : start + 200])[:4]) for start in whole.pages]
    assert len(printed) == len(begin)
    right = sum(four in page for four, page in zip(begin, printed, strict=True))
    assert right >= least
