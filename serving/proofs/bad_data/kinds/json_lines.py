"""JSON, an object a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from serving.proofs.bad_data.spoilt_load import (
    COLUMNS,
    ROWS,
    SPOILT,
    Cell,
    Cells,
    ExportGroup,
    Spoilt,
    with_cells,
    writing,
)

FILE = "orders.jsonl"


def _line(row: Cells) -> str:
    return json.dumps(dict(zip(COLUMNS, row, strict=True)), default=str)


def _written(rows: Sequence[Cells]) -> bytes:
    return "".join(_line(row) + "\n" for row in rows).encode()


def _cell(told: str, **cells: Cell) -> Spoilt:
    """Another value in one object."""
    return _row(told, _written(with_cells(ROWS, **cells)))


def _text(told: str, spoil: Callable[[bytes], bytes]) -> Spoilt:
    """Another text of one line."""
    lines = _written(ROWS).splitlines(keepends=True)
    lines[SPOILT] = spoil(lines[SPOILT].rstrip()) + b"\n"
    return _row(told, b"".join(lines))


def _row(told: str, content: bytes) -> Spoilt:
    return Spoilt(writing(FILE, content), told, FILE, SPOILT + 1, row=SPOILT)


def _whole(told: str, content: bytes) -> Spoilt:
    return Spoilt(writing(FILE, content), told, FILE)


JSON_LINES = ExportGroup(
    {FILE: _written(ROWS)},
    {
        "a line that is no JSON": _text("no JSON object", lambda line: line[:-10]),
        "a list where an object belongs": _text("no JSON object", lambda line: b"[" + line + b"]"),
        "two objects in one line": _text("no JSON object", lambda line: line + line),
        "a name twice in an object": _text(
            "names 'order' twice", lambda line: line[:-1] + b', "order": "A99"}'
        ),
        "a list for an id": _text(
            "which is a list", lambda line: line.replace(b'"A3"', b'["A3", "A4"]')
        ),
        "half a letter in JSON": _text(
            "bytes that are not UTF-8", lambda line: line.replace(b'"p3"', b'"p\\ud800"')
        ),
        "Latin-1 beside UTF-8 in JSON": _text(
            "bytes that are not UTF-8",
            lambda line: line.replace(b"Mug 3", b"Mug \xfc\xc3\xbc"),
        ),
        "a yes for a quantity, in JSON": _cell("units is 'true', which is no number", units=True),
        "an endless price, in JSON": _text(
            "price is 'Infinity', which is no number",
            lambda line: line.replace(b"3.5", b"Infinity"),
        ),
        "nothing for a product, in JSON": _cell("sku is empty", sku=None),
        "JSON lines of something else": _whole("holds no JSON object", b'"a"\n"b"\n'),
    },
)
