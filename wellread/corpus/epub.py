"""An EPUB book in, one Document per headed section out, in the order of its spine.

The package file says what is text and in which order; the pages are XHTML and go through the HTML loader. Written on
lxml: the usual EPUB library (ebooklib) is under the AGPL, and what is needed of one is this page.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urldefrag

from wellread.corpus import html
from wellread.corpus.archive import Archive, attribute, child, local, xml
from wellread.corpus.encoding import declared_charset, decode
from wellread.corpus.sections import Block, sectioned
from wellread.errors import CorpusError
from wellread.types import Document

PAGES = frozenset(("application/xhtml+xml", "text/html", "application/xml", "text/xml", "text/x-oeb1-document"))
FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
COVER_WORDS = 100
"""A page that the package calls the cover, or the contents, is left out only if it says no more than one would."""


class Package(NamedTuple):
    """What the OPF file states."""

    title: str
    language: str
    pages: list[str]
    """Archive members in reading order: the spine, its linear="no" items (notes, mostly) behind the rest."""
    navigation: set[str]
    """Members that the package calls navigation or contents."""
    cover: set[str]
    labels: dict[str, str]
    """Member -> its entry in the table of contents, for members with exactly one."""


def load(path: Path) -> Iterator[Document]:
    """One Document per heading; the cover, contents and pages of links are left out, linear="no" pages come last.

    Raises CorpusError for a file that is no EPUB, is under DRM, or has no text.
    """
    with Archive(path, "an EPUB") as archive:
        package = read_package(archive)
        refuse_drm(archive, package.pages)
        yield from sectioned(path, book(archive, package), package.title, package.language)


def book(archive: Archive, package: Package) -> Iterator[Block]:
    for page in package.pages:
        if page in package.navigation:
            continue
        data = archive.read(page)
        root = html.parse(decode(data, declared=declared_charset(data)))
        if root is None:
            continue
        found = list(html.blocks(root))
        words = sum(len(block.text.split()) for block in found)
        if (page in package.cover and words < COVER_WORDS) or leads_elsewhere(root, words):
            continue
        yield from headed(found, package.labels.get(page, ""))


def headed(found: list[Block], label: str) -> Iterator[Block]:
    """The blocks of a page; where none is a heading, its first line becomes one if the contents call the page so."""
    if found and label and not any(block.level for block in found):
        for count in (1, 2, 3):
            line = " ".join(" ".join(block.text.split()) for block in found[:count])
            if letters(line) == letters(label):
                yield Block(line, 1)
                found = found[count:]
                break
    yield from found


def letters(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


def leads_elsewhere(root: Any, words: int) -> bool:
    """Whether a page is navigation: at least five links to other pages, which hold most of its words."""
    links = [e for e in root.iter("{*}a") if not (attribute(e, "href") or "#").startswith(("#", "http", "mailto"))]
    linked = sum(len("".join(link.itertext()).split()) for link in links)
    return len(links) >= 5 and linked > 0.7 * words


def read_package(archive: Archive) -> Package:
    """What the package file says; its place is in META-INF/container.xml, or, failing that, it is the one `.opf`."""
    member = "META-INF/container.xml"
    rootfile = None
    if archive.has(member):
        rootfile = next((e for e in archive.xml(member).iter() if local(e) == "rootfile"), None)
    opf = attribute(rootfile, "full-path") if rootfile is not None else None
    opf = unquote(opf) if opf and not archive.has(opf) else opf
    if not opf or not archive.has(opf):
        opf = next((name for name in archive.names() if name.lower().endswith(".opf")), None)
    if opf is None:
        raise CorpusError(f"{archive.name}: expected an EPUB, found a zip archive without a package; get it again.")
    root = archive.xml(opf)
    folder = posixpath.dirname(opf)
    items = {attribute(e, "id"): e for e in root.iter("{*}item")}
    title = next(("".join(e.itertext()) for e in root.iter("{*}title")), "")
    language = next(("".join(e.itertext()) for e in root.iter("{*}language")), "")
    spine = [(e, items.get(attribute(e, "idref"))) for e in root.iter("{*}itemref")]
    first = [item for e, item in spine if item is not None and e.get("linear") != "no"]
    last = [item for e, item in spine if item is not None and e.get("linear") == "no"]
    pages = [item for item in (first + last) if item.get("media-type") in PAGES]
    navigation = {target(folder, e) for e in items.values() if "nav" in (e.get("properties") or "").split()}
    cover = set()
    for reference in root.iter("{*}reference"):
        if reference.get("type") == "toc":
            navigation.add(target(folder, reference))
        elif reference.get("type") == "cover":
            cover.add(target(folder, reference))
    found = [target(folder, item) for item in pages]
    found = list(dict.fromkeys(name for name in found if archive.has(name)))
    return Package(title, language, found, navigation, cover, labels(archive, items, folder))


def target(folder: str, element: Any) -> str:
    """The archive member that an element's href names, seen from `folder`."""
    href = unquote(urldefrag(attribute(element, "href") or attribute(element, "src") or "").url)
    return posixpath.normpath(posixpath.join(folder, href)) if href else ""


def labels(archive: Archive, items: dict[str | None, Any], folder: str) -> dict[str, str]:
    """Member -> entry of the table of contents (EPUB 3's nav, EPUB 2's NCX), where it has exactly one entry."""
    found: dict[str, list[str]] = {}
    for item in items.values():
        ncx = item.get("media-type") == "application/x-dtbncx+xml"
        if not ncx and "nav" not in (item.get("properties") or "").split():
            continue
        member = target(folder, item)
        root = xml(archive.read(member)) if archive.has(member) else None
        if root is None:
            continue
        for entry in root.iter("{*}navPoint" if ncx else "{*}a"):
            text = child(entry, "navLabel", "text") if ncx else entry
            link = child(entry, "content") if ncx else entry
            if text is not None and link is not None:
                label = " ".join("".join(text.itertext()).split())
                found.setdefault(target(posixpath.dirname(member), link), []).append(label)
    return {member: entries[0] for member, entries in found.items() if len(set(entries)) == 1}


def refuse_drm(archive: Archive, pages: list[str]) -> None:
    """Raise CorpusError where encryption.xml covers a page; scrambled fonts are harmless."""
    member = "META-INF/encryption.xml"
    if not archive.has(member):
        return
    for entry in archive.xml(member).iter("{*}EncryptedData"):
        method = child(entry, "EncryptionMethod")
        reference = child(entry, "CipherData", "CipherReference")
        algorithm = attribute(method, "Algorithm") if method is not None else None
        covered = unquote(attribute(reference, "URI") or "") if reference is not None else ""
        if algorithm not in FONT_SCRAMBLING and covered in pages:
            raise CorpusError(f"{archive.name}: locked by DRM ({covered} is encrypted); use a copy without it.")
