"""The gate: who is seen, in which fields, and what is refused."""

from __future__ import annotations

import gc
from datetime import datetime

import ibis
import pandas as pd
import pyarrow as pa
import pytest

from features.consent.ledger import ConsentEvent
from features.definitions.definition import Definition, ShopFacts, defines
from features.definitions.definitions import STANDARD
from features.definitions.feature import FREE, Feature
from features.definitions.frames import customer_frame, history_frame
from features.definitions.sentence import Silent
from features.errors import FeatureError
from features.shop.shop import Shop
from features.tables.tables import STANDARD as TABLES
from features.warehouse.arrow import schema_of
from features.warehouse.fields import (
    AMOUNT,
    COUNTRY,
    ORDER_ID,
    ORDERED_AT,
    PRODUCT_ID,
    QUANTITY,
    UNIT_PRICE,
)
from features.warehouse.gate import Gate
from tests.feature_frames import covering
from tests.synthetic_shop import CUSTOMERS, refusals

PURPOSE = "recommendations"
FIELDS = (ORDER_ID, PRODUCT_ID, QUANTITY, UNIT_PRICE, AMOUNT, ORDERED_AT, COUNTRY)
NOW = datetime(2024, 10, 26)  # noqa: DTZ001 - naive UTC as in the warehouse


@pytest.fixture(scope="module")
def gate(shop: Shop) -> Gate:
    """The made-up shop's gate for recommendations."""
    return shop.gate(PURPOSE)


@pytest.fixture(scope="module")
def spine(shop: Shop) -> pd.DataFrame:
    """All who ever ordered, at the end."""
    ids = shop.warehouse.table("transactions").customer.to_pandas().unique()
    return pd.DataFrame({"customer": ids, "as_of": pd.Timestamp(NOW).as_unit("us")})


def granting(shop: Shop, *needed: str) -> set[int]:
    """Pseudonyms of those who, by how the shop was made, grant all of `needed`."""
    categories = shop.config.catalog.askable(PURPOSE)
    refused = {f"c{number:03}": refusals(number, categories) for number in range(CUSTOMERS)}
    willing = {
        name for name, said in refused.items() if said is not None and not set(needed) & set(said)
    }
    with shop.database.read() as connection:
        known = connection.exec_driver_sql("SELECT external_id, customer FROM customers").all()
    return {customer for name, customer in known if name in willing}


def declared(name: str) -> Feature:
    """A feature of that name, for definitions that are put to the test."""
    return Feature(
        name,
        direction=FREE,
        unit="products",
        meaning="Made up.",
        says={"churn": Silent("it is made up")},
    )


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_shows_those_who_granted_its_category(
    shop: Shop, gate: Gate, spine: pd.DataFrame, field: str
) -> None:
    """The rows of a field are those of the customers who granted its category, and of nobody
    else.
    """
    rows = gate.rows((field,), spine).to_pandas()
    assert rows.columns.tolist() == ["customer", "as_of", field.partition(".")[2]]
    allowed = granting(shop, shop.config.catalog.fields[field].category)
    assert set(rows["customer"]) == allowed & set(spine["customer"])
    assert 0 < len(allowed) < CUSTOMERS


def test_several_fields_need_all_their_categories(
    shop: Shop, gate: Gate, spine: pd.DataFrame
) -> None:
    """Fields of three categories are seen of those who granted all three."""
    fields = (PRODUCT_ID, AMOUNT, ORDERED_AT)
    allowed = granting(shop, "purchases", "spending", "order_times")
    assert set(gate.rows(fields, spine).to_pandas()["customer"]) == allowed & set(spine["customer"])
    assert set(gate.customers_granting(fields)) == allowed
    assert allowed < granting(shop, "purchases")


def test_who_granted_nothing_is_nobody(shop: Shop, gate: Gate) -> None:
    """Those who refused everything and those who were never asked are not among the gate's
    customers.
    """
    with shop.database.read() as connection:
        known = {
            row.external_id: row.customer
            for row in connection.exec_driver_sql("SELECT external_id, customer FROM customers")
        }
    assert {known["c018"], known["c019"]}.isdisjoint(gate.customers())
    assert known["c000"] in set(gate.customers())


def test_fields_of_products_are_asked_of_nobody_else(gate: Gate) -> None:
    """Fields that need no category leave all who granted anything."""
    assert set(gate.customers_granting(("products.title",))) == set(gate.customers())
    assert gate.categories_of(("products.title",)) == frozenset()


@pytest.mark.parametrize(
    ("purpose", "field"),
    [("fairness_audit", PRODUCT_ID), (PURPOSE, "transactions.shoe_size"), ("gossip", PRODUCT_ID)],
)
def test_a_field_not_declared_for_the_purpose_is_refused(
    shop: Shop, spine: pd.DataFrame, purpose: str, field: str
) -> None:
    """The error names the field and the purpose, whoever granted what."""
    gate = shop.gate_for(
        purpose, covering(pd.DataFrame({"customer": spine["customer"], "category": "purchases"}))
    )
    with pytest.raises(FeatureError, match=f"`{field}`.*`{purpose}`"):
        gate.rows((field,), spine)
    assert not gate.may_read((field,))


def test_what_the_gate_decides_by_stays_there(gate: Gate, spine: pd.DataFrame) -> None:
    """Neither the time of recording nor the data source is among the columns, and neither can be
    asked for.
    """
    for column in ("recorded_at", "source"):
        assert column not in gate.rows((PRODUCT_ID,), spine).columns
        with pytest.raises(FeatureError, match=rf"transactions\.{column}"):
            gate.rows((f"transactions.{column}",), spine)


def test_the_newest_state_counts(shop: Shop, gate: Gate, spine: pd.DataFrame) -> None:
    """Of a customer who moved one country is seen: the last one recorded before as_of."""
    moves = shop.warehouse.table("customers").to_pandas().sort_values("recorded_at")
    moved = moves["customer"].value_counts().loc[lambda count: count > 1].index
    assert len(moved) > 5
    rows = gate.rows((COUNTRY,), spine).to_pandas()
    assert rows["customer"].is_unique
    newest = moves.drop_duplicates("customer", keep="last").set_index("customer")["country"]
    assert (rows["country"].to_numpy() == newest.loc[rows["customer"]].to_numpy()).all()
    earlier = (
        moves[moves["customer"].isin(set(moved) & set(rows["customer"]))].groupby("customer").nth(1)
    )
    before = gate.rows(
        (COUNTRY,), earlier[["customer", "recorded_at"]].rename(columns={"recorded_at": "as_of"})
    ).to_pandas()
    first = moves.drop_duplicates("customer").set_index("customer")["country"]
    assert (before["country"].to_numpy() == first.loc[before["customer"]].to_numpy()).all()


def leak(column: str) -> Definition:
    """A definition that declares the product and reads another column."""

    @defines(declared("leaked"), reads=[PRODUCT_ID])
    def leaking(rows: ibis.Table, _shop: ShopFacts) -> ibis.Table:
        return rows.group_by("customer", "as_of").aggregate(leaked=rows[column].nunique())

    return leaking


@pytest.mark.parametrize(
    "column",
    [
        "order_id",
        "quantity",
        "unit_price",
        "amount",
        "ordered_at",
        "recorded_at",
        "source",
        "covers_from",
        "country",
        "shoe_size",
    ],
)
def test_an_undeclared_read_is_named(gate: Gate, spine: pd.DataFrame, column: str) -> None:
    """A definition that reaches for a column it does not declare fails, naming the column, the file
    and the definition.
    """
    definition = leak(column)
    with pytest.raises(FeatureError, match=column) as error:
        definition.table(gate.rows(definition.reads, spine), ShopFacts())
    assert "test_features_gate.py, line" in str(error.value)
    assert "`leaking` may read `transactions.product_id`" in str(error.value)


def test_an_undeclared_read_by_attribute_is_named(gate: Gate, spine: pd.DataFrame) -> None:
    """Reading the column as an attribute, or deferred, fails in the same way."""

    @defines(declared("leaked"), reads=[PRODUCT_ID])
    def by_attribute(rows: ibis.Table, _shop: ShopFacts) -> ibis.Table:
        return rows.group_by("customer", "as_of").aggregate(leaked=rows.amount.sum())

    @defines(declared("leaked"), reads=[PRODUCT_ID])
    def deferred(rows: ibis.Table, _shop: ShopFacts) -> ibis.Table:
        return rows.group_by("customer", "as_of").aggregate(leaked=ibis._.amount.sum())

    for definition in (by_attribute, deferred):
        with pytest.raises(FeatureError, match="amount"):
            definition.table(gate.rows(definition.reads, spine), ShopFacts())


def test_a_result_without_its_feature_is_named(gate: Gate, spine: pd.DataFrame) -> None:
    """A definition that does not make the feature it promises fails and says so."""

    @defines(declared("promised"), reads=[PRODUCT_ID])
    def forgetful(rows: ibis.Table, _shop: ShopFacts) -> ibis.Table:
        return rows.group_by("customer", "as_of").aggregate(other=rows.product_id.nunique())

    with pytest.raises(FeatureError, match="promised"):
        forgetful.table(gate.rows(forgetful.reads, spine), ShopFacts())


@pytest.mark.parametrize(
    "definition",
    dict.fromkeys(STANDARD.every),
    ids=lambda definition: definition.expression.__name__,
)
def test_every_definition_needs_each_field_that_it_declares(definition: Definition) -> None:
    """A shipped definition fails when any one of its fields is kept from it: what it declares is
    what it reads.
    """
    table = TABLES[definition.reads[0].partition(".")[0]]
    types = {name: schema_of(table).field(name).type for name in table.by_name}
    read = {name: types[name] for name in (f.partition(".")[2] for f in definition.reads)}
    spine = {"customer": pa.int64(), "as_of": pa.timestamp("us")}
    whole = ibis.table(ibis.Schema.from_pyarrow(pa.schema({**spine, **read})), name="rows")
    definition.table(whole, ShopFacts("France"))
    for missing in definition.reads:
        column = missing.partition(".")[2]
        rows = whole.drop(column)
        with pytest.raises(FeatureError, match=column):
            definition.table(rows, ShopFacts("France"))


def test_fields_of_two_tables_are_refused(gate: Gate, spine: pd.DataFrame) -> None:
    """A definition that declares fields of two tables is told that one table is read at a time."""
    with pytest.raises(FeatureError, match="one table"):
        gate.rows((PRODUCT_ID, COUNTRY), spine)


def test_no_grants_give_empty_tables(shop: Shop, spine: pd.DataFrame) -> None:
    """Where nobody granted anything no row is seen and every feature is missing."""
    gate = shop.gate_for(PURPOSE, covering(pd.DataFrame({"customer": [], "category": []})))
    assert gate.rows((PRODUCT_ID,), spine).count().to_pandas() == 0
    assert (
        customer_frame(gate, ["orders", "home_country"], spine, shop.facts)[
            ["orders", "home_country"]
        ]
        .isna()
        .all(axis=None)
    )
    assert history_frame(gate, ["times_bought"], spine, shop.facts).empty


def test_a_gate_holds_the_grants_of_its_moment(fresh_shop: Shop) -> None:
    """A gate opened after a withdrawal does not show the customer any more."""
    before = fresh_shop.gate(PURPOSE)
    withdrawn = int(before.customers_granting((AMOUNT,))[0])
    fresh_shop.ledger.append(_withdrawal(fresh_shop, withdrawn))
    after = fresh_shop.gate(PURPOSE)
    assert set(before.customers_granting((AMOUNT,))) - set(after.customers_granting((AMOUNT,))) == {
        withdrawn
    }


def _withdrawal(shop: Shop, customer: int) -> ConsentEvent:
    return ConsentEvent(
        shop.customers.external_ids([customer])[customer],
        PURPOSE,
        "spending",
        "withdrawn",
        "page",
        "1",
    )


def test_reading_again_and_again_leaves_nothing_behind(
    gate: Gate, spine: pd.DataFrame, shop: Shop
) -> None:
    """After many reads the database in memory holds no more tables than after a few."""

    def tables_after(reads: int) -> int:
        for _ in range(reads):
            gate.collect(gate.rows((PRODUCT_ID,), spine[:1]))
        gc.collect()
        (views,) = shop.warehouse.connection.con.execute(
            "SELECT count(*) FROM duckdb_views() WHERE NOT internal"
        ).fetchone()
        return int(views)

    assert tables_after(5) == tables_after(5)
