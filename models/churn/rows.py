"""Rows for the churn model: consented features at many moments, beside what happened within the
horizon.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.definitions.definition import ShopFacts
from features.definitions.frames import customer_frame
from features.warehouse.gate import Gate
from models.arrays import Floats
from models.churn.settings import FEWEST_CUSTOMERS
from models.targets import first_orders, futures

MOMENTS_PER_HORIZON = 6
"""As_of dates lie a sixth of the horizon apart, so that the seasons blend."""
SHARE_OF_HORIZON_BEFORE = 6
"""The first as_of date comes when a sixth of a horizon is on record."""
SHARE_KNOWN = 0.1
"""In a small shop the record begins when so many of its customers are known."""


@dataclass(frozen=True)
class ChurnRows:
    """Rows to learn from: `features` (rows, features) float64, `labels` (rows) 0 or 1, `as_of`
    (rows) datetime64.

    `futures` (rows, 3) hold what `models.targets.futures` tells of the horizon; None where a label
    alone says who left. `customer` (rows) int64 says whose they are, where they are of a shop;
    `emphasis` (rows) how much more or less a row counts than the others, where groups are weighed.
    """

    features: Floats
    labels: Floats
    as_of: NDArray[np.datetime64]
    futures: Floats | None = None
    customer: NDArray[np.int64] | None = None
    emphasis: Floats | None = None

    def at(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> ChurnRows:
        """The rows where `chosen` holds, or at the positions `chosen`."""
        taken: dict[str, Any] = {
            name: None if values is None else values[chosen] for name, values in vars(self).items()
        }
        return ChurnRows(**taken)

    @property
    def weights(self) -> Floats:
        """Each moment counts the same, however many customers it has, but for the emphasis; the
        mean weight is 1.

        The first ones, before a whole horizon is on record, count as much less as the record behind
        them is shorter.
        """
        moments, inverse, counts = np.unique(self.as_of, return_inverse=True, return_counts=True)
        on_record = np.minimum(np.arange(1, len(moments) + 1), MOMENTS_PER_HORIZON)
        by_moment = on_record[inverse] / counts[inverse]
        weights = (
            by_moment
            if self.emphasis is None
            else by_moment * self.emphasis / np.average(self.emphasis, weights=by_moment)
        )
        return np.asarray(weights / by_moment.mean(), dtype=np.float64)


def enough_known(first_order: pd.Series) -> datetime:
    """When 50 of the customers, or in a small shop a tenth of them, had ordered.

    Each moment counts the same, and a stray early order is no moment's worth. `first_order` is the
    moment of the first order by customer.
    """
    enough = min(FEWEST_CUSTOMERS, math.ceil(len(first_order) * SHARE_KNOWN))
    earliest: datetime = first_order.sort_values().iloc[enough - 1].to_pydatetime()
    return earliest


def rolling_dates(first: datetime, last: datetime, horizon_days: int) -> list[datetime]:
    """Moments to learn from, oldest first: back from `last` in steps of a sixth of the horizon, to
    soon after `first`.

    By `first` there were enough customers (`enough_known`). None where the history is too short for
    even one.
    """
    step = timedelta(days=horizon_days) / MOMENTS_PER_HORIZON
    earliest = first + timedelta(days=horizon_days) / SHARE_OF_HORIZON_BEFORE
    dates: list[datetime] = []
    while last >= earliest:
        dates.append(last)
        last -= step
    return dates[::-1]


def spine_of(first_order: pd.Series, dates: Sequence[datetime]) -> pd.DataFrame:
    """Who was a customer at each of `dates`: customer, as_of; `first_order` is the moment of the
    first order by customer.
    """
    parts = [
        pd.DataFrame(
            {
                "customer": first_order.index[first_order < date],
                "as_of": pd.Timestamp(date).as_unit("us"),
            }
        )
        for date in dates
    ]
    return pd.concat(parts, ignore_index=True)


def customers_at(
    gate: Gate, features: Sequence[str], dates: Sequence[datetime], shop: ShopFacts
) -> pd.DataFrame:
    """Everybody who was a customer at one of `dates` and whose target may be known: customer, as_of
    and `features`.
    """
    return customer_frame(gate, features, spine_of(first_orders(gate, max(dates)), dates), shop)


def churn_rows(
    gate: Gate, frame: pd.DataFrame, features: Sequence[str], horizon_days: int
) -> ChurnRows:
    """The rows of `frame`, which `customers_at` made, beside what happened within the horizon.

    They stand in the order of their content, not of the customers' pseudonyms: the same data gives
    the same model in another workspace too.
    """
    future = futures(gate, frame[["customer", "as_of"]], horizon_days).to_numpy("float64")
    labels = (future[:, 0] == 0).astype(np.float64)
    values, as_of = frame[list(features)].to_numpy("float64"), frame["as_of"].to_numpy()
    order = np.lexsort((*future.T, *values.T, labels, as_of))
    return ChurnRows(values, labels, as_of, future, frame["customer"].to_numpy("int64")).at(order)
