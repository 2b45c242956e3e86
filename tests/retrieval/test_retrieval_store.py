"""The store: what it finds, what it gives back, whom it refuses, and what others see while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hashing import Hashing

from wellread.errors import RunError, StorageError, UnknownName, UsageError
from wellread.indexing import index_texts
from wellread.retrieval.about import OVERLEAF, About, schema_of
from wellread.retrieval.chunking import Chunking, Outline, chunks_of
from wellread.retrieval.embedders import embed, embed_queries
from wellread.retrieval.exact import BM25, ExactRetriever
from wellread.retrieval.filling import Filling, filling
from wellread.retrieval.keywords import query_terms
from wellread.retrieval.store import Hit, Mode, Store, best_of, columns_in, open_store
from wellread.retrieval.windows import chunk_terms
from wellread.types import Chunk, Retriever

pytest.importorskip("lancedb")

THINGS = ["lake", "snow", "ferry", "bell", "oar", "lantern", "heron", "quay", "ice", "rope", "winter", "stove"]
HOW = Chunking("paragraphs", 40)


def lake(number: int, sentences: int = 30) -> Outline:
    """A document of sentences, no two of them of the same words, some of them under two headings."""
    draw = np.random.default_rng(number)
    told = [
        f"The {' and the '.join(draw.choice(THINGS, 4, replace=False))} of day {number * 100 + n}."
        for n in range(sentences)
    ]
    first, second = " ".join(told[:10]), " ".join(told[10:])
    text = f"  Days\n\n{first}\n\nNights\n\n{second}\n\nIt's the ferryman's 'day'. "
    return Outline(
        f"lake-{number}", text, f"lake-{number}.md", ((0, "Days"), (text.index("Nights"), "Nights")), (0, 300, 600)
    )


def fill(path: Path, outlines: Sequence[Outline], embedder: Hashing | None = None, *, finish: bool = True) -> None:
    with filling(path) as work:
        if work.table is None:
            about = About(embedder.name, embedder.width, HOW) if embedder else About(chunking=HOW)
            work.make(about, embedder)
        else:
            work.open(work.about, embedder)
        work.remove(work.incomplete())
        for outline in outlines:
            work.add(outline.document, f"content of {outline.document}", outline)
        if finish:
            work.finish()


@pytest.fixture(scope="module")
def embedder() -> Hashing:
    return Hashing()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, embedder: Hashing) -> Store:
    path = tmp_path_factory.mktemp("kept") / "store"
    fill(path, [lake(number) for number in range(6)], embedder)
    return open_store(path, embedder=embedder)


@pytest.fixture(scope="module")
def chunks() -> list[Chunk]:
    return [chunk for number in range(6) for chunk in chunks_of(lake(number), HOW)]


QUERIES = ["the ferry of day 312", "snow and the stove", "heron", "what is with the bell and the oar of winter?"]


@pytest.mark.parametrize("query", QUERIES)
def test_vectors_find_what_a_look_at_all_of_them_finds(
    query: str, store: Store, chunks: list[Chunk], embedder: Hashing
) -> None:
    exact = ExactRetriever(chunks, embedder).search(query, 8, mode="vector")
    found = store.search(query, 8, mode="vector")
    assert [chunk.score for chunk in found] == pytest.approx([chunk.score for chunk in exact], abs=1e-5)
    assert {(chunk.document, chunk.start) for chunk in found} == {(chunk.document, chunk.start) for chunk in exact}
    assert len({(chunk.document, chunk.start) for chunk in found}) == 8


def test_a_chunk_is_as_near_as_its_nearest_window_whatever_its_others_are() -> None:
    def hit(number: int, score: float) -> Hit:
        return Hit(("d", number), Chunk("d", number, number + 1, "", score=score))

    windows = [hit(1, 0.1), hit(2, 0.5), hit(1, 0.9), hit(3, 0.5), hit(2, 0.2)]
    assert best_of(windows) == [hit(1, 0.9), hit(2, 0.5), hit(3, 0.5)]


def test_a_store_of_chunks_of_many_windows_finds_what_the_exact_search_finds(embedder: Hashing, tmp_path: Path) -> None:
    about = About(embedder.name, embedder.width, Chunking("paragraphs", 400))
    outlines = [lake(number, 60) for number in range(4)]
    with filling(tmp_path / "store") as work:
        work.make(about, embedder)
        for outline in outlines:
            work.add(outline.document, "", outline)
        work.finish()
    held = open_store(tmp_path / "store", embedder=embedder)
    exact = ExactRetriever([c for outline in outlines for c in chunks_of(outline, about.chunking)], embedder)
    assert len(columns_in(held._table, ["window"])) > 2 * len(held)
    for query in ("heron and bell and ice", "the lantern of day 142", "snow on the quay"):
        found, wanted = (each.search(query, 5, mode="vector") for each in (held, exact))
        assert [(c.document, c.start) for c in found] == [(c.document, c.start) for c in wanted]


@pytest.mark.parametrize("query", QUERIES)
def test_keywords_are_found_by_bm25_over_our_own_terms(query: str, store: Store, chunks: list[Chunk]) -> None:
    scores = BM25([chunk_terms(chunk, "en") for chunk in chunks], k1=1.2, b=0.75).scores(query_terms(query, "en"))
    found = store.search(query, 6, mode="keyword")
    assert [chunk.score for chunk in found] == pytest.approx(sorted(scores, reverse=True)[: len(found)], rel=0.02)


def test_both_are_fused(store: Store) -> None:
    [best] = store.search("the ferry of day 312", 1)
    assert "day 312." in best.text
    assert store.retrieve("the ferry of day 312", 3) == store.search("the ferry of day 312", 3, mode="hybrid")
    assert isinstance(store, Retriever)


def test_a_chunk_comes_back_with_its_place(store: Store, chunks: list[Chunk]) -> None:
    known = {(chunk.document, chunk.start): replace(chunk, score=0.0) for chunk in chunks}
    for mode in get_args(Mode):
        for chunk in store.search("the quay in winter", 5, mode=mode):
            assert replace(chunk, score=0.0) == known[chunk.document, chunk.start]
            assert store.document_text(chunk.document)[chunk.start : chunk.end] == chunk.text


def test_documents_come_back_to_the_letter(store: Store) -> None:
    assert [document.id for document in store.documents()] == [f"lake-{number}" for number in range(6)]
    assert sum(document.chunks for document in store.documents()) == len(store)
    assert store.document_text("lake-3") == lake(3).text.rstrip()
    with pytest.raises(UsageError, match="holds no document"):
        store.document_text("o'hara")


def test_a_search_may_find_nothing(store: Store) -> None:
    assert store.search("zebra", 5, mode="keyword") == []
    assert store.search("?!", 5, mode="keyword") == []
    assert store.search("lake", 0) == []
    assert len(store.search("lake", 10_000, mode="vector")) == len(store)


def test_a_mode_there_is_not_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'vector'"):
        store.search("lake", 1, mode="vectors")  # type: ignore[arg-type]
    fill(tmp_path / "words", [lake(0)])
    words = open_store(tmp_path / "words")
    assert words.search("stove", 2) == words.search("stove", 2, mode="keyword")
    assert words.embedder_name == "none"
    with pytest.raises(UsageError, match="holds no vectors"):
        words.search("stove", 2, mode="vector")


def test_another_embedder_is_refused_by_its_name_and_by_its_width(store: Store) -> None:
    with pytest.raises(UsageError, match="vectors are by hashing, not by other"):
        open_store(store.name, embedder=Hashing("other"))
    with pytest.raises(UsageError, match="have 32 numbers, and hashing now gives 16"):
        open_store(store.name, embedder=Hashing(width=16)).search("lake", 1)


def test_other_weights_under_the_same_name_are_refused_at_first_use(tmp_path: Path) -> None:
    class Retrained(Hashing):
        def embed(self, texts: Sequence[str]) -> Any:
            return super().embed(texts)[:, ::-1]

    texts = tmp_path / "lake.md"
    texts.write_text("The ferry leaves at nine.", encoding="utf-8")
    index_texts([texts], tmp_path / "store", embedder=Hashing())
    assert open_store(tmp_path / "store", embedder=Hashing()).search("ferry", 1)
    other = open_store(tmp_path / "store", embedder=Retrained())
    assert other.search("ferry", 1, mode="keyword")
    for mode in ("vector", "hybrid"):
        with pytest.raises(UsageError, match="not made by what hashing is now"):
            other.search("ferry", 1, mode=mode)
    texts.write_text("The ferry leaves at ten.", encoding="utf-8")
    with pytest.raises(UsageError, match="not made by what hashing is now"):
        index_texts([texts], tmp_path / "store", embedder=Retrained())
    assert "nine" in open_store(tmp_path / "store", embedder=Hashing()).search("ferry", 1)[0].text
    fill(tmp_path / "older", [lake(0)], Hashing())  # of before there were probes
    assert open_store(tmp_path / "older", embedder=Retrained()).search("ferry", 1)


def test_a_store_of_before_further_pages_were_kept_is_searched_and_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def older(about: About) -> Any:
        schema = schema_of(about)
        return schema.remove(schema.get_field_index(OVERLEAF))

    with monkeypatch.context() as before:
        before.setattr("wellread.retrieval.filling.schema_of", older)
        fill(tmp_path / "store", [lake(0)])
    assert {chunk.overleaf for chunk in open_store(tmp_path / "store").search("lake", 99)} == {()}
    fill(tmp_path / "store", [lake(1)])
    found = open_store(tmp_path / "store").search("lake", 99)
    assert {chunk.document for chunk in found} == {"lake-0", "lake-1"}
    fill(tmp_path / "new", [lake(0)])
    assert {len(chunk.overleaf) for chunk in open_store(tmp_path / "new").search("lake", 99)} == {0, 1}


def test_what_is_no_store_is_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no store; `wellread index"):
        open_store(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("Dear you", encoding="utf-8")
    with pytest.raises(UsageError, match=r"is no store, and holds letter\.txt"), filling(tmp_path / "mine"):
        pass


def test_what_is_left_of_a_store_that_was_killed_as_it_was_made_is_no_store_and_can_be_filled(tmp_path: Path) -> None:
    (tmp_path / "store" / "chunks.lance" / "_versions").mkdir(parents=True)
    with pytest.raises(UsageError, match="there is no store"):
        open_store(tmp_path / "store")
    fill(tmp_path / "store", [lake(3)])
    assert len(open_store(tmp_path / "store").search("317", 1)) == 1


def test_an_index_that_was_not_finished_is_not_there_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path, embedder = tmp_path / "store", Hashing()
    fill(path, [lake(0)], embedder, finish=False)
    with pytest.raises(UsageError, match="no index was finished here"):
        open_store(path)
    with filling(path) as work:
        assert work.files() == {}  # nothing had been written yet, the batch being larger
    fill(path, [lake(0), lake(1)], embedder)
    opened = open_store(path, embedder=embedder)
    before = opened.search("the ferry of day 112", 5)
    fill(path, [lake(2)], embedder, finish=False)
    assert (
        opened.search("the ferry of day 112", 5)
        == before
        == open_store(path, embedder=embedder).search("the ferry of day 112", 5)
    )


def test_rows_of_half_a_file_are_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wellread.retrieval.filling.BATCH", 5)
    path, embedder = tmp_path / "store", Hashing()
    calls = count()
    real = Filling._flush

    def killed(self: Any) -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(Filling, "_flush", killed)
    with pytest.raises(KeyboardInterrupt):
        fill(path, [lake(0, 12), lake(1, 40)], embedder)
    monkeypatch.setattr(Filling, "_flush", real)
    with filling(path) as work:
        assert list(work.files()) == ["lake-0"]
        assert work.incomplete() == {"lake-1"}
    fill(path, [lake(1, 40)], embedder)
    fill(tmp_path / "calm", [lake(0, 12), lake(1, 40)], embedder)
    stores = [open_store(each, embedder=embedder) for each in (path, tmp_path / "calm")]
    for query in QUERIES:
        assert stores[0].search(query, 9) == stores[1].search(query, 9)


def test_an_open_store_sees_what_is_finished_after_it_was_opened(tmp_path: Path) -> None:
    fill(tmp_path / "store", [lake(0)])
    opened = open_store(tmp_path / "store")
    assert opened.search("317", 1) == []
    fill(tmp_path / "store", [lake(3)])
    assert [chunk.document for chunk in opened.search("317", 1)] == ["lake-3"]


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    with (
        filling(tmp_path / "store"),
        pytest.raises(RunError, match="another process is writing to this store"),
        filling(tmp_path / "store"),
    ):
        pass
    with filling(tmp_path / "store"):
        pass


def test_writers_that_no_lock_tells_apart_are_noticed_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "store", [lake(0)])
    monkeypatch.setattr("wellread.retrieval.filling.is_local", lambda path: False)
    with filling(tmp_path / "store") as one, filling(tmp_path / "store") as other:
        one.open(one.about, None)
        other.open(other.about, None)
        one.add("lake-1", "content", lake(1))
        other.add("lake-1", "content", lake(1))
        one.finish()
        with pytest.raises(RunError, match="another process has written to it meanwhile"):
            other.finish()
    assert [document.id for document in open_store(tmp_path / "store").documents()] == ["lake-0", "lake-1"]


def test_a_table_of_somebody_else_is_refused(tmp_path: Path) -> None:
    import lancedb

    lancedb.connect(str(tmp_path / "theirs")).create_table("chunks", [{"a": 1}]).tags.create("whole", 1)
    with pytest.raises(StorageError, match="that wellread did not make"):
        open_store(tmp_path / "theirs")


def test_a_store_whose_files_are_gone_is_told_in_a_line(tmp_path: Path) -> None:
    fill(tmp_path / "store", [lake(0)])
    for file in (tmp_path / "store" / "chunks.lance" / "data").iterdir():
        file.unlink()
    with pytest.raises(StorageError, match="the store cannot be read"):
        open_store(tmp_path / "store").search("lake", 1)


def test_many_vectors_are_searched_by_an_index_that_finds_nearly_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wellread.retrieval.filling.INDEXED", 200)
    monkeypatch.setattr("wellread.retrieval.filling.CELL", 40)
    monkeypatch.setattr("wellread.retrieval.store.CELLS", 8)
    embedder = Hashing()
    outlines = [lake(number, 60) for number in range(12)]
    fill(tmp_path / "store", outlines, embedder)
    opened = open_store(tmp_path / "store", embedder=embedder)
    assert any("vector" in index.columns for index in opened._table.list_indices())
    exact = ExactRetriever([chunk for outline in outlines for chunk in chunks_of(outline, HOW)], embedder)
    shares = []
    for query in QUERIES:
        found, right = (
            {(chunk.document, chunk.start) for chunk in retriever.search(query, 10, mode="vector")}
            for retriever in (opened, exact)
        )
        shares.append(len(found & right) / 10)
    assert np.mean(shares) >= 0.8


def test_the_same_code_speaks_to_an_address(embedder: Hashing, tmp_path: Path) -> None:
    address = (tmp_path / "far").as_uri()
    fill_at(address, [lake(0), lake(1)], embedder)
    opened = open_store(address, embedder=embedder)
    assert opened.search("the ferry of day 112", 3)[0].document == "lake-1"
    fill_at(address, [lake(2)], embedder)
    assert [document.id for document in opened.documents()] == ["lake-0", "lake-1", "lake-2"]


def fill_at(address: str, outlines: Sequence[Outline], embedder: Hashing) -> None:
    with filling(address) as work:
        if work.table is None:
            work.make(About(embedder.name, embedder.width, HOW), embedder)
        else:
            work.open(work.about, embedder)
        for outline in outlines:
            work.add(outline.document, "content", outline)
        work.finish()


def test_all_that_is_asked_of_a_table_is_offered_by_a_servers_too() -> None:
    from lancedb.remote.table import RemoteTable

    asked = (
        "schema version tags checkout checkout_latest search add delete count_rows create_index list_indices optimize"
    )
    assert all(hasattr(RemoteTable, name) for name in asked.split())


def test_queries_are_read_as_the_embedder_reads_them(tmp_path: Path) -> None:
    class Two(Hashing):
        def embed_queries(self, texts: Sequence[str]) -> Any:
            return -self.embed(texts)

    embedder = Two()
    fill(tmp_path / "store", [lake(0)], embedder)
    query = "lake and snow"
    assert float(embed(embedder, [query])[0] @ embed_queries(embedder, [query])[0]) == pytest.approx(-1)
    least = min(
        chunk.score for chunk in open_store(tmp_path / "store", embedder=embedder).search(query, 99, mode="vector")
    )
    assert least < 0
    with pytest.raises(UnknownName):
        chunks_of(lake(0), Chunking("pages"))
