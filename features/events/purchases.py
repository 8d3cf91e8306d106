"""Purchases that an event told of and that come again in a file of orders: counted once."""

from __future__ import annotations

import pandas as pd

JOINS_WITHIN = pd.Timedelta(days=2)
"""How far apart an event without an order number and the order that it is about may lie."""
LINE = ["customer", "product_id"]


def not_in_file(bought: pd.DataFrame, transactions: pd.DataFrame) -> pd.DataFrame:
    """Those rows of `bought` that no transaction stands for, in their order.

    `bought` has customer (int64), product_id (str), order_id (str or missing) and occurred_at
    (datetime64), one row per event; `transactions` customer, product_id, order_id and ordered_at.
    An event with an order number joins that order's line of its product; one without joins a line
    of the same customer and product that lies at most `JOINS_WITHIN` from it.
    """
    rows = bought.reset_index(drop=True)
    numbered = rows["order_id"].notna()
    by_number = _joined(rows[numbered], transactions, [*LINE, "order_id"])
    by_time = _joined(rows[~numbered], transactions, LINE)
    apart = (by_time["occurred_at"] - by_time["ordered_at"]).abs()
    joined = {*by_number["event"], *by_time.loc[apart <= JOINS_WITHIN, "event"]}
    return bought[~rows.index.isin(joined)]


def _joined(events: pd.DataFrame, transactions: pd.DataFrame, on: list[str]) -> pd.DataFrame:
    """Each event beside each line that agrees with it; the event's place in the column `event`."""
    lines = transactions[[*on, "ordered_at"]]
    return events[[*on, "occurred_at"]].assign(event=events.index).merge(lines, on=on)
