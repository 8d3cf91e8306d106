"""Features of what customers do beside ordering: each value by hand, and where there is none."""

from __future__ import annotations

import ibis
import numpy as np
import pandas as pd
import pytest

from features.definitions.beside_orders import browsing, emails, returns, support
from features.definitions.definition import Definition, ShopFacts
from features.definitions.definitions import STANDARD
from features.definitions.unlisted import discounts, segments

AS_OF = pd.Timestamp("2026-06-01")
ANN, BOB = 1, 2


def made(definition: Definition, rows: list[tuple[object, ...]]) -> pd.DataFrame:
    """The features of rows (customer, then the fields that are read; a number for a moment is how
    many days ago it was), by customer.
    """
    columns = [field.partition(".")[2] for field in definition.reads]
    frame = pd.DataFrame(rows, columns=["customer", *columns])
    for column in [name for name in columns if name.endswith("_at")]:
        frame[column] = AS_OF - pd.to_timedelta(frame[column], unit="D")
    table = ibis.memtable(frame.assign(as_of=AS_OF))
    found = ibis.duckdb.connect().to_pandas(definition.table(table, ShopFacts()))
    return found.set_index("customer").drop(columns="as_of").sort_index()


def test_visits_and_baskets_count_days() -> None:
    """Two visits on one day are one day, and what was taken out again filled no basket."""
    seen = made(browsing.visits, [(ANN, 0.5), (ANN, 0.4), (ANN, 29.0), (ANN, 31.0), (BOB, 40.0)])
    assert seen.loc[ANN].tolist() == [0.4, 2.0]
    assert seen.loc[BOB].tolist() == [40.0, 0.0]
    rows = [(ANN, "view", 1.0), (ANN, "cart", 3.0), (ANN, "cart_removed", 2.0), (BOB, "view", 1.0)]
    baskets = made(browsing.baskets, rows)
    assert baskets.loc[ANN].tolist() == [3.0, 1.0]
    assert np.isnan(baskets.loc[BOB, "days_since_last_basket"])
    viewed = made(browsing.products_viewed, [(ANN, "p", 1.0), (ANN, "p", 2.0), (ANN, "q", 31.0)])
    assert viewed["products_viewed_last_30_days"].tolist() == [1.0]


def test_emails_tell_of_reading_and_of_too_many() -> None:
    """Of three sent one was opened, and one came after that; who never opens has had them all."""
    rows = [
        (ANN, "email_sent", 50.0),
        (ANN, "email_sent", 20.0),
        (ANN, "email_opened", 19.0),
        (ANN, "email_clicked", 19.0),
        (ANN, "email_sent", 5.0),
        (BOB, "email_sent", 20.0),
        (BOB, "email_unsubscribed", 10.0),
    ]
    found = made(emails.emails, rows)
    expected = {
        "emails_last_30_days": (2.0, 1.0),
        "emails_opened_last_90_days": (1.0, 0.0),
        "share_of_emails_opened_last_90_days": (1 / 3, 0.0),
        "days_since_last_email_opened": (19.0, np.nan),
        "emails_since_last_opened": (1.0, 1.0),
        "unsubscribed_from_emails": (0.0, 1.0),
    }
    for name, values in expected.items():
        assert found[name].tolist() == pytest.approx(values, nan_ok=True), name


def test_support_tells_what_is_open_and_how_it_went() -> None:
    """A ticket that was closed is not open, and the newest mark counts."""
    rows = [
        (ANN, "ticket_opened", "7"),
        (ANN, "ticket_closed", "7"),
        (ANN, "ticket_opened", "8"),
        (BOB, "ticket_closed", "9"),
    ]
    assert made(support.open_tickets, rows)["open_tickets"].tolist() == [1.0, 0.0]
    recent = [(ANN, "ticket_opened", 89.0), (ANN, "ticket_closed", 1.0), (ANN, "ticket_opened", 99)]
    assert made(support.recent_tickets, recent)["tickets_last_90_days"].tolist() == [1.0]
    marks = [(ANN, 5.0, 9.0), (ANN, 2.0, 3.0), (ANN, None, 1.0), (BOB, None, 1.0)]
    assert made(support.satisfaction, marks)["last_satisfaction"].to_dict() == {ANN: 2.0}


def test_returns_bookings_and_acquaintance() -> None:
    """They are counted ever and lately."""
    assert made(returns.returns, [(ANN, 5.0), (ANN, 95.0)]).loc[ANN].tolist() == [2.0, 1.0]
    assert made(returns.bookings, [(ANN, 5.0), (ANN, 95.0)]).loc[ANN].tolist() == [1.0, 5.0]
    seen = ibis.memtable(
        pd.DataFrame(
            {"customer": [ANN], "as_of": [AS_OF], "first_seen": [AS_OF - pd.Timedelta("9D")]}
        )
    )
    found = ibis.duckdb.connect().to_pandas(returns.first_seen.table(seen, ShopFacts()))
    assert found["days_since_first_seen"].tolist() == [9.0]


STAGES = {
    "new": [20],
    "lapsed": [200],
    "slowing": [16, 26, 36],
    "active": [5, 15, 25, 35],
    "returning": [1, 100, 110, 120],
}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_of_life_goes_by_the_customers_own_wait(name: str) -> None:
    """New, active, slowing, lapsed and returning customers are told apart."""
    found = made(segments.stages, [(ANN, float(days)) for days in STAGES[name]])
    assert segments.STAGES[int(found.loc[ANN, "lifecycle_stage"])] == name


def test_scores_are_from_1_to_5() -> None:
    """The best customer has 5 of each, the least one 1."""
    often = [(ANN, float(days)) for days in range(10)] + [(BOB, 400.0)]
    found = made(segments.stages, often)
    assert found["recency_score"].tolist() == [5.0, 1.0]
    assert found["frequency_score"].tolist() == [5.0, 1.0]
    spent = made(segments.value, [(ANN, 900.0, 1.0), (ANN, 100.0, 2.0), (BOB, 900.0, 400.0)])
    assert spent["value_score"].tolist() == [5.0, 1.0]


def test_discounts_are_a_share_of_the_price() -> None:
    """Two at 5 for 8 are a fifth off; nothing off is 0."""
    found = made(discounts.discounts, [(ANN, 8.0, 2, 5.0), (BOB, 5.0, 1, 5.0)])
    assert found["discount_share"].tolist() == pytest.approx([0.2, 0.0])


def test_what_says_little_that_is_new_is_not_listed() -> None:
    """Segments and discounts are there for who lists them."""
    unlisted = {f.name for f in STANDARD.used_by("churn") if not f.listed}
    assert unlisted == {
        "discount_share",
        "recency_score",
        "frequency_score",
        "value_score",
        "lifecycle_stage",
    }
