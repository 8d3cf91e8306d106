"""Corrections: a customer's data put right (rectification).

They outlive the next load of a source that still has it wrong.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, insert, select

from features import clock
from features.customers.pseudonyms import merged_numbers, numbers_of
from features.customers.vault import Vault
from features.database.engine import Database
from features.database.tables import corrections, online_features
from features.errors import SaysoError
from features.events.arrivals import arrived_of, read
from features.shop.shop import Shop
from features.tables.declared.transactions import ORDER_ID, PRODUCT_ID
from features.tables.table import CUSTOMER, Kind

LARGEST = 1e9


class CorrectionRefused(SaysoError):
    """A correction names what is not there, or a value that cannot be.

    `field` names the part of it that does.
    """

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class OneLineOnly(CorrectionRefused):
    """A correction is about more lines than its maker may put right at a time."""


@dataclass(frozen=True)
class Correction:
    """The right value of a field such as `customers.country`; of an order line where `order_id`
    (and `product_id`) name one.
    """

    field: str
    value: str
    order_id: str | None = None
    product_id: str | None = None


def correct(
    shop: Shop,
    customer: int,
    correction: Correction,
    actor: str | None = None,
    *,
    one_line: bool = False,
) -> int:
    """Put a customer's data right, everywhere and for good; how many rows changed.

    The next answer is made from the right value; `actor` is kept as who put it right. Raises
    `CorrectionRefused` for a field that is not there or a value that it cannot have, and
    `OneLineOnly` for more than one row where that is all there may be.
    """
    table, _, column = correction.field.partition(".")
    personal = shop.workspace.tables.personal
    fields = [field for field in shop.config.catalog.fields.values() if field.table in personal]
    if correction.field not in [field.name for field in fields]:
        known = ", ".join(f"`{field.name}`" for field in fields)
        raise CorrectionRefused(
            f"`{correction.field}` is no field of a customer; there are {known}", field="field"
        )
    declared = shop.workspace.tables[table].by_name.get(column)
    # So that no load and no erasure comes between the rows and what is kept of the correction.
    with shop.warehouse.alone():
        found = _lines_meant(shop, table, column, customer, correction)
        if one_line and found > 1:
            raise OneLineOnly(
                f"this is about {found:,} lines; a key with the scope `correct` puts one right at a"
                " time (name its `order_id` and `product_id`), one with `correct-bulk` as well as"
                " many as there are",
                field="field",
            )
        is_moment = declared is not None and declared.kind is Kind.MOMENT
        if is_moment and clock.from_text(correction.value) > shop.clock():
            raise CorrectionRefused(f"{correction.value!r} lies in the future", field="value")
        shop.warehouse.rewrite(lambda name, rows: _put_right(name, rows, customer, correction))
        # After the rows: whoever began from the old ones finds that a correction came.
        with shop.database.write() as connection:
            _keep(connection, shop.vault, customer, correction, actor, clock.to_text(shop.clock()))
            connection.execute(
                delete(online_features).where(online_features.c.customer == customer)
            )
    return found


def _lines_meant(shop: Shop, table: str, column: str, customer: int, correction: Correction) -> int:
    """How many rows a correction is about, before anything is changed.

    Raises `CorrectionRefused` where there are none.
    """
    held = [shop.warehouse.rows_of(customer).get(table), _arrived(shop, customer).get(table)]
    found = sum(
        _applied(rows, column, customer, correction)[1]
        for rows in held
        if rows is not None and column in rows.column_names
    )
    if not found:
        raise CorrectionRefused(
            "there is nothing to correct: this customer has no such value or order line",
            field="field",
        )
    return found


def _arrived(shop: Shop, customer: int) -> Mapping[str, pa.Table]:
    """A customer's rows that came over HTTP since the warehouse was loaded."""
    with shop.database.read() as connection:
        found = read(connection, shop.vault, after=shop.warehouse.loaded[1], customer=customer)
    return arrived_of(found, customer, shop.workspace.tables).rows


def _put_right(name: str, rows: pa.Table, customer: int, correction: Correction) -> pa.Table:
    table, _, column = correction.field.partition(".")
    return (
        _applied(rows, column, customer, correction)[0]
        if name == table and column in rows.column_names
        else rows
    )


def corrected(
    tables: Mapping[str, pa.Table], database: Database, vault: Vault
) -> dict[str, pa.Table]:
    """Freshly loaded tables with all corrections applied, in the order in which they were made."""
    with database.read() as connection:
        kept = read_corrections(connection, vault)
    return put_right(tables, kept)


def put_right(
    tables: Mapping[str, pa.Table], kept: Iterable[tuple[int, Correction]]
) -> dict[str, pa.Table]:
    """Tables with corrections applied, each to the rows of whose data it puts right."""
    right = dict(tables)
    for customer, correction in kept:
        right = {name: _put_right(name, rows, customer, correction) for name, rows in right.items()}
    return right


def read_corrections(
    connection: Connection, vault: Vault, customer: int | None = None
) -> list[tuple[int, Correction]]:
    """All corrections, or those of one customer, with whose data they put right."""
    query = select(corrections).order_by(corrections.c.created_at, corrections.c.id)
    if customer is not None:
        query = query.where(corrections.c.customer.in_(numbers_of(connection, customer)))
    found, merged = [], merged_numbers(connection)
    for row in connection.execute(query).all():
        content = vault.opened(connection, row.customer, row.content, f"correction:{row.id}")
        whose = merged.get(row.customer, row.customer)
        found.append((whose, Correction(**json.loads(content))))
    return found


def _keep(
    connection: Connection,
    vault: Vault,
    customer: int,
    correction: Correction,
    actor: str | None,
    now: str,
) -> None:
    earlier = connection.execute(
        select(func.count()).where(corrections.c.customer == customer)
    ).scalar_one()
    id = (  # of two at the same moment the later one has the last word
        f"cor_{earlier:06}_{secrets.token_hex(12)}"
    )
    content = vault.key(connection, customer).seal(
        json.dumps(asdict(correction)).encode(), f"correction:{id}"
    )
    connection.execute(
        insert(corrections).values(
            id=id, customer=customer, created_at=now, content=content, actor=actor
        )
    )


def _applied(
    rows: pa.Table, column: str, customer: int, correction: Correction
) -> tuple[pa.Table, int]:
    meant = _meant(rows, customer, correction)
    field = rows.schema.field(column)
    right = pc.if_else(pa.array(meant), _typed(correction, field.type), rows[column])
    return rows.set_column(rows.column_names.index(column), field, right), int(meant.sum())


def _meant(rows: pa.Table, customer: int, correction: Correction) -> NDArray[np.bool_]:
    meant = rows[CUSTOMER].to_numpy() == customer
    for column, wanted in (
        (ORDER_ID, correction.order_id),
        (PRODUCT_ID, correction.product_id),
    ):
        if wanted is not None:
            if column not in rows.column_names:
                raise CorrectionRefused(
                    f"`{correction.field}` does not belong to an order", field=column
                )
            meant &= (
                pc.equal(rows[column], pa.scalar(wanted)).fill_null(fill_value=False).to_numpy()
            )
    return np.asarray(meant, dtype=np.bool_)


def _typed(correction: Correction, kind: pa.DataType) -> Any:
    try:
        value = pa.scalar(correction.value).cast(kind)
    except pa.ArrowInvalid:
        raise CorrectionRefused(
            f"{correction.value!r} cannot be a `{correction.field}`, which is of type {kind}",
            field="value",
        ) from None
    if isinstance(value.as_py(), int | float) and not 0 <= value.as_py() <= LARGEST:
        raise CorrectionRefused(
            f"{correction.value!r} is no number from 0 to {LARGEST:,.0f}", field="value"
        )
    return value
