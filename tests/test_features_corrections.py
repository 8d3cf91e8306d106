"""Corrections: what was put right reaches the next answer and stays right."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import select

from features.consent.ledger import ConsentEvent
from features.database.tables import corrections, online_features
from features.intake.ingest import ingest
from features.shop.corrections import Correction, CorrectionRefused, correct, read_corrections
from features.shop.online import OnlineRow, OnlineStore, online_store
from features.shop.shop import Shop
from features.warehouse.fields import AMOUNT
from tests.made_up_consents import Moments, rows_of
from tests.synthetic_shop import ABROAD, END, HOME

pytestmark = pytest.mark.both_databases

PURPOSE = "churn_prediction"
ANN, BOB = "c000", "c001"


def pseudonym(shop: Shop, name: str) -> int:
    """The pseudonym of one of the shop's customers."""
    found = shop.customers.find(name)
    assert found is not None
    return found


def lines_of(shop: Shop, name: str, table: str = "transactions") -> pd.DataFrame:
    """A customer's rows in the warehouse."""
    frame: pd.DataFrame = shop.warehouse.rows_of(pseudonym(shop, name))[table].to_pandas()
    return frame.sort_values(
        ["recorded_at", *(["product_id"] if table == "transactions" else [])], ignore_index=True
    )


def store_of(shop: Shop) -> OnlineStore:
    """The store of the churn model's features."""
    return online_store(shop, PURPOSE, shop.config.models.churn.features)


def feature(shop: Shop, name: str, which: str) -> float:
    """A feature of a customer as the next answer reads it."""
    store = store_of(shop)
    return float(store.ready(pseudonym(shop, name)).customer[store.layout.customer.index(which)])


def test_a_correction_reaches_the_next_answer(fresh_shop: Shop) -> None:
    """A corrected amount of one order line changes the customer's features at once, by exactly
    that, and nobody else's.
    """
    store_of(fresh_shop).refresh()
    before, theirs, line = (
        feature(fresh_shop, ANN, "total_spent"),
        lines_of(fresh_shop, BOB),
        lines_of(fresh_shop, ANN).iloc[0],
    )
    said = Correction(AMOUNT, str(line["amount"] + 100), line["order_id"], line["product_id"])
    assert correct(fresh_shop, pseudonym(fresh_shop, ANN), said) == 1
    assert feature(fresh_shop, ANN, "total_spent") == pytest.approx(before + 100)
    pd.testing.assert_frame_equal(lines_of(fresh_shop, BOB), theirs)
    others = {row["customer"] for row in rows_of(fresh_shop.database, online_features)}
    assert pseudonym(fresh_shop, BOB) in others


def test_a_correction_of_a_state_is_of_all_its_rows(fresh_shop: Shop) -> None:
    """Where a customer lives is put right wherever it stands, and the feature made from it
    follows.
    """
    lived = lines_of(fresh_shop, ANN, "customers")
    other = ABROAD if lived["country"].iloc[-1] == HOME else HOME
    assert correct(
        fresh_shop, pseudonym(fresh_shop, ANN), Correction("customers.country", other)
    ) == len(lived)
    assert set(lines_of(fresh_shop, ANN, "customers")["country"]) == {other}
    assert feature(fresh_shop, ANN, "home_country") == (other == HOME)


def test_a_correction_outlives_the_next_load(fresh_shop: Shop) -> None:
    """A source that still has it wrong is put right whenever it is loaded, in the order in which
    corrections were made.
    """
    customer, line = pseudonym(fresh_shop, ANN), lines_of(fresh_shop, ANN).iloc[0]
    for second, quantity in enumerate(("77", "78", "79", "78")):
        fresh_shop.clock = Moments(END + timedelta(seconds=second))
        correct(
            fresh_shop,
            customer,
            Correction("transactions.quantity", quantity, line["order_id"], line["product_id"]),
        )
    right = lines_of(fresh_shop, ANN)
    for _ in range(2):
        ingest(fresh_shop.workspace, fresh_shop.database, clock=fresh_shop.clock)
        pd.testing.assert_frame_equal(lines_of(fresh_shop, ANN), right)
    assert right["quantity"].tolist().count(78) == 1


def test_a_correction_reaches_the_generation_before(fresh_shop: Shop) -> None:
    """Whoever still reads the tables of the load before reads what is right."""
    ingest(fresh_shop.workspace, fresh_shop.database, clock=fresh_shop.clock)
    customer = pseudonym(fresh_shop, ANN)
    correct(fresh_shop, customer, Correction("transactions.quantity", "77"))
    for file in fresh_shop.warehouse.folder.glob("*/transactions.parquet"):
        assert set(pd.read_parquet(file).query("customer == @customer")["quantity"]) == {77}


def test_of_corrections_at_the_same_moment_the_last_one_stands(fresh_shop: Shop) -> None:
    """However fast they follow one another, a load puts in what was said last."""
    for number in range(8):  # by a clock that stands still
        correct(
            fresh_shop,
            pseudonym(fresh_shop, ANN),
            Correction("customers.country", f"country {number}"),
        )
    ingest(fresh_shop.workspace, fresh_shop.database, clock=fresh_shop.clock)
    assert set(lines_of(fresh_shop, ANN, "customers")["country"]) == {"country 7"}


def test_corrections_are_kept_sealed(fresh_shop: Shop) -> None:
    """What was corrected is read with the customer's key, by customer and in order, and stands
    nowhere in plain text.
    """
    said = [Correction("customers.country", "Zqx-Canary"), Correction("customers.country", HOME)]
    for one in said:
        correct(fresh_shop, pseudonym(fresh_shop, ANN), one)
    correct(fresh_shop, pseudonym(fresh_shop, BOB), said[1])
    with fresh_shop.database.read() as connection:
        mine = read_corrections(connection, fresh_shop.vault, pseudonym(fresh_shop, ANN))
        assert len(read_corrections(connection, fresh_shop.vault)) == 3
        assert not any(
            b"Canary" in content
            for content in connection.execute(select(corrections.c.content)).scalars()
        )
    assert sorted(mine, key=str) == sorted(
        [(pseudonym(fresh_shop, ANN), one) for one in said], key=str
    )


REFUSED = {
    "an unknown field": (Correction("transactions.shoe_size", "1"), "field"),
    "an unknown table": (Correction("country", "France"), "field"),
    "a field of products": (Correction("products.title", "Mug"), "field"),
    "what the gate decides by": (Correction("transactions.recorded_at", "2024-01-01"), "field"),
    "whose it is": (Correction("transactions.customer", "1"), "field"),
    "an order that is not there": (Correction(AMOUNT, "1", "nowhere"), "field"),
    "an order of somebody else": (Correction(AMOUNT, "1", "o001-000"), "field"),
    "an order of a customer's own data": (
        Correction("customers.country", "France", "o000-000"),
        "order_id",
    ),
    "a word for a number": (Correction(AMOUNT, "much"), "value"),
    "a part of a piece": (Correction("transactions.quantity", "1.5"), "value"),
    "more pieces than there can be": (Correction("transactions.quantity", "9" * 30), "value"),
    "no moment": (Correction("transactions.ordered_at", "yesterday"), "value"),
    "no number": (Correction(AMOUNT, "nan"), "value"),
    "an endless number": (Correction(AMOUNT, "inf"), "value"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_correction_that_cannot_be_is_refused(fresh_shop: Shop, what: str) -> None:
    """A field that is not there, a line of somebody else or a value of another kind is named, and
    nothing changes.
    """
    correction, field = REFUSED[what]
    before = lines_of(fresh_shop, ANN)
    with pytest.raises(CorrectionRefused) as error:
        correct(fresh_shop, pseudonym(fresh_shop, ANN), correction)
    assert error.value.field == field
    pd.testing.assert_frame_equal(lines_of(fresh_shop, ANN), before)
    assert rows_of(fresh_shop.database, corrections) == []


def test_a_refusal_lists_what_can_be_corrected(shop: Shop) -> None:
    """The message names the fields that there are, and none of the products'."""
    with pytest.raises(
        CorrectionRefused, match=r"`transactions\.amount`.*`customers\.country`"
    ) as error:
        correct(shop, pseudonym(shop, ANN), REFUSED["an unknown field"][0])
    assert "products." not in str(error.value)


def test_a_row_made_before_a_correction_is_not_kept_after_it(fresh_shop: Shop) -> None:
    """A row that was begun before a correction and finished after it does not serve later
    answers.
    """

    class Interrupted(OnlineStore):
        """A store during whose making of a row the customer's data is put right."""

        def _row(self, *arguments: object) -> OnlineRow:
            """The row as it was before the correction, which is made now."""
            row = super()._row(*arguments)
            right = Correction("transactions.amount", "12345")
            correct(fresh_shop, pseudonym(fresh_shop, ANN), right)
            return row

    features = fresh_shop.config.models.churn.features
    store, interrupted = (
        store_of(fresh_shop),
        online_store(fresh_shop, PURPOSE, features, Interrupted),
    )
    interrupted.make(pseudonym(fresh_shop, ANN))
    assert feature(fresh_shop, ANN, "highest_amount") == 12_345
    interrupted.refresh()
    assert (
        store.ready(pseudonym(fresh_shop, ANN)).customer[
            store.layout.customer.index("highest_amount")
        ]
        == 12_345
    )


def test_a_corrected_field_that_is_withheld_stays_withheld(fresh_shop: Shop) -> None:
    """Putting a value right does not show it to whom it was not granted."""
    fresh_shop.ledger.append(ConsentEvent(ANN, PURPOSE, "spending", "withdrawn", "page"))
    correct(fresh_shop, pseudonym(fresh_shop, ANN), Correction(AMOUNT, "12345"))
    assert pd.isna(feature(fresh_shop, ANN, "total_spent"))
