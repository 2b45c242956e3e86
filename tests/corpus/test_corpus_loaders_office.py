"""DOCX and ODT files, made here with zipfile: what is kept, in which order, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from wellread.corpus import load_file
from wellread.errors import CorpusError
from wellread.types import Document


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


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STYLES = (
    f'<w:styles {W}><w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Titre2"><w:name w:val="Titre 2"/></w:style>'
    '<w:style w:styleId="Mine"><w:name w:val="Mine"/><w:basedOn w:val="H1"/></w:style>'
    '<w:style w:styleId="Out"><w:name w:val="Out"/><w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>'
    '<w:style w:styleId="T"><w:name w:val="Title"/></w:style>'
    '<w:style w:styleId="Loop"><w:name w:val="Loop"/><w:basedOn w:val="Loop"/></w:style>'
    '<w:style w:styleId="TOC1"><w:name w:val="toc 1"/></w:style>'
    '<w:style w:styleId="Ghost"><w:name w:val="Ghost"/><w:rPr><w:vanish/></w:rPr></w:style></w:styles>'
)
NOTES = (
    "<w:{0}s "
    + W
    + '><w:{0} w:type="separator" w:id="0"><w:p><w:r><w:separator/></w:r></w:p></w:{0}><w:{0} w:id="7"><w:p><w:r>'
    "<w:{0}Ref/></w:r><w:r><w:t>The {0}.</w:t></w:r></w:p></w:{0}></w:{0}s>"
)


def docx(path: Path, body: str, *, part: str = "word/document.xml", wrap: str = W) -> Path:
    def relation(kind: str, target: str) -> str:
        return f'<Relationship Id="{kind}" Type="{REL}/{kind}" Target="{target}"/>'

    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    inner = "".join(relation(kind, f"{kind}.xml") for kind in ("styles", "footnotes", "endnotes"))
    folder, _, name = part.rpartition("/")
    return pack(
        path,
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f'<Relationships xmlns="{space}">{relation("officeDocument", part)}</Relationships>',
            f"{folder}/_rels/{name}.rels": f'<Relationships xmlns="{space}">{inner}</Relationships>',
            f"{folder}/styles.xml": STYLES,
            f"{folder}/footnotes.xml": NOTES.format("footnote"),
            f"{folder}/endnotes.xml": NOTES.format("endnote"),
            part: f"<w:document {wrap}><w:body>{body}</w:body></w:document>",
        },
    )


def p(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}{text if text.startswith('<') else run(text)}</w:p>"


def run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{text}</w:t></w:r>'


def docx_text(tmp_path: Path, body: str) -> str:
    return "\n\n".join(texts(docx(tmp_path / "a.docx", body)))


def test_docx_headings(tmp_path):
    body = (
        p("The Book", "T")
        + p("One", "H1")
        + p("text")
        + p("Deux", "Titre2")
        + p("Mine", "Mine")
        + p("Out", "Out")
        + p("loop", "Loop")
        + '<w:p><w:pPr><w:outlineLvl w:val="3"/></w:pPr>'
        + run("Direct")
        + "</w:p>"
    )
    for part in ("word/document.xml", "other/main2.xml"):
        documents = list(load_file(docx(tmp_path / "a.docx", body, part=part)))
        assert [(d.section, d.metadata["level"]) for d in documents] == [
            ("The Book", 1),
            ("One", 1),
            ("Deux", 2),
            ("Mine", 1),
            ("Out", 3),
            ("Direct", 4),
        ]
        assert documents[1].text == "One\n\ntext"
        assert documents[4].text == "Out\n\nloop"


FIELD = (
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGEREF {code}</w:instrText></w:r>{code_run}'
    '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{shown}</w:t></w:r>'
    '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
)
BOX = "<w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent>"
MC = "http://schemas.openxmlformats.org/markup-compatibility/2006"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            p(
                run("a ")
                + f"<w:ins>{run('new ')}</w:ins><w:del><w:r><w:delText>old </w:delText></w:r></w:del>"
                + run("b")
            ),
            "a new b",
        ),
        (
            p(f"<w:moveFrom>{run('here')}</w:moveFrom>" + run("x")) + p(f"<w:moveTo>{run('here')}</w:moveTo>"),
            "x\n\nhere",
        ),
        ("<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>" + run("one ") + "</w:p>" + p("two"), "one two"),
        (p(FIELD.format(code="x", code_run="", shown="result")), "result"),
        (
            p(FIELD.format(code="x", code_run=FIELD.format(code="y", code_run="", shown="inner"), shown="outer")),
            "outer",
        ),
        (p('<w:hyperlink><w:r><w:fldChar w:fldCharType="begin"/></w:r></w:hyperlink>') + p("not lost"), "not lost"),
        (
            p("<w:r><w:t>so</w:t><w:softHyphen/><w:t>ft and hard</w:t><w:noBreakHyphen/><w:t>er</w:t></w:r>"),
            "soft and hard-er",
        ),
        (p("<w:r><w:t>a</w:t><w:br/><w:t>b</w:t><w:tab/><w:t>c</w:t></w:r>"), "a\nb\tc"),
        (p("<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>" + run("seen")), "seen"),
        (p('<w:r><w:rPr><w:rStyle w:val="Ghost"/></w:rPr><w:t>hidden</w:t></w:r>' + run("seen")), "seen"),
        (p('<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>shown</w:t></w:r>'), "shown"),
        (p("Contents\t1", "TOC1") + p("text"), "text"),
        ("<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent>" + p("control") + "</w:sdtContent></w:sdt>", "control"),
        (
            "<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj></w:sdtPr>"
            "<w:sdtContent>" + p("Chapter 1 .... 5") + "</w:sdtContent></w:sdt>" + p("text"),
            "text",
        ),
        (
            "<w:tbl><w:tr><w:tc>"
            + p("a")
            + "</w:tc><w:tc>"
            + p("b")
            + "</w:tc></w:tr><w:tr><w:trPr><w:del/></w:trPr><w:tc>"
            + p("gone")
            + "</w:tc></w:tr><w:tr><w:tc>"
            + p("c")
            + p("d")
            + "</w:tc></w:tr></w:tbl>",
            "a\tb\n\nc\n\nd",
        ),
        (p(f"<w:r><w:pict>{BOX}</w:pict></w:r>" + run("Anchor.")), "Anchor.\n\nIn the box."),
        (
            p(
                f'<w:r><mc:AlternateContent xmlns:mc="{MC}"><mc:Choice>{BOX}</mc:Choice>'
                f"<mc:Fallback>{BOX}</mc:Fallback>"
                "</mc:AlternateContent></w:r>"
            ),
            "In the box.",
        ),
        (
            '<w:p><w:pPr><w:framePr w:dropCap="drop"/></w:pPr>' + run("O") + "</w:p>" + p("nce upon a time"),
            "Once upon a time",
        ),
        (p('<w:r><w:sym w:font="Symbol" w:char="03B1"/></w:r>') + p('<w:r><w:sym w:char="F0B7"/></w:r>'), "α"),
    ],
)
def test_docx_features(tmp_path, body, text):
    assert docx_text(tmp_path, body) == text


def test_docx_notes_end_their_section_and_document(tmp_path):
    notes = '<w:r><w:footnoteReference w:id="7"/></w:r>', '<w:r><w:endnoteReference w:id="7"/></w:r>'
    body = p("One", "H1") + p(run("a") + notes[0] + run(" b")) + p(run("c") + notes[1]) + p("Two", "H1") + p("d")
    assert texts(docx(tmp_path / "a.docx", body)) == [
        "One\n\na[1] b\n\nc[2]\n\n[1] The footnote.",
        "Two\n\nd\n\n[2] The endnote.",
    ]


def test_docx_strict_namespace(tmp_path):
    strict = 'xmlns:w="http://purl.oclc.org/ooxml/wordprocessingml/main"'
    assert texts(docx(tmp_path / "a.docx", p("Strict", "H1") + p("text"), wrap=strict)) == ["Strict\n\ntext"]


def test_docx_that_is_none(tmp_path):
    (tmp_path / "a.docx").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600))
    assert "password" in problem(tmp_path / "a.docx")
    assert "another kind of zip" in problem(pack(tmp_path / "b.docx", {"x": "y"}))
    assert "no text" in problem(docx(tmp_path / "c.docx", p("<w:r><w:drawing/></w:r>")))
    assert "not XML" in problem(docx(tmp_path / "d.docx", "<w:p>"))


def odt(path: Path, body: str, styles: str = "", extra: dict[str, str] | None = None) -> Path:
    names = ("office", "text", "style", "table", "draw")
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    content = (
        f"<office:document-content {spaces}><office:automatic-styles>{styles}</office:automatic-styles>"
        f"<office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )
    return pack(path, {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content, **(extra or {})})


def test_odt_headings_and_title(tmp_path):
    styles = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    body = (
        '<text:p text:style-name="P1">The Book</text:p><text:h text:outline-level="2">One</text:h><text:p>text</text:p>'
        '<text:h text:outline-level="9">Deep</text:h>'
    )
    meta = (
        '<office:document-meta xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta><dc:title>Stated</dc:title></office:meta>'
        "</office:document-meta>"
    )
    documents = list(load_file(odt(tmp_path / "a.odt", body, styles, {"meta.xml": meta})))
    assert [(d.section, d.metadata["level"]) for d in documents] == [("The Book", 1), ("One", 2), ("Deep", 6)]
    assert documents[1].text == "One\n\ntext"
    assert documents[0].metadata["title"] == "Stated"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:p>kept</text:p>", "kept"),
        ('<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d\n   e</text:p>', "a   b\tc\nd e"),
        (
            "<text:list><text:list-item><text:p>one</text:p></text:list-item><text:list-item><text:p>two</text:p>"
            "</text:list-item></text:list>",
            "one\n\ntwo",
        ),
        (
            "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell>"
            "<text:p>b</text:p></table:table-cell></table:table-row></table:table>",
            "a\tb",
        ),
        (
            "<text:p>Anchor.<draw:frame><draw:text-box><text:p>Box.</text:p></draw:text-box></draw:frame></text:p>",
            "Anchor.\n\nBox.",
        ),
        (
            "<text:table-of-content><text:index-body><text:p>One 1</text:p></text:index-body></text:table-of-content>"
            "<text:p>text</text:p>",
            "text",
        ),
        ("<text:p>seen<office:annotation><text:p>remark</text:p></office:annotation></text:p>", "seen"),
        (
            '<text:p>seen<text:span text:style-name="Ghost"> hidden</text:span></text:p>'
            '<text:p text:style-name="Ghost">hidden</text:p>',
            "seen",
        ),
        ("<text:section><text:p>so\u00adft</text:p></text:section>", "soft"),
    ],
)
def test_odt_features(tmp_path, body, text):
    ghost = '<style:style style:name="Ghost"><style:text-properties text:display="none"/></style:style>'
    assert texts(odt(tmp_path / "a.odt", body, ghost)) == [text]


def test_odt_notes(tmp_path):
    def note(kind: str) -> str:
        return (
            f'<text:note text:note-class="{kind}"><text:note-citation>1</text:note-citation><text:note-body>'
            f"<text:p>The {kind}.</text:p></text:note-body></text:note>"
        )

    noted = f"<text:p>a{note('endnote')} b{note('footnote')}</text:p>"
    body = f"<text:h>One</text:h>{noted}<text:h>Two</text:h><text:p>c</text:p>"
    assert texts(odt(tmp_path / "a.odt", body)) == [
        "One\n\na[1] b[2]\n\n[2] The footnote.",
        "Two\n\nc\n\n[1] The endnote.",
    ]


def test_odt_with_a_password(tmp_path):
    manifest = {"META-INF/manifest.xml": "<m><file-entry><encryption-data/></file-entry></m>"}
    assert "password" in problem(odt(tmp_path / "a.odt", "<text:p>x</text:p>", extra=manifest))


@pytest.mark.parametrize(
    "entity", ['<!ENTITY x SYSTEM "file:///etc/hostname">', '<!ENTITY y "ha"><!ENTITY x "&y;&y;&y;&y;">']
)
def test_entities_are_not_expanded(tmp_path, entity):
    path = docx(tmp_path / "a.docx", p("text &#120;") + "<w:p><w:r><w:t>&x;</w:t></w:r></w:p>")
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()}
    members["word/document.xml"] = f"<!DOCTYPE d [{entity}]>".encode() + members["word/document.xml"]
    assert texts(pack(path, members)) == ["text x"]


def test_very_deep_xml_is_refused(tmp_path):
    assert "not XML" in problem(docx(tmp_path / "a.docx", "<w:x>" * 5000 + "</w:x>" * 5000))


def test_documents_carry_source_and_ids(tmp_path):
    document: Document = next(load_file(docx(tmp_path / "Über Buch.docx", p("text"))))
    assert document.id == "uber-buch-0001"
    assert document.source == (tmp_path / "Über Buch.docx").as_posix()
