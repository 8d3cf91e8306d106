"""What the models learn to foresee.

A target reads fields too: who withholds these is not in the training set.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import ibis
import numpy as np
import pandas as pd
from ibis import Deferred

from features.definitions.expressions import SECONDS_PER_DAY, exact_sum
from features.errors import TrainingError
from features.warehouse.fields import AMOUNT, ORDERED_AT
from features.warehouse.gate import Gate
from models.arrays import Floats

CHURN_READS = (ORDERED_AT,)
VALUE_READS = (ORDERED_AT, AMOUNT)


def first_orders(gate: Gate, until: datetime) -> pd.Series:
    """Moment of the first order by customer, of all who allow order times to be used: index
    customer, values datetime64.

    Raises `TrainingError` where nobody does.
    """
    rows = gate.rows(CHURN_READS, everybody(gate, until))
    seen = gate.collect(rows.group_by("customer").aggregate(first=rows.ordered_at.min()))
    if seen.empty:
        raise TrainingError(
            f"no customer with an order allows order times to be used for `{gate.purpose}`, so"
            " there is nothing to learn from. Bring consents in with `sayso consent import`."
        )
    return seen.set_index("customer")["first"].sort_index()


def everybody(gate: Gate, as_of: datetime) -> pd.DataFrame:
    """A spine (customer, as_of) of all who granted anything, at one moment."""
    return pd.DataFrame({"customer": gate.customers(), "as_of": pd.Timestamp(as_of).as_unit("us")})


def futures(gate: Gate, spine: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """What each customer of `spine` did within the horizon after as_of, in the spine's order,
    float64.

    `order_days` on which they ordered, the `value` of these orders (`NaN` for who withholds
    amounts), and the `days_to_next_order` (`NaN` where there was none).
    """
    horizon = timedelta(days=horizon_days)
    ends = spine.assign(as_of=spine["as_of"] + horizon)
    begin = ibis._.as_of - ibis.interval(days=horizon_days)
    rows = gate.rows(CHURN_READS, ends).filter(ibis._.ordered_at >= begin)
    ordered = rows.group_by("customer", "as_of").aggregate(
        order_days=rows.ordered_at.date().nunique(), next=rows.ordered_at.min()
    )
    found = ends.merge(gate.collect(ordered), how="left", on=["customer", "as_of"])
    waits = (found["next"] - spine["as_of"].to_numpy()).dt.total_seconds() / SECONDS_PER_DAY
    made = pd.DataFrame(
        {
            "order_days": found["order_days"].fillna(0),
            "value": _spent(gate, ends, begin),
            "days_to_next_order": waits,
        }
    )
    return made.astype("float64").set_axis(spine.index)


def _spent(gate: Gate, ends: pd.DataFrame, begin: Deferred) -> Floats:
    """Value (rows,) of what was ordered since `begin`; `NaN` for who withholds it, and for all
    where amounts are not read.
    """
    if not gate.may_read(VALUE_READS):
        return np.full(len(ends), np.nan)
    rows = gate.rows(VALUE_READS, ends).filter(ibis._.ordered_at >= begin)
    spent = gate.collect(rows.group_by("customer", "as_of").aggregate(value=exact_sum(rows.amount)))
    value = ends.merge(spent, how="left", on=["customer", "as_of"])["value"].to_numpy(
        "float64", na_value=np.nan
    )
    tells = ends["customer"].isin(gate.customers_granting(VALUE_READS)).to_numpy()
    return np.where(tells, np.nan_to_num(value), np.nan)
