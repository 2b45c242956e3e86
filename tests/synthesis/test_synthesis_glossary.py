"""Glossaries in every format and under many headings; what is wrong with one is a line with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wellread.errors import CorpusError
from wellread.synthesis import load_terms
from wellread.types import Term

API = Term(
    "API", "Authorised Passage on Ice", "the permit of a crossing", "see ATM", ("passage",), ("permit", "crossing")
)
TARE = Term("tare", "", "the weight of the empty sledge")
FILES = {
    "list.json": json.dumps([
        {"acronym": "API", "expansion": "Authorised Passage on Ice", "definition": "the permit of a crossing",
         "notes": "see ATM", "aliases": ["passage"], "key facts": ["permit", "crossing"], "tags": ["x"]},
        {"term": "tare", "definition": "the weight of the empty sledge"},
    ]),
    "wrapped.json": json.dumps({"version": 1, "glossary": {
        "API": {"Full form": "Authorised Passage on Ice", "Meaning": "the permit of a crossing", "note": "see ATM",
                "synonyms": "passage", "facts": "permit; crossing"},
        "tare": "the weight of the empty sledge"}}),
    "lines.jsonl": '{"sigle": "API", "développement": "Authorised Passage on Ice", "définition": "the permit of a crossing", '
                   '"remarques": "see ATM", "alias": "passage", "faits": "permit|crossing"}\n\n'
                   '{"terme": "tare", "définition": "the weight of the empty sledge"}\n',
    "commas.csv": '\ufeffAcronym,Long Form,Definition,Notes,Aliases,Key-Facts\n'
                  'API,Authorised Passage on Ice,"the permit of a crossing",see ATM,passage,permit|crossing\n'
                  'tare,,the weight of the empty sledge,,,\n\n',
    "semicolons.csv": "Terme;Forme longue;Définition;Notes;Alias;Faits\n"
                      "API;Authorised Passage on Ice;the permit of a crossing;see ATM;passage;permit|crossing\n"
                      "tare;;the weight of the empty sledge;;;\n",
    "tabs.tsv": "term\texpansion\tdefinition\tnotes\taliases\tfacts\n"
                "API\tAuthorised Passage on Ice\tthe permit of a crossing\tsee ATM\tpassage\tpermit; crossing\n"
                "tare\t\tthe weight of the empty sledge\t\t\t\n",
    "entries.yaml": "- term: API\n  stands for: Authorised Passage on Ice\n  definition: the permit of a crossing\n"
                    "  notes: see ATM\n  aliases: [passage]\n  facts: [permit, crossing]\n"
                    "- term: tare\n  definition: the weight of the empty sledge\n",
    "table.md": "# Words\n\nSome prose.\n\n| Acronym | Expansion | Definition | Notes | Aliases | Facts |\n|---|---|---|---|---|---|\n"
                "| **API** | Authorised Passage on Ice | the permit of a crossing | see ATM | passage | permit; crossing |\n"
                "| tare | | the weight of the empty sledge | | | |\n",
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_terms(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8", newline="")
    assert load_terms(path) == [API, TARE]


def test_markdown_lists_of_definitions_and_of_bold_names(tmp_path: Path) -> None:
    path = tmp_path / "words.md"
    path.write_text(
        "# Glossary\n\nIntroduction, with **stress** somewhere.\n\nAPI\n: Authorised Passage on Ice. The permit of a crossing.\n\n"
        "net\n: the goods alone\n\n  without the sledge\n: a thing to catch fish\n\n"
        "- **tare**: the weight of the *empty* sledge\n- **ATM** — Allowed Tonnage Maximum\n\n**gross** = all of it\n",
        encoding="utf-8",
    )
    assert load_terms(path) == [
        Term("API", "Authorised Passage on Ice", "The permit of a crossing."),
        Term("net", "", "the goods alone without the sledge"),
        Term("net", "", "a thing to catch fish"),
        TARE,
        Term("ATM", "Allowed Tonnage Maximum"),
        Term("gross", "", "all of it"),
    ]


def test_several_senses_are_several_terms(tmp_path: Path) -> None:
    path = tmp_path / "senses.json"
    entry = {
        "term": "ATM",
        "senses": [
            {"expansion": "Allowed Tonnage Maximum", "sense": "the scales"},
            {"expansion": "At The Moment", "definition": "now", "sense": "letters"},
            "Any Trotting Mare",
        ],
        "aliases": ["the maximum"],
    }
    again = {"term": "API", "expansion": "Authorised Passage on Ice"}
    path.write_text(
        json.dumps([entry, again, again, {"term": "API", "expansion": "All Posts Inspected"}]), encoding="utf-8"
    )
    alias = ("the maximum",)
    assert load_terms(path) == [
        Term("ATM", "Allowed Tonnage Maximum", sense="the scales", aliases=alias),
        Term("ATM", "At The Moment", "now", sense="letters", aliases=alias),
        Term("ATM", "Any Trotting Mare", aliases=alias),
        Term("API", "Authorised Passage on Ice"),
        Term("API", "All Posts Inspected"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", "[{", "line 1"),
        ("a.json", '"word"', "a list of entries"),
        ("a.json", "[]", "no terms in it"),
        ("a.json", '[{"term": "API"}]', "entry 1: 'API' has neither an expansion nor a definition"),
        ("a.json", '[{"colour": "red", "size": 3}]', "entry 1: no field names the term; found colour, size"),
        ("a.json", '[{"term": "a", "definition": "b"}, 7]', "entry 2: expected an entry"),
        ("a.jsonl", '{"term": "a", "definition": "b"}\n{"term"', "line 2"),
        ("a.csv", "term,definition\nnet,the goods, alone\n", "line 2: more columns than the first line names"),
        ("a.csv", "net,the goods alone\nx,y\n", "line 2: no field names the term"),
        ("a.csv", "term,definition\n,the goods alone\n", "line 2: the term is empty"),
        ("a.csv", "\n\nterm;definition\nnet\n", "line 4: 'net' has neither"),
        ("a.tsv", 'term\tdefinition\nnet\tgoods\ntare\t"the sledge\ngross\tall\n', "line 3: a quotation mark opens"),
        ("a.json", '{"net": "the goods", "net": "a thing to catch fish"}', "'net' comes twice"),
        ("a.json", '[{"term": "net", "definition": {"en": "goods", "fr": "biens"}}]', "of 'net' is an object"),
        ("a.yaml", "net: the goods\nnet: a thing to catch fish\n", "'net' comes twice"),
        ("a.yaml", "a: [1\nb: 2\n", "not valid YAML"),
        ("a.md", "# A novel\n\nIt was a dark night.\n", "no terms in it"),
        ("a.docx", "x", "save it as one of these"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(name: str, text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=told.replace("(", r"\(")) as caught:
        load_terms(path)
    assert path.as_posix() in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such file"):
        load_terms(tmp_path / "a.json")
    (tmp_path / "b.csv").write_bytes("terme,définition\nété,saison chaude\n".encode("cp1252"))
    assert load_terms(tmp_path / "b.csv") == [Term("été", "", "saison chaude")]


def test_a_name_that_yaml_takes_for_a_truth_value_or_a_number_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "names.yaml"
    path.write_text("NO: Norway\nnull: nothing at all\n1.10: a version\n007: a spy\n2024-01-01: a day\n")
    assert [each.name for each in load_terms(path)] == ["NO", "null", "1.10", "007", "2024-01-01"]
    path.write_text("- &a {term: ON, expansion: yes, notes: ~}\n- {<<: *a, term: OFF}\n")
    assert load_terms(path) == [Term("ON", "yes"), Term("OFF", "yes")]


def test_blank_lines_before_a_table_and_rows_that_repeat_are_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\r\n\r\nterm;definition\r\nnet;the goods, alone\r\n", newline="")
    (tmp_path / "a.json").write_text('{"net": "the goods, alone", "net": "the goods, alone"}')
    assert load_terms(tmp_path / "a.csv") == load_terms(tmp_path / "a.json") == [Term("net", "", "the goods, alone")]


def test_bare_names_are_allowed_where_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "invented.json"
    path.write_text('["ATJ", {"term": "the Shoulder"}]', encoding="utf-8")
    assert load_terms(path, bare=True) == [Term("ATJ"), Term("the Shoulder")]
    with pytest.raises(CorpusError):
        load_terms(path)


def test_the_shared_glossary_is_read_as_it_stands() -> None:
    path = Path(__file__).parents[3] / "shared" / "data" / "glossaries" / "vera_unambiguous.json"
    if not path.is_file():
        pytest.skip("the glossaries are not beside this checkout")
    terms = load_terms(path)
    assert len(terms) == 5096
    assert all(term.expansion for term in terms)


def test_a_folder_is_no_glossary(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is a folder, and a glossary is one file"):
        load_terms(tmp_path)
