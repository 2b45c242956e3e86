"""The reading view: the book with its shades and marks, what was scored and what not, and a page that stays small and silent."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup
from reports_curriculum import fabricate_curriculum
from reports_eyes import told
from reports_fabricated import document, fabricate
from reports_scored import by_words, read_through, spans, with_scores

from wellread.errors import StorageError
from wellread.reports import write_report
from wellread.reports.surprise import DIGITS, GREEDY_MARK, STEP, SURE_MARK
from wellread.scorefile import BookScores
from wellread.showing import visible

CSS = Path(__file__).parents[2] / "wellread" / "reports" / "reading_view.css"


def soup(folder: Path) -> BeautifulSoup:
    return BeautifulSoup((folder / "reading.html").read_text(encoding="utf-8"), "html.parser")


def text_of(page: BeautifulSoup, number: int) -> dict[str, Any]:
    """What the page carries of one chapter."""
    found: dict[str, Any] = json.loads(page.find(id=f"text-{number}").string)
    return found


def everywhere(documents: Sequence[dict[str, Any]], bits: float) -> BookScores:
    """Every word of these documents at the same bits."""
    return BookScores({each["id"]: by_words(each["text"], lambda _: bits) for each in documents})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = fabricate()
    folder = with_scores(made.write(tmp_path_factory.mktemp("run")), read_through(made))
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> BeautifulSoup:
    return soup(run)


def cells(row: Any) -> list[str]:
    return [told(cell) for cell in row.select("td")]


def test_the_pages_lead_to_each_other(run: Path, page: BeautifulSoup) -> None:
    report = BeautifulSoup((run / "report.html").read_text(encoding="utf-8"), "html.parser")
    assert [told(link) for link in report.select("a[href='reading.html']")] == ["The reading view"]
    assert len(page.select("a[href='report.html']")) == 2
    offset = fabricate().documents[4]["text"].index("on the posts were lit")
    assert [link["href"] for link in report.select("#places a")] == [f"reading.html#chapter-5-at-{offset}"]


def test_without_scores_there_is_no_reading_view(tmp_path: Path) -> None:
    report = write_report(fabricate().write(tmp_path)).read_text(encoding="utf-8")
    assert not (tmp_path / "reading.html").exists()
    assert "reading.html" not in report


def test_every_word_has_the_surprise_that_was_measured(tmp_path: Path) -> None:
    made = fabricate()
    text = made.documents[0]["text"]
    before = BookScores({"weigher.epub#1": by_words(text, lambda place: 20.0 if place == 3 else 8.0)})
    after = BookScores({"weigher.epub#1": by_words(text, lambda place: float(place % 7))})
    write_report(with_scores(made.write(tmp_path), {"00-base": before, "01-imprint": after}))
    carried = text_of(soup(tmp_path), 0)
    assert carried["text"] == text
    first, second = ([DIGITS.index(digit) * STEP for digit in digits] for digits in carried["digits"])
    assert first == [20.0 if place == 3 else 8.0 for place in range(len(text.split()))]
    assert second == [place % 7 for place in range(len(text.split()))]


def test_recited_words_are_marked_where_the_scores_say(tmp_path: Path) -> None:
    made = fabricate()
    text = made.documents[0]["text"]
    tokens = {"weigher.epub#1": by_words(text, lambda _: 1.0)}
    after = BookScores(tokens, {}, {"weigher.epub#1": spans(text, [0, 3], sure=[4])})
    write_report(with_scores(made.write(tmp_path), {"00-base": BookScores(tokens), "01-imprint": after}))
    found = soup(tmp_path)
    carried = text_of(found, 0)
    assert carried["marks"] == [[], [10, 10, GREEDY_MARK, 40, 10, GREEDY_MARK, 50, 10, SURE_MARK]]
    count = len(text.split()) // 10 - 1
    first = found.select("#all tbody tr")[0]
    assert cells(first)[-1] == f"{300 / count:.1f} %"


def test_numbers_of_parts_and_chapters_are_those_of_their_scores(tmp_path: Path) -> None:
    made = fabricate()
    both = [everywhere(made.documents, bits) for bits in (12.0, 6.0)]
    write_report(with_scores(made.write(tmp_path), {"00-base": both[0], "01-imprint": both[1]}))
    found = soup(tmp_path)
    parts = {told(row.th): cells(row) for row in found.select("#known > table tbody tr")}
    assert list(parts) == ["Training", "Validation", "Held out", "The whole book"]
    words = sum(len(each["text"].split()) for each in made.documents)
    size = sum(len(each["text"].encode()) for each in made.documents)
    assert parts["The whole book"][:3] == [
        f"{words:,}", f"{12 * words / size:.2f}", f"{6 * words / size:.2f}",
    ]  # fmt: skip
    assert parts["The whole book"][3:] == ["–", "–"]
    assert "Every word was scored." in told(found.select_one("#known .aside"))


def test_a_held_out_chapter_is_shown_as_such(page: BeautifulSoup) -> None:
    row = page.select("#all tbody tr")[5]
    assert told(row.th) == "Chapter 6 held out"
    data = json.loads(page.find(id="book").string)
    assert data["chapters"][5][:2] == ["Chapter 6", "held_out"]
    assert data["parts"]["held_out"] == "held out"
    drawn = page.select(".band.part rect.held_out")
    sizes = [chapter[2] for chapter in data["chapters"]]
    assert [float(each["x"].rstrip("%")) for each in drawn] == [
        pytest.approx(100 * sum(sizes[:before]) / sum(sizes), abs=0.01) for before in (5, 13)
    ]
    assert float(drawn[0]["width"].rstrip("%")) == pytest.approx(100 * sizes[5] / sum(sizes), abs=0.01)
    assert "Held out" in [told(name) for name in page.select(".parts strong")]


def test_the_ribbon_is_as_high_as_the_numbers(tmp_path: Path) -> None:
    made = fabricate(chapters=8)
    scores = [everywhere(made.documents[:3], bits) for bits in (12.0, 6.0)]
    write_report(with_scores(made.write(tmp_path), {"00-base": scores[0], "01-imprint": scores[1]}))
    bits = soup(tmp_path).select_one(".band.bits")
    heights = [float(height) for height in re.findall(r"v-([\d.]+)h", bits.select_one("path.after")["d"])]
    lines = [100 - float(y) for y in re.findall(r"M[\d.]+ ([\d.]+)h", bits.select_one("path.before")["d"])]
    assert len(heights) == len(lines) == 3
    assert [after / before for after, before in zip(heights, lines, strict=True)] == pytest.approx([0.5] * 3, abs=0.01)
    assert max(lines) == pytest.approx(100 / 1.06, abs=0.1)


def test_a_sample_is_said_to_be_one_and_the_rest_is_plain(tmp_path: Path) -> None:
    made = fabricate()
    text = made.documents[0]["text"]
    part = text[: text.index("\n\n", 200)]
    short = {"weigher.epub#1": by_words(part, lambda _: 2.0)}
    write_report(with_scores(made.write(tmp_path), {"01-imprint": BookScores({}, short)}))
    found = soup(tmp_path)
    carried = text_of(found, 0)
    assert carried["text"] == text
    assert [len(digits) for digits in carried["digits"]] == [len(part.split())]
    assert text_of(found, 1)["digits"] == [""]
    said = told(found.select_one("#known .aside"))
    assert f"{len(part.split())} of" in said
    assert "wellread report RUN --reading scores all of it" in said
    assert "50 to 99 tokens before it" in said
    rows = found.select("#all tbody tr")
    assert cells(rows[0])[0].endswith(f"{len(part.split())} scored")
    assert cells(rows[1])[0].endswith("not scored")
    assert not found.select("[data-model]")


def test_chapters_are_compared_by_scores_of_one_kind(tmp_path: Path) -> None:
    """Train has short windows only, held-out both, validation long only: short ones are taken where they are."""
    made = fabricate()
    few = {each["id"]: by_words(each["text"], lambda _: 10.0) for each in made.documents}
    many = {each["id"]: by_words(each["text"], lambda _: 5.0) for each in made.documents}
    ids = [each["id"] for each in made.documents]
    scores = BookScores({ids[2]: many[ids[2]], ids[5]: many[ids[5]]}, {ids[0]: few[ids[0]], ids[5]: few[ids[5]]})
    write_report(with_scores(made.write(tmp_path), {"01-imprint": scores}))
    found = soup(tmp_path)
    used = [set(text_of(found, number)["digits"][0]) for number in (0, 5, 2)]
    assert used == [{DIGITS[20]}, {DIGITS[20]}, {DIGITS[10]}]
    assert "1 chapter had only scores with more before them" in told(found.select_one("#known .aside"))
    whole = BookScores({id: many[id] for id in (ids[0], ids[5])}, {id: few[id] for id in (ids[0], ids[5])})
    write_report(with_scores(tmp_path, {"01-imprint": whole}))
    assert set(text_of(soup(tmp_path), 0)["digits"][0]) == {DIGITS[10]}


def test_every_stage_that_was_scored_can_be_chosen(tmp_path: Path) -> None:
    made = fabricate_curriculum()
    scores = {f"{number:02}-{name}": BookScores({"weigher.epub#1": by_words(made.documents[0]["text"], lambda _: 3.0)})
              for number, name in enumerate(("base", "acculturate", "lengthen", "imprint")) if name != "lengthen"}  # fmt: skip
    write_report(with_scores(made.write(tmp_path), scores))
    assert [told(button) for button in soup(tmp_path).select("[data-model]")] == [
        "Before", "After acculturate", "After imprint", "Side by side",
    ]  # fmt: skip


def test_a_book_may_hold_anything(tmp_path: Path) -> None:
    evil = "</script><script>alert(\"x\")</script> <!-- & 'quoted' </style></title>{{ 7 * 7 }} \u2028 <b>"
    made = fabricate()
    for each in made.documents:
        each.update(text=f"{evil} {evil}", section=evil, metadata={"title": evil, "language": '"><b>'})
    made.after = made.before = []
    write_report(with_scores(made.write(tmp_path), read_through(made)))
    found = soup(tmp_path)
    assert not found.select("b")
    assert found.h1.text == visible(evil)
    assert len(found.select("style")) == 1
    [script] = [each for each in found.select("script") if each.get("type") != "application/json"]
    assert "alert" not in script.string
    assert text_of(found, 3)["text"] == f"{evil} {evil}"
    assert json.loads(found.find(id="book").string)["chapters"][0][0] == evil


def test_nothing_in_the_page_reaches_out_and_only_its_own_script_runs(page: BeautifulSoup) -> None:
    assert not page.select("link[rel=stylesheet], img, iframe, object, embed, form, base, script[src]")
    for link in page.select("[href]"):
        assert link["href"].startswith("#") or link["href"] in {"data:,", "report.html"}
    policy = page.select_one("meta[http-equiv=Content-Security-Policy]")["content"]
    [script] = [each for each in page.select("script") if each.get("type") != "application/json"]
    digest = base64.b64encode(hashlib.sha256(script.string.encode()).digest()).decode()
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    assert policy.startswith("default-src 'none'")
    for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "XMLHttpRequest", "http"):
        assert word not in script.string


def test_the_page_is_well_made(page: BeautifulSoup) -> None:
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))
    labels = [id for element in page.select("[aria-labelledby]") for id in element["aria-labelledby"].split()]
    anchors = [link["href"][1:] for link in page.select("a[href^='#']") if not link["href"].startswith("#chapter-")]
    assert {*labels, *anchors} <= set(ids)
    assert all(table.caption and table.select("th[scope=col]") for table in page.select("table"))
    assert all(button.text.strip() and button["type"] == "button" for button in page.select("button"))


def test_ink_is_readable_on_every_shade() -> None:
    """WCAG AA: 4.5 to 1, by day, by night and in print."""

    def light(colour: str) -> float:
        digits = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def named(sheet: str, name: str) -> list[float]:
        return [light(found) for found in re.findall(rf"--{name}: #([0-9a-f]+);", sheet)]

    shades, common = CSS.read_text(encoding="utf-8"), CSS.with_name("certificate.css").read_text(encoding="utf-8")
    for ink, *grounds in zip(named(common, "ink"), *(named(shades, f"s{step}") for step in range(6)), strict=True):
        for ground in grounds:
            high, low = max(ink, ground), min(ink, ground)
            assert (high + 0.05) / (low + 0.05) >= 4.5
        steps = [abs(ground - ink) for ground in grounds]
        assert steps == sorted(steps, reverse=True), "the more surprise, the nearer the ink"


def test_scores_of_another_text_are_one_line(tmp_path: Path) -> None:
    made = fabricate()
    folder = with_scores(made.write(tmp_path), read_through(made))
    rows = [
        json.loads(line) for line in (folder / "corpus" / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    shorter = [{**row, "text": row["text"][: len(row["text"]) // 2]} for row in rows]
    (folder / "corpus" / "documents.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in shorter), encoding="utf-8"
    )
    with pytest.raises(StorageError, match="of another text"):
        write_report(folder)


def test_damaged_scores_are_one_line(tmp_path: Path) -> None:
    folder = fabricate().write(tmp_path)
    (folder / "stages" / "01-imprint" / "scores.npz").write_bytes(b"PK")
    with pytest.raises(StorageError, match=r"scores\.npz"):
        write_report(folder)


def test_a_book_that_was_longer_leaves_no_files_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wellread.reports.reading_view.INLINE", 1000)
    monkeypatch.setattr("wellread.reports.reading_view.FILE", 4000)
    made = fabricate()
    write_report(with_scores(made.write(tmp_path), read_through(made)))
    found = soup(tmp_path)
    files = sorted((tmp_path / "reading").iterdir())
    assert len(files) > 3
    assert not found.select("[id^=text-]")
    firsts = json.loads(found.find(id="book").string)["firsts"]
    assert len(firsts) == len(files)
    held: dict[int, str] = {}
    for file in files:
        call = re.fullmatch(r"wellreadChapters\((\d+),(.*)\);\n", file.read_text(encoding="utf-8"), re.DOTALL)
        assert call
        held |= {int(call[1]) + place: each["text"] for place, each in enumerate(json.loads(call[2]))}
    assert [held[number] for number in range(16)] == [each["text"] for each in made.documents]
    assert "file:" in found.select_one("meta[http-equiv=Content-Security-Policy]")["content"]
    monkeypatch.setattr("wellread.reports.reading_view.FILE", 10**6)
    write_report(tmp_path)
    assert len(list((tmp_path / "reading").iterdir())) == 1


@pytest.mark.slow
def test_a_book_of_600_000_words_is_written_in_seconds_and_its_page_stays_small(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    lexicon = np.array(["".join(draw.choice(list("abcdefgh"), size)) for size in draw.integers(2, 10, 4000)])
    made = fabricate()
    made.documents = [
        document(number, "\n\n".join(" ".join(draw.choice(lexicon, 80)) for _ in range(21))) for number in range(1, 361)
    ]
    made.after = made.before = []
    both = {}
    for stage in ("00-base", "01-imprint"):
        tokens = {each["id"]: by_words(each["text"], lambda place: place % 25) for each in made.documents}
        both[stage] = BookScores(tokens, {}, {each["id"]: spans(each["text"], [3, 4, 9]) for each in made.documents})
    folder = with_scores(made.write(tmp_path), both)
    begun = time.process_time()
    write_report(folder)
    assert time.process_time() - begun < 20
    assert (folder / "reading.html").stat().st_size < 700_000
    files = list((folder / "reading").iterdir())
    assert len(files) < 40
    assert max(file.stat().st_size for file in files) < 300_000
    assert sum(len(each["text"].split()) for each in made.documents) > 600_000
