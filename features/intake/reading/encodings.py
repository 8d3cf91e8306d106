"""In which encoding a text file is written: UTF-8, UTF-16, or that of older Windows programs."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import IO

from features.intake.reading.containers import open_bytes

UTF_8, WINDOWS = "utf-8-sig", "cp1252"
MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
AT_ONCE = 1 << 20
ASCII = bytes(range(128))
PIECES = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D, 0xC2, 0xC3))
"""Bytes that Windows does not use, and the two that most letters begin with in UTF-8."""
MOST_PIECES = 0.2
SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


def encoding_of(file: Path, begin: int = 0) -> str:
    """The encoding of a file, or of what follows its first bytes, as Python names it.

    A mark at its beginning settles it, and so do zeros at every other byte. Else it is UTF-8; but
    where not one character beyond ASCII is UTF-8, and nearly all are letters and signs that
    Windows writes with one byte, it is Windows'. Where some are UTF-8, the others are faults of
    their lines, and so are pieces of UTF-8.

    Raises `SourceError` where the file cannot be opened.
    """
    with open_bytes(file) as content:
        content.seek(begin)
        return _encoding_of(content)


def _encoding_of(content: IO[bytes]) -> str:
    letters, pieces, block = 0, 0, content.read(AT_ONCE)
    if (mark := block[:2]) in MARKS:
        return MARKS[mark]
    if unmarked := _unmarked_utf_16(block[:1000]):
        return unmarked
    while block:
        if not block.isascii():
            if _holds_utf_8(block):
                return UTF_8
            beyond = block.translate(None, ASCII)
            pieces += sum(beyond.count(byte) for byte in PIECES)
            letters += len(beyond)
        block = content.read(AT_ONCE)
    return WINDOWS if letters and pieces <= MOST_PIECES * letters else UTF_8


def _unmarked_utf_16(start: bytes) -> str | None:
    pairs = len(start) // 2
    if pairs < 4:
        return None
    if start[1::2].count(0) > 0.7 * pairs and start[::2].count(0) == 0:
        return "utf-16-le"
    if start[::2].count(0) > 0.7 * pairs and start[1::2].count(0) == 0:
        return "utf-16-be"
    return None


def _holds_utf_8(block: bytes) -> bool:
    """Whether a block holds a character beyond ASCII in UTF-8, or a surrogate written like one."""
    text = block.decode("utf-8", "surrogateescape")
    encoded = any("\x7f" < letter < "\ud800" or letter > "\udfff" for letter in text)
    return encoded or SURROGATE.search(block) is not None
