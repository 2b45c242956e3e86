"""Gold sets: what a line says, what SQuAD says, and one clear line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wellread.errors import CorpusError
from wellread.metrics.citations import holds
from wellread.retrieval.gold import read_gold, read_squad
from wellread.types import Chunk, Document, GoldPassage, GoldQuestion

LINES = [
    {"id": "h1", "question": "How much oil?", "answers": ["fourteen litres"],
     "passages": [{"quote": "burns fourteen litres", "source": "handbook.md", "section": "Lamps"}], "language": "en"},
    {"question": "Qui sonne ?\u2028Et quand ?", "language": "fr", "near_miss": True, "answers": [], "passages": []},
]  # fmt: skip


def written(folder: Path, *lines: object) -> Path:
    path = folder / "gold.jsonl"
    told = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("\n".join(told) + "\n", encoding="utf-8")
    return path


def test_a_line_is_a_question(tmp_path: Path) -> None:
    assert read_gold(written(tmp_path, LINES[0], "", LINES[1])) == [
        GoldQuestion("h1", "How much oil?", ("fourteen litres",),
                     (GoldPassage("burns fourteen litres", "handbook.md", "Lamps"),)),
        GoldQuestion("3", "Qui sonne ?\u2028Et quand ?", near_miss=True, language="fr"),
    ]  # fmt: skip


def test_a_question_without_a_language_is_in_its_own_or_in_that_of_its_file(tmp_path: Path) -> None:
    lines = ["Où est la clef de la tour ?", "Qui sonne la cloche quand il y a de la brume sur le lac ?", "Couleur ?",
             "Who has the key of the tower?"]  # fmt: skip
    rows = [{"question": line} for line in lines]
    told = [
        each.language for each in read_gold(written(tmp_path, *rows, {"question": "Qui est-ce ?", "language": "en"}))
    ]
    assert told == ["fr", "fr", "fr", "en", "en"]
    paragraph = {"context": "Elle est dans la tour, et il y a une lampe.", "qas": [{"id": "1", "question": "Où ?"}]}
    (tmp_path / "squad.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}), encoding="utf-8")
    assert [each.language for each in read_gold(tmp_path / "squad.json")] == ["fr"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: not JSON"),
        ("[1]", "line 2: a question is a JSON object, found list"),
        ({"question": " "}, "line 2: `question` is missing"),
        ({"question": "a", "answer": "b"}, "line 2: unknown 'answer'"),
        ({"question": "a", "answers": "b"}, "line 2: `answers` is a list of texts"),
        ({"question": "a", "passages": {"quote": "b"}}, "line 2: `passages` is a list, found dict"),
        ({"question": "a", "passages": [{"text": "b"}]}, "line 2: a passage has `quote`"),
        ({"question": "a", "passages": ["b"]}, "line 2: a passage has `quote`"),
        ({"question": "a", "near_miss": "yes"}, "line 2: `near_miss` is true or false"),
        ({"question": "a", "near_miss": True, "answers": ["b"]}, "line 2: a near miss is not answered"),
        ({"question": "a", "language": 1}, "line 2: `language` is a tag"),
        ({"id": "h1", "question": "a"}, "questions 1 and 2 have the same id 'h1'"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(CorpusError, match=said) as caught:
        read_gold(written(tmp_path, LINES[0], line))
    assert "\n" not in str(caught.value)
    assert "gold.jsonl" in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no question in it"):
        read_gold(written(tmp_path, ""))
    with pytest.raises(CorpusError, match="cannot be read"):
        read_gold(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"question": "\xe9"}')
    with pytest.raises(CorpusError, match="not UTF-8"):
        read_gold(tmp_path / "latin.jsonl")


SQUAD = {"version": "2", "data": [{"title": "Lamps", "paragraphs": [
    {"context": "A lamp burns oil. It is lit at dusk.", "qas": [
        {"id": "1", "question": "What burns?", "answers": [{"text": "oil", "answer_start": 13}] * 2},
        {"id": "2", "question": "Who lit it?", "answers": [], "is_impossible": True, "plausible_answers": []}]},
    {"context": "Tides.", "qas": []}]}]}  # fmt: skip


def test_squad_gives_paragraphs_and_questions(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(SQUAD), encoding="utf-8")
    documents, questions = read_squad(path)
    text = "A lamp burns oil. It is lit at dusk."
    assert documents == [Document("Lamps#1", text, "Lamps"), Document("Lamps#2", "Tides.", "Lamps")]
    assert questions == read_gold(path)
    assert questions == [
        GoldQuestion("1", "What burns?", ("oil",), (GoldPassage(text, section="Lamps"),)),
        GoldQuestion("2", "Who lit it?", near_miss=True),
    ]


def test_a_squad_passage_is_known_by_its_words_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps(SQUAD), encoding="utf-8")
    [passage] = read_gold(path)[0].passages
    assert holds(Chunk("d", 0, 9, "On lamps. A lamp burns oil. It is lit at dusk.", "texts/reader.txt"), passage)
    assert not holds(Chunk("d", 0, 9, "A lamp is lit.", "Lamps"), passage)


@pytest.mark.parametrize("text", ["{", "[]", '{"data": [{"paragraphs": [{"qas": []}]}]}', '{"data": 3}', "null"])
def test_what_is_no_squad_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"odd\.json: not") as caught:
        read_squad(path)
    assert "\n" not in str(caught.value)
