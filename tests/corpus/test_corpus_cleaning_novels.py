"""Real books and manuals, where they lie beside the checkout: chapters as printed, nothing lost but furniture."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wellread.corpus.chapters import SEPARATOR, divide
from wellread.corpus.cleaning import clean
from wellread.corpus.reading import load
from wellread.corpus.split import split
from wellread.errors import CorpusError
from wellread.types import Document

DATA = Path(__file__).parents[2].parent / "shared" / "data"

NOVELS = [
    ("en/austen_emma", 55, "VOLUME I · CHAPTER I", "VOLUME III · CHAPTER XIX"),
    ("en/austen_pride_and_prejudice", 61, "Chapter 1", "Chapter 61"),
    ("en/cbronte_jane_eyre", 39, "PREFACE", "CHAPTER XXXVIII -- CONCLUSION"),
    ("en/dickens_great_expectations", 59, "Chapter I", "Chapter LIX"),
    ("en/dostoevsky_crime_and_punishment_garnett", 41, "TRANSLATOR’S PREFACE", "EPILOGUE"),
    (
        "en/doyle_sherlock_holmes_adventures",
        12,
        "ADVENTURE I. A SCANDAL IN BOHEMIA",
        "XII. THE ADVENTURE OF THE COPPER BEECHES",
    ),
    ("en/eliot_middlemarch", 88, "PRELUDE", "FINALE"),
    (
        "en/stevenson_treasure_island",
        34,
        "PART ONE The Old Buccaneer · 1: The Old Sea-dog at the Admiral Benbow",
        "PART SIX Captain Silver · 34: And Last",
    ),
    ("en/stoker_dracula", 27, "CHAPTER I: JONATHAN HARKER'S JOURNAL", "CHAPTER XXVII: MINA HARKER'S JOURNAL"),
    ("en/tolstoy_anna_karenina_garnett", 239, "PART ONE · Chapter 1", "PART EIGHT · Chapter 19"),
    (
        "en/tolstoy_resurrection_maude",
        130,
        "TRANSLATOR’S PREFACE",
        "BOOK III · CHAPTER XXVIII: A NEW LIFE DAWNS FOR NEKHLUDOFF",
    ),
    ("en/tolstoy_war_and_peace_maude", 365, "BOOK ONE: 1805 · CHAPTER I", "SECOND EPILOGUE · CHAPTER XII"),
    ("fr/dumas_trois_mousquetaires", 69, "INTRODUCTION", "ÉPILOGUE"),
    ("fr/flaubert_madame_bovary_pg", 35, "PREMIÈRE PARTIE · I", "TROISIÈME PARTIE · XI"),
    ("fr/hugo_notre_dame_de_paris", 62, "PRÉFACE", "NOTES:"),
    ("fr/maupassant_bel_ami", 18, "PREMIÈRE PARTIE · I", "DEUXIÈME PARTIE · X"),
    ("fr/proust_swann", 114, "passage 1", "passage 114"),
    ("fr/stendhal_chartreuse_de_parme", 28, "LIVRE PREMIER · CHAPITRE PREMIER", "LIVRE SECOND · CHAPITRE XXVIII"),
    ("fr/verne_ile_mysterieuse", 62, "section 1", "section 62"),
    ("fr/zola_germinal", 40, "Première Partie · I", "Septième partie · VI"),
]


def letters(text: str) -> str:
    return "".join(c for c in text if c.isalpha())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count", "first", "last"), NOVELS)
def test_a_novel_is_cleaned_divided_and_split(name: str, count: int, first: str, last: str, novels: Path) -> None:
    text = (novels / f"{name}.txt").read_text(encoding="utf-8")
    cleaned, removals = clean([Document("x-0001", text, f"{name}.txt")])
    assert [d.text for d in clean(cleaned)[0]] == [d.text for d in cleaned]
    removed = sum(removal.count for removal in removals if removal.rule == "table of contents")
    kept = letters(cleaned[0].text)
    assert len(kept) >= len(letters(text)) - 60 * removed
    assert removed or kept == letters(text)

    documents = divide(cleaned)
    assert (len(documents), documents[0].section, documents[-1].section) == (count, first, last)
    assert all(cleaned[0].text[d.offset : d.offset + len(d.text)] == d.text for d in documents)
    assert letters("".join(d.text for d in documents)) == kept

    broken = [p for p in cleaned[0].text.split("\n\n") if p[:1].islower() and len(p) > 30]
    assert len(broken) <= 8

    parts, _ = split(documents, validation=0.1, held_out=0.1, seed=0, near_duplicates=True)
    sizes = {d.id: len(d.text) for d in documents}
    for part in ("validation", "held_out"):
        share = sum(sizes[id] for id in parts[part]) / sum(sizes.values())
        assert abs(share - 0.1) <= max(0.6 / len(documents), 0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "dash"),
    [
        ("fr/dumas_trois_mousquetaires", "-- "),
        ("fr/maupassant_bel_ami", "— "),
        ("fr/zola_germinal", "--"),
        ("fr/proust_swann", "– "),
    ],
)
def test_dialogue_dashes_of_french_novels_survive(name: str, dash: str, novels: Path) -> None:
    text = (novels / f"{name}.txt").read_text(encoding="utf-8")
    turns = re.findall(rf"(?m)^{dash}(?=[A-ZÀ-Ý])", text)
    [document], _ = clean([Document("x-0001", text, f"{name}.txt")])
    paragraphs = [p for p in document.text.split("\n\n") if re.match(rf"{dash}[A-ZÀ-Ý]", p)]
    assert len(paragraphs) >= 0.98 * len(turns) > 100


FOLDERS = sorted(folder for folder in (DATA / "documents").glob("*") if folder.is_dir()) if DATA.is_dir() else []


@pytest.mark.slow
@pytest.mark.skipif(not FOLDERS, reason="the sample documents are not beside this checkout")
def test_documents_of_every_format_lose_only_furniture() -> None:
    for path in sorted(path for folder in FOLDERS for path in folder.rglob("*") if path.is_file()):
        try:
            given, _ = load([path])
        except CorpusError:
            continue
        cleaned, removals = clean(given)
        counts = {removal.rule: removal.count for removal in removals}
        furniture = sum(counts.get(rule, 0) for rule in ("table of contents", "running heads", "page numbers"))
        before, after = (sum(len(letters(d.text)) for d in documents) for documents in (given, cleaned))
        assert after >= before - 80 * furniture, path.name
        documents = divide(cleaned)
        whole = SEPARATOR.join(d.text for d in cleaned)
        assert "".join("".join(d.text.split()) for d in documents) == "".join(whole.split()), path.name
        assert all(whole[d.offset : d.offset + len(d.text)] == d.text for d in documents), path.name
