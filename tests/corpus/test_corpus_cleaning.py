from __future__ import annotations

import random

import pytest

from wellread.corpus.cleaning import clean
from wellread.types import Document, Removal

PROSE = (
    "The ferry had left before the lamps were lit, and nobody on the quay could say who had sent the last of the boats "
    "across. A bell rang twice behind the church, then once more, as if the man who pulled the rope had changed his "
    "mind about it. Martha counted the steps down to the water, as she had done every evening since the winter began."
)
FRENCH = (
    "Le bateau était parti avant que l'on eût allumé les lampes, et personne sur le quai ne savait qui avait envoyé la "
    "dernière des barques. Une cloche sonna deux fois derrière l'église, puis une fois encore, comme si l'homme qui "
    "tirait la corde avait changé d'avis. Marthe compta les marches jusqu'à l'eau, comme elle le faisait chaque soir."
)


def wrap(text: str, width: int = 66) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return "\n".join([*lines, line])


def cleaned(text: str) -> tuple[str, dict[str, Removal]]:
    documents, removals = clean([Document("book-0001", text, "book.txt")])
    again, _ = clean(documents)
    assert [d.text for d in again] == [d.text for d in documents], "cleaning cleaned text changed it"
    return (documents[0].text if documents else ""), {removal.rule: removal for removal in removals}


def test_clean_text_stays_as_it_is_and_nothing_is_reported() -> None:
    text = f"CHAPTER I\n\n{PROSE}\n\n“Who is there?” she said.\n\nOne line of verse,\nand then another\n\n{PROSE}"
    documents = [Document("book-0001", text, "book.txt")]
    assert clean(documents) == (documents, [])


LICENCES = [
    (
        "The Project Gutenberg eBook of Nobody\n\nThis ebook is for the use of anyone anywhere.\n\nTitle: Nobody\n\n"
        "*** START OF THE PROJECT GUTENBERG EBOOK NOBODY ***\n\nProduced by two volunteers and the Online\n"
        "Distributed Proofreading Team\n\n",
        "\n\n*** END OF THE PROJECT GUTENBERG EBOOK NOBODY ***\n\nUpdated editions will replace the previous one.\n",
    ),
    (
        "Project Gutenberg Etext of Nobody\n\nPlease take a look at the important information in this header.\n\n"
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n",
        "\n\nEnd of the Project Gutenberg Etext of Nobody\n",
    ),
    (
        "------------------------- DEBUT DU FICHIER nobody1 --------------------------------\n\n",
        "\n\n------------------------- FIN DU FICHIER nobody1 --------------------------------\nABU\n",
    ),
    (
        "La Bibliothèque électronique du Québec\n\nCollection À tous les vents\n\n",
        "\n\nCet ouvrage est le 123e publié\ndans la collection À tous les vents\n"
        "par la Bibliothèque électronique du Québec.\n",
    ),
    (
        "Exporté de Wikisource le 12/03/2020\n\n",
        "\n\nÀ propos de cette édition électronique\n\nTexte libre de droits.\n\nCorrections, édition, conversion "
        "par le groupe Ebooks libres et gratuits\n\nhttp://fr.groups.yahoo.com/group/ebooksgratuits\n",
    ),
]


@pytest.mark.parametrize(("header", "footer"), LICENCES)
def test_licence_header_and_footer_go_and_the_book_stays(header: str, footer: str) -> None:
    body = "\n\n".join([PROSE, FRENCH] * 6)
    text, removals = cleaned(header + body + footer)
    assert text == body
    assert removals["licence"].count >= 2
    assert removals["licence"].example


def test_a_book_that_speaks_of_a_library_loses_nothing() -> None:
    body = "\n\n".join([PROSE] * 20 + ["She had heard of Project Gutenberg from her uncle."] + [FRENCH] * 20)
    assert cleaned(body)[0] == body


def test_a_licence_in_sections_of_its_own_goes_with_its_sections() -> None:
    documents, _ = clean(
        [
            Document(
                "b-1", "Nobody\n\nThe Project Gutenberg eBook of Nobody", "b.epub", "Nobody", metadata={"level": 1}
            ),
            Document("b-2", f"Chapter 1\n\n{PROSE}", "b.epub", "Chapter 1", metadata={"level": 2}),
            Document(
                "b-3",
                "Licence\n\n*** END OF THE PROJECT GUTENBERG EBOOK ***\n\nTerms.",
                "b.epub",
                "Licence",
                metadata={"level": 2},
            ),
            Document("b-4", "Section 1\n\nGeneral terms of use.", "b.epub", "Section 1", metadata={"level": 3}),
        ]
    )
    assert [d.section for d in documents] == ["Chapter 1"]


def book(headings: list[str], body: str = PROSE) -> str:
    return "\n\n\n".join(f"{heading}\n\n{wrap(body)}\n\n{wrap(body)}" for heading in headings)


NUMERALS = ["I", "II", "III", "IV", "V", "VI"]


def test_an_indented_contents_list_that_repeats_every_heading_goes() -> None:
    parts = [("BOOK ONE: 1805", NUMERALS), ("BOOK TWO: 1805", NUMERALS[:4])]
    table = "\n\n".join(f"    {part}\n\n" + "\n\n".join(f"    CHAPTER {n}" for n in some) for part, some in parts)
    body = "\n\n".join(f"{part}\n\n" + book([f"CHAPTER {n}" for n in some]) for part, some in parts)
    text, removals = cleaned(f"A LONG BOOK\n\nBy Somebody\n\n    CONTENTS\n\n{table}\n\n\n{body}")
    assert removals["table of contents"].count == 13
    assert text.startswith("A LONG BOOK\n\nBy Somebody\n\nBOOK ONE: 1805\n\nCHAPTER I\n\nThe ferry")
    assert text.count("CHAPTER III") == 2


def test_a_french_table_with_numbers_alone_and_one_with_long_titles_go() -> None:
    table = "Table des matières\n\nPREMIÈRE PARTIE\nI\nII\nIII\nDEUXIÈME PARTIE\nI\nII\nIII"
    body = f"PREMIÈRE PARTIE\n\n{book(NUMERALS[:3], FRENCH)}\n\nDEUXIÈME PARTIE\n\n{book(NUMERALS[:3], FRENCH)}"
    text, removals = cleaned(f"LE QUAI\n\n{table}\n\nÀ Marthe, qui comptait les marches.\n\n{body}")
    assert removals["table of contents"].count == 9
    assert text.startswith("LE QUAI\n\nÀ Marthe, qui comptait les marches.\n\nPREMIÈRE PARTIE\n\nI\n\nLe bateau")

    titles = [
        "LE QUAI ET CEUX QUI N'EN PARTENT PAS",
        "LA CLOCHE",
        "OÙ MARTHE COMPTE ENCORE UNE FOIS LES MARCHES DU PORT",
    ]
    numbered = ["CHAPITRE PREMIER", "CHAPITRE II", "CHAPITRE III"]
    table = "\n".join(wrap(f"{number} {title}", 40) for number, title in zip(numbered, titles, strict=True))
    body = book([f"{number}\n{title}" for number, title in zip(numbered, titles, strict=True)], FRENCH)
    text, _ = cleaned(f"Table des matières\n\n{table}\n\n\n{body}")
    assert text.startswith("CHAPITRE PREMIER\n\nLE QUAI ET CEUX QUI N'EN PARTENT PAS\n\nLe bateau")
    assert text.count("OÙ MARTHE COMPTE") == 1


def test_a_table_with_pages_and_one_without_a_title_go() -> None:
    titles = ["The Quay", "The Bell Behind the Church", "A Winter Evening", "Nobody Answers", "The Last Boat"]
    lines = [f"{n}. {title}" for n, title in zip(NUMERALS, titles, strict=False)]
    body = book([f"{n}. {title.upper()}" for n, title in zip(NUMERALS, titles, strict=False)])
    bare, _ = cleaned("THE QUAY STORIES\n\n" + "\n".join(lines) + f"\n\n\n{body}")
    paged, _ = cleaned(
        "Contents\n\n" + "\n".join(f"{line} ......... {n}7" for n, line in enumerate(lines)) + f"\n\n\n{body}"
    )
    assert bare.startswith("THE QUAY STORIES\n\nI. THE QUAY\n\nThe ferry")
    assert paged.startswith("I. THE QUAY\n\nThe ferry")


def test_a_list_in_the_book_is_no_table_of_contents() -> None:
    things = "\n".join(["two saws", "five planes", "a hundred nails", "three hammers", "one anvil", "six chisels"])
    body = f"{wrap(PROSE)}\n\n{things}\n\n{wrap(FRENCH)}\n\n{book(['CHAPTER I', 'CHAPTER II', 'CHAPTER III'])}"
    text, removals = cleaned(body)
    assert things in text
    assert "table of contents" not in removals


def paged(marks: list[str], gap: str = "\n") -> str:
    """Paragraphs with a mark between two full lines in the middle of each."""
    paragraphs = []
    for mark in marks:
        lines = wrap(PROSE).split("\n")
        paragraphs.append("\n".join(lines[:2]) + f"{gap}{mark}{gap}" + "\n".join(lines[2:]))
    return "\n\n".join(paragraphs)


@pytest.mark.parametrize(
    "marks",
    [
        ["— 5 —", "- 6 -", "[Pg 7]", "— 8 —"],
        [str(n) for n in range(11, 17)],
        [f"[{n}]" for n in range(11, 17)],
        ["vii", "viii", "ix", "x"],
        [f"Page {n}" for n in range(3)],
    ],
)
@pytest.mark.parametrize("gap", ["\n", "\n\n", "\n\n\n"])
def test_page_numbers_that_break_sentences_go_and_the_sentences_close(marks: list[str], gap: str) -> None:
    found, removals = cleaned(paged(marks, gap))
    assert found == "\n\n".join([PROSE] * len(marks))
    assert removals["page numbers"].count == len(marks)
    assert removals["page numbers"].example


def test_one_dressed_page_number_goes_and_one_in_brackets_inside_a_line() -> None:
    assert cleaned(f"{wrap(PROSE)}\n\n— 5 —\n\n{wrap(PROSE)}")[0] == f"{PROSE}\n\n{PROSE}"
    assert cleaned(wrap(PROSE.replace("church,", "church, [Pg 12]")))[0] == PROSE


def test_a_year_a_sum_and_a_note_are_no_page_numbers() -> None:
    text = f"THE QUAY\n\n(1831)\n\n{PROSE}\n\n160\n\n{PROSE}\n\n[1]\n\nA note.\n\n{PROSE}"
    assert cleaned(text)[0] == text


@pytest.mark.parametrize(
    "numbers",
    [
        ["1", "2", "3", "4", "5", "6"],
        NUMERALS,
        [f"-- {n} --" for n in NUMERALS],
        [f"— {n} —" for n in range(1, 7)],
    ],
)
def test_chapter_numbers_are_no_page_numbers(numbers: list[str]) -> None:
    text = "\n\n\n".join(f"{number}\n\n" + "\n\n".join([wrap(PROSE)] * 18) for number in numbers)
    found, removals = cleaned(text)
    assert [line for line in found.split("\n") if line in numbers] == numbers
    assert "page numbers" not in removals


def test_heads_feet_and_breaks_of_pages_go() -> None:
    draw = random.Random(0)
    sentences = [" ".join(draw.sample(sorted(set(PROSE.lower().split())), 12)).capitalize() for _ in range(60)]
    words = ". ".join(sentences) + "."
    lines = wrap(words, 70).split("\n")
    size, pages = 7, []
    for number, start in enumerate(range(0, len(lines), size), 20):
        head = f"{number} THE LAST BOAT" if number % 2 else f"CHAPTER TWO {number}"
        pages.append("\n".join([head, "", *lines[start : start + size], "", "Printed for the Harbour Press"]))
    found, removals = cleaned("\f".join(pages))
    assert found.split() == words.split()
    assert found.count("\n\n") < len(pages)
    assert removals["running heads"].count == 2 * len(pages)
    assert removals["page breaks"].count == len(pages) - 1


def test_running_heads_without_page_breaks_go_by_their_rising_numbers() -> None:
    found, removals = cleaned(paged([f"{20 + 2 * n} THE HISTORY OF THE QUAY" for n in range(6)]))
    assert found == "\n\n".join([PROSE] * 6)
    assert removals["running heads"].count == 6


@pytest.mark.parametrize(
    ("split", "whole"),
    [
        ("a long conver-\nsation by the door", "a long conversation by the door"),
        ("the well-\nknown bell", "the well-known bell"),
        ("a weather- beaten face", "a weather-beaten face"),
        ("two-\nand three-storey houses", "two- and three-storey houses"),
        ("sans arrière-\npensée.", "sans arrière-pensée."),
        ("going to S- to buy bread", "going to S- to buy bread"),
        ("Saint-\nGermain was dark", "Saint-Germain was dark"),
    ],
)
def test_split_words(split: str, whole: str) -> None:
    known = (
        "Their conversation was about the well-known bell of the church, whose sound came over the water and went on."
    )
    text, removals = cleaned(f"{wrap(PROSE)}\n\n{known}\n\nIt was, they said later,\n{split}\n\n{wrap(PROSE)}")
    assert whole in " ".join(text.split())
    assert ("hyphen splits" in removals) is (split.replace("\n", " ") != whole and "two-" not in split)


def test_a_printers_hyphens_go_where_a_half_is_no_word() -> None:
    known = "conversation harbour winter window answer evening"
    splits = "con-\nversation, har-\nbour, win-\nter, win-\ndow, an-\nswer, eve-\nning, then a ques-\ntionable promise"
    text, _ = cleaned(f"{known}\n\nIt went by the words {splits} and so on to the end of it")
    assert "a questionable promise" in " ".join(text.split())


def test_wrapped_prose_is_joined_with_or_without_blank_lines_or_by_indentation() -> None:
    paragraphs = [PROSE, FRENCH, "“Who is there?” she said.", PROSE]
    joined = "\n\n".join(paragraphs)
    assert cleaned("\n\n".join(wrap(p) for p in paragraphs))[0] == joined
    assert cleaned("\n".join(wrap(p) for p in paragraphs))[0] == joined
    indented = "\n".join("   " + wrap("xxx " + p).removeprefix("xxx ") for p in paragraphs * 3)
    assert cleaned(indented)[0] == "\n\n".join(paragraphs * 3)
    text, removals = cleaned("\n\n".join("  " + wrap(p).replace("\n", "\n  ") for p in paragraphs))
    assert text == joined
    assert removals["wrapped lines"].count == sum(wrap(p).count("\n") for p in paragraphs)
    assert "→" in removals["wrapped lines"].example


def test_prose_is_joined_beside_tables_whose_cells_go_on_in_small_letters() -> None:
    paragraphs = [PROSE, FRENCH] * 6
    table = "Song Posts Pace\nThe Mare 41\ntrot on black ice\nThe Sister 53\nwalk and nothing\nbut walk"
    several = "\n\n".join(f"{wrap(each, 104)}\n\n{table}" for each in paragraphs[:3])
    text, removals = cleaned(several + "\n\n" + "\n\n".join(wrap(each, 104) for each in paragraphs[3:]))
    assert [each for each in text.split("\n\n") if len(each) > 200] == paragraphs
    assert removals["wrapped lines"].count >= sum(wrap(each, 104).count("\n") for each in paragraphs)


def test_a_long_line_is_joined_to_what_surely_goes_on_with_it_though_most_lines_are_of_tables() -> None:
    rows = "\n".join(f"{thing} {n}\nof the {thing}" for n, thing in enumerate(["lamp", "boat", "bell", "rope"] * 9))
    told = "He said that the lamps of the house are lit at dusk by whoever comes first down the long stair of the tower, and"
    text, _ = cleaned(f"{rows}\n\n{told}\nthat they go out by themselves.\nMartha Counted.\n\n{rows}")
    assert f"\n\n{told} that they go out by themselves.\n\nMartha Counted.\n\n" in text
    assert rows in text


def test_a_paragraph_right_behind_a_list_is_joined_and_the_list_is_kept() -> None:
    items = [
        "two blankets",
        "a spirit lamp",
        "candles",
        "matches in a tin",
        "rope",
        "red rockets",
        "a stick",
        "a pencil",
    ]
    listed = "Each of them holds:\n" + ";\n".join(f"• {item}" for item in items) + "."
    text, _ = cleaned(f"{wrap(PROSE)}\n\n{listed}\n{wrap(PROSE)}\n\n{wrap(FRENCH)}")
    assert text == f"{PROSE}\n\n{listed}\n\n{PROSE}\n\n{FRENCH}"


def test_paragraphs_on_one_line_each_are_set_apart() -> None:
    lines = [PROSE, "« Qui est là ? »", "— Personne, dit-elle.", FRENCH, PROSE, "He said:", "“Nothing.”", FRENCH]
    assert cleaned("\n".join(lines))[0] == "\n\n".join(lines)


@pytest.mark.parametrize("dash", ["— ", "– ", "-- ", "--", "—"])
def test_dialogue_dashes_begin_paragraphs(dash: str) -> None:
    turns = [
        f"{dash}Qui est là?",
        f"{dash}Personne, dit-elle, et elle se remit à compter les marches une à une jusqu'à l'eau noire.",
        f"{dash}Alors pourquoi cette lampe?",
    ]
    packed = f"{wrap(FRENCH)}\n" + "\n".join(wrap(turn) for turn in turns) + f"\n{wrap(FRENCH)}"
    assert cleaned(f"{wrap(FRENCH)}\n\n{packed}\n\n{wrap(FRENCH)}")[0] == "\n\n".join(
        [FRENCH, FRENCH, *turns, FRENCH, FRENCH]
    )


def test_a_dash_inside_a_sentence_begins_nothing() -> None:
    text = (
        "He went down to the water as he had always done in the evening\n--and there was no boat, no lamp, and nobody\n"
        "--not even Martha--who could have said where it had gone."
    )
    found = cleaned(f"{wrap(PROSE)}\n\n{text}\n\n{wrap(PROSE)}")[0].split("\n\n")[1]
    assert found.count("\n") == 0
    assert "evening--and there" in found


KEPT = [
    "When I was but a little boy,\nHey ho, the wind and the rain,\nA foolish thing was but a toy,\n"
    "For the rain it raineth.",
    "_Souvent la chaleur d'un beau jour_\n_Fait rêver fillette à l'amour._",
    "1. Two saws\n2. Five planes\n3. A hundred nails",
    "* two saws\n* five planes\n* a hundred nails",
    "a    b    c\n1    2    3\n4    5    6",
    "The Harbour Master,\nQuay Street 4,\nNorthmouth",
    "def boat(lamp):\n    return lamp == 1;\n    # never",
]


@pytest.mark.parametrize("block", KEPT)
def test_lines_broken_on_purpose_stay_broken(block: str) -> None:
    text = f"{wrap(PROSE)}\n\n{block}\n\n{wrap(FRENCH)}\n\n{wrap(PROSE)}"
    assert cleaned(text)[0] == "\n\n".join([PROSE, block, FRENCH, PROSE])


def test_indented_verse_keeps_its_breaks_and_an_indented_letter_is_joined() -> None:
    verse = "    Fifteen men on the dead man's chest\n    Yo-ho-ho, and a bottle of rum!"
    letter = "\n".join("      " + line for line in wrap(FRENCH, 50).split("\n"))
    text = cleaned(f"{wrap(PROSE)}\n\n{verse}\n\n{wrap(PROSE)}\n\n{letter}\n\n{wrap(PROSE)}")[0]
    assert text == "\n\n".join([PROSE, verse.replace("    ", ""), PROSE, FRENCH, PROSE])


def test_headings_between_packed_lines_stand_alone() -> None:
    text = f"EMMA\nVOLUME I\nCHAPTER I\n{wrap(PROSE)}\n{wrap(FRENCH)}\nCHAPTER II\n{wrap(PROSE)}"
    assert cleaned(text)[0] == "\n\n".join(["EMMA", "VOLUME I", "CHAPTER I", PROSE, FRENCH, "CHAPTER II", PROSE])


def test_stray_characters_go_and_french_spaces_stay() -> None:
    text, removals = cleaned(
        "\ufeffUne\u200b co\u00adque\x07 : «\u00a0Oui\u00a0!\u00a0» et\u00a0puis 10\u202f000\u00a0francs.\r\nFin."
    )
    assert text == "Une coque : «\u00a0Oui\u00a0!\u00a0» et puis 10\u202f000 francs.\nFin."
    assert removals["characters"].count == 6
    assert "U+" in removals["characters"].example


def test_wider_gaps_are_noted_for_the_chapters() -> None:
    documents, _ = clean(
        [Document("b-1", f"{wrap(PROSE)}\n\n{wrap(PROSE)}\n\n\n\n{wrap(FRENCH)}\n\n{wrap(PROSE)}", "b.txt")]
    )
    [place] = documents[0].metadata["breaks"]
    assert documents[0].text[place:].startswith("Le bateau")


def test_offsets_count_in_the_cleaned_source() -> None:
    documents, _ = clean(
        [
            Document("b-1", f"One\n\n{wrap(PROSE)}", "b.md", "One", metadata={"level": 1}),
            Document("b-2", f"Two\n\n{wrap(FRENCH)}", "b.md", "Two", metadata={"level": 1}),
        ]
    )
    whole = "\n\n".join(d.text for d in documents)
    assert all(whole[d.offset : d.offset + len(d.text)] == d.text for d in documents)
