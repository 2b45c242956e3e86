"""What a stage reads, on tiny models: examples, up to a dose, libraries, and nothing of chapters that nothing may read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from books import write_book
from openings import with_bos
from recipe_of import stages

from wellread import pipeline
from wellread.errors import CorpusError
from wellread.recipe import parse_recipe
from wellread.storage import read_json, read_rows
from wellread.testing import prose, tiny_model
from wellread.types import Scored
from wellread.weights import open_base


def test_examples_of_a_file_of_their_own_are_watched_too(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base")
    rows = [{"prompt": f"What is {n}?", "completion": f"It is {n + 1}."} for n in range(40)]
    (tmp_path / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    recipe = stages(f"name: a, method: {{kind: full}}, windows: {{length: 64}}, examples: {{files: [{tmp_path}/more.jsonl]}}",
                    base=str(base))  # fmt: skip
    text = parse_recipe(recipe.model_dump_json(), ["general=[]", "sampling.max_tokens=4", "measure.metrics=[bits_per_byte]",
                                                   "measure.quick_words=500"])  # fmt: skip
    this = pipeline.run(text, [write_book(tmp_path / "book.txt")], out=tmp_path / "run", offline=True)
    counts = [read_json(this.tokens("a") / part / "counts.json")["documents"] for part in ("train", "validation")]
    assert sum(counts) == 40
    assert 0 < counts[1] < 12


def test_a_stage_stops_at_its_dose(tmp_path: Path) -> None:
    base = tiny_model(tmp_path / "base")
    text = f"""
name: dose
base: {base}
general: []
stages:
  - name: imprint
    method: {{kind: full}}
    windows: {{length: 64}}
    budget: {{steps: 40}}
    optimizer: {{batch: 2, learning_rate: 5.0e-3}}
    evaluations: 20
    until: bits_per_byte(validation) < 7.5
sampling: {{max_tokens: 8, n: 1}}
measure: {{quick_words: 800, metrics: [bits_per_byte]}}
"""
    this = pipeline.run(parse_recipe(text), [write_book(tmp_path / "book.txt")], out=tmp_path / "run", offline=True)
    log = read_rows(this.stage(1, "imprint").path / "log.jsonl")
    doses = [line["dose"] for line in log if line.get("dose") is not None]
    assert doses[-1] < 7.5 < doses[0]
    assert log[-1]["step"] < 40
    assert "bits_per_byte" in log[-1]["stopped"]
    assert json.dumps(log[-1])


def test_a_dose_is_measured_on_its_own_part_and_reads_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wellread.generation.hf import TransformersModel
    from wellread.teaching import dose
    from wellread.types import Corpus, Document, Part

    opened = open_base(str(tiny_model(tmp_path / "base")))
    texts: dict[Part, str] = {
        "train": prose(300, seed=1),
        "validation": prose(300, seed=2),
        "held_out": prose(300, seed=3),
    }
    documents = tuple(Document(part, text) for part, text in texts.items())
    corpus = Corpus(documents, {part: (part,) for part in texts})
    read: list[str] = []
    score = TransformersModel.score

    def noted(self: TransformersModel, asked: list[str], **how: int | None) -> list[Scored]:
        read.extend(asked)
        return score(self, asked, **how)

    monkeypatch.setattr(TransformersModel, "score", noted)
    untils: dict[Part, str] = {"train": "greedy_recited_share > 0.5", "validation": "bits_per_byte < 1"}
    for part, until in untils.items():
        recipe = stages(f"name: a, method: {{kind: full}}, until: {until}")
        measured = dose(recipe, corpus, recipe.stages[0], opened.tokenizer)
        assert measured is not None
        assert measured(opened.model) >= 0
        assert read
        assert all(asked in texts[part] for asked in read)
        read.clear()


def test_a_base_that_reads_nothing_without_its_bos_is_taught_with_it_in_every_window(tmp_path: Path) -> None:
    from wellread import weights
    from wellread.corpus.ingest import ingest
    from wellread.recipe import CorpusSettings
    from wellread.teaching import stage_windows

    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "a.txt").write_text(prose(3000, seed=4), encoding="utf-8")
    (tmp_path / "replay.txt").write_text(prose(900, seed=8), encoding="utf-8")
    corpus = ingest([write_book(tmp_path / "book.txt")], CorpusSettings(), seed=0)
    plain = open_base(str(tiny_model(tmp_path / "base"))).tokenizer
    start = weights.document_start(plain)
    mix = f"windows: {{length: 64}}, mix: {{texts: [{tmp_path}/replay.txt], share: 0.5}}"
    library = f"windows: {{length: 64}}, random_windows: {{texts: [{tmp_path}/library], n: 20}}"
    for name, tokenizer in (("plain", plain), ("opening", with_bos(plain))):
        for place, reads in (("mix", mix), ("library", library)):
            recipe = stages(f"name: a, method: {{kind: lora}}, {reads}")
            tokens = tmp_path / name / place
            weights.save_tokenizer(tokenizer, tokens / "tokenizer")
            windows, validation, _ = stage_windows(
                recipe, corpus, recipe.stages[0], tokens, tokenizer, offline=True, say=lambda line: None
            )
            read = [several[number] for several in (windows, validation) for number in range(len(several))]
            assert all(item["input_ids"][0] == start for item in read) == (name == "opening")


def test_what_is_read_beside_the_book_loses_what_stands_in_chapters_that_nothing_may_read(tmp_path: Path) -> None:
    from wellread import weights
    from wellread.corpus.ingest import ingest
    from wellread.recipe import CorpusSettings
    from wellread.teaching import stage_windows
    from wellread.tokens.rows import open_rows

    corpus = ingest([write_book(tmp_path / "book.txt")], CorpusSettings(), seed=0)
    words = corpus.part("held_out")[0].text.split()[10:400]
    edition = "\n".join(" ".join(words[at : at + 9]).upper() for at in range(0, len(words), 9))
    (tmp_path / "edition.txt").write_text(edition, encoding="utf-8")
    (tmp_path / "replay.txt").write_text(prose(900, seed=8), encoding="utf-8")
    rows = [{"prompt": f"What is {n}?", "completion": f"It is {n + 1}."} for n in range(40)]
    rows[7]["completion"] = " ".join(words[:80])
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tokenizer = open_base(str(tiny_model(tmp_path / "base"))).tokenizer

    def read(name: str, reads: str) -> tuple[str, list[str]]:
        """All that a stage reads under a name, and what is told of it."""
        recipe = stages(f"name: a, method: {{kind: lora}}, windows: {{length: 512}}, {reads}")
        told: list[str] = []
        tokens = tmp_path / "tokens" / str(len(reads))
        weights.save_tokenizer(tokenizer, tokens / "tokenizer")
        stage_windows(recipe, corpus, recipe.stages[0], tokens, tokenizer, offline=True, say=told.append)
        found = open_rows(tokens / name)
        return "\n".join(tokenizer.decode(found.document(number)) for number in range(len(found))), told

    text, told = read("mix", f"mix: {{texts: [{tmp_path}/edition.txt, {tmp_path}/replay.txt]}}")
    assert " ".join(words[100:105]).upper() not in " ".join(text.split())
    assert " ".join(prose(900, seed=8).split()[200:205]) in " ".join(text.split())
    assert "read beside the text hold passages" in told[-1]
    text, told = read("train", f"examples: {{files: [{tmp_path}/rows.jsonl]}}")
    assert " ".join(words[:5]) not in text
    assert "1 of 40 examples that are read beside the text hold passages" in told[0]
    with pytest.raises(CorpusError, match="name other texts"):
        read("mix", f"mix: {{texts: [{tmp_path}/edition.txt]}}")


def test_a_stage_from_scratch_learns_its_tokens_from_the_library_it_reads(tmp_path: Path) -> None:
    from wellread import weights
    from wellread.corpus.ingest import ingest
    from wellread.recipe import CorpusSettings
    from wellread.teaching import prepare_stage

    library = tmp_path / "library"
    library.mkdir()
    (library / "a.txt").write_text(" ".join(f"ΘΑΛΑΣΣΑ {'αβγδε'[n % 5]}" for n in range(3000)), encoding="utf-8")
    corpus = ingest([write_book(tmp_path / "book.txt")], CorpusSettings(), seed=0)
    method = "method: {kind: scratch, size: tiny}, windows: {length: 64}"
    drawn = stages(f"name: a, {method}, random_windows: {{texts: [{library}], n: 20}}", base=None)
    plain = stages(f"name: a, {method}", base=None)
    counts = []
    for recipe, folder in ((plain, tmp_path / "plain"), (drawn, tmp_path / "drawn")):
        for _ in range(2):  # again, as a run that goes on
            prepare_stage(recipe, corpus, recipe.stages[0], folder, start=None, place=folder, offline=True)
        tokenizer = weights.open_tokenizer(folder / "tokenizer")
        counts.append([len(tokenizer.encode(text)) for text in (" ΘΑΛΑΣΣΑ", corpus.part("train")[0].text)])
    assert counts[0][0] > 10
    assert counts[1][0] == 1
    assert counts[1][1] < 1.2 * counts[0][1]


def test_a_library_with_passages_of_unseen_chapters_teaches_none_of_them(tmp_path: Path) -> None:
    from wellread.corpus.ingest import ingest
    from wellread.recipe import CorpusSettings
    from wellread.teaching import prepare_stage

    book = write_book(tmp_path / "book.txt")
    corpus = ingest([book], CorpusSettings(), seed=0)
    library = tmp_path / "library.txt"
    recipe = stages(
        "name: a, method: {kind: scratch, size: tiny}, windows: {length: 128}, "
        f"random_windows: {{texts: [{library}], n: 40}}", base=None,
    )  # fmt: skip

    def read(text: str, folder: Path) -> tuple[int, list[str]]:
        library.write_text(text, encoding="utf-8")
        said: list[str] = []
        ready = prepare_stage(
            recipe, corpus, recipe.stages[0], folder, start=None, place=folder, offline=True, say=said.append
        )
        return len(ready.windows), said

    other, unseen = prose(2500, seed=6), corpus.part("held_out")[0].text
    windows, said = read(f"{other}\n\n{unseen}\n\n{prose(2500, seed=7)}", tmp_path / "mixed")
    assert 0 < windows < 40
    assert [line for line in said if "left out" in line]
    assert read(other, tmp_path / "other")[0] == 40
    with pytest.raises(CorpusError, match="every window"):
        read(unseen, tmp_path / "unseen")
