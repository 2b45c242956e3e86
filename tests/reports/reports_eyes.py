"""Eyes for the page that is made of a fabricated run: what it says, and what of that is seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bs4 import BeautifulSoup
from reports_fabricated import Fabricated

from wellread.reports import write_report


def certificate(made: Fabricated, folder: Path) -> BeautifulSoup:
    return BeautifulSoup(write_report(made.write(folder)).read_text(encoding="utf-8"), "html.parser")


def told(element: Any) -> str:
    """What an element says, without line ends and runs of spaces; a no-break space is a space."""
    return " ".join(element.get_text().split())


def seen(element: Any) -> str:
    """The same, without what only a screen reader says."""
    copy = BeautifulSoup(str(element), "html.parser")
    for hidden in copy.select(".unseen"):
        hidden.decompose()
    return copy.get_text()


def line(page: BeautifulSoup, name: str, split: str, title: str = "") -> list[str]:
    """The cells of one row of the tables."""
    for row in page.select("table.measured tbody tr"):
        if row.select_one("code").text == name and split in told(row.th) and title in told(row.th):
            return [" ".join(seen(cell).split()) for cell in row.select("td")]
    raise AssertionError(f"no row {name} {split}")
