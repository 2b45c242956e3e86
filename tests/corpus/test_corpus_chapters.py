from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from books import WORDS

from wellread.corpus.chapters import SEPARATOR, divide
from wellread.corpus.headings import heading, roman, spelled
from wellread.types import Document

ROMANS = [
    "I",
    "II",
    "III",
    "IV",
    "V",
    "VI",
    "VII",
    "VIII",
    "IX",
    "X",
    "XI",
    "XII",
    "XIII",
    "XIV",
    "XV",
    "XVI",
    "XVII",
    "XVIII",
    "XIX",
    "XX",
]


def prose(words: int, seed: int) -> str:
    draw = random.Random(seed)
    sentences = [" ".join(draw.choices(WORDS, k=12)).capitalize() + "." for _ in range(max(1, words // 12))]
    return "\n\n".join(" ".join(sentences[start : start + 6]) for start in range(0, len(sentences), 6))


def plain(headings: Sequence[str], words: int = 900, opening: str = "") -> str:
    chapters = [f"{heading}\n\n{prose(words + 40 * (number % 5), number)}" for number, heading in enumerate(headings)]
    return "\n\n".join([opening, *chapters] if opening else chapters)


def divided(text: str, source: str = "The_Quay.txt", **metadata: object) -> list[Document]:
    given = [Document("x-0001", text, source, metadata=metadata)]
    documents = divide(given)
    check(given, documents)
    return documents


def check(given: Sequence[Document], documents: Sequence[Document]) -> None:
    """Nothing is lost, nothing doubled, every offset tells the truth."""
    whole = SEPARATOR.join(document.text for document in given)
    assert "".join("".join(d.text.split()) for d in documents) == "".join(whole.split())
    assert all(whole[d.offset : d.offset + len(d.text)] == d.text for d in documents)
    assert len({d.id for d in documents}) == len(documents)


@pytest.mark.parametrize(
    "headings",
    [
        [f"CHAPTER {n}" for n in ROMANS],
        [f"Chapter {n}." for n in range(1, 21)],
        ["CHAPITRE PREMIER", *(f"CHAPITRE {n}" for n in ROMANS[1:])],
        [f"{n}." for n in ROMANS],
        [f"-- {n} --" for n in ROMANS],
        [str(n) for n in range(1, 21)],
        [
            "Chapter One",
            "Chapter Two",
            "Chapter Three",
            "Chapter Four",
            "Chapter Five",
            "Chapter Six",
            "Chapter Seven",
            "Chapter Eight",
            "Chapter Nine",
            "Chapter Ten",
            "Chapter Eleven",
            "Chapter Twelve",
        ],
        [f"Lettre {n}" for n in range(1, 15)],
        [
            f"{n}. The {word.title()} and the {other.title()}"
            for n, (word, other) in enumerate(zip(WORDS[14:26], WORDS[20:32], strict=True), 1)
        ],
        [f"## {word.title()}" for word in WORDS[16:28]],
    ],
)
def test_chapters_of_every_style_are_found(headings: list[str]) -> None:
    documents = divided(plain(headings))
    assert len(documents) == len(headings)
    assert all(d.text.startswith(heading) for d, heading in zip(documents, headings, strict=True))
    assert {d.metadata["kind"] for d in documents} == {"chapter"}
    assert documents[0].id == "the-quay-0001"


def test_books_with_chapters_that_begin_again_are_nested() -> None:
    text = "\n\n".join(
        f"BOOK {book}: 18{n:02}\n\n{plain([f'CHAPTER {r}' for r in ROMANS[:6]])}"
        for n, book in enumerate(["ONE", "TWO", "THREE"], 5)
    )
    text += "\n\nFIRST EPILOGUE: 1813\n\n" + plain([f"CHAPTER {r}" for r in ROMANS[:4]])
    documents = divided(f"A LONG BOOK\n\nBy Somebody\n\n{text}")
    assert [d.section for d in documents[:2]] == ["BOOK ONE: 1805 · CHAPTER I", "BOOK ONE: 1805 · CHAPTER II"]
    assert documents[6].section == "BOOK TWO: 1806 · CHAPTER I"
    assert documents[-1].section == "FIRST EPILOGUE: 1813 · CHAPTER IV"
    assert documents[0].text.startswith("A LONG BOOK\n\nBy Somebody\n\nBOOK ONE: 1805\n\nCHAPTER I\n\n")
    assert len(documents) == 22


def test_french_parts_with_bare_numerals() -> None:
    text = "\n\n".join(f"{part} partie\n\n{plain(ROMANS[:5])}" for part in ("Première", "Deuxième", "Troisième"))
    documents = divided(text)
    assert len(documents) == 15
    assert documents[5].section == "Deuxième partie · I"


def test_prefaces_and_epilogues_belong_to_the_whole() -> None:
    parts = "\n\n".join(f"PART {part}\n\n{plain([f'CHAPTER {r}' for r in ROMANS[:5]])}" for part in ("ONE", "TWO"))
    documents = divided(f"TRANSLATOR’S PREFACE\n\n{prose(700, 1)}\n\n{parts}\n\nEPILOGUE\n\n{prose(900, 2)}")
    assert [d.section for d in documents][:2] == ["TRANSLATOR’S PREFACE", "PART ONE · CHAPTER I"]
    assert [d.section for d in documents][-2:] == ["PART TWO · CHAPTER V", "EPILOGUE"]


def test_titles_after_the_number_are_named() -> None:
    titles = [f"The {word.title()}" for word in WORDS[16:28]]
    documents = divided(plain([f"{n}\n\n{title}" for n, title in enumerate(titles, 1)]))
    assert [d.section for d in documents[:2]] == [f"1: {titles[0]}", f"2: {titles[1]}"]


def test_a_misprinted_number_and_one_style_that_goes_on_in_another() -> None:
    misprinted = [f"CHAPTER {r}." for r in ROMANS]
    misprinted[14] = "CHAPTER XIVV."
    assert len(divided(plain(misprinted))) == 20
    mixed = [f"ADVENTURE {r}. THE LAMP" for r in ROMANS[:6]] + [f"{r}. THE ADVENTURE OF THE BELL" for r in ROMANS[6:12]]
    text = plain(mixed).replace("\n\n", "\n\nI.\n\n", 1)
    assert len(divided(text)) == 12


def test_numbers_in_the_text_are_no_chapters() -> None:
    lists = "\n\n".join(f"{n}\n\n{prose(30, n)}" for n in range(1, 30))
    documents = divided(f"{prose(9000, 1)}\n\n{lists}\n\n{prose(9000, 2)}")
    assert {d.metadata["kind"] for d in documents} == {"passage"}


def test_titles_in_capitals_and_bare_gaps_also_divide() -> None:
    titles = [
        f"THE {word.upper()} AND THE {other.upper()}" for word, other in zip(WORDS[16:27], WORDS[19:30], strict=True)
    ]
    assert [d.section for d in divided(plain(titles))] == titles
    chapters = [prose(1000 + 50 * (n % 4), n) for n in range(12)]
    breaks = [sum(len(c) + 2 for c in chapters[:n]) for n in range(1, 12)]
    documents = divided("\n\n".join(chapters), breaks=breaks)
    assert [d.text for d in documents] == chapters
    assert documents[2].section == "section 3"
    assert "breaks" not in documents[0].metadata


def test_a_text_without_chapters_is_cut_at_paragraphs() -> None:
    long = divided(prose(60_000, 3))
    assert all(1000 <= len(d.text.split()) <= 2000 for d in long)
    assert long[11].section == "passage 12"
    short = divided(prose(6000, 4))
    assert 25 <= len(short) <= 35
    assert all(d.text[0].isupper() and d.text.endswith(".") for d in [*long, *short])


@pytest.mark.parametrize(
    "text",
    [
        " ".join(prose(6000, 5).split("\n\n")),
        " ".join("word" for _ in range(5000)),
        "永和九年岁在癸丑暮春之初会于会稽山阴之兰亭修禊事也" * 400,
    ],
)
def test_a_text_without_paragraphs_is_cut_all_the_same(text: str) -> None:
    documents = divided(text)
    assert len(documents) >= 20
    sizes = [len(d.text) for d in documents]
    assert max(sizes) < 2.5 * min(sizes)


def test_few_or_huge_chapters_are_cut_into_passages() -> None:
    few = divided(plain([f"CHAPTER {r}" for r in ROMANS[:4]], words=3000))
    assert len(few) >= 25
    assert few[0].section == "CHAPTER I · passage 1"
    huge = divided(plain([f"CHAPTER {r}" for r in ROMANS[:12]]) + f"\n\nCHAPTER XIII\n\n{prose(12_000, 6)}")
    assert [d.metadata["kind"] for d in huge[:12]] == ["chapter"] * 12
    assert huge[12].section == "CHAPTER XIII · passage 1"


def sections(levels: Sequence[tuple[int, str, int]]) -> list[Document]:
    return [
        Document(
            f"b-{n:04d}",
            f"{title}\n\n{prose(words, n)}" if words else title,
            "b.epub",
            title,
            metadata={"level": level, "title": "B"},
        )
        for n, (level, title, words) in enumerate(levels)
    ]


def test_stated_headings_are_taken_at_the_level_of_chapters() -> None:
    levels = [(1, "The Quay", 0)]
    for part in ("One", "Two"):
        levels += [(2, f"Part {part}", 0)]
        for n in range(1, 7):
            levels += [(3, f"Chapter {n}", 300), (4, "Morning", 250), (4, "Evening", 250)]
    given = sections(levels)
    documents = divide(given)
    check(given, documents)
    assert len(documents) == 12
    assert documents[0].text.startswith("The Quay\n\nPart One\n\nChapter 1\n\n")
    assert documents[6].section == "Part Two · Chapter 1"
    assert documents[0].metadata == {"title": "B", "kind": "chapter"}


def test_tiny_sections_go_with_their_neighbours() -> None:
    levels = [(1, f"Chapter {n}", 900) for n in range(1, 11)]
    levels[3:3] = [(2, "A note", 20)]
    levels = [(1, "Title", 5), (1, "For Martha", 12), *levels, (1, "Colophon", 20)]
    given = sections(levels)
    documents = divide(given)
    check(given, documents)
    assert len(documents) == 10
    assert "A note" in documents[2].text
    assert documents[0].text.startswith("Title\n\n")
    assert documents[0].section == "Chapter 1"
    assert "Colophon" in documents[-1].text


def test_short_sections_stand_where_there_is_nothing_larger() -> None:
    documents = divide(sections([(1, "Essays", 0), *((2, f"On {word}", 180) for word in WORDS[16:30])]))
    assert len(documents) == 14
    assert documents[2].section == f"On {WORDS[18]}"


def test_headings_in_the_text_help_where_the_file_states_too_few() -> None:
    given = [
        Document(
            "b-1", f"The Quay\n\n{plain([f'CHAPTER {r}' for r in ROMANS])}", "b.epub", "The Quay", metadata={"level": 1}
        )
    ]
    documents = divide(given)
    check(given, documents)
    assert len(documents) == 20


def test_sources_of_one_name_keep_their_ids_apart() -> None:
    text = plain([f"CHAPTER {r}" for r in ROMANS[:10]])
    given = [Document("a", text, "one/Été.txt"), Document("b", text, "two/Été.txt")]
    ids = [d.id for d in divide(given)]
    assert ids[0] == "ete-0001"
    assert ids[10] == "ete-2-0001"
    assert len(set(ids)) == 20


@pytest.mark.parametrize(
    ("line", "style", "number"),
    [
        ("CHAPITRE II L'ANTICHAMBRE DE M. DE TRÉVILLE", "chapter", 2),
        ("PREMIÈRE PARTIE", "part", 1),
        ("Book the First", "book", 1),
        ("CHAPITRE Ier", "chapter", 1),
        ("PART ONE The Old Buccaneer", "part", 1),
        ("CHAPTER TWENTY-ONE", "chapter", 21),
        ("Part I liked best was this", None, None),
        ("I never said so", None, None),
        ("Il dit", None, None),
        ("ÉPILOGUE", "special", None),
        ("The preface was long.", None, None),
        ("L'AUTRE", None, None),
        ("1812", None, None),
        ("§ 12", "bare", 12),
    ],
)
def test_headings_by_their_form(line: str, style: str | None, number: int | None) -> None:
    found = heading(line)
    assert (found.style if found else None) == style
    assert (found.number if found else None) == number


def test_numerals() -> None:
    assert [roman("XLIV"), roman("MCMXC"), roman("ABC")] == [44, 1990, None]
    assert [
        spelled("twenty-one"),
        spelled("quatre-vingt-dix-neuf"),
        spelled("soixante-dixième"),
        spelled("vingt et unième"),
    ] == [21, 99, 70, 21]
    assert spelled("many") is None


def test_ids_are_unique_whatever_the_files_are_called() -> None:
    sources = ["a/notes.txt", "b/notes.txt", "notes-2.txt", "c/notes.txt"]
    documents = divide([Document(f"x-{n}", prose(30, n), source) for n, source in enumerate(sources)])
    assert [document.id for document in documents] == [
        "notes-0001", "notes-2-0001", "notes-2-2-0001", "notes-3-0001",
    ]  # fmt: skip
