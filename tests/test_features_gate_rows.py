"""The gate row by row: what a grant covers, what is young enough, and what comes from where it may
be read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from features.catalog import PRODUCT, Catalog, Category, DataSource, Field, Notice, Purpose
from features.errors import WorkspaceError
from features.tables.declared import customers, transactions
from features.warehouse.arrow import arrow_table, schema_of
from features.warehouse.gate import Gate
from features.warehouse.retention import without_expired
from features.warehouse.store import Warehouse

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
TODAY = datetime(2024, 6, 1, 12)  # noqa: DTZ001 - naive UTC as in the warehouse
TICK, DAY = timedelta(microseconds=1), timedelta(days=1)
ORDER, AMOUNT, COUNTRY = "transactions.order_id", "transactions.amount", "customers.country"
ALWAYS = None
LogisticMember = tuple[str, int, datetime, str]
"""Order number, customer, when it was recorded, and from which source."""


def field(name: str, category: str, days: int) -> Field:
    """A field that is kept for so many days."""
    table, _, column = name.partition(".")
    return Field(table, column, category, frozenset({"advice"}), "ordinary", "orders", days, column)


FIELDS = (
    field(ORDER, "purchases", 100),
    field(AMOUNT, "spending", 10),
    field(COUNTRY, "location", 50),
    field("products.title", PRODUCT, 1),
)
CATALOG = Catalog(
    fields={one.name: one for one in FIELDS},
    categories={name: Category(name, name, name) for name in ("purchases", "spending", "location")},
    purposes={"advice": Purpose("advice", "advice", "advice")},
    notices=(Notice("advice", "1", "en", "text"),),
    sources={"orders": DataSource("orders")},
)


def grants(*granted: tuple[int, str, datetime | None]) -> pd.DataFrame:
    """Grants in force: customer, category, and from when on they cover data."""
    frame = pd.DataFrame(granted, columns=["customer", "category", "covers_from"])
    return frame.astype({"customer": "int64", "category": "str", "covers_from": "datetime64[us]"})


def warehouse_of(
    folder: Path, lines: Collection[LogisticMember] = (), countries: Collection[LogisticMember] = ()
) -> Warehouse:
    """A warehouse of these order lines, and of customers who lived in these countries since they
    were recorded.
    """
    orders = pd.DataFrame(list(lines), columns=["order_id", "customer", "recorded_at", "source"])
    orders = orders.assign(
        product_id="p", quantity=1, unit_price=1.0, amount=1.0, ordered_at=orders["recorded_at"]
    )
    lived = pd.DataFrame(list(countries), columns=["country", "customer", "recorded_at", "source"])
    warehouse = Warehouse(folder)
    warehouse.replace(
        {
            its.NAME: arrow_table(frame, its.TABLE)
            for frame, its in ((orders, transactions), (lived, customers))
        }
    )
    return warehouse


def seen(
    warehouse: Warehouse,
    granted: pd.DataFrame,
    fields: Collection[str] = (ORDER,),
    as_of: datetime = TODAY,
    catalog: Catalog = CATALOG,
    now: datetime = NOW,
) -> list[tuple[int, object]]:
    """The rows that the gate gives: customer and first field, in order."""
    gate = Gate(warehouse, catalog, "advice", granted, now)
    spine = pd.DataFrame({"customer": [1, 2, 3], "as_of": pd.Timestamp(as_of).as_unit("us")})
    rows = gate.collect(gate.rows(fields, spine))
    first = next(iter(fields)).partition(".")[2]
    return sorted(rows[["customer", first]].itertuples(index=False, name=None))


# ---- coverage ----

BEFORE, AT, AFTER = (
    ("before", 1, TODAY - DAY - TICK),
    ("at", 1, TODAY - DAY),
    ("after", 1, TODAY - DAY + TICK),
)
AROUND = [(*line, "orders") for line in (BEFORE, AT, AFTER)]


def test_rows_from_before_a_grant_are_not_covered(tmp_path: Path) -> None:
    """A row recorded at the very microsecond of the grant is seen, one a microsecond earlier is
    not.
    """
    warehouse = warehouse_of(tmp_path, AROUND)
    assert seen(warehouse, grants((1, "purchases", TODAY - DAY))) == [(1, "after"), (1, "at")]
    assert seen(warehouse, grants((1, "purchases", ALWAYS))) == [
        (1, "after"),
        (1, "at"),
        (1, "before"),
    ]
    assert seen(warehouse, grants((2, "purchases", ALWAYS))) == []


def test_each_customer_is_covered_from_their_own_grant(tmp_path: Path) -> None:
    """Of two customers with the same rows, each is seen from their own grant on, one of them
    altogether.
    """
    lines = [
        (f"o{days}", customer, TODAY - days * DAY, "orders")
        for customer in (1, 2, 3)
        for days in (5, 4, 3)
    ]
    granted = grants(
        (1, "purchases", TODAY - 4 * DAY), (2, "purchases", ALWAYS), (3, "purchases", TODAY)
    )
    assert seen(warehouse_of(tmp_path, lines), granted) == [
        (1, "o3"),
        (1, "o4"),
        (2, "o3"),
        (2, "o4"),
        (2, "o5"),
    ]


def test_rows_of_several_categories_are_covered_by_all_their_grants(tmp_path: Path) -> None:
    """A row read for two categories is seen from the later of their grants on, whichever that
    is.
    """
    lines = [
        (f"o{days}", customer, TODAY - days * DAY, "orders")
        for customer in (1, 2, 3)
        for days in (5, 4, 3)
    ]
    granted = grants(
        (1, "purchases", TODAY - 4 * DAY),
        (1, "spending", TODAY - 3 * DAY),
        (2, "purchases", ALWAYS),
        (2, "spending", TODAY - 4 * DAY),
        (3, "purchases", ALWAYS),
    )
    warehouse = warehouse_of(tmp_path, lines)
    assert seen(warehouse, granted, (ORDER, AMOUNT)) == [(1, "o3"), (2, "o3"), (2, "o4")]
    assert seen(warehouse, granted, (AMOUNT,)) == [(1, 1.0), (2, 1.0), (2, 1.0)]


def test_where_somebody_lives_is_covered_by_when_it_was_recorded(tmp_path: Path) -> None:
    """A country recorded before the grant is not seen; a newer one is; and what is not covered does
    not hide what is.
    """
    lived = [
        ("Spain", 1, TODAY - 9 * DAY, "orders"),
        ("Italy", 1, TODAY - 2 * DAY, "orders"),
        ("France", 2, TODAY - 9 * DAY, "orders"),
    ]
    warehouse = warehouse_of(tmp_path, countries=lived)
    since = grants((1, "location", TODAY - 5 * DAY), (2, "location", TODAY - 5 * DAY))
    assert seen(warehouse, since, (COUNTRY,)) == [(1, "Italy")]
    assert seen(warehouse, since, (COUNTRY,), TODAY - 3 * DAY) == []
    ever = grants((1, "location", ALWAYS), (2, "location", ALWAYS))
    assert seen(warehouse, ever, (COUNTRY,), TODAY - 3 * DAY) == [(1, "Spain"), (2, "France")]


def test_whom_anything_may_be_said_of(tmp_path: Path) -> None:
    """The spine holds those who granted anything and had ordered before the moment, each once."""
    lines = [
        ("o1", 1, TODAY - DAY, "orders"),
        ("o2", 2, TODAY, "orders"),
        ("o3", 3, TODAY - DAY, "orders"),
    ]
    granted = grants((1, "purchases", ALWAYS), (1, "spending", TODAY), (2, "purchases", ALWAYS))
    gate = Gate(warehouse_of(tmp_path, lines), CATALOG, "advice", granted, NOW)
    assert gate.spine(TODAY)["customer"].tolist() == [1]
    assert gate.spine(TODAY + TICK)["customer"].tolist() == [1, 2]
    assert gate.spine(TODAY - DAY)["customer"].tolist() == []


# ---- retention ----


def test_rows_are_seen_to_the_end_of_their_retention(tmp_path: Path) -> None:
    """A row is seen to the microsecond to which its field is kept, for fields read together to that
    of the shortest.
    """
    ages = {
        "young": 10 * DAY,
        "older": 10 * DAY + TICK,
        "old": 100 * DAY,
        "expired": 100 * DAY + TICK,
    }
    warehouse = warehouse_of(
        tmp_path, [(name, 1, TODAY - age, "orders") for name, age in ages.items()]
    )
    granted = grants((1, "purchases", ALWAYS), (1, "spending", ALWAYS))
    assert seen(warehouse, granted) == [(1, "old"), (1, "older"), (1, "young")]
    assert seen(warehouse, granted, (ORDER, AMOUNT)) == [(1, "young")]
    assert seen(warehouse, granted, now=NOW + TICK) == [(1, "older"), (1, "young")]
    assert seen(warehouse, granted, now=NOW + 365 * DAY) == []


def test_retention_counts_from_now_and_not_from_the_moment_asked_about(tmp_path: Path) -> None:
    """Training about a moment long ago does not bring back what may no longer be kept."""
    warehouse = warehouse_of(
        tmp_path,
        [("old", 1, TODAY - 101 * DAY, "orders"), ("young", 1, TODAY - 99 * DAY, "orders")],
    )
    assert seen(warehouse, grants((1, "purchases", ALWAYS)), as_of=TODAY - 90 * DAY) == [
        (1, "young")
    ]


# ---- data sources ----

THEIRS = DataSource(
    "list",
    third_party=True,
    evidence="contract 7",
    checked_on=date(2024, 3, 1),
    check_every_days=93,
)
OURS_AND_THEIRS = [
    ("ours", 1, TODAY - DAY, "orders"),
    ("theirs", 1, TODAY - DAY, "list"),
    ("unknown", 1, TODAY - DAY, "elsewhere"),
]


@pytest.mark.parametrize(
    ("source", "readable"),
    [
        (THEIRS, True),
        (replace(THEIRS, check_every_days=92), False),
        (replace(THEIRS, evidence=None), False),
        (replace(THEIRS, checked_on=None), False),
        (None, False),
    ],
    ids=["checked lately", "lapsed today", "without evidence", "never checked", "not registered"],
)
def test_rows_of_a_source_that_may_not_be_read_are_not_seen(
    tmp_path: Path, source: DataSource | None, readable: bool
) -> None:
    """Rows of a third party without good evidence, and of a source that nobody registered, are not
    there; the shop's own are.
    """
    sources = {**CATALOG.sources, **({} if source is None else {"list": source})}
    catalog = replace(CATALOG, sources=sources)
    found = seen(
        warehouse_of(tmp_path, OURS_AND_THEIRS), grants((1, "purchases", ALWAYS)), catalog=catalog
    )
    assert found == [(1, "ours"), *([(1, "theirs")] if readable else [])]


def test_evidence_lapses_while_the_warehouse_stays(tmp_path: Path) -> None:
    """What was loaded while the evidence was good is not read any more on the day on which it
    lapses.
    """
    warehouse, granted = warehouse_of(tmp_path, OURS_AND_THEIRS), grants((1, "purchases", ALWAYS))
    catalog = replace(CATALOG, sources={**CATALOG.sources, "list": THEIRS})
    midnight = datetime(2024, 6, 2, tzinfo=UTC)
    assert seen(warehouse, granted, catalog=catalog, now=midnight - TICK) == [
        (1, "ours"),
        (1, "theirs"),
    ]
    assert seen(warehouse, granted, catalog=catalog, now=midnight) == [(1, "ours")]


def test_a_country_that_may_not_be_read_does_not_hide_one_that_may(tmp_path: Path) -> None:
    """Of two countries the newest readable one is seen."""
    lived = [("Spain", 1, TODAY - 9 * DAY, "orders"), ("Italy", 1, TODAY - 2 * DAY, "list")]
    assert seen(
        warehouse_of(tmp_path, countries=lived), grants((1, "location", ALWAYS)), (COUNTRY,)
    ) == [(1, "Spain")]


@pytest.mark.parametrize("table", ["transactions", "customers"])
def test_a_warehouse_of_an_earlier_version_says_what_to_do(tmp_path: Path, table: str) -> None:
    """Rows that do not tell their source are not read; the error names the command that loads them
    anew.
    """
    warehouse = warehouse_of(tmp_path, AROUND, [("Spain", 1, TODAY - DAY, "orders")])
    warehouse.rewrite(lambda _name, rows: rows.drop_columns("source"))
    field_of = {"transactions": ORDER, "customers": COUNTRY}
    with pytest.raises(WorkspaceError, match="sayso ingest"):
        seen(
            warehouse, grants((1, "purchases", ALWAYS), (1, "location", ALWAYS)), (field_of[table],)
        )


def test_everything_at_once(tmp_path: Path) -> None:
    """Of rows that differ in one thing each, the one is seen that nothing speaks against."""
    lines = [
        ("good", 1, TODAY - 5 * DAY, "orders"),
        ("not covered", 1, TODAY - 7 * DAY, "orders"),
        ("not readable", 1, TODAY - 5 * DAY, "list"),
        ("not yet", 1, TODAY, "orders"),
        ("not granted", 2, TODAY - 5 * DAY, "orders"),
        ("too old", 3, TODAY - 11 * DAY, "orders"),
    ]
    granted = grants(
        *(
            (customer, name, TODAY - 6 * DAY)
            for customer in (1,)
            for name in ("purchases", "spending")
        )
    )
    granted = pd.concat(
        [
            granted,
            grants((2, "purchases", ALWAYS), (3, "purchases", ALWAYS), (3, "spending", ALWAYS)),
        ]
    )
    assert seen(warehouse_of(tmp_path, lines), granted, (ORDER, AMOUNT)) == [(1, "good")]


# ---- deletion ----


def held(days: Collection[float]) -> pa.Table:
    """Order lines that were recorded so many days ago, numbered from 0."""
    frame = pd.DataFrame(
        {
            "order_id": [f"o{n}" for n in range(len(days))],
            "recorded_at": [TODAY - age * DAY for age in days],
        }
    )
    frame = frame.assign(
        customer=1, product_id="p", quantity=1, unit_price=1.0, amount=1.0, source="orders"
    )
    return arrow_table(frame.assign(ordered_at=frame["recorded_at"]), transactions.TABLE)


def test_rows_and_values_past_their_retention_are_deleted_and_counted() -> None:
    """Rows that no field may keep go whole; younger ones lose the values that their own field may
    not keep; the rest stays.
    """
    table, deleted = without_expired("transactions", held([5, 10, 11, 100, 101, 400]), CATALOG, NOW)
    assert deleted == {"transactions": 2, "transactions.amount": 2}
    assert table["order_id"].to_pylist() == ["o0", "o1", "o2", "o3"]
    assert table["amount"].to_pylist() == [1.0, 1.0, None, None]
    assert table.schema == schema_of(transactions.TABLE)


def test_a_second_deletion_finds_nothing() -> None:
    """What was deleted is not counted again, and a table with nothing to delete is the very
    same.
    """
    once, _ = without_expired("transactions", held([5, 11, 101]), CATALOG, NOW)
    again, deleted = without_expired("transactions", once, CATALOG, NOW)
    assert deleted == {}
    assert again is once


def test_deletion_and_gate_agree_to_the_microsecond(tmp_path: Path) -> None:
    """What the gate still shows is not deleted, and what is deleted was not shown."""
    warehouse = warehouse_of(
        tmp_path,
        [("at", 1, TODAY - 100 * DAY, "orders"), ("past", 1, TODAY - 100 * DAY - TICK, "orders")],
    )
    shown = seen(warehouse, grants((1, "purchases", ALWAYS)))
    warehouse.rewrite(lambda name, rows: without_expired(name, rows, CATALOG, NOW)[0])
    assert shown == seen(warehouse, grants((1, "purchases", ALWAYS))) == [(1, "at")]
    assert warehouse.count(1) == 1


def test_tables_of_which_nothing_is_declared_stay() -> None:
    """A table whose columns are no fields, and one without a time of recording, are left as they
    are.
    """
    products = pa.table({"product_id": ["p"], "title": ["P"]})
    for name, table in (
        ("products", products),
        ("interactions", held([400])),
        ("transactions", held([400]).drop_columns("recorded_at")),
    ):
        assert without_expired(name, table, CATALOG, NOW) == (table, {})


# ---- fields that no source fills ----


@pytest.mark.parametrize("column", ["gender", "age", "customer", "as_of", "covers_from"])
def test_a_field_that_no_source_fills_is_told(tmp_path: Path, column: str) -> None:
    """A declared field of which the warehouse has no column is named with what to do, however it is
    called.
    """
    made_up = field(f"customers.{column}", "location", 50)
    catalog = replace(CATALOG, fields={**CATALOG.fields, made_up.name: made_up})
    warehouse = warehouse_of(tmp_path, countries=[("Spain", 1, TODAY - DAY, "orders")])
    with pytest.raises(
        WorkspaceError, match=rf"`customers.{column}` is declared in sayso.toml.* it has `country`"
    ):
        seen(warehouse, grants((1, "location", ALWAYS)), (made_up.name,), catalog=catalog)
