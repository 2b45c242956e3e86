"""A browser at the studio for studio.py: what a visitor does there, what the page says, and all that it complained of."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Walk:
    """A browser at the studio, and all that it complained of."""

    def __init__(self, browser: Any, url: str, out: Path, axe: str, patience: float) -> None:
        self.url, self.out, self.axe, self.browser, self.patience = url, out, axe, browser, patience
        self.trouble: list[str] = []
        self.violations: list[str] = []
        self.unknown_uploads = 0
        self.page = self.visit()

    def visit(self, **context: Any) -> Any:
        """A new visitor's page, as it is when everything has been loaded."""
        page = self.browser.new_context(viewport={"width": 1280, "height": 900}, **context).new_page()
        page.set_default_timeout(120_000 * self.patience)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"[:300]))
        page.on("requestfailed", self._failed)
        page.on("request", self._left)
        page.goto(self.url)
        page.locator("button[role=tab]").first.wait_for()
        page.locator("[role=tabpanel] label, [role=tabpanel] input").first.wait_for()
        self.pause(page, 1500)
        return page

    def pause(self, page: Any, milliseconds: float) -> None:
        page.wait_for_timeout(milliseconds * self.patience)

    def _console(self, message: Any) -> None:
        if message.type != "error":
            return
        place = str(message.location.get("url", ""))
        # Gradio asks how far an upload is that it has refused already, and its server knows of none; its script tells of that
        # answer, too: these two lines of its own, and no other
        if place.startswith(f"{self.url}gradio_api/upload_progress?") and "status of 404" in message.text:
            self.unknown_uploads += 1
            return
        if message.text == "Response" and place.startswith(f"{self.url}assets/") and self.unknown_uploads:
            self.unknown_uploads -= 1
            return
        self.trouble.append(f"{message.type}: {message.text[:300]} {place}".strip())

    def _failed(self, request: Any) -> None:
        # a page that is closed or left cuts its own streams off
        if request.failure != "net::ERR_ABORTED":
            self.trouble.append(f"failed: {request.url} {request.failure}")

    def _left(self, request: Any) -> None:
        if not request.url.startswith((self.url, "data:", "blob:")):
            self.trouble.append(f"left the studio: {request.url}")

    def tab(self, name: str, page: Any = None) -> None:
        page = page or self.page
        tab = page.get_by_role("tab", name=name, exact=True)
        if tab.is_visible():
            tab.click()
        else:
            page.locator(".overflow-menu button").first.click()
            page.locator(".overflow-dropdown button", has_text=name).click()
        self.pause(page, 800)

    def choose(self, label: str, option: str, page: Any = None) -> None:
        page = page or self.page
        box = page.get_by_label(label, exact=True).locator("visible=true").first
        if box.input_value() == option:
            return
        box.click()
        self.pause(page, 1500)  # the list is read anew when it is opened
        page.get_by_role("option", name=option, exact=True).locator("visible=true").first.click()
        self.pause(page, 800)

    def press(self, name: str, page: Any = None) -> None:
        (page or self.page).get_by_role("button", name=name, exact=True).locator("visible=true").first.click()

    def number(self, label: str, value: float) -> None:
        box = self.page.locator(f'input[aria-label^="number input for {label}"]').locator("visible=true")
        box.fill(f"{value:g}")
        box.press("Tab")

    def wait(self, true: Callable[[], bool], seconds: float, what: str) -> None:
        end = time.monotonic() + seconds * self.patience
        while not true():
            if time.monotonic() > end:
                raise TimeoutError(f"{what}: not within {seconds:g} s")
            self.pause(self.page, 500)

    def text(self, selector: str = "[role=tabpanel]", page: Any = None) -> str:
        found = (page or self.page).locator(selector).locator("visible=true").all_inner_texts()
        return "\n".join(found)

    def toast(self, page: Any = None) -> str:
        """What an error says, and away with it."""
        page = page or self.page
        shown = page.locator(".toast-body").first
        shown.wait_for()
        said = shown.inner_text()
        page.locator(".toast-close").first.click()
        self.pause(page, 500)
        return str(said).strip()

    def shoot(self, name: str, *, audit: bool = True, page: Any = None) -> None:
        """The page at both widths in both schemes; wider than its window is trouble."""
        page = page or self.page
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                self.pause(page, 700)
                page.screenshot(path=self.out / f"{name}-{width}-{scheme}.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                self.trouble.append(f"{name}: {wide} px wide at {width}")
            if audit:
                self.check(f"{name} at {width}, dark", page)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.emulate_media(color_scheme="light")
        self.pause(page, 500)
        if audit:
            self.check(f"{name} at 1280, light", page)

    def check(self, name: str, page: Any) -> None:
        """The serious violations that axe finds on a page."""
        if not self.axe:
            return
        page.evaluate(self.axe)
        found = page.evaluate(
            "async () => (await axe.run(document, {iframes: false})).violations.filter(v => ['serious', 'critical']"
            ".includes(v.impact)).map(v => v.id + ' ' + v.nodes.length + ' ' + v.nodes[0].target.join(' ') + ' ' + "
            "(v.nodes[0].any[0]?.message || ''))"
        )
        self.violations += [f"{name}: {each}" for each in found]


class Served:
    """A studio in a process of its own while the block lasts."""

    def __init__(self, words: list[str], url: str, log: Path, environment: dict[str, str] | None = None) -> None:
        self.words, self.url, self.log, self.environment = words, url, log, environment

    def __enter__(self) -> None:
        self.process = subprocess.Popen(
            self.words, stdout=self.log.open("wb"), stderr=subprocess.STDOUT, env=self.environment
        )
        for _ in range(1200):
            try:
                urllib.request.urlopen(self.url, timeout=30).close()
                return
            except urllib.error.HTTPError:
                return  # it asks for its password
            except OSError:
                time.sleep(0.5)
        raise TimeoutError(f"no studio at {self.url}: {self.log.read_text()}")

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(120)
