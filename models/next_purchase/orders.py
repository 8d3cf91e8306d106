"""Orders, prices and homes as consenting customers let them be used: what product statistics and
next purchases are made of.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import pandas as pd

from features.definitions.customer import HOME_COUNTRY
from features.definitions.definition import ShopFacts
from features.definitions.frames import customer_frame
from features.warehouse.fields import COUNTRY, ORDER_ID, ORDERED_AT, PRODUCT_ID, UNIT_PRICE
from features.warehouse.gate import Gate
from models.next_purchase.item_pairs import FEWEST
from models.next_purchase.product_statistics import ProductStatistics, product_statistics
from models.targets import everybody

NEXT_PURCHASE_READS = (PRODUCT_ID, ORDER_ID, ORDERED_AT)
"""Fields behind the target of the next-purchase model and behind the product statistics."""


def orders(gate: Gate, until: datetime) -> pd.DataFrame:
    """What was bought in each order recorded before `until`: customer, order_id, product_id,
    ordered_at; one row per product.
    """
    rows = gate.rows(NEXT_PURCHASE_READS, everybody(gate, until))
    lines = gate.collect(
        rows.group_by("customer", "order_id", "product_id").aggregate(
            ordered_at=rows.ordered_at.min()
        )
    )
    lines["ordered_at"] = lines.groupby(["customer", "order_id"])["ordered_at"].transform("min")
    return lines.sort_values(
        ["customer", "ordered_at", "order_id", "product_id"], ignore_index=True
    )


def prices(gate: Gate, customers: pd.DataFrame) -> pd.Series:
    """Median price by product_id of what `customers` (customer, as_of) had bought, where enough of
    them did.
    """
    rows = gate.rows((PRODUCT_ID, UNIT_PRICE), customers)
    seen = gate.collect(
        rows.group_by("product_id").aggregate(
            price=rows.unit_price.median(), buyers=rows.customer.nunique()
        )
    )
    return seen[seen["buyers"] >= FEWEST].set_index("product_id")["price"].sort_index()


def homes(gate: Gate, customers: pd.DataFrame, shop: ShopFacts) -> pd.Series:
    """Whether each of `customers` (customer, as_of) lives in the shop's own country (1.0, 0.0), of
    those who let it be used.
    """
    frame = customer_frame(gate, [HOME_COUNTRY.name], customers, shop)
    return frame.set_index("customer")[HOME_COUNTRY.name].dropna()


class Statistics(Protocol):
    """How product statistics are made: `product_statistics`, or read where they are kept."""

    def __call__(
        self,
        orders: pd.DataFrame,
        as_of: datetime,
        sold_within_days: int,
        homes: pd.Series | None = None,
        prices: pd.Series | None = None,
    ) -> ProductStatistics:
        """As `product_statistics`."""


def statistics_at(
    gate: Gate,
    past: pd.DataFrame,
    as_of: datetime,
    sold_within_days: int,
    shop: ShopFacts,
    make: Statistics = product_statistics,
) -> ProductStatistics:
    """Product statistics as of one moment, with prices and homes where the catalog has them for the
    gate's purpose.

    All of it tells of the customers of the `past` orders alone: of them it is kept who they are,
    should they take back what they allowed.
    """
    members = pd.DataFrame(
        {"customer": past["customer"].unique(), "as_of": pd.Timestamp(as_of).as_unit("us")}
    )
    known_homes = (
        homes(gate, members, shop) if gate.may_read((COUNTRY,)) and shop.home_country else None
    )
    known_prices = prices(gate, members) if gate.may_read((UNIT_PRICE,)) else None
    return make(past, as_of, sold_within_days, known_homes, known_prices)
