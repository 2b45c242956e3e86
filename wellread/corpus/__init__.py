"""Files in, Documents out: one loader per format, then cleaning, chapters, the split.

`LOADERS` maps a suffix to `"module:function"`, a `(Path) -> Iterator[Document]`; other packages add theirs through the
entry-point group `wellread.loaders`, named by suffix (".fb2").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellread.corpus.reading import load, load_file

__all__ = ["ABOUT", "LOADERS", "load", "load_file"]

LOADERS = {
    ".txt": "wellread.corpus.plain:load",
    ".text": "wellread.corpus.plain:load",
    ".md": "wellread.corpus.markdown:load",
    ".markdown": "wellread.corpus.markdown:load",
    ".html": "wellread.corpus.html:load",
    ".htm": "wellread.corpus.html:load",
    ".xhtml": "wellread.corpus.html:load",
    ".epub": "wellread.corpus.epub:load",
    ".pdf": "wellread.corpus.pdf:load",
    ".docx": "wellread.corpus.docx:load",
    ".odt": "wellread.corpus.odt:load",
    ".jsonl": "wellread.corpus.examples:load",
    ".json": "wellread.corpus.examples:load",
    ".csv": "wellread.corpus.examples:load",
}
ABOUT = {
    **dict.fromkeys((".txt", ".text"), "Plain text in any usual encoding; chapters are found by their headings."),
    **dict.fromkeys((".md", ".markdown"), "Markdown: chapters by its headings."),
    **dict.fromkeys((".html", ".htm", ".xhtml"), "A web page: its text, without menus and scripts."),
    ".epub": "An e-book: its chapters in reading order, its title and language.",
    ".pdf": "A PDF with a text layer: running heads and page numbers go.",
    ".docx": "Word: chapters by heading styles, footnotes in place.",
    ".odt": "LibreOffice: chapters by heading styles, footnotes in place.",
    **dict.fromkeys(
        (".jsonl", ".json", ".csv"), "Rows of prompt and completion, or chats (`messages`), to learn answers from."
    ),
}
"""What each built-in loader reads, in a line."""


def __getattr__(name: str) -> Any:
    """`load` and `load_file`, imported when first asked for, so that listing the loaders imports nothing."""
    if name in {"load", "load_file"}:
        from wellread.corpus import reading

        return getattr(reading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
