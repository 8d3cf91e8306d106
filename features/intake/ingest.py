"""From the shop's files to the warehouse, all or nothing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from features.catalog import Catalog
from features.clock import Clock, utc_now
from features.config.schema import Shop as ShopSection
from features.config.sources import Source
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.errors import SourceError
from features.intake.cleaning import RULES, clean, of_customers
from features.intake.ingest_report import (
    Counted,
    IngestReport,
    Purchases,
    counted,
    purchases_of,
)
from features.intake.over_http.folding import arrived_since, folded, newest_files
from features.intake.overlaps import in_a_later_export, in_an_earlier_file
from features.intake.reading.rejected import rejections, with_raw, without_erased, write_rejected
from features.intake.reading.sources import read_source
from features.intake.warehouse_tables import events_table, facts_table, states_table
from features.progress import Progress, silent
from features.shop.corrections import corrected
from features.shop.workspace import Workspace
from features.tables.declared import products, transactions
from features.tables.table import (
    CUSTOMER,
    CUSTOMER_ID,
    RECORDED_AT,
    SOURCE,
    Facts,
    States,
    Table,
)
from features.tables.tables import Tables
from features.warehouse.retention import without_expired
from features.warehouse.store import Warehouse

NOTHING = pd.Series(dtype=bool)
QUOTED = r"""(?<= is )('[^']*'|"[^"]*"|[-0-9.e+]+)"""
KINDS = 5


@dataclass(frozen=True)
class _Sorted:
    """The rows of one source by what becomes of them."""

    source: Source
    table: Table
    kept: pd.DataFrame
    set_aside: dict[str, int]
    by_status: dict[str, Counted]
    rejected: pd.DataFrame
    copies: tuple[str, ...]


def ingest(
    workspace: Workspace,
    database: Database,
    progress: Progress = silent,
    clock: Clock = utc_now,
    accept: float = 1.0,
) -> IngestReport:
    """Rebuild the warehouse from all sources of `sayso.toml`, and `rejected/` with it.

    Raises `SourceError` where a source cannot be read, no purchase is left, or a larger share of
    a source's lines than `accept` would be rejected; then nothing has changed.
    """
    now, config = clock(), workspace.config
    faults = {
        name: fault
        for name, source in config.catalog.sources.items()
        if (fault := source.fault(now.date()))
    }
    parts = _read(workspace, faults, progress, now)
    for part in parts:
        _refuse_many(part, accept)
    rejected = {part.source.name: with_raw(part.rejected, workspace.root) for part in parts}
    progress("naming customers", 0.6)
    vault, warehouse = Vault(database, workspace.master_keys), Warehouse(workspace.warehouse)
    customers = Customers(database, vault, config.catalog.ids)
    with warehouse.alone():  # whoever is erased, or put right, from here on finds the new tables
        rejected = {name: without_erased(rows, customers.erased) for name, rows in rejected.items()}
        rows, left_out = _admitted(parts, workspace.tables, customers, config.catalog, now)
        set_aside = {**_set_aside(parts), **left_out}
        if rows[transactions.NAME].empty:
            raise _nothing_left(parts, set_aside, faults)
        progress("writing the warehouse", 0.8)
        came = arrived_since(database, vault)
        newest = newest_files(config.sources, faults, workspace.root)
        whole = folded(_tables(rows, parts, workspace.tables), came, workspace.tables, newest)
        tables = {
            name: without_expired(name, table, config.catalog, now)[0]
            for name, table in whole.items()
        }
        until = max((one.seq for one in came), default=0)
        warehouse.replace(corrected(tables, database, vault), until)
        files = write_rejected(workspace.rejected, rejected)
    progress("done", 1.0)
    orders = len(tables[transactions.NAME][transactions.ORDER_ID].unique())
    held = purchases_of(rows[transactions.NAME], orders, config.shop.currency)
    report = _report(parts, tables, held, set_aside, faults, tuple(files.values()))
    return replace(report, over_http=len(came))


def _read(
    workspace: Workspace, faults: Mapping[str, str], progress: Progress, now: datetime
) -> list[_Sorted]:
    """The rows of all sources but those that may not be read."""
    config, parts = workspace.config, list[_Sorted]()
    for position, source in enumerate(config.sources):
        progress(f"reading {source.name}", 0.6 * position / len(config.sources))
        if source.name not in faults:
            zoned = _in_a_zone(source, config.shop.time_zone)
            parts.append(_sort(zoned, workspace.root, now, workspace.tables, config.shop))
    return parts


def _admitted(
    parts: Sequence[_Sorted], tables: Tables, customers: Customers, catalog: Catalog, now: datetime
) -> tuple[dict[str, pd.DataFrame], dict[str, int]]:
    """Rows by table, a customer's with their pseudonym, but for those that an earlier file has too,
    of erased customers, and past retention.

    And how many those are.
    """
    rows = {name: _rows_of(parts, name, tables) for name in tables}
    left_out: Counter[str] = Counter()
    for name in tables.personal:
        rows[name], out = _named(rows[name], tables[name], customers, catalog, now)
        left_out.update(out)
    return rows, dict(left_out)


def _named(
    rows: pd.DataFrame, table: Table, customers: Customers, catalog: Catalog, now: datetime
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows of a customers' table with the pseudonyms, and how many were left out, by reason."""
    if rows.empty:
        return rows.assign(customer=pd.Series(dtype="int64")), {}
    replaced = in_a_later_export(rows) if table.name == transactions.NAME else NOTHING
    rows = rows[~replaced] if replaced.any() else rows
    again = in_an_earlier_file(rows, table.content)
    rows = rows[~again]
    days = max(
        (field.retention_days for field in catalog.fields.values() if field.table == table.name),
        default=0,
    )
    old = rows[RECORDED_AT] < pd.Timestamp((now - timedelta(days=days)).replace(tzinfo=None))
    young = rows[~old]
    named = young.assign(customer=customers.assign(young[CUSTOMER_ID]))
    erased = named[CUSTOMER].isna()
    left_out = {
        "in_a_later_export": replaced,
        "in_an_earlier_file": again,
        "past_retention": old,
        "erased_customers": erased,
    }
    return named[~erased].astype({CUSTOMER: "int64"}), {
        why: int(rows_out.sum()) for why, rows_out in left_out.items()
    }


def _in_a_zone(source: Source, of_shop: str) -> Source:
    """The source with the zone of its times without an offset: its own, else the shop's."""
    return source.model_copy(update={"time_zone": source.time_zone or of_shop})


def _sort(source: Source, root: Path, now: datetime, tables: Tables, shop: ShopSection) -> _Sorted:
    found, table = read_source(source, root, now, tables), tables[source.table]
    if isinstance(table, Facts):
        kept, repeated = _each_once(found.rows, table)
        return _Sorted(
            source, table, kept, {}, {}, pd.concat([found.rejected, repeated]), found.copies
        )
    cleaned = (
        clean(found.rows, source, shop.currency, shop.rates)
        if table.name == transactions.NAME
        else of_customers(found.rows)
    )
    return _Sorted(
        source,
        table,
        cleaned.kept,
        cleaned.counts,
        counted(cleaned.set_aside) if table.name == transactions.NAME else {},
        pd.concat([found.rejected, cleaned.rejected]),
        found.copies,
    )


def _each_once(rows: pd.DataFrame, table: Facts) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first row of each thing, and the others as rejected."""
    again = rows[table.key].duplicated()
    first = rows[~again].set_index(table.key)["line"]
    repeated = rows.loc[again, ["file", "line", table.key]].itertuples(index=False, name=None)
    return rows[~again], rejections(
        (file, line, f"the {table.noun} {key!r} stands already in line {first[key]}")
        for file, line, key in repeated
    )


def _rows_of(parts: Sequence[_Sorted], name: str, tables: Tables) -> pd.DataFrame:
    frames = [
        part.kept.assign(source=part.source.name) for part in parts if part.table.name == name
    ]
    columns = ("file", "line", *tables.stated_in(name), SOURCE)
    nothing = pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
    return pd.concat(frames, ignore_index=True) if frames else nothing


def _tables(
    rows: Mapping[str, pd.DataFrame], parts: Sequence[_Sorted], tables: Tables
) -> dict[str, pa.Table]:
    """The tables of which a source states a column."""
    return {
        name: _table(rows, table)
        for name, table in tables.items()
        if any(
            part.table.name in (name, *table.stated_in)
            and not table.by_name.keys().isdisjoint(part.source.columns)
            for part in parts
        )
    }


def _table(rows: Mapping[str, pd.DataFrame], table: Table) -> pa.Table:
    own = rows[table.name]
    told = [rows[name] for name in table.stated_in]
    if isinstance(table, Facts):
        return facts_table(_together(told, own), own, table)
    if isinstance(table, States):
        return states_table(_together([*told, own], own), table)
    return events_table(own, table)


def _together(frames: Sequence[pd.DataFrame], none: pd.DataFrame) -> pd.DataFrame:
    """All rows of `frames`; of `none` only the columns, where there are no rows.

    A frame without rows has no types that would count.
    """
    filled = [frame for frame in frames if len(frame)]
    if len(filled) == 1:
        return filled[0]
    return pd.concat(filled, ignore_index=True) if filled else none[:0]


def _by_status(parts: Sequence[_Sorted]) -> dict[str, Counted]:
    """What was set aside from the order lines of all sources, by rule."""
    found: dict[str, Counted] = {}
    for rule, more in (item for part in parts for item in part.by_status.items()):
        before = found.get(rule, Counted(0, 0))
        found[rule] = Counted(before.lines + more.lines, before.orders + more.orders)
    return found


def _refuse_many(part: _Sorted, accept: float) -> None:
    """Raise `SourceError` where more than the share `accept` of a source's lines is rejected."""
    rejected = part.rejected
    read = len(part.kept) + len(rejected) + sum(part.set_aside.values())
    if len(rejected) <= accept * read:
        return
    kinds = rejected["reason"].str.replace(QUOTED, "...", regex=True).value_counts()
    told = "; ".join(f"{count:,} because {kind}" for kind, count in kinds.head(KINDS).items())
    first = rejected.iloc[0]
    share = len(rejected) / read
    raise SourceError(
        f"{len(rejected):,} of {read:,} lines ({share:.1%}) of the source `{part.source.name}`"
        f" would be rejected: {told}. The first is line {first['line']}, since {first['reason']}."
        f" Correct the file or the source in sayso.toml, or load the rest with"
        f" `sayso ingest --accept {math.ceil(share * 100) / 100:g}`",
        file=Path(str(first["file"])),
    )


def _set_aside(parts: Sequence[_Sorted]) -> dict[str, int]:
    total = Counter(dict.fromkeys(RULES, 0))
    for part in parts:
        total.update(part.set_aside)
    return dict(total)


def _nothing_left(
    parts: Sequence[_Sorted], set_aside: Mapping[str, int], faults: Mapping[str, str]
) -> SourceError:
    """The error that says what became of every line, and shows one rejected row."""
    counts = [f"{count:,} {rule.replace('_', ' ')}" for rule, count in set_aside.items() if count]
    counts += faults.values()
    rejected = pd.concat([part.rejected for part in parts]) if parts else rejections()
    if len(rejected):
        first = rejected.iloc[0]
        counts.append(
            f"{len(rejected):,} rejected, the first in {first['file']}, line {first['line']},"
            f" because {first['reason']}"
        )
    told = "; ".join(counts) or "the sources hold none"
    return SourceError(
        f"no purchase is left to load: {told}. Correct the file, or `columns` and `cleaning` of the"
        " source",
        file=Path("sayso.toml"),
    )


def _report(
    parts: Sequence[_Sorted],
    tables: dict[str, pa.Table],
    held: Purchases,
    set_aside: dict[str, int],
    faults: dict[str, str],
    files: tuple[Path, ...],
) -> IngestReport:
    read = sum(len(part.kept) + len(part.rejected) + sum(part.set_aside.values()) for part in parts)
    rejected = sum(len(part.rejected) for part in parts)
    orders = tables[transactions.NAME].to_pandas()
    return IngestReport(
        read=read,
        kept=read - rejected - sum(set_aside.values()),
        set_aside=set_aside,
        rejected=rejected,
        rejected_files=files,
        copies=tuple(name for part in parts for name in part.copies),
        not_read=faults,
        purchases=held,
        by_status=_by_status(parts),
        customers=orders[CUSTOMER].nunique(),
        products=tables[products.NAME].num_rows,
        orders=orders[transactions.ORDER_ID].nunique(),
        first=orders[transactions.ORDERED_AT].min().to_pydatetime(),
        last=orders[transactions.ORDERED_AT].max().to_pydatetime(),
    )
