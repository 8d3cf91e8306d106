"""From the shop's files to the warehouse, all or nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa

from features.catalog import Catalog
from features.clock import Clock, utc_now
from features.config.schema import Source
from features.customers.pseudonyms import Customers
from features.customers.vault import Vault
from features.database.engine import Database
from features.errors import SourceError
from features.intake.cleaning import RULES, clean
from features.intake.overlaps import in_an_earlier_file
from features.intake.reading.rejected import rejections, with_raw, without_erased, write_rejected
from features.intake.reading.sources import PRODUCTS, read_source
from features.intake.warehouse_tables import customers_table, products_table, transactions_table
from features.progress import Progress, silent
from features.shop.corrections import corrected
from features.shop.workspace import Workspace
from features.warehouse.retention import without_expired
from features.warehouse.store import Warehouse


@dataclass(frozen=True)
class IngestReport:
    """What a run of ingest found.

    Rows of all sources were `read`; each of them was `kept`, `set_aside` (by rule) or `rejected`.
    `first` and `last` are the moments (naive UTC) of the first and the last order. `copies` are
    files left out as they repeat another, `not_read` says which sources may not be read, and why.
    """

    read: int
    kept: int
    set_aside: dict[str, int]
    rejected: int
    rejected_files: tuple[Path, ...]
    copies: tuple[str, ...]
    not_read: dict[str, str]
    customers: int
    products: int
    orders: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class _Sorted:
    """The rows of one source by what becomes of them."""

    source: Source
    kept: pd.DataFrame
    set_aside: dict[str, int]
    rejected: pd.DataFrame
    copies: tuple[str, ...]


def ingest(
    workspace: Workspace, database: Database, progress: Progress = silent, clock: Clock = utc_now
) -> IngestReport:
    """Rebuild the warehouse from all sources of `sayso.toml`, and `rejected/` with it.

    Raises `SourceError` where a source cannot be read or no purchase is left; then nothing has
    changed.
    """
    now, config = clock(), workspace.config
    faults = {
        name: fault
        for name, source in config.catalog.sources.items()
        if (fault := source.fault(now.date()))
    }
    parts = []
    for position, source in enumerate(config.sources):
        progress(f"reading {source.name}", 0.6 * position / len(config.sources))
        if source.name not in faults:
            parts.append(_sort(source, workspace.root, now))
    rejected = {part.source.name: with_raw(part.rejected, workspace.root) for part in parts}
    progress("naming customers", 0.6)
    vault, warehouse = Vault(database, workspace.master_keys), Warehouse(workspace.warehouse)
    customers = Customers(database, vault)
    with warehouse.alone():  # whoever is erased, or put right, from here on finds the new tables
        rejected = {name: without_erased(rows, customers.erased) for name, rows in rejected.items()}
        lines, left_out = _admitted(_rows_of(parts, "transactions"), customers, config.catalog, now)
        set_aside = {**_set_aside(parts), **left_out}
        if lines.empty:
            raise _nothing_left(parts, set_aside, faults)
        progress("writing the warehouse", 0.8)
        tables = _tables(lines, _rows_of(parts, "products"), parts)
        tables = {
            name: without_expired(name, table, config.catalog, now)[0]
            for name, table in tables.items()
        }
        warehouse.replace(corrected(tables, database, vault))
        files = write_rejected(workspace.rejected, rejected)
    progress("done", 1.0)
    return _report(parts, tables, set_aside, faults, tuple(files.values()))


def _admitted(
    lines: pd.DataFrame, customers: Customers, catalog: Catalog, now: datetime
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Lines with their customers' pseudonyms, but for those that an earlier file has too, of erased
    customers, and past retention.

    And how many those are.
    """
    if lines.empty:
        return lines.assign(customer=pd.Series(dtype="int64")), {}
    again = in_an_earlier_file(lines)
    lines = lines[~again]
    days = max(
        field.retention_days for field in catalog.fields.values() if field.table == "transactions"
    )
    old = lines["recorded_at"] < pd.Timestamp((now - timedelta(days=days)).replace(tzinfo=None))
    young = lines[~old]
    named = young.assign(customer=customers.assign(young["customer_id"]))
    erased = named["customer"].isna()
    left_out = {"in_an_earlier_file": again, "past_retention": old, "erased_customers": erased}
    return named[~erased].astype({"customer": "int64"}), {
        why: int(lines_out.sum()) for why, lines_out in left_out.items()
    }


def _sort(source: Source, root: Path, now: datetime) -> _Sorted:
    found = read_source(source, root, now)
    if source.table == "products":
        kept, repeated = _each_once(found.rows)
        return _Sorted(source, kept, {}, pd.concat([found.rejected, repeated]), found.copies)
    cleaned = clean(found.rows, source.cleaning, source.columns)
    return _Sorted(
        source,
        cleaned.kept,
        cleaned.counts,
        pd.concat([found.rejected, cleaned.rejected]),
        found.copies,
    )


def _each_once(products: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first row of each product, and the others as rejected."""
    again = products["product_id"].duplicated()
    first = products[~again].set_index("product_id")
    rows = [
        (
            row.file,
            row.line,
            (
                f"the product {row.product_id!r} stands already in line"
                f" {first.loc[row.product_id, 'line']}"
            ),
        )
        for row in products[again].itertuples()
    ]
    return products[~again], rejections(rows)


def _rows_of(parts: Sequence[_Sorted], table: str) -> pd.DataFrame:
    frames = [
        part.kept.assign(source=part.source.name) for part in parts if part.source.table == table
    ]
    nothing = pd.DataFrame({column: pd.Series(dtype="str") for column in (*PRODUCTS, "source")})
    return pd.concat(frames, ignore_index=True) if frames else nothing


def _tables(
    lines: pd.DataFrame, stated: pd.DataFrame, parts: Sequence[_Sorted]
) -> dict[str, pa.Table]:
    tables = {"transactions": transactions_table(lines), "products": products_table(lines, stated)}
    if any("country" in part.source.columns for part in parts):
        tables["customers"] = customers_table(lines)
    return tables


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
    set_aside: dict[str, int],
    faults: dict[str, str],
    files: tuple[Path, ...],
) -> IngestReport:
    read = sum(len(part.kept) + len(part.rejected) + sum(part.set_aside.values()) for part in parts)
    rejected = sum(len(part.rejected) for part in parts)
    orders = tables["transactions"].to_pandas()
    return IngestReport(
        read=read,
        kept=read - rejected - sum(set_aside.values()),
        set_aside=set_aside,
        rejected=rejected,
        rejected_files=files,
        copies=tuple(name for part in parts for name in part.copies),
        not_read=faults,
        customers=orders["customer"].nunique(),
        products=tables["products"].num_rows,
        orders=orders["order_id"].nunique(),
        first=orders["ordered_at"].min().to_pydatetime(),
        last=orders["ordered_at"].max().to_pydatetime(),
    )
