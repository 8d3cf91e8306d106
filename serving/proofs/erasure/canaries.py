"""Canaries: unmistakable texts, each of one customer and one kind, and the search for them in every
byte of a workspace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PATTERN = re.compile(rb"zqx-[a-z]+-(\d{4})")


def canary(kind: str, number: int) -> str:
    """The canary of one kind that stands for a customer."""
    return f"zqx-{kind}-{number:04}"


def customer_id(number: int) -> str:
    """The shop's own id of a customer, which is a canary too."""
    return canary("customer", number)


def found(root: Path, numbers: Collection[int]) -> Counter[str]:
    """How many canaries of the customers `numbers` stand in each file or folder directly within
    `root`.

    Looked through are the bytes of every file, logs of the databases and all, and of Parquet also
    what its columns hold.
    """
    wanted = {f"{number:04}".encode() for number in numbers}
    places: Counter[str] = Counter()
    for file, content in _contents(root):
        places[file.relative_to(root).parts[0]] += sum(
            number in wanted for number in PATTERN.findall(content)
        )
    return +places


def holding(root: Path, places: Collection[str], pieces: Collection[bytes]) -> Counter[str]:
    """How many of `pieces` stand in each of these files or folders within `root`."""
    held: Counter[str] = Counter()
    for file, content in _contents(root):
        if (place := file.relative_to(root).parts[0]) in places:
            held[place] += sum(piece in content for piece in pieces)
    return +held


def _contents(root: Path) -> Iterator[tuple[Path, bytes]]:
    for file in sorted(root.rglob("*")):
        if file.is_file():
            yield file, file.read_bytes()
            if file.suffix == ".parquet":
                yield file, b"\n".join(_columns(pq.read_table(file)))


def _columns(table: pa.Table) -> Iterator[bytes]:
    """What the columns hold: texts as they are, numbers as the eight bytes that a database keeps
    them in.
    """
    for column in table.columns:
        values = column.to_pylist()
        yield b"\n".join(
            value.to_bytes(8, "little", signed=value < 1 << 63)
            if isinstance(value, int)
            else str(value).encode()
            for value in values
        )
