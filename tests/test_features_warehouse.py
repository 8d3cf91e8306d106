"""The warehouse: replaced as a whole or not at all."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from features.errors import WorkspaceError
from features.intake.warehouse_tables import PRODUCTS, TRANSACTIONS
from features.warehouse import Warehouse


def lines(*recorded: str) -> pa.Table:
    """One order line for each moment of recording."""
    moments = pd.DatetimeIndex([pd.Timestamp(moment) for moment in recorded]).as_unit("us")
    frame = pd.DataFrame({"recorded_at": moments, "ordered_at": moments})
    frame = frame.assign(customer=1, order_id="o", product_id="p", quantity=1, unit_price=2.0, amount=2.0)
    return pa.Table.from_pandas(frame, TRANSACTIONS, preserve_index=False)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A warehouse in which nothing was loaded yet."""
    return Warehouse(tmp_path / "warehouse")


def test_an_empty_warehouse_says_what_to_do(warehouse: Warehouse) -> None:
    """Whatever is read before the first load names the command that loads."""
    for ask in (lambda: warehouse.generation, lambda: warehouse.table("transactions"), warehouse.products, warehouse.loaded_until):
        with pytest.raises(WorkspaceError, match="sayso ingest"):
            ask()


def test_a_replacement_is_the_whole_content(warehouse: Warehouse) -> None:
    """After a replacement only its tables are there; the generation before is kept for who is reading it, and no older one."""
    products = pa.table({"product_id": ["p"], "title": ["P"], "product_category": [None], "brand": [None]}, schema=PRODUCTS)
    warehouse.replace({"transactions": lines("2024-01-01"), "products": products})
    first = warehouse.generation
    assert warehouse.has("products")
    assert warehouse.products()["title"].tolist() == ["P"]
    warehouse.replace({"transactions": lines("2024-02-01", "2024-02-02")})
    assert warehouse.generation != first
    assert not warehouse.has("products")
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
    held = sorted(path.relative_to(warehouse.folder) for path in warehouse.folder.rglob("*")) if before else []
    with pytest.raises(OSError, match="no space"):
        warehouse.replace(Torn())
    assert sorted(path.relative_to(warehouse.folder) for path in warehouse.folder.rglob("*")) == held
    if before:
        assert warehouse.table("transactions").count().to_pandas() == 1


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
def test_a_warehouse_speaks_for_the_midnight_after_its_last_row(warehouse: Warehouse, last: str, until: datetime) -> None:
    """`loaded_until` is the first midnight strictly after the newest recording, whatever the order of the rows."""
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
