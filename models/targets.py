"""What the models learn to foresee. A target reads fields too: who withholds these is not in the training set."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd

from features.errors import TrainingError
from features.fields import ORDERED_AT
from features.gate import Gate

CHURN_READS = (ORDERED_AT,)


def first_orders(gate: Gate, until: datetime) -> pd.Series:
    """Moment of the first order by customer, of all who allow order times to be used: index customer, values datetime64.

    Raises `TrainingError` where nobody does.
    """
    rows = gate.rows(CHURN_READS, everybody(gate, until))
    seen = gate.collect(rows.group_by("customer").aggregate(first=rows.ordered_at.min()))
    if seen.empty:
        raise TrainingError(
            f"no customer with an order allows order times to be used for `{gate.purpose}`, so there is nothing to learn from. "
            "Bring consents in with `sayso consent import`."
        )
    return seen.set_index("customer")["first"].sort_index()


def everybody(gate: Gate, as_of: datetime) -> pd.DataFrame:
    """A spine (customer, as_of) of all who granted anything, at one moment."""
    return pd.DataFrame({"customer": gate.customers(), "as_of": pd.Timestamp(as_of).as_unit("us")})


def churned(gate: Gate, spine: pd.DataFrame, horizon_days: int) -> pd.Series:
    """Whether each customer of `spine` ordered nothing within the horizon after as_of: bool, in the spine's order."""
    horizon = timedelta(days=horizon_days)
    ends = spine.assign(as_of=spine["as_of"] + horizon)
    rows = gate.rows(CHURN_READS, ends)
    last = gate.collect(rows.group_by("customer", "as_of").aggregate(last=rows.ordered_at.max()))
    found = ends.merge(last, how="left", on=["customer", "as_of"])["last"].set_axis(spine.index)
    return ~(found >= spine["as_of"])
