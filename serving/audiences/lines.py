"""An audience as lines of JSON or of CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import fields

from serving.audiences.audience import Member
from serving.decisions.document import document, encoded

COLUMNS = tuple(field.name for field in fields(Member))
BETWEEN = "|"
"""What stands between the parts of a list within a cell."""
Write = Callable[[Sequence[Member]], bytes]


def json_lines(members: Sequence[Member]) -> bytes:
    """One object a line (NDJSON)."""
    return b"".join(encoded(document(member)) + b"\n" for member in members)


def csv_lines(members: Sequence[Member]) -> bytes:
    """The rows of a table (RFC 4180), without its head; what is null is empty."""
    return _rows([[_cell(getattr(member, name)) for name in COLUMNS] for member in members])


def csv_head() -> bytes:
    """The names of the columns."""
    return _rows([COLUMNS])


def _rows(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return BETWEEN.join(str(getattr(one, "text", one)) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
