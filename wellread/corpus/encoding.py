"""Bytes in, text out: which encoding a file is in, and whether it is text at all."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from pathlib import Path

from wellread.errors import CorpusError

BOMS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SIGNATURES = (
    (b"%PDF-", "a PDF file"),
    (b"PK\x03\x04", "a zip archive (EPUB, DOCX and ODT files are such archives)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old binary Office file, or a password-protected one"),
    (b"{\\rtf", "an RTF file"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
)
DECLARED = re.compile(
    rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]+)|<meta[^>]{0,300}?charset\s*=\s*["']?\s*([\w.:-]+)""", re.I
)
CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
BLANKS = re.compile("\r\n?|[\x85\u2028\u2029]")


def contents(path: Path) -> bytes:
    """The bytes of a file. Raises CorpusError where it is missing, unreadable or a folder."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"{path.as_posix()}: there is no such file; check the name and the folder.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CorpusError(f"{path.as_posix()}: cannot be read ({reason}); check that it is yours to read.") from error


def kind(data: bytes) -> str | None:
    """What a file is by its first bytes ("a PDF file"); None where they tell nothing, as for text."""
    return next((name for magic, name in SIGNATURES if data.startswith(magic)), None)


def tidy(text: str) -> str:
    """The text in NFC, its line ends all `\\n`, without byte-order marks."""
    return unicodedata.normalize("NFC", BLANKS.sub("\n", text).replace("\ufeff", ""))


def text_of(path: Path, *, markup: bool = False) -> str:
    """A text file's text, tidy; `markup` believes a charset that the file declares (HTML, XML).

    Raises CorpusError for a file that is empty, binary, or of another kind than text.
    """
    data = contents(path)
    found = kind(data)
    if found:
        raise CorpusError(f"{path.as_posix()}: expected text, found {found}; give it the suffix of its kind.")
    text = tidy(decode(data, declared=declared_charset(data) if markup else None))
    if not text.strip("\x00\x1a \t\n\f"):
        raise CorpusError(f"{path.as_posix()}: the file is empty; there is nothing to read in it.")
    text = text.rstrip("\x00\x1a")  # what DOS editors and copied disks left behind the end
    controls = sum(1 for _ in CONTROLS.finditer(text))
    if controls * 200 > len(text) or text.count("\x00") * 1000 > len(text):
        raise CorpusError(
            f"{path.as_posix()}: expected text, found binary data ({controls:,} control characters in {len(text):,}); "
            "convert it to text, or leave it out."
        )
    return text


def declared_charset(data: bytes) -> str | None:
    """The charset that an XML declaration or an HTML `meta` states in the first 4,096 bytes."""
    found = DECLARED.search(data[:4096])
    return (found[1] or found[2]).decode("ascii") if found else None


def decode(data: bytes, *, declared: str | None = None) -> str:
    """Bytes as text: by byte-order mark, else UTF-16 by its zeros, else UTF-8, else what was declared, else cp1252.

    UTF-8 goes before a declaration: text that is no UTF-8 hardly ever decodes as such by accident, while wrong
    declarations are common. `declared` iso-8859-1 means cp1252, as in browsers.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if b"\x00" in data[:4096]:
        wide = utf16_without_mark(data)
        if wide:
            return data.decode(wide, "replace")
    escaped = known_codec(declared) if declared and declared.lower().startswith("iso-2022") else None
    if escaped:  # pure ASCII bytes that stand for Japanese or Korean
        return data.decode(escaped, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return legacy(data, declared)


def utf16_without_mark(data: bytes) -> str | None:
    """`utf-16-le` or `utf-16-be` where the bytes read so are text; None where they are rather binary.

    Text has spaces, next to no unassigned characters, and stays within three blocks of 256 characters; for Chinese or
    Japanese without a mark this says None.
    """
    head = data[: min(len(data), 65_536) // 2 * 2]
    scores = {}
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = head.decode(encoding)
        except UnicodeDecodeError as error:
            if error.end < len(head) - 2:
                continue
            text = head.decode(encoding, "ignore")  # a surrogate pair that the cut has halved
        bad = sum(unicodedata.category(c) in {"Cn", "Co", "Cc"} and c not in "\t\n\r\f" for c in text)
        plain = sum(c in " \n\r\t.,;" for c in text)
        scripts = sum(count for _, count in Counter(ord(c) >> 8 for c in text).most_common(3))
        if bad * 50 <= len(text) and plain * 50 >= len(text) and scripts * 20 >= len(text) * 19:
            scores[encoding] = plain
    return max(scores, key=lambda name: scores[name]) if scores else None


def legacy(data: bytes, declared: str | None) -> str:
    """Bytes that are not UTF-8, or not throughout."""
    loose = data.decode("utf-8", "surrogateescape")
    stray = sum(1 for _ in re.finditer("[\udc80-\udcff]", loose))
    whole = sum(1 for _ in re.finditer("[\x80-\ud7ff\ue000-\U0010ffff]", loose))
    if whole > 4 * stray:  # UTF-8 with a few stray bytes, as when two files were pasted together
        return re.sub("[\udc80-\udcff]", lambda m: cp1252(bytes([ord(m[0]) - 0xDC00])), loose)
    encoding = known_codec(declared)
    if encoding is None:
        sample = data[:500_000]
        high = sum(byte >= 0xC0 for byte in sample)
        low = sum(65 <= byte <= 90 or 97 <= byte <= 122 for byte in sample)
        # Latin scripts accent few of their letters; where most letters are high bytes, the script is another.
        encoding = guess(sample) if high > low else None
    return data.decode(encoding, "replace") if encoding else cp1252(data)


def known_codec(declared: str | None) -> str | None:
    """Python's name for a declared charset other than UTF-8 and Latin-1; None for those and for what is no charset."""
    try:
        name = codecs.lookup(declared or "").name
        b" ".decode(name, "replace")  # fails for codecs that give no text (hex, rot13) or take no errors (idna)
    except (LookupError, UnicodeError):
        return None
    return None if name in {"utf-8", "ascii", "iso8859-1", "cp1252"} or name.startswith("utf") else name


def guess(data: bytes) -> str | None:
    """An encoding of a script other than Latin (charset-normalizer tells them apart by letter frequency)."""
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    return best.encoding if best else None


def cp1252(data: bytes) -> str:
    """cp1252, which is Latin-1 with curly quotes; its five unused bytes as in Latin-1, so that nothing fails."""
    text = data.decode("cp1252", "surrogateescape")
    return re.sub("[\udc80-\udcff]", lambda m: chr(ord(m[0]) - 0xDC00), text)
