"""How long it takes to make one customer's features anew, and whether they are those that all
customers' features at once would be.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from features.definitions.definition import ShopFacts
from features.definitions.frames import Floats, customer_frame, features_of_one, history_frame
from features.errors import WorkspaceError
from features.progress import Progress
from features.shop.online import Layout, online_stores
from features.shop.shop import Shop
from features.warehouse.gate import Gate

WARMING = 5
"""Customers whose features are made before anything is timed."""
SEED = 11
Products = tuple[str, ...]
Own = tuple[Products, Floats, Floats]
"""One customer's products, features, and features of the history with each product."""


@dataclass(frozen=True)
class RefreshTimes:
    """Milliseconds that one customer's refresh for one model took."""

    p50: float
    p99: float
    cpu_p50: float
    """Of the processor's time."""
    different: int
    """How many of the customers have other features alone than among all."""


def refresh_times(shop: Shop, customers: int, progress: Progress) -> Mapping[str, RefreshTimes]:
    """Times by model over so many customers, drawn from those of the workspace; each is what
    follows an event, a consent or a correction, from reading the grants to the stored row.

    Raises `WorkspaceError` where there are no customers.
    """
    known = sorted(shop.customers.all())
    if not known:
        raise WorkspaceError("there are no customers yet; load orders with `sayso ingest` first")
    count = min(customers, len(known))
    drawn = np.random.default_rng(SEED).choice(known, count, replace=False).tolist()
    found = dict[str, RefreshTimes]()
    for name, store in zip(("churn", "next_purchase"), online_stores(shop), strict=True):
        for customer in drawn[:WARMING]:
            store.make(customer)
        taken, worked = list[float](), list[float]()
        for number, customer in enumerate(drawn):
            progress(f"making features for {name}", number / count)
            began, busy = time.perf_counter(), time.process_time()
            store.make(customer)
            worked.append(time.process_time() - busy)
            taken.append(time.perf_counter() - began)
        spine = pd.DataFrame(
            {"customer": drawn, "as_of": pd.Timestamp(shop.loaded_until()).as_unit("us")}
        )
        different = differing(shop.gate(store.purpose), store.layout, spine, shop.facts)
        half, most, busy = (
            float(np.percentile(t, at)) * 1e3 for t, at in ((taken, 50), (taken, 99), (worked, 50))
        )
        found[name] = RefreshTimes(half, most, busy, different)
    return found


def differing(gate: Gate, layout: Layout, spine: pd.DataFrame, shop: ShopFacts) -> int:
    """How many of the customers of `spine` (customer, as_of) have alone, in any bit of a feature,
    other features than among all.
    """
    every = _among_all(gate, layout, spine, shop)
    names = (*layout.customer, *layout.history)
    different = 0
    for customer, as_of in spine.itertuples(index=False, name=None):
        alone = features_of_one(gate.of_one(customer), names, as_of.to_pydatetime(), shop)
        own = (alone.products, alone.row(layout.customer), alone.columns(layout.history))
        different += _bits(*own) != _bits(*every[customer])
    return different


def _among_all(gate: Gate, layout: Layout, spine: pd.DataFrame, shop: ShopFacts) -> dict[int, Own]:
    known = customer_frame(gate, layout.customer, spine, shop)[list(layout.customer)]
    nothing: tuple[Products, Floats] = ((), np.empty((0, len(layout.history))))
    bought = dict[int, tuple[Products, Floats]]()
    if layout.history:
        frame = history_frame(gate, layout.history, spine, shop)
        for customer, part in frame.groupby("customer"):
            columns = part[list(layout.history)].to_numpy("float64")
            bought[cast("int", customer)] = (tuple(part["product_id"]), columns)
    rows = zip(spine["customer"].tolist(), known.to_numpy("float64"), strict=True)
    every = dict[int, Own]()
    for customer, row in rows:
        products, columns = bought.get(customer, nothing)
        every[customer] = (products, row, columns)
    return every


def _bits(products: Products, row: Floats, columns: Floats) -> tuple[Products, bytes, bytes]:
    return products, row.tobytes(), np.ascontiguousarray(columns).tobytes()
