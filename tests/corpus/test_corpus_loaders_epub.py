"""EPUB books, made here with zipfile: reading order, what is left out, and archives that are refused."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from wellread.corpus import archive as archive_module
from wellread.corpus import load_file
from wellread.errors import CorpusError


def pack(path: Path, members: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return path


def texts(path: Path) -> list[str]:
    return [document.text for document in load_file(path)]


def problem(path: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        list(load_file(path))
    message = str(caught.value)
    assert "\n" not in message
    assert path.as_posix() in message
    return message


CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def page(body: str, title: str = "<title>T</title>") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head>{title}</head><body>{body}</body></html>'
    )


def epub(
    path: Path,
    pages: dict[str, str],
    *,
    spine: list[str] | None = None,
    extra: dict[str, str] | None = None,
    unlinear: tuple[str, ...] = (),
    nav: str = "",
    guide: str = "",
) -> Path:
    """A book whose manifest is in the order of `pages` and whose spine is `spine`."""
    items = "".join(
        f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"'
        f"{' properties=' + chr(34) + 'nav' + chr(34) if name == nav else ''}/>"
        for name in pages
    )
    if extra and "OPS/toc.ncx" in extra:
        items += '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    refs = "".join(
        f'<itemref idref="{name}"{" linear=" + chr(34) + "no" + chr(34) if name in unlinear else ""}/>'
        for name in spine or list(pages)
    )
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Salt Road</dc:title>'
        "<dc:language>en-GB</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{refs}</spine><guide>{guide}</guide></package>"
    )
    members = {"mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OPS/book.opf": opf}
    members |= {f"OPS/{name}.xhtml": content for name, content in pages.items()}
    return pack(path, {**members, **(extra or {})})


def test_epub_follows_the_spine(tmp_path):
    book = epub(
        tmp_path / "book.epub",
        {
            "a2": page("<h2>Chapter 2</h2><p>Second.</p>"),
            "notes": page("<p>A note.</p>"),
            "a1": page("<h1>Part I</h1><h2>Chapter 1</h2><p>First.</p>", "<title/>"),
            "more": page("<p>Still the first.</p>"),
        },
        spine=["notes", "a1", "more", "a2"],
        unlinear=("notes",),
    )
    documents = list(load_file(book))
    assert [(d.section, d.metadata["level"]) for d in documents] == [("Part I", 1), ("Chapter 1", 2), ("Chapter 2", 2)]
    assert [d.text for d in documents] == [
        "Part I",
        "Chapter 1\n\nFirst.\n\nStill the first.",
        "Chapter 2\n\nSecond.\n\nA note.",
    ]
    assert documents[0].metadata["title"] == "The Salt Road"
    assert documents[0].metadata["language"] == "en-GB"
    joined = "\n\n".join(d.text for d in documents)
    assert all(joined[d.offset :].startswith(d.text) for d in documents)


def test_epub_leaves_out_cover_contents_and_navigation(tmp_path):
    links = "".join(f'<li><a href="c{n}.xhtml">Chapter {n}</a></li>' for n in range(1, 8))
    book = epub(
        tmp_path / "book.epub",
        {
            "cover": page("<p>The Salt Road by A. Writer</p>"),
            "nav": page(f'<nav epub:type="toc"><ol>{links}</ol></nav><h1>Contents</h1>'),
            "contents": page(f"<h1>Contents</h1><ul>{links}</ul>"),
            "c1": page("<h1>Chapter 1</h1><p>Text.</p>"),
        },
        nav="nav",
        guide='<reference type="cover" href="cover.xhtml"/>',
    )
    assert texts(book) == ["Chapter 1\n\nText."]


def test_epub_a_cover_that_is_the_book_is_kept(tmp_path):
    book = epub(
        tmp_path / "book.epub",
        {"all": page(f"<p>{'word ' * 200}</p>")},
        guide='<reference type="cover" href="all.xhtml"/>',
    )
    assert len(texts(book)[0].split()) == 200


def test_epub_titles_from_the_table_of_contents(tmp_path):
    ncx = (
        '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>I. The Fog</text>'
        "</navLabel>"
        '<content src="c1.xhtml#top"/></navPoint><navPoint><navLabel><text>Elsewhere</text></navLabel>'
        '<content src="c2.xhtml"/></navPoint></navMap></ncx>'
    )
    book = epub(
        tmp_path / "book.epub",
        {"c1": page("<p>I.</p><p>The Fog</p><p>It came.</p>"), "c2": page("<p>Not a title.</p>")},
        extra={"OPS/toc.ncx": ncx},
    )
    assert texts(book) == ["I. The Fog\n\nIt came.\n\nNot a title."]


def test_epub_with_drm(tmp_path):
    def locked(algorithm: str, uri: str) -> dict[str, str]:
        return {
            "META-INF/encryption.xml": '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
            'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
            f'<enc:EncryptionMethod Algorithm="{algorithm}"/><enc:CipherData><enc:CipherReference URI="{uri}"/>'
            "</enc:CipherData></enc:EncryptedData></encryption>"
        }

    pages = {"c1": page("<p>Text.</p>")}
    aes = "http://www.w3.org/2001/04/xmlenc#aes128-cbc"
    assert "DRM" in problem(epub(tmp_path / "a.epub", pages, extra=locked(aes, "OPS/c1.xhtml")))
    font = locked("http://www.idpf.org/2008/embedding", "OPS/font.otf")
    assert texts(epub(tmp_path / "b.epub", pages, extra=font)) == ["Text."]


def test_epub_that_is_none(tmp_path):
    (tmp_path / "a.epub").write_bytes(b"%PDF-1.4 ...")
    assert "found a PDF file" in problem(tmp_path / "a.epub")
    (tmp_path / "b.epub").write_bytes(b"PK\x03\x04 cut off")
    assert "damaged zip" in problem(tmp_path / "b.epub")
    assert "without a package" in problem(pack(tmp_path / "c.epub", {"x.txt": "x"}))


def test_a_zip_bomb_is_refused_in_bounded_memory(tmp_path):
    path = bomb(tmp_path / "bomb.docx", stated=500 * 2**20)
    tracemalloc.start()
    assert "zip bomb" in problem(path)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_a_zip_bomb_that_understates_its_size(tmp_path):
    path = bomb(tmp_path / "bomb.docx", stated=1000)
    tracemalloc.start()
    assert "damaged" in problem(path)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def bomb(path: Path, stated: int) -> Path:
    """A document part of 500 MB of zeros, whose headers say `stated` bytes."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = squeezer.compress(bytes(2**20)) + squeezer.flush(zlib.Z_FULL_FLUSH)
    deflated = megabyte * 500 + squeezer.flush()
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("[Content_Types].xml", "<Types/>")
        target.writestr("word/document.xml", deflated)  # stored; the headers are then told that it is deflated
    data = bytearray(path.read_bytes())
    local, central = data.rfind(b"PK\x03\x04"), data.rfind(b"PK\x01\x02")
    for method, size in ((local + 8, local + 22), (central + 10, central + 24)):
        data[method : method + 2] = struct.pack("<H", zipfile.ZIP_DEFLATED)
        data[size : size + 4] = struct.pack("<I", stated)
    path.write_bytes(bytes(data))
    return path


def test_the_total_counts_over_members(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "LIMIT", 3000)
    pages = {f"c{n}": page(f"<p>{'text ' * 300}</p>") for n in range(4)}
    assert "zip bomb" in problem(epub(tmp_path / "a.epub", pages))
