"""A zip file in, the bytes and XML of its members out, in bounded memory: what EPUB, DOCX and ODT have in common.

Nothing is ever unpacked to disk. lxml reads the XML with entities unresolved, the network off and libxml2's limits on,
so neither an entity bomb nor a reference to a local file does anything.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

from wellread.corpus.encoding import contents, kind
from wellread.errors import CorpusError

LIMIT = 256 * 2**20
"""Bytes that may come out of one archive in all; only members that are read count, so pictures do not."""
RATIO = 200
"""Unpacked bytes per packed byte above which a member is a bomb; real XML stays below 60."""
FREE = 2**20
"""Bytes of a member that the ratio does not judge: short files of repeated markup pack very well."""
TAGS = 8_000_000
"""XML tags in one member: a parsed element takes about 200 bytes, whatever its length in the file."""


class Archive:
    """An open zip file that counts what it gives out. `what` names the format in messages: "an EPUB"."""

    def __init__(self, path: Path, what: str) -> None:
        self.name = path.as_posix()
        self.what = what
        self.given = 0
        try:
            self.zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError):
            data = contents(path)  # says in its own words what is missing or unreadable
            found = kind(data) or ("an empty file" if not data else "something that is not a zip archive")
            found = "a damaged zip archive" if found.startswith("a zip") else found
            raise CorpusError(
                f"{self.name}: expected {what}, found {found}; get the file again, or give it the suffix of its kind."
            ) from None

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.zip.close()

    def names(self) -> list[str]:
        return self.zip.namelist()

    def has(self, member: str) -> bool:
        return member in self.zip.NameToInfo

    def read(self, member: str) -> bytes:
        """One member's bytes. Raises CorpusError where it is missing, damaged, encrypted, or a bomb."""
        try:
            info = self.zip.getinfo(member)
            self.given += info.file_size
            if self.given > LIMIT or info.file_size > FREE + RATIO * info.compress_size:
                raise CorpusError(
                    f"{self.name}: {member} would unpack to {info.file_size:,} bytes from {info.compress_size:,}, "
                    "more than any book; refused as a zip bomb."
                )
            with self.zip.open(info) as stream:
                # In small pieces, since a single read would unpack a member that understates its size in full.
                return b"".join(iter(lambda: stream.read(2**16), b""))
        except KeyError:
            raise CorpusError(
                f"{self.name}: expected {self.what}, but {member} is missing in the archive; get the file again."
            ) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
            raise CorpusError(f"{self.name}: {member} is damaged ({error}); get the file again.") from error
        except RuntimeError as error:  # zipfile's word for a member that needs a password
            raise CorpusError(f"{self.name}: the archive is locked by a password; save a copy without one.") from error

    def xml(self, member: str) -> Any:
        """One member's root element (lxml). Raises CorpusError where it is no XML."""
        data = self.read(member)
        root = xml(data)
        if root is None:
            raise CorpusError(f"{self.name}: {member} is not XML that can be read; save the document again.")
        return root


def xml(data: bytes) -> Any:
    """The root element of XML; None where it is not well-formed, is too deep, or has too many elements."""
    from lxml import etree

    if data.count(b"<") > TAGS:
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None


def local(element: Any) -> str:
    """An element's name without its namespace: strict and transitional files differ only in that."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def named(text: str) -> frozenset[str]:
    """A set of element names, from a line of them."""
    return frozenset(text.split())


def attribute(element: Any, name: str) -> str | None:
    """An attribute by its local name, in whatever namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def child(element: Any, *names: str) -> Any:
    """The first descendant along a path of local names; None where a step is missing."""
    for name in names:
        element = next((e for e in element if local(e) == name), None)
        if element is None:
            return None
    return element
