"""The tab Write as a visitor uses it, for studio.py: the dial, the guard, what is coloured, and who leaves while it writes."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from studio_walk import Walk

BY_HEART = "novel-from-scratch-the-lamp-ete-draft"
"""The run of step `start`."""


def write(walk: Walk, given: argparse.Namespace) -> Any:
    """The dial at three places under the guard, then without it; the base beside the tuned model."""
    walk.tab("Write")
    name = Path(given.runs_with[0]).name
    walk.choose("Run", name)
    walk.page.get_by_label("Beginning").locator("visible=true").fill(given.beginning)
    _open_sampling(walk)
    walk.number("Tokens", 40)
    said = {}
    for dial, guard in ((0.0, 8), (0.5, 8), (1.0, 8), (1.0, 0)):
        walk.number("Dial", dial)
        walk.number("Guard", guard)
        walk.press("Write")
        for _ in range(40):  # until what was written before is gone
            if not _done(walk):
                break
            walk.pause(walk.page, 250)
        walk.wait(
            lambda dial=dial: f"dial at {dial:g}" in walk.text(".wr-card") and _done(walk), 400, "both are written"
        )
        said[f"dial {dial:g}, guard {guard}"] = walk.page.locator(".wr-card:visible").all_inner_texts()
        walk.shoot(f"write-{dial:g}-{guard}", audit=not guard)
    said["coloured"] = walk.page.locator(".wr-text mark:visible").count()
    return said


def coloured(walk: Walk, given: argparse.Namespace) -> Any:
    """The small book that step `start` taught by heart, written without the guard: what stands in it is coloured. Under the guard
    nothing is."""
    walk.tab("Write")
    walk.choose("Run", BY_HEART)
    walk.page.get_by_label("Beginning").locator("visible=true").fill("Chapter 1\n\nThe keeper lit the lamp")
    _open_sampling(walk)
    walk.number("Tokens", 80)
    walk.number("Temperature", 0.3)
    marks = walk.page.locator(".wr-text mark:visible")
    said = {}
    for guard in (7, 0):
        walk.number("Guard", guard)
        walk.press("Write")
        for _ in range(40):  # until what was written before is gone
            if not _done(walk, 1):
                break
            walk.pause(walk.page, 250)
        walk.wait(lambda: _done(walk, 1), 400, "it is written")
        said[f"guard {guard}"] = [marks.count(), *walk.page.locator(".wr-card:visible").all_inner_texts()]
        walk.shoot(f"coloured-{guard}", audit=not guard)
    assert said["guard 7"][0] == 0, "a run of 8 words stands there in spite of the guard"
    assert said["guard 0"][0] > 0, "nothing is coloured"
    assert "words in a row from" in str(marks.first.get_attribute("title")), "no place in the book is told"
    return said


def leave(walk: Walk, given: argparse.Namespace) -> Any:
    """A page is closed while it writes: the next visitor need not wait for the rest of that text."""
    texts = []
    for tokens in (800, 10):
        page = walk.page = walk.visit()
        walk.tab("Write")
        walk.choose("Run", Path(given.runs_with[0]).name)
        page.get_by_label("Beginning").locator("visible=true").fill(given.beginning)
        _open_sampling(walk)
        walk.number("Tokens", tokens)
        began = time.monotonic()
        walk.press("Write")
        walk.wait(lambda: len(walk.text(".wr-card .wr-text").split()) > 20 or _done(walk), 200, "it writes")
        if tokens > 10:
            texts.append(walk.text(".wr-card"))
            assert not _done(walk), "it was written too soon to be left"
            page.context.close()
    walk.wait(lambda: _done(walk), 60, "the next one writes")
    return {"left at": texts, "seconds to the next one's text": round(time.monotonic() - began, 1)}


def halted(walk: Walk, given: argparse.Namespace) -> Any:
    """Stopped in the middle a text stays as it is, and says so; then one without a beginning."""
    page = walk.page = walk.visit()
    walk.tab("Write")
    walk.choose("Run", Path(given.runs_with[0]).name)
    page.get_by_label("Beginning").locator("visible=true").fill(given.beginning)
    _open_sampling(walk)
    walk.number("Tokens", 800)
    walk.press("Write")
    walk.wait(lambda: len(walk.text(".wr-card .wr-text").split()) > 20 or _done(walk), 200, "it writes")
    walk.press("Stop writing")
    notes = page.locator(".wr-card:visible .wr-note")
    walk.wait(lambda: set(notes.all_inner_texts()) == {"stopped"}, 20, "it says that it was stopped")
    left = walk.text(".wr-card")
    walk.pause(page, 4000)
    assert walk.text(".wr-card") == left, "it went on after it was stopped"
    walk.shoot("halted")
    page.get_by_label("Beginning").locator("visible=true").fill("")
    walk.number("Tokens", 20)
    walk.press("Write")
    walk.wait(lambda: _done(walk), 200, "one without a beginning is written")
    walk.shoot("unbegun", audit=False)
    assert walk.text(".wr-card .wr-prompt"), "nothing says what it goes on from"
    return {"left at": left, "without a beginning": page.locator(".wr-card:visible").all_inner_texts()}


def _open_sampling(walk: Walk) -> None:
    """Another step may have opened it before."""
    if not walk.page.get_by_label("Seed").locator("visible=true").count():
        walk.page.get_by_text("Sampling", exact=True).locator("visible=true").first.click()
        walk.pause(walk.page, 600)


def _done(walk: Walk, texts: int = 2) -> bool:
    """Whether the texts, tuned and base, are whole: each then says what of it stands in the book."""
    notes = walk.page.locator(".wr-card:visible .wr-note").all_inner_texts()
    return sum("in the book" in each or "Coloured" in each for each in notes) >= texts
