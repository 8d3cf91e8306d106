"""Everything that a shop's data has an influence on, as bytes that can be compared: features,
training data, answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from experiments.training.tasks.next_purchase.data import purchase_data
from features.definitions.frames import feature_frame
from features.shop.online import online_store
from models.churn.rows import churn_rows, customers_at
from serving.live.assortment import stock
from serving.proofs.withheld.answers import Champions, Desk
from serving.proofs.withheld.prepared import contents, handed_out, put_back, stored_rows
from serving.proofs.withheld.twins import Twin

ANSWERED_UNPREPARED = 3
"""Customers whose answer has to make their features itself, which takes long."""
ANSWERED_BEFORE = 12
"""Customers who are answered before they withdraw."""
ANSWERED_STALE = 40
"""Customers who are answered once more with the features of before put back."""


@dataclass(frozen=True)
class Outcome:
    """One kind of outcome: `seen` by customer, or by the name of what is seen of the shop as a
    whole.
    """

    name: str
    seen: Mapping[Any, bytes]


def outcomes(twin: Twin, champions: Champions) -> Iterator[Outcome]:
    """All outcomes of a twin, each made when it is asked for; what was to be said later is said in
    between.
    """
    online = online_store(twin.shop, twin.purpose, twin.features)
    online.refresh()
    before = stored_rows(twin)
    withdrawing = sorted(
        {event.customer_id for event in twin.later if event.purpose == twin.purpose}
    )
    desk = Desk(twin, champions, online, stock(twin.shop))
    desk.ask(withdrawing[:ANSWERED_BEFORE])
    twin.shop.ledger.append_all(twin.later)
    yield Outcome("features kept after a withdrawal", contents(twin, online))
    yield Outcome("features", _features(twin))
    assortment = stock(twin.shop)
    if twin.model == "next_purchase":
        yield Outcome("best sellers", {"best sellers": repr(assortment.best_sellers).encode()})
    yield Outcome("training data", {"training data": _training_data(twin)})
    desk = Desk(twin, champions, online, assortment)
    yield Outcome("answers that make the features", desk.ask(withdrawing[-ANSWERED_UNPREPARED:]))
    online.refresh()
    yield Outcome("features handed to answers", handed_out(twin, online))
    yield Outcome("answers", desk.ask(sorted(twin.shop.customers.all().values())))
    put_back(twin, before)
    yield Outcome("answers with features of before", desk.ask(withdrawing[:ANSWERED_STALE]))


def _features(twin: Twin) -> dict[int, bytes]:
    """The feature frame, by customer."""
    shop = twin.shop
    frame = feature_frame(shop.gate(twin.purpose), twin.features, shop.loaded_until(), shop.facts)
    numbers = frame[list(twin.features)].to_numpy("float64")
    products = (
        frame["product_id"].fillna("").tolist() if "product_id" in frame else [""] * len(frame)
    )
    seen: dict[int, bytes] = {}
    for customer, product, row in zip(frame["customer"].tolist(), products, numbers, strict=True):
        seen[customer] = seen.get(customer, b"") + product.encode() + row.tobytes()
    return seen


def _training_data(twin: Twin) -> bytes:
    """What a model would learn from at the newest moment whose future is known."""
    return _churn_data(twin) if twin.model == "churn" else _purchase_data(twin)


def _churn_data(twin: Twin) -> bytes:
    shop, horizon = twin.shop, twin.shop.config.models.churn.horizon_days
    moment = shop.loaded_until() - timedelta(days=horizon)
    gate = shop.gate(twin.purpose)
    rows = churn_rows(
        gate, customers_at(gate, twin.features, [moment], shop.facts), twin.features, horizon
    )
    return _bytes(rows.features, rows.labels, *([] if rows.futures is None else [rows.futures]))


def _purchase_data(twin: Twin) -> bytes:
    until = twin.shop.loaded_until()
    data = purchase_data(twin.shop, until)
    examples, _ = data.examples(data.begins(until)[0])
    histories, statistics = examples.histories, data.maker(until).statistics
    return _bytes(
        *statistics.arrays.values(),
        histories.starts,
        histories.products,
        histories.columns,
        histories.customers,
        examples.bought,
    )


def _bytes(*arrays: np.ndarray) -> bytes:
    return b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
