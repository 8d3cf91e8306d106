"""What the shop sells, and what sells best: all that a non-personalised answer needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import pandas as pd

from features import clock
from features.errors import WorkspaceError
from features.events.arrivals import newest as newest_arrival
from features.events.arrivals import read
from features.intake.availability import is_available
from features.shop.shop import Shop
from features.tables.declared.products import (
    AVAILABILITY,
    BRAND,
    PRODUCT_CATEGORY,
    PRODUCT_ID,
    STOCK,
    TITLE,
)
from features.tables.declared.products import NAME as PRODUCTS
from features.warehouse.pauses import LEAST
from models.next_purchase.item_pairs import FEWEST
from models.next_purchase.orders import orders
from serving.live.reader_process import Reading, read_here

RECENT_DAYS = 30
State = tuple[str | None, str | None]
"""Of a product its availability and its stock, as the shop says them."""


@dataclass(frozen=True)
class BestSeller:
    """A product and how many customers bought it lately."""

    product_id: str
    buyers: int


@dataclass(frozen=True)
class Assortment:
    """Products by id with their titles, categories and brands, and the best sellers, most buyers
    first.
    """

    titles: Mapping[str, str] = field(default_factory=dict)
    product_categories: Mapping[str, Sequence[str]] = field(default_factory=dict)
    brands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    best_sellers: tuple[BestSeller, ...] = ()
    unavailable: frozenset[str] = frozenset()
    """Products that cannot be bought now."""
    states: Mapping[str, State] = field(default_factory=dict)
    """Of those their availability and stock, in the shop's words."""
    data_until: str | None = None
    """The newest moment on record; None where there is no order."""
    usual_pause: timedelta = LEAST
    """How long the shop usually goes without an order."""

    def old_record(self, now: datetime) -> str:
        """The end of the record where that is longer ago than the usual pause; else empty."""
        old = self._fresh_until is not None and now > self._fresh_until
        return (self.data_until or "") if old else ""

    @cached_property
    def _fresh_until(self) -> datetime | None:
        if self.data_until is None:
            return None
        return clock.from_text(self.data_until) + self.usual_pause

    def title(self, product_id: str) -> str:
        """A product's title; its id where it has none."""
        return self.titles.get(product_id, product_id)

    @cached_property
    def category_of(self) -> Mapping[str, str]:
        """Each product's category, where it has one."""
        return {
            product: name
            for name, products in self.product_categories.items()
            for product in products
        }

    @cached_property
    def brand_of(self) -> Mapping[str, str]:
        """Each product's brand, where it has one."""
        return {product: name for name, products in self.brands.items() for product in products}

    def hidden_by(self, product_categories: Collection[str], brands: Collection[str]) -> set[str]:
        """Products of these categories and brands."""
        of_category = (
            product
            for name in product_categories
            for product in self.product_categories.get(name, ())
        )
        of_brand = (product for name in brands for product in self.brands.get(name, ()))
        return {*of_category, *of_brand}

    def with_products(self, rows: Iterable[Mapping[str, Any]]) -> Assortment:
        """The assortment with what `rows` say of products: of each what it states, and of several
        the last.
        """
        titles, states = dict(self.titles), dict(self.states)
        category_of, brand_of = dict(self.category_of), dict(self.brand_of)
        for row in rows:
            product = str(row[PRODUCT_ID])
            titles[product] = row.get(TITLE, titles.get(product, product))
            for column, known in ((PRODUCT_CATEGORY, category_of), (BRAND, brand_of)):
                if column in row:
                    known[product] = row[column]
            state, stock = states.get(product, (None, None))
            states[product] = row.get(AVAILABILITY, state), row.get(STOCK, stock)
        gone = {id: state for id, state in states.items() if not is_available(*state)}
        return replace(
            self,
            titles=titles,
            product_categories=_grouped(category_of),
            brands=_grouped(brand_of),
            unavailable=frozenset(gone),
            states=gone,
        )

    def outside(self, product_categories: Collection[str]) -> set[str]:
        """Products that belong to none of these categories."""
        inside = {
            product
            for name in product_categories
            for product in self.product_categories.get(name, ())
        }
        return set(self.titles) - inside


class AssortmentKeeper:
    """Keeps the assortment of a shop; stocks it anew when the warehouse or the ledger has changed.

    What was stocked last holds on through a fault, until the warehouse has other products that
    cannot be read.
    """

    def __init__(self, shop: Shop, reading: Reading = read_here) -> None:
        self._shop = shop
        self._reading = reading
        self._stocked_at: tuple[str, int] | None = None
        self._stocked: Assortment | None = None
        self._sent = -1
        self.current: Assortment | None = None
        """The assortment as it was last stocked; None where there is none to tell what must not be
        shown.
        """

    def there(self) -> Assortment | None:
        """The same, for who asks anew each time."""
        return self.current

    def old_record(self) -> str:
        """The end of the record where that is old by now; else empty."""
        return self.current.old_record(self._shop.clock()) if self.current else ""

    @property
    def for_names(self) -> Assortment:
        """The assortment, or an empty one, to name products by; nothing may be hidden by it."""
        return self.current or Assortment()

    def look(self) -> None:
        """Stock the assortment if there is reason to."""
        if not self._shop.warehouse.filled:
            return  # nothing was ingested yet, or the warehouse is away
        now = (self._shop.warehouse.generation, self._shop.ledger.position())
        if now != self._stocked_at:
            try:
                self._stocked, self._stocked_at = self._reading(stock, self._shop), now
            except Exception:
                if self._stocked_at is not None and self._stocked_at[0] != now[0]:
                    self.current, self._stocked, self._stocked_at = None, None, None
                raise
            self._sent = -1
        self._look_at_sent()

    def _look_at_sent(self) -> None:
        """Take up what was sent of products since the warehouse was loaded."""
        _, loaded = self._shop.warehouse.loaded
        with self._shop.database.read() as connection:
            newest = newest_arrival(connection, PRODUCTS)
            if newest == self._sent or self._stocked is None:
                return
            came = read(connection, self._shop.vault, after=loaded, table=PRODUCTS)
        rows = [row for one in came for row in one.content.rows.get(PRODUCTS, ())]
        self.current, self._sent = self._stocked.with_products(rows), newest


def stock(shop: Shop) -> Assortment:
    """The assortment as the warehouse has it now; without best sellers where no order is left.

    Raises `WorkspaceError` where nothing was ingested, and what pyarrow and DuckDB raise for
    damaged files.
    """
    products = shop.warehouse.products()
    return Assortment(
        titles=dict(zip(products["product_id"], products["title"], strict=True)),
        product_categories=_groups(products, "product_category"),
        brands=_groups(products, "brand"),
        best_sellers=_best_sellers(shop),
        unavailable=frozenset(unavailable := _unavailable(products)),
        states=unavailable,
        data_until=_data_until(shop),
        usual_pause=shop.warehouse.usual_pause(),
    )


def _data_until(shop: Shop) -> str | None:
    try:
        return clock.to_text(shop.loaded_until())
    except WorkspaceError:
        return None


def _grouped(of: Mapping[str, str]) -> dict[str, list[str]]:
    """Products by the name that each has."""
    found: dict[str, list[str]] = {}
    for product, name in of.items():
        found.setdefault(name, []).append(product)
    return found


def _groups(products: pd.DataFrame, column: str) -> dict[str, list[str]]:
    return {
        str(name): part["product_id"].tolist()
        for name, part in products.dropna(subset=[column]).groupby(column)
    }


def _unavailable(products: pd.DataFrame) -> dict[str, State]:
    """Products whose state or stock says that they cannot be bought, with both."""
    columns = [
        products[name] if name in products else pd.Series(None, products.index, dtype="str")
        for name in (AVAILABILITY, STOCK)
    ]
    states, stocks = (column.astype("object").where(column.notna(), None) for column in columns)
    rows = zip(products["product_id"], states, stocks, strict=True)
    return {str(id): (state, stock) for id, state, stock in rows if not is_available(state, stock)}


def _best_sellers(shop: Shop) -> tuple[BestSeller, ...]:
    """Products still sold by the customers who bought them in the last 30 days, of those who allow
    that to be counted.
    """
    section = shop.config.models.next_purchase
    try:
        now = shop.loaded_until()
    except WorkspaceError:
        return ()
    bought = orders(shop.gate(section.purpose), now)
    sold = bought[bought["ordered_at"] >= now - timedelta(days=section.sold_within_days)]
    recent = sold[sold["ordered_at"] >= now - timedelta(days=RECENT_DAYS)]
    buyers = (
        recent.groupby("product_id")["customer"]
        .nunique()
        .reindex(sold["product_id"].unique(), fill_value=0)
    )
    ranked = (
        buyers.rename("buyers")
        .rename_axis("product_id")
        .reset_index()
        .sort_values(["buyers", "product_id"], ascending=[False, True])
    )
    return tuple(
        BestSeller(product_id, buyers)
        for product_id, buyers in zip(
            ranked["product_id"].tolist(), ranked["buyers"].tolist(), strict=True
        )
        if buyers >= FEWEST
    )
