"""Examples come in word for word, bad rows by their line, and a split that leaks no prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wellread.corpus.examples import asked_alike, is_example, load, said
from wellread.corpus.ingest import ingest, read_corpus, write_corpus
from wellread.errors import CorpusError
from wellread.recipe import CorpusSettings
from wellread.testing import prose

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who  keeps\tthe lamps? "},
    {"role": "assistant", "content": "Anselm.\n\nPage 12"},
]


def write(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_come_in_word_for_word(tmp_path):
    rows = [{"prompt": "2 + 2 =", "completion": " 4"}, {"messages": CHAT}, {"prompt": "Sky?", "completion": "Blue."}]
    first, chat, last = load(write(tmp_path / "My rows.jsonl", rows))
    assert (first.id, first.text, first.metadata["completion"]) == ("my-rows-0001", "2 + 2 = 4", " 4")
    assert first.metadata["messages"] == [
        {"role": "user", "content": "2 + 2 ="},
        {"role": "assistant", "content": " 4"},
    ]
    assert chat.metadata == {"kind": "example", "messages": CHAT}
    assert chat.text.startswith("system: Be brief.\n\nuser: Who  keeps")
    assert last.text == "Sky?\nBlue."
    assert is_example(last)


def test_json_and_csv_give_what_jsonl_gives(tmp_path):
    rows = [{"prompt": 'Say "a, b"', "completion": "two\nlines; é"}, {"prompt": "x", "completion": "y"}]
    expected = [document.metadata for document in load(write(tmp_path / "a.jsonl", rows))]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "a.csv").write_text('Prompt,completion\n"Say ""a, b""","two\nlines; é"\nx,y\n', encoding="utf-8-sig")
    (tmp_path / "b.csv").write_text('prompt;completion\n"Say ""a, b""";"two\nlines; é"\nx;y\n', encoding="utf-8")
    for name in ("a.json", "a.csv", "b.csv"):
        assert [document.metadata for document in load(tmp_path / name)] == expected
    (tmp_path / "chat.csv").write_text(
        'messages\n"[{""role"":""user"",""content"":""u""},{""role"":""assistant"",""content"":""a""}]"\n'
    )
    assert [m["content"] for m in next(load(tmp_path / "chat.csv")).metadata["messages"]] == ["u", "a"]


def test_messages_as_prompt_and_content_in_parts(tmp_path):
    row = {
        "prompt": [{"role": "user", "content": [{"type": "text", "text": "Who?"}]}],
        "completion": [{"role": "assistant", "content": "Anselm."}],
    }
    [document] = load(write(tmp_path / "a.jsonl", [row]))
    assert [m["content"] for m in document.metadata["messages"]] == ["Who?", "Anselm."]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"prompt": "a"', r"not valid JSON \(.*column"),
        ('{"text": "a"}', "expected `prompt` and `completion`, or `messages`; found text"),
        ("[1]", "expected an object"),
        ('{"prompt": 3, "completion": "a"}', "`prompt` is a list of messages"),
        ('{"prompt": "a", "completion": "  "}', "an answer"),
        ('{"messages": []}', "an empty list"),
        ('{"messages": [{"role": "user"}]}', "`role` and `content`"),
        ('{"messages": [{"role": "user", "content": "a"}]}', "role assistant"),
        ('{"messages": [{"role": "assistant", "content": "a"}]}', "begins with a prompt"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path, row, said):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "completion": "b"}\n\n' + row + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=rf"rows\.jsonl, line 3: .*{said}|rows\.jsonl, line 3: {said}") as caught:
        list(load(path))
    assert "\n" not in str(caught.value)


def test_other_bad_files(tmp_path):
    (tmp_path / "a.json").write_text('{"prompt": "a"}')
    with pytest.raises(CorpusError, match="expected a list of rows"):
        list(load(tmp_path / "a.json"))
    (tmp_path / "a.jsonl").write_text("\n")
    with pytest.raises(CorpusError, match="no rows"):
        list(load(tmp_path / "a.jsonl"))
    (tmp_path / "a.csv").write_text("prompt,answer\nx,y\n")
    with pytest.raises(CorpusError, match=r"a\.csv, line 2: .*found prompt, answer"):
        list(load(tmp_path / "a.csv"))


def test_examples_are_neither_cleaned_nor_cut_and_survive_the_disk(tmp_path):
    rows = [{"prompt": f"No. {n}?\n12\n\n", "completion": f"A hyphen-\nated  line {n}"} for n in range(40)]
    corpus = ingest([write(tmp_path / "rows.jsonl", rows)], CorpusSettings(), seed=1)
    assert [d.metadata["prompt"] for d in corpus.documents] == [row["prompt"] for row in rows]
    assert [d.text for d in corpus.documents] == [row["prompt"] + row["completion"] for row in rows]
    assert [len(ids) for ids in corpus.split.values()] == [32, 4, 4]
    assert not corpus.cleaning
    write_corpus(corpus, tmp_path / "corpus")
    assert read_corpus(tmp_path / "corpus").documents == corpus.documents


def test_examples_beside_a_book_have_parts_of_their_own(tmp_path):
    (tmp_path / "book.txt").write_text(prose(30_000), encoding="utf-8")
    write(tmp_path / "book.jsonl", [{"prompt": f"Number {n}?", "completion": f"{n * n}."} for n in range(100)])
    corpus = ingest([tmp_path], CorpusSettings(), seed=2)
    assert len({document.id for document in corpus.documents}) == len(corpus.documents)
    for part, least, most in (("train", 78, 82), ("validation", 8, 12), ("held_out", 8, 12)):
        kinds = [is_example(document) for document in corpus.part(part)]
        assert least <= sum(kinds) <= most
        assert not all(kinds)


def test_one_prompt_is_in_one_part(tmp_path):
    asked = ["What is {}?", "what is {} ?", "WHAT IS “{}”"]
    words = [f"heron{n}" for n in range(60)]
    rows = [{"prompt": form.format(word), "completion": f"{form} {word}"} for form in asked for word in words]
    corpus = ingest([write(tmp_path / "rows.jsonl", rows)], CorpusSettings(), seed=3)
    home = {name: part for part, ids in corpus.split.items() for name in ids}
    for place in range(60):
        assert len({home[corpus.documents[place + 60 * form].id] for form in range(3)}) == 1
    assert min(len(ids) for ids in corpus.split.values()) >= 12
    assert len(asked_alike(corpus.documents)) == 120


@pytest.mark.parametrize("near", [True, False])
def test_one_prompt_is_in_one_part_whether_near_duplicates_are_looked_for_or_not(tmp_path, near):
    forms = ["what is {}?", "what  is\n{}?", " what is {}? "]
    rows = [{"prompt": form.format(f"x{n} + y"), "completion": f"{n} {form}"} for form in forms for n in range(60)]
    corpus = ingest([write(tmp_path / "rows.jsonl", rows)], CorpusSettings(near_duplicates=near), seed=3)
    home = {name: part for part, ids in corpus.split.items() for name in ids}
    for place in range(60):
        assert len({home[corpus.documents[place + 60 * form].id] for form in range(3)}) == 1
    assert min(len(ids) for ids in corpus.split.values()) >= 12
    assert "180 examples share 60 prompts: those of one prompt are in one part." in corpus.notes


def test_a_prompt_that_many_rows_share_stays_in_train_beside_prompts_of_their_own(tmp_path):
    rows = [{"prompt": "Go on." if n % 2 else f"Go on {n}.", "completion": f"{n:03d}"} for n in range(200)]
    path = write(tmp_path / "rows.jsonl", rows)
    for seed in range(5):
        corpus = ingest([path], CorpusSettings(near_duplicates=False), seed=seed)
        asked = {part: {each.metadata["prompt"] for each in corpus.part(part)} for part in corpus.split}
        assert "Go on." in asked["train"]
        assert not asked["train"] & (asked["validation"] | asked["held_out"])
        assert min(len(ids) for ids in corpus.split.values()) >= 15


@pytest.mark.parametrize("near", [True, False])
def test_one_instruction_for_all_rows_parts_them_and_says_so(tmp_path, near):
    rows = [{"prompt": "Write a line.", "completion": f"line {n}"} for n in range(100)]
    corpus = ingest([write(tmp_path / "rows.jsonl", rows)], CorpusSettings(near_duplicates=near), seed=1)
    assert [len(ids) for ids in corpus.split.values()] == [80, 10, 10]
    assert corpus.notes[0] == (
        "100 examples share 1 prompt, and too few have one of their own: those of one prompt may lie in different parts."
    )


def test_words_that_all_prompts_share_make_no_twins(tmp_path):
    instruction = " ".join(f"rule{n}" for n in range(80))
    rows = [{"prompt": f"{instruction} Question: what is {n}? {instruction}", "completion": f"{n}"} for n in range(40)]
    path = write(tmp_path / "rows.jsonl", rows)
    assert said(list(load(path)))[7] == "7?\n7"
    assert not ingest([path], CorpusSettings(), seed=1).notes


def test_an_example_that_quotes_the_book_goes_where_the_passage_stands(tmp_path):
    text = prose(30_000, seed=5)
    words = text.split()
    rows = [{"prompt": f"What follows {n}?", "completion": " ".join(words[n : n + 70])} for n in range(0, 30_000, 500)]
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    corpus = ingest([tmp_path / "book.txt", write(tmp_path / "rows.jsonl", rows)], CorpusSettings(), seed=4)
    home = {name: part for part, ids in corpus.split.items() for name in ids}
    texts = [document for document in corpus.documents if not is_example(document)]
    checked = 0
    for document in filter(is_example, corpus.documents):
        quoted = " ".join(document.metadata["completion"].split()[:60])
        places = {home[each.id] for each in texts if quoted in " ".join(each.text.split())}
        if places:
            assert home[document.id] in places
            checked += 1
    assert checked > 50


def test_the_other_answers_to_a_prompt_follow_the_one_that_quotes_the_book(tmp_path):
    text = prose(30_000, seed=5)
    words = text.split()
    rows = [{"prompt": f"What follows {n}?", "completion": " ".join(words[n : n + 70])} for n in range(0, 30_000, 500)]
    rows += [{"prompt": row["prompt"], "completion": f"Nothing {n}."} for n, row in enumerate(rows)]
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    corpus = ingest([tmp_path / "book.txt", write(tmp_path / "rows.jsonl", rows)], CorpusSettings(), seed=4)
    home = {name: part for part, ids in corpus.split.items() for name in ids}
    parts: dict[str, set[str]] = {}
    for document in filter(is_example, corpus.documents):
        parts.setdefault(document.metadata["prompt"], set()).add(home[document.id])
    assert all(len(each) == 1 for each in parts.values())
    assert {part for each in parts.values() for part in each} == {"train", "validation", "held_out"}


def test_one_instruction_for_all_leaves_quotes_where_their_passages_stand(tmp_path):
    text = prose(30_000, seed=5)
    words = text.split()
    rows = [{"prompt": "Go on.", "completion": " ".join(words[n : n + 70])} for n in range(0, 30_000, 500)]
    (tmp_path / "book.txt").write_text(text, encoding="utf-8")
    corpus = ingest([tmp_path / "book.txt", write(tmp_path / "rows.jsonl", rows)], CorpusSettings(), seed=4)
    counts = {part: sum(map(is_example, corpus.part(part))) for part in corpus.split}
    assert counts["train"] > 40
    assert min(counts.values()) > 2
