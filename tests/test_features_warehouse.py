"""The warehouse: replaced as a whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from features.errors import WorkspaceError
from features.tables.declared import products, transactions
from features.warehouse.arrow import arrow_table, schema_of
from features.warehouse.store import Warehouse

PRODUCTS = schema_of(products.TABLE)
PRODUCT_COLUMNS = tuple(products.TABLE.by_name)


def lines(*recorded: str) -> pa.Table:
    """One order line for each moment of recording."""
    moments = pd.DatetimeIndex([pd.Timestamp(moment) for moment in recorded]).as_unit("us")
    frame = pd.DataFrame({"recorded_at": moments, "ordered_at": moments})
    frame = frame.assign(
        customer=range(1, len(recorded) + 1),
        order_id="o",
        product_id="p",
        quantity=1,
        unit_price=2.0,
    )
    frame = frame.assign(amount=2.0, source="orders")
    return arrow_table(frame, transactions.TABLE)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse in which nothing was loaded yet."""
    return Warehouse(tmp_path / "warehouse")


def test_an_empty_warehouse_says_what_to_do(warehouse: Warehouse) -> None:
    """Whatever is read before the first load names the command that loads."""
    for ask in (
        lambda: warehouse.generation,
        lambda: warehouse.table("transactions"),
        warehouse.products,
        warehouse.loaded_until,
    ):
        with pytest.raises(WorkspaceError, match="sayso ingest"):
            ask()


def test_a_replacement_is_the_whole_content(warehouse: Warehouse) -> None:
    """After a replacement only its tables are there; the generation before is kept for who is
    reading it, and no older one.
    """
    products = pa.table(
        {name: [{"product_id": "p", "title": "P"}.get(name)] for name in PRODUCT_COLUMNS},
        schema=PRODUCTS,
    )
    warehouse.replace({"transactions": lines("2024-01-01"), "products": products})
    first = warehouse.generation
    assert (warehouse.folder / first / "products.parquet").exists()
    assert warehouse.products()["title"].tolist() == ["P"]
    warehouse.replace({"transactions": lines("2024-02-01", "2024-02-02")})
    assert warehouse.generation != first
    assert not (warehouse.folder / warehouse.generation / "products.parquet").exists()
    assert warehouse.table("transactions").count().to_pandas() == 2
    warehouse.replace({"transactions": lines("2024-03-01")})
    assert len([path for path in warehouse.folder.iterdir() if path.is_dir()]) == 2
    assert not (warehouse.folder / first).exists()


class Torn(dict[str, pa.Table]):
    """Tables of which the second cannot be read, as when a disk fails half way."""

    def items(self) -> object:  # type: ignore[override]
        """The first table, then the fault."""
        yield "transactions", lines("2024-05-01")
        raise OSError("no space left on device")


@pytest.mark.parametrize("before", [True, False], ids=["after a load", "in an empty warehouse"])
def test_a_failing_replacement_changes_nothing(warehouse: Warehouse, before: bool) -> None:
    """A fault while writing leaves the old generation in use and nothing of the new one."""
    if before:
        warehouse.replace({"transactions": lines("2024-01-01")})
    held = sorted(path for path in warehouse.folder.rglob("*") if path.name != "lock")
    with pytest.raises(OSError, match="no space"):
        warehouse.replace(Torn())
    assert sorted(path for path in warehouse.folder.rglob("*") if path.name != "lock") == held
    if before:
        assert warehouse.table("transactions").count().to_pandas() == 1


def test_changes_come_one_after_the_other(warehouse: Warehouse) -> None:
    """Of changes at the same moment, by others who have the warehouse open, none is lost and none
    meets another's half.
    """
    warehouse.replace({"transactions": lines(*(f"2024-01-{day:02}" for day in range(1, 25)))})

    def without_the_first(_: int) -> None:
        Warehouse(warehouse.folder).rewrite(lambda _, rows: rows.slice(1))

    with ThreadPoolExecutor(4) as others:
        list(others.map(without_the_first, range(20)))
    assert len(warehouse.table("transactions").to_pandas()) == 4


def test_what_a_killed_process_left_is_cleared_away(warehouse: Warehouse) -> None:
    """Halves of a table and of a generation, as a killed process leaves them, neither stop the next
    change nor outlive it.
    """
    warehouse.replace({"transactions": lines("2024-01-01", "2024-01-02")})
    torn = warehouse.folder / "0123.partial"
    torn.mkdir()
    for half in (
        torn / "transactions.parquet",
        warehouse.folder / warehouse.generation / "transactions.partial",
    ):
        half.write_bytes(b"PAR1 and no more")
    warehouse.rewrite(lambda _, rows: rows.slice(1))
    assert len(warehouse.table("transactions").to_pandas()) == 1
    assert not list(warehouse.folder.rglob("*.partial*"))


def test_a_failing_change_leaves_no_half(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a changed table cannot be written, the old one stands, and nothing lies beside it."""
    warehouse.replace({"transactions": lines("2024-01-01", "2024-01-02")})

    def full(_: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("features.warehouse.parts.sync", full)
    with pytest.raises(OSError, match="no space"):
        warehouse.rewrite(lambda _, rows: rows.slice(1))
    assert not list(warehouse.folder.rglob("*.partial"))
    assert len(warehouse.table("transactions").to_pandas()) == 2


def test_who_waits_too_long_is_told(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that finds another one under way gives up in the end, with a word."""
    monkeypatch.setattr("features.warehouse.store.WAIT_SECONDS", 0.1)
    other = Warehouse(warehouse.folder)
    with warehouse.alone(), pytest.raises(WorkspaceError, match="being changed"):
        other.rewrite(lambda _, rows: rows)
    other.rewrite(lambda _, rows: rows)


def test_moments_are_kept_to_the_microsecond(warehouse: Warehouse) -> None:
    """A moment comes back as it was, in microseconds."""
    warehouse.replace({"transactions": lines("2024-01-01T10:00:00.123456")})
    frame = warehouse.table("transactions").to_pandas()
    assert frame["recorded_at"].dtype == "datetime64[us]"
    assert frame["recorded_at"][0] == pd.Timestamp("2024-01-01T10:00:00.123456")


@pytest.mark.parametrize(
    ("last", "until"),
    [
        ("2024-02-28T23:59:59.999999", datetime(2024, 2, 29)),  # noqa: DTZ001 - the warehouse's times are naive UTC
        ("2024-02-29T00:00:00", datetime(2024, 3, 1)),  # noqa: DTZ001 - as above
        ("2024-12-31T12:00:00", datetime(2025, 1, 1)),  # noqa: DTZ001 - as above
    ],
)
def test_a_warehouse_speaks_for_the_midnight_after_its_last_row(
    warehouse: Warehouse, last: str, until: datetime
) -> None:
    """`loaded_until` is the first midnight strictly after the newest recording, whatever the order
    of the rows.
    """
    warehouse.replace({"transactions": lines(last, "2023-06-01")})
    assert warehouse.loaded_until() == until


def test_a_reader_that_began_before_a_replacement_finishes(warehouse: Warehouse) -> None:
    """A table that was opened before a replacement can still be read after it."""
    warehouse.replace({"transactions": lines("2024-01-01")})
    opened = warehouse.table("transactions")
    warehouse.replace({"transactions": lines("2024-02-01", "2024-02-02")})
    assert opened.count().to_pandas() == 1


def test_two_readers_of_one_folder_see_a_replacement(warehouse: Warehouse) -> None:
    """Another process's view of the folder follows the rename."""
    other = Warehouse(warehouse.folder)
    warehouse.replace({"transactions": lines("2024-01-01")})
    assert other.table("transactions").count().to_pandas() == 1
    warehouse.replace({"transactions": lines("2024-02-01", "2024-02-02")})
    assert other.table("transactions").count().to_pandas() == 2


def without_first(name: str, table: pa.Table) -> pa.Table:
    """The order lines but for the first customer's; other tables as they are."""
    return (
        table.filter(pa.array(table["customer"].to_numpy() != 1))
        if name == "transactions"
        else table
    )


def test_a_rewrite_reaches_every_generation(warehouse: Warehouse) -> None:
    """Rows that are taken out are gone from the generation before as well, for readers who had the
    tables open too.
    """
    products = pa.table(
        {name: [{"product_id": "p", "title": "P"}.get(name)] for name in PRODUCT_COLUMNS},
        schema=PRODUCTS,
    )
    for month in (1, 2):
        warehouse.replace(
            {"transactions": lines(f"2024-0{month}-01", f"2024-0{month}-02"), "products": products}
        )
    opened, stamp = (
        warehouse.table("transactions"),
        (warehouse.folder / warehouse.generation / "products.parquet").stat().st_mtime_ns,
    )
    assert warehouse.count(1) == 2
    warehouse.rewrite(without_first)
    assert (
        warehouse.collect(opened)["customer"].tolist()
        == warehouse.table("transactions").customer.to_pandas().tolist()
        == [2]
    )
    assert (warehouse.count(1), warehouse.count(2)) == (0, 2)
    assert (
        warehouse.folder / warehouse.generation / "products.parquet"
    ).stat().st_mtime_ns == stamp
    assert not list(warehouse.folder.rglob("*.partial"))


def test_a_rewrite_that_fails_leaves_whole_files(warehouse: Warehouse) -> None:
    """A fault while a table is changed leaves it as it was."""
    warehouse.replace({"transactions": lines("2024-01-01", "2024-01-02")})

    def fail(_name: str, _table: pa.Table) -> pa.Table:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        warehouse.rewrite(fail)
    assert warehouse.count(1) == 1


def test_all_rows_of_a_customer_are_found(warehouse: Warehouse) -> None:
    """Tables that hold customers are searched, and no others; somebody unknown has no rows."""
    products = pa.table(
        {name: [{"product_id": "p", "title": "P"}.get(name)] for name in PRODUCT_COLUMNS},
        schema=PRODUCTS,
    )
    warehouse.replace({"transactions": lines("2024-01-01", "2024-01-02"), "products": products})
    assert {name: rows["customer"].to_pylist() for name, rows in warehouse.rows_of(2).items()} == {
        "transactions": [2]
    }
    assert [rows.num_rows for rows in warehouse.rows_of(99).values()] == [0]
