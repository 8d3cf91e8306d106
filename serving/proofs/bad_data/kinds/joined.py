"""Files that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from serving.proofs.bad_data.spoilt_load import (
    DAY,
    EXPORTS,
    NAME,
    ORDER,
    PRICE,
    ROWS,
    SKU,
    SPOILT,
    UNITS,
    Cell,
    ExportGroup,
    Spoilt,
    changing,
    text_of,
    writing,
)

LINES, ORDERS = "lines.csv", "orders.csv"
OF_ORDERS: list[tuple[Cell, ...]] = [(row[ORDER], row[0], row[DAY]) for row in ROWS]


def _lines(rows: Sequence[tuple[Cell, ...]]) -> bytes:
    parts = [(row[ORDER], row[SKU], row[UNITS], row[PRICE], row[NAME]) for row in rows]
    return text_of(parts, ("order", "sku", "units", "price", "name")).encode()


def _orders(rows: Sequence[tuple[Cell, ...]]) -> bytes:
    return text_of(rows, ("order", "client", "day")).encode()


def _of_orders(told: str, content: bytes, line: int | None = None) -> Spoilt:
    return Spoilt(writing(ORDERS, content), told, ORDERS, line)


def _settled(root: Path) -> None:
    """The customer and the time of an order stand in the other file."""
    joins = f'[[sources.joins]]\nfile = "{EXPORTS}/{ORDERS}"\non = "order"\nkey = "order"\n'
    changing('"client"', '"orders.client"')(root)
    changing('"day"', '"orders.day"')(root)
    changing("[sources.cleaning]", f"{joins}\n[sources.cleaning]")(root)


def _gone(root: Path) -> None:
    (root / EXPORTS / ORDERS).unlink()


WHOLE = _orders(OF_ORDERS)
JOINED = ExportGroup(
    {LINES: _lines(ROWS), ORDERS: WHOLE},
    {
        "an order that the other file has not": Spoilt(
            writing(ORDERS, _orders([*OF_ORDERS[:SPOILT], *OF_ORDERS[SPOILT + 1 :]])),
            "is empty",
            LINES,
            SPOILT + 2,
            row=SPOILT,
        ),
        "an order that the other file has twice": _of_orders(
            "'A3' is in line 4 already",
            _orders([*OF_ORDERS, ("A3", "c9", OF_ORDERS[SPOILT][2])]),
            len(OF_ORDERS) + 2,
        ),
        "a row of the other file that is cut off": Spoilt(
            writing(ORDERS, WHOLE.replace(b"A3,c3,", b"A3,")),
            "2 cells and the header 3",
            ORDERS,
            SPOILT + 2,
            row=SPOILT,
            along=1,
        ),
        "a key that the other file has not": _of_orders(
            "the column `order` is missing", WHOLE.replace(b"order,", b"number,")
        ),
        "the other file is gone": Spoilt(_gone, "No such file", ORDERS),
    },
    settle=_settled,
)
