"""One person is one person: ids that the shop wrote in several ways are brought together, once,
when a shop is opened whose database was filled under another rule.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sqlalchemy import Connection, Table, bindparam, delete, select, update

from features import clock
from features.clock import Clock
from features.config.schema import Config
from features.consent.merging import merge_consents
from features.consent.training_sets import renumber
from features.customers.merged_ids import note_rule, regroup, rule_in_force
from features.customers.pseudonyms import erased_among, merged_numbers
from features.customers.vault import Vault
from features.database.engine import Database, upsert
from features.database.tables import (
    audit_log,
    contact_permissions,
    exposures,
    one_time_codes,
    online_features,
    opt_outs,
    preferred_channels,
    set_bands,
    wanted_codes,
)
from features.tables.table import CUSTOMER, RECORDED_AT, States
from features.tables.tables import Tables
from features.warehouse.store import Warehouse

RENUMBERED = (opt_outs, exposures, audit_log)
"""Tables whose rows simply go to the number that is kept."""
MADE_ANEW = (online_features, one_time_codes, wanted_codes)
"""Tables whose rows are deleted: a code is bound to the number and to the links of before."""
BATCH = 1_000

log = logging.getLogger("sayso.customers")


@dataclass(frozen=True)
class Merge:
    """What was brought together: `merged` numbers into the customers that are kept, `nobody` ids
    that name nobody, and the consent events that say so.
    """

    merged: int
    nobody: int
    events: int


def bring_together(
    database: Database,
    vault: Vault,
    config: Config,
    tables: Tables,
    warehouse: Warehouse,
    now: Clock,
) -> Merge | None:
    """Bring all that the shop holds to the rule of its ids, where it is under another one; what was
    brought together, None for nothing. Of who was erased under another form of their id nothing is
    used any more; upkeep finishes that erasure.

    The database comes first, in one transaction, then the warehouse, whose rows of numbers of
    before are withheld meanwhile; cut off, it goes on where it was when it is called again.
    """
    with database.read() as connection:
        if rule_in_force(connection) == config.catalog.ids.name:
            return None
    with warehouse.alone():
        moment = clock.to_text(now())
        with database.write() as connection:
            found = regroup(connection, config.catalog.ids, moment)
            closed = found.nobody | erased_among(connection, vault, config.catalog.ids)
            events = merge_consents(connection, config.catalog, found.into, closed, moment)
            renumber_rows(connection, found.into, found.nobody)
            merged = merged_numbers(connection)
        _rewrite(warehouse, tables, merged, found.nobody)
        with database.write() as connection:
            note_rule(connection, config.catalog.ids)
    report = Merge(len(found.into), len(found.nobody), events)
    if report.merged or report.nobody:
        log.warning(
            "customer ids were brought to one form: %d that were apart were merged into the"
            " customers they are of, %d that name nobody were closed; %d consent events say so",
            report.merged,
            report.nobody,
            report.events,
        )
    return report


def renumber_rows(
    connection: Connection, into: Mapping[int, int], nobody: Collection[int] = ()
) -> None:
    """Give what lies in the database under numbers that go to the customers who are kept (`into`),
    within a transaction that writes; of them and of `nobody` no stored features and no codes
    are left.
    """
    gone = [*into, *nobody, *into.values()]
    for start in range(0, len(gone), BATCH):
        part = gone[start : start + BATCH]
        for table in MADE_ANEW:
            connection.execute(delete(table).where(table.c.customer.in_(part)))
    if not into:
        return
    pairs = [{"gone": number, "stays": kept} for number, kept in into.items()]
    for table in RENUMBERED:
        connection.execute(
            update(table)
            .where(table.c.customer == bindparam("gone"))
            .values(customer=bindparam("stays")),
            pairs,
        )
    _merge_permissions(connection, into)
    _keep_newest(connection, set_bands, "set_at", into)
    _keep_newest(connection, preferred_channels, "recorded_at", into)
    renumber(connection, into)


def _merge_permissions(connection: Connection, into: Mapping[int, int]) -> None:
    """Who may not be written to under one id may not be under the others."""
    rows = _rows_of(connection, contact_permissions, into)
    stands: dict[tuple[int, str], dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["allowed"], row["recorded_at"])):
        number = into.get(row["customer"], row["customer"])
        stands.setdefault((number, row["channel"]), {**row, "customer": number})
    _replace(connection, contact_permissions, into, ("customer", "channel"), list(stands.values()))


def _keep_newest(connection: Connection, table: Table, when: str, into: Mapping[int, int]) -> None:
    """Of what was set for several of their ids, such as a band, what was set last holds."""
    stands: dict[int, dict[str, Any]] = {}
    for row in sorted(_rows_of(connection, table, into), key=lambda row: row[when]):
        number = into.get(row["customer"], row["customer"])
        stands[number] = {**row, "customer": number}
    _replace(connection, table, into, ("customer",), list(stands.values()))


def _rows_of(connection: Connection, table: Table, into: Mapping[int, int]) -> list[dict[str, Any]]:
    whose = sorted({*into, *into.values()})
    found = []
    for start in range(0, len(whose), BATCH):
        query = select(table).where(table.c.customer.in_(whose[start : start + BATCH]))
        found += [dict(row) for row in connection.execute(query).mappings()]
    return found


def _replace(
    connection: Connection,
    table: Table,
    into: Mapping[int, int],
    keys: tuple[str, ...],
    rows: list[dict[str, Any]],
) -> None:
    statement = delete(table).where(table.c.customer == bindparam("gone"))
    connection.execute(statement, [{"gone": number} for number in into])
    if rows:
        upsert(connection, table, keys, rows)


def _rewrite(
    warehouse: Warehouse, tables: Tables, merged: Mapping[int, int], nobody: frozenset[int]
) -> None:
    gone = np.array(sorted(nobody), dtype="int64")

    def renumbered(name: str, rows: pa.Table) -> pa.Table:
        if CUSTOMER not in rows.column_names:
            return rows
        whose = rows[CUSTOMER].to_pandas()
        if not (whose.isin(list(merged)) | whose.isin(gone)).any():
            return rows
        kept = pd.Series([merged.get(one, one) for one in whose.tolist()], dtype="int64")
        at, field = rows.column_names.index(CUSTOMER), rows.schema.field(CUSTOMER)
        changed = rows.set_column(at, field, pa.array(kept, field.type))
        stays = ~whose.isin(gone)
        if isinstance(tables[name], States):  # of two at one moment one counts, as after a load
            when = rows[RECORDED_AT].to_pandas()
            again = pd.DataFrame({"whose": kept, "when": when}).duplicated(keep="last")
            stays &= ~again
        return changed.filter(pa.array(stays))

    if warehouse.filled and (merged or nobody):
        warehouse.rewrite(renumbered)
