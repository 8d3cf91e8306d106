"""Rows that are sent over HTTP, read and judged as those of a file are: by the same declarations of
tables and cells, and the same rules of what a purchase is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd

from features.config.schema import Shop as ShopSection
from features.config.sources import Source
from features.errors import SourceError
from features.intake.cleaning import BACK, Cleaned, clean, of_customers
from features.intake.reading.raw_table import as_text, text_table
from features.intake.reading.rejected import rejections
from features.intake.reading.sources import read_rows
from features.intake.warehouse_tables import events_table
from features.tables.declared import transactions
from features.tables.table import (
    CUSTOMER,
    CUSTOMER_ID,
    RECORDED_AT,
    SOURCE,
    Column,
    Events,
    Facts,
    States,
    Table,
)
from features.tables.tables import Tables
from features.warehouse.arrow import arrow_table
from features.warehouse.own_rows import OVER_HTTP

FILE = "the request"
AT = "statement"
"""The column with the place of the statement that a row belongs to."""
Cells = Mapping[str, Any]
Values = dict[str, Any]
Typed = Iterator[tuple[int, str, Values]]
"""Rows as the warehouse keeps them: the place of their statement, their table, their values."""


@dataclass(frozen=True)
class Statement:
    """One thing that is sent: the shop's `id` of it, and its rows by column.

    Where it states an order as a whole, `whole` is the order's number and `version` tells the newer
    from the older.
    """

    id: str
    rows: Sequence[Cells]
    whole: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class ReadStatements:
    """The rows of statements: those `kept`, and those that take `back` what was bought before; by
    the place of their statement, whose it is, and why one is refused.
    """

    kept: pd.DataFrame
    back: pd.DataFrame
    whose: Mapping[int, str]
    reasons: dict[int, str]


def read_statements(
    table: Table, tables: Tables, shop: ShopSection, statements: Sequence[Statement], now: datetime
) -> ReadStatements:
    """Read the rows of `statements`, which are of `table`; a moment after `now` is a fault."""
    declared = tables.stated_in(table.name)
    reasons, lines = dict[int, str](), list[tuple[int, dict[str, str | None]]]()
    for at, statement in enumerate(statements):
        cells = [_texts(row, declared) for row in statement.rows]
        if faults := [said for said in cells if isinstance(said, str)]:
            reasons[at] = faults[0]
        lines += [(at, said) for said in cells if not isinstance(said, str)]
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for line, (_, said) in enumerate(lines):
        alike[tuple(sorted(said))].append(line)
    parts = []
    for columns, places in alike.items():
        if fault := _unmapped(table, declared, columns):
            reasons |= {lines[line][0]: fault for line in places}
        else:
            chosen = {line: lines[line][1] for line in places}
            parts.append(_read_alike(table, tables, shop, chosen, now))
    kept, aside, refused = (_joined([part[n] for part in parts]) for n in range(3))
    for line, reason in zip(refused.get("line", ()), refused.get("reason", ()), strict=True):
        reasons.setdefault(lines[int(line)][0], str(reason))
    whose = {at: (said.get(CUSTOMER_ID) or "").strip() for at, said in reversed(lines)}
    frames = []
    for rows in (kept, aside):
        placed = rows.assign(**{AT: [lines[line][0] for line in rows.get("line", ())]})
        if CUSTOMER_ID in placed:
            whose |= dict(zip(placed[AT], placed[CUSTOMER_ID].astype("str"), strict=True))
        frames.append(placed)
    kept, aside = frames
    back = aside[aside["rule"].isin(BACK)] if len(aside) else aside
    return ReadStatements(kept, back, whose, reasons)


def typed(
    rows: pd.DataFrame, table: Table, tables: Tables, numbers: Mapping[int, int | None]
) -> Typed:
    """Rows as the warehouse keeps them, those of other tables that they tell of too; `numbers` are
    the customers' by the place of the statement, and rows of others are left out.
    """
    if isinstance(table, Facts):
        for thing in rows.to_dict("records"):
            yield int(thing[AT]), table.name, _stated({str(name): v for name, v in thing.items()})
        return
    known = rows[[numbers.get(at) is not None for at in rows[AT]]] if len(rows) else rows
    if not len(known):
        return
    whose = pd.Series([numbers[at] for at in known[AT]], index=known.index)
    named = known.assign(customer=whose, source=OVER_HTTP)
    named = named.astype({CUSTOMER: "int64"}).sort_values(RECORDED_AT, kind="stable")
    own = events_table(named, table) if isinstance(table, Events) else arrow_table(named, table)
    for at, row in zip(named[AT].tolist(), own.to_pylist(), strict=True):
        yield at, table.name, _plain(row)
    for told in tables.values():
        if isinstance(told, States) and table.name in told.stated_in:
            columns = [name for name in told.by_name if name in named]
            says = named[named[columns].notna().any(axis=1)]
            made = arrow_table(says, told).to_pylist()
            for at, row in zip(says[AT].tolist(), made, strict=True):
                yield at, told.name, _plain(row)


def _read_alike(
    table: Table,
    tables: Tables,
    shop: ShopSection,
    lines: Mapping[int, Mapping[str, str | None]],
    now: datetime,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Rows that have the same columns, by their line: those kept, those set aside, and those
    refused (line, reason).
    """
    columns = list(next(iter(lines.values())))
    source = Source(
        name=OVER_HTTP,
        file=FILE,
        table=table.name,
        columns={name: name for name in columns},
        time_zone=shop.time_zone,
    )
    cells = [[said[name] for name in columns] for said in lines.values()]
    raw = text_table(columns, cells, list(lines))
    found = read_rows(source, tables, raw, FILE, now)
    cleaned = _cleaned(table, found.rows, source, shop)
    aside = cleaned.set_aside
    nobody = aside[aside["rule"] == "no_customer"]
    refused = rejections((FILE, int(line), "`customer_id` names nobody") for line in nobody["line"])
    rejected = _joined([found.rejected, cleaned.rejected, refused])
    return cleaned.kept, aside[aside["rule"] != "no_customer"], rejected


def _cleaned(table: Table, rows: pd.DataFrame, source: Source, shop: ShopSection) -> Cleaned:
    """The rows by what becomes of them; where all cannot be judged together, each is alone."""
    none = rows[:0].assign(rule=pd.Series(dtype="str"))
    if isinstance(table, Facts) or not len(rows):
        return Cleaned(rows, none, rejections())
    if table.name != transactions.NAME:
        return of_customers(rows, table)
    try:
        return clean(rows, source, shop.currency, shop.rates)
    except SourceError as error:
        if len(rows) == 1:
            refused = rejections([(FILE, int(rows["line"].iloc[0]), str(error).partition(": ")[2])])
            return Cleaned(rows[:0], none, refused)
    each = [_cleaned(table, rows.iloc[[at]], source, shop) for at in range(len(rows))]
    aside = _joined([none, *(one.set_aside for one in each)])
    return Cleaned(
        _joined([one.kept for one in each]),
        aside if len(aside) else none,
        _joined([one.rejected for one in each]),
    )


def _texts(row: Cells, declared: Mapping[str, Column]) -> dict[str, str | None] | str:
    """The cells of a row as a file would hold them, or what is wrong with it."""
    if unknown := [name for name in row if name not in declared]:
        known = ", ".join(f"`{name}`" for name in declared)
        return f"`{unknown[0]}` is no column of it; there are {known}"
    for name, value in row.items():
        if isinstance(value, Mapping | list | tuple):
            return f"`{name}` is neither a text nor a number"
    return {name: as_text(value) for name, value in row.items() if value is not None}


def _unmapped(table: Table, declared: Mapping[str, Column], columns: Sequence[str]) -> str | None:
    """What rows with these columns lack; None where they have all that they need."""
    for name, column in declared.items():
        if column.required and name not in columns:
            return f"`{name}` is missing"
    for group in table.one_of:
        if not {*group} & {*columns}:
            return f"one of {', '.join(f'`{name}`' for name in group)} is needed"
    return None


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _stated(row: Mapping[str, Any]) -> Values:
    """What a row says of a thing, and nothing that it leaves open."""
    own = {name: value for name, value in row.items() if name not in ("file", "line", AT)}
    return {name: value for name, value in own.items() if not pd.isna(value)}


def _plain(row: Mapping[str, Any]) -> Values:
    """A row as JSON holds it."""
    own = {name: value for name, value in row.items() if name not in (CUSTOMER, SOURCE)}
    return {
        name: value.isoformat() if isinstance(value, date) else value
        for name, value in own.items()
        if value is not None
    }
