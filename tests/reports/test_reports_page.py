"""The page itself: it is silent on the network, well made, safe with any text, and says what is missing."""

from __future__ import annotations

import errno
import math
from itertools import pairwise
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from reports_curriculum import fabricate_curriculum
from reports_eyes import certificate, line, told
from reports_fabricated import TITLE, Fabricated, fabricate, sample, training_log

from wellread.errors import StorageError, UsageError
from wellread.reports import read_run, verdict_of, write_report
from wellread.reports.curves import smoothed, ticks
from wellread.reports.wording import number as written_number
from wellread.reports.wording import percent
from wellread.types import Measurement


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    return certificate(fabricate(), tmp_path_factory.mktemp("run"))


def test_nothing_in_the_page_reaches_out(page: BeautifulSoup) -> None:
    assert not page.select("script, link[rel=stylesheet], img, iframe, object, embed, video, audio, form, base")
    for element in page.select("[src], [href], [srcset], [data], [action], [poster]"):
        target = element.get("href", "")
        assert target.startswith("#") or target == "data:,", element
        assert not {"src", "srcset", "data", "action", "poster"} & set(element.attrs), element
    style = "".join(sheet.text for sheet in page.select("style"))
    assert "url(" not in style
    assert "@import" not in style
    assert not [element for element in page.select("[style]") if "url(" in element["style"]]
    assert "default-src 'none'" in page.select_one("meta[http-equiv=Content-Security-Policy]")["content"]


def test_the_page_is_well_made(page: BeautifulSoup) -> None:
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))
    links = [link["href"].removeprefix("#") for link in page.select("a[href], use[href]")]
    labels = [id for element in page.select("[aria-labelledby]") for id in element["aria-labelledby"].split()]
    assert {*links, *labels, *(label["for"] for label in page.select("label"))} <= set(ids)
    levels = [int(heading.name[1]) for heading in page.select("h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert page.html["lang"] == "en"
    assert all(svg.get("role") == "img" and svg.title and svg.desc for svg in page.select("figure > svg, .view > svg"))
    assert all(table.caption and table.select("th[scope=col]") for table in page.select("table"))


def test_a_text_may_hold_anything(tmp_path: Path) -> None:
    evil = "<script>alert(\"x\")</script> & 'quoted' </style></title>{{ 7 * 7 }}"
    made = fabricate()
    for each in made.documents:
        each.update(section=evil, metadata={"title": evil, "language": '"><b>'})
    made.after = [
        sample(
            "imprint", evil, evil + evil, 7, [{**made.after[0]["matches"][0], "start": len(evil), "end": len(evil) + 9}]
        )
    ]
    made.cleaning = [{"rule": evil, "count": 1, "example": evil}]
    made.notes = {"skipped": [{"source": evil, "reason": evil}], "notes": [evil]}
    made.environment = {"command": evil, "versions": {evil: evil}, evil: evil}
    folder = made.write(tmp_path)
    path = write_report(folder)
    found = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    assert not found.select("script, b")
    assert len(found.select("style")) == 1
    assert found.h1.text == evil
    assert "49" not in told(found.h1)


def test_from_scratch_there_is_no_before(tmp_path: Path) -> None:
    found = certificate(fabricate(from_scratch=True, chapters=60), tmp_path)
    assert line(found, "bits_per_byte", "held-out chapters") == ["1.124 1.093 to 1.153"]
    assert line(found, "ppmd_bits_per_byte", "held-out")[2] == "−0.477 −0.501 to −0.452 better"
    assert [told(title) for title in found.select("article h4")] == ["The model", "The model"]
    assert "From nothing but this book" in told(found.select_one("#verdict .said"))
    assert "efore training" not in found.text
    assert len(found.select(".ribbon li")) == 60


def test_missing_pieces_are_named_and_the_rest_is_there(tmp_path: Path) -> None:
    made = fabricate()
    made.log, made.after, made.before = [], [], []
    found = certificate(made, tmp_path)
    assert "Not recorded in this run: the training log; samples of the trained model; samples of the base." in told(
        found.find(id="verdict")
    )
    assert told(found.select_one("#curves .none")) == "Not recorded: the run has no training log with losses."
    assert told(found.select_one("#samples .none")) == "No samples were recorded."
    assert line(found, "bits_per_byte", "held-out chapters")


def test_a_run_of_one_step_says_so_first_and_tells_its_losses(tmp_path: Path) -> None:
    made = fabricate()
    place = {"step": 1, "tokens": 1024, "elapsed_seconds": 45.0}
    made.log = [
        {**place, "step": 0, "validation_loss": 3.444, "weights": "current"},
        {**place, "loss": 3.238},
        {**place, "validation_loss": 3.4435, "weights": "current"},
        {**place, "kept": "last", "stopped": "budget"},
    ]
    found = certificate(made, tmp_path)
    first = "Training took one step: more minutes, or lower validation_windows, would teach more."
    assert told(found.select_one("#verdict .said")) == first
    assert verdict_of(tmp_path).startswith(first)
    [only] = found.select("#curves .none")
    assert told(only) == "One step was taken: loss 3.238, validation 3.443; too few to draw."
    made.log = [{**place, "loss": 3.238}]
    assert "Training took" not in certificate(made, tmp_path).text, "training that has not ended may take more steps"


def test_texts_that_a_run_was_given_stand_in_the_recipe_of_its_page(tmp_path: Path) -> None:
    made = fabricate()
    before = told(certificate(made, tmp_path).select_one("pre[aria-label=Recipe]"))
    assert "- weigher.epub" in before
    made.environment = {**made.environment, "texts": ["My café novel.txt"]}
    found = certificate(made, tmp_path)
    assert told(found.select_one("pre[aria-label=Recipe]")) == before.replace("weigher.epub", "My café novel.txt")


def test_a_bare_recipe_still_gives_a_page(tmp_path: Path) -> None:
    Fabricated().write(tmp_path)
    for name in (
        "environment.json",
        "corpus/documents.jsonl",
        "corpus/split.json",
        "corpus/cleaning.json",
        "corpus/notes.json",
    ):
        (tmp_path / name).unlink()
    found = BeautifulSoup(write_report(tmp_path).read_text(encoding="utf-8"), "html.parser")
    assert told(found.select_one("#verdict h2")) == "Not measured"
    assert "environment.json (versions, hardware, times)" in told(found.find(id="verdict"))
    assert told(found.h1) == "An untitled text"


def test_curves_show_both_axes_and_what_was_kept(page: BeautifulSoup) -> None:
    assert [told(label) for label in page.select(".controls label")] == ["by tokens", "by minutes"]
    assert [told(tick) for tick in page.select(".view.tokens .tick.x")] == ["0", "200 k", "400 k", "600 k", "800 k"]
    assert [told(tick) for tick in page.select(".view.minutes .tick.x")] == ["0", "2", "4", "6", "8"]
    caption = told(page.select_one(".curves figcaption"))
    assert caption.endswith("it was lowest, 2.87, at step 280; these weights were kept.")
    [ring] = page.select(".view.tokens circle.kept")
    assert ring["cx"] == "70.0%"


def test_the_average_of_late_weights_is_marked_where_it_was_kept(tmp_path: Path) -> None:
    made = fabricate()
    made.log = training_log(kept="average")
    found = certificate(made, tmp_path)
    assert told(found.select_one(".curves figcaption")).endswith("kept were the average of the late weights, 2.89.")
    assert found.select_one(".view.tokens circle.kept")["cx"] == "100.0%"
    assert "the average of the late weights" in told(found.select_one(".legend"))


def test_a_run_under_way_says_so(tmp_path: Path) -> None:
    made = fabricate()
    made.log = made.log[:-2]
    made.environment["end"] = None
    folder = made.write(tmp_path)
    log = folder / "stages" / "01-imprint" / "log.jsonl"
    log.write_text(log.read_text(encoding="utf-8") + '{"step": 401, "tok', encoding="utf-8")
    found = BeautifulSoup(write_report(folder).read_text(encoding="utf-8"), "html.parser")
    assert told(found.select_one(".curves figcaption")).endswith("training is not finished.")
    assert "the run is under way, or was stopped" in told(found.find(id="making"))


def test_the_ribbon_gives_each_chapter_its_part_and_share(page: BeautifulSoup) -> None:
    blocks = page.select(".ribbon li")
    assert [block["class"][0] for block in blocks[:6]] == ["train", "train", "validation", "train", "train", "held_out"]
    assert sum(float(block["style"].partition(":")[2]) for block in blocks) == pytest.approx(100, abs=0.01)
    assert blocks[5]["title"].startswith("Chapter 6: held out, ")
    assert "Held out, by which nothing was trained or chosen: 2 chapters, " in told(page.select_one(".parts"))
    assert "Chapter 6 · Chapter 14" in told(page.find(id="book"))


def test_cleaning_skipped_files_and_notes_are_told(page: BeautifulSoup) -> None:
    book = told(page.find(id="book"))
    assert "Page numbers on lines of their own 2,140 times For example: — 5 —" in book
    assert "books/scan.pdf: no text in it: 12 pages of pictures" in book
    assert "(the longest, 61 words, in Chapter 3 and Chapter 9); they were put together in train." in book


def test_the_title_and_the_making_are_told(page: BeautifulSoup) -> None:
    title = told(page.header)
    for each in (
        "1.124 bits per byte",
        "Learning certificate",
        TITLE,
        "taught with LoRA of rank 16",
        "21 November 2026",
    ):
        assert each in title
    making = told(page.find(id="making"))
    assert "wellread run novel books/weigher.epub" in making
    for each in (
        "From first start to end 9 min 40 s",
        "Memory 8.0 GiB",
        "torch 2.13.0",
        "peft not installed",
        "Accelerator none",
    ):
        assert each in making
    for each in ("rank: 16", "Precision asked for auto", "Seed 7"):
        assert each in making
    assert page.select_one("#samples blockquote")["lang"] == "en"


def test_the_same_folder_gives_the_same_bytes_and_leaves_nothing_beside(tmp_path: Path) -> None:
    folder = fabricate().write(tmp_path / "run")
    before = {path.name for path in folder.iterdir()}
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first
    assert {path.name for path in folder.iterdir()} == before | {"report.html"}
    assert len(first) < 300_000


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    folder = fabricate().write(tmp_path)
    (folder / "report.html" / "in the way").mkdir(parents=True)
    with pytest.raises(StorageError, match=r"cannot write .*report\.html") as caught:
        write_report(folder)
    assert "\n" not in str(caught.value)
    assert not list(folder.glob(".report*"))


def test_a_folder_that_nothing_can_be_written_to_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    folder = fabricate().write(tmp_path)
    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StorageError, match="Read-only file system"):
        write_report(folder)


def test_a_folder_that_is_no_run_and_a_damaged_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no recipe\.yaml"):
        read_run(tmp_path)
    folder = fabricate().write(tmp_path)
    (folder / "measurements.jsonl").write_text('{"name": \n{}\n', encoding="utf-8")
    with pytest.raises(StorageError, match=r"measurements\.jsonl, line 1: .*Delete it"):
        read_run(folder)


def test_several_texts_and_texts_without_headings(tmp_path: Path) -> None:
    made = fabricate()
    for number, each in enumerate(made.documents):
        each.update(section="", metadata={}, source=f"texts\\part_{number % 2}.txt")
    found = certificate(made, tmp_path)
    assert told(found.h1) == "part 0 and part 1"
    assert "16 passages" in told(found.header)
    assert "part 6 (part_1.txt)" in told(found.find(id="book"))


@pytest.mark.parametrize(
    ("kinds", "unit"), [(["chapter"], "chapter"), (["passage"], "passage"), (["chapter", "passage"], "section")]
)
def test_passages_are_not_called_chapters(tmp_path: Path, kinds: list[str], unit: str) -> None:
    made = fabricate()
    for number, each in enumerate(made.documents):
        each.update(section=f"{unit} {number}", metadata={"kind": kinds[number % len(kinds)]})
    found = certificate(made, tmp_path)
    assert f"in 16 {unit}s" in told(found.header)
    assert f": 2 {unit}s, " in told(found.select_one(".parts"))
    assert f"Some whole {unit}s were therefore kept from training" in told(found.find(id="reading"))


def test_a_value_that_is_no_number_is_said_so() -> None:
    row = Measurement("perplexity", math.inf, "per token")
    assert [written_number(value, row) for value in (math.inf, math.nan)] == ["not finite", "not finite"]


def test_ticks_and_smoothing_have_known_answers() -> None:
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]
    assert ticks(2.61, 3.74) == [2.5, 3.0, 3.5, 4.0]
    assert ticks(1.0, 1.0) == [1.0]
    assert ticks(0.0, 0.0) == [0.0]
    assert smoothed([0.0, 3.0, 0.0, 3.0, 0.0]) == [1.5, 1.0, 2.0, 1.0, 1.5]
    assert smoothed([2.0] * 200) == [2.0] * 200


@pytest.mark.parametrize(
    ("share", "written"), [(0, "0 %"), (0.0004, "0.04 %"), (0.0387, "3.9 %"), (0.9, "90.0 %"), (1, "100 %")]
)
def test_shares_are_written_as_per_cent(share: float, written: str) -> None:
    assert percent(share) == written


GAP = {"quantization": {"kind": "nf4", "double": True}, "base": 2.5, "rounded": 2.5321, "adapter_on_base": 2.291,
       "adapter_on_rounded": 2.3}  # fmt: skip


def test_what_rounding_the_base_cost_stands_beside_the_curves(tmp_path: Path) -> None:
    made = fabricate()
    assert "validation loss from" not in told(certificate(made, tmp_path / "without").select_one("#curves"))
    made.gaps["imprint"] = GAP
    said = (
        "Holding the base in 4 bits (nf4) took its validation loss from 2.5000 to 2.5321 nats per token (+0.0321); with "
        "the adapter it is 2.3000. On the base as it came, which the adapter never saw, that would be 2.2910 (−0.0090)."
    )
    assert told(certificate(made, tmp_path / "with").select_one("#curves > p:last-child")) == said
    several = fabricate_curriculum()
    several.gaps["lengthen"] = {**GAP, "quantization": {"kind": "int8", "double": True}, "note": "weights in bfloat16"}
    text = told(certificate(several, tmp_path / "several").select_one("#curves > p:last-child"))
    assert text.startswith("Holding the base of lengthen in 8 bits (int8) took")
    assert text.endswith("Measured with weights in bfloat16.")


def test_what_it_writes_stands_before_the_long_table(page: BeautifulSoup) -> None:
    order = [section["id"] for section in page.select("main section[id]")]
    assert order.index("verdict") < order.index("samples") < order.index("measurements")


def under_way(tmp_path: Path) -> Path:
    """A run that was killed while it trained."""
    made = fabricate()
    made.measurements, made.after = [], []
    made.environment = {**made.environment, "end": None}
    return made.write(tmp_path / "run")


def test_a_run_that_is_not_finished_says_how_far_it_has_come(tmp_path: Path) -> None:
    folder = under_way(tmp_path)
    (folder / "stages" / "00-base" / "measurements.jsonl").write_text("", encoding="utf-8")
    found = BeautifulSoup(write_report(folder).read_text(encoding="utf-8"), "html.parser")
    assert told(found.select_one("#verdict h2")) == "Not finished yet"
    assert told(found.select_one("#verdict .said")) == (
        "Done: reading and splitting the text; sampling and measuring the untouched base. Still to do: training imprint "
        "(step 400 so far); sampling and measuring imprint; compressing the text and comparing."
    )
    assert told(found.select_one("#verdict pre")) == "wellread run novel books/weigher.epub"
    assert "Not measured:" not in told(found.main)
    assert "Not recorded in this run" not in told(found.main)
    assert verdict_of(folder).startswith("Done: reading")


def test_a_run_that_lacks_only_its_dial_curve_keeps_its_verdict(tmp_path: Path) -> None:
    made = fabricate()
    made.environment, made.settings = {**made.environment, "end": None}, ("dial.wish=voice-without-recitation",)
    folder = made.write(tmp_path / "run")
    for place in ("00-base/measurements.jsonl", "01-imprint/measurements.jsonl"):
        (folder / "stages" / place).write_text("", encoding="utf-8")
    (folder / "stages" / "01-imprint" / "checkpoint").mkdir()
    found = BeautifulSoup(write_report(folder).read_text(encoding="utf-8"), "html.parser")
    assert told(found.select_one("#verdict h2")) == "The book was learned"
    assert "Still to do: the dial curve." in told(found.select_one("#verdict"))
