"""The studio as a visitor sees it: one walk through every page in headless Chromium, with screenshots, console and accessibility.

    pip install playwright && playwright install chromium      # not among wellread's own packages
    python benchmarks/studio.py OUT [--with RUN ...] [--only start,write] [--axe axe.min.js] [--chromium PATH]

A studio of its own is started over `OUT/runs`. The walk uploads a book of about 5,000 words, starts a small model from scratch,
watches, stops and resumes it, closes the page and comes back; writes with the dial at three places (on the first of the finished
runs that `--with` copies: one with an adapter), asks with citations, reads, compares, lets two tabs meet, tries bad uploads and the
password. Each step is timed and kept in `OUT/walk.jsonl` with what the page said; any console error, failed request or request
to another host makes the exit code 1. Screenshots lie in OUT: 1280 and 390 px wide, light and dark, for somebody to look at.
`--axe` takes axe-core's file (npm: axe-core) and adds the serious violations of each page.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from studio_walk import Served, Walk
from studio_writing import coloured, halted, leave, write

HANDBOOK = Path(__file__).parents[1] / "wellread" / "library" / "handbook.md"
QUESTION = "Which law governs the Board?"
PASSWORD = "a long secret of mine"
TAKEN = re.compile("Remove this file|Clear")
"""What takes an upload away that stands in its box."""


def a_book(path: Path, words: int = 5000) -> Path:
    """A book of the driver's own: sentences by rule, enough like prose for a small model to learn something."""
    draw = random.Random(7)
    who = ["the keeper", "his sister", "an old pilot", "the girl from the mill", "the doctor", "nobody in the village"]
    did = ["lit the lamp", "carried the letters", "counted the boats", "mended the net", "shut the window", "sang"]
    when = ["before dawn", "in the rain", "on the last day of October", "while the tide fell", "without a word"]
    why = ["because the wind had turned", "as her mother had done", "and the dog followed", "for the third time"]
    lines, written, chapter = ["The Lamp at Low Water", ""], 0, 0
    while written < words:
        chapter += 1
        lines += ["", f"Chapter {chapter}", ""]
        for _ in range(8):
            sentences = []
            for _ in range(6):
                parts = [draw.choice(each) for each in (who, did, when, why)]
                if draw.random() < 0.3:
                    parts[2], parts[0] = parts[0], parts[2] + ","
                sentences.append(" ".join(parts).capitalize() + ".")
            lines += [" ".join(sentences), ""]
            written += len(lines[-2].split())
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def empty(walk: Walk, given: argparse.Namespace) -> Any:
    """A studio with no run and no store: what each page says then, and where one writes or asks all the same."""
    said, wanted = {}, {"Write": "no run is chosen", "Ask": "no store is chosen"}
    for name in ("Runs", "Write", "Read", "Ask", "Compare"):
        walk.tab(name)
        said[name] = walk.text()[-300:]
        walk.shoot(f"empty-{name.lower()}", audit=False)
        if name in wanted:
            walk.press(name)
            said[f"{name}, pressed"] = walk.toast()
            assert wanted[name] in walk.text(".wr-failed"), "it is not told where the text was to stand"
            walk.shoot(f"pressed-{name.lower()}")
    return said


def bad(walk: Walk, given: argparse.Namespace) -> Any:
    """Uploads that are refused or tamed, each in one line."""
    walk.tab("Runs")
    said = {}
    folder = walk.out / "bad"
    folder.mkdir(exist_ok=True)
    (folder / "large.txt").write_bytes(b"a" * ((64 << 20) + 1))
    files: dict[str, Any] = {
        "wrong kind": {"name": "book.exe", "mimeType": "text/plain", "buffer": b"MZ"},
        "too big": folder / "large.txt",
        "nothing in it": {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""},
        "wrong inside": {"name": "book.epub", "mimeType": "application/epub+zip", "buffer": b"no zip at all"},
    }
    for what, file in files.items():
        walk.page.locator("input[type=file]").first.set_input_files(file)
        answered = walk.page.locator(".toast-body").or_(walk.page.get_by_label(TAKEN)).first
        answered.wait_for()  # a fault is shown for some seconds alone
        if not walk.page.locator(".toast-body").count():
            walk.press("Start")
        if what == "wrong inside":
            walk.wait(lambda: "failed" in walk.page.locator(".wr-state").first.get_attribute("class"), 120, what)
            said[what] = walk.text(".wr-state")
        else:
            said[what] = walk.toast()
        if walk.page.get_by_label(TAKEN).count():
            walk.page.get_by_label(TAKEN).first.click()
        walk.pause(walk.page, 500)
    (folder / "large.txt").unlink()
    return said


def start(walk: Walk, given: argparse.Namespace) -> Any:
    """Upload a book, start a small model from scratch, watch it; stop; close the page; open it again; resume; to the end."""
    walk.tab("Runs")
    page = walk.page
    book = a_book(walk.out / "The Lamp, Été (draft).txt")
    page.locator("input[type=file]").first.set_input_files(book)
    page.get_by_text("Été").first.wait_for()
    walk.choose("Recipe", "novel-from-scratch")
    page.get_by_label("Minutes of training").fill(f"{given.minutes:g}")
    page.keyboard.press("Tab")
    walk.press("Start")

    def state() -> str:
        return walk.text(".wr-state")

    walk.wait(lambda: "of training left" in state(), 400, "training begins")
    seen = [state()]
    for _ in range(4):
        walk.pause(page, 4000)
        seen.append(state())
    walk.wait(lambda: page.locator(".wr-curve svg").count() >= 1, 120, "the loss is drawn")
    walk.wait(lambda: "What it wrote after step" in walk.text("[role=tabpanel]"), 240, "it writes while it trains")
    seen.append(walk.text(".wr-passage"))
    walk.shoot("working", audit=True)
    walk.press("Stop")
    walk.wait(lambda: "stopped" in state(), 240, "it stops")
    seen.append(state())
    walk.shoot("stopped", audit=False)
    page.context.close()
    walk.page = page = walk.visit()
    walk.wait(lambda: "stopped" in state(), 60, "the page comes back as it was")
    walk.press("Resume")
    walk.wait(lambda: "of training left" in state(), 400, "it goes on")
    seen.append(state())
    page.context.close()  # closing loses nothing
    walk.page = page = walk.visit()
    walk.wait(lambda: "finished" in state(), 1500, "it ends")
    seen.append(state())
    page.locator("iframe").first.wait_for()
    walk.pause(page, 3000)
    walk.shoot("finished")
    return seen


def ask(walk: Walk, given: argparse.Namespace) -> Any:
    """A store made of a handbook; a question from it and by heart; a passage opened in its place."""
    walk.tab("Ask")
    page = walk.page
    if not page.get_by_label("Name", exact=True).locator("visible=true").count():
        page.get_by_text("A new store", exact=True).locator("visible=true").first.click()
    walk.pause(page, 600)
    page.locator("input[type=file]").nth(1).set_input_files(given.handbook)
    walk.pause(page, 2500)
    page.get_by_label("Name", exact=True).fill("House Handbook")
    said: dict[str, Any] = {"embedders": _offered(walk, "Meaning by")}
    walk.press("Make the store")
    walk.wait(
        lambda: page.get_by_label("Store", exact=True).input_value() == "house-handbook", 300, "the store is made"
    )
    page.get_by_label("Question").fill(given.question)
    walk.press("Ask")
    walk.wait(lambda: "By heart" in page.locator(".wr-card:visible h3").all_inner_texts(), 400, "both answers")
    page.locator(".wr-passage:visible summary").first.focus()
    page.keyboard.press("Enter")
    walk.pause(page, 500)
    marked = page.locator(".wr-passage[open] mark:visible").count()
    walk.shoot("ask")
    said |= {"cards": page.locator(".wr-card:visible").all_inner_texts(), "marked": marked}
    for search, title in (
        ("words alone", "by words alone"),
        ("meaning alone", "by meaning alone"),
        ("none, by heart", "By heart"),
    ):
        page.get_by_role("radio", name=search, exact=True).check()
        walk.press("Ask")
        walk.wait(lambda title=title: title in walk.text(".wr-card:visible h3").split("\n")[0], 400, search)
        walk.wait(lambda: "By heart" in walk.text(".wr-card:visible h3"), 400, "both answers")
        said[search] = page.locator(".wr-card:visible h3").all_inner_texts()
    return said


def _offered(walk: Walk, label: str) -> list[str]:
    """The choices of a list."""
    walk.page.get_by_label(label, exact=True).locator("visible=true").first.click()
    walk.pause(walk.page, 600)
    found: list[str] = walk.page.get_by_role("option").locator("visible=true").all_inner_texts()
    walk.page.keyboard.press("Escape")
    return found


def read(walk: Walk, given: argparse.Namespace) -> Any:
    """The reading view in its frame."""
    walk.tab("Read")
    walk.choose("Run", Path(given.runs_with[-1]).name)
    walk.page.locator("iframe:visible").first.wait_for()
    walk.pause(walk.page, 3000)
    walk.shoot("read")
    return walk.page.frames[-1].title()


def compare(walk: Walk, given: argparse.Namespace) -> Any:
    """Two finished runs beside each other."""
    walk.tab("Compare")
    walk.choose("First", Path(given.runs_with[-1]).name)
    walk.choose("Second", Path(given.runs_with[0]).name)
    walk.press("Compare")
    walk.page.locator("iframe:visible").first.wait_for()
    walk.pause(walk.page, 4000)
    walk.shoot("compare")
    return walk.page.frames[-1].title()


def two(walk: Walk, given: argparse.Namespace) -> Any:
    """Two tabs write at once and start the same book at once: two texts, two folders."""
    tabs = [walk.visit(), walk.visit()]
    book = a_book(walk.out / "twice.txt")
    for page in tabs:
        page.locator("input[type=file]").first.set_input_files(book)
        walk.choose("Recipe", "novel-from-scratch", page)
    for page in tabs:
        walk.press("Start", page)
    for page in tabs:
        walk.wait(lambda page=page: "twice" in walk.text(".wr-state", page), 120, "both start")
    names = [page.locator(".wr-state strong").first.inner_text() for page in tabs]
    for page in tabs:
        walk.press("Stop", page)
        walk.wait(lambda page=page: "stopped" in walk.text(".wr-state", page), 240, "both stop")
        walk.tab("Write", page)
        walk.choose("Run", Path(given.runs_with[0]).name, page)
        page.get_by_label("Beginning").locator("visible=true").fill(given.beginning)
        page.get_by_label("The base beside it").click()
    for page in tabs:
        walk.press("Write", page)
    walk.wait(
        lambda: any("waiting for its turn" in walk.text(".wr-note", page) for page in tabs),
        30,
        "one says that it waits",
    )
    for page in tabs:
        walk.wait(lambda page=page: "in the book" in walk.text(".wr-card .wr-note", page), 600, "both write")
    said = [walk.text(".wr-card", page) for page in tabs]
    for page in tabs:
        page.context.close()
    return {"runs": names, "texts": said}


def keyboard(walk: Walk, given: argparse.Namespace) -> Any:
    """The main path without a mouse: to the tab, the beginning and the button by Tab and arrows, with focus to be seen."""
    page = walk.page = walk.visit()
    keys = page.keyboard

    def to(label: str) -> None:
        for _ in range(80):
            keys.press("Tab")
            at = page.evaluate(
                "(() => {const e = document.activeElement; return [e.getAttribute('aria-label') || '', e.innerText || '', "
                "e.labels?.[0]?.innerText || ''].join('|') + '|' + getComputedStyle(e).outlineStyle})()"
            )
            if label in at.rpartition("|")[0]:
                if at.endswith("|none"):
                    walk.trouble.append(f"keyboard: no outline shows that {label} has the focus")
                return
        raise TimeoutError(f"{label} is not reached by Tab")

    to("Write")
    keys.press("Enter")
    to("Run")
    wanted, active = Path(given.runs_with[0]).name, page.locator("[role=option].active")
    for _ in range(80):
        keys.press("ArrowDown")
        walk.pause(page, 200)
        if active.count() and wanted == active.first.get_attribute("aria-label"):
            break
    keys.press("Enter")
    to("Beginning")
    keys.type("The keeper")
    to("number input for Dial")
    keys.press("Control+a")
    keys.type("0.5")
    to("Write")
    keys.press("Enter")
    walk.wait(lambda: "in the book" in walk.text(".wr-card .wr-note"), 600, "it is written")
    return walk.text(".wr-card")[:200]


def password(walk: Walk, given: argparse.Namespace) -> Any:
    """Beyond loopback: refused without a password, asked for it, let in with it."""
    base = [sys.executable, "-m", "wellread.cli", "studio", "--runs", str(walk.out / "runs"), "--host", "0.0.0.0"]
    clean = {key: value for key, value in os.environ.items() if key != "WELLREAD_STUDIO_PASSWORD"}
    bare = subprocess.run(base, check=False, capture_output=True, text=True, timeout=120, env=clean)
    port = int(walk.url.rstrip("/").rpartition(":")[2]) + 1
    url = f"http://127.0.0.1:{port}/"
    with Served(
        [*base, "--port", str(port)], url, walk.out / "door.log", {**clean, "WELLREAD_STUDIO_PASSWORD": PASSWORD}
    ):
        refused = walk.browser.new_context().request
        codes = [
            refused.get(f"{url}{place}").status for place in ("", "pages/x/report.html", "config", "gradio_api/info")
        ]
        page = walk.browser.new_context(http_credentials={"username": "me", "password": PASSWORD}).new_page()
        page.goto(url)
        page.locator("button[role=tab]").first.wait_for(timeout=120_000)
        walk.pause(page, 2500)
        shown = page.locator(".wr-state strong").first.inner_text()
    return {"without": [bare.returncode, bare.stderr.strip()], "codes": codes, "with it": shown}


def pages(walk: Walk, given: argparse.Namespace) -> Any:
    """Certificates, reading views and the comparison by themselves, and what axe says of them."""
    page = walk.browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    names = [Path(each).name for each in given.runs_with]
    places = [f"pages/{name}/{which}.html" for name in names for which in ("report", "reading")]
    if len(names) > 1:
        places.append(f"compare.html?a={names[0]}&b={names[1]}")
    for place in places:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # before the page is there: colours fade into one another
            if page.goto(walk.url + place).status == 200:
                walk.check(f"{place}, {scheme}", page)
    return places


STEPS = [empty, bad, start, coloured, write, leave, halted, ask, read, compare, two, keyboard, password, pages]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--with", dest="runs_with", nargs="*", default=[], help="finished runs, the first with an adapter"
    )
    parser.add_argument("--only", default="", help="steps, by commas: " + ", ".join(step.__name__ for step in STEPS))
    parser.add_argument("--minutes", type=float, default=2, help="of training")
    parser.add_argument("--patience", type=float, default=1, help="times longer waits, for a busy machine")
    parser.add_argument("--handbook", type=Path, default=HANDBOOK)
    parser.add_argument("--question", default=QUESTION)
    parser.add_argument("--beginning", default="The keeper climbed the stairs of the lighthouse and")
    parser.add_argument("--axe", type=Path, help="axe-core's axe.min.js")
    parser.add_argument("--chromium", help="a browser of yours")
    parser.add_argument("--port", type=int, default=7873)
    parser.add_argument(
        "--python", default=sys.executable, help="with wellread[studio], where playwright lies elsewhere"
    )
    given = parser.parse_args()
    walk_through(given)


def walk_through(given: argparse.Namespace) -> None:
    from playwright.sync_api import Error, sync_playwright

    sys.executable = given.python
    runs, url = given.out / "runs", f"http://127.0.0.1:{given.port}/"
    runs.mkdir(parents=True, exist_ok=True)
    steps = [step for step in STEPS if not given.only or step.__name__ in given.only.split(",")]
    words = [given.python, "-m", "wellread.cli", "studio", "--runs", str(runs), "--port", str(given.port)]
    wrong = 0
    with Served(words, url, given.out / "studio.log"), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=given.chromium, args=["--no-sandbox"])
        walk = Walk(browser, url, given.out, given.axe.read_text(encoding="utf-8") if given.axe else "", given.patience)
        for step in steps:
            if step not in (empty, bad, start, coloured):
                for each in map(Path, given.runs_with):
                    shutil.copytree(each, runs / each.name, dirs_exist_ok=True)
            began = time.monotonic()
            try:
                said, failed = step(walk, given), ""
            except (Error, TimeoutError, AssertionError) as error:
                said, failed = None, str(error)[:600]
                walk.page.screenshot(path=given.out / f"bad-{step.__name__}.png", full_page=True)
            row = {"step": step.__name__, "seconds": round(time.monotonic() - began, 1), "said": said, "failed": failed,
                   "trouble": list(dict.fromkeys(walk.trouble)), "axe": list(dict.fromkeys(walk.violations))}  # fmt: skip
            wrong += bool(failed or walk.trouble or walk.violations)
            walk.trouble.clear()
            walk.violations.clear()
            with (given.out / "walk.jsonl").open("a", encoding="utf-8") as kept:
                kept.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(json.dumps(row, ensure_ascii=False, indent=1), flush=True)
        browser.close()
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
